"""Who made which version of a model the served one, when and why: approvals.jsonl, a line for each promotion.

A record names the version by the SHA-256 of its manifest, which names all of its files. It may be signed with an
Ed25519 key; the signature is over the record's JSON without it, with sorted keys and no spaces.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from riskscore.artefact.signature import is_signed, raw_public_key, sign
from riskscore.errors import InvalidFile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any

APPROVALS = "approvals.jsonl"
PROMOTE, ROLLBACK = "promote", "rollback"
LONGEST = 500  # characters of who and why


class Approval(NamedTuple):
    """One line of approvals.jsonl. before: the manifest hash of the version that was served until then, or ""."""

    action: str
    model: str
    version: str
    manifest_sha256: str
    before: str
    by: str
    why: str
    time: str
    signature: str = ""

    def signed(self, key: Any) -> Approval:
        return self._replace(signature=sign(key, self._document()).strip())

    def _document(self) -> bytes:
        said = {name: value for name, value in self._asdict().items() if name != "signature"}
        return json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    def vouched(self, public_key: str | None) -> str:
        """What its signature is worth, in words. public_key: RISKSCORE_PUBLIC_KEY, if that is set."""
        if not self.signature:
            return "not signed"
        if not public_key:
            return "signed, not checked: RISKSCORE_PUBLIC_KEY isn't set"
        good = is_signed(raw_public_key(public_key), self._document(), self.signature.encode())
        return "signed by the key in RISKSCORE_PUBLIC_KEY" if good else "NOT signed by the key in RISKSCORE_PUBLIC_KEY"


def checked_text(option: str, text: str) -> str:
    """Who approves, or why, on one line. Raises InvalidFile for a text that says nothing, or too much."""
    said = " ".join(text.split())
    if not said or len(said) > LONGEST or not said.isprintable():
        raise InvalidFile(
            "the record of an approval needs --by NAME and --why TEXT;"
            f" expected 1 to {LONGEST} printable characters for {option}"
        )
    return said


def is_promoted(folder: Path) -> bool:
    """Whether a version of the model was ever promoted, so that training no longer replaces it."""
    path = folder / APPROVALS
    return path.exists() and path.stat().st_size > 0


def read_approvals(folder: Path) -> list[Approval]:
    """The records of a model, oldest first. Raises InvalidFile for a line that is none."""
    path = folder / APPROVALS
    if not path.exists():
        return []
    lines = path.read_bytes().splitlines()
    return [_read(f"{folder.name}/{APPROVALS}, line {number}", line) for number, line in enumerate(lines, 1)]


def _read(where: str, line: bytes) -> Approval:
    try:
        found = json.loads(line)
        approval = Approval(**found)
    except (ValueError, TypeError):
        raise InvalidFile(f"{where}: expected a record of an approval, as riskscore versions writes it") from None
    if not all(type(value) is str for value in approval):
        raise InvalidFile(f"{where}: expected a record of an approval with strings alone")
    return approval


def add_approval(path: Path, approval: Approval) -> None:
    """Append a record. The file is in a folder that nobody sees yet."""
    said = {name: value for name, value in approval._asdict().items() if value or name != "signature"}
    before = path.read_bytes() if path.exists() else b""
    path.write_bytes(before + json.dumps(said, ensure_ascii=False).encode() + b"\n")


def approval_now(records: Sequence[Approval], digest: str) -> Approval | None:
    """The record by which this version is the served one; None where none approves of it."""
    return records[-1] if records and records[-1].manifest_sha256 == digest else None


def served_before(records: Sequence[Approval]) -> str:
    """The hash of the version to roll back to: each rollback takes back one promotion. "" where there is none."""
    stack: list[str] = []
    for record in records:
        if record.action == ROLLBACK:
            stack = stack[:-1]
        elif record.before and (not stack or stack[-1] != record.before):
            stack.append(record.before)
        if not stack or stack[-1] != record.manifest_sha256:
            stack.append(record.manifest_sha256)
    return stack[-2] if len(stack) > 1 else ""
