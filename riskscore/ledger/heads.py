"""Publishes the ledger's head outside its database, signed, so that `verify` misses what was cut off or written anew.

The last hash binds every row before it. A head that was published, and that the chain no longer holds at its row, shows
that rows are gone or were written anew, even where whoever did so also turned the database's own head back. Only rows
that were written after the newest published head stand unproven, those of the last SECONDS.

RISKSCORE_LEDGER_HEADS names the place: a file, to which lines are appended; s3://bucket/prefix, where an object lock
keeps what was written; or https://..., which takes a line by POST and gives the newest one by GET.
RISKSCORE_LEDGER_KEY names the private key (`riskscore sign --new-key` makes one); RISKSCORE_LEDGER_PUBLIC_KEY is
its public half, for who only verifies.
"""

from __future__ import annotations

import atexit
import json
import os
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import make_url

from riskscore.artefact.s3 import SCHEME, Bucket
from riskscore.artefact.signature import public_text, raw_public_key, read_key, sign
from riskscore.errors import LedgerUnavailable, NotConfigured, RiskscoreError
from riskscore.fault_log import report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any, Protocol

    class Place(Protocol):
        """Where heads are published; its newest line is the last that was appended."""

        def append(self, rows: int, line: str, /) -> None: ...
        def newest(self) -> str: ...


PLACE, KEY, PUBLIC_KEY = "RISKSCORE_LEDGER_HEADS", "RISKSCORE_LEDGER_KEY", "RISKSCORE_LEDGER_PUBLIC_KEY"
SECONDS = 5.0  # between two heads of one process
HTTP_SECONDS = 10.0
LARGEST_LINE = 4_000  # bytes
LARGEST_COUNT = 10**16 - 1  # rows; an object's name counts down from here, so that the newest is listed first


class Head(NamedTuple):
    """The last row of the chain at some time, and whether the configured key signed it."""

    rows: int
    hash: str
    time: str
    signed: bool


class Heads:
    """Publishes heads as the chain grows, in a thread of its own: no request waits, and none fails, for it."""

    def __init__(self, place: Place, key: Any = None, public_key: str = "", seconds: float = SECONDS) -> None:
        self.place = place
        self._key = key
        self._public_key = public_key or (public_text(key) if key else "")
        self._seconds = seconds
        self._moved: tuple[int, str] | None = None
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._turn = threading.Lock()

    def moved(self, rows: int, digest: str) -> None:
        """Take note of the chain's new end; it is published within SECONDS, or when the process ends."""
        self._moved = rows, digest
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="ledger heads", daemon=True)
            atexit.register(self.flush)
            self._thread.start()
        self._wake.set()

    def flush(self) -> None:
        """Publish what is not published yet; a failure is logged, and the head tried again with the next one."""
        with self._turn:
            moved, self._moved = self._moved, None
            if moved is None:
                return
            try:
                self.publish(*moved)
            except RiskscoreError as error:
                report(error)
                if self._moved is None:  # nothing newer came meanwhile
                    self._moved = moved

    def publish(self, rows: int, digest: str) -> None:
        """Publish one head now. Raises LedgerUnavailable, ModelStoreUnavailable."""
        said = {"rows": rows, "hash": digest, "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
        signature = {"signature": sign(self._key, _signed_bytes(said))} if self._key else {}
        self.place.append(rows, json.dumps({**said, **signature}, separators=(",", ":")))

    def newest(self) -> Head | None:
        """The newest published head, None where there is none. Raises LedgerUnavailable where it can't be read."""
        line = self.place.newest()
        if not line:
            return None
        try:
            said = json.loads(line)
            signature = said.pop("signature", "")
            head = Head(int(said["rows"]), str(said["hash"]), str(said["time"]), bool(signature))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise LedgerUnavailable(
                "the newest published head of the ledger isn't a line of rows, hash and time"
            ) from None
        return head._replace(signed=self._is_signed(said, signature))

    @property
    def asks_for_signatures(self) -> bool:
        """Whether a key is configured, so that a head without its signature is no proof."""
        return bool(self._public_key)

    def _is_signed(self, said: dict[str, Any], signature: str) -> bool:
        if not self._public_key or not signature:
            return False
        from riskscore.artefact.signature import is_signed

        return is_signed(raw_public_key(self._public_key, PUBLIC_KEY), _signed_bytes(said), signature.encode())

    def _run(self) -> None:
        while self._wake.wait():
            self._wake.clear()
            self.flush()
            time.sleep(self._seconds)


def _signed_bytes(said: Mapping[str, Any]) -> bytes:
    """What a signature covers: named for what it is, so that no signature of a manifest passes for one."""
    return b"riskscore ledger head\n" + json.dumps(said, sort_keys=True, separators=(",", ":")).encode()


class HeadFile:
    """A file of lines; each is appended in one write, so that several processes may share it."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def append(self, _rows: int, line: str) -> None:
        """Add a line, on the disk before this returns."""
        with _translated():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(handle, f"{line}\n".encode())
                os.fsync(handle)
            finally:
                os.close(handle)

    def newest(self) -> str:
        """The line with the most rows: processes that share the file need not append in the chain's order."""
        with _translated():
            lines = self._path.read_text(encoding="utf-8").splitlines() if self._path.exists() else []
        whole = [line for line in lines if line.endswith("}")]  # a process may have died in the middle of one
        return max(whole, key=_rows_of, default="")


class HeadObjects:
    """An object for each head; a bucket with an object lock keeps them from whoever may write there too."""

    def __init__(self, uri: str) -> None:
        self._bucket = Bucket(uri, PLACE)

    def append(self, rows: int, line: str) -> None:
        """Store the head under a name of its own."""
        self._bucket.write(f"{LARGEST_COUNT - rows:016d}.json", line.encode())

    def newest(self) -> str:
        """The first object: names count down as the chain grows."""
        first = self._bucket.first()
        found = self._bucket.read(first, LARGEST_LINE) if first else None
        return found.decode(errors="replace") if found else ""


class HeadUrl:
    """A web service of the operator's that keeps what is posted to it."""

    def __init__(self, url: str) -> None:
        self._url = url

    def append(self, _rows: int, line: str) -> None:
        """Post the line."""
        self._asked(line.encode())

    def newest(self) -> str:
        """The last line of what the service gives."""
        lines = self._asked(None).decode(errors="replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "")

    def _asked(self, data: bytes | None) -> bytes:
        from urllib.request import Request, urlopen

        request = Request(self._url, data, {"content-type": "application/json"})  # noqa: S310 - heads_of saw its scheme
        with _translated(), urlopen(request, timeout=HTTP_SECONDS) as answer:  # noqa: S310
            found: bytes = answer.read(LARGEST_LINE * 1000)
            return found


def _rows_of(line: str) -> int:
    try:
        return int(json.loads(line)["rows"])
    except (ValueError, KeyError, TypeError):
        return LARGEST_COUNT  # a line that is no head is the first that verify should speak of


@contextmanager
def _translated() -> Iterator[None]:
    """Failures of files and of HTTP in our words; theirs may repeat a URL with its password."""
    try:
        yield
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise LedgerUnavailable(f"the place in {PLACE} can't be read or written: {reason}") from None


PLACES: tuple[tuple[tuple[str, ...], Callable[[str], Place]], ...] = (
    ((SCHEME,), HeadObjects),
    (("https://", "http://127.0.0.1", "http://localhost"), HeadUrl),
)


def heads_of(environ: Mapping[str, str], ledger_url: str) -> Heads | None:
    """The heads of a ledger: where the environment says, else beside a SQLite file; None for a server without one."""
    place = environ.get(PLACE) or _beside(ledger_url)
    if not place:
        return None
    key = read_key(Path(environ[KEY])) if environ.get(KEY) else None
    public_key = environ.get(PUBLIC_KEY, "")
    if public_key:
        raw_public_key(public_key, PUBLIC_KEY)  # a broken one stops the start, not the first verify
    return Heads(_place(place), key, public_key)


def _place(place: str) -> Place:
    for schemes, kind in PLACES:
        if place.startswith(schemes):
            return kind(place)
    if "://" in place:
        raise NotConfigured(f"{PLACE} must be a file, s3://bucket/prefix or https://...", PLACE)
    return HeadFile(place)


def _beside(ledger_url: str) -> str:
    """A SQLite ledger's own file of heads. It guards against who may write the database, not against who may all."""
    url = make_url(ledger_url)
    return f"{url.database}.heads" if url.get_backend_name() == "sqlite" and url.database else ""
