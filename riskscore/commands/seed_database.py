"""Writes simulated customers into the two source tables of a PostgreSQL database."""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

import psycopg

from riskscore.cli import parsed, program, progress, whole_number
from riskscore.local.edge_cases import EDGE_LEDGERS
from riskscore.local.seed import TablesExist, seed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Seed; 0 where done, 1 where the database fails, 2 where it is refused or asked wrongly, 130 where interrupted."""
    options = parsed(parser(environ), arguments)
    started = time.perf_counter()
    try:
        rows = _seed(options)
    except TablesExist as refusal:
        return _fail(str(refusal), 2)
    except psycopg.Error as error:
        return _fail(_sentence(error), 1)
    except KeyboardInterrupt:
        return _fail("interrupted: the database is unchanged", 130)
    seconds = time.perf_counter() - started
    tables = ", ".join(f"{table} {count:,}" for table, count in rows.items())
    print(f"seeded simulated rows: {tables}; {seconds:.1f} s, {sum(rows.values()) / seconds:,.0f} rows/s")
    return 0


def parser(environ: Mapping[str, str]) -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__)
    database = environ.get("DATABASE_URL")
    result.add_argument("--database", metavar="URL", default=database, required=not database, help="or $DATABASE_URL")
    result.add_argument(
        "--customers", type=whole_number, default=1000, metavar="N", help="customers to score, S0001 and up (1000)"
    )
    result.add_argument(
        "--training", type=whole_number, default=3000, metavar="N", help="customers with labels, C0001 and up (3000)"
    )
    result.add_argument("--seed", type=int, default=7, metavar="S", help="the same seed gives the same customers (7)")
    result.add_argument(
        "--edge-cases",
        choices=EDGE_LEDGERS,
        default="sound",
        help="customers edge-..., one per edge case of the features, beside those to score; `all` adds some that are "
        "rejected, so that riskscore dump ends with status 3 (sound)",
    )
    result.add_argument(
        "--replace", action="store_true", help="first drop tables of these names, whatever they contain"
    )
    return result


def _seed(options: argparse.Namespace) -> dict[str, int]:
    expected = options.customers + options.training + len(EDGE_LEDGERS[options.edge_cases])
    with (
        psycopg.connect(options.database, connect_timeout=10) as connection,
        # The delay keeps a refusal to its one sentence.
        progress(total=expected, unit=" customers", desc="simulating") as bar,
    ):
        return seed(
            connection,
            options.customers,
            options.training,
            options.seed,
            edge_cases=options.edge_cases,
            replace=options.replace,
            progress=bar.update,
        )


def _sentence(error: psycopg.Error) -> str:
    """What went wrong; an error that is not the server's answer may quote the host and the user, so is not shown."""
    if error.diag.message_primary is None:
        return "no connection: check that --database names a PostgreSQL that is running and accepts this login"
    return f"the database refused and is unchanged: {error.diag.message_primary}"


def _fail(sentence: str, status: int) -> int:
    print(f"{program()}: {sentence}", file=sys.stderr)
    return status
