"""Many rows of one shape, a column at a time: each gets what it gets alone, or all are read one by one."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskscore.scoring.columnar import columns_of, ids_of_rows
from riskscore.scoring.pipeline import MANY_ROWS
from tests.scoring_examples import EVENT, FEATURES, IDS, artefact, engine, event, features

ROWS = MANY_ROWS + 1
NO_REASONS = {"reasons": 0}


def rows(count: int = ROWS) -> list[dict[str, Any]]:
    """Sound rows, no two alike; now and then one outside the training range, or at odds with itself."""
    found = [
        {
            "customer_id": f"S{k}",
            "snapshot_date": f"2025-09-{1 + k % 30:02}",
            "features": features(income_inflow_30d=30000.0 + k, net_cash_flow_30d=9000 + k, cash_withdrawal_90d=k / 7),
        }
        for k in range(count)
    ]
    found[17]["features"]["income_inflow_30d"] = 9e9
    found[401]["features"]["net_cash_flow_30d"] = -5
    return found


def one_by_one(items: list[Any]) -> list[dict[str, Any]]:
    """The answers to lists too short for columns."""
    return [answer for item in items for answer in engine("joblib").score([item], NO_REASONS)]


def test_each_row_gets_what_it_gets_alone() -> None:
    items = rows()
    assert columns_of(items, artefact()) is not None
    answers = engine("joblib").score(items, NO_REASONS)
    assert answers == one_by_one(items)
    assert {answer["outcome"] for answer in answers} == {"scored", "refer"}


def test_rows_without_ids_are_alike_too() -> None:
    items = [{"features": FEATURES}] * ROWS
    assert columns_of(items, artefact()) is not None
    assert engine("joblib").score(items, NO_REASONS) == one_by_one(items[:1]) * ROWS


ODD: dict[str, Any] = {
    "no object": 7,
    "other keys": {"features": FEATURES},
    "other order": {"features": FEATURES, **IDS},
    "a model": {**EVENT, "model": "credit_risk"},
    "reasons": {**EVENT, "reasons": 2},
    "a label": {**EVENT, "features": {**FEATURES, "label": 1}},
    "observed": {**EVENT, "transactions_after_snapshot": 1},
    "flat": {**IDS, **FEATURES},
    "keys only": IDS,
    "null id": {**EVENT, "customer_id": None},
    "id no text": {**EVENT, "customer_id": 7},
    "empty id": {**EVENT, "customer_id": ""},
    "long id": {**EVENT, "customer_id": "x" * 201},
    "id with NUL": {**EVENT, "customer_id": "a\0b"},
    "id with a line break": {**EVENT, "customer_id": "a\nb"},
    "no date": {**EVENT, "snapshot_date": "2025-02-29"},
    "features no object": {**EVENT, "features": [1]},
    "missing": {**EVENT, "features": {"income_inflow_30d": 1}},
    "misspelt": {**EVENT, "features": {("x" if name == "income_inflow_30d" else name): 1 for name in FEATURES}},
    "null": event(late_fee_count_90d=None),
    "text": event(late_fee_count_90d="1"),
    "truth": event(late_fee_count_90d=True),
    "no whole number": event(late_fee_count_90d=1.5),
    "below zero": event(late_fee_count_90d=-1),
    "above one": event(pct_gambling_spend_90d=1.01),
    "NaN": event(net_cash_flow_30d=math.nan),
    "infinite": event(net_cash_flow_30d=math.inf),
    "beyond float32": event(net_cash_flow_30d=3.5e38),
    "huge": event(net_cash_flow_30d=10**400),
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("place", [0, ROWS - 1])
def test_one_odd_row_has_all_of_them_read_one_by_one(name: str, place: int) -> None:
    items: list[Any] = [{**EVENT}] * ROWS
    items[place] = ODD[name]
    assert columns_of(items, artefact()) is None
    answers = engine("joblib").score(items, NO_REASONS)
    assert answers[place] == one_by_one([ODD[name]])[0]
    assert answers[1] == one_by_one([EVENT])[0]


@pytest.mark.parametrize(
    "shared", [{"reasons": 2}, {"reasons": False}, {"reasons": ""}, {"model": 7}, {"model": "none"}]
)
def test_what_holds_for_all_rows_is_judged_as_for_one(shared: dict[str, Any]) -> None:
    answers = engine("joblib").score([EVENT] * ROWS, shared)
    assert answers == engine("joblib").score([EVENT], shared) * ROWS


NUMBERS = st.integers(-5, 10**25) | st.floats(allow_nan=True) | st.none() | st.booleans()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(NUMBERS, st.floats(-1, 2), st.text(max_size=3)), min_size=1, max_size=6))
def test_columns_say_what_the_rows_say(values: list[tuple[Any, float, str]]) -> None:
    items = [
        {"customer_id": whose, "features": features(late_fee_count_90d=fees, pct_gambling_spend_90d=share)}
        for fees, share, whose in values
    ]
    found = columns_of(items, artefact())
    if found is not None:
        ids, matrix = found
        assert ids_of_rows(ids, len(items)) == [{"customer_id": item["customer_id"]} for item in items]
        assert matrix.tolist() == [artefact().contract.vector(item["features"]) for item in items]
    else:
        assert any(answer["outcome"] == "invalid" for answer in one_by_one(items)) or any(
            not whose.isprintable() for _, _, whose in values
        )
