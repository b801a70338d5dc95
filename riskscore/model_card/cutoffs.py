"""What a cut-off does: whom it approves, how many of them turn out bad, and what that earns.

A row is approved where its probability of label 1 is below the cut-off. Money is counted in what one good row earns:
a bad one costs `ratio` times as much. A card holds how many rows lie between some cut-offs, never one row's score.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING, Any

import numpy as np

from riskscore.errors import InvalidFile
from riskscore.model_card.discrimination import wilson

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

STEPS = 100  # quantiles of the scores at which the card can be asked for its figures
FEWEST = 5  # rows between two cut-offs
DIGITS = 4
RATES = tuple(k / 10 for k in range(1, 10))  # approval rates of the table


def ratio_of(threshold: float, given: float | None) -> float:
    """What a bad row costs, in what a good one earns: as given, or what makes the threshold break even."""
    return float(given) if given is not None else (1 - threshold) / threshold


def best_cutoff(labels: NDArray[np.int8], scores: Floats, ratio: float) -> float:
    """The cut-off of the highest profit, of all that there are; of equal ones that which approves most.

    It lies between two scores; 0 approves no row and 1 approves all.
    """
    points = np.unique(scores)
    at = np.searchsorted(points, scores)
    goods, bads = (np.bincount(at[labels == label], minlength=len(points)) for label in (0, 1))
    profits = np.concatenate([[0.0], np.cumsum(goods - ratio * bads)])
    place = len(points) - int(np.argmax(profits[::-1]))
    if place in (0, len(points)):
        return float(place > 0)
    return between(float(points[place - 1]), float(points[place]))


def between(low: float, high: float) -> float:
    """The shortest decimal number above `low`, and at most `high`."""
    for digits in range(1, 17):
        for value in (float(f"{(low + high) / 2:.{digits}g}"), float(f"{high:.{digits}g}")):
            if low < value <= high:
                return value
    return high


def distribution(labels: NDArray[np.int8], scores: Floats, wanted: Sequence[float]) -> dict[str, Any]:
    """{cutoffs, goods, bads}: how many rows lie below the first cut-off, between each and the next, and above the last.

    wanted: cut-offs that are held whatever they cost; the others leave at least FEWEST rows in each part.
    """
    ordered = np.sort(scores)
    kept = sorted({*wanted} - {0.0, 1.0})
    tenths = [k / 100 for k in range(1, 100)]
    steps = np.quantile(scores, np.linspace(0, 1, STEPS + 1)[1:-1]).tolist()
    for value in (*tenths, *(float(f"{step:.{DIGITS}g}") for step in steps)):
        place = bisect_left(kept, value)
        around = [kept[place - 1] if place else -np.inf, value, kept[place] if place < len(kept) else np.inf]
        below, above = np.diff(np.searchsorted(ordered, around))
        if min(below, above) >= FEWEST:
            insort(kept, value)
    counts = [
        np.bincount(np.searchsorted(kept, scores[labels == label], side="right"), minlength=len(kept) + 1)
        for label in (0, 1)
    ]
    return {"cutoffs": kept, "goods": counts[0].tolist(), "bads": counts[1].tolist()}


def figures_at(held: Mapping[str, Any], cutoff: float, ratio: float) -> dict[str, Any]:
    """Of a cut-off that the distribution holds, or 0 or 1: approvals, the bad rate among them with its interval,

    and the profit of 100 rows."""
    parts = bisect_left(held["cutoffs"], cutoff) + 1 if 0 < cutoff < 1 else len(held["goods"]) * (cutoff >= 1)
    goods, bads = sum(held["goods"][:parts]), sum(held["bads"][:parts])
    rows, approved = sum(held["goods"]) + sum(held["bads"]), goods + bads
    low, high = wilson(bads, approved)
    return {
        "cutoff": cutoff,
        "approved": approved,
        "approval_rate": approved / rows,
        "bads": bads,
        "bad_rate": bads / approved if approved else None,
        "low": low,
        "high": high,
        "profit": 100 * (goods - ratio * bads) / rows,
    }


def table(held: Mapping[str, Any], ratio: float, marked: Sequence[float]) -> list[dict[str, Any]]:
    """The figures at about every tenth of approvals, at the marked cut-offs, and where all are approved."""
    cutoffs = [figures_at(held, cutoff, ratio) for cutoff in held["cutoffs"]]
    near = [min(cutoffs, key=lambda row: abs(row["approval_rate"] - rate)) for rate in RATES if cutoffs]
    chosen = {row["cutoff"] for row in near} | {*marked} | {1.0}
    return [figures_at(held, cutoff, ratio) for cutoff in sorted(chosen)]


def held_cutoff(held: Mapping[str, Any], asked: float) -> float:
    """The cut-off nearest to the one asked for. Raises InvalidFile outside of those that the card holds."""
    cutoffs: list[float] = held["cutoffs"]
    if not cutoffs or not cutoffs[0] <= asked <= cutoffs[-1]:
        span = f"{cutoffs[0]:g} to {cutoffs[-1]:g}" if cutoffs else "none"
        raise InvalidFile(f"--cutoff must be a probability within the range of the card's cut-offs, {span}")
    return min(cutoffs, key=lambda cutoff: abs(cutoff - asked))
