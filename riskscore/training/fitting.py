"""An estimator of model.toml fitted to rows, and what it then predicts of others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from riskscore.contract.encoding import Encoding
from riskscore.errors import InvalidFile
from riskscore.scoring.estimators import family_of, margins
from riskscore.twin import trees

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from riskscore.model_toml.settings import Settings
    from riskscore.training.training_data import TrainingData

    Floats = NDArray[np.float64]


def encoded(settings: Settings, data: TrainingData) -> TrainingData:
    """The same rows in the columns that the estimator sees."""
    encoding = Encoding(settings.contract)
    return replace(data, names=tuple(encoding.names), matrix=encoding.matrix(data.matrix))


def with_missing(settings: Settings, matrix: Floats, labels: NDArray[np.int8]) -> tuple[Floats, NDArray[np.int8]]:
    """The rows and their labels; where features are optional each twice more, without them and without half of them.

    Rows of the sources have all features, so that nothing else would teach an estimator what to make of one that lacks.
    """
    features, encoding = settings.contract.features, Encoding(settings.contract)
    optional = np.array([feature.optional for feature in features])
    if not optional.any():
        return matrix, labels
    gaps = encoding.matrix(np.where(optional, np.nan, 0.0).reshape(1, -1))
    some = np.random.default_rng(settings.seed).uniform(size=(len(matrix), len(features))) < 0.5
    lacking = [np.where((optional & lacks)[:, encoding.owners()], gaps, matrix) for lacks in (np.ones_like(some), some)]
    return np.vstack([matrix, *lacking]), np.tile(labels, 3)


def fit(settings: Settings, matrix: Floats, labels: NDArray[np.int8]) -> Any:
    """The estimator of model.toml, fitted to columns (n, columns), knowing them by name, as it is served."""
    family = family_of(settings)
    estimator = family.build(settings)
    try:
        estimator.fit(*with_missing(settings, matrix, labels))
    except (ValueError, TypeError) as error:  # XGBoostError is a ValueError
        reason = str(error).strip().splitlines()[-1]
        raise InvalidFile(f"{settings.name}/model.toml: the estimator refuses its parameters: {reason}") from None
    served = family.served(estimator)
    family.name(served, Encoding(settings.contract).names)
    return served


def predictor(settings: Settings) -> Callable[[Any, Any, Any], Floats]:
    """predict(matrix, labels, unseen): fitted to columns and labels, the probabilities of other rows' columns."""

    def predict(matrix: Floats, labels: NDArray[np.int8], unseen: Floats) -> Floats:
        return probabilities(margins(settings.family, fit(settings, matrix, labels), unseen))

    return predict


def probabilities(values: list[float]) -> Floats:
    """As serving computes them: the logistic of the margin in double precision."""
    return np.array([trees.logistic(value) for value in values])
