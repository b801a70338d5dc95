"""The chain of hashes: how each row is bound to the one before, and what verify finds where that no longer holds.

personal_sha256 = SHA-256 of the salt and the columns that a purge erases; hash = SHA-256 of the hash before, seq,
personal_sha256 and the columns that stay. Both over canonical JSON. A purge takes the salt and the personal columns
away and leaves both hashes, so the chain holds and still proves order, time, request, model and outcome of a purged
row; of its features and its score it proves nothing any more. A purge is a row of the chain itself, and only rows
from before its date may be erased, and the notices about them and the decisions on them.

Whoever can write to the database can also write the whole chain anew from some row on, or cut its end off and turn the
head back: the chain is held to the newest head that was published elsewhere (heads.py), or to a hash that was noted.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import select

from riskscore.ledger.schema import GENESIS, KEPT_NAMES, PERSONAL_NAMES, head, ledger

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Connection, Row

PURGE = "purge"  # the outcome of the row that a purge leaves
NOTICE = "notice"  # the outcome of the row of a notice about another one
DECISION = "decision"  # the outcome of the row of a person's decision on another one
ATTACHED = (NOTICE, DECISION)  # rows about another one
NOT_ANSWERS = (PURGE, *ATTACHED)
BATCH = 2_000

# repr: whatever somebody else wrote into a column has to hash to something
_canonical = json.JSONEncoder(separators=(",", ":"), default=repr).encode
_columns = [ledger.c[name] for name in ("seq", "personal_sha256", "hash", *KEPT_NAMES, *PERSONAL_NAMES)]
_ATTACHED_ID = re.compile(rf"(?:{'|'.join(ATTACHED)})-([0-9]{{1,18}})-")
_FIRST_PERSONAL = 3 + len(KEPT_NAMES)


class Finding(NamedTuple):
    """What is wrong, and at which row."""

    seq: int
    text: str


class Verified(NamedTuple):
    """How much was looked at, what the chain ends with, and what was found."""

    rows: int
    purged: int
    hash: str
    findings: list[Finding]


def personal_digest(values: list[Any]) -> str:
    """The SHA-256 of a row's personal columns, in their order, salt first."""
    return hashlib.sha256(_canonical(values).encode()).hexdigest()


def row_digest(previous: str, seq: int, personal_sha256: str, retained: list[Any]) -> str:
    """The hash of a row that follows `previous`. kept: the columns that stay, in their order."""
    return hashlib.sha256(_canonical([previous, seq, personal_sha256, *retained]).encode()).hexdigest()


def link(previous: str, seq: int, retained: Mapping[str, Any], personal: Mapping[str, Any]) -> dict[str, Any]:
    """The whole row of the table: its columns and the hashes that bind it."""
    digest = personal_digest([personal[name] for name in PERSONAL_NAMES])
    bound = row_digest(previous, seq, digest, [retained[name] for name in KEPT_NAMES])
    return {"seq": seq, "personal_sha256": digest, "hash": bound, **retained, **personal}


def verify(connection: Connection, expected: str | None = None, published: tuple[int, str] | None = None) -> Verified:
    """Look at every row. expected: the hash of a last row as it was noted earlier; it has to be there still.

    published: the newest published head; the row of this number has to have this hash still.
    """
    purges, about = _purges(connection), applicants(connection)
    findings: list[Finding] = []
    previous, seq, purged, seen = GENESIS, 0, 0, expected in (None, GENESIS)
    for row in _rows(connection):
        findings += _row_findings(row, seq, previous, purges, about)
        previous, seq = row.hash, row.seq
        purged += row.salt is None
        seen = seen or row.hash == expected
        if published and row.seq == published[0] and row.hash != published[1]:
            findings.append(
                Finding(seq, f"row {seq} has another hash than the published head: the chain was rewritten")
            )
    count, last = connection.execute(select(head.c.rows, head.c.hash)).one()
    if (count, last) != (seq, previous):
        findings.append(
            Finding(seq, f"row {seq} is the last, but the head says {count} rows: rows are missing or were added")
        )
    if published and published[0] > seq:
        text = f"a head of {published[0]} rows was published, and the ledger has {seq}: its end was cut off"
        findings.append(Finding(seq, text))
    if not seen:
        findings.append(
            Finding(seq, "no row has the hash that was noted as the last: rows are missing or were rewritten")
        )
    return Verified(seq, purged, previous, findings)


def _rows(connection: Connection) -> Iterator[Row[Any]]:
    yield from connection.execution_options(yield_per=BATCH).execute(select(*_columns).order_by(ledger.c.seq))


def attached_id(outcome: str, seq: int) -> str:
    """How the request id of a row about row `seq` begins; it outlives a purge, and so tells whose it was."""
    return f"{outcome}-{seq}-"


def applicants(connection: Connection) -> dict[int, tuple[int, str]]:
    """Of each row about another one, by its seq: seq and time of the row that it is about."""
    chosen = select(ledger.c.seq, ledger.c.request_id).where(ledger.c.outcome.in_(ATTACHED))
    attached = connection.execute(chosen).all()
    about = {seq: int(found[1]) for seq, name in attached if (found := _ATTACHED_ID.match(str(name)))}
    times = {
        seq: str(time)
        for start in range(0, len(attached), BATCH)
        for seq, time in connection.execute(
            select(ledger.c.seq, ledger.c.time).where(ledger.c.seq.in_([*about.values()][start : start + BATCH]))
        )
    }
    return {seq: (of, times[of]) for seq, of in about.items() if of in times}


def _purges(connection: Connection) -> list[tuple[int, str]]:
    found = connection.execute(select(ledger.c.seq, ledger.c.erased_before).where(ledger.c.outcome == PURGE))
    return [(seq, before) for seq, before in found if isinstance(before, str)]


def _row_findings(
    row: Row[Any], before: int, previous: str, purges: list[tuple[int, str]], about: Mapping[int, tuple[int, str]]
) -> Iterator[Finding]:
    name = f"row {row.seq} (request {row.request_id}, its row {row.row})"
    if row.seq != before + 1:
        yield Finding(row.seq, f"{name} comes after row {before}: the rows between them are missing")
    retained, personal = list(row[3:_FIRST_PERSONAL]), list(row[_FIRST_PERSONAL:])
    if row.salt is None:
        if any(value is not None for value in personal):
            yield Finding(row.seq, f"{name} was changed: it is partly erased")
        elif not any(row.seq < seq and about.get(row.seq, (0, str(row.time)))[1] < date for seq, date in purges):
            yield Finding(row.seq, f"{name} was erased, but no purge is recorded")
    elif personal_digest(personal) != row.personal_sha256:
        yield Finding(row.seq, f"{name} was changed: its data don't match its hash")
    if row_digest(previous, row.seq, row.personal_sha256, retained) != row.hash:
        yield Finding(row.seq, f"{name} was changed, or doesn't follow the row before it")
