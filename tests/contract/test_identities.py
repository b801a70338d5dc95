"""Identities between features: what rounding can make passes, and no more, for one row and for many."""

from __future__ import annotations

import csv
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskscore.artefact.artefact import Artefact
from riskscore.contract.identities import Identity
from riskscore.scoring.outcome import SCREEN_ROWS, Rules
from tests.scoring_examples import ROOT, artefact

ROWS = ROOT / "events" / "credit_risk" / "rows.csv"
MONEY = ("inflow", "outflow", "net", "mean")
FEATURES: list[dict[str, Any]] = [
    *({"name": name, "unit": "money"} for name in MONEY),
    {"name": "count", "type": "integer", "nullable": True},
    {"name": "share", "unit": "share"},
]
FLOW: dict[str, Any] = {"terms": [[1, "inflow"], [-1, "outflow"], [-1, "net"]]}
MEAN: dict[str, Any] = {"terms": [[1, "mean", "count"], [-1, "outflow"]]}
SHARE: dict[str, Any] = {"terms": [[1, "share", "inflow"], [-2, "outflow"]]}


def model(rule: dict[str, Any]) -> Artefact:
    rule = {"name": "rule", "text": "it doesn't add up", **rule}
    tables = {"model": "cash", "version": "1", "features": FEATURES, "identities": [rule], "refer": ["rule"]}
    return Artefact("", tables, "", {})


def outcomes(rule: dict[str, Any], vector: list[float]) -> set[str]:
    """Of the row alone, and of it among many."""
    rules = Rules(model(rule))
    many = rules.judge([vector] * SCREEN_ROWS, [{}] * SCREEN_ROWS)
    return {outcome for outcome, _ in [*rules.judge([vector], [{}]), *many]}


@pytest.mark.parametrize(
    ("rule", "vector", "tolerated"),
    [
        # half a cent for each of three amounts
        (FLOW, [1000.0, 300.0, 700.0, 0.0, 0.0, 0.0], 0.015),
        # half a cent of the mean as often as it is counted, and that of the total
        (MEAN, [0.0, 370.0, 0.0, 10.0, 37.0, 0.0], 37 * 0.005 + 0.005),
        (MEAN, [0.0, 10.0, 0.0, 10.0, 1.0, 0.0], 0.01),
        (MEAN, [0.0, 0.0, 0.0, 10.0, 0.0, 0.0], 0.005),
        # only money is rounded to cents, and a factor counts
        (SHARE, [40.0, 10.0, 0.0, 0.0, 0.0, 0.5], 0.5 * 0.005 + 2 * 0.005),
        # another unit; none
        (FLOW | {"rounding": 1}, [1000.0, 300.0, 700.0, 0.0, 0.0, 0.0], 1.5),
        (MEAN | {"rounding": 1}, [0.0, 370.0, 0.0, 10.0, 37.0, 0.0], 19.0),
        (FLOW | {"rounding": 0}, [1000.0, 300.0, 700.0, 0.0, 0.0, 0.0], 1.9999e-3),  # a millionth of the terms
    ],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_an_identity_holds_up_to_what_rounding_can_make(
    rule: dict[str, Any], vector: list[float], tolerated: float, sign: int
) -> None:
    factor = abs(next(factor for factor, *names in rule["terms"] if names == ["outflow"]))
    for times, outcome in ((0, "scored"), (1, "scored"), (2, "refer")):
        off = [*vector]
        off[1] += sign * times * tolerated / factor
        assert outcomes(rule, off) == {outcome}


AMOUNTS = st.floats(0, 1e6)


@given(outflows=st.lists(st.decimals(0, 100_000, places=5).map(float), min_size=1, max_size=60), inflow=AMOUNTS)
def test_a_row_that_was_rounded_to_cents_is_scored(outflows: list[float], inflow: float) -> None:
    outflow, count = math.fsum(outflows), len(outflows)
    exact = [inflow, outflow, inflow - outflow, outflow / count]
    vector = [*(round(amount, 2) for amount in exact), float(count), 0.0]
    assert outcomes(FLOW, vector) == outcomes(MEAN, vector) == {"scored"}


NEAR = st.floats(-2, 2).map(lambda times: times * 0.19)


@given(off=st.lists(NEAR, min_size=1, max_size=8), count=st.sampled_from([37.0, 3.0, 0.0, math.nan]))
def test_many_rows_are_judged_as_each_of_them(off: list[float], count: float) -> None:
    rules = Rules(model(MEAN))
    vectors = [[0.0, 370.0 + one, 0.0, 10.0, count, 0.0] for one in off]
    many = (vectors * SCREEN_ROWS)[:SCREEN_ROWS]
    judged = [rules.judge([vector], [{}])[0] for vector in vectors]
    assert rules.judge(many, [{}] * SCREEN_ROWS) == (judged * SCREEN_ROWS)[:SCREEN_ROWS]


def test_a_missing_value_breaks_no_identity() -> None:
    assert outcomes(MEAN, [0.0, 370.0, 0.0, 10.0, math.nan, 0.0]) == {"scored"}


def test_training_counts_the_rows_that_serving_refers() -> None:
    identity = Identity({"name": "rule", "text": "it doesn't add up", **MEAN}, model(MEAN).contract)
    matrix = np.array([[0.0, 370.0 + off, 0.0, 10.0, 37.0, 0.0] for off in (0, 0.18, 0.2, -0.18, -0.2, math.nan)])
    assert identity.broken(matrix).tolist() == [not identity.holds(row) for row in matrix.tolist()]
    assert identity.broken(matrix).tolist() == [False, False, True, False, True, False]


def test_the_sample_rows_rounded_to_cents_break_no_identity_of_credit_risk() -> None:
    trained = artefact()
    rules, features = Rules(trained), trained.contract.features
    with ROWS.open(newline="") as file:
        rows = [[float(row[feature.name]) for feature in features] for row in csv.DictReader(file)]
    cents = [
        [round(value, 2) if feature.unit == "money" else value for value, feature in zip(row, features, strict=True)]
        for row in rows
    ]
    assert cents != rows
    names = {identity["name"] for identity in trained.manifest["identities"]}
    assert names == {"net_cash_flow", "debit_total"}
    for _, warnings in rules.judge(cents, [{}] * len(cents)):
        assert not names & {warning["rule"] for warning in warnings}
