"""The estimator families: how each is built, how its margins come out, and how its open file is written.

One table for training and serving. A margin is the log-odds of the positive class; the portable twin computes the
same number, bit for bit, from the open file.
"""

from __future__ import annotations

import json
import math
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from riskscore.contract.encoding import Encoding, has_missing_column, may_be_missing
from riskscore.errors import ArtefactRefused, InvalidFile
from riskscore.twin import trees
from riskscore.twin.linear import LogisticModel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import ArrayLike

    from riskscore.model_toml.settings import Settings

# Log-odds that stand for a probability of exactly 0 or 1: the logistic gives these back, and anything smaller for less.
CERTAIN = 750.0
LINEAR_STEPS = (["LogisticRegression"], ["StandardScaler", "LogisticRegression"])


class Family(NamedTuple):
    """How the estimators of one kind are handled.

    build: an unfitted one from the settings. served: what is kept of a fitted one. margins, contributions: of a fitted
    one for its columns (n, columns). name: tells a fitted one its columns. document: its open file, model.json; b""
    where there is none. packages: whose versions a pickle of it depends on, beside Python, numpy and joblib.
    takes_missing: whether it scores rows with missing values.
    """

    build: Callable[[Settings], Any]
    served: Callable[[Any], Any]
    margins: Callable[[Any, ArrayLike], list[float]]
    contributions: Callable[[Any, ArrayLike], tuple[float, list[list[float]]]]
    name: Callable[[Any, Sequence[str]], None]
    document: Callable[[Any, Sequence[str]], bytes]
    packages: tuple[str, ...]
    takes_missing: bool


def family_of(settings: Settings) -> Family:
    """The family that model.toml names."""
    if settings.family not in FAMILIES:
        known = ", ".join((*FAMILIES, "auto"))
        raise InvalidFile(f"{settings.name}/model.toml: unknown estimator.family {settings.family!r}; known: {known}")
    return FAMILIES[settings.family]


def margins(family: str, estimator: Any, vectors: ArrayLike) -> list[float]:
    """Log-odds of the positive class for each row of (n, features), NaN where a value is missing."""
    return FAMILIES[family].margins(estimator, vectors)


def contributions(family: str, estimator: Any, vectors: ArrayLike) -> tuple[float, list[list[float]]]:
    """The base value, and for each row each feature's part of the margin; together they add up to it."""
    return FAMILIES[family].contributions(estimator, vectors)


def _xgboost_margins(estimator: Any, vectors: ArrayLike) -> list[float]:
    """float32 margins as XGBoost sums them. The Booster itself, since the sklearn wrapper takes half as long again."""
    matrix = np.asarray(vectors, dtype=np.float32)
    values = estimator.get_booster().inplace_predict(
        matrix, iteration_range=_rounds(estimator), predict_type="margin", missing=estimator.missing
    )
    found: list[float] = values.astype(float).tolist()
    return found


def _xgboost_contributions(estimator: Any, vectors: ArrayLike) -> tuple[float, list[list[float]]]:
    """Exact path-dependent TreeSHAP, by XGBoost itself."""
    from xgboost import DMatrix

    booster = estimator.get_booster()
    matrix = np.asarray(vectors, dtype=np.float32)
    data = DMatrix(matrix, missing=estimator.missing, feature_names=booster.feature_names, nthread=1)
    values = booster.predict(data, pred_contribs=True, iteration_range=_rounds(estimator)).astype(float)
    return float(values[0, -1]), values[:, :-1].tolist()


def _rounds(estimator: Any) -> tuple[int, int]:
    """The trees that count: all of them (0, 0), or those up to the best one where training stopped early."""
    best = estimator.get_booster().attr("best_iteration")
    return (0, 0) if best is None else (0, int(best) + 1)


def _linear_margins(estimator: Any, vectors: ArrayLike) -> list[float]:
    """The exactly rounded sums by which the twin defines a linear margin (see riskscore.trees)."""
    base, terms = _linear_contributions(estimator, vectors)
    return [math.fsum([base, *row]) for row in terms]


def _linear_contributions(estimator: Any, vectors: ArrayLike) -> tuple[float, list[list[float]]]:
    part = _linear_parts(estimator)
    terms = np.array(part["coefficients"]) * ((np.asarray(vectors, dtype=float) - part["mean"]) / part["scale"])
    return part["intercept"], terms.tolist()


def _linear_parts(estimator: Any) -> dict[str, Any]:
    """Intercept, coefficients, mean and scale; of scikit-learn's own, alone or behind a StandardScaler, too."""
    if isinstance(estimator, LogisticModel):
        return estimator.parts()
    steps = [step for _, step in estimator.steps] if hasattr(estimator, "steps") else [estimator]
    if [type(step).__name__ for step in steps] not in LINEAR_STEPS:
        raise ArtefactRefused("a linear model is a LogisticRegression, alone or behind a StandardScaler")
    model, width = steps[-1], len(steps[-1].coef_[0])
    scaler = steps[0] if len(steps) == 2 else None
    return {
        "intercept": float(model.intercept_[0]),
        "coefficients": model.coef_[0].tolist(),
        "mean": [0.0] * width if scaler is None or not scaler.with_mean else scaler.mean_.tolist(),
        "scale": [1.0] * width if scaler is None or scaler.scale_ is None else scaler.scale_.tolist(),
    }


def _build_xgboost(settings: Settings) -> Any:
    from xgboost import XGBClassifier

    _check_parameters(settings, XGBClassifier().get_params(), reserved=("random_state", "n_jobs"))
    directions = Encoding(settings.contract).values_of(settings.directions, 0)
    constrained = {"monotone_constraints": directions} if any(directions) else {}
    # One thread: sums of gradients come in one order, and a single row is scored faster than with several.
    return XGBClassifier(**settings.parameters, **constrained, random_state=settings.seed, n_jobs=1)


def _name_xgboost(estimator: Any, names: Sequence[str]) -> None:
    estimator.get_booster().feature_names = list(names)


def _xgboost_document(estimator: Any, _: Sequence[str]) -> bytes:
    return bytes(estimator.get_booster().save_raw("json"))


def _build_logistic(settings: Settings) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    _check_parameters(settings, LogisticRegression().get_params(), reserved=("random_state",))
    for feature in settings.contract.features:
        if may_be_missing(feature) and not has_missing_column(feature):
            sentence = (
                f"{settings.name}/model.toml: logistic takes no missing value, but {feature.name} has no indicator"
            )
            raise InvalidFile(sentence, feature.name)
    return make_pipeline(StandardScaler(), LogisticRegression(**settings.parameters, random_state=settings.seed))


def _as_fitted(estimator: Any) -> Any:
    return estimator


def _numbers_alone(estimator: Any) -> LogisticModel:
    """Without the classes of scikit-learn, which no server then needs."""
    part = _linear_parts(estimator)
    return LogisticModel(part["intercept"], part["coefficients"], part["mean"], part["scale"])


def _name_linear(estimator: Any, names: Sequence[str]) -> None:
    if isinstance(estimator, LogisticModel):
        estimator.feature_names_in_ = np.array(names)


def _name_nothing(estimator: Any, names: Sequence[str]) -> None:
    """scikit-learn keeps names of data frames alone; the manifest holds the order."""


def _linear_document(estimator: Any, names: Sequence[str]) -> bytes:
    document = {"format": trees.LINEAR_FORMAT, "features": list(names), **_linear_parts(estimator)}
    return json.dumps(document, indent=1, allow_nan=False).encode()


def _adopted_margins(estimator: Any, vectors: ArrayLike) -> list[float]:
    """Log-odds of the probabilities that any classifier with scikit-learn's interface gives its class 1."""
    with warnings.catch_warnings():
        # fitted to a data frame; its column order was compared with the contract's when it was adopted
        warnings.filterwarnings("ignore", "X does not have valid feature names")
        given = estimator.predict_proba(np.asarray(vectors, dtype=float))
    p = np.asarray(given, dtype=float)[:, list(estimator.classes_).index(1)]
    if not np.all(np.abs(p - 0.5) <= 0.5 + 1e-9):
        raise ArtefactRefused("the estimator gives a probability that isn't a number between 0 and 1")
    p = np.clip(p, 0.0, 1.0)
    with np.errstate(divide="ignore"):
        values: list[float] = np.clip(np.log(p) - np.log1p(-p), -CERTAIN, CERTAIN).tolist()
    return values


def _no_contributions(_estimator: Any, vectors: ArrayLike) -> tuple[float, list[list[float]]]:
    """Nothing is known of how such a classifier comes to its score; its manifest says so, and no reasons are given."""
    return 0.0, [[] for _ in np.asarray(vectors)]


def _build_scorecard(settings: Settings) -> Any:
    from riskscore.scoring.scorecard_fit import PARAMETERS, ScorecardFit

    _check_parameters(settings, PARAMETERS, reserved=())
    if settings.calibration:
        sentence = f"{settings.name}/model.toml: calibration must go: a scorecard's points are its answer's points"
        raise InvalidFile(sentence, "calibration")
    return ScorecardFit(settings)


def _scorecard_contributions(estimator: Any, vectors: ArrayLike) -> tuple[float, list[list[float]]]:
    return estimator.base_value, [estimator.of(row) for row in np.asarray(vectors, dtype=float).tolist()]


def _build_nothing(settings: Settings) -> Any:
    raise InvalidFile(f"{settings.name}/model.toml: the family sklearn is for adopted models, and isn't trained here")


def _no_document(_estimator: Any, _names: Sequence[str]) -> bytes:
    return b""


def _check_parameters(settings: Settings, known: Mapping[str, Any], reserved: Sequence[str]) -> None:
    """Refuse a misspelt parameter, which XGBoost would only warn about, and one that training sets itself."""
    for name in settings.parameters:
        where = f"{settings.name}/model.toml: estimator.parameters.{name}"
        if name in (*reserved, "monotone_constraints"):
            raise InvalidFile(f"{where} is set by training (seed and constraints have their own keys)", name)
        if name not in known:
            raise InvalidFile(f"{where} isn't a parameter of the family {settings.family}", name)


FAMILIES: dict[str, Family] = {
    "xgboost": Family(
        _build_xgboost,
        _as_fitted,
        _xgboost_margins,
        _xgboost_contributions,
        _name_xgboost,
        _xgboost_document,
        ("xgboost",),
        takes_missing=True,
    ),
    "logistic": Family(
        _build_logistic,
        _numbers_alone,
        _linear_margins,
        _linear_contributions,
        _name_linear,
        _linear_document,
        (),
        takes_missing=False,
    ),
    "scorecard": Family(
        _build_scorecard,
        lambda fitted: fitted.card,
        lambda estimator, vectors: estimator.margins(vectors),
        _scorecard_contributions,
        _name_nothing,
        lambda estimator, names: json.dumps(estimator.document(names), indent=1, allow_nan=False).encode(),
        (),
        takes_missing=True,
    ),
    "sklearn": Family(
        _build_nothing,
        _as_fitted,
        _adopted_margins,
        _no_contributions,
        _name_nothing,
        _no_document,
        ("scikit-learn",),
        takes_missing=True,
    ),
}
