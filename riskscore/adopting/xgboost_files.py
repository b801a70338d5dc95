"""XGBoost models from outside: its own files, which hold data and no program, and boosters however they came."""

from __future__ import annotations

import contextlib
import json
import math
from typing import Any

from riskscore.adopting import ubjson
from riskscore.adopting.estimator_facts import Foreign, positive
from riskscore.adopting.pickle_opcodes import xgboost_version
from riskscore.artefact.artefact import installed_versions
from riskscore.errors import ArtefactRefused, InvalidFile
from riskscore.twin import trees

UBJSON = (b"{L", b"{i", b"{U")  # a table, and the kind of number that its first key's length is
COLUMNS = (
    *("left_children", "right_children", "parents", "split_indices", "split_conditions", "default_left"),
    *("base_weights", "loss_changes", "sum_hessian"),
)
OBJECTIVES = ("binary:logistic", "reg:logistic")  # the margins of both are log-odds


def from_file(file: str, data: bytes) -> Foreign:
    """XGBoost's own JSON or UBJSON; an older version's is read as XGBoost promises, a newer one's isn't."""
    from xgboost import Booster
    from xgboost.core import XGBoostError

    written, here = xgboost_version(data), installed_versions({"xgboost": ""})["xgboost"]
    if written and _minor(written) > _minor(here):
        raise InvalidFile(f"{file} was written with xgboost {written}, but {here} is installed, which is older")
    try:
        document = ubjson.loads(data) if data[:2] in UBJSON else json.loads(data)
        _check(document)
        booster = Booster({"nthread": 1})
        booster.load_model(bytearray(json.dumps(document).encode()))
    except (XGBoostError, ArtefactRefused, LookupError, TypeError, ValueError, AttributeError, RecursionError):
        raise InvalidFile(f"{file} is no XGBoost model, or a broken one") from None
    found = from_booster(file, booster, math.nan)
    found.versions = {"xgboost": written} if written else {}
    if written and _minor(written) != _minor(here):
        found.notes.append(f"written with xgboost {written} and read by {here}, as its file format allows")
    return found


def _minor(version: str) -> list[int]:
    return list(map(int, version.split(".")[:2]))


def _check(document: dict[str, Any]) -> None:
    """Raise for what would lead XGBoost astray: it takes the links and lengths in a file at their word."""
    with contextlib.suppress(trees.UnsupportedModel):
        trees.load(document)
    booster = document["learner"]["gradient_booster"]
    if booster["name"] == "gblinear":
        return
    model = booster["model" if booster["name"] == "gbtree" else "gbtree"]
    model = model.get("model", model)  # DART has it one level deeper
    rounds = model.get("iteration_indptr", [0, len(model["trees"])])
    if rounds != sorted(rounds) or rounds[0] != 0 or rounds[-1] != len(model["trees"]):
        raise ValueError("its rounds aren't made of its trees")
    for tree in model["trees"]:
        size, links = int(tree["tree_param"]["num_nodes"]), (*tree["left_children"], *tree["right_children"])
        if any(len(tree[column]) != size for column in COLUMNS) or not all(-1 <= link < size for link in links):
            raise ValueError("a tree's lists or links aren't of its size")


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
