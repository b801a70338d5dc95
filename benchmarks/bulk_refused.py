"""Many rows that can't be scored, in one event: what refusing them costs beside scoring as many, for every model.

Each row has the same mistake, and where names are misspelt also each its own. Run by the function's interpreter, it
prints its figures.
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
    from collections.abc import Callable, Iterator

    from benchmarks.places import Places

    Row = dict[str, Any]
    Change = Callable[[Row, dict[str, Any], str, int], object]

ASKED = 2
NESTED = json.loads("[" * 50 + "]" * 50)

# The row, its features, the name of one of them, and which row it is.
KINDS: dict[str, Change] = {
    "a misspelt name": lambda _, features, name, __: features.update({f"{name}z": features.pop(name)}),
    "a misspelt name, each row another": lambda _, features, name, k: features.update({f"{name}{k}": 1}),
    "a missing feature": lambda _, features, name, __: features.pop(name),
    "a wrong type": lambda _, features, name, __: features.update({name: True if features[name] is None else []}),
    "a nested value": lambda _, features, name, __: features.update({name: NESTED}),
    "a number out of range": lambda _, features, name, __: features.update({name: 1e300}),
    "an unknown model": lambda row, _, __, ___: row.update(model="nobody"),
    "an unknown model, each row another": lambda row, _, __, k: row.update(model=f"nobody{k}"),
    "a name of 10,000 letters": lambda _, features, __, k: features.update({f"{k}".ljust(10_000, "x"): 1}),
}


def bulk_refused(places: Places, rows: int, rounds: int) -> Section:
    """One event of many rows with the same mistake, beside one of sound rows; per mistake the slowest model."""
    found = json.loads(worker(places.function, "bulk_refused.py", str(rows), str(rounds), task=places.task))
    lines = [
        max((Line(f"{kind}: {model}", one[kind], "scored", one["scored"], asked=ASKED) for model, one in found.items()),
            key=Line.ratio)
        for kind in KINDS
    ]  # fmt: skip
    return Section(f"{rows:,} rows refused in one event, of each mistake the slowest model ({rounds} rounds)", lines)


def in_process(task: Path, rows: int, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Seconds of scoring and of each kind of refusal, by model and round."""
    from lambda_function import DEPLOYMENT

    return {name: _of_model(name, _sound_row(task, name), rows, rounds) for name in DEPLOYMENT.names()}


def _of_model(model: str, sound: Row, rows: int, rounds: int) -> dict[str, list[float]]:
    from lambda_function import DEPLOYMENT, lambda_handler

    features = DEPLOYMENT.find(model).contract.features
    name = next(feature.name for feature in reversed(features) if feature.type != "category" and not feature.optional)
    events = {"scored": [_changed(sound, lambda *_: None, name, k) for k in range(rows)]}
    events |= {kind: [_changed(sound, change, name, k) for k in range(rows)] for kind, change in KINDS.items()}
    for kind, items in events.items():
        answers = lambda_handler({"instances": items, "model": model, "reasons": 0}, None)
        refused = sum("error" in answer for answer in answers)
        if refused != (0 if kind == "scored" else rows):
            raise RuntimeError(f"{model}: {refused:,} of {rows:,} rows were refused for {kind}")
    handle = {
        kind: partial(lambda_handler, {"instances": items, "model": model, "reasons": 0}, None)
        for kind, items in events.items()
    }
    return in_turns({kind: timed(run) for kind, run in handle.items()}, rounds)


def _changed(sound: Row, change: Change, name: str, k: int) -> Row:
    row = {**sound, "features": {**sound["features"]}}
    change(row, row["features"], name, k)
    return row


def _sound_row(task: Path, model: str) -> Row:
    """The first of the model's example events that brings its features in an object."""
    return next(event for event in _events(task / "events" / model) if "features" in event)


def _events(folder: Path) -> Iterator[Row]:
    for path in sorted(folder.glob("*.json")):
        yield json.loads(path.read_bytes())


if __name__ == "__main__":
    print(json.dumps(in_process(Path.cwd(), *map(int, sys.argv[1:3]))))
