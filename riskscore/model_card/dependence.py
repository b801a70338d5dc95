"""What the answer does where one feature moves and the others stay: partial dependence, and sensitivity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from riskscore.contract.feature import Feature

    Floats = NDArray[np.float64]
    Answer = Callable[[Floats], Floats]  # features -> probabilities, as they are answered

ROWS = 200  # spread evenly over the training rows
POINTS = (0.05, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 0.95)  # quantiles
LOW, HIGH = 0.1, 0.9  # between which sensitivity is measured
FLAT = 1e-9
MOST_VALUES = 12


def sample_of(matrix: Floats, rows: int = ROWS) -> Floats:
    """At most so many rows, spread evenly over the matrix."""
    places = np.linspace(0, len(matrix) - 1, min(rows, len(matrix))).round().astype(int)
    found: Floats = matrix[np.unique(places)]
    return found


def grid_of(column: Floats, category: bool = False) -> list[float]:
    """The values at which a feature is put: few values as they are, of numbers the quantiles, rounded."""
    known = column[~np.isnan(column)]
    distinct, counts = np.unique(known, return_counts=True)
    if category or len(distinct) <= MOST_VALUES:
        return sorted(distinct[np.argsort(-counts, kind="stable")][:MOST_VALUES].tolist())
    return sorted({float(f"{point:.4g}") for point in np.quantile(known, POINTS).tolist()})


def dependence(answer: Answer, rows: Floats, place: int, values: list[float]) -> Floats:
    """(values, rows) probabilities, with the feature at this place put to each of the values in all rows."""
    moved = np.repeat(rows[None], len(values), axis=0)
    moved[:, :, place] = np.array(values)[:, None]
    found: Floats = answer(moved.reshape(-1, rows.shape[1])).reshape(len(values), -1)
    return found


def describe(
    answer: Answer, matrix: Floats, place: int, feature: Feature, threshold: float, constrained: int
) -> dict[str, Any]:
    """A feature's partial dependence and sensitivity.

    values, mean: the curve. direction: 1 up, -1 down, 0 neither or both. swing: the largest less the smallest mean.
    missing: the mean where it is missing, or None. decisions: the share of the rows whose prediction changes between
    the feature's 10th and 90th percentile, of a category between any two values.
    """
    rows, column = sample_of(matrix), matrix[:, place]
    category = feature.type == "category"
    values = grid_of(column, category)
    if not values:
        return {
            "feature": feature.name,
            "values": [],
            "mean": [],
            "direction": 0,
            "swing": 0.0,
            "decisions": 0.0,
            "missing": None,
            "constrained": constrained,
            "words": [],
        }
    known = column[~np.isnan(column)]
    ends = values if category else [float(value) for value in np.quantile(known, (LOW, HIGH))]
    gap = [np.nan] if np.isnan(column).any() else []
    found = dependence(answer, rows, place, [*values, *ends, *gap])
    mean = found.mean(axis=1)[: len(values)]
    flagged = found[len(values) : len(values) + len(ends)] >= threshold
    return {
        "feature": feature.name,
        "values": values,
        "words": [str(feature.value(value)) for value in values] if category else [],
        "mean": mean.tolist(),
        "direction": 0 if category else direction_of(mean),
        "swing": float(mean.max() - mean.min()),
        "missing": float(found[-1].mean()) if gap else None,
        "decisions": float((flagged.any(axis=0) & ~flagged.all(axis=0)).mean()),
        "constrained": constrained,
    }


def direction_of(means: Floats) -> int:
    """1 where the means never fall, -1 where they never rise, 0 where they do both, or neither."""
    steps = np.diff(means)
    rises, falls = bool((steps > FLAT).any()), bool((steps < -FLAT).any())
    return int(rises) - int(falls)
