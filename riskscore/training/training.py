"""Trains a model and writes its folder, all at once or not at all.

Nothing is written before everything is proven: the directions of model.toml hold, the pickle that will be served
gives the margins of the fitted estimator, and the twin gives the same margins bit for bit.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from riskscore.artefact.artefact import installed_versions, save_artefact
from riskscore.artefact.versions import WRITTEN, write_version
from riskscore.contract.encoding import Encoding
from riskscore.contract.identities import Identity
from riskscore.model_toml.changes import check_steps
from riskscore.model_toml.keys import AUTO
from riskscore.scoring.estimators import contributions, family_of, margins
from riskscore.training import card
from riskscore.training.calibration_fit import calibrated_unseen, fit_calibration
from riskscore.training.card_figures import card_figures
from riskscore.training.comparison import beside_logistic
from riskscore.training.fitting import encoded, fit, predictor, probabilities
from riskscore.training.manifest_sections import (
    GOLDEN_ROWS,
    estimator_entry,
    golden_of,
    pickled,
    referral_notes,
    rules_of,
    source_of,
    version_of,
)
from riskscore.training.proofs import check_directions, check_pickle, prove_twin
from riskscore.training.rolling import periods_of, validate_over_time
from riskscore.training.search import search, search_steps
from riskscore.training.selection import choice_steps, choose
from riskscore.training.support import draw_rows, support_of
from riskscore.training.validation import Validation, cross_validate, reliability, scores_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from numpy.typing import NDArray

    from riskscore.model_toml.settings import Settings
    from riskscore.training.training_data import TrainingData

    Floats = NDArray[np.float64]

TRIAL_ROWS = 1000  # random rows on which the directions are checked


@dataclass(frozen=True)
class Trained:
    """What a training came to. contents: the files that serve; documents: the model card and its pictures;

    twin_lacks: why the twin can't serve it, or ""."""

    contents: dict[str, bytes]
    manifest: dict[str, Any]
    documents: dict[str, bytes]
    twin_lacks: str


def train(
    settings: Settings,
    data: TrainingData,
    folder: Path,
    root: Path,
    now: datetime,
    step: Callable[[], object] = lambda: None,
    state: Path | None = None,
) -> Trained:
    """Build model `settings.name` and write it into `folder`."""
    trained = build(settings, data, root, now, step, state)
    write(folder, trained, root)
    return trained


def build(
    settings: Settings,
    data: TrainingData,
    root: Path,
    now: datetime,
    step: Callable[[], object] = lambda: None,
    state: Path | None = None,
) -> Trained:
    """Fit, validate and prove a model; nothing is written.

    root: where the paths of model.toml start. now: dates the version. step: called after each fold,
    `steps(settings)` times. state: the file from which a search that was stopped goes on, None to start afresh.
    """
    source = source_of(settings, root)
    settings, searched, validation, over_time = _validated(settings, data, step, state)
    columns = encoded(settings, data)
    estimator = fit(settings, columns.matrix, columns.labels)
    document = family_of(settings).document(estimator, columns.names)
    contents = {"model.joblib": pickled(estimator), "model.json": document}
    features = settings.contract.features
    support = [
        support_of(column, feature.type, feature.optional)
        for column, feature in zip(data.matrix.T, features, strict=True)
    ]
    ranges = dict(zip(settings.contract.names, support, strict=True))
    check_steps(f"{settings.name}/model.toml", settings.changes, ranges)
    lacks, golden = _proven(settings, data, columns, estimator, contents, support)
    unseen = _answered(settings, data, validation)
    manifest = {
        "model": settings.name,
        "description": settings.description,
        "ids": list(settings.ids),
        "features": [{**feature.to_dict(), "support": seen} for feature, seen in zip(features, support, strict=True)],
        "threshold": settings.threshold,
        "engines": ["joblib"] if lacks else ["twin", "joblib"],
        "estimator": estimator_entry(settings, estimator),
        "search": searched,
        "versions": installed_versions(dict.fromkeys(("python", "numpy", "joblib", *family_of(settings).packages))),
        "source": source,
        **rules_of(settings),
        "calibration": _calibration(settings, data, validation),
        "golden": golden_of(settings, estimator, golden),
        "training": _training_entry(settings, data),
        "metrics": {
            **_metrics_entry(settings, estimator, columns, validation),
            **_calibrated(settings, data, unseen),
            **_rounded(beside_logistic(settings, data, validation)),
            **({"over_time": _rounded(over_time)} if over_time else {}),
        },
    }
    manifest["version"] = version_of(manifest, contents, now)
    figures = card_figures(settings, manifest, data, estimator, validation, unseen)
    documents = card.documents(settings, manifest, contents, data.labels, validation.out_of_fold, figures)
    return Trained(contents, manifest, documents, lacks)


def _proven(
    settings: Settings,
    data: TrainingData,
    columns: TrainingData,
    estimator: Any,
    contents: dict[str, bytes],
    support: list[dict[str, Any]],
) -> tuple[str, Floats]:
    """Why the twin can't serve, "" where it can, and the golden rows, once all holds that has to hold before writing.

    data, columns: the rows as features, and as the estimator sees them. contents: gets the twin's own files.
    """
    features, rng = settings.contract.features, np.random.default_rng(settings.seed)
    check_directions(settings, estimator, draw_rows(features, support, TRIAL_ROWS, rng), rng)
    check_pickle(settings, estimator, contents["model.joblib"], columns.matrix)
    lacks = prove_twin(settings, estimator, contents, columns.matrix, rng)
    return lacks, draw_rows(features, support, GOLDEN_ROWS, rng, never=data.matrix)


def _validated(
    settings: Settings, data: TrainingData, step: Callable[[], object], state: Path | None
) -> tuple[Settings, dict[str, Any], Validation, dict[str, Any]]:
    """The settings with their family and parameters found, what was tried for it, and how good the result is: on

    shuffled folds, and over time where the rows have one."""
    if settings.over_time:  # refused before a search has taken its hours
        periods_of(data, settings.over_time, settings.folds, settings.seed)
    if settings.family == AUTO:
        choice = choose(settings, data, state, step)
        settings, searched, rows, predict = choice.settings, choice.record, data, choice.predict
    else:
        rows = encoded(settings, data)
        found = search(settings, rows, predictor, state, step)
        settings, searched = replace(settings, parameters=found.parameters), found.record
        predict = predictor(settings)
    over_time = validate_over_time(settings, rows, predict, step)
    if over_time:  # a choice by periods has nothing to say of shuffled folds: they are of what it came to
        rows, predict = encoded(settings, data), predictor(settings)
    validation = cross_validate(rows, predict, settings.folds, settings.repeats, settings.seed, step)
    return settings, searched, validation, over_time


def steps(settings: Settings) -> int:
    """How often `build` calls its `step`, at most."""
    chosen = choice_steps(settings) if settings.family == AUTO else search_steps(settings)
    periods = settings.over_time.periods if settings.over_time else 0
    return chosen + periods + settings.folds * settings.repeats


def _calibration(settings: Settings, data: TrainingData, validation: Validation) -> dict[str, Any]:
    """Fitted to the predictions for rows not seen, of all repeats; {} for none."""
    if not settings.calibration:
        return {}
    seen = validation.out_of_fold.ravel()
    return fit_calibration(settings.calibration, np.log(seen / (1 - seen)), np.tile(data.labels, settings.repeats))


def _answered(settings: Settings, data: TrainingData, validation: Validation) -> Floats:
    """(repeats, n) probabilities of rows not seen as they are answered, each calibrated by a map fitted without it."""
    if not settings.calibration:
        return validation.out_of_fold
    return calibrated_unseen(settings.calibration, validation.out_of_fold, data.labels, settings.folds, settings.seed)


def _calibrated(settings: Settings, data: TrainingData, unseen: Floats) -> dict[str, Any]:
    """What the calibration gains. unseen: by `_answered`."""
    if not settings.calibration:
        return {}
    labels, found = np.tile(data.labels, settings.repeats), unseen.ravel()
    return _rounded({"calibrated": scores_of(labels, found) | {"reliability": reliability(labels, found)}})


def _training_entry(settings: Settings, data: TrainingData) -> dict[str, Any]:
    rows, positives = len(data.labels), int(data.labels.sum())
    identities = [Identity(rule, settings.contract) for rule in settings.identities]
    return {
        "origin": data.origin,
        "about": data.about,
        "rows": rows,
        "positives": positives,
        "base_rate": round(positives / rows, 6),
        "data_sha256": data.sha256,
        "fitted_with": installed_versions(dict.fromkeys(("python", "numpy", "scikit-learn", "xgboost"))),
        "broken_identities": {identity.name: int(identity.broken(data.matrix).sum()) for identity in identities},
        "notes": [*data.notes, *referral_notes(rules_of(settings))],
    }


def _metrics_entry(settings: Settings, estimator: Any, data: TrainingData, validation: Validation) -> dict[str, Any]:
    """Cross-validated figures, the in-sample ones named so, calibration, and what drives the score."""
    _, parts = contributions(settings.family, estimator, data.matrix)
    fold = Encoding(settings.contract).fold
    strength = np.abs(np.array([fold(row) for row in parts])).mean(axis=0).tolist()
    labels = np.tile(data.labels, settings.repeats)
    return _rounded(
        {
            "method": validation.method,
            "cross_validated": validation.metrics,
            "in_sample": scores_of(data.labels, probabilities(margins(settings.family, estimator, data.matrix))),
            "reliability": reliability(labels, validation.out_of_fold.ravel()),
            "mean_abs_contribution": dict(zip(settings.contract.names, strength, strict=True)),
        }
    )


def _rounded(entry: dict[str, Any]) -> dict[str, Any]:
    """The same with six decimals: more would be noise."""
    rounded: dict[str, Any] = json.loads(json.dumps(entry), parse_float=lambda text: round(float(text), 6))
    return rounded


def write(folder: Path, trained: Trained, root: Path | None = None) -> Path:
    """Put the new artefact in the old one's place, or beside it where that was promoted; returns its folder.

    In one step; files that only the old one had go with it. root: where the path of the query starts, if that isn't
    where the folder of models is.
    """

    def fill(fresh: Path) -> None:
        for name in WRITTEN:
            (fresh / name).unlink(missing_ok=True)
        save_artefact(str(fresh), trained.contents, trained.manifest)
        for name, paper in trained.documents.items():
            (fresh / name).write_bytes(paper)

    return write_version(folder, root or folder.resolve().parent.parent, fill)
