"""Score the rows of a file, a folder of files or a database into a CSV or JSONL file."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from riskscore.batch.files import items_to_score, score_file
from riskscore.cli import DATA_FAULTS, DONE, counted, progress, run
from riskscore.database.connection import url_from
from riskscore.database.dump import FaultReport
from riskscore.errors import InvalidFile
from riskscore.scoring.engine import Engine
from riskscore.serving.deployment import Deployment
from riskscore.sources.sources import database_url, file_of, kind_of, wanted_of
from riskscore.sources.sqlite_output import SCHEME, sqlite_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tqdm import tqdm

    from riskscore.scoring.model import Model

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Score; 0 where every row was scored, 3 where rows that can't be were left out and reported."""
    options = _parser().parse_args(arguments)
    started = time.perf_counter()
    deployment = Deployment(environ, str(ROOT))
    model = deployment.find(options.model)
    engine = Engine(deployment.find, options.model, deployment.look_up)
    url = options.input or options.data or _database(options.database, model, environ)
    report = _report(options.output, url)
    items = items_to_score(url, wanted_of(model, ROOT, environ), note=lambda text: _note(bar, text))
    bar = progress(items, unit=" rows", desc="scoring")
    with FaultReport(report) as faults:
        scored = score_file(engine, model, bar, options.output, faults)
    seconds = time.perf_counter() - started
    ended = f"{counted(scored.rows, 'row')}, {counted(scored.faults, 'fault')}"
    print(f"{ended}, {seconds:.1f} s, {scored.rows / seconds:,.0f} rows/s")
    if scored.referred:
        print(f"{counted(scored.referred, 'row')} for a person to look at (refer); a .jsonl says why", file=sys.stderr)
    if scored.faults:
        print(f"the faults, with their reasons: {faults.path}", file=sys.stderr)
    return DATA_FAULTS if scored.faults else DONE


def _database(given: str | None, model: Model, environ: Mapping[str, str]) -> str:
    """PostgreSQL's URL: the one given, or the environment's for a model whose query runs there."""
    if not given and not model.artefact.looks_up:
        raise InvalidFile(f"{model.name} has no query for PostgreSQL: say where its rows are by --data or --input")
    return database_url(given or url_from(environ))


def _note(bar: tqdm[Any], text: str) -> None:
    """A line among the bar's. tqdm.write would draw a bar that nobody has seen yet, and not end its line."""
    if bar.n:
        bar.clear()
    print(text, file=sys.stderr)


def _report(output: str, url: str) -> Path:
    """The file of faults, beside the one that is written. Refused where either is the one that the rows come from."""
    into_table = output.startswith(SCHEME)  # adds rows, and takes none away
    written = sqlite_path(output) if into_table else Path(output)
    if not written.name:
        raise InvalidFile("--output names no file")
    report = written.with_suffix(".faults.csv")
    read = None if kind_of(url).startswith("postgres") else file_of(url)
    for path in (report,) if into_table else (written, report):
        if read and path.exists() and read.exists() and path.samefile(read):
            raise InvalidFile(f"{path.name} holds the rows to score, and would be written over; name another --output")
    return report


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="score.py", description=__doc__)
    parser.add_argument("model", help="the model's name, as in model/")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--database", metavar="URL", help="postgresql://... (default: $DATABASE_URL, $PGURL or PG*)")
    source.add_argument("--input", metavar="FILE", help="a .csv or .parquet of ids and features, or a .jsonl of events")
    source.add_argument(
        "--data", metavar="URL", help="the same, or sqlite:///FILE or duckdb:FOLDER for the model's SQL"
    )
    parser.add_argument(
        "--output",
        required=True,
        metavar="FILE",
        help=".csv: ids, probability, model version; .jsonl: whole answers with reasons; sqlite:///FILE: rows "
        "of the model's table of results",
    )
    return parser


if __name__ == "__main__":
    run(main)
