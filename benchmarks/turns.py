"""Measuring side by side: contenders take turns, so that whatever else the machine does falls on all of them alike."""

from __future__ import annotations

import math
import time
from statistics import quantiles
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Figure = TypeVar("Figure")
WARM_UP = 1  # rounds before those that count: the page cache is warm, as a running host's is


def in_turns(
    contenders: Mapping[str, Callable[[], Figure]], rounds: int, warm_up: int = WARM_UP
) -> dict[str, list[Figure]]:
    """A B C, A B C, ...: each contender's figure of each round. The first `warm_up` rounds are not counted."""
    figures: dict[str, list[Figure]] = {name: [] for name in contenders}
    for k in range(warm_up + rounds):
        for name, measure in contenders.items():
            figure = measure()
            if k >= warm_up:
                figures[name].append(figure)
    return figures


def timed(run: Callable[[], object]) -> Callable[[], float]:
    """A contender whose figure is how many seconds `run` takes."""

    def seconds() -> float:
        started = time.perf_counter()
        run()
        return time.perf_counter() - started

    return seconds


def middle_half(ratios: Sequence[float]) -> tuple[float, float]:
    """The quartiles: half of the rounds lie between."""
    if len(ratios) < 2:
        return ratios[0], ratios[0]
    low, _, high = quantiles(ratios, n=4, method="inclusive")
    return low, high


def percentile(figures: Sequence[float], share: float) -> float:
    """The smallest figure that at least `share` of all figures don't exceed."""
    ordered = sorted(figures)
    return ordered[math.ceil(share * len(ordered)) - 1]
