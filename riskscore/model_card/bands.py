"""Bands of the scores, as a scorecard reports them: rows, bad rate, and whether the score is right there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from riskscore.model_card.discrimination import rate_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

WIDTHS = (5, 10, 20, 25, 50, 100)  # points of a band
MOST = 10
FEWEST = 20  # rows of a band; fewer go with the next


def point_edges(points: Floats) -> list[float]:
    """Where the bands of points begin, but for the lowest: round numbers, each band of FEWEST rows or more."""
    low, high = np.quantile(points, (0.01, 0.99))
    width = next((width for width in WIDTHS if (high - low) / width <= MOST - 1), WIDTHS[-1])
    edges = np.arange(np.ceil(low / width) * width, high + 1, width)
    return filled(points, edges.tolist())


def rate_edges(scores: Floats) -> list[float]:
    """Where the bands of probabilities begin, but for the lowest: tenths of the rows, rounded."""
    return filled(scores, sorted({float(f"{point:.2g}") for point in np.quantile(scores, np.arange(1, MOST) / MOST)}))


def filled(values: Floats, edges: list[float]) -> list[float]:
    """Those of the edges that leave FEWEST values in each band."""
    ordered, kept, below = np.sort(values), [], 0
    for edge in edges:
        place = int(np.searchsorted(ordered, edge))
        if place - below >= FEWEST and len(ordered) - place >= FEWEST:
            kept.append(edge)
            below = place
    return kept


def bands(values: Floats, edges: list[float], labels: NDArray[np.int8], scores: Floats) -> list[dict[str, Any]]:
    """Of each band from its first value to before the next band's: rows, rate, mean score, and whether they agree.

    values: what is banded, as points. begin, end: None where it is open.
    """
    places = np.searchsorted(edges, values, side="right")
    found = []
    for k in range(len(edges) + 1):
        inside = places == k
        rate = rate_of(int(labels[inside].sum()), int(inside.sum()))
        mean = float(scores[inside].mean())
        found.append(
            {
                "begin": edges[k - 1] if k else None,
                "end": edges[k] if k < len(edges) else None,
                **rate,
                "mean": mean,
                "calibrated": rate["low"] <= mean <= rate["high"],
            }
        )
    return found
