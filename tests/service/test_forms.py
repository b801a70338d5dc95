"""The form that a contract makes, the event that a form says, and the page of a model, without a browser."""

from __future__ import annotations

import json
import re

import pytest

from riskscore.artefact.artefact import open_artefact
from riskscore.contract.feature import Feature
from riskscore.errors import WrongType
from riskscore.scoring.model import Model
from riskscore.service.forms import event_of, field, fields, label_of, value_of, with_label, written
from riskscore.service.openapi import described, document, feature_schema
from riskscore.service.page_views import Page
from riskscore.serving.model_info import ModelInfo
from tests.scoring_examples import SMALL, engine, write_small

NUMBER, WHOLE, TRUTH = (Feature("x", kind) for kind in ("number", "integer", "boolean"))
SOUND = {"amount": "1000", "term": "12", "secured": "true", "loan_id": " L1 "}


@pytest.mark.parametrize(
    ("feature", "text", "value"),
    [
        (NUMBER, "0.1", 0.1),
        (NUMBER, "-3", -3),
        (NUMBER, "1e3", 1000.0),
        (NUMBER, ".5", 0.5),
        (NUMBER, "", None),
        (WHOLE, "12", 12),
        (TRUTH, "true", True),
        (TRUTH, "false", False),
    ],
)
def test_a_text_stands_for_a_value(feature, text, value):
    assert repr(value_of(feature, text)) == repr(value)


@pytest.mark.parametrize("value", [1965.19, 11.957, 16400, -0.5, 1e-05, 1e22])
@pytest.mark.parametrize("unit", ["", "money", "percent", "decimal_comma"])
def test_what_the_form_shows_is_read_as_the_same_number(unit, value):
    feature = Feature("x", "number", unit=unit, parse="text")
    assert feature.number(value_of(feature, written(feature, value))) == value


def test_a_field_with_a_decimal_comma_says_so_in_place_of_a_unit():
    found = field(Feature("x", "number", unit="decimal_comma", parse="text"), "", {})
    assert (found.hint, found.unit) == ("A number; with a decimal comma.", "")


@pytest.mark.parametrize(
    ("feature", "text", "message"),
    [
        (NUMBER, "two", "x must be a number"),
        (NUMBER, "nan", "x must be a number"),
        (NUMBER, "1" * 65, "x must be a number"),
        (NUMBER, "1,000", "x must be a number"),
        (WHOLE, "0x10", "x must be a whole number"),
        (TRUTH, "1", "x must be yes or no"),
    ],
)
def test_a_text_that_stands_for_nothing_is_refused_without_repeating_it(feature, text, message):
    with pytest.raises(WrongType) as raised:
        value_of(feature, text)
    assert raised.value.message == message


def test_a_form_says_an_event(small_loans):
    event = {"loan_id": "L1", "features": {"amount": 1000, "term": 12, "secured": True}, "model": "small_loans"}
    assert event_of(small_loans, SOUND) == (event, {})


def test_every_bad_field_of_a_form_has_its_message(small_loans):
    _, errors = event_of(small_loans, {"amount": "-1", "term": "1.5", "secured": ""})
    assert errors == {
        "amount": "amount must be at least 0 and within the range of a 32-bit float",
        "term": "term must be a whole number",
        "secured": "secured must not be empty",
    }


SHARE = Feature("share_30d", minimum=0, maximum=1, support={"minimum": 8.83e-05, "maximum": 1234567})


@pytest.mark.parametrize(
    ("message", "said", "below"),
    [
        ("share_30d must be a number", "“Share 30d” must be a number", "Must be a number"),
        ("share_30d must be between 0 and 1", "“Share 30d” must be between 0 and 1", "Must be between 0 and 1"),
        (
            "share_30d is outside the training range, 8.83e-05 to 1.23457e+06",
            "“Share 30d” is outside the training range, 0.0000883 to 1,234,567",
            "Is outside the training range, 0.0000883 to 1,234,567",
        ),
        ("the loan is too long", "the loan is too long", "The loan is too long"),
    ],
)
def test_the_page_says_a_message_with_the_label_and_with_numbers_as_in_the_hints(message, said, below):
    assert with_label(message, "share_30d", label_of(SHARE), SHARE) == said
    made = field(SHARE, "", {"share_30d": message})
    assert (made.error, made.complaint) == (said, below)
    assert "0.0000883 to 1,234,567" in made.hint


def test_a_number_that_is_part_of_an_id_stays_as_it_is(small_loans):
    (loan,), _ = fields(small_loans, {}, {"loan_id": "loan_id must be a date as in 2025-09-01"})
    assert loan.error == "“Loan id” must be a date as in 2025-09-01"


def test_the_form_is_made_from_the_contract(small_loans):
    ids, (amount, term, secured) = fields(small_loans, SOUND, {"term": "wrong"})
    assert [entry.name for entry in ids] == ["loan_id"]
    assert (amount.hint, amount.value) == ("A number; 0 or more; training range 500 to 9,000.", "1000")
    assert (term.hint, term.error) == ("A whole number; 1 to 600.", "wrong")
    assert secured.hint == "Yes or no."
    assert secured.choices == (("", "Choose"), ("true", "Yes"), ("false", "No"))


def test_a_feature_that_may_be_missing_says_so():
    assert field(Feature("x", nullable=True), "", {}).hint == "A number; may be left empty."


GROUP = Feature("x", "category", nullable=True, values=["Food", "Home"], aliases={"Foods": "Food"})
OPEN = Feature("x", "category", values=["a", "b"], unknown="a")
AMOUNT = Feature("x", unit="money", nullable=True, missing=["none"], parse="text")


@pytest.mark.parametrize(
    ("feature", "text", "value", "choices"),
    [
        (GROUP, "Foods", "Food", ["", "Food", "Home"]),
        (GROUP, "", "", ["", "Food", "Home"]),
        (OPEN, "c", "c", ["", "a", "b", "c"]),
        (AMOUNT, "$5", "$5", []),
    ],
)
def test_a_category_is_a_list_that_keeps_what_was_sent(feature, text, value, choices):
    made = field(feature, text, {})
    assert (made.value, [choice for choice, _ in made.choices]) == (value, choices)
    assert value_of(feature, made.value) == (value or None)


@pytest.mark.parametrize(
    ("feature", "schema"),
    [
        (GROUP, {"enum": ["Food", "Home", "Foods", None], "description": "one of Food, Home"}),
        (OPEN, {"type": "string", "description": "one of a, b"}),
        (AMOUNT, {"type": ["number", "string", "null"], "description": "money"}),
    ],
)
def test_categories_and_texts_in_the_openapi(feature, schema):
    assert feature_schema(feature) == schema


@pytest.fixture
def page(small_loans, tmp_path) -> Page:
    describe = ModelInfo(lambda _: small_loans, lambda: ["small_loans"], "small_loans", str(tmp_path))
    return Page(describe, lambda *_: [])


def test_what_somebody_typed_is_shown_as_text_and_never_as_markup(page, small_loans):
    status, text = page.answered(small_loans, SOUND | {"amount": '"><script>alert(1)</script>'}, engine().answer)
    assert status == 422
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_the_page_shows_a_person_what_the_models_clients_leave_out(tmp_path):
    folder = write_small(tmp_path / "small_loans", response={"fields": {"p": "probability"}, "always_list": True})
    model = Model(open_artefact(str(folder)), "twin")
    page = Page(ModelInfo(lambda _: model, lambda: ["small_loans"], "small_loans", str(tmp_path)), lambda *_: [])
    status, text = page.answered(model, SOUND | {"term": "240"}, engine(small_loans=model).answer)
    assert status == 200
    assert "the loan is too long" in text
    assert "<h1><code>small_loans</code></h1>" in text
    assert 'id="points"' in text
    assert "What raised the probability most" in text


ASSUMED = {"points": False, "assumed": {"term": 12, "secured": "amount / term"}}


def test_what_a_model_has_assumed_may_be_left_empty_and_no_points_are_shown(tmp_path):
    features = [*SMALL["features"][:2], {"name": "secured", "nullable": True}]
    folder = write_small(tmp_path / "small_loans", page=ASSUMED, features=features)
    model = Model(open_artefact(str(folder)), "twin")
    event, errors = event_of(model, {"amount": "1200"})
    assert (event["features"], errors) == ({"amount": 1200, "term": 12, "secured": 100.0}, {})
    assert event_of(model, {"amount": "1200", "term": "0"})[1] == {"term": "term must be between 1 and 600"}
    assert event_of(model, {"amount": "1200", "term": "6", "secured": "1"})[0]["features"] == {
        "amount": 1200,
        "term": 6,
        "secured": 1,
    }
    page = Page(ModelInfo(lambda _: model, lambda: ["small_loans"], "small_loans", "no events"), lambda *_: [])
    assert "<details>" in page.empty(model)
    status, text = page.answered(model, {"amount": "1200"}, engine(small_loans=model).answer)
    assert (status, 'id="probability"' in text, 'id="points"' in text) == (200, True, False)


def test_a_warning_of_the_page_names_the_label(page, small_loans):
    _, text = page.answered(
        small_loans, SOUND | {"amount": "10000", "term": "100"}, engine(small_loans=small_loans).answer
    )
    assert "<li>“Amount” is outside the training range, 500 to 9,000</li>" in text


def test_what_a_purge_erased_is_called_so(small_loans, tmp_path):
    kept = {"time": "2026-11-20T12:00:00", "ids": {}, "model": "m", "probability": None, "points": None}
    rows = [kept | {"outcome": outcome} for outcome in ("scored", "refer", "invalid")]
    describe = ModelInfo(lambda _: small_loans, lambda: ["small_loans"], "small_loans", str(tmp_path))
    text = Page(describe, lambda *_: rows).empty(small_loans)
    assert re.findall(r'class="badge \w+">(\w+)<', text) == ["erased", "erased", "invalid"]


def test_the_api_page_unfolds_one_operation_below_a_list_of_all(page, small_loans, tmp_path):
    describe = ModelInfo(lambda _: small_loans, lambda: ["small_loans"], "small_loans", str(tmp_path))
    operations = [said for methods in document(describe)["paths"].values() for said in methods.values()]
    for asked, unfolded in (
        ("", "predict"),
        ("/models/small_loans/predict", "predict_small_loans"),
        ("/no", "predict"),
    ):
        text = page.docs(document(describe), "https://scores.example", asked)
        assert re.findall(r'<details class="card" id="(\w+)" open>', text) == [unfolded]
    assert re.findall(r'<a href="/docs\?path=[^"]+#(\w+)"><code>/', text)[: len(operations)] == [
        said["operationId"] for said in operations
    ]
    assert re.findall(r"curl .*(https://\S+)</code>", text) == [
        f"https://scores.example{path}" for path in document(describe)["paths"]
    ]


def test_an_example_of_a_model_without_event_files_is_its_golden_row(page, small_loans):
    text = page.empty(small_loans)
    assert 'name="amount" value="1000.0"' in text
    assert '<option value="true" selected>Yes</option>' in text


@pytest.mark.parametrize(
    ("names", "amount"),
    [(["a-flat", "ordinary"], 2000), (["a-flat", "b-other"], 1000), (["b-other", "ordinary"], 2000)],
)
def test_the_page_shows_the_ordinary_example_or_else_the_first_flat_or_not(small_loans, tmp_path, names, amount):
    loan = {"term": 12, "secured": True}
    events = {
        "a-flat": {"loan_id": "L1", "amount": 1000, **loan},
        "b-other": {"features": {"amount": 3000, **loan}},
        "ordinary": {"features": {"amount": 2000, **loan}},
    }
    (tmp_path / "small_loans").mkdir()
    for name in names:
        (tmp_path / "small_loans" / f"{name}.json").write_text(json.dumps(events[name]))
    describe = ModelInfo(lambda _: small_loans, lambda: ["small_loans"], "small_loans", str(tmp_path))
    assert f'name="amount" value="{amount}"' in Page(describe, lambda *_: []).empty(small_loans)


def test_the_openapi_has_a_path_and_an_example_for_the_model(small_loans, tmp_path):
    found = document(ModelInfo(lambda _: small_loans, lambda: ["small_loans"], "small_loans", str(tmp_path)))
    body = found["paths"]["/models/small_loans/predict"]["post"]["requestBody"]["content"]["application/json"]
    assert body["examples"]["golden"]["value"]["features"] == {"amount": 1000.0, "term": 12, "secured": True}
    assert found["paths"]["/predict"]["post"]["operationId"] == "predict"


def test_a_feature_in_the_openapi(small_loans):
    amount, _, secured = small_loans.contract.features
    assert (feature_schema(amount)["type"], feature_schema(amount)["minimum"]) == ("number", 0)
    assert described(amount) == "0 or more; training range 500 to 9,000"
    assert feature_schema(secured) == {"type": "boolean", "description": ""}
