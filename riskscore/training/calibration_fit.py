"""Fits a calibration to predictions for rows not seen, and says honestly what it gains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from riskscore.twin.calibration import calibration_of
from riskscore.twin.trees import logistic

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SMALLEST_SLOPE = 1e-6  # a calibration never turns the order of the scores round
KNOT_DIGITS = 9


def fit_calibration(method: str, margins: Floats, labels: NDArray[np.int8]) -> dict[str, Any]:
    """The manifest's `calibration`: fitted to (n,) margins of rows not seen and their labels."""
    return {"method": method, **FITS[method](margins, labels)}


def _fit_platt(margins: Floats, labels: NDArray[np.int8]) -> dict[str, Any]:
    fitted = LogisticRegression(C=np.inf).fit(margins.reshape(-1, 1), labels)
    return {"slope": max(float(fitted.coef_[0, 0]), SMALLEST_SLOPE), "intercept": float(fitted.intercept_[0])}


def _fit_isotonic(margins: Floats, labels: NDArray[np.int8]) -> dict[str, Any]:
    """Rates of 0 and 1 become half a row in n: nobody's probability is certain."""
    half = 0.5 / len(labels)
    fitted = IsotonicRegression(y_min=half, y_max=1 - half).fit(margins, labels)
    knots: dict[float, float] = {}
    for margin, rate in zip(fitted.X_thresholds_.tolist(), fitted.y_thresholds_.tolist(), strict=True):
        knots[round(margin, KNOT_DIGITS)] = float(np.log(rate / (1 - rate)))
    return {"margins": list(knots), "log_odds": list(knots.values())}


FITS: dict[str, Callable[[Any, Any], dict[str, Any]]] = {"platt": _fit_platt, "isotonic": _fit_isotonic}


def calibrated_unseen(method: str, out_of_fold: Floats, labels: NDArray[np.int8], folds: int, seed: int) -> Floats:
    """(repeats, n) probabilities, each row's calibrated by a map that was fitted without that row."""
    margins = np.log(out_of_fold / (1 - out_of_fold))
    result = np.full(out_of_fold.shape, np.nan)
    splitter = StratifiedKFold(n_splits=folds, shuffle=True, random_state=seed)
    for seen, unseen in splitter.split(np.zeros(len(labels)), labels):
        fitted = calibration_of(fit_calibration(method, margins[:, seen].ravel(), np.tile(labels[seen], len(margins))))
        for repeat in range(len(margins)):
            result[repeat, unseen] = [logistic(fitted(margin)) for margin in margins[repeat, unseen].tolist()]
    return result
