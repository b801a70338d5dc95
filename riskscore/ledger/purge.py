"""Erase from a ledger what belongs to people, before a date; the chain stays, and says that it was done."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from sqlalchemy import text, update

from riskscore.ledger.hash_chain import PURGE, applicants
from riskscore.ledger.ledger import append, stamp
from riskscore.ledger.schema import KEPT_NAMES, PERSONAL_NAMES
from riskscore.ledger.schema import ledger as table

if TYPE_CHECKING:
    from datetime import datetime

    from riskscore.ledger.ledger import Ledger
    from riskscore.ledger.store import Store

PURGE_ID_BYTES = 16


def purge(ledger: Ledger, before: datetime, moment: datetime) -> int:
    """Erase the personal columns of every row older than `before`, and of notices about them; returns of how many.

    The purge is a row of the chain, in the same transaction. Afterwards the database is made to forget: SQLite's file
    is written anew, PostgreSQL's old row versions are vacuumed. Backups are the operator's.
    """
    limit = min(stamp(before), stamp(moment))
    with ledger.store.writing() as connection:
        notices = [seq for seq, (_, time) in applicants(connection).items() if time < limit]
        older = (table.c.time < limit) | table.c.seq.in_(notices)
        left = older & table.c.salt.is_not(None) & (table.c.outcome != PURGE)
        erased = connection.execute(update(table).where(left).values(dict.fromkeys(PERSONAL_NAMES))).rowcount
        if erased:
            end = append(connection, [(_kept(limit), dict.fromkeys(PERSONAL_NAMES))], moment)
    if erased and ledger.heads is not None:
        ledger.heads.moved(*end)
    _forget(ledger.store)
    return erased


def _kept(limit: str) -> dict[str, object]:
    """The row of a purge: it has no model and nobody's data, only the date before which rows were erased."""
    nothing: dict[str, object] = dict.fromkeys(KEPT_NAMES)
    request = {"caller": "", "request_id": f"purge-{secrets.token_hex(PURGE_ID_BYTES)}", "row": 0, "rows": 1}
    return nothing | request | {"listed": 0, "outcome": PURGE, "erased_before": limit}


def _forget(store: Store) -> None:
    with store.apart() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("VACUUM")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").all()
        else:
            connection.exec_driver_sql("SET statement_timeout = 0")
            connection.execute(text(f"VACUUM {table.name}"))
