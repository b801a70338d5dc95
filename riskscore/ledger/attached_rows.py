"""Rows of the chain about another row: a notice about it, a decision on it. A purge erases them with it."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from riskscore.errors import InvalidFile
from riskscore.ledger.hash_chain import NOT_ANSWERS, attached_id
from riskscore.ledger.ledger import append
from riskscore.ledger.schema import KEPT_NAMES, PERSONAL_NAMES, ledger

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from riskscore.ledger.ledger import Ledger

    Entry = tuple[dict[str, Any], dict[str, Any]]  # the columns that stay, and those that a purge erases

ID_BYTES = 4
OF_MODEL = ("model", "model_version", "manifest_sha256", "contract_sha256", "engine")


def applicant_row(own: Ledger, request_id: str, place: int | None, caller: str | None) -> Mapping[str, Any]:
    """The one row of a request that a notice or decision is about. place: which of its rows, where it has several."""
    chosen = select(ledger).where(ledger.c.request_id == request_id, ledger.c.outcome.not_in(NOT_ANSWERS))
    if place is not None:
        chosen = chosen.where(ledger.c.row == place)
    if caller is not None:
        chosen = chosen.where(ledger.c.caller == caller)
    with own.store.reading() as connection:
        rows = connection.execute(chosen.order_by(ledger.c.seq).limit(2)).mappings().all()
    if not rows:
        which = "no such row of a request" if place is not None else "no request"
        raise InvalidFile(f"the ledger has {which} with this id")
    if len(rows) > 1:
        several = rows[0]["caller"] != rows[1]["caller"]
        how = "several callers used it: name one by --caller" if several else "it has several rows: name one by --row"
        raise InvalidFile(f"this request id is of more than one row; {how}")
    return dict(rows[0])


def about(row: Mapping[str, Any]) -> dict[str, Any]:
    """Which row another one is about, as its answer says it."""
    return {"seq": row["seq"], "request_id": row["request_id"], "row": row["row"]}


def attached(row: Mapping[str, Any], outcome: str, **personal: Any) -> Entry:
    """A row about another one, with its model and its ids. personal: further columns that a purge erases."""
    retained = {
        **dict.fromkeys(KEPT_NAMES),
        **{name: row[name] for name in OF_MODEL},
        "caller": "",
        "row": 0,
        "rows": 1,
        "listed": 0,
        "outcome": outcome,
        "request_id": f"{attached_id(outcome, row['seq'])}{secrets.token_hex(ID_BYTES)}",
    }
    return retained, {**dict.fromkeys(PERSONAL_NAMES), "ids": row["ids"], **personal}


def attach(own: Ledger, entry: Entry, moment: datetime) -> str:
    """Write a row about another one to the end of the chain; returns its id."""
    with own.store.writing() as connection:
        end = append(connection, [entry], moment)
    if own.heads is not None:
        own.heads.moved(*end)
    return str(entry[0]["request_id"])


def rows_about(own: Ledger, row: Mapping[str, Any], outcome: str) -> list[Mapping[str, Any]]:
    """The rows of this outcome about a row, the oldest first."""
    chosen = select(ledger).where(
        ledger.c.outcome == outcome, ledger.c.request_id.like(f"{attached_id(outcome, row['seq'])}%")
    )
    with own.store.reading() as connection:
        return [dict(found) for found in connection.execute(chosen.order_by(ledger.c.seq)).mappings()]
