"""Score a file of rows, or the customers in the database, into a CSV or JSONL file."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from riskscore.batch import items_of_file, items_of_rows, score_file
from riskscore.database import Database, url_from
from riskscore.deployment import Deployment
from riskscore.dump import FaultReport
from riskscore.engine import Engine
from riskscore.program import DATA_FAULTS, DONE, run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from riskscore.model import Model

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Score; 0 where every row was scored, 3 where rows that can't be were left out and reported."""
    options = _parser().parse_args(arguments)
    started = time.perf_counter()
    deployment = Deployment(environ, str(ROOT))
    model = deployment.find(options.model)
    engine = Engine(deployment.find, options.model, deployment.look_up)
    items = tqdm(_items(options, environ, deployment, model), unit=" rows", desc="scoring", mininterval=0.5, delay=0.5)
    with FaultReport(options.output.with_suffix(".faults.csv")) as faults:
        scored = score_file(engine, model, items, options.output, faults)
    seconds = time.perf_counter() - started
    print(f"{scored.rows:,} rows, {scored.faults:,} faults, {seconds:.1f} s, {scored.rows / seconds:,.0f} rows/s")
    if scored.faults:
        print(f"the faults, with their reasons: {faults.path}", file=sys.stderr)
    return DATA_FAULTS if scored.faults else DONE


def _items(
    options: argparse.Namespace, environ: Mapping[str, str], deployment: Deployment, model: Model
) -> Iterator[tuple[str, Any]]:
    if options.input:
        return items_of_file(options.input, model, note=lambda text: print(text, file=sys.stderr))
    database = Database(options.database or url_from(environ), environ)
    return items_of_rows(deployment.source(model).stream(database))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="score.py", description=__doc__)
    parser.add_argument("model", help="the model's name, as in model/")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--database", metavar="URL", help="postgresql://... (default: $DATABASE_URL, $PGURL or PG*)")
    source.add_argument("--input", type=Path, metavar="FILE", help="a .csv of ids and features, or a .jsonl of events")
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help=".csv: ids, probability, model version; .jsonl: whole answers with reasons",
    )
    return parser


if __name__ == "__main__":
    run(main)
