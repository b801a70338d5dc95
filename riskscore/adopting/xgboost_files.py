"""XGBoost models from outside: its own files, which hold data and no program, and boosters however they came."""

from __future__ import annotations

import contextlib
import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from riskscore.adopting import ubjson
from riskscore.adopting.estimator_facts import MOST_CODES, ForeignEstimator
from riskscore.adopting.pickle_opcodes import xgboost_version
from riskscore.adopting.xgboost_facts import categories_of, gradient_model, met_missing
from riskscore.artefact.artefact import installed_versions
from riskscore.errors import ArtefactRefused, InvalidFile
from riskscore.twin import trees

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

UBJSON = (b"{L", b"{i", b"{U")  # a table, and the kind of number that its first key's length is
COLUMNS = (
    *("left_children", "right_children", "parents", "split_indices", "split_conditions", "default_left"),
    *("base_weights", "loss_changes", "sum_hessian"),
)
NO_PARENT = 2**31 - 1  # of a root
FEATURE_TYPES = {"int", "float", "i", "q", "c"}
OBJECTIVES = ("binary:logistic", "reg:logistic")  # the margins of both are log-odds


def from_file(file: str, data: bytes, rounds: str) -> ForeignEstimator:
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
        booster.save_raw("ubj")  # fails where the parts don't fit each other
    except (XGBoostError, ArtefactRefused, LookupError, TypeError, ValueError, AttributeError, RecursionError):
        raise InvalidFile(f"{file} isn't an XGBoost model, or is broken") from None
    found = from_booster(file, booster, None, rounds, booster.attr("scikit_learn") is not None)
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
    learner = document["learner"]
    if learner["gradient_booster"]["name"] == "gblinear":
        return
    model = gradient_model(learner)
    rounds = model.get("iteration_indptr", [0, len(model["trees"])])
    if rounds != sorted(rounds) or rounds[0] != 0 or rounds[-1] != len(model["trees"]):
        raise ValueError("its rounds aren't made of its trees")
    outputs = max(1, int(learner["learner_model_param"]["num_class"]))
    if not all(0 <= output < outputs for output in model["tree_info"]):
        raise ValueError("a tree adds to an output that isn't there")
    if not set(learner.get("feature_types", ())) <= FEATURE_TYPES:
        raise ValueError("a feature is of no known type")
    for tree in model["trees"]:
        _check_links(tree)
        _check_categories(tree, len(tree["parents"]))
    categories_of(learner)


def _check_links(tree: dict[str, Any]) -> None:
    size, parents = int(tree["tree_param"]["num_nodes"]), tree["parents"]
    if any(len(tree[column]) != size for column in COLUMNS):
        raise ValueError("a tree's lists aren't of its size")
    if not all(0 <= parent < size or parent == NO_PARENT for parent in parents):
        raise ValueError("a tree has a parent outside it")
    for node, children in enumerate(zip(tree["left_children"], tree["right_children"], strict=True)):
        if children != (-1, -1) and not all(0 < child < size and parents[child] == node for child in children):
            raise ValueError("a tree's links lead elsewhere")


def _check_categories(tree: dict[str, Any], size: int) -> None:
    nodes, codes = tree.get("categories_nodes", []), tree.get("categories", [])
    ends = [
        start + count if start >= 0 <= count else -1
        for start, count in zip(tree.get("categories_segments", []), tree.get("categories_sizes", []), strict=True)
    ]
    kinds = tree.get("split_type", [])
    if len(kinds) not in (0, size) or not set(kinds) <= {0, 1}:
        raise ValueError("a tree's splits are of no known kind")
    if len(ends) != len(nodes) or not all(0 <= end <= len(codes) for end in ends):
        raise ValueError("a tree's categories aren't of its splits")
    if not all(0 <= node < size for node in nodes) or not all(0 <= code < MOST_CODES for code in codes):
        raise ValueError("a tree has categories that can't be")


def from_booster(file: str, booster: Any, missing: float | None, rounds: str, wrapped: bool) -> ForeignEstimator:
    """A booster of two classes as a plain XGBClassifier of the rounds that count.

    missing: the value that it takes for a missing one, None where nobody knows. rounds: "best", "all" or "" for what
    the kind of model does. wrapped: whether scikit-learn's wrapper made it.
    """
    learner = json.loads(bytes(booster.save_raw("json")))["learner"]
    _check_objective(file, learner)
    notes: list[str] = []
    counted_rounds = _counted_rounds(file, booster, rounds, wrapped, notes)
    taken = math.nan if missing is None else missing
    return ForeignEstimator(
        estimator=(classifier := _classifier(booster, counted_rounds, taken)),
        original=classifier,
        family="sklearn" if learner["gradient_booster"]["name"] == "gblinear" else "xgboost",
        own=_own(booster, counted_rounds, taken),
        names=None if booster.feature_names is None else list(booster.feature_names),
        width=booster.num_features(),
        missing=taken,
        keeps_missing=missing is not None,
        categories=categories_of(learner),
        met_missing=met_missing(learner),
        notes=notes,
    )


def _check_objective(file: str, learner: dict[str, Any]) -> None:
    objective, classes = learner["objective"]["name"], int(learner["learner_model_param"]["num_class"])
    if classes > 2:
        raise InvalidFile(f"{file} has {classes} classes, but a score needs two, 0 and 1")
    if objective.startswith("multi:"):
        raise InvalidFile(
            f"{file} has the objective {objective}, a margin for each class; train it with {OBJECTIVES[0]}"
        )
    if objective not in OBJECTIVES:
        raise InvalidFile(f"{file} has the objective {objective}, which gives no probability; {OBJECTIVES[0]} does")


def _counted_rounds(file: str, booster: Any, rounds: str, wrapped: bool, notes: list[str]) -> int:
    """How many rounds count, 0 for all. Where it stopped early, scikit-learn's wrapper and a Booster differ."""
    stated, made = booster.attr("best_iteration"), booster.num_boosted_rounds()
    if stated is None:
        if rounds:
            raise InvalidFile(f"{file} didn't stop early: --rounds doesn't apply")
        return 0
    if not stated.isdecimal():
        raise InvalidFile(f"{file} has a best_iteration that isn't a number")
    best = int(stated) + 1
    if best >= made:
        return 0
    if not rounds and not wrapped:
        raise InvalidFile(
            f"{file} stopped early: its best round was number {best} of {made}, and Booster.predict counts them all,"
            " XGBClassifier those up to the best; say --rounds all or --rounds best, as its owner's service does"
        )
    chosen = rounds or "best"
    said = f"as --rounds {rounds} says" if rounds else "as in XGBClassifier's predict_proba; Booster.predict counts all"
    notes.append(f"stopped early: {best if chosen == 'best' else made} of its {made} rounds count, {said}")
    return best if chosen == "best" else 0


def _classifier(booster: Any, counted_rounds: int, missing: float) -> Any:
    from xgboost import XGBClassifier

    classifier = XGBClassifier(n_jobs=1, missing=missing)
    cut = booster[:counted_rounds] if counted_rounds else booster.copy()
    # a regressor may have written it, the objective has been checked; what was the best round no longer counts
    cut.set_attr(scikit_learn=None, best_iteration=None, best_score=None)
    classifier.load_model(bytearray(cut.save_raw("ubj")))
    return classifier


def _own(booster: Any, counted_rounds: int, missing: float) -> Callable[[Floats], Floats]:
    """Its own predict, of the booster as it came."""
    from xgboost import DMatrix

    def own(matrix: Floats) -> Floats:
        options = {"feature_names": booster.feature_names, "feature_types": booster.feature_types}
        data = DMatrix(matrix, missing=missing, nthread=1, enable_categorical=True, **options)
        return np.asarray(booster.predict(data, iteration_range=(0, counted_rounds)), dtype=float)

    return own
