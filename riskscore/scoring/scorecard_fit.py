"""Fits a scorecard: monotone bins of weights of evidence, a logistic regression on them, whole points.

The cuts are those of scikit-learn's decision tree of one column under a monotone constraint; neighbouring bins that
break the direction after all are joined. A missing value, a special code and a category are attributes of their own.
A weight of evidence is the log-odds of the bad label in a bin less those in all rows. The regression's coefficients are
kept at 0 or above, since below it a column would count against its own evidence.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from riskscore.contract.encoding import Encoding
from riskscore.errors import InvalidFile
from riskscore.twin.scorecard import Attributes, Scorecard, places_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from riskscore.model_toml.settings import Settings

    Floats = NDArray[np.float64]
    Labels = NDArray[np.int8]

PARAMETERS: dict[str, Any] = {"max_bins": 5, "min_bin_share": 0.05, "C": 1.0, "edges": {}, "codes": {}}
HALF = 0.5  # a row of each label that a bin is given, so that one without any has an evidence that is finite


class Bins(NamedTuple):
    """One column's bins. edges: rising; codes: special values. evidence: of the intervals, then the codes, at last of

    missing values. direction: 1 where a larger value raises the risk, -1 where it lowers it, 0 for categories."""

    edges: list[float]
    codes: list[float]
    evidence: list[float]
    information: float
    direction: int

    def places(self, values: Floats) -> NDArray[np.intp]:
        """Which entry of `evidence` each value has."""
        found: NDArray[np.intp] = places_of(self.edges, self.codes, values)
        return found


class ScorecardFit:
    """An estimator with scikit-learn's `fit`; what it fitted is `card`, and `bins` tell how it came about."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._own = settings, _parameters(settings)
        self.bins: list[Bins] = []

    def fit(self, matrix: Floats, labels: Labels) -> ScorecardFit:
        """Raises InvalidFile where edges or codes of model.toml leave a bin without a row of each label."""
        encoding, features = Encoding(self._settings.contract), self._settings.contract.features
        directions = encoding.values_of(self._settings.directions, 0)
        self.bins = [
            self._bins(encoding.names[k], features[owner].type == "category", directions[k], matrix[:, k], labels)
            for k, owner in enumerate(encoding.owners())
        ]
        evidence = np.column_stack(
            [np.array(own.evidence)[own.places(column)] for own, column in zip(self.bins, matrix.T, strict=True)]
        )
        intercept, weights = _regression(evidence, labels, self._own["C"])
        self.card = self._points(intercept, weights, matrix)
        return self

    def _bins(self, name: str, category: bool, direction: int, values: Floats, labels: Labels) -> Bins:
        codes = [float(code) for code in self._own["codes"].get(name, [])]
        plain = np.isfinite(values) & ~np.isin(values, codes)
        known, outcome = values[plain], labels[plain]
        if category:
            edges, found = [k + 0.5 for k in range(int(known.max(initial=0.0)))], 0
        elif name in self._own["edges"]:
            edges, found = [float(edge) for edge in self._own["edges"][name]], direction
        else:
            edges, found = self._cuts(known, outcome, direction)
        bins = Bins(edges, codes, [0.0] * (len(edges) + len(codes) + 2), 0.0, found)
        counts = _counts(bins.places(values), labels, len(bins.evidence))
        inner = len(edges) + 1
        asked = [*(range(inner) if name in self._own["edges"] else ()), *range(inner, inner + len(codes))]
        self._require_both(name, bins, counts, asked)
        evidence, information = weights_of_evidence(counts)
        return bins._replace(evidence=evidence, information=information)

    def _cuts(self, known: Floats, outcome: Labels, direction: int) -> tuple[list[float], int]:
        """The edges that keep the direction; without one, that in which the labels differ in their mean rank."""
        found = direction or _direction(known, outcome)
        return self._edges(known, outcome, found), found

    def _edges(self, known: Floats, outcome: Labels, direction: int) -> list[float]:
        from sklearn.tree import DecisionTreeClassifier

        least = max(1, math.ceil(self._own["min_bin_share"] * len(known)))
        if len(np.unique(known)) < 2 or len(np.unique(outcome)) < 2 or len(known) < 2 * least:
            return []
        tree = DecisionTreeClassifier(
            criterion="log_loss",
            max_leaf_nodes=self._own["max_bins"],
            min_samples_leaf=least,
            monotonic_cst=[direction],
            random_state=self._settings.seed,
        ).fit(known.reshape(-1, 1), outcome)
        edges = sorted(tree.tree_.threshold[tree.tree_.feature >= 0].tolist())
        small = known.astype(np.float32)  # as the tree saw them
        cuts = [_shortest(known[small <= edge].max(), known[small > edge].min()) for edge in edges]
        return _monotone(cuts, known, outcome, direction)

    def _require_both(self, name: str, bins: Bins, counts: NDArray[np.int64], asked: Sequence[int]) -> None:
        """Refuse a bin that people asked for and that nothing can be told of."""
        for k in asked:
            good, bad = counts[k].tolist()
            if not good or not bad:
                raise InvalidFile(
                    f"{self._settings.name}/model.toml: estimator.parameters: {name} has no row of label"
                    f" {1 if good else 0} {_where(bins, k)}, in all rows or in those of a fold; join it with another"
                    " bin or leave it out",
                    name,
                )

    def _points(self, intercept: float, weights: Floats, matrix: Floats) -> Scorecard:
        scale = self._settings.points
        factor = scale["pdo"] / math.log(2)
        offset = scale["base"] - factor * math.log(scale["odds"])
        columns, means = [], []
        for own, weight, values in zip(self.bins, weights.tolist(), matrix.T, strict=True):
            whole = [round(-factor * weight * evidence) for evidence in own.evidence]
            inner = len(own.edges) + 1
            columns.append(
                Attributes(own.edges, whole[:inner], whole[-1], dict(zip(own.codes, whole[inner:-1], strict=True)))
            )
            means.append(float(np.array(whole)[own.places(values)].mean()))
        return Scorecard(round(offset - factor * intercept), offset, factor, columns, means)


def weights_of_evidence(counts: NDArray[np.int64]) -> tuple[list[float], float]:
    """Of bins (k, 2) by rows of label 0 and 1: each one's weight, 0.0 of an empty one, and the information value."""
    filled = counts.sum(axis=1) > 0
    given = np.where(filled[:, None], counts + HALF, 0.0)
    shares = given / np.maximum(given.sum(axis=0), HALF)
    evidence = np.zeros(len(counts))
    evidence[filled] = np.log(shares[filled, 1] / shares[filled, 0])
    return evidence.tolist(), float(((shares[:, 1] - shares[:, 0]) * evidence).sum())


def _regression(evidence: Floats, labels: Labels, c: float) -> tuple[float, Floats]:
    """Intercept and coefficients; a column with one below 0 is left out, the most contrary first."""
    from sklearn.linear_model import LogisticRegression

    kept, weights = np.flatnonzero(evidence.std(axis=0) > 0), np.zeros(evidence.shape[1])
    while len(kept):
        model = LogisticRegression(C=c, max_iter=1000).fit(evidence[:, kept], labels)
        found = model.coef_[0]
        if found.min() >= 0:
            weights[kept] = found
            return float(model.intercept_[0]), weights
        kept = np.delete(kept, int(found.argmin()))
    rate = float(labels.mean())
    return math.log(rate / (1 - rate)), weights


def _shortest(low: float, high: float) -> float:
    """The number above `low` and up to `high` with the fewest digits."""
    rounded = (float(f"{high:.{digits}g}") for digits in range(1, 18))
    return next((edge for edge in rounded if low < edge <= high), float(high))


def _monotone(edges: list[float], known: Floats, outcome: Labels, direction: int) -> list[float]:
    """The edges between bins whose rates rise (or fall): neighbours that break it are joined, as isotonic regression

    does."""
    kept = edges
    while kept:
        counts = _counts(np.searchsorted(np.array(kept), known, side="right"), outcome, len(kept) + 1)
        steps = direction * np.diff(counts[:, 1] / counts.sum(axis=1).clip(1))
        if steps.min() > 0:
            break
        kept = [edge for k, edge in enumerate(kept) if k != int(steps.argmin())]
    return kept


def _direction(known: Floats, outcome: Labels) -> int:
    """1 where rows of label 1 have the larger values on the whole, else -1."""
    from scipy.stats import rankdata

    ranks, bad = rankdata(known), outcome == 1
    return 1 if bad.any() and not bad.all() and ranks[bad].mean() >= ranks[~bad].mean() else -1


def _counts(places: NDArray[np.intp], labels: Labels, size: int) -> NDArray[np.int64]:
    """Rows of label 0 and 1 by bin, (size, 2)."""
    return np.column_stack([np.bincount(places[labels == label], minlength=size) for label in (0, 1)])


def _where(bins: Bins, k: int) -> str:
    """A bin in words."""
    inner = len(bins.edges) + 1
    if k >= inner:
        return f"with the code {bins.codes[k - inner]:g}"
    low, high = bins.edges[k - 1 : k], bins.edges[k : k + 1]
    ends = [f"from {edge:g}" for edge in low] + [f"below {edge:g}" for edge in high]
    return " and ".join(ends) or "at all"


def _parameters(settings: Settings) -> dict[str, Any]:
    """The parameters with their defaults, checked. Raises InvalidFile."""
    own: Mapping[str, Any] = PARAMETERS | settings.parameters
    file = f"{settings.name}/model.toml: estimator.parameters"
    names = Encoding(settings.contract).names
    sound = {
        "max_bins must be a whole number from 2 to 20": type(own["max_bins"]) is int and 2 <= own["max_bins"] <= 20,
        "min_bin_share must be a share above 0 and at most 0.5": 0 < own["min_bin_share"] <= 0.5,
        "C must be above 0": own["C"] > 0,
    }
    for key in ("edges", "codes"):
        for name, values in own[key].items():
            sound[f"{key}.{name} isn't one of the features"] = name in names
            rising = all(map(math.isfinite, values)) and all(a < b for a, b in pairwise(values))
            sound[f"{key}.{name} must be rising numbers"] = bool(values) and rising
    for complaint, holds in sound.items():
        if not holds:
            raise InvalidFile(f"{file}: {complaint}")
    return dict(own)
