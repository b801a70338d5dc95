"""Trains a model and writes its folder, all at once or not at all.

Nothing is written before everything is proven: the directions of model.toml hold, the pickle that will be served
gives the margins of the fitted estimator, and the twin gives the same margins bit for bit.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np

from riskscore import contribution_tables, trees
from riskscore.artefact import installed_versions, save_artefact
from riskscore.atomic import replacing_folder
from riskscore.errors import ArtefactRefused, InvalidFile
from riskscore.estimators import contributions, family_of, margins
from riskscore.outcome import IDENTITY_TOLERANCE
from riskscore.training_data import broken_identities
from riskscore.validation import Validation, cross_validate, reliability, scores_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from numpy.typing import NDArray

    from riskscore.settings import Settings
    from riskscore.training_data import TrainingData

    Floats = NDArray[np.float64]

QUANTILES = (0.01, 0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 0.95, 0.99)
FEW_VALUES = 10  # up to so many distinct values of a feature are kept one by one
GOLDEN_ROWS = 12
TRIAL_ROWS = 1000  # random rows on which the directions are checked
MISSING_SHARE = 0.05  # of the values, taken out where the twin is compared
WRITTEN = ("model.joblib", "model.json", "contributions.bin")


@dataclass(frozen=True)
class Trained:
    """What a training came to: the manifest as it was written, and what the twin can't do, if anything."""

    manifest: dict[str, Any]
    validation: Validation
    twin_lacks: str


def train(
    settings: Settings,
    data: TrainingData,
    folder: Path,
    root: Path,
    now: datetime,
    step: Callable[[], object] = lambda: None,
) -> Trained:
    """Fit, validate, prove and write model `settings.name` into `folder`.

    root: where the paths of model.toml start. now: dates the version. step: called after each fold.
    """
    source = _source(settings, root)
    predict = _predictor(settings)
    validation = cross_validate(data, predict, settings.folds, settings.repeats, settings.seed, step)
    estimator = fit(settings, data.matrix, data.labels)
    contents = {"model.joblib": _pickled(estimator), "model.json": family_of(settings).document(estimator, data.names)}
    support = [_support(column) for column in data.matrix.T]
    rng = np.random.default_rng(settings.seed)
    check_directions(settings, estimator, draw_rows(settings, support, TRIAL_ROWS, rng), rng)
    check_pickle(settings, estimator, contents["model.joblib"], data.matrix)
    lacks = prove_twin(settings, estimator, contents, data.matrix, rng)
    golden = draw_rows(settings, support, GOLDEN_ROWS, rng, never=data.matrix)
    manifest = {
        "model": settings.name,
        "version": f"{now:%Y.%m.%d}+{hashlib.sha256(contents['model.json']).hexdigest()[:6]}",
        "description": settings.description,
        "ids": list(settings.ids),
        "features": [
            {**feature.to_dict(), "support": seen}
            for feature, seen in zip(settings.contract.features, support, strict=True)
        ],
        "threshold": settings.threshold,
        "engines": ["joblib"] if lacks else ["twin", "joblib"],
        "estimator": _estimator_entry(settings, estimator),
        "versions": installed_versions(dict.fromkeys(("python", "numpy", "joblib", *family_of(settings).packages))),
        "source": source,
        **_rules(settings),
        "golden": _golden(settings, estimator, golden),
        "training": _training_entry(settings, data),
        "metrics": _metrics_entry(settings, estimator, data, validation),
    }
    _write(folder, contents, manifest)
    return Trained(json.loads((folder / "manifest.json").read_text()), validation, lacks)


def fit(settings: Settings, matrix: Floats, labels: NDArray[np.int8]) -> Any:
    """The estimator of model.toml, fitted, knowing its features by name."""
    family = family_of(settings)
    estimator = family.build(settings)
    try:
        estimator.fit(matrix, labels)
    except (ValueError, TypeError) as error:  # XGBoostError is a ValueError
        reason = str(error).strip().splitlines()[-1]
        raise InvalidFile(f"{settings.name}/model.toml: the estimator refuses its parameters: {reason}") from None
    family.name(estimator, settings.contract.names)
    return estimator


def _predictor(settings: Settings) -> Callable[[Any, Any, Any], Floats]:
    def predict(matrix: Floats, labels: NDArray[np.int8], unseen: Floats) -> Floats:
        return _probabilities(margins(settings.family, fit(settings, matrix, labels), unseen))

    return predict


def _probabilities(values: list[float]) -> Floats:
    """As serving computes them: the logistic of the margin in double precision."""
    return np.array([trees.logistic(value) for value in values])


def _source(settings: Settings, root: Path) -> dict[str, str]:
    """Where the features come from when an event doesn't bring them, with the query's hash."""
    source = {key: value for key, value in settings.source.items() if value}
    if "sql" in source:
        path = root / source["sql"]
        if not path.is_file():
            raise InvalidFile(f"{settings.name}/model.toml: source.sql names {source['sql']}, which isn't there")
        source["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    return source


def _pickled(estimator: Any) -> bytes:
    stream = io.BytesIO()
    joblib.dump(estimator, stream)
    return stream.getvalue()


def _support(column: Floats) -> dict[str, Any]:
    """What training saw of a feature. Limits are rounded outwards to three digits: no person's value is published."""
    seen = column[~np.isnan(column)]
    if not len(seen):
        return {"minimum": 0.0, "maximum": 0.0, "quantiles": {str(q): 0.0 for q in QUANTILES}, "missing": 1.0}
    points = np.quantile(seen, QUANTILES).tolist()
    support: dict[str, Any] = {
        "minimum": _outward(float(seen.min()), math.floor),
        "maximum": _outward(float(seen.max()), math.ceil),
        "quantiles": {str(q): float(f"{point:.4g}") for q, point in zip(QUANTILES, points, strict=True)},
    }
    distinct = np.unique(seen).tolist()
    if len(distinct) <= FEW_VALUES:
        support["values"] = distinct
    if len(seen) < len(column):
        support["missing"] = round(1 - len(seen) / len(column), 4)
    return support


def _outward(value: float, towards: Callable[[float], int]) -> float:
    if not value:
        return 0.0
    digits = 2 - math.floor(math.log10(abs(value)))
    return float(f"{towards(float(f'{value:.12g}') * 10.0**digits) / 10.0**digits:.12g}")


def draw_rows(
    settings: Settings,
    support: list[dict[str, Any]],
    count: int,
    rng: np.random.Generator,
    never: Floats | None = None,
) -> Floats:
    """Synthetic rows: each feature drawn on its own from its quantiles, missing now and then where that is allowed.

    never: rows that must not come out, so that nobody's row is published.
    """
    columns = []
    for feature, seen in zip(settings.contract.features, support, strict=True):
        drawn = np.interp(rng.uniform(size=count), QUANTILES, list(seen["quantiles"].values()))
        drawn = np.round(drawn, 2 if abs(drawn).max() > 100 else 4) if feature.type == "number" else np.round(drawn)
        if feature.nullable:
            drawn[rng.uniform(size=count) < 0.2] = np.nan
        columns.append(np.clip(drawn, feature.minimum, feature.maximum))
    rows = np.column_stack(columns)
    if never is None:
        return rows
    known = set(map(bytes, never.view()))
    return np.array([row for row in rows if bytes(row) not in known]).reshape(-1, len(columns))


def check_directions(settings: Settings, estimator: Any, rows: Floats, rng: np.random.Generator) -> None:
    """Refuse an estimator that breaks a direction of model.toml on random rows."""
    for name, direction in settings.directions.items():
        k = settings.contract.names.index(name)
        pair = np.sort(np.stack([rows[:, k], rng.permutation(rows[:, k])]), axis=0)[::direction]
        lower, upper = rows.copy(), rows.copy()
        lower[:, k], upper[:, k] = pair
        before, after = margins(settings.family, estimator, lower), margins(settings.family, estimator, upper)
        if any(a > b for a, b in zip(before, after, strict=True)):
            raise ArtefactRefused(
                f"{settings.name}: {name} breaks its direction in model.toml; the model was not written", name
            )


def check_pickle(settings: Settings, estimator: Any, pickled: bytes, matrix: Floats) -> None:
    """Refuse a pickle that doesn't give back the estimator's margins."""
    loaded = joblib.load(io.BytesIO(pickled))
    if margins(settings.family, loaded, matrix) != margins(settings.family, estimator, matrix):
        raise ArtefactRefused(f"{settings.name}/model.joblib doesn't give the margins of the estimator it holds")


def prove_twin(
    settings: Settings, estimator: Any, contents: dict[str, bytes], matrix: Floats, rng: np.random.Generator
) -> str:
    """Compare the twin with the estimator on every training row, with and without missing values, bit for bit.

    Returns what the twin lacks to serve this model, "" where it serves it; adds its contribution tables to
    `contents`. Raises ArtefactRefused where the two disagree.
    """
    document = json.loads(contents["model.json"])
    try:
        twin = trees.load(document)
    except trees.UnsupportedModel as unsupported:
        return unsupported.message
    for rows in _with_and_without_missing(settings, matrix, rng):
        expected = margins(settings.family, estimator, rows)
        differing = sum(twin.margin(row) != margin for row, margin in zip(rows.tolist(), expected, strict=True))
        if differing:
            raise ArtefactRefused(
                f"{settings.name}/model.json: the twin differs from the estimator in {differing} of {len(rows)}"
                " training rows; the model was not written"
            )
    contents["contributions.bin"] = contribution_tables.prepare(document)
    return ""


def _with_and_without_missing(settings: Settings, matrix: Floats, rng: np.random.Generator) -> Iterator[Floats]:
    yield matrix
    if family_of(settings).takes_missing:
        yield np.where(rng.uniform(size=matrix.shape) < MISSING_SHARE, np.nan, matrix)


def _estimator_entry(settings: Settings, estimator: Any) -> dict[str, Any]:
    kind = type(estimator)
    return {
        "family": settings.family,
        "class": f"{kind.__module__}.{kind.__qualname__}",
        "parameters": settings.parameters,
        "seed": settings.seed,
        "directions": settings.directions,
    }


def _rules(settings: Settings) -> dict[str, Any]:
    """What serving takes from model.toml and reasons.toml as it stands there."""
    return {
        "identities": settings.identities,
        "limits": settings.limits,
        "observations": settings.observations,
        "refer": settings.refer,
        "points": settings.points,
        "response": settings.response,
        "reasons": settings.reasons,
    }


def _golden(settings: Settings, estimator: Any, rows: Floats) -> list[dict[str, Any]]:
    vectors = [[None if math.isnan(value) else value for value in row] for row in rows.tolist()]
    values = margins(settings.family, estimator, rows)
    return [{"vector": vector, "margin": value} for vector, value in zip(vectors, values, strict=True)]


def _training_entry(settings: Settings, data: TrainingData) -> dict[str, Any]:
    rows, positives = len(data.labels), int(data.labels.sum())
    return {
        "origin": data.origin,
        "rows": rows,
        "positives": positives,
        "base_rate": round(positives / rows, 6),
        "data_sha256": data.sha256,
        "broken_identities": broken_identities(data, settings.identities, IDENTITY_TOLERANCE),
        "notes": data.notes,
    }


def _metrics_entry(settings: Settings, estimator: Any, data: TrainingData, validation: Validation) -> dict[str, Any]:
    """Cross-validated figures, the in-sample ones named so, calibration, and what drives the score."""
    _, parts = contributions(settings.family, estimator, data.matrix)
    strength = np.abs(np.array(parts)).mean(axis=0).tolist()
    labels = np.tile(data.labels, settings.repeats)
    entry = {
        "method": validation.method,
        "cross_validated": validation.metrics,
        "in_sample": scores_of(data.labels, _probabilities(margins(settings.family, estimator, data.matrix))),
        "reliability": reliability(labels, validation.out_of_fold.ravel()),
        "mean_abs_contribution": dict(zip(data.names, strength, strict=True)),
    }
    rounded: dict[str, Any] = json.loads(json.dumps(entry), parse_float=lambda text: round(float(text), 6))
    return rounded


def _write(folder: Path, contents: dict[str, bytes], manifest: dict[str, Any]) -> None:
    """Put the new artefact in the old one's place in one step; files that only the old one had go with it."""
    with replacing_folder(folder) as fresh:
        for name in WRITTEN:
            (fresh / name).unlink(missing_ok=True)
        save_artefact(str(fresh), contents, manifest)
