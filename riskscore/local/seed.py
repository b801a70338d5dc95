"""Loads simulated ledgers into PostgreSQL: the only part of the project that writes to a database.

Every row is simulated; the tables' comments say so. One transaction: whoever looks sees the old tables or the new ones.
"""

from __future__ import annotations

import json
from datetime import date
from random import Random
from typing import TYPE_CHECKING, Any

from psycopg import sql

from riskscore.errors import OurFault
from riskscore.local.edge_cases import SNAPSHOT, edge_ledgers
from riskscore.local.simulated_ledgers import draw_customer, draw_label, draw_ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import psycopg

TRAINING, SCORING = "bank_transactions", "bank_transactions_scoring"

# Each follows a month of 31 days, as SNAPSHOT does, so that a 30-day window cuts the month alike in both tables; and
# each leaves the six months in which a customer defaults or does not before SNAPSHOT.
TRAINING_SNAPSHOTS = (date(2024, 11, 1), date(2025, 1, 1), date(2025, 2, 1))

# A row of either table: customer_id, snapshot_date, transactions as JSON, and for training the label.
Row = tuple[str | int, ...]

# NOT NULL still lets `transactions` hold JSON null, one of the edge cases. The primary key is the index that the
# feature queries look customers up by.
COLUMNS = {
    TRAINING: "customer_id TEXT NOT NULL, snapshot_date DATE NOT NULL, transactions JSONB NOT NULL, "
    "label INT NOT NULL CHECK (label IN (0, 1))",
    SCORING: "customer_id TEXT NOT NULL, snapshot_date DATE NOT NULL, transactions JSONB NOT NULL",
}


class TablesExist(OurFault):
    type = "tables_exist"


def customer_id(letter: str, k: int) -> str:
    """C0001, S0001 and on; past 9999 the number takes the digits it needs."""
    return f"{letter}{k:04d}"


def training_rows(seed: int, count: int) -> Iterator[Row]:
    """C0001 and on, with labels; customer k is the same however many there are."""
    for k in range(1, count + 1):
        rng = Random(f"{seed}/{TRAINING}/{k}")  # noqa: S311 - simulation, no secret
        snapshot, customer = rng.choice(TRAINING_SNAPSHOTS), draw_customer(rng)
        label = draw_label(rng, customer)
        yield customer_id("C", k), snapshot.isoformat(), draw_ledger(rng, customer, snapshot), label


def scoring_rows(seed: int, count: int) -> Iterator[Row]:
    """S0001 and on; customer k is the same however many there are."""
    for k in range(1, count + 1):
        rng = Random(f"{seed}/{SCORING}/{k}")  # noqa: S311 - simulation, no secret
        yield customer_id("S", k), SNAPSHOT.isoformat(), draw_ledger(rng, draw_customer(rng), SNAPSHOT)


def edge_rows(which: str) -> Iterator[Row]:
    """One customer per trap: `all`, the `sound` ones (without faults in their data) or `none`."""
    for name, transactions in edge_ledgers(which).items():
        yield name, SNAPSHOT.isoformat(), json.dumps(transactions)


def seed(
    connection: psycopg.Connection[Any],
    customers: int,
    training: int,
    seed: int,
    *,
    edge_cases: str = "sound",
    replace: bool = False,
    progress: Callable[[int], object] = lambda _: None,
) -> dict[str, int]:
    """Fill both tables in one transaction; rows per table. `progress` is told of each row.

    Raises TablesExist where tables of those names exist and `replace` is not set.
    """
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '10s'")  # a reader that never ends must not hang --replace
        _clear(cursor, replace)
        return {
            TRAINING: _load(cursor, TRAINING, training_rows(seed, training), seed, progress),
            SCORING: _load(cursor, SCORING, _scoring(seed, customers, edge_cases), seed, progress),
        }


def _scoring(seed: int, customers: int, edge_cases: str) -> Iterator[Row]:
    yield from scoring_rows(seed, customers)
    yield from edge_rows(edge_cases)


def _clear(cursor: psycopg.Cursor[Any], replace: bool) -> None:
    """Make sure that neither table exists."""
    existing = [table for table in COLUMNS if _exists(cursor, table)]
    if existing and not replace:
        named = f"{' and '.join(existing)} {'exist' if existing[1:] else 'exists'} in this database already"
        raise TablesExist(f"refused: {named}; --replace drops and rebuilds")
    for table in existing:
        cursor.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(table)))


def _exists(cursor: psycopg.Cursor[Any], table: str) -> bool:
    row = cursor.execute("SELECT to_regclass(%s) IS NOT NULL", (table,)).fetchone()
    return bool(row and row[0])


def _load(
    cursor: psycopg.Cursor[Any], table: str, rows: Iterable[Row], seed: int, progress: Callable[[int], object]
) -> int:
    """Create a table and stream rows into it; the index is built once, at the end."""
    name = sql.Identifier(table)
    cursor.execute(sql.SQL("CREATE TABLE {} (" + COLUMNS[table] + ")").format(name))
    # FREEZE: the table is this transaction's own, so its rows need no second visit by a vacuum.
    count = 0
    with cursor.copy(sql.SQL("COPY {} FROM STDIN (FREEZE)").format(name)) as copy:
        for row in rows:
            copy.write(_copy_line(row))
            count += 1
            progress(1)
    cursor.execute(sql.SQL("ALTER TABLE {} ADD PRIMARY KEY (customer_id, snapshot_date)").format(name))
    comment = f"Simulated bank ledgers (riskscore, seed {seed}): no real person, bank or merchant."
    cursor.execute(sql.SQL("COMMENT ON TABLE {} IS {}").format(name, sql.Literal(comment)))
    cursor.execute(sql.SQL("ANALYZE {}").format(name))
    return count


def _copy_line(row: Row) -> str:
    """A line of COPY's text format; JSON text holds no tabs or newlines of its own, only backslashes."""
    return "\t".join(map(str, row)).replace("\\", "\\\\") + "\n"
