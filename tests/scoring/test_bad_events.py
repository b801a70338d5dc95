"""Bad events: each gets its own sentence with the field it is about, in its place, and no value of anybody."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskscore.contract.contract import HINT, HINTS
from riskscore.scoring.events import MAX_ID
from tests.scoring_examples import EVENT, FEATURES, IDS, answer, event

ID, DATE, FEES, NET = "customer_id", "snapshot_date", "late_fee_count_90d", "net_cash_flow_30d"
AFTER = "transactions_after_snapshot"
DAY = "2025-09-01"

MODEL = "model must be a string, the name of a model"
ID_TEXT = "customer_id must be 1 to 200 characters of text"
DATE_TEXT = "snapshot_date must be a date as in 2025-09-01"
OBJECT = "features must be an object of feature names and values"
NEAREST = "unknown field 'late_fees_count_90d'; did you mean 'late_fee_count_90d'?"
FLOAT32 = "within the range of a 32-bit float"
COUNT = "must be a whole number, 0 or more"
BOOLEAN = "must be true or false"

MISSPELT = {name.replace("late_fee_", "late_fees_"): value for name, value in FEATURES.items()}

ROWS: dict[str, tuple[Any, str, str | None, str]] = {
    "no object": (7, "invalid_event", None, "a row is a JSON object"),
    "a list in a list": ([EVENT], "invalid_event", None, "a row is a JSON object"),
    "nested instances": ({"instances": [EVENT]}, "unknown_field", "instances", "unknown field 'instances'"),
    "empty": ({}, "invalid_event", None, "the event has neither features nor customer_id"),
    "no customer": ({"snapshot_date": DAY}, "invalid_event", None, "the event has neither features nor customer_id"),
    "null customer": ({ID: None}, "invalid_event", None, "customer_id is null, and the event holds no features"),
    "unknown model": (EVENT | {"model": "mortgages"}, "unknown_model", "model", "unknown model"),
    "a path as model": (EVENT | {"model": "../credit_risk"}, "unknown_model", "model", "unknown model"),
    "lone surrogate as model": (EVENT | {"model": "\ud800"}, "unknown_model", "model", "unknown model"),
    "a number as model": (EVENT | {"model": 1}, "wrong_type", "model", MODEL),
    "null as model": (EVENT | {"model": None}, "wrong_type", "model", MODEL),
    "unknown customer": (IDS | {ID: "nobody"}, "unknown_customer", ID, "no such customer"),
    "a number as customer": (EVENT | {ID: 1}, "wrong_type", ID, "customer_id must be a string"),
    "empty id": (EVENT | {ID: ""}, "invalid_event", ID, ID_TEXT),
    "long id": (EVENT | {ID: "x" * (MAX_ID + 1)}, "invalid_event", ID, ID_TEXT),
    "NUL in an id": (IDS | {ID: "a\x00b"}, "invalid_event", ID, ID_TEXT),
    "lone surrogate in an id": (IDS | {ID: "\udfff"}, "invalid_event", ID, ID_TEXT),
    "no date": (EVENT | {DATE: "September"}, "invalid_event", DATE, DATE_TEXT),
    "a time": (EVENT | {DATE: "2025-09-01T00:00:00Z"}, "invalid_event", DATE, DATE_TEXT),
    "no day of the calendar": (IDS | {DATE: "2025-02-29"}, "invalid_event", DATE, DATE_TEXT),
    "a number as date": (EVENT | {DATE: 20250901}, "wrong_type", DATE, "snapshot_date must be a string"),
    "null features": (IDS | {"features": None}, "wrong_type", "features", OBJECT),
    "features as a list": ({"features": list(FEATURES.values())}, "wrong_type", "features", OBJECT),
    "features twice": (
        EVENT | {FEES: 1},
        "invalid_event",
        FEES,
        f"{FEES} is beside the features object; put all features inside it",
    ),
    "no features at all": (
        IDS | {"features": {}},
        "missing_feature",
        "income_inflow_30d",
        f"missing: {', '.join(list(FEATURES)[:5])} and 8 more; this model needs all of its 13 features",
    ),
    "a missing feature": (
        {"features": {name: value for name, value in FEATURES.items() if name != FEES}},
        "missing_feature",
        FEES,
        f"missing: {FEES}; this model needs all of its 13 features",
    ),
    "a missing feature, flat": (
        {name: value for name, value in FEATURES.items() if name != FEES},
        "missing_feature",
        FEES,
        f"missing: {FEES}; this model needs all of its 13 features",
    ),
    "a misspelt feature": ({"features": MISSPELT}, "unknown_field", "late_fees_count_90d", NEAREST),
    "a misspelt feature, flat": (IDS | MISSPELT, "unknown_field", "late_fees_count_90d", NEAREST),
    "a misspelt id": (
        {"customerid": "S1"},
        "unknown_field",
        "customerid",
        "unknown field 'customerid'; did you mean 'customer_id'?",
    ),
    "a misspelt control": (
        EVENT | {"reason": 3},
        "unknown_field",
        "reason",
        "unknown field 'reason'; did you mean 'reasons'?",
    ),
    "an extra feature": (event(age=40), "unknown_field", "age", "unknown field 'age'"),
    "a lone surrogate as name": (event(**{"\ud800": 1}), "unknown_field", "\\ud800", "unknown field '\\\\ud800'"),
    "NUL as name": (EVENT | {"\x00": 1}, "unknown_field", "\x00", "unknown field '\\x00'"),
    "null": (
        event(late_fee_count_90d=None),
        "null_feature",
        FEES,
        f"{FEES} is null, but this model needs a whole number there",
    ),
    "a numeric string": (event(net_cash_flow_30d="9"), "wrong_type", NET, f"{NET} must be a number, not a string"),
    "a bool": (event(late_fee_count_90d=True), "wrong_type", FEES, f"{FEES} must be a number, not true or false"),
    "a list": (event(net_cash_flow_30d=[1.0]), "wrong_type", NET, f"{NET} must be a number, not a list"),
    "half a fee": (event(late_fee_count_90d=1.5), "wrong_type", FEES, f"{FEES} must be a whole number"),
    "NaN": (event(net_cash_flow_30d=math.nan), "not_finite", NET, f"{NET} must be a finite number"),
    "infinity": (event(net_cash_flow_30d=-math.inf), "not_finite", NET, f"{NET} must be a finite number"),
    "beyond float32": (event(net_cash_flow_30d=3.5e38), "out_of_range", NET, f"{NET} must be {FLOAT32}"),
    "a huge whole number": (event(net_cash_flow_30d=10**400), "out_of_range", NET, f"{NET} must be {FLOAT32}"),
    "below zero": (event(late_fee_count_90d=-1), "out_of_range", FEES, f"{FEES} must be at least 0 and {FLOAT32}"),
    "more than all": (
        event(pct_gambling_spend_90d=1.5),
        "out_of_range",
        "pct_gambling_spend_90d",
        "pct_gambling_spend_90d must be between 0 and 1",
    ),
    "negative reasons": (EVENT | {"reasons": -1}, "wrong_type", "reasons", f"reasons {COUNT}"),
    "reasons that are no number": (EVENT | {"reasons": True}, "wrong_type", "reasons", f"reasons {COUNT}"),
    "codes that are no boolean": (EVENT | {"reason_codes": 1}, "wrong_type", "reason_codes", f"reason_codes {BOOLEAN}"),
    "a change that is no boolean": (EVENT | {"change": "true"}, "wrong_type", "change", f"change {BOOLEAN}"),
    "a change of a number": (EVENT | {"change": 3}, "wrong_type", "change", f"change {BOOLEAN}"),
    "more reasons than features": (EVENT | {"reasons": 14}, "out_of_range", "reasons", "reasons must be at most 13"),
    "no end of reasons": (EVENT | {"reasons": 10**400}, "out_of_range", "reasons", "reasons must be at most 13"),
    "an observation that is no count": (EVENT | {AFTER: "3"}, "wrong_type", AFTER, f"{AFTER} {COUNT}"),
    "a negative observation": (EVENT | {AFTER: -3}, "wrong_type", AFTER, f"{AFTER} {COUNT}"),
    "observations of keys only": (
        IDS | {AFTER: 3},
        "invalid_event",
        AFTER,
        "an event with ids only can't have observations",
    ),
}


@pytest.mark.parametrize(
    ("given", "kind", "message", "field"),
    [
        (None, "invalid_event", "an event is a JSON object, or a list of objects", None),
        (7, "invalid_event", "an event is a JSON object, or a list of objects", None),
        ("S0001", "invalid_event", "an event is a JSON object, or a list of objects", None),
        (True, "invalid_event", "an event is a JSON object, or a list of objects", None),
        ([], "invalid_event", "the list is empty; one event scores 1 to 10,000 rows", None),
        ({"instances": []}, "invalid_event", "the list is empty; one event scores 1 to 10,000 rows", None),
        ([IDS] * 10_001, "too_many_rows", "10,001 rows in one event; at most 10,000 are scored at once", None),
        (
            {"instances": [IDS] * 10_001},
            "too_many_rows",
            "10,001 rows in one event; at most 10,000 are scored at once",
            None,
        ),
        ({"instances": None}, "invalid_event", "instances must be a list of objects", "instances"),
        ({"instances": EVENT}, "invalid_event", "instances must be a list of objects", "instances"),
        (
            {"instances": [EVENT], "customer_id": "S0001"},
            "invalid_event",
            "beside instances an event may only have model, reasons, reason_codes and change",
            "customer_id",
        ),
        (
            {"instances": [EVENT], "\ud800": 1},
            "invalid_event",
            "beside instances an event may only have model, reasons, reason_codes and change",
            "\\ud800",
        ),
    ],
)
def test_an_event_that_makes_no_sense_gets_one_answer(given: Any, kind: str, message: str, field: str | None) -> None:
    assert answer(given) == {"outcome": "invalid", "error": {"type": kind, "message": message, "field": field}}


@pytest.mark.parametrize(("item", "kind", "field", "message"), ROWS.values(), ids=ROWS)
def test_a_bad_row_answers_with_its_reason_and_its_field(item: Any, kind: str, field: str | None, message: str) -> None:
    found = answer([item])[0]
    assert found["outcome"] == "invalid"
    assert found["error"] == {"type": kind, "message": message, "field": field}
    assert set(found) <= {"outcome", "error", "model", "customer_id", "snapshot_date"}
    assert json.dumps(found, ensure_ascii=False, allow_nan=False).encode()


def test_bad_rows_answer_in_their_places_and_the_others_are_scored() -> None:
    bad = [item for item, *_ in ROWS.values()]
    items = [row for item in bad for row in (EVENT, item)]
    answers = answer(items)
    assert len(answers) == len(items)
    assert [found | {"engine": ""} for found in answers[::2]] == [answer(EVENT) | {"engine": ""}] * len(bad)
    assert answers[1::2] == [answer([item])[0] for item in bad]


def test_bad_rows_answer_in_their_places_among_many() -> None:
    items = [EVENT if k % 7 else event(late_fee_count_90d=None) for k in range(1000)]
    outcomes = [row["outcome"] for row in answer(items)]
    assert outcomes == ["scored" if k % 7 else "invalid" for k in range(1000)]


@pytest.mark.parametrize("kind", ["names of features", "names beside them", "models"])
def test_many_mistakes_in_one_event_are_answered_alike(kind: str) -> None:
    made = {
        "names of features": lambda k: event(**{f"late_fee_count_90d{k}": 1}),
        "names beside them": lambda k: EVENT | {f"customer_id{k}": "x"},
        "models": lambda k: EVENT | {"model": f"credit_risk{k}"},
    }[kind]
    found = [row["error"] for row in answer([made(k) for k in range(HINTS + 5)] * 2)]
    assert found[: HINTS + 5] == found[HINTS + 5 :]
    alone = [answer([made(k)])[0]["error"] for k in range(HINTS + 5)]
    assert [row["message"].partition(HINT)[0] for row in alone] == [
        row["message"].partition(HINT)[0] for row in found[: HINTS + 5]
    ]
    assert [row | {"message": ""} for row in found[: HINTS + 5]] == [row | {"message": ""} for row in alone]
    assert found[0] == alone[0]


@pytest.mark.parametrize(
    ("item", "whose"),
    [
        (EVENT | {"reasons": -1}, IDS | {"model": "credit_risk"}),
        (event(late_fee_count_90d=None), IDS | {"model": "credit_risk"}),
        (EVENT | {"snapshot_date": "2025-13-01"}, {"customer_id": "S0001", "model": "credit_risk"}),
        (EVENT | {"customer_id": ""}, {"model": "credit_risk"}),
        (EVENT | {"model": "mortgages"}, {}),
        ([], {}),
    ],
)
def test_a_refused_row_says_whose_it_is_as_far_as_that_could_be_read(item: Any, whose: dict[str, str]) -> None:
    found = answer([item])[0]
    assert {key: value for key, value in found.items() if key not in ("outcome", "error")} == whose


@given(marker=st.integers(10**11, 10**15).map(str), place=st.sampled_from([*FEATURES, "customer_id", AFTER, "reasons"]))
def test_no_value_of_an_applicant_is_in_an_error(marker: str, place: str) -> None:
    for planted in (marker, -float(marker), [marker], {marker: marker}, float(f"{marker}e60")):
        given = event(**{place: planted}) if place in FEATURES else EVENT | {place: planted}
        error = json.dumps(answer([given])[0].get("error"))
        assert marker not in error
