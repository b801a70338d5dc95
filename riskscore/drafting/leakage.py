"""Whether a column knows the label: what it tells of it all by itself.

A value that was written down after the fact (a recovery's amount, a closing date's absence) separates the labels far
better than anything known beforehand. Nothing but a person's knowledge can tell the two apart, so this only measures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Labels = NDArray[np.int8]

SUSPECT_AUC = 0.95  # from here on a column is suspected where it stands out, and ...
CERTAIN_AUC = 0.99  # ... from here on in any case
STANDS_OUT = 1 / 3  # its distance from 1, as a share of the next best column's
FEWEST = 10  # rows of either label: with fewer, chance alone separates them
BINS = 20
PURE = 0.99  # share of the rarer label in a group ...
PURE_LIFT = 3.0  # ... that is so many times its share in all rows ...
PURE_ROWS = 20
PURE_REACH = 0.2  # ... and holds so large a part of all rows with it


class ColumnSignal(NamedTuple):
    """What a column alone tells: an AUC, and a group of rows that is next to purely of the rarer label, or ""."""

    auc: float
    group: str


def alone(values: Floats, labels: Labels, ordered: bool) -> ColumnSignal | None:
    """What one column tells of labels 0 and 1; None where there are too few rows to say.

    values: (n,), NaN where missing; ordered: whether larger means more, or the values are only names.
    """
    positives = int(labels.sum())
    if min(positives, len(labels) - positives) < FEWEST:
        return None
    cells = _cells(values, ordered)
    found = _cross_fitted(cells, labels)
    seen = ~np.isnan(values)
    if ordered and _has_both(labels[seen]):
        ranked = auc_of(values[seen], labels[seen])
        found = max(found, ranked, 1 - ranked) if seen.mean() >= 0.5 else found
    return ColumnSignal(found, _pure_group(values, labels))


def auc_of(scores: Floats, labels: Labels) -> float:
    """The probability that a row of label 1 has the larger score, ties counting half."""
    distinct, places = np.unique(scores, return_inverse=True)
    ones = np.bincount(places, weights=labels, minlength=len(distinct))
    zeros = np.bincount(places, minlength=len(distinct)) - ones
    below = np.cumsum(zeros) - zeros
    return float(np.sum(ones * (below + zeros / 2)) / (ones.sum() * zeros.sum()))


def _has_both(labels: Labels) -> bool:
    return bool(len(labels)) and bool(labels.min() < labels.max())


def _cells(values: Floats, ordered: bool) -> NDArray[np.int64]:
    """Each row's cell: a bin of the ordered values, or the value itself; missing is a cell of its own."""
    seen = ~np.isnan(values)
    cells = np.full(len(values), -1, dtype=np.int64)
    distinct, places = np.unique(values[seen], return_inverse=True)
    if ordered and len(distinct) > BINS:
        edges = np.unique(np.quantile(values[seen], np.linspace(0, 1, BINS + 1)[1:-1]))
        places = np.searchsorted(edges, values[seen], side="right")
    cells[seen] = places
    return cells + 1


def _cross_fitted(cells: NDArray[np.int64], labels: Labels) -> float:
    """The AUC of each cell's rate of 1, one half's rows scored by the other half's rates: chance gains nothing.

    The halves are drawn within each label, so that both have their share of a rare one; dealt in turn, neighbours of
    one value would always be parted, which tells something of its label too.
    """
    rng = np.random.default_rng(0)
    half = np.empty(len(labels), dtype=bool)
    for label in (0, 1):
        rows = np.flatnonzero(labels == label)
        half[rows] = rng.permutation(len(rows)) % 2 == 0
    base = labels.mean()
    width = int(cells.max()) + 1
    found = []
    for other in (half, ~half):
        ones = np.bincount(cells[other], weights=labels[other], minlength=width)
        rates = (ones + base) / (np.bincount(cells[other], minlength=width) + 1)
        found.append(auc_of(rates[cells[~other]], labels[~other]))
    return float(np.mean(found))


def _pure_group(values: Floats, labels: Labels) -> str:
    """In words, a group of rows with next to nothing but the rarer label: often a value filled in afterwards."""
    rarer = (labels if labels.mean() <= 0.5 else 1 - labels).astype(float)
    for words, rows in _groups(values):
        count, share = int(rows.sum()), float(rarer[rows].mean()) if rows.any() else 0.0
        pure = share >= max(PURE, PURE_LIFT * rarer.mean())
        if pure and count >= PURE_ROWS and rarer[rows].sum() >= PURE_REACH * rarer.sum():
            label = int(labels.mean() <= 0.5)
            return f"of the {count:,} rows where it {words}, {share:.0%} have label {label} ({rarer.mean():.1%} of all)"
    return ""


def _groups(values: Floats) -> list[tuple[str, NDArray[np.bool_]]]:
    missing = np.isnan(values)
    groups = [("is missing", missing), ("is filled", ~missing)] if missing.any() else []
    distinct, counts = np.unique(values[~missing], return_counts=True)
    if len(distinct) and counts.max() >= 0.5 * counts.sum():
        usual = distinct[counts.argmax()]
        groups.append(("isn't the usual value", ~missing & (values != usual)))
    if len(distinct) <= 10 * BINS:
        groups += [("has one of its values", values == value) for value in distinct[counts >= PURE_ROWS]]
    return groups


def suspected(found: dict[str, ColumnSignal]) -> dict[str, str]:
    """Column -> why it is suspected of knowing the label."""
    honest = [one.auc for one in found.values() if one.auc < SUSPECT_AUC]
    next_best = max(honest, default=0.5)
    reasons = {}
    for name, (auc, group) in found.items():
        stands_out = auc >= SUSPECT_AUC and 1 - auc <= STANDS_OUT * (1 - next_best)
        if auc >= CERTAIN_AUC or stands_out:
            beside = f"; the best column below {SUSPECT_AUC} reaches {next_best:.3f}" if honest else ""
            reasons[name] = f"alone it separates the labels with an AUC of {auc:.3f}{beside}"
        elif group:
            reasons[name] = group
    return reasons
