"""Writes events from a database, by the model's SQL: one JSON file per row, or one JSONL file for all."""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from riskscore.cli import DATA_FAULTS, DONE, ROOT, counted, model_argument, parsed, progress, whole_number
from riskscore.database.connection import Database, url_from
from riskscore.database.dump import FaultReport, dump_files, dump_lines
from riskscore.database.features import FeatureSource
from riskscore.model_toml.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Dump; 0 where every row was written, 3 where faulty ledgers were left out and reported."""
    options = parsed(_parser(), arguments)
    started = time.perf_counter()
    settings = read_settings(ROOT / "model" / options.model)
    source = FeatureSource.from_file(
        str(ROOT / settings.source["sql"]), settings.source, settings.ids, settings.contract.names
    )
    folder = options.out / options.model
    report = options.faults or (options.jsonl or folder / "events").with_suffix(".faults.csv")
    with closing(Database(options.database or url_from(environ), environ)) as database, FaultReport(report) as faults:
        rows = progress(source.stream(database, options.ids, options.limit), unit=" rows", desc="dumping")
        if options.jsonl:
            dumped = dump_lines(rows, options.jsonl, faults)
        else:
            dumped = dump_files(rows, folder, faults, with_dates=source.has_history(database))
    seconds = time.perf_counter() - started
    ended = f"{counted(dumped.rows, 'row')}, {dumped.faults:,} rejected"
    print(f"{ended}, {seconds:.1f} s, {dumped.rows / seconds:,.0f} rows/s")
    if dumped.faults:
        print(f"rejected rows, with their reasons: {faults.path}", file=sys.stderr)
    return DATA_FAULTS if dumped.faults else DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    model_argument(parser, help="the model's name, as in model/ and sql/")
    parser.add_argument("--database", metavar="URL", help="postgresql://... (default: $DATABASE_URL, $PGURL or PG*)")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", default=ROOT / "events", help="folder for the files, DIR/MODEL (events)"
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--ids", type=lambda text: text.split(","), metavar="A,B", help="only these customers")
    which.add_argument("--limit", type=whole_number, metavar="N", help="only the first N rows, in the order of ids")
    parser.add_argument(
        "--jsonl", type=Path, metavar="FILE", help="one file with an event per line, instead of one file per event"
    )
    parser.add_argument("--faults", type=Path, metavar="FILE", help="where to write the report of rejected rows")
    return parser
