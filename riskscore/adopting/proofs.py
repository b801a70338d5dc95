"""What has to be true of an estimator from outside before it is adopted, and how much of it can be served.

In doubt it is served through its own predict_proba alone: what can't be proven is not promised.
"""

from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from riskscore.artefact.artefact import open_artefact, save_artefact
from riskscore.errors import ArtefactRefused, InvalidFile
from riskscore.scoring.estimators import FAMILIES, contributions, margins
from riskscore.scoring.model import ADDITIVITY, Model
from riskscore.training.proofs import prove_twin
from riskscore.twin import trees

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from riskscore.adopting.estimator_facts import ForeignEstimator
    from riskscore.contract.feature import Feature
    from riskscore.model_toml.settings import Settings

    Floats = NDArray[np.float64]

AGREEMENT = 1e-6  # of probabilities; XGBoost's own are float32


def own_probabilities(file: str, found: ForeignEstimator, rows: Floats, features: Sequence[Feature]) -> Floats:
    """The estimator's own probabilities of rows of the contract; InvalidFile where it can't score them."""
    missing = np.isnan(rows).any(axis=1)
    _own(file, found, rows[~missing], "rows of the contract")
    nullable = ", ".join(feature.name for feature in features if feature.nullable)
    return _own(file, found, rows, f"a missing value, but the contract makes {nullable} nullable")


def _own(file: str, found: ForeignEstimator, rows: Floats, what: str) -> Floats:
    try:
        probabilities = found.own(rows)
    except Exception as error:  # noqa: BLE001 - what it raises is its own affair, and may quote a row
        raise InvalidFile(f"{file} can't score {what} ({type(error).__name__})") from None
    if probabilities.shape != (len(rows),) or not np.all(np.abs(probabilities - 0.5) <= 0.5 + AGREEMENT):
        raise InvalidFile(f"{file} gives probabilities that aren't numbers between 0 and 1")
    return probabilities


def require_same_probabilities(found: ForeignEstimator, rows: Floats, own: Floats) -> None:
    """Keep the family only if the logistic of its margins is what the estimator itself predicts."""
    values = margins(found.family, found.estimator, rows) if found.family != "sklearn" else []
    if values and np.abs(np.array([trees.logistic(value) for value in values]) - own).max() <= AGREEMENT:
        return
    if values:
        found.notes.append(f"its probabilities are not the logistic of its {found.family} margins")
        found.family, found.estimator = "sklearn", found.original
    served = np.array([trees.logistic(value) for value in margins("sklearn", found.estimator, rows)])
    if not np.abs(served - own).max() <= AGREEMENT:
        raise ArtefactRefused("it gives the same row different probabilities")


def write_twin(
    settings: Settings, found: ForeignEstimator, contents: dict[str, bytes], rows: Floats, rng: np.random.Generator
) -> str:
    """Add the open file and the twin's files to `contents`; returns why the twin can't serve it, "" where it can."""
    document = FAMILIES[found.family].document(found.estimator, settings.contract.names)
    if not document:
        return f"the twin evaluates trees of XGBoost and logistic regressions, and this is a {_kind(found)}"
    contents["model.json"] = document
    if not math.isnan(found.missing):
        return f"the estimator takes {found.missing:g} for a missing value, the twin null alone"
    try:
        return prove_twin(settings, found.estimator, contents, rows, rng)
    except ArtefactRefused as error:
        return error.message.partition("; the model was not")[0]


def _kind(found: ForeignEstimator) -> str:
    return type(found.original).__name__


def is_explained(found: ForeignEstimator, rows: Floats) -> bool:
    """Whether contributions of the features add up to each margin."""
    if found.family == "sklearn":
        return False
    values = margins(found.family, found.estimator, rows)
    base, parts = contributions(found.family, found.estimator, rows)
    return bool(np.abs(base + np.array(parts).sum(axis=1) - values).max() <= ADDITIVITY / 2)


def thresholds_of(found: ForeignEstimator) -> dict[int, list[float]]:
    """The thresholds of each feature's splits, by its place, where trees that the twin knows are behind it."""
    if found.family != "xgboost":
        return {}
    try:
        twin = trees.load(json.loads(FAMILIES["xgboost"].document(found.estimator, ())))
    except trees.UnsupportedModel:
        return {}
    splits: dict[int, list[float]] = {}
    for key, threshold, left, _ in twin.nodes if isinstance(twin, trees.TreeTwin) else ():
        if left:
            splits.setdefault(key % twin.n_features, []).append(threshold)
    return splits


def prove_served(name: str, contents: Mapping[str, bytes], manifest: Mapping[str, Any]) -> None:
    """Open what is about to be written as serving would, on each engine, each with its golden rows."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / name
        save_artefact(str(folder), contents, manifest)
        artefact = open_artefact(str(folder))
        for engine in manifest["engines"]:
            model = Model(artefact, engine)
            vector = [math.nan if value is None else value for value in manifest["golden"][0]["vector"]]
            model.contributions([vector], model.margins([vector], engine))
