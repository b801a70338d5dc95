"""The columns that an estimator sees: the same row by row and all at once, for every encoding a contract may name."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskscore.contract.contract import Contract
from riskscore.contract.encoding import Encoding, linear
from riskscore.contract.feature import Feature

NAN = math.nan
COLOURS = {"type": "category", "values": ["red", "green"]}


def encoding(**settings: Any) -> Encoding:
    return Encoding(Contract([Feature("x", **settings)]))


@pytest.mark.parametrize(
    ("settings", "names", "number", "columns"),
    [
        ({}, ["x"], 2.5, [2.5]),
        ({"nullable": True}, ["x"], NAN, [NAN]),
        ({"nullable": True, "indicator": True}, ["x", "x is missing"], NAN, [0.0, 1.0]),
        ({"nullable": True, "indicator": True}, ["x", "x is missing"], 2.5, [2.5, 0.0]),
        ({"indicator": True}, ["x"], 2.5, [2.5]),  # it is never missing
        ({"encoding": "log"}, ["x"], -11.0, [-math.log1p(11.0)]),
        ({"encoding": "log"}, ["x"], 0.0, [0.0]),
        ({"encoding": "log", "nullable": True}, ["x"], NAN, [NAN]),
        ({"encoding": "log", "nullable": True, "indicator": True}, ["x", "x is missing"], NAN, [0.0, 1.0]),
        (COLOURS, ["x = red", "x = green"], 1.0, [0.0, 1.0]),
        (COLOURS | {"nullable": True}, ["x = red", "x = green", "x is missing"], NAN, [0.0, 0.0, 1.0]),
        (COLOURS | {"unknown": "missing"}, ["x = red", "x = green", "x is missing"], -1.0, [0.0, 0.0, 1.0]),
        (COLOURS | {"unknown": "green"}, ["x = red", "x = green"], -1.0, [0.0, 1.0]),
        (COLOURS | {"encoding": "ordinal"}, ["x"], 1.0, [1.0]),
        (COLOURS | {"encoding": "ordinal", "unknown": "green"}, ["x"], -1.0, [1.0]),
        (COLOURS | {"encoding": "ordinal", "unknown": "missing"}, ["x"], -1.0, [NAN]),
        (COLOURS | {"encoding": "ordinal", "nullable": True}, ["x"], NAN, [NAN]),
        ({"type": "category", "values": ["<b>", "[c]"]}, ["x = less than b>", "x = (c)"], 0.0, [1.0, 0.0]),
    ],
)
def test_a_value_becomes_its_columns(
    settings: dict[str, Any], names: list[str], number: float, columns: list[float]
) -> None:
    made = encoding(**settings)
    assert made.names == names
    assert list(made.columns([number])) == pytest.approx(columns, abs=0, rel=0, nan_ok=True)


FEATURES = [
    Feature("age", "integer"),
    Feature("income", nullable=True, indicator=True, encoding="log"),
    Feature("share", nullable=True),
    Feature("owner", "boolean"),
    Feature("colour", nullable=True, unknown="missing", **COLOURS),
    Feature("grade", "category", values=["A", "B", "C"], encoding="ordinal", unknown="C"),
    Feature("rest"),
]
NUMBERS = st.floats(-3e38, 3e38)
GAPPY = NUMBERS | st.just(NAN)
PLACES = {"colour": [NAN, -1.0, 0.0, 1.0], "grade": [-1.0, 0.0, 1.0, 2.0], "owner": [0.0, 1.0]}
VECTORS = st.tuples(
    *(st.sampled_from(PLACES[f.name]) if f.name in PLACES else GAPPY if f.nullable else NUMBERS for f in FEATURES)
)


@given(st.lists(VECTORS, min_size=1, max_size=5))
def test_rows_at_once_have_the_columns_of_each_alone(vectors: list[tuple[float, ...]]) -> None:
    made = Encoding(Contract(FEATURES))
    matrix = made.matrix(vectors)
    assert matrix.shape == (len(vectors), len(made.names))
    assert matrix.tobytes() == np.array([made.columns(list(vector)) for vector in vectors]).tobytes()


def test_a_features_part_is_the_sum_of_its_columns_parts() -> None:
    made = Encoding(Contract(FEATURES))
    assert made.names == [
        *("age", "income", "income is missing", "share", "owner"),
        *("colour = red", "colour = green", "colour is missing", "grade", "rest"),
    ]
    assert made.fold([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]) == [1, 5, 4, 5, 21, 9, 10]


def test_a_direction_is_for_the_numbers_own_column_whatever_its_name() -> None:
    features = [Feature("a[b", nullable=True, indicator=True), Feature("colour", **COLOURS), Feature("c")]
    made = Encoding(Contract(features))
    assert made.names == ["a(b", "a(b is missing", "colour = red", "colour = green", "c"]
    assert made.values_of({"a[b": 1, "c": -1}, 0) == (1, 0, 0, 0, -1)


def test_features_that_are_their_own_columns_cost_nothing() -> None:
    made = Encoding(Contract([Feature("a"), Feature("b", "boolean", nullable=True)]))
    vector = [1.0, NAN]
    assert made.is_plain
    assert made.columns(vector) is vector
    assert made.fold(vector) is vector


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_a_linear_model_gets_no_gap_and_no_invented_order(feature: Feature) -> None:
    made = Encoding(Contract([linear(feature)]))
    for number in (NAN, -1.0, 0.0) if feature.type == "category" else (NAN, 0.0):
        if feature.nullable or not math.isnan(number):
            assert not any(map(math.isnan, made.columns([number])))
    assert linear(feature).encoding != "ordinal"


@pytest.mark.parametrize(
    ("feature", "columns"),
    [
        (Feature("x"), [math.log1p(3.0)]),
        (Feature("x", "integer", nullable=True), [math.log1p(3.0), 0.0]),
        (Feature("x", "boolean"), [3.0]),
    ],
)
def test_a_linear_model_gets_signed_logarithms_unless_asked_otherwise(feature: Feature, columns: Any) -> None:
    assert Encoding(Contract([linear(feature)])).columns([3.0]) == columns
    assert Encoding(Contract([linear(feature, numbers="")])).columns([3.0])[0] == 3.0
