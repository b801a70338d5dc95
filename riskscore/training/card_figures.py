"""The figures of a trained model's card: those of rows that the model has not seen, and how stable they are."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from riskscore.contract.encoding import Encoding
from riskscore.model_card import drift
from riskscore.model_card.aggregates import UNSEEN, Evidence, aggregates
from riskscore.model_card.discrimination import auc_of
from riskscore.model_card.scorecard import scorecard_figures
from riskscore.scoring.estimators import margins
from riskscore.training import comparison
from riskscore.training.fitting import fit
from riskscore.training.referral import referral
from riskscore.training.rolling import disagreements, warnings_over_time
from riskscore.training.validation import no_better_than_chance
from riskscore.twin.calibration import calibration_of
from riskscore.twin.trees import logistic

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from riskscore.model_toml.settings import Settings
    from riskscore.training.training_data import TrainingData
    from riskscore.training.validation import Validation

    Floats = NDArray[np.float64]
    Manifest = Mapping[str, Any]

OTHER_SEEDS = 3
METRIC_WORDS = {"auc": "AUC", "pr_auc": "PR AUC", "brier": "the Brier score", "log_loss": "the log loss"}
FAR = 0.5  # of the base rate: a calibration error above it is a warning


def card_figures(
    settings: Settings, manifest: Manifest, data: TrainingData, estimator: Any, validation: Validation, unseen: Floats
) -> dict[str, Any]:
    """card.json of a trained model. unseen: (repeats, n) probabilities of rows not seen, as they are answered."""
    answer = answers(settings, estimator, manifest["calibration"])
    evidence = Evidence(data.matrix, data.labels, unseen[0], data.others, answer, UNSEEN)
    card = aggregates(settings, evidence)
    return card | {
        **scorecard_figures(settings, estimator, data.matrix, data.labels),
        "version": manifest["version"],
        "performance": performance(manifest["metrics"]["cross_validated"], card["ks"]),
        "stability": {
            "auc": _spread(validation, data.labels),
            "seeds": _seeds(settings, data, answer, manifest["calibration"]),
        },
        "over_time": _over_time(manifest["metrics"]),
        "psi": _psi(settings, data, manifest["metrics"], unseen[0]),
        "referral": referral(settings, data),
        "warnings": warnings(manifest),
        "data": data_lines(manifest["training"]),
    }


def answers(settings: Settings, estimator: Any, calibration: Manifest) -> Callable[[Floats], Floats]:
    """What the model answers to features (n, features): probabilities, calibrated where they are."""
    encoding = Encoding(settings.contract)
    calibrated = calibration_of(calibration)

    def answer(matrix: Floats) -> Floats:
        found = margins(settings.family, estimator, encoding.matrix(matrix))
        return np.array([logistic(calibrated(margin)) for margin in found])

    return answer


def performance(metrics: Mapping[str, Mapping[str, float]], ks: Mapping[str, float]) -> dict[str, Any]:
    """Every figure with its interval; Gini is 2 AUC - 1."""
    gini = {key: 2 * value - 1 for key, value in metrics["auc"].items()}
    return {"gini": gini, "ks": ks, **metrics}


def warnings(manifest: Manifest) -> list[str]:
    """What should stop a committee, in sentences without their full stop."""
    metrics = manifest["metrics"]
    error = metrics.get("calibrated", metrics)["reliability"]["ece"]
    rate = manifest["training"]["base_rate"]
    found = [no_better_than_chance(metrics), *warnings_over_time(metrics, METRIC_WORDS)]
    if comparison.verdict(metrics) < 0:
        found.append(comparison.sentence(metrics))
    if error > FAR * rate:
        found.append(
            f"the scores are {error:.3f} off the observed rates on average, where the base rate is {rate:.3f}: they"
            " rank rows and are no probabilities"
        )
    return [sentence for sentence in found if sentence]


def data_lines(training: Manifest) -> list[str]:
    """Where the rows come from."""
    about = training["about"] or "Nothing is recorded of where they come from."
    return [f"{training['rows']:,} rows from {training['origin']}. {about}"]


def _over_time(metrics: Manifest) -> dict[str, Any]:
    """The figures over time beside those of shuffled folds; {} where rows have no time."""
    if "over_time" not in metrics:
        return {}
    shuffled, apart = metrics["cross_validated"], disagreements(metrics)
    return {**metrics["over_time"], "shuffled": shuffled, "agree": {name: name not in apart for name in shuffled}}


def _psi(settings: Settings, data: TrainingData, metrics: Manifest, scores: Floats) -> dict[str, Any]:
    """PSI of the score and of each feature in each period, beside the rows before the first; the largest first."""
    if data.days is None:
        return {}
    periods = metrics["over_time"]["periods"]
    before = data.days < np.datetime64(periods[0]["begin"])
    inside = [(data.days >= np.datetime64(row["begin"])) & (data.days <= np.datetime64(row["end"])) for row in periods]
    columns = [("score", scores), *zip(settings.contract.names, data.matrix.T, strict=True)]
    table: list[dict[str, Any]] = [
        {
            "column": name,
            "psi": [drift.psi(column[before], column[rows]) for rows in inside],
            "noise": max(drift.psi_noise(column[before], column[rows]) for rows in inside),
        }
        for name, column in columns
    ]
    table[1:] = sorted(table[1:], key=lambda row: -max(row["psi"]))
    names = [f"{row['begin']} to {row['end']}" for row in periods]
    return {
        "reference": f"{int(before.sum()):,} rows until {data.days[before].max()}",
        "periods": names,
        "table": table,
    }


def _spread(validation: Validation, labels: NDArray[np.int8]) -> dict[str, dict[str, float]]:
    """Of the AUC, between folds and between repeats, each of which draws its folds by another seed."""
    groups: dict[str, Sequence[float]] = {"folds": validation.by_fold["auc"]}
    if len(validation.out_of_fold) > 1:
        groups["repeats"] = [auc_of(labels, scores) for scores in validation.out_of_fold]
    return {
        name: {"lowest": min(values), "highest": max(values), "deviation": float(np.std(values, ddof=1))}
        for name, values in groups.items()
    }


def _seeds(
    settings: Settings, data: TrainingData, answer: Callable[[Floats], Floats], calibration: Manifest
) -> dict[str, Any]:
    """How far the scores of the training rows move with the estimator's seed."""
    columns, own = Encoding(settings.contract).matrix(data.matrix), answer(data.matrix)
    others = []
    for k in range(1, OTHER_SEEDS + 1):
        again = replace(settings, seed=(settings.seed + k) % 2**32)
        others.append(answers(again, fit(again, columns, data.labels), calibration)(data.matrix))
    gaps, threshold = np.abs(np.array(others) - own), settings.threshold
    return {
        "fits": OTHER_SEEDS,
        "mean_change": float(gaps.mean()),
        "largest_change": float(gaps.max()),
        "decisions": float(((np.array(others) >= threshold) != (own >= threshold)).mean()),
    }
