"""From how many rows joblib is faster than the twin: LOADED_ROWS and LOADING_ROWS in riskscore/scoring/model.py.

`python benchmarks/bench.py --only engines` shows it. Run by the function's interpreter, this file measures and prints.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.places import worker
from benchmarks.rows import MODEL, draw_events
from benchmarks.table import Line, Section
from benchmarks.turns import in_turns, timed
from riskscore.scoring import model
from riskscore.scoring.engine import Engine
from riskscore.serving.deployment import Deployment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.places import Places

    Found = dict[int, dict[str, list[float]]]  # rows -> engine -> seconds of each round

ENGINES = ("twin", "joblib")
LOADED_ROWS = (1, 2, 3, 4, 5, 7, 10, 20, 100, 1_000)
SHOWN_ROWS = (1, 10, 100, 1_000)
LOADING_ROWS = (200, 500, 1_000, 2_000, 3_000, 5_000)


def engines(
    places: Places, rounds: int, loaded: Sequence[int] = LOADED_ROWS, loading: Sequence[int] = LOADING_ROWS
) -> Section:
    """The same rows by either engine: once the estimator is loaded, and in the event that loads it."""
    measure = partial(worker, places.function, "bench_engines.py", task=places.task)
    plain, explained = (_loaded(measure("loaded", str(rounds), reasons, *map(str, loaded))) for reasons in "04")
    first = {rows: _first(measure, rows, max(rounds // 4, 1)) for rows in loading}
    loaded_at, explained_at, first_at = map(_break_even, (plain, explained, first))
    return Section(
        f"One event by either engine ({rounds} rounds, and {max(rounds // 4, 1)} that load)",
        [
            *_lines(plain, "no reasons", SHOWN_ROWS),
            *_lines(explained, "4 reasons", SHOWN_ROWS),
            *_lines(first, "estimator not loaded yet", loading),
        ],
        (
            f"once loaded, joblib is the faster from {loaded_at} rows; with reasons from {explained_at}",
            f"the event that loads the estimator is answered faster by joblib from {first_at} rows",
        ),
    )


def _loaded(printed: bytes) -> Found:
    return {int(rows): figures for rows, figures in json.loads(printed).items()}


def _first(measure: partial[bytes], rows: int, rounds: int) -> dict[str, list[float]]:
    """A fresh process for each figure."""

    def seconds(engine: str) -> float:
        return float(measure("loading", engine, str(rows)))

    return in_turns({engine: partial(seconds, engine) for engine in ENGINES}, rounds, warm_up=0)


def _lines(found: Found, when: str, shown: Sequence[int]) -> Iterator[Line]:
    for rows, figures in found.items():
        if rows in shown:
            what = f"joblib, {rows:,} row{'s' if rows > 1 else ''}, {when}"
            yield _line(what, figures)


def _line(what: str, figures: dict[str, list[float]]) -> Line:
    return Line(what, figures["joblib"], "twin", figures["twin"], gain=True)


def _break_even(found: Found) -> str:
    """The smallest number of rows measured from which on joblib is the faster one."""
    slower = [rows for rows, figures in found.items() if _line("", figures).ratio() <= 1]
    faster = [rows for rows in found if rows > max(slower, default=0)]
    return f"{min(faster):,}" if faster else f"more than {max(found):,}"


def measure_loaded(task: Path, rounds: int, reasons: int, sizes: Sequence[int]) -> Found:
    """Whole answers by either engine, both of them loaded."""
    deployments = {engine: Deployment({"RISKSCORE_ENGINE": engine}, str(task)) for engine in ENGINES}
    ready = {engine: Engine(opened.find, MODEL, opened.look_up) for engine, opened in deployments.items()}
    events = draw_events(task, max(sizes))

    def score(engine: str, rows: int) -> float:
        """Seconds per answer; of several answers in a row where they are short."""
        starts = range(0, len(events) - rows + 1, rows)[: max(50 // rows, 1)]
        answers = [partial(ready[engine].score, events[k : k + rows], {"reasons": reasons}) for k in starts]
        return timed(lambda: [answer() for answer in answers])() / len(answers)

    return {rows: in_turns({name: partial(score, name, rows) for name in ENGINES}, rounds) for rows in sizes}


def measure_loading(task: Path, engine: str, rows: int) -> float:
    """The first event of a process whose init is behind it: by joblib it loads the estimator."""
    opened = Deployment({"RISKSCORE_ENGINE": "twin" if engine == "twin" else "auto"}, str(task))
    opened.find(MODEL)
    model.LOADING_ROWS = 1
    ready, events = Engine(opened.find, MODEL, opened.look_up), draw_events(task, rows)
    return timed(lambda: ready.score(events, {"reasons": 0}))()


if __name__ == "__main__":
    kind, *arguments = sys.argv[1:]
    if kind == "loaded":
        print(json.dumps(measure_loaded(Path.cwd(), int(arguments[0]), int(arguments[1]), [*map(int, arguments[2:])])))
    else:
        print(measure_loading(Path.cwd(), arguments[0], int(arguments[1])))
