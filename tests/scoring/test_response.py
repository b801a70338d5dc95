"""Clients bound to other field names, or to an always-a-list answer, get them from the model's [response] table."""

from __future__ import annotations

import pytest

from riskscore.artefact.artefact import open_artefact
from riskscore.errors import InvalidFile
from riskscore.model_toml.settings import read_settings
from riskscore.scoring.model import Model
from tests.scoring_examples import EVENT, engine, write_small
from tests.training_examples import MODEL_TOML, write_model

LOAN = {"model": "small_loans", "loan_id": "L1", "features": {"amount": 1000, "term": 12, "secured": True}}
FIELDS = {"id": "loan_id", "default_probability": "probability", "status": "outcome"}
BARE = {**LOAN, "features": {"amount": 1000}}


@pytest.fixture
def served(tmp_path):
    """An engine that serves the small model with a [response] table, beside credit_risk without one."""

    def serve(**response):
        folder = write_small(tmp_path / "small_loans", response=response)
        return engine(small_loans=Model(open_artefact(str(folder)), "twin"))

    return serve


def test_the_clients_names_in_their_order_and_nothing_else(served):
    answer = served(fields=FIELDS).answer(LOAN)
    assert list(answer) == ["id", "default_probability", "status"]
    assert (answer["id"], answer["status"]) == ("L1", "scored")
    assert 0 < answer["default_probability"] < 1


def test_a_field_that_the_event_brought_no_value_for_is_left_out(served):
    event = {key: value for key, value in LOAN.items() if key != "loan_id"}
    assert list(served(fields=FIELDS).answer(event)) == ["default_probability", "status"]


@pytest.mark.parametrize("amount", [1000, 9000])
def test_the_probability_of_the_predicted_class_is_offered_beside_class_1s(served, amount):
    fields = {"class": "prediction", "probability": "predicted_probability", "of_1": "probability"}
    event = {**LOAN, "features": {**LOAN["features"], "amount": amount}}
    answer = served(fields=fields).answer(event)
    assert list(answer) == [*fields]
    assert answer["class"] == (amount == 9000)
    assert answer["probability"] == (answer["of_1"] if answer["class"] else 1 - answer["of_1"]) > 0.5


def test_always_a_list(served):
    (answer,) = served(always_list=True).answer(LOAN)
    assert answer["outcome"] == "scored"
    assert len(served(always_list=True).answer([LOAN, LOAN])) == 2


def test_an_invalid_row_says_why_in_our_fields(served):
    (answer,) = served(fields=FIELDS, always_list=True).answer(BARE)
    assert answer["outcome"] == "invalid"
    assert answer["error"]["type"] == "missing_feature"


def test_each_row_of_a_list_is_worded_for_its_own_model(served):
    ours, theirs, unknown = served(fields=FIELDS).answer([EVENT, LOAN, {**LOAN, "model": "other"}])
    assert "probability" in ours
    assert list(theirs) == list(FIELDS)
    assert unknown["error"]["type"] == "unknown_model"


def test_constants_stand_in_every_score_and_in_no_error(served):
    engine = served(fields={"p": "probability"}, constants={"status": "success", "version": 2})
    scored, bad = engine.answer([LOAN, BARE])
    assert {**scored, "p": 0} == {"p": 0, "status": "success", "version": 2}
    assert bad["outcome"] == "invalid"
    assert "status" not in bad


def test_constants_beside_our_own_fields(served):
    answer = served(constants={"status": "success"}).answer(LOAN)
    assert (answer["outcome"], answer["status"]) == ("scored", "success")


def test_the_table_in_model_toml(tmp_path):
    toml = '[response]\nalways_list = true\n[response.fields]\nscore = "probability"\ncustomer = "customer_id"\n'
    settings = read_settings(write_model(tmp_path, toml=MODEL_TOML + toml))
    assert settings.response == {
        "fields": {"score": "probability", "customer": "customer_id"},
        "always_list": True,
    }


@pytest.mark.parametrize(
    ("toml", "sentence"),
    [
        ("fields = {score = 'probabilty'}", "response.fields.score: 'probabilty' is not one of customer_id, outcome"),
        ("columns = {pd = 'probabilty'}", "response.columns.pd: 'probabilty' is not one of customer_id, outcome"),
        (
            "constants = {status = ['success']}",
            "response.constants.status must be a text, a finite number or a boolean",
        ),
        ("constants = {status = nan}", "response.constants.status must be a text, a finite number or a boolean"),
        ("fields = {p = 'probability'}\nconstants = {p = 1}", "response.constants.p is a field of the answer already"),
        ("constants = {outcome = 'scored'}", "response.constants.outcome is a field of the answer already"),
        ("always_list = true\nconstants = {customer_id = 'C1'}", "response.constants.customer_id is a field of the"),
    ],
)
def test_a_table_that_no_answer_can_follow_is_refused(tmp_path, toml, sentence):
    with pytest.raises(InvalidFile) as raised:
        read_settings(write_model(tmp_path, toml=f"{MODEL_TOML}[response]\n{toml}\n"))
    assert sentence in raised.value.message
