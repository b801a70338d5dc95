"""95 % intervals of rates, of their differences and ratios, each by a named method."""

from __future__ import annotations

from math import exp, log, sqrt
from typing import NamedTuple

from riskscore.batch.agreement import Z, wilson

METHODS = {
    "rate": "Wilson's score interval",
    "ratio": "Katz's log interval of a ratio of two rates, with half a count added where one is 0 or 1",
    "difference": "Newcombe's hybrid score interval of a difference of two rates",
    "calibration": "Wilson's score interval of the observed rate, less the mean probability",
}


class Estimate(NamedTuple):
    """A figure with its 95 % interval, and the rows that it is of."""

    value: float
    low: float
    high: float
    rows: int

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high


def rate(count: int, rows: int) -> Estimate:
    """count of rows."""
    return Estimate(count / rows, *wilson(count, rows), rows)


def difference(one: Estimate, other: Estimate) -> Estimate:
    """one less other, both rates."""
    apart = one.value - other.value
    below = sqrt((one.value - one.low) ** 2 + (other.high - other.value) ** 2)
    above = sqrt((one.high - one.value) ** 2 + (other.value - other.low) ** 2)
    return Estimate(apart, apart - below, apart + above, one.rows)


def ratio(count: int, rows: int, other: int, other_rows: int) -> Estimate | None:
    """The rate of one group over that of another; None where the other's is 0."""
    if not other:
        return None
    half = 0.0 if 0 < count < rows and other < other_rows else 0.5
    a, n, b, m = count + half, rows + half, other + half, other_rows + half
    middle, spread = log(a / n) - log(b / m), Z * sqrt(1 / a - 1 / n + 1 / b - 1 / m)
    return Estimate((count / rows) / (other / other_rows), exp(middle - spread), exp(middle + spread), rows)
