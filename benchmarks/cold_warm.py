"""Cold starts and warm answers through the Lambda emulator: the function, an echo, and what tutorials have."""

from __future__ import annotations

import contextlib
import json
import time
from functools import partial
from itertools import islice
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.places import ENVIRON
from benchmarks.rows import draw_events
from benchmarks.table import Line, Section, duration
from benchmarks.turns import WARM_UP, in_turns, percentile
from riskscore.local.emulator import Emulator, answer_in, running_emulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from benchmarks.places import Places

    Start = Callable[[], AbstractContextManager[Emulator]]

ECHO = "echo: the answer is the event"
OURS = "twin engine, 4 reasons"
JOBLIB = "joblib engine, 4 reasons"
USUAL = "usual: joblib.load, predict_proba"
BOOSTER = "lean: Booster, no scikit-learn"

# What the project promises.
COLD_TO_ECHO, COLD_TO_USUAL, WARM_TO_ECHO = 2, 8, 3


def emulators(places: Places) -> dict[str, Start]:
    """Each function's emulator, not yet started."""

    def emulator(handler: str, python: Path, **settings: str) -> Start:
        environ = {**ENVIRON, **settings}
        return partial(running_emulator, places.task, f"{handler}.lambda_handler", python=python, environ=environ)

    return {
        ECHO: emulator("echo", places.function),
        OURS: emulator("lambda_function", places.function),
        JOBLIB: emulator("lambda_function", places.function, RISKSCORE_ENGINE="joblib"),
        BOOSTER: emulator("booster", places.function),
        USUAL: emulator("usual", places.usual),
    }


def cold(places: Places, rounds: int, warm_up: int = WARM_UP) -> Section:
    """From the start of the emulator's process, which starts the function's, to the answer to its first event."""
    body = json.dumps(draw_events(places.task, 1)[0]).encode()
    starts = emulators(places)
    found = in_turns({name: partial(_first_answer, start, body) for name, start in starts.items()}, rounds, warm_up)
    return Section(
        f"Cold start through the emulator: process start to first answer ({rounds} rounds)",
        [
            Line(OURS, found[OURS], ECHO, found[ECHO], asked=COLD_TO_ECHO),
            Line(OURS, found[OURS], USUAL, found[USUAL], gain=True, asked=COLD_TO_USUAL),
            Line(OURS, found[OURS], BOOSTER, found[BOOSTER], gain=True),
            Line(JOBLIB, found[JOBLIB], USUAL, found[USUAL], gain=True),
        ],
    )


def _first_answer(start: Start, body: bytes) -> float:
    started = time.perf_counter()
    with start() as emulator:
        answer = emulator.send(body)
        seconds = time.perf_counter() - started
    answer_in(answer)  # raises where it is an error
    return seconds


def warm(places: Places, rounds: int, answers: int) -> Section:
    """Answers over one kept connection, all functions up, each taking its turn for a number of answers."""
    # Different rows in every round, as people are: the same ones again and again would show the caches.
    bodies = [json.dumps(event).encode() for event in draw_events(places.task, (WARM_UP + rounds) * answers)]
    with contextlib.ExitStack() as running:
        turns = {
            name: partial(_answers, running.enter_context(start()), iter(bodies), answers)
            for name, start in emulators(places).items()
        }
        found = in_turns(turns, rounds)
    p50, p99 = ({name: [percentile(taken, share) for taken in found[name]] for name in found} for share in (0.5, 0.99))
    above = {name: duration(median(p50[name]) - median(p50[ECHO])) for name in (OURS, USUAL)}
    return Section(
        f"Warm answer through the emulator, one row ({rounds} rounds of {answers:,} answers)",
        [
            Line(f"p50, {OURS}", p50[OURS], ECHO, p50[ECHO], asked=WARM_TO_ECHO),
            Line(f"p50, {OURS}", p50[OURS], USUAL, p50[USUAL], gain=True),
            Line(f"p50, {OURS}", p50[OURS], BOOSTER, p50[BOOSTER], gain=True),
            Line(f"p50, {JOBLIB}", p50[JOBLIB], USUAL, p50[USUAL], gain=True),
            Line(f"p99, {OURS}", p99[OURS], ECHO, p99[ECHO]),
            Line(f"p99, {OURS}", p99[OURS], USUAL, p99[USUAL], gain=True),
        ],
        [f"what remains without the echo's time: {above[OURS]} here, {above[USUAL]} for the usual function"],
    )


def _answers(emulator: Emulator, bodies: Iterator[bytes], count: int) -> list[float]:
    """How long each of the next answers takes."""
    taken = []
    for body in islice(bodies, count):
        started = time.perf_counter()
        answer = emulator.send(body)
        taken.append(time.perf_counter() - started)
    answer_in(answer)  # raises where it is an error
    return taken
