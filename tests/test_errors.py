"""The errors: whose fault it is, what a client sees, and which HTTP status that is."""

from __future__ import annotations

import inspect
import json

import pytest

from riskscore import errors
from riskscore.errors import CallerFault, OurFault, RiskscoreError, status

CLASSES = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, RiskscoreError) and kind not in (RiskscoreError, CallerFault, OurFault)
]


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_is_the_callers_fault_or_ours_and_has_a_type_of_its_own(kind: type[RiskscoreError]) -> None:
    assert issubclass(kind, CallerFault) != issubclass(kind, OurFault)
    assert [other for other in CLASSES if other.type == kind.type] == [kind]


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.InvalidEvent, 400),
        (errors.UnknownModel, 404),
        (errors.UnknownCustomer, 404),
        (errors.TooManyRows, 413),
        (errors.AnswerTooLarge, 413),
        (errors.Conflict, 409),
        (errors.MissingFeature, 422),
        (errors.DataFault, 422),
        (errors.QueryFailed, 500),
        (errors.ArtefactRefused, 503),
        (errors.DatabaseTimeout, 503),
        (errors.DatabaseUnavailable, 503),
        (errors.LedgerUnavailable, 503),
        (errors.NotConfigured, 503),
    ],
)
def test_the_status_of_an_error_is_its_own_or_that_of_its_side(kind: type[RiskscoreError], code: int) -> None:
    assert status(kind("no")) == code


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_has_a_status_of_its_side(kind: type[RiskscoreError]) -> None:
    assert status(kind("no")) // 100 == (4 if issubclass(kind, CallerFault) else 5)


@pytest.mark.parametrize(
    ("field", "shown"),
    [
        (None, None),
        ("late_fee_count_90d", "late_fee_count_90d"),
        ("größe", "größe"),
        ("\ud800", "\\ud800"),
        ("x" * 64, "x" * 64),
        ("x" * 65, "x" * 61 + "..."),
    ],
)
def test_a_client_sees_type_message_and_field_of_any_error(field: str | None, shown: str | None) -> None:
    answer = errors.UnknownField("unknown field", field).answer()
    assert answer == {"type": "unknown_field", "message": "unknown field", "field": shown}
    assert json.dumps(answer, ensure_ascii=False).encode()
