"""Loads leads, offers and clicks from Parquet files into a SQLite database, all or nothing."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from riskscore.cli import DONE, parsed, progress
from riskscore.samples.offer_click import offers_for
from riskscore.sources.offers import load, read_form
from riskscore.sources.sqlite_output import sqlite_path
from riskscore.training.training_data import about_files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SIMULATED = "The offers are simulated by riskscore load-offers --simulate-offers: no lender made them."


def main(arguments: Sequence[str], _: Mapping[str, str]) -> int:
    """Load; 0 where done, 2 where a file or the database is refused."""
    options = parsed(parser(), arguments)
    started = time.perf_counter()
    database = sqlite_path(options.database)
    with (
        tempfile.TemporaryDirectory() as scratch,
        progress(unit=" rows", desc="loading") as bar,
    ):
        offers = options.offers or _simulated(options.leads, options.clicks, Path(scratch))
        files = {"leads": options.leads, "offers": offers, "clicks": options.clicks}
        about = _whence([options.leads, options.clicks, *([options.offers] if options.offers else [])])
        about = " ".join([*([about] if about else []), *([SIMULATED] if options.simulate_offers else [])])
        rows = load(database, files, options.replace, bar.update, about)
    seconds = time.perf_counter() - started
    tables = ", ".join(f"{table} {count:,}" for table, count in rows.items())
    simulated = " (the offers are simulated)" if options.simulate_offers else ""
    print(f"{database}: {tables}{simulated}; {seconds:.1f} s, {sum(rows.values()) / seconds:,.0f} rows/s")
    return DONE


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__)
    required: dict[str, Any] = {"type": Path, "metavar": "FILE", "required": True}
    result.add_argument("--leads", help="lead_uuid, requested, loan_purpose, credit, annual_income", **required)
    offers = result.add_mutually_exclusive_group(required=True)
    offers.add_argument("--offers", type=Path, metavar="FILE", help="lead_uuid, offer_id, apr, lender_id")
    offers.add_argument("--simulate-offers", action="store_true", help="create offers that match the leads and clicks")
    result.add_argument("--clicks", help="offer_id, clicked_at", **required)
    result.add_argument("--database", metavar="URL", required=True, help="sqlite:///offers.db; created if missing")
    result.add_argument("--replace", action="store_true", help="drop the tables leads, offers and clicks first")
    return result


def _whence(files: Sequence[Path]) -> str:
    """What about.txt says of all the files that are loaded; "" where it says nothing of one."""
    return about_files(files) if len({path.resolve().parent for path in files}) == 1 else ""


def _simulated(leads: Path, clicks: Path, folder: Path) -> Path:
    path = folder / "simulated_offers.parquet"
    pq.write_table(offers_for(read_form(leads, "leads"), read_form(clicks, "clicks")), path)
    return path
