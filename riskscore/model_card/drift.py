"""How columns differ between groups of rows: PSI between periods, information value between labels, correlation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import chi2, rankdata

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

BINS = 10
HALF = 0.5  # a row, in the place of none: a share of 0 has no logarithm


def edges_of(column: Floats, bins: int = BINS) -> Floats:
    """The inner edges of bins of about equally many of the known values; few distinct values are a bin each."""
    known = column[~np.isnan(column)]
    distinct = np.unique(known)
    if len(distinct) <= bins:
        return distinct[1:]
    return np.unique(np.quantile(known, np.linspace(0, 1, bins + 1)[1:-1]))


def binned(column: Floats, edges: Floats) -> NDArray[np.intp]:
    """Each value's bin, from 0; a missing value's is the last."""
    return np.where(np.isnan(column), len(edges) + 1, np.searchsorted(edges, column, side="right"))


def shares(places: NDArray[np.intp], bins: int) -> Floats:
    """The share of the rows in each bin; HALF a row in those that have none."""
    counts = np.bincount(places, minlength=bins).astype(float)
    counts[counts == 0] = HALF
    found: Floats = counts / counts.sum()
    return found


def _index(one: NDArray[np.intp], other: NDArray[np.intp], bins: int) -> float:
    """The symmetric divergence of two groups over the bins that either has: what PSI and IV both are."""
    used = np.unique(np.concatenate([one, other]))
    p, q = (shares(np.searchsorted(used, places), len(used)) for places in (one, other))
    return float(((p - q) * np.log(p / q)).sum())


def psi(reference: Floats, column: Floats) -> float:
    """The population stability index of a column beside a reference, in the reference's deciles.

    Missing values are a bin of their own.
    """
    edges = edges_of(reference)
    return _index(binned(reference, edges), binned(column, edges), len(edges) + 2)


def psi_noise(reference: Floats, column: Floats) -> float:
    """What PSI doesn't exceed in 95 % of samples of these sizes where nothing has changed (Yurdakul, 2018)."""
    edges = edges_of(reference)
    bins = len(np.unique(np.concatenate([binned(reference, edges), binned(column, edges)])))
    return float(chi2.ppf(0.95, max(bins - 1, 1))) * (1 / len(reference) + 1 / len(column))


def information_value(column: Floats, labels: NDArray[np.int8]) -> float:
    """The information value of a column for the labels, over its deciles; missing values are a bin of their own."""
    places = binned(column, edges_of(column))
    return _index(places[labels == 1], places[labels == 0], int(places.max()) + 1)


def correlations(names: Sequence[str], matrix: Floats) -> list[dict[str, Any]]:
    """Spearman's rank correlation of each two columns over the rows that have both, the strongest first.

    A column that is constant there has none.
    """
    found = []
    full = [not np.isnan(column).any() for column in matrix.T]
    ranks = {k: rankdata(matrix[:, k]) for k, known in enumerate(full) if known}
    for a in range(len(names)):
        for b in range(a + 1, len(names)):
            if full[a] and full[b]:
                one, other = ranks[a], ranks[b]
            else:
                both = ~np.isnan(matrix[:, a]) & ~np.isnan(matrix[:, b])
                one, other = rankdata(matrix[both, a]), rankdata(matrix[both, b])
            if len(one) > 1 and np.ptp(one) and np.ptp(other):
                found.append({"features": [names[a], names[b]], "correlation": float(np.corrcoef(one, other)[0, 1])})
    return sorted(found, key=lambda row: -abs(row["correlation"]))
