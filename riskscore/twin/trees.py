"""The portable twin: a model's margin from its open file, with the standard library alone.

XGBoost: the margin of `Booster.inplace_predict(..., predict_type="margin")` bit for bit. Inputs and thresholds are
float32, `x < threshold` goes left, a missing value (NaN) follows the node's default, and the sum starts with the
base margin and is rounded to float32 after each tree, in tree order.

Linear models: the margin is *defined* here, for both engines, as the exactly rounded sum (`math.fsum`) of the
intercept and coefficient * (x - mean) / scale. scikit-learn's `decision_function` leaves the order of that sum to
the BLAS of the machine; it agrees to about 1e-12 relative, but no definition can agree with it bit for bit.

Scorecards: riskscore/twin/scorecard.py.
"""

from __future__ import annotations

import math
import struct
from array import array
from itertools import compress
from math import isfinite, isnan
from operator import lt

from riskscore.errors import ArtefactRefused, OurFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, TypeAlias

    from riskscore.twin.scorecard import Scorecard

    Columns = tuple[array[int], array[float], array[int], array[int]]
    Twin: TypeAlias = "TreeTwin | LinearTwin | Scorecard"

LINEAR_FORMAT = "riskscore-linear-1"
PACKED_MAGIC = b"riskscore-trees-1".ljust(20)
_PACKED_HEAD = struct.Struct("<20sIIIf")  # magic, features, trees, nodes, base margin; then little-endian columns


class UnsupportedModel(OurFault, ValueError):
    """A sound model whose structure the twin doesn't evaluate: joblib alone serves it."""

    type = "unsupported_model"


def logistic(margin: float) -> float:
    """Probability of a margin in double precision, for both engines (XGBoost's own sigmoid rounds to float32)."""
    if margin >= 0.0:
        return 1.0 / (1.0 + math.exp(-margin))
    odds = math.exp(margin)
    return odds / (1.0 + odds)


class TreeTwin:
    """An ensemble of binary trees as one flat list of nodes.

    nodes:  (key, threshold, left, right) per node; a leaf has left = 0 and its value as threshold.
    key:    the feature's index f; f + n_features where a missing value goes left.
    roots:  each tree's first node, in tree order. A child always stands behind its parent.
    """

    def __init__(self, n_features: int, base_margin: float, roots: array[int], columns: Columns) -> None:
        _check_structure(n_features, roots, columns)
        self.n_features = n_features
        self.base_margin = base_margin
        self.roots = roots
        self.columns = columns
        self.nodes = list(zip(*columns, strict=True))

    def row(self, vector: Sequence[float]) -> list[float]:
        """The values that keys point at, float32. A row of another length is refused.

        NaN < threshold is false: to the right. In the row's second half a missing value is below every threshold.
        """
        if len(vector) != self.n_features:
            raise ValueError(f"the model takes {self.n_features} features, the row has {len(vector)}")
        row = array("f", vector).tolist()
        return row + [-math.inf if isnan(value) else value for value in row]

    def margin(self, vector: Sequence[float]) -> float:
        """The margin of one row: floats in the contract's order, NaN = missing."""
        row, nodes = self.row(vector), self.nodes
        total = array("f", (self.base_margin,))
        for root in self.roots:
            key, threshold, left, right = nodes[root]
            while left:
                key, threshold, left, right = nodes[left if row[key] < threshold else right]
            total[0] += threshold
        return total[0]


class LinearTwin:
    """intercept + sum of coefficient * (x - mean) / scale."""

    def __init__(self, intercept: float, coefficients: list[float], mean: list[float], scale: list[float]) -> None:
        self.n_features = len(coefficients)
        self.intercept = intercept
        self.coefficients = coefficients
        self.mean = mean
        self.scale = scale

    def terms(self, vector: Sequence[float]) -> list[float]:
        """Each feature's part of the margin. A row of another length, or with a missing value, is refused."""
        if len(vector) != self.n_features:
            raise ValueError(f"the model takes {self.n_features} features, the row has {len(vector)}")
        if any(map(isnan, vector)):
            raise ValueError("a linear model takes no missing value")
        return [c * ((x - m) / s) for c, x, m, s in zip(self.coefficients, vector, self.mean, self.scale, strict=True)]

    def margin(self, vector: Sequence[float]) -> float:
        """The margin of one row of floats in the contract's order."""
        return math.fsum([self.intercept, *self.terms(vector)])


def _check_structure(n_features: int, roots: array[int], columns: Columns) -> None:
    """Refuse what would walk out of the lists, in circles or into NaN; a file may be whole and yet hostile."""
    keys, thresholds, left, right = columns
    parents = list(compress(range(len(left)), left))
    lefts, rights = list(compress(left, left)), list(compress(right, left))
    entered = [*roots, *lefts, *rights]
    sound = (
        len(keys) == len(thresholds) == len(left) == len(right)
        and len(rights) == len(right) - right.count(0)
        and all(map(lt, parents, lefts))
        and all(map(lt, parents, rights))
        and len(set(entered)) == len(entered)
        and 0 <= min(entered, default=0) <= max(entered, default=-1) < max(len(keys), 1)
        and 0 <= min(keys, default=0) <= max(keys, default=0) < 2 * n_features
        and all(map(isfinite, thresholds))
    )
    if not sound:
        raise ArtefactRefused("the model file's trees are broken: a node, a feature or a threshold is out of range")


def pack(twin: TreeTwin) -> bytes:
    """The twin as bytes that `unpack` reads 20 times faster than JSON is parsed: for the cold start."""
    head = _PACKED_HEAD.pack(PACKED_MAGIC, twin.n_features, len(twin.roots), len(twin.nodes), twin.base_margin)
    return b"".join([head, twin.roots.tobytes(), *(column.tobytes() for column in twin.columns)])


def unpack(packed: bytes) -> TreeTwin:
    """The twin that was packed, all of its structure checked again; ArtefactRefused where it is broken."""
    head = packed[: _PACKED_HEAD.size].ljust(_PACKED_HEAD.size)
    magic, n_features, n_trees, n_nodes, base_margin = _PACKED_HEAD.unpack(head)
    if magic != PACKED_MAGIC or len(packed) != len(head) + 4 * (n_trees + 4 * n_nodes) or not isfinite(base_margin):
        raise ArtefactRefused("the packed twin is broken: its size or format isn't what its head says")
    lengths = (n_trees, n_nodes, n_nodes, n_nodes, n_nodes)
    columns: tuple[array[Any], ...] = (array("i"), array("i"), array("f"), array("i"), array("i"))
    start = len(head)
    for column, length in zip(columns, lengths, strict=True):
        column.frombytes(packed[start : start + 4 * length])
        start += 4 * length
    roots, keys, thresholds, left, right = columns
    return TreeTwin(n_features, base_margin, roots, (keys, thresholds, left, right))


def load(document: dict[str, Any]) -> Twin:
    """The twin of a model's open file. UnsupportedModel: a structure we don't know; ArtefactRefused: a broken file."""
    try:
        kind = document.get("format", "xgboost")
        if kind not in _PARSERS:
            raise UnsupportedModel(f"the twin reads {' and '.join(_PARSERS)}, the model file says another format")
        return _PARSERS[kind](document)
    except OurFault:
        raise
    except (LookupError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise ArtefactRefused(f"the model file is broken: {type(error).__name__}: {error}") from error


def _parse_xgboost(document: dict[str, Any]) -> TreeTwin:
    """XGBoost's own JSON (`Booster.save_model("model.json")`), as written by 1.7 to 3.2."""
    from riskscore.twin.base_score import base_margin

    learner = document["learner"]
    _check_supported(learner)
    parameters, model = learner["learner_model_param"], learner["gradient_booster"]["model"]
    trees = model["trees"]
    if len(trees) != int(model["gbtree_model_param"]["num_trees"]):
        raise ValueError("it doesn't have as many trees as it says")
    roots, columns = array("i"), (array("i"), array("f"), array("i"), array("i"))
    n_features = int(parameters["num_feature"])
    for tree in trees:
        roots.append(len(columns[0]))
        _append_tree(tree, n_features, columns)
    return TreeTwin(n_features, base_margin(parameters["base_score"]), roots, columns)


def _check_supported(learner: dict[str, Any]) -> None:
    """Refuse every structure whose margin is computed in another way than a plain sum over single trees."""
    parameters, booster = learner["learner_model_param"], learner["gradient_booster"]
    objective = learner["objective"]["name"]
    if objective != "binary:logistic":
        raise UnsupportedModel(f"the twin evaluates the objective binary:logistic, the model has {objective}")
    if booster["name"] != "gbtree":
        raise UnsupportedModel(f"the twin evaluates the booster gbtree, the model has {booster['name']}")
    if (
        int(parameters["num_class"]) > 1
        or int(parameters.get("num_target", 1)) > 1
        or any(booster["model"]["tree_info"])
    ):
        raise UnsupportedModel("the twin evaluates models with one output, the model has several")
    stopped = learner.get("attributes", {}).get("best_iteration")
    rounds = booster["model"].get("iteration_indptr")
    if stopped is not None and (rounds is None or int(stopped) + 2 != len(rounds)):
        raise UnsupportedModel("the model stopped early and still has its later trees: cut it to its best iteration")


def _append_tree(tree: dict[str, Any], n_features: int, columns: Columns) -> None:
    """Append one tree's nodes to the flat columns."""
    if any(tree.get("split_type", ())) or tree.get("categories_nodes"):
        raise UnsupportedModel("the twin evaluates numeric splits, the model has categorical ones")
    if int(tree["tree_param"].get("size_leaf_vector", 1)) > 1:
        raise UnsupportedModel("the twin evaluates single-valued leaves, the model has vectors")
    left, right = array("i", tree["left_children"]), array("i", tree["right_children"])
    features, default_left = array("i", tree["split_indices"]), array("b", tree["default_left"])
    thresholds = array("f", tree["split_conditions"])
    size, offset = int(tree["tree_param"]["num_nodes"]), len(columns[0])
    if size < 1 or {len(left), len(right), len(features), len(default_left), len(thresholds)} != {size}:
        raise ValueError("a tree's lists aren't of one length")
    if min(*left, *right) < -1 or max(*left, *right) >= size or not set(default_left) <= {0, 1}:
        raise ValueError("a tree's links lead out of it")
    splits = zip(features, default_left, left, strict=True)  # a leaf's feature means nothing: pruning leaves 2**31 - 1
    keys = array("i", [(f + n_features if by_default else f) if child >= 0 else 0 for f, by_default, child in splits])
    if any(child >= 0 and not 0 <= f < n_features for f, child in zip(features, left, strict=True)):
        raise ValueError("a tree splits at a feature that isn't there")
    columns[0].extend(keys)
    columns[1].extend(thresholds)
    columns[2].extend(child + offset if child >= 0 else 0 for child in left)
    columns[3].extend(child + offset if child >= 0 else 0 for child in right)


def _parse_linear(document: dict[str, Any]) -> LinearTwin:
    """{"format", "intercept", "coefficients": [...], and where the model standardises "mean" and "scale": [...]}."""
    coefficients = array("d", document["coefficients"]).tolist()
    mean = array("d", document.get("mean", [0.0] * len(coefficients))).tolist()
    scale = array("d", document.get("scale", [1.0] * len(coefficients))).tolist()
    intercept = array("d", [document["intercept"]])[0]
    if not len(coefficients) == len(mean) == len(scale):
        raise ValueError("coefficients, mean and scale are of different lengths")
    if 0.0 in scale or not all(map(isfinite, [intercept, *coefficients, *mean, *scale])):
        raise ValueError("a coefficient, mean or scale isn't a usable number")
    return LinearTwin(intercept, coefficients, mean, scale)


def _parse_scorecard(document: dict[str, Any]) -> Scorecard:
    from riskscore.twin.scorecard import scorecard_of

    return scorecard_of(document)


_PARSERS: dict[str, Callable[[dict[str, Any]], Twin]] = {
    "xgboost": _parse_xgboost,
    LINEAR_FORMAT: _parse_linear,
    "riskscore-scorecard-1": _parse_scorecard,
}
