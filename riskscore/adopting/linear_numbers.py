"""A logistic regression of another scikit-learn version, made anew of its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from riskscore.adopting.pickle_imports import is_expected
from riskscore.errors import InvalidFile

if TYPE_CHECKING:
    from riskscore.adopting.pickle_opcodes import Listing

CLASSES = {"LogisticRegression", "StandardScaler", "Pipeline"}


def is_linear_alone(listing: Listing) -> bool:
    """Whether a pickle asks for nothing unusual, and of scikit-learn for a logistic regression and a scaler alone."""
    names = {entry.name for entry in listing.imports if entry.module.partition(".")[0] == "sklearn"}
    return all(map(is_expected, listing.imports)) and "LogisticRegression" in names and names <= CLASSES


def rebuild(file: str, value: Any) -> Any:
    """The same numbers in this version's classes; InvalidFile where they aren't all there."""
    steps = [step for _, step in value.steps] if hasattr(value, "steps") else [value]
    try:
        made = [MAKERS[type(step).__name__](file, step) for step in steps]
        names = getattr(steps[0], "feature_names_in_", None)
    except (AttributeError, TypeError, ValueError, LookupError):
        raise InvalidFile(f"{file} holds a logistic regression without all of its coefficients") from None
    made[0].n_features_in_ = made[-1].n_features_in_
    if names is not None:
        made[0].feature_names_in_ = np.array(list(map(str, names)), dtype=object)
    return Pipeline([(type(step).__name__.lower(), step) for step in made]) if len(made) > 1 else made[0]


def _model(file: str, old: Any) -> LogisticRegression:
    if getattr(old, "multi_class", "auto") == "multinomial":  # two classes then have twice the log-odds
        raise InvalidFile(f"{file} has multi_class = 'multinomial', which this version of scikit-learn doesn't know")
    made = LogisticRegression()
    made.classes_ = np.array(old.classes_)
    made.coef_, made.intercept_ = _finite(old.coef_), _finite(old.intercept_)
    if made.coef_.ndim != 2 or made.coef_.shape[0] != len(made.intercept_):
        raise ValueError("coefficients of the wrong shape")
    made.n_features_in_ = made.coef_.shape[1]
    return made


def _scaler(_file: str, old: Any) -> StandardScaler:
    made = StandardScaler(with_mean=bool(old.with_mean), with_std=bool(old.with_std))
    made.mean_ = _finite(old.mean_) if made.with_mean else None
    made.scale_ = _finite(old.scale_) if made.with_std else None
    made.var_ = None if made.scale_ is None else made.scale_**2
    return made


def _finite(numbers: Any) -> Any:
    found = np.array(numbers, dtype=float)
    if not np.isfinite(found).all():
        raise ValueError("a value that isn't a number")
    return found


MAKERS = {"LogisticRegression": _model, "StandardScaler": _scaler}
