"""A logistic regression as numbers alone: what model.joblib holds, so that no server needs the library that fitted it.

It answers as scikit-learn's LogisticRegression behind a StandardScaler does; its margin is the exactly rounded sum
by which the twin defines a linear margin (riskscore/twin/trees.py).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from riskscore.twin.trees import logistic

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]


class LogisticModel:
    """intercept + sum of coefficient * (x - mean) / scale, as log-odds of class 1.

    coef_, mean_, scale_: float64 (columns,). feature_names_in_: the columns' names, in order.
    """

    def __init__(self, intercept: float, coefficients: ArrayLike, mean: ArrayLike, scale: ArrayLike) -> None:
        self.intercept_ = float(intercept)
        self.coef_, self.mean_, self.scale_ = (np.array(part, dtype=float) for part in (coefficients, mean, scale))
        self.classes_ = np.array([0, 1])
        self.feature_names_in_ = np.array([], dtype=str)

    def terms(self, columns: ArrayLike) -> Floats:
        """Each column's part of each row's margin, (n, columns); with the intercept they add up to it."""
        values: Floats = self.coef_ * ((np.asarray(columns, dtype=float) - self.mean_) / self.scale_)
        return values

    def decision_function(self, columns: ArrayLike) -> Floats:
        """Log-odds of class 1, (n,)."""
        return np.array([math.fsum([self.intercept_, *row]) for row in self.terms(columns).tolist()])

    def predict_proba(self, columns: ArrayLike) -> Floats:
        """Probabilities of the classes 0 and 1, (n, 2)."""
        positive = np.array([logistic(margin) for margin in self.decision_function(columns).tolist()])
        return np.column_stack([1.0 - positive, positive])

    def parts(self) -> dict[str, Any]:
        """What the open file, model.json, holds of it."""
        arrays = {"coefficients": self.coef_, "mean": self.mean_, "scale": self.scale_}
        return {"intercept": self.intercept_, **{name: array.tolist() for name, array in arrays.items()}}
