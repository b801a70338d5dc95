"""How good a model is on rows that it has not seen, and how sure that is.

Repeated stratified cross-validation: every row is predicted once per repeat by a model that was fitted without
it, and without any other row of the same customer. Intervals are those of the corrected resampled t-test
(Nadeau and Bengio, 2003): the folds' training sets overlap, so the plain standard error of their mean is too small;
its 1/n becomes 1/n + test/train.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import t as student_t
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from riskscore.errors import InvalidFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from riskscore.training.training_data import TrainingData

    Floats = NDArray[np.float64]

CONFIDENCE = 0.95
BINS = 10
CHANCE = 0.5  # the AUC of one score for all rows

METRICS: dict[str, Callable[[Any, Any], float]] = {
    "auc": roc_auc_score,
    "pr_auc": average_precision_score,
    "brier": brier_score_loss,
    "log_loss": partial(log_loss, labels=(0, 1)),
}
OF_BOTH = ("auc", "pr_auc")  # labels

LARGEST = {"auc": 1.0, "pr_auc": 1.0, "brier": 1.0}  # no metric is below 0


@dataclass(frozen=True)
class Validation:
    """metrics: name -> {mean, low, high}. out_of_fold: float64 (repeats, n), each row's prediction in each repeat.

    by_fold: name -> the metric in each fold. share: rows predicted over rows fitted to, in a fold.
    """

    metrics: dict[str, dict[str, float]]
    out_of_fold: Floats
    method: str
    by_fold: dict[str, list[float]]
    share: float


def cross_validate(
    data: TrainingData,
    predict: Callable[[Any, Any, Any], Floats],
    folds: int,
    repeats: int,
    seed: int,
    step: Callable[[], object] = lambda: None,
) -> Validation:
    """Fit and predict each fold of each repeat. predict(matrix, labels, unseen) -> probabilities; step: after each."""
    out_of_fold = np.full((repeats, len(data.labels)), np.nan)
    scores: dict[str, list[float]] = {name: [] for name in METRICS}
    shares = []
    for repeat, seen, unseen in splits(data, folds, repeats, seed):
        predicted = predict(data.matrix[seen], data.labels[seen], data.matrix[unseen])
        out_of_fold[repeat, unseen] = predicted
        for name, value in scores_of(data.labels[unseen], predicted).items():
            scores[name].append(value)
        shares.append(len(unseen) / len(seen))
        step()
    share = float(np.mean(shares))
    metrics = {name: interval(values, share, LARGEST.get(name, math.inf)) for name, values in scores.items()}
    return Validation(metrics, out_of_fold, _method(data, folds, repeats), scores, share)


def difference(ours: Validation, theirs: Validation) -> dict[str, dict[str, float]]:
    """Of each metric: ours less theirs, mean and 95 % interval over the same folds. What they share falls out."""
    pairs = {name: zip(values, theirs.by_fold[name], strict=True) for name, values in ours.by_fold.items()}
    gaps = {name: [a - b for a, b in found] for name, found in pairs.items()}
    return {name: interval(values, ours.share, math.inf, -math.inf) for name, values in gaps.items()}


def no_better_than_chance(metrics: Mapping[str, Any]) -> str:
    """What to say of a model that isn't shown to know more than the base rate, "" of others. metrics: the manifest's.

    Its AUC has to be beyond chance by its interval, and its log loss, calibrated where it is, below the base rate's.
    """
    auc, loss = metrics["cross_validated"]["auc"], _log_loss(metrics)
    if auc["low"] <= CHANCE:
        figure = f"AUC {auc['mean']:.3f} ({auc['low']:.3f} to {auc['high']:.3f})"
        return f"{figure} on rows not seen: the model isn't shown to be any better than chance, {CHANCE}"
    base = metrics.get("base_rate_log_loss", math.inf)
    if loss >= base:
        return f"log loss {loss:.4f} on rows not seen: no better than that of the base rate for all rows, {base:.4f}"
    return ""


def _log_loss(metrics: Mapping[str, Any]) -> float:
    """Of what is answered for rows not seen."""
    calibrated = metrics.get("calibrated")
    return float(calibrated["log_loss"] if calibrated else metrics["cross_validated"]["log_loss"]["mean"])


def splits(data: TrainingData, folds: int, repeats: int, seed: int) -> Iterator[tuple[int, Any, Any]]:
    """(repeat, rows to fit on, rows to predict); a customer's rows stay together.

    Raises InvalidFile where a fold would lack one of the labels: nothing can be measured there.
    """
    rarer = min(int(np.sum(data.labels == label)) for label in (0, 1))
    if rarer < folds:
        raise InvalidFile(f"{data.origin}: {rarer} rows of the rarer label can't be split into {folds} folds")
    grouped = customers_repeat(data)
    kind = StratifiedGroupKFold if grouped else StratifiedKFold
    for repeat in range(repeats):
        splitter = kind(n_splits=folds, shuffle=True, random_state=(seed + repeat) % 2**32)
        for seen, unseen in splitter.split(data.matrix, data.labels, data.customers if grouped else None):
            if len(np.unique(data.labels[unseen])) < 2:
                raise InvalidFile(
                    f"{data.origin}: all rows of one {data.group} stay in one fold, so one of the {folds} folds"
                    " lacks a label; use fewer folds or more customers"
                )
            yield repeat, seen, unseen


def customers_repeat(data: TrainingData) -> bool:
    """Whether one customer has several rows."""
    return data.customers is not None and len(set(data.customers)) < len(data.customers)


def _method(data: TrainingData, folds: int, repeats: int) -> str:
    grouped = f", all rows of one {data.group} in one fold" if customers_repeat(data) else ""
    return (
        f"stratified {folds}-fold cross-validation, repeated {repeats} times{grouped};"
        " 95 % intervals by the corrected resampled t (Nadeau-Bengio)"
    )


def scores_of(labels: Any, predicted: Any) -> dict[str, float]:
    """Every metric of some predictions; NaN for those that one label alone doesn't have."""
    alone = len(np.unique(labels)) < 2
    return {
        name: math.nan if alone and name in OF_BOTH else float(metric(labels, predicted))
        for name, metric in METRICS.items()
    }


def interval(
    values: Sequence[float], test_to_train: float, largest: float = math.inf, least: float = 0.0
) -> dict[str, float]:
    """Mean and 95 % interval of values over folds, by the corrected resampled t, within `least` to `largest`."""
    n, mean = len(values), float(np.mean(values))
    half = float(student_t.ppf((1 + CONFIDENCE) / 2, n - 1)) * standard_error(values, test_to_train)
    return {"mean": mean, "low": max(mean - half, least), "high": min(mean + half, largest)}


def standard_error(values: Sequence[float], test_to_train: float) -> float:
    """Of the mean of values over folds, corrected for the rows that the folds' training sets share."""
    return math.sqrt((1 / len(values) + test_to_train) * float(np.var(values, ddof=1)))


def reliability(labels: Any, predicted: Any, bins: int = BINS) -> dict[str, Any]:
    """Predicted against observed in bins of equally many predictions, and the expected calibration error (ECE).

    ECE: the mean of |mean prediction - observed rate| over the bins, weighted by their size.
    """
    order = np.argsort(predicted, kind="stable")
    table = [
        {
            "predictions": len(part),
            "lowest": float(predicted[part[0]]),
            "highest": float(predicted[part[-1]]),
            "mean": float(np.mean(predicted[part])),
            "observed": float(np.mean(labels[part])),
        }
        for part in np.array_split(order, bins)
        if len(part)
    ]
    gaps = [row["predictions"] * abs(row["mean"] - row["observed"]) for row in table]
    return {"ece": sum(gaps) / len(order), "bins": table}
