"""XGBoost models from outside: its own files, which hold data and no program, and boosters however they came."""

from __future__ import annotations

import json
import math
from typing import Any

from riskscore import trees
from riskscore.artefact import installed_versions
from riskscore.errors import ArtefactRefused, InvalidFile
from riskscore.foreign import Foreign, positive
from riskscore.pickle_walk import xgboost_version

OBJECTIVES = ("binary:logistic", "reg:logistic")  # the margins of both are log-odds


def from_file(file: str, data: bytes) -> Foreign:
    """XGBoost's own JSON or UBJSON; an older version's is read as XGBoost promises, a newer one's isn't."""
    from xgboost import Booster
    from xgboost.core import XGBoostError

    written, here = xgboost_version(data), installed_versions({"xgboost": ""})["xgboost"]
    if written and _minor(written) > _minor(here):
        raise InvalidFile(f"{file} was written with xgboost {written}, but {here} is installed, which is older")
    if data.lstrip()[1:2] != b"L":
        _check_trees(file, data)
    booster = Booster({"nthread": 1})
    try:
        booster.load_model(bytearray(data))
    except (XGBoostError, TypeError, ValueError):
        raise InvalidFile(f"{file} is no XGBoost model, or a broken one") from None
    found = from_booster(file, booster, math.nan)
    found.versions = {"xgboost": written} if written else {}
    if written and _minor(written) != _minor(here):
        found.notes.append(f"written with xgboost {written} and read by {here}, as its file format allows")
    return found


def _minor(version: str) -> list[int]:
    return list(map(int, version.split(".")[:2]))


def _check_trees(file: str, document: bytes) -> None:
    """Refuse trees whose links lead out of them: XGBoost follows them wherever they go."""
    try:
        trees.load(json.loads(document))
    except trees.UnsupportedModel:
        return
    except (ArtefactRefused, ValueError, RecursionError, AttributeError):
        raise InvalidFile(f"{file} is no XGBoost model, or a broken one") from None


def from_booster(file: str, booster: Any, missing: float) -> Foreign:
    """A booster of two classes as a plain XGBClassifier, up to its best iteration where it stopped early."""
    from xgboost import XGBClassifier

    notes: list[str] = []
    learner = json.loads(bytes(booster.save_raw("json")))["learner"]
    objective, classes = learner["objective"]["name"], int(learner["learner_model_param"]["num_class"])
    if classes > 2:
        raise InvalidFile(f"{file} tells {classes} classes apart, but a score needs two, 0 and 1")
    if objective not in OBJECTIVES:
        raise InvalidFile(f"{file} has the objective {objective}, which gives no probability; {OBJECTIVES[0]} does")
    _check_trees(file, bytes(booster.save_raw("json")))
    best, linear = booster.attr("best_iteration"), learner["gradient_booster"]["name"] == "gblinear"
    if best is not None and not linear and int(best) + 1 < booster.num_boosted_rounds():
        notes.append(
            f"stopped early: {int(best) + 1} of its {booster.num_boosted_rounds()} rounds count, as in predict"
        )
        booster = booster[: int(best) + 1]
    names = booster.feature_names
    classifier = XGBClassifier(n_jobs=1, missing=missing)
    booster = booster.copy()
    booster.set_attr(scikit_learn=None)  # it may say that a regressor wrote it; the objective has been checked
    classifier.load_model(bytearray(booster.save_raw("ubj")))
    return Foreign(
        estimator=classifier,
        original=classifier,
        family="sklearn" if linear else "xgboost",
        own=positive(classifier),
        names=None if names is None else list(names),
        width=booster.num_features(),
        missing=missing,
        notes=notes,
    )
