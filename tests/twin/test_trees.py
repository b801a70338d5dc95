"""The twin: XGBoost's margins to the last bit, and a sentence for what it doesn't evaluate."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xgboost as xgb
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from riskscore.errors import ArtefactRefused
from riskscore.training.contribution_tables import prepare
from riskscore.twin import trees
from riskscore.twin.base_score import base_margin
from tests.random_models import boosters, document, hard_rows, training_data

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _document(**parameters: Any) -> dict[str, Any]:
    data, label = training_data(seed=1, rows=200, missing=0.05)
    model = xgb.XGBClassifier(**{"n_estimators": 3, "max_depth": 3, "n_jobs": 1} | parameters).fit(data, label)
    return document(model.get_booster())


@pytest.mark.slow
@settings(deadline=None, max_examples=80)
@given(model=boosters())
def test_margins_are_xgboosts_own_to_the_last_bit(model: tuple[xgb.Booster, int]) -> None:
    booster, seed = model
    rows = hard_rows(booster, seed, infinite=True)
    twin = trees.load(document(booster))
    expected = booster.inplace_predict(rows, predict_type="margin").tolist()
    assert [twin.margin(row).hex() for row in rows.tolist()] == [margin.hex() for margin in expected]


def test_a_double_is_rounded_to_float32_before_it_meets_a_threshold() -> None:
    model = _document()
    twin = trees.load(model)
    at = np.array([t for t in _first_tree(model)["split_conditions"] if abs(t) > 1e-30] * 5, dtype=np.float32)
    rows = np.random.default_rng(3).choice(at, size=(200, 5)).astype(float) * (
        1 - 1e-12
    )  # below the threshold only as a double
    assert [twin.margin(row) for row in rows] == [twin.margin(row) for row in rows.astype(np.float32)]
    assert twin.margin([1e300] * 5) == twin.margin([math.inf] * 5)


@settings(deadline=None, max_examples=25)
@given(model=boosters(max_trees=10))
def test_a_packed_twin_is_the_same_twin(model: tuple[xgb.Booster, int]) -> None:
    booster, seed = model
    twin = trees.load(document(booster))
    assert isinstance(twin, trees.TreeTwin)
    again = trees.unpack(trees.pack(twin))
    rows = hard_rows(booster, seed, infinite=True).tolist()
    assert [again.margin(row) for row in rows] == [twin.margin(row) for row in rows]


# 0.3372... is one of the 0.5 % where rounding the double logarithm gives another base margin than logf.
@settings(deadline=None)
@given(p=st.floats(0.0, 1.0))
@example(p=0.33721378445625305)
@example(p=0.1804244965314865)
@example(p=0.0)
@example(p=1.0)
def test_base_margin_is_xgboosts_own(p: float) -> None:
    data = xgb.DMatrix(np.zeros((1, 1)), label=[1])
    booster = xgb.train({"objective": "binary:logistic", "base_score": p}, data, num_boost_round=0)
    written = document(booster)["learner"]["learner_model_param"]["base_score"]
    assert base_margin(written) == booster.predict(data, output_margin=True)[0]


def test_base_score_is_read_with_and_without_brackets() -> None:
    assert base_margin("3E-1") == base_margin("[3E-1]")


@pytest.mark.parametrize("margin", [0.0, -0.0, 1.5, -1.5, 36.0, -745.0, 1e308, -1e308])
def test_probability_is_the_double_logistic_and_never_overflows(margin: float) -> None:
    with np.errstate(over="ignore"):
        assert trees.logistic(margin) == pytest.approx(1.0 / (1.0 + np.exp(-margin)), rel=1e-15)


@pytest.mark.parametrize("standardised", [True, False])
def test_a_linear_twin_agrees_with_scikit_learn(standardised: bool) -> None:
    data, label = training_data(seed=1, rows=200, missing=0.0)
    data = data[:, [0, 1, 2]].astype(float)
    steps = [StandardScaler()] if standardised else []
    model = make_pipeline(*steps, LogisticRegression(max_iter=5000)).fit(data, label)
    last = model[-1]
    linear = {"format": trees.LINEAR_FORMAT, "intercept": last.intercept_[0], "coefficients": last.coef_[0].tolist()}
    if standardised:
        linear |= {"mean": model[0].mean_.tolist(), "scale": model[0].scale_.tolist()}
    twin = trees.load(linear)
    assert [twin.margin(row) for row in data.tolist()] == pytest.approx(model.decision_function(data), rel=1e-12)


def test_a_linear_margin_does_not_depend_on_the_order_of_the_sum() -> None:
    twin = trees.load({"format": trees.LINEAR_FORMAT, "intercept": 1.0, "coefficients": [1e16, -1e16, 1e-3]})
    assert twin.margin([1.0, 1.0, 1.0]) == 1.001


def test_a_linear_twin_refuses_a_missing_value() -> None:
    twin = trees.load({"format": trees.LINEAR_FORMAT, "intercept": 1.0, "coefficients": [1.0]})
    with pytest.raises(ValueError, match="no missing value"):
        twin.margin([math.nan])


@pytest.mark.parametrize("linear", [{"format": trees.LINEAR_FORMAT, "intercept": 0, "coefficients": [1, 2]}, None])
def test_a_row_of_another_length_is_refused(linear: dict[str, Any] | None) -> None:
    twin = trees.load(linear or _document())
    with pytest.raises(ValueError, match="the row has 1"):
        twin.margin([1.0])


def _categorical() -> dict[str, Any]:
    data, label = training_data(seed=1, rows=200, missing=0.0)
    matrix = xgb.DMatrix(np.abs(data[:, 1:3]) % 7, label=label, feature_types=["c", "q"], enable_categorical=True)
    return document(xgb.train({"objective": "binary:logistic", "max_cat_to_onehot": 1}, matrix, num_boost_round=3))


def _three_classes() -> dict[str, Any]:
    data, _ = training_data(seed=1, rows=90, missing=0.0)
    return document(xgb.XGBClassifier(n_estimators=2).fit(data, np.arange(90) % 3).get_booster())


def _vector_leaves() -> dict[str, Any]:
    data, label = training_data(seed=1, rows=90, missing=0.0)
    model = xgb.XGBClassifier(n_estimators=2, multi_strategy="multi_output_tree", tree_method="hist")
    return document(model.fit(data, np.stack([label, 1 - label], axis=1)).get_booster())


def _stopped_early() -> dict[str, Any]:
    data, label = training_data(seed=1, rows=300, missing=0.0)
    model = xgb.XGBClassifier(n_estimators=200, learning_rate=1.0, early_stopping_rounds=5)
    return document(
        model.fit(data[:200], label[:200], eval_set=[(data[200:], label[200:])], verbose=False).get_booster()
    )


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (_categorical, "categorical"),
        (lambda: _document(booster="dart"), "dart"),
        (lambda: _document(booster="gblinear", max_depth=None), "gblinear"),
        (_three_classes, "multi:softprob"),
        (_vector_leaves, "several|vectors"),
        (lambda: _document(objective="binary:logitraw"), "binary:logitraw"),
        (lambda: _document(objective="binary:hinge"), "binary:hinge"),
        (_stopped_early, "stopped early"),
        (lambda: {"format": "onnx"}, "format"),
    ],
)
def test_a_structure_it_does_not_know_is_said_to_be_unsupported(
    model: Callable[[], dict[str, Any]], sentence: str
) -> None:
    with pytest.raises(trees.UnsupportedModel, match=sentence):
        trees.load(model())


def _first_tree(broken: dict[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = broken["learner"]["gradient_booster"]["model"]["trees"][0]
    return tree


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("left_children", 0),  # a circle
        ("left_children", 2),  # one child of two parents
        ("left_children", 99),
        ("left_children", -2),
        ("left_children", -1),  # a split without a left side
        ("left_children", 1.5),
        ("right_children", 2**40),
        ("split_indices", 5),
        ("split_indices", 2**31 - 1),
        ("split_indices", -1),
        ("default_left", 2),
        ("split_conditions", math.nan),
        ("split_conditions", 1e39),
        ("split_conditions", "0.5"),
        ("split_conditions", None),
    ],
)
def test_a_broken_node_is_refused_in_a_sentence(name: str, value: Any) -> None:
    broken = _document()
    _first_tree(broken)[name][0] = value
    with pytest.raises(ArtefactRefused, match="the model file"):
        trees.load(broken)


def test_a_child_that_stands_before_its_parent_is_refused() -> None:
    broken = _document()
    tree = _first_tree(broken)
    place = {1: 3, 3: 1}
    for name in ("left_children", "right_children"):
        tree[name] = [place.get(child, child) for child in tree[name]]
    for name in ("left_children", "right_children", "split_indices", "split_conditions", "default_left"):
        tree[name][1], tree[name][3] = tree[name][3], tree[name][1]
    with pytest.raises(ArtefactRefused, match="trees are broken"):
        trees.load(broken)


@pytest.mark.parametrize("name", ["left_children", "right_children", "split_indices", "split_conditions"])
def test_a_list_cut_short_is_refused(name: str) -> None:
    broken = _document()
    _first_tree(broken)[name].pop()
    with pytest.raises(ArtefactRefused, match="one length"):
        trees.load(broken)


@pytest.mark.parametrize("base_score", ["", "[]", "[0.1, 0.2]", "true", "NaN", "2", '"0.5"', "x"])
def test_a_broken_base_score_is_refused(base_score: str) -> None:
    broken = _document()
    broken["learner"]["learner_model_param"]["base_score"] = base_score
    with pytest.raises(ArtefactRefused, match="the model file is broken"):
        trees.load(broken)


def test_a_missing_tree_is_refused() -> None:
    broken = _document()
    broken["learner"]["gradient_booster"]["model"]["trees"].pop()
    with pytest.raises(ArtefactRefused, match="as many trees"):
        trees.load(broken)


@pytest.mark.parametrize("broken", [[], None, {}, {"learner": []}, {"format": []}, {"format": trees.LINEAR_FORMAT}])
def test_a_document_of_another_shape_is_refused(broken: Any) -> None:
    with pytest.raises((ArtefactRefused, trees.UnsupportedModel)):
        trees.load(broken)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("coefficients", [1, "2"]),
        ("coefficients", [math.nan, 1]),
        ("intercept", None),
        ("mean", [1]),
        ("scale", [1, 0]),
    ],
)
def test_a_broken_linear_model_is_refused(name: str, value: Any) -> None:
    with pytest.raises(ArtefactRefused, match="the model file is broken"):
        trees.load({"format": trees.LINEAR_FORMAT, "intercept": 0.5, "coefficients": [1, 2]} | {name: value})


PARTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)


@settings(deadline=None, max_examples=300)
@given(place=st.integers(0, 10**6), value=PARTS)
def test_whatever_stands_in_the_file_it_loads_soundly_or_is_refused(place: int, value: Any) -> None:
    changed = deepcopy(SMALL)
    places = list(_places(changed))
    container, key = places[place % len(places)]
    container[key] = value
    try:
        twin = trees.load(changed)
    except (ArtefactRefused, trees.UnsupportedModel):
        return
    if twin.n_features == 5:
        assert math.isfinite(twin.margin([0.0, math.nan, 29.0, 1e10, -1.0]))


def _places(container: Any) -> Any:
    for key, value in container.items() if isinstance(container, dict) else enumerate(container):
        yield container, key
        if isinstance(value, dict | list):
            yield from _places(value)


SMALL = _document(n_estimators=2, max_depth=2)


@settings(deadline=None, max_examples=300)
@given(cut=st.integers(0, 10**6), flip=st.integers(1, 255))
def test_packed_bytes_that_were_cut_or_changed_load_soundly_or_are_refused(cut: int, flip: int) -> None:
    twin = trees.load(SMALL)
    assert isinstance(twin, trees.TreeTwin)
    packed = trees.pack(twin)
    place = cut % len(packed)
    with pytest.raises(ArtefactRefused, match="packed twin is broken"):
        trees.unpack(packed[:place])
    try:
        changed = trees.unpack(packed[:place] + bytes([packed[place] ^ flip]) + packed[place + 1 :])
    except ArtefactRefused:
        return
    if changed.n_features == 5:
        assert math.isfinite(changed.margin([0.0, math.nan, 29.0, 1e10, -1.0]))


SCORING = """
import json, sys
before = set(sys.modules)
from riskscore.twin import contributions
from riskscore.twin import trees
model, packed, table = sys.argv[1:]
with open(packed, "rb") as file: twin = trees.unpack(file.read())
with open(model) as file: assert trees.load(json.load(file)).margin([1.0] * 5) == twin.margin([1.0] * 5)
with open(table, "rb") as file: reasons = contributions.load(file.read())
assert abs(reasons.base_value + sum(reasons.of([1.0] * 5)) - twin.margin([1.0] * 5)) < 1e-4
print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before}))
"""


def test_scoring_and_explaining_import_nothing_dear(tmp_path: Path) -> None:
    model, packed, table = tmp_path / "model.json", tmp_path / "trees.bin", tmp_path / "contributions.bin"
    twin = trees.load(SMALL)
    assert isinstance(twin, trees.TreeTwin)
    model.write_text(json.dumps(SMALL))
    packed.write_bytes(trees.pack(twin))
    table.write_bytes(prepare(SMALL))
    done = subprocess.run([sys.executable, "-c", SCORING, model, packed, table], check=True, capture_output=True)
    cheap = {"riskscore", "__future__", "array", "struct", "_struct", "math", "bisect", "_bisect", "itertools",
             "operator", "_operator", "collections", "_collections_abc"}  # fmt: skip
    assert set(done.stdout.decode().split()) <= cheap
