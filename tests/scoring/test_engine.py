"""Scoring: what an answer holds, whose features are looked up, and which faults are raised instead of answered."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskscore.database.features import FeatureRow
from riskscore.errors import CallerFault, DatabaseTimeout, DatabaseUnavailable, OurFault, QueryFailed, UnknownCustomer
from riskscore.scoring.pipeline import MANY_ROWS, REASONS
from riskscore.twin.trees import logistic
from tests.scoring_examples import EVENT, FEATURES, IDS, answer, artefact, engine, event, features, model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from riskscore.scoring.model import Model

AFTER = "transactions_after_snapshot"
DAY = "2025-09-01"
KEYS = [
    "customer_id",
    "snapshot_date",
    "outcome",
    "probability",
    "prediction",
    "points",
    "reasons",
    "warnings",
    "model",
    "model_version",
    "engine",
]


class Ledgers:
    """A look-up that knows some customers, and remembers what it was asked for."""

    def __init__(self, *rows: FeatureRow) -> None:
        self.rows = {row.ids["customer_id"]: row for row in rows}
        self.asked: list[tuple[str, list[dict[str, str]]]] = []

    def __call__(self, wanted: Model, keys: Sequence[Mapping[str, str]]) -> list[FeatureRow | CallerFault]:
        self.asked.append((wanted.name, [dict(key) for key in keys]))
        unknown = UnknownCustomer("no such customer", "customer_id")
        return [self.rows.get(key["customer_id"], unknown) for key in keys]


def ledger(customer: str, fault: str | None = None, after: int = 0, **changes: Any) -> FeatureRow:
    ids = {"customer_id": customer, "snapshot_date": DAY}
    return FeatureRow(ids, features(**changes), {AFTER: after}, fault)


RISKY = event(late_fee_count_90d=6, pct_gambling_spend_90d=0.3, cash_withdrawal_90d=4e4, merchant_diversity_90d=11)


def test_an_answer_holds_these_keys_of_these_types() -> None:
    found = answer(RISKY | {"reasons": 13})
    assert list(found) == KEYS
    assert {key: type(value) for key, value in found.items()} == {
        **dict.fromkeys(KEYS, str),
        "probability": float,
        "prediction": int,
        "points": int,
        "reasons": list,
        "warnings": list,
    }
    assert [type(value) for reason in found["reasons"] for value in reason.values()][:3] == [str, float, str]
    assert {tuple(reason) for reason in found["reasons"]} == {("feature", "contribution", "text")}
    assert (found["customer_id"], found["snapshot_date"]) == ("S0001", DAY)
    assert (found["model"], found["model_version"]) == ("credit_risk", artefact().version)


def test_an_answer_holds_the_ids_that_the_event_brought_and_no_others() -> None:
    assert list(answer({"features": FEATURES})) == KEYS[2:]
    assert list(answer({"customer_id": "S0001"} | FEATURES)) == [KEYS[0], *KEYS[2:]]


@pytest.mark.parametrize(
    "given",
    [
        EVENT,
        IDS | FEATURES,
        {**dict(reversed(FEATURES.items())), **IDS},
        {"features": dict(reversed(FEATURES.items())), **IDS},
        EVENT | {"model": "credit_risk"},
        EVENT | {"reasons": None},
        EVENT | {AFTER: 0},
        {"customer_id": "S0001"},
        IDS,
    ],
)
def test_every_shape_of_one_row_gets_the_same_answer(given: dict[str, Any]) -> None:
    served = engine(look_up=Ledgers(ledger("S0001")))
    assert served.answer(given) == answer(EVENT)
    assert served.answer([given]) == [answer(EVENT)]
    assert served.answer({"instances": [given]}) == [answer(EVENT)]


@pytest.mark.parametrize("number", [1, 27])
def test_a_whole_number_may_be_written_either_way(number: int) -> None:
    one, other = (answer(event(days_since_last_salary=value)) for value in (number, float(number)))
    assert one == other


def test_the_probability_is_of_the_positive_class_and_the_prediction_its_side_of_the_threshold() -> None:
    found = answer([event(late_fee_count_90d=fees, pct_gambling_spend_90d=fees / 10) for fees in range(10)])
    margins = model().margins([model().contract.vector(features(late_fee_count_90d=0))], "twin")
    assert answer(event(late_fee_count_90d=0))["probability"] == logistic(margins[0])
    threshold = artefact().manifest["threshold"]
    assert [row["prediction"] for row in found] == [int(row["probability"] >= threshold) for row in found]
    assert {row["prediction"] for row in found} == {0, 1}


def test_a_list_of_many_rows_gets_the_answers_of_its_rows() -> None:
    items = [event(late_fee_count_90d=k % 9, net_cash_flow_30d=9000.0 + k % 2) for k in range(300)]
    many = [row | {"engine": "twin"} for row in answer([item | {"reasons": 2} for item in items])]
    assert many == [answer(item | {"reasons": 2}) for item in items]
    assert {row["outcome"] for row in many} == {"scored", "refer"}


@pytest.mark.parametrize(
    ("asked", "given"),
    [({}, REASONS), ({"reasons": 0}, 0), ({"reasons": 1}, 1), ({"reasons": 3}, 3)],
)
def test_an_answer_has_as_many_reasons_as_were_asked_for(asked: dict[str, int], given: int) -> None:
    assert len(answer(RISKY | asked)["reasons"]) == given


def test_a_list_too_long_for_reasons_gets_them_when_it_asks() -> None:
    assert [len(row["reasons"]) for row in answer([RISKY] * MANY_ROWS)][-1] > 0
    rows = answer([RISKY] * MANY_ROWS + [RISKY | {"reasons": 1}])
    assert [len(row["reasons"]) for row in rows[-2:]] == [0, 1]


@settings(deadline=None, max_examples=40)
@given(
    fees=st.integers(0, 12),
    gambling=st.floats(0, 1),
    salary=st.sampled_from([0, 3, 27, 60, 999]),
    flow=st.floats(-1e5, 1e5),
)
def test_all_reasons_of_an_answer_are_what_raised_it(fees: int, gambling: float, salary: int, flow: float) -> None:
    values = features(
        late_fee_count_90d=fees,
        pct_gambling_spend_90d=gambling,
        days_since_last_salary=salary,
        net_cash_flow_30d=flow,
    )
    found = answer({"features": values, "reasons": 13})
    contributions = [reason["contribution"] for reason in found["reasons"]]
    assert contributions == sorted(contributions, reverse=True)
    assert all(value > 0 for value in contributions)
    vector = model().contract.vector(values)
    margins = model().margins([vector], "twin")
    parts = dict(zip(model().contract.names, model().contributions([vector], margins)[0], strict=True))
    groups: dict[str, list[float]] = {}
    for name, part in parts.items():
        groups.setdefault(artefact().manifest["reasons"][name]["group"], []).append(part)
    said, other = model().reasons.split(vector, [*parts.values()])
    assert [total for total, _, _ in said] == contributions
    raised = sum(math.fsum(group) for group in groups.values() if math.fsum(group) > 0)
    assert math.fsum([*contributions, other]) >= raised - 1e-5  # a group may be raised against its direction alone
    assert math.fsum([*contributions, other]) <= sum(part for part in parts.values() if part > 0) + 1e-5


# Keys only


def test_customers_named_by_keys_are_looked_up_at_once_and_the_others_not_at_all() -> None:
    ledgers = Ledgers(ledger("S1"), ledger("S2", late_fee_count_90d=5))
    items = [{"customer_id": "S1"}, EVENT, {"customer_id": "S9"}, {"customer_id": "S2", "snapshot_date": DAY}]
    found = engine(look_up=ledgers).answer(items)
    assert ledgers.asked == [
        ("credit_risk", [{"customer_id": "S1"}, {"customer_id": "S9"}, {"customer_id": "S2", "snapshot_date": DAY}])
    ]
    assert [row.get("customer_id") for row in found] == ["S1", "S0001", "S9", "S2"]
    assert [row["outcome"] for row in found] == ["scored", "scored", "invalid", "scored"]
    assert found[3]["probability"] == answer(event(late_fee_count_90d=5))["probability"]


def test_a_customer_found_by_keys_answers_with_all_its_ids() -> None:
    found = engine(look_up=Ledgers(ledger("S1"))).answer({"customer_id": "S1"})
    assert (found["customer_id"], found["snapshot_date"]) == ("S1", DAY)


def test_no_look_up_where_every_row_brings_its_features() -> None:
    ledgers = Ledgers()
    engine(look_up=ledgers).answer([EVENT, IDS | FEATURES, 7])
    assert ledgers.asked == []


def test_keys_keep_what_else_the_row_says() -> None:
    risky = ledger("S1", late_fee_count_90d=4)
    found = engine(look_up=Ledgers(risky)).answer({"customer_id": "S1", "reasons": 1})
    assert len(found["reasons"]) == 1


@pytest.mark.parametrize(("after", "outcome", "rules"), [(0, "scored", []), (2, "refer", [AFTER])])
def test_transactions_after_the_snapshot_are_a_warning_whoever_counted_them(
    after: int, outcome: str, rules: list[str]
) -> None:
    looked_up = engine(look_up=Ledgers(ledger("S0001", after=after))).answer(IDS)
    assert looked_up == answer(EVENT | {AFTER: after})
    assert (looked_up["outcome"], [warning["rule"] for warning in looked_up["warnings"]]) == (outcome, rules)


def test_a_broken_ledger_is_reported_and_never_scored() -> None:
    ledgers = Ledgers(ledger("S1", fault="transaction 17: amount is not a number"), ledger("S2"))
    broken, sound = engine(look_up=ledgers).answer([{"customer_id": "S1"}, {"customer_id": "S2"}])
    assert broken == {
        "customer_id": "S1",
        "snapshot_date": DAY,
        "outcome": "invalid",
        "error": {
            "type": "data_fault",
            "message": "the stored transactions can't be read: transaction 17: amount is not a number",
            "field": None,
        },
        "model": "credit_risk",
    }
    assert sound["outcome"] == "scored"


def test_an_unknown_customer_is_never_scored() -> None:
    assert engine(look_up=Ledgers()).answer(IDS) == {
        **IDS,
        "outcome": "invalid",
        "error": {"type": "unknown_customer", "message": "no such customer", "field": "customer_id"},
        "model": "credit_risk",
    }


def test_features_from_a_database_are_checked_like_any_other() -> None:
    found = engine(look_up=Ledgers(ledger("S1", debit_credit_ratio_90d=None))).answer({"customer_id": "S1"})
    assert found["error"]["type"] == "null_feature"


@pytest.mark.parametrize("fault", [DatabaseUnavailable("down"), DatabaseTimeout("slow"), QueryFailed("refused")])
@pytest.mark.parametrize("given", [IDS, [EVENT, IDS]])
def test_a_fault_of_ours_is_raised_and_becomes_no_outcome(fault: OurFault, given: Any) -> None:
    def broken(*_: Any) -> list[FeatureRow | CallerFault]:
        raise fault

    with pytest.raises(type(fault)):
        engine(look_up=broken).answer(given)


@pytest.mark.parametrize(
    ("changes", "outcome", "rules"),
    [
        ({}, "scored", []),
        ({"net_cash_flow_30d": 9001.0}, "refer", ["net_cash_flow"]),
        ({"avg_debit_amt_30d": 501.0}, "refer", ["debit_total"]),
        ({"debit_credit_ratio_90d": 2.1e10}, "refer", ["outside_support", "next_to_no_credits"]),
        ({"days_since_last_salary": 5000}, "refer", ["outside_support"]),
        (
            {"income_inflow_30d": 1e7, "net_cash_flow_30d": 1e7 - 21000},
            "refer",
            ["outside_support", "outside_support"],
        ),
    ],
)
def test_a_valid_row_that_cannot_be_trusted_is_scored_and_referred(
    changes: dict[str, Any], outcome: str, rules: list[str]
) -> None:
    found = answer(event(**changes))
    assert (found["outcome"], [warning["rule"] for warning in found["warnings"]]) == (outcome, rules)
    assert 0 < found["probability"] < 1
    assert {tuple(warning) for warning in found["warnings"]} <= {("rule", "feature", "text")}


def test_an_event_is_left_as_it_was() -> None:
    given = {"instances": [event(), dict(IDS), event(late_fee_count_90d=None)], "reasons": 2}
    before = repr(given)
    engine(look_up=Ledgers(ledger("S0001"))).answer(given)
    assert repr(given) == before


@pytest.mark.parametrize(
    "sent", [{**EVENT, "label": 1}, {**IDS, "features": {**FEATURES, "label": 1}}, {**IDS, **FEATURES, "label": 0}]
)
def test_a_label_that_comes_along_is_not_looked_at_and_said_so(sent: dict[str, Any]) -> None:
    expected = answer(EVENT)
    text = "the event has the label, which is ignored"
    warning = {"rule": "label_ignored", "feature": "label", "text": text}
    assert answer(sent) == {**expected, "warnings": [*expected["warnings"], warning]}
