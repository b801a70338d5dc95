"""The model of a row that names none, by its fields: at every way in, in a list each row by itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from riskscore.errors import AmbiguousModel
from riskscore.scoring.dispatch import Fields, model_for
from riskscore.serving.aws_envelopes import function_of, handler_of
from riskscore.serving.deployment import Deployment
from tests.model_examples import ROOT, events
from tests.scoring_examples import EVENT, FEATURES, IDS, artefact, write_small

if TYPE_CHECKING:
    from pathlib import Path

    from riskscore.scoring.engine import Engine


def without_model(event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name != "model"}


X100 = {name: str(value) for name, value in events("x100")["ordinary"]["features"].items()}
PAY_LATER = without_model(events("pay_later")["flat"])
OFFER = without_model(events("offer_click")["ordinary"])
AMBIGUOUS = (
    'the row names no model, and its fields are those of offer_click and offer_click_balanced: name one as "model"'
)


def deployment(**environ: str) -> Deployment:
    return Deployment(environ, str(ROOT))


@pytest.fixture(scope="module")
def engine() -> Engine:
    return deployment().engine()


def fields(features: str, target: str = "", ids: str = "id") -> Fields:
    named = [{"name": name} for name in features.split()]
    return Fields({"ids": ids.split(), "observations": {}, "features": named, "source": {"target": target}})


def write_pqr(folder: Path) -> None:
    """A model of three numbers beside the small one."""
    reasons = {name: {"high": "high", "low": "low"} for name in "pqr"}
    write_small(folder, features=[{"name": name} for name in "pqr"], identities=[], limits=[], reasons=reasons)


MODELS = {"ab": fields("a b"), "abc": fields("a b c", target="y"), "pq": fields("p q"), "pq2": fields("p q")}


@pytest.mark.parametrize(
    ("names", "default", "expected"),
    [
        ("a b", "pq", "ab"),
        ("a b id reasons", "pq", "ab"),
        ("a b c", "ab", "abc"),  # the default knows c not
        ("a b", "abc", "ab"),  # the default lacks c
        ("a b c y", "pq", "abc"),  # the label is known there
        ("a b c d", "pq", "abc"),  # it fits none, and abc knows most of it
        ("c", "pq", "abc"),
        ("p q", "pq2", "pq2"),  # among several the default
        ("p q r", "pq", "pq"),
        ("k l m a", "pq", "pq"),  # next to nothing is known of it
        ("id", "pq", "pq"),
        ("", "pq", "pq"),
    ],
)
def test_a_row_is_for_the_model_that_gets_all_its_features_or_else_knows_most_of_its_names(
    names: str, default: str, expected: str
) -> None:
    assert model_for(names.split(), default, MODELS) == expected


@pytest.mark.parametrize("names", ["p q", "p q r", "p"])
def test_between_several_models_there_is_no_guess(names: str) -> None:
    with pytest.raises(AmbiguousModel) as caught:
        model_for(names.split(), "ab", MODELS)
    assert caught.value.message == 'the row names no model, and its fields are those of pq and pq2: name one as "model"'


@pytest.mark.parametrize("row", [X100, {"features": X100}, X100 | {"y": 1}, X100 | {"id": "7", "reasons": 0}])
def test_a_row_of_hundred_texts_needs_no_name_of_its_model(engine: Engine, row: dict[str, Any]) -> None:
    named = engine.answer(row | {"model": "x100"})
    assert engine.answer(row) == named
    assert list(named[0]) == ["class", "probability"]


@pytest.mark.parametrize(
    ("row", "model", "error"),
    [
        ({name: X100[name] for name in X100 if name != "x57"}, "x100", "missing_feature"),
        (X100 | {"x100": "1"}, "x100", "unknown_field"),
        (X100 | {"x1": "wed"}, "x100", "wrong_type"),
        ({name: PAY_LATER[name] for name in PAY_LATER if name != "age"}, "pay_later", "missing_feature"),
        ({**IDS, "features": {name: FEATURES[name] for name in [*FEATURES][1:]}}, "credit_risk", "missing_feature"),
        ({**IDS, **FEATURES, "x0": 1}, "credit_risk", "unknown_field"),
        ({"customer": 1, "age": 30}, "credit_risk", "unknown_field"),
        ({}, "credit_risk", "invalid_event"),
    ],
)
def test_the_model_that_a_row_is_for_says_what_is_wrong_with_it(
    engine: Engine, row: dict[str, Any], model: str, error: str
) -> None:
    found = engine.answer(row)
    found = found[0] if isinstance(found, list) else found
    assert (found["model"], found["error"]["type"]) == (model, error)


def test_in_a_list_each_row_is_for_its_own_model(engine: Engine) -> None:
    rows = [EVENT, X100, OFFER, PAY_LATER, 7, OFFER | {"model": "offer_click"}]
    found = engine.answer(rows)
    assert found[0]["model"] == "credit_risk"
    assert list(found[1]) == ["class", "probability"]
    error = {"type": "ambiguous_model", "message": AMBIGUOUS, "field": "model"}
    assert found[2] == {"outcome": "invalid", "error": error}
    assert list(found[3]) == ["default_probability", "status"]
    assert found[4]["error"]["type"] == "invalid_event"
    assert found[5]["model"] == "offer_click"


@pytest.mark.parametrize("models", ["offer_click,credit_risk", "credit_risk,offer_click"])
def test_only_models_that_are_served_count(models: str) -> None:
    assert deployment(RISKSCORE_MODELS=models).engine().answer(OFFER)["model"] == "offer_click"


def test_the_default_model_goes_before_its_likes() -> None:
    assert deployment(RISKSCORE_MODEL="offer_click_balanced").engine().answer(OFFER)["model"] == "offer_click_balanced"


def test_a_pinned_default_model_is_the_only_one() -> None:
    pinned = deployment(RISKSCORE_MANIFEST_SHA256=artefact().manifest_sha256)
    assert pinned.engine().answer(X100)["error"]["message"] == "unknown field 'x0'"


@pytest.mark.parametrize("count", [1_001, 3])
def test_many_rows_of_another_model_are_read_as_when_they_name_it(tmp_path: Path, count: int) -> None:
    write_small(tmp_path / "small_loans")
    write_pqr(tmp_path / "other")
    engine = Deployment({"RISKSCORE_MODEL_URI": str(tmp_path), "RISKSCORE_MODEL": "small_loans"}, str(ROOT)).engine()
    rows = [{"p": float(k), "q": 1.0, "r": 0.0} for k in range(count)]
    assert engine.answer(rows) == engine.answer({"instances": rows, "model": "other"})


def test_many_rows_are_read_a_column_at_a_time_as_when_they_name_their_model() -> None:
    engine = deployment(RISKSCORE_MODEL="x100").engine()
    rows = [{**IDS, **FEATURES, "merchant_diversity_90d": k % 40} for k in range(2_000)]
    found = engine.answer(rows)
    assert found == engine.answer({"instances": rows, "model": "credit_risk"})
    assert {row["engine"] for row in found} == {"joblib"}


def test_a_broken_model_takes_no_row_from_another(tmp_path: Path) -> None:
    write_small(tmp_path / "small_loans")
    write_pqr(tmp_path / "other")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "manifest.json").write_text("{}")
    engine = Deployment({"RISKSCORE_MODEL_URI": str(tmp_path), "RISKSCORE_MODEL": "small_loans"}, str(ROOT)).engine()
    assert engine.answer({"p": 1, "q": 2, "r": 3})["model"] == "other"


def test_another_models_manifest_is_read_only_where_the_default_model_is_not_meant() -> None:
    opened = deployment()
    engine = opened.engine()
    for row in (EVENT, {**IDS, **FEATURES}, IDS | {"snapshot_date": "2025-02-29"}, {"reasons": 1}, {}):
        assert engine.answer(row)["model"] == "credit_risk"
    assert opened._fields == {}


@pytest.mark.parametrize("shape", ["request", "queue", "batch"])
def test_envelopes_need_no_name_either(shape: str) -> None:
    opened = deployment()
    engine = opened.engine()
    kept: list[Any] = []
    engine._record = kept.extend
    event = {
        "request": {
            "version": "2.0",
            "rawPath": "/predict",
            "requestContext": {"http": {"method": "POST"}},
            "body": json.dumps(X100),
        },
        "queue": {"Records": [{"eventSource": "aws:sqs", "messageId": "1", "body": json.dumps(X100)}]},
        "batch": {"Items": [X100]},
    }[shape]
    handler = handler_of(event)
    assert handler
    handler(event, function_of(opened, engine, str(ROOT)), "request")
    assert [entry.retained["model"] for entry in kept] == ["x100"]
