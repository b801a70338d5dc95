"""How the columns of a bank's table become what a feature query reads, whatever their types: ids, dates, transactions.

An id is compared as its column compares it (7 and 007 are the same bigint), so that the column's index is used.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Callable

    from riskscore.database.catalogue import Column, Table

INTEGER = re.compile(r"[+-]?[0-9]{1,40}")
NUMERIC = re.compile(r"[+-]?([0-9]{1,100}([.][0-9]{0,100})?|[.][0-9]{1,100})")
UUID = re.compile(r"[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}")
DAY = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(T00:00:00([+]00:00)?)?")
TEXTS = ("text", "varchar", "bpchar", "citext", "name")


def id_text(value: Any) -> str:
    """An id as events, files and answers hold it, whatever its column's type; "" where there is none."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return rf"\x{value.hex()}"
    return "" if value is None else str(value)


def _text(text: str) -> str | None:
    """Any text but one that PostgreSQL can't hold."""
    return None if "\0" in text or text.encode("utf-8", "ignore").decode() != text else text


def _integer(text: str) -> str | None:
    return str(int(text)) if INTEGER.fullmatch(text) and -(2**63) <= int(text) < 2**63 else None


def _numeric(text: str) -> str | None:
    """Without the zeros that make no other number of it."""
    if not NUMERIC.fullmatch(text):
        return None
    whole, _, fraction = format(Decimal(text), "f").partition(".")
    return f"{whole}.{fraction.rstrip('0')}".rstrip(".")


def _uuid(text: str) -> str | None:
    if not UUID.fullmatch(text.lower()):
        return None
    digits = text.lower().replace("-", "")
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _day(text: str) -> str | None:
    """A day, or midnight UTC of it."""
    match = DAY.fullmatch(text)
    try:
        return date.fromisoformat(match[1]).isoformat() if match else None
    except ValueError:
        return None


class Comparison(NamedTuple):
    """same: the one spelling of equal ids; None for what the type can't hold. type: what the ids are sent as."""

    same: Callable[[str], str | None]
    type: str


COMPARISONS = {
    **dict.fromkeys(("int2", "int4", "int8"), Comparison(_integer, "bigint")),
    **dict.fromkeys(("text", "varchar", "name"), Comparison(_text, "text")),
    **dict.fromkeys(("date", "timestamp", "timestamptz"), Comparison(_day, "")),
    "bpchar": Comparison(lambda text: (_text(text) or "").rstrip(" ") or None, "bpchar"),
    "citext": Comparison(lambda text: (_text(text) or "").lower() or None, ""),
    "numeric": Comparison(_numeric, "numeric"),
    "uuid": Comparison(_uuid, "uuid"),
}


def same(column: Column, text: str) -> str | None:
    """The id in the spelling that all equal ones share; None where the column's type can't hold it."""
    return COMPARISONS.get(column.kind, Comparison(_text, "")).same(text)


def among(column: Column, parameter: str) -> sql.Composed:
    """Whether the column is one of some ids, which the parameter holds as texts."""
    name, ids = sql.Identifier(column.name), sql.SQL("{}::text[]").format(sql.Placeholder(parameter))
    if column.kind not in COMPARISONS:  # an enum, say: its texts are compared, without an index
        return sql.SQL("{}::text = ANY({})").format(name, ids)
    sent_as = sql.SQL(COMPARISONS[column.kind].type or column.type)  # the catalogue's own words
    return sql.SQL("{} = ANY({}::{}[])").format(name, ids, sent_as)


class Cast(NamedTuple):
    """value: the column as the query wants it. sound: whether it can be that. reason: what is wrong where it can't."""

    value: sql.Composed
    sound: sql.Composed
    reason: str


# What these names mean to a query: the snapshot date is a date, the transactions are JSONB.
WANTED = {"snapshot_date": "date", "transactions": "jsonb"}
MIDNIGHT = "CASE WHEN {column} = date_trunc('day', {column}) THEN {column}::date END"  # of UTC, as the session has it
# The last WHEN: a day that the month has. A CASE is evaluated in this order, so that no cast ever fails.
WRITTEN_DAY = r"""CASE
    WHEN {column}::text !~ '^ *[1-9]\d{{3}}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])'
        '([T ]00:00(:00([.]0+)?)?(Z|[+-]00(:?00)?)?)? *$' THEN NULL
    WHEN substr(btrim({column}::text), 9, 2)::int
        <= date_part('day', (left(btrim({column}::text), 7) || '-01')::date + interval '1 month -1 day')
        THEN left(btrim({column}::text), 10)::date
END"""
TESTS_JSON = 160000  # the first version of PostgreSQL that can


def differs(table: Table) -> bool:
    """Whether a column isn't of the type that queries mostly want under its name."""
    return any(name in table.columns and table.columns[name].kind != kind for name, kind in WANTED.items())


def casts_of(table: Table) -> dict[str, Cast]:
    """The casts of a table's columns, by our names; a column that can't be cast is left as it is."""
    days = {"timestamp": MIDNIGHT, "timestamptz": MIDNIGHT, **dict.fromkeys(TEXTS, WRITTEN_DAY)}
    casts = {}
    for name in WANTED.keys() & table.columns.keys():
        kind, column = table.columns[name].kind, sql.Identifier(name)
        if name == "snapshot_date" and kind in days:
            value = sql.SQL(days[kind]).format(column=column)
            sound = sql.SQL("({} IS NULL OR {} IS NOT NULL)").format(column, value)
            casts[name] = Cast(value, sound, f"{name} isn't midnight UTC of a day")
        elif name == "transactions" and kind in ("json", *TEXTS):
            casts[name] = _json(column, table.version >= TESTS_JSON)
    return casts


def _json(column: sql.Identifier, testable: bool) -> Cast:
    """Before PostgreSQL 16 a text that isn't JSON fails the query."""
    value = sql.SQL("{}::text::jsonb").format(column)
    if not testable:
        return Cast(value, sql.SQL("TRUE").format(), "")
    valid = sql.SQL("coalesce(pg_input_is_valid({}::text, 'jsonb'), TRUE)").format(column)
    return Cast(sql.SQL("CASE WHEN {} THEN {} END").format(valid, value), valid, "transactions isn't JSON")
