"""The shapes in which an event arrives, and the sentence for each event that has none of them."""

from __future__ import annotations

import json
from contextlib import nullcontext
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskscore.errors import AnswerTooLarge
from riskscore.scoring.events import LAMBDA_BYTES, MAX_ROWS, Refused, Row, parse_rows, require_fit, rows_of
from tests.scoring_examples import EVENT, FEATURES, IDS, answer, artefact, engine

if TYPE_CHECKING:
    from riskscore.scoring.model import Model

AFTER = "transactions_after_snapshot"


def parsed(item: Any, **shared: Any) -> Row | Refused:
    return parse_rows([item], shared, lambda _: "credit_risk", lambda _: artefact())[0]


@pytest.mark.parametrize(
    ("item", "ids", "values", "observations", "reasons"),
    [
        ({"features": FEATURES}, {}, FEATURES, {}, None),
        (EVENT, IDS, FEATURES, {}, None),
        (IDS | FEATURES, IDS, FEATURES, {}, None),
        (FEATURES, {}, FEATURES, {}, None),
        (FEATURES | {"snapshot_date": "2024-02-29"}, {"snapshot_date": "2024-02-29"}, FEATURES, {}, None),
        (IDS, IDS, None, {}, None),
        ({"customer_id": "S0001"}, {"customer_id": "S0001"}, None, {}, None),
        ({"customer_id": "S0001", "snapshot_date": None}, {"customer_id": "S0001"}, None, {}, None),
        (EVENT | {AFTER: 3}, IDS, FEATURES, {AFTER: 3}, None),
        (IDS | FEATURES | {AFTER: 0}, IDS, FEATURES, {AFTER: 0}, None),
        (EVENT | {"reasons": 0}, IDS, FEATURES, {}, 0),
        (EVENT | {"reasons": None}, IDS, FEATURES, {}, None),
        (IDS | {"reasons": 2, "model": "credit_risk"}, IDS, None, {}, 2),
        ({"customer_id": None, "features": FEATURES}, {}, FEATURES, {}, None),
        ({"customer_id": "Zoë 🏦 O'Brien"} | FEATURES, {"customer_id": "Zoë 🏦 O'Brien"}, FEATURES, {}, None),
    ],
)
def test_a_row_is_sorted_into_ids_features_and_observations(
    item: dict[str, Any],
    ids: dict[str, str],
    values: dict[str, Any] | None,
    observations: dict[str, int],
    reasons: int | None,
) -> None:
    row = parsed(item)
    assert isinstance(row, Row)
    assert (row.model, row.ids, row.features, row.observations, row.reasons) == (
        "credit_risk",
        ids,
        values,
        observations,
        reasons,
    )


@pytest.mark.parametrize(
    ("given", "items", "shared", "many"),
    [
        (EVENT, [EVENT], {}, False),
        ([EVENT], [EVENT], {}, True),
        ([EVENT, 7], [EVENT, 7], {}, True),
        ({"instances": [EVENT, IDS]}, [EVENT, IDS], {}, True),
        ({"instances": [EVENT], "model": "m", "reasons": 1}, [EVENT], {"model": "m", "reasons": 1}, True),
    ],
)
def test_an_event_is_one_row_or_a_list(given: Any, items: list[Any], shared: dict[str, Any], many: bool) -> None:
    assert rows_of(given) == (items, shared, many)


@pytest.mark.parametrize(
    ("shared", "row", "reasons"),
    [({"reasons": 1}, {}, 1), ({"reasons": 1}, {"reasons": 2}, 2), ({}, {"reasons": 0}, 0), ({}, {}, None)],
)
def test_what_instances_share_holds_where_a_row_says_nothing_itself(
    shared: dict[str, Any], row: dict[str, Any], reasons: int | None
) -> None:
    found = parsed(EVENT | row, **shared)
    assert isinstance(found, Row)
    assert found.reasons == reasons


def test_a_fault_in_what_instances_share_is_every_rows() -> None:
    answers = answer({"instances": [EVENT, EVENT | {"reasons": 1}], "reasons": "all"})
    assert [row["outcome"] for row in answers] == ["invalid", "scored"]


def test_each_row_may_name_its_own_model(small_loans: Model) -> None:
    loan = {"amount": 2000, "term": 24, "secured": False}
    served = engine(small_loans=small_loans)
    items = [EVENT, {"model": "small_loans", "loan_id": "L1"} | loan, EVENT, {"model": "small_loans", "features": loan}]
    answers = served.answer(items)
    assert [row["model"] for row in answers] == ["credit_risk", "small_loans", "credit_risk", "small_loans"]
    assert answers == [served.answer(item) for item in items]
    assert served.answer({"instances": [loan], "model": "small_loans"}) == [served.answer(items[3])]


def test_the_same_keys_mean_what_each_model_says(small_loans: Model) -> None:
    rows = [{"model": name, "late": 1, "features": {}} for name in ("small_loans", "credit_risk")]
    found = engine(small_loans=small_loans).answer(rows)
    assert [row["error"]["type"] for row in found] == ["missing_feature", "unknown_field"]


def test_a_model_without_a_query_says_that_it_needs_features(small_loans: Model) -> None:
    found = engine(small_loans=small_loans).answer({"model": "small_loans", "loan_id": "L1"})
    assert found["error"]["message"] == "small_loans has no feature query here, so an event has to bring the features"


@given(st.dates())
def test_every_day_of_the_calendar_is_a_snapshot_date(day: date) -> None:
    assert isinstance(parsed(IDS | {"snapshot_date": day.isoformat()}), Row)


@given(st.integers(0, 2100), st.integers(0, 13), st.integers(0, 32))
def test_no_other_day_is_a_snapshot_date(year: int, month: int, day: int) -> None:
    text = f"{year:04}-{month:02}-{day:02}"
    try:
        known = bool(date.fromisoformat(text))
    except ValueError:
        known = False
    assert isinstance(parsed(IDS | {"snapshot_date": text}), Row) == known


@pytest.mark.parametrize(
    ("day", "known"),
    [("2000-02-29", True), ("1900-02-29", False), ("2024-02-30", False), ("2025-06-31", False), ("0000-01-01", False)],
)
def test_leap_years_and_short_months_are_known(day: str, known: bool) -> None:
    assert isinstance(parsed(IDS | {"snapshot_date": day}), Row) == known


@pytest.mark.parametrize(
    "text", ["2025-9-1", "20250901", " 2025-09-01", "2025-09-01\n", "\u0662025-09-01", "-025-09-01"]
)
def test_a_date_is_written_in_one_way(text: str) -> None:
    assert isinstance(parsed(IDS | {"snapshot_date": text}), Refused)


def test_ten_thousand_rows_are_scored_at_once() -> None:
    answers = answer([EVENT | {"reasons": 0}] * MAX_ROWS)
    require_fit(answers)
    assert len(answers) == MAX_ROWS
    assert answers[-1]["outcome"] == "scored"


@pytest.mark.parametrize(
    ("rows", "length", "fits"),
    [(101, 61_000, True), (101, 63_000, False), (10_000, 600, True), (10_000, 700, False)],
)
def test_an_answer_too_large_for_lambda_says_so_instead(rows: int, length: int, fits: bool) -> None:
    long = [{"text": "x" * length}] * rows
    said = f"the answer has {len(json.dumps(long)):,} bytes, Lambda returns {LAMBDA_BYTES:,}; ask for fewer rows or"
    with nullcontext() if fits else pytest.raises(AnswerTooLarge, match=f"^{said} reasons$"):
        require_fit(long)


def test_a_single_answer_always_fits() -> None:
    require_fit(answer(EVENT))
