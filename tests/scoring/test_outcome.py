"""What becomes of a checked row: warnings, referral and points, as the manifest's tables say."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskscore.artefact.artefact import Artefact
from riskscore.contract.feature import Feature
from riskscore.scoring.outcome import SCREEN_ROWS, Rules, Scale, TrainingRange
from tests.scoring_examples import artefact

NAN = math.nan
SEEN = {"minimum": 0.0, "maximum": 100.0, "quantiles": {"0.5": 10.0}}
SALARY = {"minimum": 0, "maximum": 999, "quantiles": {"0.5": 30}}
COUNT = {"minimum": 0, "maximum": 1e6, "quantiles": {"0.5": 2}, "missing": 0.1}
TABLES: dict[str, Any] = {
    "model": "cash",
    "version": "1",
    "features": [
        {"name": "inflow", "support": SEEN},
        {"name": "outflow", "support": SEEN},
        {"name": "net", "support": SEEN | {"minimum": -100.0, "quantiles": {"0.5": 12.0}}},
        {"name": "count", "nullable": True, "support": COUNT},
        {"name": "average"},
        {"name": "salary", "description": "days since the last salary", "support": SALARY},
    ],
    "identities": [
        {"name": "flow", "text": "net is in less out", "terms": [[1, "inflow"], [-1, "outflow"], [-1, "net"]]},
        {"name": "mean", "text": "count times average", "terms": [[1, "count", "average"], [-1, "outflow"]]},
    ],
    "limits": [
        {"name": "too_old", "text": "no salary for long", "feature": "salary", "maximum": 365},
        {"name": "foreign", "text": "{count} in a thousand are odd", "feature": "odd_per_thousand", "maximum": 20},
    ],
    "observations": {
        "after": "there are later transactions",
        "odd": "odd transactions: {count}",
        "odd_per_thousand": "odd transactions in a thousand",
    },
    "refer": ["outside_support", "flow", "foreign"],
}
CASH = Artefact("", TABLES, "", {})
RULES = Rules(CASH)
SOUND = [30.0, 20.0, 10.0, 4.0, 5.0, 27.0]


def row(**changes: float) -> list[float]:
    return [changes.get(name, value) for name, value in zip(CASH.contract.names, SOUND, strict=True)]


@pytest.mark.parametrize(
    ("vector", "seen", "warnings", "outcome"),
    [
        (row(), {}, [], "scored"),
        (row(), {"after": 0}, [], "scored"),
        (row(), {"after": 2}, [("after", "after", "there are later transactions")], "scored"),
        (row(), {"rows_read": 7}, [], "scored"),
        (row(), {"odd": 0, "odd_per_thousand": 0}, [], "scored"),
        (row(), {"odd": 1204, "odd_per_thousand": 20}, [("odd", "odd", "odd transactions: 1,204")], "scored"),
        (row(), {"odd_per_thousand": 21}, [("foreign", "odd_per_thousand", "21 in a thousand are odd")], "refer"),
        (
            row(salary=366.0),
            {"odd_per_thousand": 1000, "odd": 3},
            [
                ("too_old", "salary", "no salary for long"),
                ("odd", "odd", "odd transactions: 3"),
                ("foreign", "odd_per_thousand", "1,000 in a thousand are odd"),
            ],
            "refer",
        ),
        (row(inflow=100.0, net=80.0), {}, [], "scored"),
        (row(inflow=0.0, net=-20.0), {}, [], "scored"),
        (
            row(inflow=100.001, net=80.001),
            {},
            [("outside_support", "inflow", "inflow is outside the training range, 0 to 100")],
            "refer",
        ),
        (
            row(inflow=20.0, outflow=-1e-9, net=20.0, count=0.0),
            {},
            [("outside_support", "outflow", "outflow is outside the training range, 0 to 100")],
            "refer",
        ),
        (row(average=1e9, count=2e-8), {}, [], "scored"),
        (row(count=NAN), {}, [], "scored"),
        (row(net=11.0), {}, [("flow", "inflow", "net is in less out")], "refer"),
        (row(net=10.00001), {}, [], "scored"),
        (row(average=6.0), {}, [("mean", "count", "count times average")], "scored"),
        (row(salary=365.0), {}, [], "scored"),
        (row(salary=366.0), {}, [("too_old", "salary", "no salary for long")], "scored"),
        (
            row(salary=1000.0, net=11.0),
            {"after": 1},
            [
                ("outside_support", "salary", "salary is outside the training range, 0 to 999"),
                ("too_old", "salary", "no salary for long"),
                ("flow", "inflow", "net is in less out"),
                ("after", "after", "there are later transactions"),
            ],
            "refer",
        ),
    ],
)
def test_each_rule_warns_and_some_refer(
    vector: list[float], seen: dict[str, int], warnings: list[tuple[str, str, str]], outcome: str
) -> None:
    found = [dict(zip(("rule", "feature", "text"), warning, strict=True)) for warning in warnings]
    assert RULES.judge([vector], [seen]) == [(outcome, found)]
    assert RULES.judge([vector] * SCREEN_ROWS, [seen] * SCREEN_ROWS) == [(outcome, found)] * SCREEN_ROWS


@pytest.mark.parametrize(
    ("residual", "size", "holds"),
    [(0.99e-6, 0.1, True), (1.01e-6, 0.1, False), (0.99e-6 * 2e5, 1e5, True), (1.02e-6 * 2e5, 1e5, False)],
)
def test_an_identity_holds_up_to_a_millionth_of_its_terms(residual: float, size: float, holds: bool) -> None:
    vector = [size, size - residual, 0.0, NAN, 0.0, 0.0]
    for rows in (1, SCREEN_ROWS):
        _, warnings = RULES.judge([vector] * rows, [{}] * rows)[-1]
        assert ("flow" not in {warning["rule"] for warning in warnings}) == holds


VALUES = st.floats(-200, 200) | st.sampled_from([0.0, 100.0, 10.0, 20.0, 30.0, 365.0, 366.0, NAN, 1e30, -1e30])


@given(vectors=st.lists(st.lists(VALUES, min_size=6, max_size=6), min_size=1, max_size=5), net=st.booleans())
def test_many_rows_are_judged_as_each_of_them(vectors: list[list[float]], net: bool) -> None:
    if net:
        vectors = [[*vector[:2], vector[0] - vector[1], *vector[3:]] for vector in vectors]
    many = (vectors * SCREEN_ROWS)[:SCREEN_ROWS]
    judged = [RULES.judge([vector], [{}])[0] for vector in vectors]
    assert RULES.judge(many, [{}] * len(many)) == (judged * SCREEN_ROWS)[:SCREEN_ROWS]


# Points

SCALE = Scale({"base": 600, "odds": 30, "pdo": 20, "minimum": 300, "maximum": 850})
TRAINED = Scale(artefact().manifest["points"])


@given(
    st.lists(st.floats(-800, 800) | st.integers(-40, 40).map(lambda k: k * math.log(2) / 40), min_size=1, max_size=9)
)
def test_many_rows_get_the_points_that_each_gets(log_odds: list[float]) -> None:
    points = [SCALE.points(one) for one in log_odds]
    assert SCALE.points_of(log_odds) == points
    assert SCALE.points_of(log_odds * SCREEN_ROWS) == points * SCREEN_ROWS


@pytest.mark.parametrize("count", [1, SCREEN_ROWS])
def test_no_points_are_made_up_for_what_is_no_number(count: int) -> None:
    with pytest.raises(ValueError, match="NaN"):
        SCALE.points_of([math.nan] * count)


@pytest.mark.parametrize(
    ("good_to_bad", "points"),
    [(30, 600), (60, 620), (15, 580), (120, 640), (1, 502), (1 / 30, 404), (1e5, 834), (1e30, 850), (1e-30, 300)],
)
def test_points_are_600_at_30_to_1_and_20_more_double_the_odds(good_to_bad: float, points: int) -> None:
    assert SCALE.points(-math.log(good_to_bad)) == points
    assert type(SCALE.points(-math.log(good_to_bad))) is int


@pytest.mark.parametrize("scale", [SCALE, TRAINED], ids=["default", "credit_risk"])
@given(st.floats(-700, 700), st.floats(-700, 700))
def test_a_higher_risk_never_has_more_points(scale: Scale, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert 300 <= scale.points(high) <= scale.points(low) <= 850


def test_another_scale_is_the_manifests_to_choose() -> None:
    scale = Scale({"base": 200, "odds": 1, "pdo": 50, "minimum": 0, "maximum": 1000})
    assert [scale.points(-math.log(odds)) for odds in (1, 2, 4)] == [200, 250, 300]


# Support


@pytest.mark.parametrize(
    ("support", "value", "objection"),
    [
        ({}, 5.0, ""),
        ({}, 101.0, "x is outside the training range, 0 to 100"),
        ({}, NAN, "x is missing, which it never was in training"),
        ({"missing": 0.1}, NAN, ""),
        ({"values": [0.0, 29.0, 100.0]}, 29.0, ""),
        ({"values": [0.0, 29.0, 100.0]}, 30.0, "x is not one of the few values in training"),
        ({"values": [0.0, 29.0, 100.0], "missing": 0.1}, NAN, ""),
        ({"values": [0.0, 29.0, 100.0]}, NAN, "x is missing, which it never was in training"),
    ],
)
def test_what_training_says_nothing_of_is_objected_to_one_by_one_and_in_columns(
    support: dict[str, Any], value: float, objection: str
) -> None:
    seen = TrainingRange(Feature("x", nullable=True), SEEN | support)
    assert seen.objection(value) == objection
    assert seen.objects(np.array([5.0 if "values" not in support else 29.0, value])).tolist() == [
        False,
        bool(objection),
    ]
