"""What a ledger keeps of a request: one entry for each of its rows, scored or invalid.

Numbers and texts are left as the engine had them; features stand as the event or the database gave them.
"""

from __future__ import annotations

import hashlib
import json
import os

from riskscore.errors import InvalidEvent
from riskscore.scoring.events import PLAIN, Refused, Row

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from riskscore.artefact.artefact import Artefact
    from riskscore.scoring.pipeline import Batch, Parsed

    # the row as it came to its model, its margin where it was scored, how many reasons it was to get
    Note = tuple[Row | Refused, float | None, int | None]

MAX_REQUEST_ID = 200  # characters
MAX_REASONS = 2**31 - 1  # what the column holds; no model gives so many, so that more is refused in the same words


class Request:
    """Whose request it is, what it is called, and the SHA-256 of what it says."""

    __slots__ = ("caller", "content_sha256", "id")

    def __init__(self, id: str, caller: str, content_sha256: str) -> None:
        self.id = id
        self.caller = caller
        self.content_sha256 = content_sha256


class Entry:
    """One row of a request. `retained` outlives a purge; `personal` is what a purge erases; each by column name."""

    __slots__ = ("personal", "request", "retained")

    def __init__(self, request: Request, retained: dict[str, Any], personal: dict[str, Any]) -> None:
        self.request = request
        self.retained = retained
        self.personal = personal


def request_of(event: Any, request_id: str | None = None, caller: str | None = None) -> Request:
    """The request that an event makes; one without an id gets one that nobody else has. Raises InvalidEvent."""
    if request_id is not None and not (0 < len(request_id) <= MAX_REQUEST_ID and PLAIN.fullmatch(request_id)):
        raise InvalidEvent(f"a request id must be 1 to {MAX_REQUEST_ID} characters of text")
    try:
        content = json.dumps(event, sort_keys=True, separators=(",", ":"), default=_said)
    except RecursionError:
        raise InvalidEvent("the event is nested too deeply") from None
    return Request(request_id or os.urandom(16).hex(), caller or "", hashlib.sha256(content.encode()).hexdigest())


def _said(unread: Refused) -> dict[str, Any]:
    """What stands in an event for a file's row that can't be read: it is all that its answer depends on."""
    return unread.answer()


def entries_of(
    request: Request,
    parsed: Parsed,
    answers: Sequence[Mapping[str, Any]],
    sent: Sequence[Mapping[str, Any]],
    listed: bool,
) -> list[Entry]:
    """An entry per row of an event that came through the steps. sent: the answers in the fields of their clients."""
    artefacts = {batch.model.name: batch.model.artefact for batch in parsed.batches}
    notes: dict[int, Note] = {place: (row, None, None) for place, row in parsed.refused.items()}
    for batch in parsed.batches:
        notes.update(zip(batch.places, _notes(batch), strict=True))
    shared = {"caller": request.caller, "request_id": request.id, "rows": len(answers), "listed": int(listed)}
    entries = []
    for k, (answer, said) in enumerate(zip(answers, sent, strict=True)):
        retained = shared | {"row": k} | _about(answer, artefacts.get(answer.get("model", "")))
        entries.append(Entry(request, retained, _personal(request, answer, said, notes.get(k))))
    return entries


def _notes(batch: Batch) -> Iterator[Note]:
    scored = iter(zip(batch.margins, batch.counts, strict=True))
    for k, row in enumerate(batch.rows):
        if k in batch.refused:
            yield row, None, None if isinstance(row, Refused) else row.reasons
        else:
            yield row, *next(scored)


def _about(answer: Mapping[str, Any], artefact: Artefact | None) -> dict[str, Any]:
    """Which model answered, by which engine, and how it ended."""
    return {
        "model": answer.get("model"),
        "model_version": artefact and artefact.version,
        "manifest_sha256": artefact and artefact.manifest_sha256,
        "contract_sha256": artefact and contract_sha256(artefact),
        "engine": answer.get("engine"),
        "outcome": answer["outcome"],
    }


def _personal(
    request: Request, answer: Mapping[str, Any], said: Mapping[str, Any], note: Note | None
) -> dict[str, Any]:
    source, margin, reasons = note or (None, None, None)
    features = source.features if isinstance(source, Row) else None
    observations = source.observations if isinstance(source, Row) else None
    ids = source.ids if source is not None else {}
    return {
        "content_sha256": request.content_sha256,
        "ids": _text(ids),
        "features": None if features is None else _text(features),
        "observations": None if observations is None else _text(observations),
        "reasons_asked": None if reasons is None else min(reasons, MAX_REASONS),
        "margin": None if margin is None else margin + 0.0,  # -0.0 and 0.0 are one number to SQLite
        "probability": answer.get("probability"),
        "points": answer.get("points"),
        "warnings": _text(answer.get("warnings", [])),
        "reasons": _text(answer.get("reasons", [])),
        "answer": _text(said),
    }


_text = json.JSONEncoder(separators=(",", ":")).encode  # ASCII: neither NUL nor a lone surrogate reaches a database

_CONTRACTS: dict[str, str] = {}


def contract_sha256(artefact: Artefact) -> str:
    """The SHA-256 of an artefact's contract as canonical JSON."""
    known = _CONTRACTS.get(artefact.manifest_sha256)
    if known is None:
        text = json.dumps(artefact.contract.to_dicts(), sort_keys=True, separators=(",", ":"))
        known = _CONTRACTS[artefact.manifest_sha256] = hashlib.sha256(text.encode()).hexdigest()
    return known
