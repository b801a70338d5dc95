"""Many rows of a hundred texts in one event: the handler beside the JSON decoding and the estimator alone.

Every value arrives as a string, as x100's contract lets it. Run by the function's interpreter, it prints its figures.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.places import worker
from benchmarks.table import Line, Section
from benchmarks.turns import in_turns, timed

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.places import Places

MODEL = "x100"
SEED = 20251120
WHOLE = "json decoding, lambda_handler(event)"
FLOOR = "json decoding, Booster.inplace_predict, rows prepared"
DECODE = "json decoding"
ASKED = 3


def bulk_text(places: Places, rows: int, rounds: int) -> Section:
    """One event of many simulated rows of x100, each value a string."""
    found = json.loads(worker(places.function, "bulk_text.py", str(rows), str(rounds), task=places.task))
    return Section(
        f"{rows:,} rows of {MODEL} in one event, 100 strings each ({rounds} rounds)",
        [
            Line(WHOLE, found[WHOLE], FLOOR, found[FLOOR], asked=ASKED),
            Line(WHOLE, found[WHOLE], DECODE, found[DECODE]),
        ],
    )


def event(rows: int) -> dict[str, Any]:
    """The event; a missing value is null."""
    from riskscore.samples.x100 import NAMES, labelled

    features = [{name: None if row[name] is None else str(row[name]) for name in NAMES} for row in labelled(rows, SEED)]
    return {"model": MODEL, "instances": [{"features": row} for row in features]}


def in_process(task: Path, rows: int, rounds: int) -> dict[str, list[float]]:
    """Seconds of each contender, by round."""
    from lambda_function import DEPLOYMENT, lambda_handler

    text = json.dumps(event(rows))
    answers = lambda_handler(json.loads(text), None)
    if len(answers) != rows or not all("probability" in answer for answer in answers):
        raise RuntimeError(f"the function of {task} didn't score every row")
    model = DEPLOYMENT.find(MODEL)
    booster = model.estimator().get_booster()
    vectors = [model.contract.vector(row["features"]) for row in json.loads(text)["instances"]]
    prepared = model.encoding.matrix(vectors).astype("float32")

    def floor() -> None:
        json.loads(text)
        booster.inplace_predict(prepared)

    contenders: dict[str, Callable[[], float]] = {
        WHOLE: timed(lambda: lambda_handler(json.loads(text), None)),
        FLOOR: timed(floor),
        DECODE: timed(partial(json.loads, text)),
    }
    return in_turns(contenders, rounds)


if __name__ == "__main__":
    print(json.dumps(in_process(Path.cwd(), *map(int, sys.argv[1:3]))))
