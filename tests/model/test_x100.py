"""x100: every value may arrive as a string, in any usual spelling, and gives the number that it would have as one."""

from __future__ import annotations

import json
import math
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from riskscore.errors import CallerFault
from riskscore.model_toml.settings import read_settings
from riskscore.samples import x100
from tests.model_examples import ROOT, SHARED, deployed, engine_for, events, needs, train_small

if TYPE_CHECKING:
    from pathlib import Path

    from riskscore.contract.contract import Contract

REAL = SHARED / "x100"
EVENTS = events("x100")
ROW = {**dict.fromkeys(x100.NAMES, 0.5), "x5": "monday", "x12": 1.0, "x31": "asia", "x81": "may", "x82": "male"}


@cache
def contract() -> Contract:
    return read_settings(ROOT / "model" / "x100").contract


def number(name: str, value: Any) -> float:
    return contract().vector(ROW | {name: value})[contract().names.index(name)]


@pytest.mark.parametrize(
    ("name", "text", "clean"),
    [
        ("x0", "9.521496806", 9.521496806),
        ("x0", " -1e3 ", -1000),
        ("x12", "$-5,483.24", -5483.24),
        ("x12", "($5,483.24)", -5483.24),
        ("x12", "$5,547.78", 5547.78),
        ("x12", "5547.78", 5547.78),
        ("x63", "36.29%", 36.29),
        ("x63", "36.29", 36.29),
        ("x5", "wed", "wednesday"),
        ("x5", "Wednesday", "wednesday"),
        ("x5", "WED ", "wednesday"),
        ("x5", "thur", "thursday"),
        ("x31", "Germany", "germany"),
        ("x81", "sept", "september"),
        ("x81", "October", "october"),
        ("x82", "F", "female"),
        ("x0", "", None),
        ("x5", " ", None),
    ],
)
def test_a_text_is_the_value_that_it_spells(name: str, text: str, clean: Any) -> None:
    assert number(name, text) == pytest.approx(number(name, clean), abs=0, nan_ok=True)


@pytest.mark.parametrize("name", x100.NAMES)
def test_every_column_may_be_missing(name: str) -> None:
    assert math.isnan(number(name, None))
    assert math.isnan(number(name, ""))


def test_a_whole_row_of_strings_is_the_row() -> None:
    for row in x100.labelled(20, 5):
        given = {name: row[name] for name in x100.NAMES}
        strings = {name: "" if value is None else str(value) for name, value in given.items()}
        assert contract().vector(strings) == pytest.approx(contract().vector(given), abs=0, nan_ok=True)


@pytest.mark.parametrize(
    ("name", "value"), [("x0", "abc"), ("x0", "1,5"), ("x12", "$5,48.24"), ("x63", "36.29 percent")]
)
def test_what_spells_no_number_is_refused_without_being_repeated(name: str, value: str) -> None:
    with pytest.raises(CallerFault) as raised:
        number(name, value)
    assert raised.value.field == name
    assert value not in raised.value.message


def test_a_region_that_nobody_declared_is_a_warning_and_a_score() -> None:
    [found] = engine_for("x100").score([EVENTS["odd-values"]])
    assert found["outcome"] == "scored"
    assert ("outside_support", "x31") in {(warning["rule"], warning["feature"]) for warning in found["warnings"]}


@pytest.mark.parametrize("name", EVENTS)
def test_both_engines_answer_an_event_alike_and_always_as_a_list(name: str) -> None:
    twin, joblib = (engine_for("x100", engine).answer(EVENTS[name]) for engine in ("twin", "joblib"))
    assert twin == joblib
    [answer] = twin
    assert set(answer) == {"class", "probability"}
    assert answer["class"] == int(answer["probability"] >= 0.5)


def test_a_row_without_an_id_is_answered_as_well() -> None:
    [answer] = engine_for("x100").answer(EVENTS["ordinary"]["features"])
    assert [answer] == engine_for("x100").answer(EVENTS["ordinary"])


def test_the_engines_margins_are_the_same_to_the_bit() -> None:
    vectors = [contract().vector({name: row[name] for name in x100.NAMES}) for row in x100.labelled(300, 99)]
    model = deployed().find("x100")
    assert model.margins(vectors, "twin") == model.margins(vectors, "joblib")


@pytest.mark.slow
@pytest.mark.parametrize("separator", [",", ";"])
def test_it_trains_from_its_file(separator: str, tmp_path: Path) -> None:
    [sample] = x100.write(tmp_path, 300, 3, separator)
    manifest = train_small("x100", sample, tmp_path / "model")
    assert manifest["training"]["rows"] == 300
    assert manifest["engines"] == ["twin", "joblib"]
    [answer] = engine_for("x100", folder=str(tmp_path / "model")).answer(EVENTS["all-strings"])
    assert 0 < answer["probability"] < 1


@needs("x100/rows_100.json")
def test_every_real_row_is_scored_alone_in_a_list_and_as_strings() -> None:
    rows = json.loads((REAL / "rows_100.json").read_bytes())
    answers = engine_for("x100").answer(rows)
    assert len(answers) == 100
    assert {frozenset(answer) for answer in answers} == {frozenset({"class", "probability"})}
    strings = [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows]
    assert engine_for("x100").answer(strings) == answers
    alone = json.loads((REAL / "row_as_object.json").read_bytes())
    assert engine_for("x100").answer(alone) == engine_for("x100").answer([alone])


@needs("x100/rows_100.json")
def test_the_simulated_columns_have_the_ranges_of_the_real_ones() -> None:
    rows = json.loads((REAL / "rows_100.json").read_bytes())
    answers = engine_for("x100").score(rows)
    outside = Counter(warning["feature"] for answer in answers for warning in answer["warnings"])
    assert max(outside.values(), default=0) <= 5
