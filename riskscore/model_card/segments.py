"""The figures of parts of the rows: by the values of a column, with intervals; parts that are too small are merged."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from riskscore.model_card.discrimination import auc_interval, rate_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from riskscore.contract.feature import Feature

    Floats = NDArray[np.float64]

FEWEST = 50  # rows of a segment of its own
FEW_LABELS = 10  # rows of each label for an AUC
MOST = 12  # segments of a column; the largest
QUARTERS = (0.25, 0.5, 0.75)
OTHERS, EMPTY = "others", "missing"


def names_of(feature: Feature, column: Floats) -> tuple[list[str], list[str]]:
    """The segment of each row by a feature, and the segments in their order.

    A category's or few values as they are, of many the quarter of the known values.
    """
    if feature.type == "category":
        names = [EMPTY if np.isnan(value) else str(feature.value(value) or "a value not known") for value in column]
        return names, sorted({*names})
    known = column[~np.isnan(column)]
    if len(distinct := np.unique(known).tolist()) <= MOST:
        order = [f"{value:g}" for value in distinct]
        return [EMPTY if np.isnan(value) else f"{value:g}" for value in column.tolist()], order
    edges = sorted({float(f"{point:.3g}") for point in np.quantile(known, QUARTERS).tolist()})
    texts = [
        f"below {edges[0]:g}",
        *(f"{a:g} to {b:g}" for a, b in pairwise(edges)),
        f"from {edges[-1]:g}",
    ]
    places = np.searchsorted(edges, column, side="right")
    return [EMPTY if np.isnan(value) else texts[place] for value, place in zip(column, places, strict=True)], texts


def segments(
    names: Sequence[str], labels: NDArray[np.int8], scores: Floats, threshold: float, order: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Of each segment that isn't too small: rows, rate of label 1, mean score, share flagged, AUC; the rest merged.

    order: of the segments; the others follow by their names. calibrated: whether the mean score lies within
    the rate's interval. auc: None of too few rows of a label.
    """
    counts = Counter(name or EMPTY for name in names)
    own = {name for name, rows in counts.most_common(MOST) if rows >= FEWEST}
    merged = len(counts) - len(own)
    column = np.array([name or EMPTY for name in names])
    parts = [(name, column == name) for name in sorted(own, key=lambda name: ([*order, name].index(name), name))]
    if merged:
        parts.append((f"{OTHERS} ({merged})", ~np.isin(column, [*own])))
    return [_figures(name, labels[rows], scores[rows], threshold) for name, rows in parts]


def _figures(name: str, labels: NDArray[np.int8], scores: Floats, threshold: float) -> dict[str, Any]:
    bads = int(labels.sum())
    rate, mean = rate_of(bads, len(labels)), float(scores.mean())
    enough = len(labels) >= FEWEST and min(bads, len(labels) - bads) >= FEW_LABELS
    return {
        "segment": name,
        **rate,
        "small": len(labels) < FEWEST,
        "mean": mean,
        "calibrated": rate["low"] <= mean <= rate["high"],
        "flagged": float((scores >= threshold).mean()),
        "auc": auc_interval(labels, scores) if enough else None,
    }
