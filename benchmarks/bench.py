"""Measure the project beside its yardsticks, all in one run, and print one table.

Contenders take turns, so that a busy machine is unjust to none of them. Figures are medians over the rounds; `ratio` is
the median of the rounds' own ratios, half of which lie in the `middle half`. Only ratios mean something elsewhere.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import bench_sql
from benchmarks.bench_engines import LOADED_ROWS, LOADING_ROWS, engines
from benchmarks.bulk import bulk
from benchmarks.bulk_refused import bulk_refused
from benchmarks.bulk_text import bulk_text
from benchmarks.cold_warm import cold, warm
from benchmarks.files import files
from benchmarks.places import ROOT, prepared
from benchmarks.table import machine, rendered, write_page
from benchmarks.turns import WARM_UP
from riskscore.cli import DONE, OUR_FAULT, run
from riskscore.local.postgres import temporary_postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from benchmarks.places import Places
    from benchmarks.table import Section

PAGE = ROOT / "docs" / "BENCHMARKS.md"


class Sizes(NamedTuple):
    """How much is measured: rounds, and per round answers or rows."""

    customers: int = bench_sql.CUSTOMERS
    transactions: int = bench_sql.TRANSACTIONS
    sql_rounds: int = bench_sql.ROUNDS
    cold_rounds: int = 21
    cold_warm_up: int = WARM_UP
    warm_rounds: int = 21
    warm_answers: int = 200
    bulk_rounds: int = 11
    bulk_rows: int = 10_000
    refused_rounds: int = 5
    engine_rounds: int = 12
    loaded_rows: Sequence[int] = LOADED_ROWS
    loading_rows: Sequence[int] = LOADING_ROWS
    file_rounds: int = 3
    file_rows: int = 100_000


# Enough to see the table, not enough to believe it.
QUICK = Sizes(100, 20, 1, 1, 0, 1, 10, 1, 50, 1, 1, (1, 10), (100,), 1, 50)


def features(sizes: Sizes) -> Section:
    """The SQL, on an embedded server of its own."""
    with temporary_postgres() as url:
        found = bench_sql.measure(url, sizes.customers, sizes.transactions, sizes.sql_rounds)
    return bench_sql.section(found, sizes.customers, sizes.transactions)


PARTS: dict[str, Callable[[Places, Sizes], Section]] = {
    "sql": lambda _, sizes: features(sizes),
    "cold": lambda places, sizes: cold(places, sizes.cold_rounds, sizes.cold_warm_up),
    "warm": lambda places, sizes: warm(places, sizes.warm_rounds, sizes.warm_answers),
    "bulk": lambda places, sizes: bulk(places, sizes.bulk_rows, sizes.bulk_rounds),
    "refused": lambda places, sizes: bulk_refused(places, sizes.bulk_rows, sizes.refused_rounds),
    "x100": lambda places, sizes: bulk_text(places, sizes.bulk_rows, sizes.bulk_rounds),
    "engines": lambda places, sizes: engines(places, sizes.engine_rounds, sizes.loaded_rows, sizes.loading_rows),
    "files": lambda places, sizes: files(places, sizes.file_rows, sizes.file_rounds),
}


def main(arguments: Sequence[str], _environ: Mapping[str, str]) -> int:
    """Print the table; 1 where a ratio that the project promises was not met. --quick never judges."""
    options = _parser().parse_args(arguments)
    described = machine()
    with prepared(own_environments=not options.this_environment) as places:
        sections = [_measured(part, places, QUICK if options.quick else Sizes()) for part in options.only or PARTS]
    report = f"{described}\n\n{rendered(sections)}"
    print(report)
    if options.page:
        write_page(options.page, "make bench", report)
    unmet = [line for section in sections for line in section.unmet()]
    for line in unmet:
        print(f"not met: {line}", file=sys.stderr)
    return OUR_FAULT if unmet and not options.quick else DONE


def _measured(part: str, places: Places, sizes: Sizes) -> Section:
    started = time.perf_counter()
    section = PARTS[part](places, sizes)
    print(f"measured {part} in {time.perf_counter() - started:.0f} s", file=sys.stderr)
    return section


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench.py", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes: to see that it works, not to believe it")
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--page", type=Path, nargs="?", const=PAGE, help="also renew the table of docs/BENCHMARKS.md")
    parser.add_argument(
        "--this-environment",
        action="store_true",
        help="install no environments of the functions' own: quicker, less fair, for tests",
    )
    return parser


if __name__ == "__main__":
    run(main)
