"""The feature query beside the textbook form and the bare expansion of the same arrays.

Ledgers are generated in a scratch database of an embedded server. Before anything is timed, the feature query and
the textbook have to agree on every one of them. Parallel workers are off: what two connections gain, they gain alone.
"""

from __future__ import annotations

import argparse
import math
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.table import Line, Section, rendered
from benchmarks.turns import in_turns, timed
from riskscore.cli import DONE, OUR_FAULT, run
from riskscore.local.postgres import temporary_postgres

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).resolve().parent.parent
QUERIES = {
    "ours": ROOT / "sql" / "credit_risk" / "features.sql",
    "textbook": ROOT / "benchmarks" / "textbook_features.sql",
    "bare expansion": ROOT / "benchmarks" / "bare_expansion.sql",
}
TWO = "ours, two connections"
CONNECTIONS = 2
CUSTOMERS, TRANSACTIONS, ROUNDS = 20_000, 150, 5
ID_AND_FEATURE_COLUMNS = 15
NOT_PARALLEL = "-c max_parallel_workers_per_gather=0"

# Hashes stand for a random generator, so that the ledgers are the same on every run.
LEDGERS = """
    CREATE TABLE bank_transactions_scoring AS
    SELECT
        'S' || lpad(customer::text, 7, '0') AS customer_id,
        date '2025-09-01' AS snapshot_date,
        (
            SELECT jsonb_agg(jsonb_build_object(
                'ts', to_char(timestamp '2025-09-01' - (draw[1] % 10368000) * interval '1 second',
                              'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
                'amount', round((exp(2.5 + (draw[2] % 4500) / 1000.0))::numeric, 2),
                'type', CASE WHEN draw[3] % 12 = 0 THEN 'credit' ELSE 'debit' END,
                'category', ('{{salary,fees,gambling,cash_withdrawal,groceries,rent,transport,dining}}'::text[])
                            [1 + draw[4] % 8],
                'merchant', 'Merchant ' || draw[5] % 40,
                'status', CASE WHEN draw[6] % 50 = 0 THEN 'reversed' ELSE 'success' END
            ))
            FROM generate_series(1, {transactions}) AS nth
            CROSS JOIN LATERAL (
                SELECT array_agg(hashint8(customer * 1000003::bigint + nth * 7 + salt) & 2147483647) AS draw
                FROM generate_series(0, 5) AS salt
            ) AS drawn
        ) AS transactions
    FROM generate_series(1, {customers}) AS customer
"""


def measure(
    url: str, customers: int = CUSTOMERS, transactions: int = TRANSACTIONS, rounds: int = ROUNDS
) -> dict[str, list[float]]:
    """Seconds of each round by contender. `url` is a scratch database without a table of the name.

    Raises RuntimeError when the feature query and the textbook disagree.
    """
    generate(url, customers, transactions)
    middle = f"S{customers // 2:07d}"
    halves = [narrowed(f"customer_id <= '{middle}'"), narrowed(f"customer_id > '{middle}'")]
    with (
        psycopg.connect(url, options=NOT_PARALLEL) as first,
        psycopg.connect(url, options=NOT_PARALLEL) as second,
        ThreadPoolExecutor(CONNECTIONS) as pool,
    ):
        check_agreement(first)
        contenders = {name: timed(partial(fetch, first, path.read_text())) for name, path in QUERIES.items()}
        contenders[TWO] = timed(lambda: list(pool.map(fetch, (first, second), halves)))
        return in_turns(contenders, rounds)


def generate(url: str, customers: int, transactions: int) -> None:
    """Fill the scratch database."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(LEDGERS.format(customers=customers, transactions=transactions))
        connection.execute("CREATE INDEX ON bank_transactions_scoring (customer_id, snapshot_date)")
        connection.execute("VACUUM ANALYZE bank_transactions_scoring")


def narrowed(condition: str) -> str:
    """Our query over some of the customers, the way rows are narrowed when they are scored."""
    return (
        "WITH bank_transactions_scoring AS"
        f" (SELECT * FROM public.bank_transactions_scoring WHERE {condition})"
        f" SELECT * FROM ({QUERIES['ours'].read_text()}) AS f"
    )


def fetch(connection: psycopg.Connection[Any], query: str) -> list[tuple[Any, ...]]:
    """All rows, in a transaction that ends with them."""
    with connection.transaction():
        return connection.execute(query).fetchall()


def check_agreement(connection: psycopg.Connection[Any]) -> None:
    """Refuse to time two queries that don't answer the same question."""
    ours, textbook = (sorted(fetch(connection, QUERIES[name].read_text())) for name in ("ours", "textbook"))
    agreeing = sum(same(a[:ID_AND_FEATURE_COLUMNS], b) for a, b in zip(ours, textbook, strict=True))
    if agreeing != len(ours):
        raise RuntimeError(f"the feature query and the textbook disagree on {len(ours) - agreeing} customers")


def same(ours: Sequence[Any], textbook: Sequence[Any]) -> bool:
    """Ids and counts alike, everything else to the nine digits that both forms of rounding share."""
    return all(
        math.isclose(a, b, rel_tol=1e-9) if isinstance(b, float) else a == b
        for a, b in zip(ours, textbook, strict=True)
    )


def section(found: Mapping[str, Sequence[float]], customers: int, transactions: int) -> Section:
    """The lines of the table, with the two ratios that the project promises."""
    return Section(
        f"Features of {customers:,} customers x {transactions} transactions ({len(found['ours'])} rounds)",
        [
            Line("features.sql", found["ours"], "textbook", found["textbook"], gain=True, asked=2),
            Line("features.sql", found["ours"], "bare expansion", found["bare expansion"]),
            Line("two connections", found[TWO], "textbook", found["textbook"], gain=True, asked=3.4),
        ],
    )


def main(arguments: Sequence[str], _environ: Mapping[str, str]) -> int:
    """Print the table; 1 where one of the two ratios was not met."""
    parser = argparse.ArgumentParser(prog="bench_sql.py", description=__doc__)
    parser.add_argument("--customers", type=int, default=CUSTOMERS, metavar="N")
    parser.add_argument("--transactions", type=int, default=TRANSACTIONS, metavar="M", help="of each customer")
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N")
    options = parser.parse_args(arguments)
    with temporary_postgres() as url:
        found = measure(url, options.customers, options.transactions, options.rounds)
    result = section(found, options.customers, options.transactions)
    print(rendered([result]))
    return OUR_FAULT if result.unmet() else DONE


if __name__ == "__main__":
    run(main)
