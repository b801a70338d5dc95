"""card.json: every figure of a model card, as aggregates, so that a card can be written again without the rows."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from riskscore.model_card import bands, cutoffs, dependence, discrimination, drift, segments
from riskscore.scoring.outcome import Scale

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from riskscore.model_card.dependence import Answer
    from riskscore.model_toml.settings import Settings

    Floats = NDArray[np.float64]

FORMAT = 1
SIGNIFICANT = 12  # digits; rounding a cut-off further could move it beyond a score
CORRELATED = 0.5  # pairs of features from here on are listed
MOST_PAIRS = 40
RESAMPLES = 200  # of the bootstrap
UNSEEN = "out-of-fold"  # basis: each row's score by a model that was fitted without it


class Evidence(NamedTuple):
    """Rows and how they were scored. matrix: float64 (n, features), NaN where missing. scores: (n,) probabilities as

    they are answered. others: columns beside the features, as texts. answer: what the model answers to features.
    basis: UNSEEN, or in words what else the scores are of."""

    matrix: Floats
    labels: NDArray[np.int8]
    scores: Floats
    others: Mapping[str, list[str]]
    answer: Answer
    basis: str


def aggregates(settings: Settings, evidence: Evidence) -> dict[str, Any]:
    """What training and adoption say alike of their rows."""
    matrix, labels, scores = evidence.matrix, evidence.labels, evidence.scores
    features, names = settings.contract.features, settings.contract.names
    ratio = cutoffs.ratio_of(settings.threshold, settings.card["cost_ratio"])
    best = cutoffs.best_cutoff(labels, scores, ratio)
    described = [
        {
            "information_value": drift.information_value(matrix[:, k], labels),
            **dependence.describe(
                *(evidence.answer, matrix, k, feature, settings.threshold, settings.directions.get(feature.name, 0))
            ),
        }
        for k, feature in enumerate(features)
    ]
    pairs = drift.correlations(names, matrix)
    strong = [pair for pair in pairs if abs(pair["correlation"]) >= CORRELATED]
    return {
        "format": FORMAT,
        "model": settings.name,
        "basis": evidence.basis,
        **discrimination.rate_of(int(labels.sum()), len(labels)),
        "threshold": settings.threshold,
        "cost_ratio": ratio,
        "cost_ratio_given": settings.card["cost_ratio"] is not None,
        "governance": settings.governance,
        "protected": settings.protected,
        "purpose": settings.card["purpose"].strip(),
        "limits": settings.card["limits"],
        "ks": ks_interval(labels, scores, settings.seed),
        "deciles": discrimination.deciles(labels, scores),
        "bands": _bands(settings, labels, scores),
        "best": best,
        "distribution": cutoffs.distribution(labels, scores, [settings.threshold, best]),
        "features": described,
        "correlations": {
            "pairs": len(pairs),
            "strong": len(strong),
            "largest": pairs[:1],
            "table": strong[:MOST_PAIRS],
        },
        "segments": {name: _segments(settings, evidence, name) for name in settings.card["segments"]},
    }


def document(card: Mapping[str, Any]) -> bytes:
    """card.json: strict JSON, numbers of twelve digits."""
    rounded = json.loads(json.dumps(card), parse_float=lambda text: float(f"{float(text):.{SIGNIFICANT}g}"))
    return f"{json.dumps(rounded, indent=1, allow_nan=False, ensure_ascii=False)}\n".encode()


def ks_interval(labels: NDArray[np.int8], scores: Floats, seed: int) -> dict[str, float]:
    """KS with its 95 % interval by the bootstrap over the rows of each label."""
    rng, places = np.random.default_rng(seed), [np.flatnonzero(labels == label) for label in (0, 1)]
    drawn = (np.concatenate([rng.choice(own, len(own)) for own in places]) for _ in range(RESAMPLES))
    low, high = np.quantile([discrimination.ks_of(labels[rows], scores[rows]) for rows in drawn], (0.025, 0.975))
    return {"mean": discrimination.ks_of(labels, scores), "low": float(low), "high": float(high)}


def points_of(settings: Settings, scores: Floats) -> Floats:
    """The scorecard's points of probabilities."""
    odds = [math.log(score / (1 - score)) if 0 < score < 1 else math.inf * (2 * score - 1) for score in scores.tolist()]
    bounded = [min(max(value, -700.0), 700.0) for value in odds]
    return np.array(Scale(settings.points).points_of(bounded), dtype=float)


def _bands(settings: Settings, labels: NDArray[np.int8], scores: Floats) -> dict[str, Any]:
    """By points, or by the probability where the model shows none."""
    if settings.page.get("points", True):
        values = points_of(settings, scores)
        return {"by": "points", "table": bands.bands(values, bands.point_edges(values), labels, scores)}
    return {"by": "probability", "table": bands.bands(scores, bands.rate_edges(scores), labels, scores)}


def _segments(settings: Settings, evidence: Evidence, name: str) -> list[dict[str, Any]]:
    if name in settings.contract:
        column = evidence.matrix[:, settings.contract.names.index(name)]
        names, order = segments.names_of(settings.contract.feature(name), column)
    else:
        names, order = evidence.others[name], []
    return segments.segments(names, evidence.labels, evidence.scores, settings.threshold, order)
