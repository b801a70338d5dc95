"""The twin with numpy: the numbers of the lists, to the bit."""

from __future__ import annotations

from typing import Any

import pytest
import xgboost as xgb
from hypothesis import given, settings

from riskscore.training.contribution_tables import prepare
from riskscore.twin import contributions, trees
from riskscore.twin.vectorized import ArrayContributions, ArrayTwin, array_contributions, array_twin
from tests.random_models import boosters, document, hard_rows, training_data

LINEAR = {"format": trees.LINEAR_FORMAT, "intercept": 0.5, "coefficients": [2.0, -1.0]}


def _document(rows: int = 300, **parameters: Any) -> dict[str, Any]:
    data, label = training_data(seed=1, rows=rows, missing=0.05)
    model = xgb.XGBClassifier(**{"n_estimators": 5, "max_depth": 4, "n_jobs": 1} | parameters).fit(data, label)
    return document(model.get_booster())


@settings(deadline=None, max_examples=60)
@given(model=boosters(max_depth=6))
def test_margins_are_those_of_the_lists_to_the_bit(model: tuple[xgb.Booster, int]) -> None:
    booster, seed = model
    rows = hard_rows(booster, seed, infinite=True).tolist()
    twin = trees.load(document(booster))
    quick = array_twin(twin)
    assert isinstance(quick, ArrayTwin) == any(left for *_, left, _ in twin.nodes)
    assert [quick.margin(row) for row in rows] == [twin.margin(row) for row in rows]


@settings(deadline=None, max_examples=40)
@given(model=boosters(max_depth=6, max_trees=12))
def test_contributions_are_those_of_the_lists_to_the_bit(model: tuple[xgb.Booster, int]) -> None:
    booster, seed = model
    rows = hard_rows(booster, seed, infinite=True).tolist()
    lists = contributions.load(prepare(document(booster), max_table=2**30))
    quick = array_contributions(lists)
    assert isinstance(quick, ArrayContributions) == bool(lists.fields)
    assert (quick.base_value, [quick.of(row) for row in rows]) == (lists.base_value, [lists.of(row) for row in rows])


@pytest.mark.parametrize("leaves", [2, 8, 9, 16, 17, 32, 33, 63])
def test_trees_of_any_width_that_fits_a_number(leaves: int) -> None:
    grown = {"max_depth": 0, "max_leaves": leaves, "grow_policy": "lossguide", "min_child_weight": 0}
    twin = trees.load(_document(rows=3000, n_estimators=1, **grown))
    quick = array_twin(twin)
    rows = training_data(seed=2, rows=400, missing=0.1)[0].tolist()
    assert [left for *_, left, _ in twin.nodes].count(0) == leaves
    assert isinstance(quick, ArrayTwin)
    assert [quick.margin(row) for row in rows] == [twin.margin(row) for row in rows]


@pytest.mark.parametrize(
    "given", [LINEAR, _document(gamma=1e9), _document(rows=3000, max_depth=12, min_child_weight=0, n_estimators=2)]
)
def test_what_has_no_such_form_stays_as_it_is(given: dict[str, Any]) -> None:
    twin, lists = trees.load(given), contributions.load(prepare(given))
    assert array_twin(twin) is twin
    assert array_contributions(lists) is lists


def test_a_row_of_another_length_is_refused() -> None:
    given = _document()
    for refuse in (array_twin(trees.load(given)).margin, array_contributions(contributions.load(prepare(given))).of):
        with pytest.raises(ValueError, match="the row has 1"):
            refuse([1.0])
