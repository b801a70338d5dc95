"""Contributions: exact TreeSHAP, from tables and leaf by leaf, that add up to the margin."""

from __future__ import annotations

import math
from itertools import permutations
from typing import Any

import numpy as np
import pytest
import xgboost as xgb
from hypothesis import given, settings
from hypothesis import strategies as st

from riskscore.errors import ArtefactRefused
from riskscore.training.contribution_tables import kind, prepare
from riskscore.twin import contributions, trees
from riskscore.twin.treeshap import Leaf
from tests.random_models import boosters, document, hard_rows, training_data

LINEAR = {"format": trees.LINEAR_FORMAT, "intercept": 0.5, "coefficients": [2.0, -1.0]}


def _booster(**parameters: Any) -> xgb.Booster:
    data, label = training_data(seed=1, rows=300, missing=0.05)
    model = xgb.XGBClassifier(**{"n_estimators": 5, "max_depth": 4, "n_jobs": 1} | parameters).fit(data, label)
    return model.get_booster()


def _expected(booster: xgb.Booster, rows: Any) -> Any:
    """pred_contribs takes no infinity; its last column is the base value."""
    return booster.predict(xgb.DMatrix(rows), pred_contribs=True)


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(model=boosters(max_depth=6, max_trees=12), tables=st.booleans())
def test_contributions_are_xgboosts_own(model: tuple[xgb.Booster, int], tables: bool) -> None:
    booster, seed = model
    rows = hard_rows(booster, seed, infinite=False)
    table = prepare(document(booster), max_table=2**30 if tables else -1)
    assert kind(table) == ("tables" if tables else "leaves")
    reasons = contributions.load(table)
    expected = _expected(booster, rows)
    np.testing.assert_allclose([reasons.of(row) for row in rows.tolist()], expected[:, :-1], rtol=0, atol=1e-4)
    assert reasons.base_value == pytest.approx(expected[0, -1], abs=1e-4)


@settings(deadline=None, max_examples=20)
@given(model=boosters(max_depth=4, max_trees=20))
def test_base_value_and_contributions_add_up_to_the_margin(model: tuple[xgb.Booster, int]) -> None:
    booster, seed = model
    rows = hard_rows(booster, seed, infinite=True).tolist()
    twin, reasons = trees.load(document(booster)), contributions.load(prepare(document(booster)))
    sums = [reasons.base_value + math.fsum(reasons.of(row)) for row in rows]
    assert sums == pytest.approx([twin.margin(row) for row in rows], abs=1e-4)


def test_a_leaf_contributes_its_shapley_value() -> None:
    # Three features; the row agrees with the second alone. Mean over all orders in which features become known.
    leaf = Leaf(2.0, ((0, 1, 7, 0.5), (1, 0, 8, 0.25), (2, 1, 9, 0.8)))
    outcomes, fractions, agrees = [False, False, False], [0.5, 0.25, 0.8], [0, 1, 0]
    expected = [0.0] * 3
    for order in permutations(range(3)):
        reach = math.prod(fractions)
        for player in order:
            known = reach / fractions[player] * agrees[player]
            expected[player] += 2.0 * (known - reach) / 6
            reach = known
    assert leaf.contributions(leaf.agreement(outcomes)) == pytest.approx(expected)


def test_a_value_that_was_never_seen_in_between_is_placed_right_whatever_was_asked_before() -> None:
    booster = _booster()
    reasons = contributions.load(prepare(document(booster)))
    rows = hard_rows(booster, 3, infinite=False).tolist()
    first = [reasons.of(row) for row in rows]
    assert [reasons.of(row) for row in reversed(rows)] == first[::-1]


def test_trees_deeper_than_a_byte_of_splits_are_explained_leaf_by_leaf() -> None:
    booster = _booster(max_depth=12, min_child_weight=0.01, n_estimators=2, learning_rate=1.0)
    rows = hard_rows(booster, 3, infinite=False)
    table = prepare(document(booster))
    assert kind(table) == "leaves"
    reasons = contributions.load(table)
    found = [reasons.of(row) for row in rows.tolist()]
    np.testing.assert_allclose(found, _expected(booster, rows)[:, :-1], rtol=0, atol=1e-4)


def test_a_model_without_a_split_gives_no_feature_a_part() -> None:
    reasons = contributions.load(prepare(document(_booster(gamma=1e9))))
    assert reasons.of([0.0] * 5) == [0.0] * 5


@pytest.mark.parametrize(
    ("extra", "base_value", "expected"),
    [
        ({}, 0.5, [6.0, -4.0]),
        ({"reference": [1.0, 1.0]}, 1.5, [4.0, -3.0]),
        ({"mean": [1.0, 2.0], "scale": [2.0, 1.0]}, 0.5, [2.0, -2.0]),
    ],
)
def test_a_linear_contribution_is_the_coefficient_times_the_distance_from_the_mean(
    extra: dict[str, Any], base_value: float, expected: list[float]
) -> None:
    reasons = contributions.load(prepare(LINEAR | extra))
    assert (reasons.base_value, reasons.of([3.0, 4.0])) == (base_value, expected)


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="the row has 1"):
        contributions.load(prepare(document(_booster()))).of([1.0])


def test_a_split_that_no_training_row_reached_has_no_contributions() -> None:
    model = document(_booster())
    model["learner"]["gradient_booster"]["model"]["trees"][0]["sum_hessian"][0] = 0.0
    with pytest.raises(trees.UnsupportedModel, match="no training row"):
        prepare(model)


@pytest.mark.parametrize("kept", [0, 10, 28, 60, 200, -1])
@pytest.mark.parametrize("max_table", [2**30, -1])
def test_a_file_cut_short_is_refused(kept: int, max_table: int) -> None:
    table = prepare(document(_booster()), max_table)
    with pytest.raises(ArtefactRefused, match="broken"):
        contributions.load(table[:kept])


def test_a_file_of_another_version_is_refused() -> None:
    table = prepare(document(_booster()))
    with pytest.raises(ArtefactRefused, match="version"):
        contributions.load(table.replace(b"contributions-1", b"contributions-2"))
