"""The ledger: every answered row, kept before its answer leaves, in a chain that shows a change.

RISKSCORE_LEDGER says where (a SQLAlchemy URL of SQLite or PostgreSQL). The same request id of the same caller with
the same content is answered from here; with other content it is a Conflict.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, desc, insert, select, update
from sqlalchemy.exc import DataError, IntegrityError

from riskscore.errors import Conflict, LedgerUnavailable
from riskscore.ledger.hash_chain import NOT_ANSWERS, link
from riskscore.ledger.schema import head, ledger
from riskscore.ledger.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from sqlalchemy import Connection

    from riskscore.ledger.heads import Heads
    from riskscore.scoring.records import Entry, Request
    from riskscore.sources.results import ResultTables

SALT_BYTES = 16
REFUSED = "the ledger refuses the rows of this request"

_STORED = (
    select(ledger.c.content_sha256, ledger.c.rows, ledger.c.listed, ledger.c.answer)
    .where(ledger.c.caller == bindparam("whose"), ledger.c.request_id == bindparam("id"))
    .order_by(ledger.c.row)
)
_KNOWN = select(ledger.c.caller, ledger.c.request_id).where(
    ledger.c.caller.in_(bindparam("callers", expanding=True)),
    ledger.c.request_id.in_(bindparam("ids", expanding=True)),
    ledger.c.row == 0,
)
_HEAD = select(head.c.rows, head.c.hash).where(head.c.id == 1).with_for_update()
_MOVE = update(head).where(head.c.id == 1).values(rows=bindparam("count"), hash=bindparam("last"))
_INSERT = insert(ledger)


class Ledger:
    """A chain of answered rows, safe to share between threads; processes each open their own."""

    def __init__(
        self,
        url: str,
        environ: Mapping[str, str],
        may_make: bool = True,
        heads: Heads | None = None,
        results: ResultTables | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.store = Store(url, environ, may_make)
        self.heads = heads
        self._results = results
        self._clock = clock
        self._turn = threading.Lock()
        self._waiting: deque[PendingRequest] = deque()

    def recall(self, request: Request) -> Any:
        """The answer that was given to a request, or None. Raises Conflict where its id stands for other content."""
        with self.store.reading() as connection:
            found = connection.execute(_STORED, {"whose": request.caller, "id": request.id}).all()
        if not found:
            return None
        if found[0].content_sha256 is None:
            raise Conflict("this request id was answered before, and its data have been erased")
        if found[0].content_sha256 != request.content_sha256:
            raise Conflict("this request id was used for other content")
        answers = [json.loads(row.answer) for row in found]
        return answers if found[0].listed else answers[0]

    def record(self, entries: Sequence[Entry]) -> Any:
        """Keep a request's rows; returns the answer that another worker gave to the same request meanwhile, if so.

        Requests of other threads that wait meanwhile go to the disk together, in one transaction of whoever is next.
        """
        own = PendingRequest(entries)
        self._waiting.append(own)
        with self._turn:
            if own in self._waiting:
                self._keep([self._waiting.popleft() for _ in range(len(self._waiting))])
        return self._outcome(own)

    def record_together(self, requests: Sequence[Sequence[Entry]]) -> list[Any]:
        """Keep the rows of several requests in one transaction; for each what `record` returns, or would raise."""
        waiting = [*map(PendingRequest, requests)]
        with self._turn:
            self._keep(waiting)
        return [*map(self._outcome_or_failure, waiting)]

    def _outcome_or_failure(self, request: PendingRequest) -> Any:
        try:
            return self._outcome(request)
        except Exception as error:  # noqa: BLE001 - whoever waits for the request raises it
            return error

    def _outcome(self, request: PendingRequest) -> Any:
        """What has become of a request: None where it was kept, the answer that it got before. Raises why neither."""
        if request.stored:
            return None
        if isinstance(request.failure, AlreadyAnsweredError):
            known = self.recall(request.entries[0].request)
            if known is not None:
                return known
        elif request.failure is not None:
            raise request.failure
        raise LedgerUnavailable(REFUSED)

    def _keep(self, requests: Sequence[PendingRequest]) -> None:
        """Write requests in one transaction; where one of them can't be kept, the others in as few as it takes."""
        try:
            with self.store.writing() as connection:
                moment = self._clock()
                rows = ((entry.retained, entry.personal) for request in requests for entry in request.entries)
                end = append(connection, rows, moment)
        except (AlreadyAnsweredError, UnkeepableError) as error:
            if len(requests) == 1:
                requests[0].failure = error
            else:
                self._keep_others(requests)
        except Exception as error:  # noqa: BLE001 - each thread that waits raises it
            for request in requests:
                request.failure = error
        else:
            for request in requests:
                request.stored = True
            self._notify(requests, moment, end)

    def _notify(self, requests: Sequence[PendingRequest], moment: datetime, end: tuple[int, str]) -> None:
        """Let those know of rows that are kept who publish or copy them; none of them can fail a request."""
        if self.heads is not None:
            self.heads.moved(*end)
        if self._results is not None:
            entries = [entry for request in requests for entry in request.entries]
            self._results.add([{**entry.retained, **entry.personal, "time": stamp(moment)} for entry in entries])

    def _keep_others(self, requests: Sequence[PendingRequest]) -> None:
        """Write those that nobody has answered yet; by halves where that isn't what kept them from it."""
        try:
            new = self._new_of(requests)
        except LedgerUnavailable as error:
            for request in requests:
                request.failure = error
            return
        half = len(new) // 2 if len(new) == len(requests) else 0
        for part in (new[:half], new[half:]):
            if part:
                self._keep(part)

    def _new_of(self, requests: Sequence[PendingRequest]) -> list[PendingRequest]:
        """The requests that are not in the ledger, each once; the others are marked as answered already."""
        names = [(request.entries[0].request.caller, request.entries[0].request.id) for request in requests]
        callers, ids = zip(*names, strict=True)
        with self.store.reading() as connection:
            seen = {(*row,) for row in connection.execute(_KNOWN, {"callers": set(callers), "ids": set(ids)})}
        new = []
        for name, request in zip(names, requests, strict=True):
            if name in seen:
                request.failure = AlreadyAnsweredError()
            else:
                new.append(request)
            seen.add(name)
        return new

    def recent(self, count: int, caller: str | None = None) -> list[dict[str, Any]]:
        """A caller's last rows, newest first: time, ids, model, outcome, probability, points.

        caller: whose key it was; None where no key is asked for.
        """
        columns = [ledger.c[name] for name in ("time", "ids", "model", "outcome", "probability", "points")]
        own = select(*columns).where(ledger.c.caller == (caller or ""), ledger.c.outcome.not_in(NOT_ANSWERS))
        with self.store.reading() as connection:
            rows = connection.execute(own.order_by(desc(ledger.c.seq)).limit(count)).mappings().all()
        return [{**row, "ids": json.loads(row["ids"] or "{}")} for row in rows]

    def check(self) -> None:
        """Raise LedgerUnavailable where the ledger can't be opened, or has lost a table."""
        with self.store.reading() as connection:
            connection.execute(select(head.c.rows)).one()
            connection.execute(select(ledger.c.seq).limit(1)).first()


class PendingRequest:
    """A request on its way to the disk: whether it got there, or why not."""

    __slots__ = ("entries", "failure", "stored")

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = entries
        self.stored = False
        self.failure: Exception | None = None


class AlreadyAnsweredError(Exception):
    """Another worker kept rows of the same request first."""


class UnkeepableError(LedgerUnavailable):
    """The database doesn't take these rows, whoever asks it."""


def append(
    connection: Connection, rows: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]], moment: datetime
) -> tuple[int, str]:
    """Add rows (retained and personal columns) to the end of the chain; returns the new last seq and hash."""
    at = connection.execute(_HEAD).one_or_none()
    if at is None:
        raise LedgerUnavailable("the ledger has lost its head: run riskscore ledger verify")
    seq, previous = at
    time = stamp(moment)
    linked = []
    salts = secrets.token_hex(SALT_BYTES)
    for k, (retained, personal) in enumerate(rows):
        salt = f"{salts}{k:x}" if k else salts
        linked.append(
            link(previous, seq + 1, {"erased_before": None, **retained, "time": time}, {**personal, "salt": salt})
        )
        seq, previous = linked[-1]["seq"], linked[-1]["hash"]
    try:
        connection.execute(_INSERT, linked)
    except IntegrityError:
        raise AlreadyAnsweredError from None
    except (DataError, OverflowError):  # SQLite's driver lets its own overflow through
        raise UnkeepableError(REFUSED) from None
    connection.execute(_MOVE, {"count": seq, "last": previous})
    return seq, previous


def stamp(moment: datetime) -> str:
    """A time as the ledger writes it: UTC, to the microsecond, so that texts sort as times do."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
