"""The reasons for a score: which contribution is one, in which words, and what is never said."""

from __future__ import annotations

import math
import re
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from riskscore.artefact.artefact import Artefact
from riskscore.scoring.reasons import Reasons
from riskscore.training.support import draw_rows
from tests.model_examples import deployed, engine_for
from tests.scoring_examples import answer, event

if TYPE_CHECKING:
    from riskscore.scoring.model import Model

NAN = math.nan
SEEN = {"minimum": 0.0, "maximum": 100.0, "quantiles": {"0.5": 10.0}}
TABLES: dict[str, Any] = {
    "model": "cash",
    "version": "1",
    "features": [
        {"name": "inflow", "support": SEEN},
        {"name": "outflow", "support": SEEN},
        {"name": "net", "support": SEEN | {"minimum": -100.0, "quantiles": {"0.5": 12.0}}},
        {"name": "count", "nullable": True, "support": SEEN | {"quantiles": {"0.5": 2}}},
        {"name": "average"},
        {"name": "salary", "description": "days since the last salary", "support": SEEN | {"quantiles": {"0.5": 30}}},
        {"name": "home", "type": "category", "nullable": True, "unknown": "missing", "values": ["own", "rented"]},
    ],
    "reasons": {
        "inflow": {"group": "flow", "high": "much came in", "low": "little came in", "middle": "what came in is usual"},
        "outflow": {"group": "flow", "high": "much went out", "low": "little went out"},
        "net": {"group": "flow", "high": "a surplus", "low": "a deficit"},
        "count": {"high": "many", "low": "few", "missing": "nothing is known of their number", "code": "N7"},
        "average": {"high": "large", "low": "small"},
        "salary": {"high": "long ago", "low": "lately", "special": [{"value": 999, "text": "no salary at all"}]},
        "home": {"value": "the home is {value}", "missing": "nothing is known of the home"},
    },
}
SEEN_BY_NOBODY = "This raised the score: Average"
RISKY = event(late_fee_count_90d=4, pct_gambling_spend_90d=0.3)
SOUND = [30.0, 20.0, 10.0, 4.0, 5.0, 27.0, 0.0]
NAMES = [feature["name"] for feature in TABLES["features"]]


def tables(least_share: float = 0.0, **changes: Any) -> Reasons:
    """The reasons of TABLES; changes: what more a feature's texts say."""
    texts = {name: entry | changes.get(name, {}) for name, entry in TABLES["reasons"].items()}
    return Reasons(Artefact("", TABLES | {"reasons": texts, "least_share": least_share}, "", {}))


def row(**changes: float) -> list[float]:
    return [changes.get(name, value) for name, value in zip(NAMES, SOUND, strict=True)]


def told(found: Reasons, contributions: dict[str, float], **values: float) -> list[tuple[str, float, str]]:
    parts = [contributions.get(name, 0.0) for name in NAMES]
    return [tuple(reason.values()) for reason in found.top(row(**values), parts, 7)]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("contributions", "expected"),
    [
        ({}, []),
        (dict.fromkeys(NAMES, -1.0), []),
        ({"count": 0.5}, [("count", 0.5, "many")]),
        (
            {"count": 0.5, "average": 0.75, "salary": 0.25},
            [("average", 0.75, SEEN_BY_NOBODY), ("count", 0.5, "many"), ("salary", 0.25, "lately")],
        ),
        # one group, one reason: the sum of its features, in the words of the one that did most
        ({"inflow": 0.25, "outflow": 0.5, "net": -0.125}, [("outflow", 0.625, "much went out")]),
        ({"inflow": 0.25, "outflow": 0.5, "net": -1, "salary": 0.125}, [("salary", 0.125, "lately")]),
        (
            {"inflow": -0.25, "outflow": -0.5, "net": 1, "salary": 0.125},
            [("net", 0.25, "a deficit"), ("salary", 0.125, "lately")],
        ),
        # nothing is raised by what rounds to nothing
        ({"count": 4e-7}, []),
        ({"count": 1 / 3}, [("count", 0.333333, "many")]),
    ],
)
def test_reasons_are_what_raised_the_score_strongest_first(
    contributions: dict[str, float], expected: list[tuple[str, float, str]]
) -> None:
    assert told(tables(), contributions) == expected


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_no_more_reasons_than_asked_for(count: int) -> None:
    assert len(tables().top(SOUND, [0, 0, 0, 0.5, 0.75, 0.25, 0], count)) == count


@pytest.mark.parametrize(
    ("feature", "value", "text"),
    [
        ("inflow", 10.1, "much came in"),
        ("inflow", 9.9, "little came in"),
        ("inflow", 10.0, "what came in is usual"),
        ("salary", 30.0, "This raised the score: Days since the last salary"),
        ("average", 0.1, SEEN_BY_NOBODY),
        ("salary", 999.0, "no salary at all"),
        ("salary", 998.0, "long ago"),
        ("salary", 1000.0, "long ago"),
        ("count", NAN, "nothing is known of their number"),
        ("home", 1.0, "the home is rented"),
        ("home", -1.0, "nothing is known of the home"),
        ("home", NAN, "nothing is known of the home"),
    ],
)
def test_the_text_goes_by_the_side_of_the_median_or_the_special_value(feature: str, value: float, text: str) -> None:
    assert told(tables(), {feature: 1.0}, **{feature: value}) == [(feature, 1.0, text)]


def test_a_missing_value_is_not_told_in_the_words_of_a_low_one() -> None:
    assert told(tables(), {"inflow": 1.0}, inflow=NAN) == []


@pytest.mark.parametrize(("value", "text"), [(1.0, "a home of their own"), (0.0, "no home of their own")])
def test_a_boolean_is_told_as_it_is_whatever_most_have(value: float, text: str) -> None:
    home = {"name": "home", "type": "boolean", "support": {"minimum": 0, "maximum": 1, "quantiles": {"0.5": value}}}
    texts = {"home": {"high": "a home of their own", "low": "no home of their own"}}
    found = Reasons(Artefact("", TABLES | {"features": [home], "reasons": texts}, "", {}))
    assert found.top([value], [0.5], 1) == [{"feature": "home", "contribution": 0.5, "text": text}]


HIGHER, LOWER = {"direction": "higher raises"}, {"direction": "lower raises"}
NONE = {"special": [{"value": 0, "text": "none"}]}
MEANT = {"special": [{"value": 0, "text": "none", "raises": True}, {"value": 50, "text": "fifty", "raises": False}]}


@pytest.mark.parametrize(
    ("direction", "value", "text"),
    [
        (HIGHER, 10.1, "much came in"),
        (HIGHER, 10.0, ""),
        (HIGHER, 9.9, ""),
        (LOWER, 9.9, "little came in"),
        (LOWER, 10.0, ""),
        (LOWER, 10.1, ""),
        (HIGHER, NAN, ""),
        (HIGHER | {"missing": "it isn't known"}, NAN, "it isn't known"),
        (HIGHER | NONE, 0.0, ""),
        (LOWER | NONE, 0.0, "none"),
        (HIGHER | MEANT, 0.0, "none"),
        (HIGHER | MEANT, 50.0, ""),
    ],
)
def test_a_reason_against_its_direction_is_not_said(direction: dict[str, Any], value: float, text: str) -> None:
    found = tables(inflow=direction)
    assert [said for _, _, said in told(found, {"inflow": 1.0}, inflow=value)] == [text] * (text != "")
    said, other = found.split(row(inflow=value), [1.0, *[0.0] * 6])
    assert (len(said), other) == ((1, 0.0) if text else (0, 1.0))


def test_where_nothing_is_known_of_training_a_sentence_claims_no_direction() -> None:
    assert told(tables(average=HIGHER), {"average": 1.0}) == [("average", 1.0, SEEN_BY_NOBODY)]


@pytest.mark.parametrize(
    ("contributions", "reasons", "other"),
    [
        # inflow is high, which may not raise: it neither speaks for its group nor adds to it
        ({"inflow": 0.5, "outflow": 0.25}, [("outflow", 0.25, "much went out")], 0.5),
        ({"inflow": 0.5, "outflow": 0.25, "net": -0.125}, [("outflow", 0.125, "much went out")], 0.5),
        ({"inflow": 0.5, "outflow": 0.25, "net": -1.0}, [], 0.5),
        ({"inflow": 0.5, "count": 0.25}, [("count", 0.25, "many")], 0.5),
        # a contribution that lowers the score stays where it is
        ({"inflow": -0.5, "outflow": 0.75}, [("outflow", 0.25, "much went out")], 0.0),
    ],
)
def test_what_goes_against_a_direction_is_summed_under_other(
    contributions: dict[str, float], reasons: list[Any], other: float
) -> None:
    found = tables(inflow=LOWER)
    assert told(found, contributions) == reasons
    assert found.split(SOUND, [contributions.get(name, 0.0) for name in NAMES])[1] == other


@pytest.mark.parametrize(
    ("share", "given"), [(0.0, ["count", "salary", "average"]), (0.1, ["count", "salary"]), (0.5, ["count"])]
)
def test_a_reason_has_at_least_its_share_of_what_raised_the_score(share: float, given: list[str]) -> None:
    parts = {"count": 0.75, "salary": 0.1875, "average": 0.0625, "inflow": -3.0}
    assert [feature for feature, _, _ in told(tables(share), parts)] == given
    other = tables(share).split(SOUND, [parts.get(name, 0.0) for name in NAMES])[1]
    assert other == 1.0 - sum(parts[name] for name in given)


def test_a_code_is_the_features_own_or_its_place() -> None:
    found = tables().top(row(), [0, 0.25, 0, 0.5, 0, 0, 0], 7, codes=True)
    assert [(reason["feature"], reason["code"]) for reason in found] == [("count", "N7"), ("outflow", "R02")]


@pytest.mark.parametrize(("asked", "fields"), [({}, 3), ({"reason_codes": False}, 3), ({"reason_codes": True}, 4)])
def test_an_answer_has_codes_where_they_are_asked_for(asked: dict[str, bool], fields: int) -> None:
    assert {len(reason) for reason in answer(RISKY | asked)["reasons"]} == {fields}
    assert {len(reason) for row in answer([RISKY | asked] * 2) for reason in row["reasons"]} == {fields}
    (found,) = answer({"instances": [RISKY], **asked})
    assert {tuple(reason) for reason in found["reasons"]} == {("feature", "contribution", "text", "code")[:fields]}


# The sentences that the project ships

ROWS = 200
MODELS = ["credit_risk", "default_90d", "offer_click", "offer_click_balanced", "pay_later", "x100"]
MORE = {"much", "many", "large", "long", "high", "often", "late", "overdue"}
LESS = {"little", "few", "small", "short", "low", "seldom", "near", "no", "none", "not", "nothing", "only", "younger"}
NEGATIVE = {"total_debit"}  # below zero, so that a low one is much
EVERY_MODEL = pytest.mark.parametrize("name", MODELS)


@cache
def constructed(name: str) -> tuple[Model, list[list[float]]]:
    """A shipped model, and rows drawn from its training range."""
    model = deployed().find(name)
    features = model.contract.features
    return model, draw_rows(features, [f.support for f in features], ROWS, np.random.default_rng(5)).tolist()


def event_of(model: Model, values: list[float]) -> dict[str, Any]:
    return {"features": {f.name: f.value(value) for f, value in zip(model.contract.features, values, strict=True)}}


def allowed_by(texts: dict[str, Any], feature: Any, value: float) -> str | None:
    """The sentence by which a value may be a reason, as docs/MODELS.md says it; None for none."""
    for special in texts.get("special", ()):
        if value == special["value"] and special.get("raises"):
            return str(special["text"])
    if math.isnan(value):
        return texts.get("missing")
    if feature.type == "category":
        said = texts["value"].replace("{value}", feature.values[int(value)])
        return str(said)
    middle = 0.5 if feature.type == "boolean" else feature.support["quantiles"]["0.5"]
    side = "high" if value > middle else "low" if value < middle else "middle"
    if side == "middle" or texts["direction"] == {"high": "lower raises", "low": "higher raises"}[side]:
        return texts.get("middle") if texts["direction"] == "either" else None
    special = next((entry["text"] for entry in texts.get("special", ()) if entry["value"] == value), None)
    return special or texts[side]


@EVERY_MODEL
def test_no_shipped_reason_goes_against_its_direction(name: str) -> None:
    model, rows = constructed(name)
    texts, given = model.artefact.manifest["reasons"], 0
    asked = {"model": name, "reasons": len(model.contract.names), "reason_codes": True}
    answers = engine_for(name).score([event_of(model, values) for values in rows], asked)
    for values, found in zip(rows, answers, strict=True):
        for reason in found["reasons"]:
            k, entry = model.contract.names.index(reason["feature"]), texts[reason["feature"]]
            neutral = f"This raised the score: {model.contract.features[k].description}".lower()
            said = allowed_by(entry, model.contract.features[k], values[k])
            assert reason["text"] == said or (entry["direction"] == "either" and reason["text"].lower() == neutral)
            assert reason["code"] == entry["code"]
            given += 1
    assert given > ROWS / 2


@EVERY_MODEL
def test_every_shipped_sentence_is_said_of_values_on_its_side(name: str) -> None:
    model, rows = constructed(name)
    for k, feature in enumerate(model.contract.features):
        entry = model.artefact.manifest["reasons"][feature.name]
        values = {rows[n][k] for n in range(ROWS)} | {special["value"] for special in entry.get("special", ())}
        for value in values:
            vector = [*rows[0][:k], float(value), *rows[0][k + 1 :]]
            parts = [float(k == other) for other in range(len(vector))]
            found = [reason["text"] for reason in model.reasons.top(vector, parts, 1)]
            expected = allowed_by(entry, feature, float(value))
            assert found == ([expected] if expected else []) or found[0].startswith("This raised the score")


@EVERY_MODEL
def test_no_shipped_sentence_can_be_read_the_wrong_way_round(name: str) -> None:
    for feature, entry in deployed().find(name).artefact.manifest["reasons"].items():
        words = {key: set(re.findall(r"[a-z]+", entry.get(key, "").lower())) for key in ("high", "low")}
        many, few = ("low", "high") if feature in NEGATIVE else ("high", "low")
        assert not words[many] & LESS, feature
        assert not words[few] & MORE, feature
        assert entry["direction"] != "either" or "value" in entry or (entry.get("high") and entry.get("low"))


@EVERY_MODEL
def test_shipped_sentences_speak_to_a_person(name: str) -> None:
    entries = deployed().find(name).artefact.manifest["reasons"].values()
    texts = [entry[key] for entry in entries for key in ("high", "low", "middle", "missing", "value") if key in entry]
    texts += [special["text"] for entry in entries for special in entry.get("special", ())]
    for text in texts:
        assert text[0].isupper()
        assert not text.endswith(".")
        assert not re.search(r"_|\bmost\b|\bthan in\b", text), text


@EVERY_MODEL
def test_codes_are_written_down_so_that_they_stay(name: str) -> None:
    codes = [entry["code"] for entry in deployed().find(name).artefact.manifest["reasons"].values()]
    assert len({*codes}) == len(codes)
    assert all(re.fullmatch(r"R\d\d\d?", code) for code in codes)


def test_both_engines_and_every_number_of_rows_give_the_same_reasons() -> None:
    model, rows = constructed("credit_risk")
    events = [event_of(model, values) for values in rows]
    asked = {"reasons": 13, "reason_codes": True}
    by = {choice: engine_for("credit_risk", choice).score(events, asked) for choice in ("twin", "joblib")}
    one = [engine_for("credit_risk").answer(given | asked) for given in events]
    assert [row["reasons"] for row in by["twin"]] == [row["reasons"] for row in by["joblib"]]
    assert [row["reasons"] for row in by["twin"]] == [row["reasons"] for row in one]
