"""Many rows in one event: the handler beside XGBoost alone. Run by the function's interpreter, it prints its figures.

All in one process and one thread; `through the emulator` adds what the runtime and the emulator do to the bytes.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.places import worker
from benchmarks.rows import MODEL, draw_events
from benchmarks.table import Line, Section
from benchmarks.turns import in_turns, timed
from riskscore.local.emulator import answer_in, running_emulator

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.places import Places

HANDLER = "lambda_handler(event)"
WHOLE = "json to json"
EMULATOR = "through the emulator"
PREDICT = "Booster.inplace_predict, rows prepared"
DECODE = "json decoding, inplace_predict"
ECHO = "echo through the emulator"


def bulk(places: Places, rows: int, rounds: int) -> Section:
    """One event of many rows, without reasons: the default for so many."""
    found = json.loads(worker(places.function, "bulk.py", str(rows), str(rounds), task=places.task))
    found |= _through_emulator(places, rows, rounds)
    return Section(
        f"{rows:,} rows in one event, joblib engine, no reasons ({rounds} rounds)",
        [
            Line(HANDLER, found[HANDLER], PREDICT, found[PREDICT]),
            Line(HANDLER, found[HANDLER], DECODE, found[DECODE]),
            Line(WHOLE, found[WHOLE], DECODE, found[DECODE]),
            Line(EMULATOR, found[EMULATOR], ECHO, found[ECHO]),
        ],
    )


def _through_emulator(places: Places, rows: int, rounds: int) -> dict[str, list[float]]:
    body = _event(places.task, rows)
    start = partial(running_emulator, places.task, python=places.function)
    with start(handler="lambda_function.lambda_handler") as ours, start(handler="echo.lambda_handler") as echo:
        answers = answer_in(ours.send(body))
        if len(answers) != rows or any(answer["outcome"] == "invalid" for answer in answers):
            raise RuntimeError("the function didn't score every row")
        emulators = {EMULATOR: ours, ECHO: echo}
        return in_turns({name: timed(partial(emulator.send, body)) for name, emulator in emulators.items()}, rounds)


def _event(task: Path, rows: int) -> bytes:
    return json.dumps({"instances": draw_events(task, rows), "reasons": 0}).encode()


def in_process(task: Path, rows: int, rounds: int) -> dict[str, list[float]]:
    """Figures of the contenders that need no emulator."""
    import numpy as np
    import xgboost

    from lambda_function import lambda_handler

    booster = xgboost.Booster({"nthread": 1}, model_file=task / "model" / MODEL / "model.json")
    names = booster.feature_names
    text = _event(task, rows)

    def matrix() -> Any:
        return np.array(
            [[event["features"][name] for name in names] for event in json.loads(text)["instances"]], dtype=np.float32
        )

    prepared = matrix()

    # A fresh event each time, decoded before the clock starts: nothing may profit from having seen these objects.
    def handle() -> float:
        return timed(partial(lambda_handler, json.loads(text), None))()

    contenders: dict[str, Callable[[], float]] = {
        HANDLER: handle,
        WHOLE: timed(lambda: json.dumps(lambda_handler(json.loads(text), None)).encode()),
        PREDICT: timed(lambda: booster.inplace_predict(prepared)),
        DECODE: timed(lambda: booster.inplace_predict(matrix())),
    }
    return in_turns(contenders, rounds)


if __name__ == "__main__":
    print(json.dumps(in_process(Path.cwd(), *map(int, sys.argv[1:3]))))
