"""offer_click and offer_click_balanced: offers in SQLite in, how likely a click is out, and a table of results."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from contextlib import closing
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from riskscore.model_toml.settings import read_settings
from riskscore.samples import offer_click
from riskscore.sources.offers import load
from riskscore.sources.results import RESULTS
from riskscore.sources.sources import rows_at, spec_of_settings
from tests import programs
from tests.model_examples import ROOT, engine_for, events

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MODELS = ("offer_click", "offer_click_balanced")
ORDINARY: dict[str, Any] = events("offer_click")["ordinary"]["features"]
every_model = pytest.mark.parametrize("model", MODELS)


@cache
def probability(model: str, **changed: Any) -> float:
    answer = engine_for(model).answer({"offer_id": "1", "features": ORDINARY | changed})
    assert isinstance(answer, dict)
    assert answer["outcome"] == "scored"
    return float(answer["probability"])


def warnings(model: str, **changed: Any) -> list[tuple[str, str]]:
    answer: Any = engine_for(model).answer({"offer_id": "1", "features": ORDINARY | changed})
    return [(warning["rule"], warning["feature"]) for warning in answer["warnings"]]


def test_the_two_differ_in_their_weights_alone() -> None:
    plain, balanced = (read_settings(ROOT / "model" / model) for model in MODELS)
    assert plain.contract.names == balanced.contract.names
    assert plain.search == balanced.search
    assert balanced.parameters == plain.parameters | {"class_weight": "balanced"}


@every_model
@pytest.mark.parametrize(
    ("name", "never_seen", "same_as"),
    [
        ("loan_purpose", "space_travel", "other"),
        ("loan_purpose", "Debt_Consolidation", "other"),  # strict: in another spelling it is another purpose
        ("loan_purpose", "unknown", None),
        ("loan_purpose", "", None),
        ("credit", "splendid", None),
        ("credit", "unknown", None),
        ("lender_id", 999, None),
        ("lender_id", "109", 109),
    ],
)
def test_what_training_never_saw_is_scored_as_what_is_known(
    model: str, name: str, never_seen: Any, same_as: Any
) -> None:
    assert probability(model, **{name: never_seen}) == probability(model, **{name: same_as})


def test_a_value_that_training_never_saw_is_told() -> None:
    assert ("outside_support", "lender_id") in warnings("offer_click", lender_id=999)
    assert warnings("offer_click") == []


@every_model
@pytest.mark.parametrize("income", [None, 0, 0.0, 12, -1200.0, 11_111_111, 11_111_111.0])
def test_any_income_is_scored(model: str, income: Any) -> None:
    assert 0 < probability(model, annual_income=income, requested_to_income=None) < 1


@every_model
def test_a_cheap_first_offer_is_likelier_clicked_than_a_dear_last_one(model: str) -> None:
    cheap = {"apr": 9.9, "lender_id": 101, "apr_rank": 1, "apr_above_lowest": 0.0}
    dear = {"apr": 449.0, "lender_id": 112, "apr_rank": 4, "apr_above_lowest": 439.1}
    assert probability(model, **cheap) > 5 * probability(model, **dear)


def test_the_caller_names_which() -> None:
    event = {"offer_id": "1", "features": ORDINARY}
    rows = [{**event, "model": model} for model in MODELS]
    answers: Any = engine_for("offer_click").answer(rows)
    assert [answer["model"] for answer in answers] == list(MODELS)
    assert answers[1]["probability"] > 5 * answers[0]["probability"]  # weights that pretend that clicks are common


@every_model
def test_one_row_and_a_list_give_the_same(model: str) -> None:
    rows = list(events(model).values())
    engine = engine_for(model)
    assert engine.answer(rows) == [engine.answer(row) for row in rows]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("offers")
    load(folder / "offers.db", {path.stem: path for path in offer_click.write(folder, 400)})
    return folder / "offers.db"


def run(script: str, *arguments: str) -> None:
    done = programs.run(script, *arguments)
    assert done.returncode == 0, done.stderr


def query(database: Path, text: str) -> list[Any]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(text).fetchall()


def test_a_batch_of_each_model_is_stored_beside_the_offers(database: Path, tmp_path: Path) -> None:
    scored = tmp_path / "offers.db"
    shutil.copy(database, scored)
    run("score.py", MODELS[0], "--data", f"sqlite:///{scored}")  # where it goes if nobody says where
    run("score.py", MODELS[1], "--data", f"sqlite:///{scored}", "--output", f"sqlite:///{scored}")
    (offers,) = query(scored, "SELECT count(*) FROM offers")[0]
    per_model = query(scored, "SELECT model_id, count(*) FROM results_clicked GROUP BY 1 ORDER BY 1")
    assert per_model == [(model, offers) for model in MODELS]
    columns = [name for (name,) in query(scored, "SELECT name FROM pragma_table_info('results_clicked')")]
    assert columns == list(RESULTS["results_clicked"].columns)
    given = "SELECT requested, annual_income, apr, credit, loan_purpose FROM offers JOIN leads USING (lead_uuid)"
    stored = "SELECT request_amt, annual_income, apr, credit_type, loan_type FROM results_clicked WHERE model_id = '{}'"
    assert sorted(query(scored, stored.format(MODELS[0])), key=repr) == sorted(query(scored, given), key=repr)
    assert {clicked for (clicked,) in query(scored, "SELECT DISTINCT clicked FROM results_clicked")} == {0, 1}


def quick(folder: Path, model: str, parameters: Sequence[str]) -> None:
    """The model's own settings with a search and a validation of two folds."""
    toml = (ROOT / "model" / model / "model.toml").read_text()
    toml = re.sub(r"\n(folds|repeats) = \d+", r"\n\1 = 2", toml)
    toml = re.sub(r"\nC = .*\nl1_ratio = .*\n", "\n" + "\n".join(parameters) + "\n", toml)
    (folder / "model" / model).mkdir(parents=True)
    (folder / "model" / model / "model.toml").write_text(toml)
    shutil.copytree(ROOT / "sql", folder / "sql")


@every_model
def test_it_trains_by_a_grid_over_strength_and_penalty(model: str, database: Path, tmp_path: Path) -> None:
    quick(tmp_path, model, ["C = [0.003, 0.01]", "l1_ratio = [0.0, 1.0]"])
    run("train.py", model, "--data", f"sqlite:///{database}", "--models", str(tmp_path / "model"))
    manifest = json.loads((tmp_path / "model" / model / "manifest.json").read_bytes())
    assert (manifest["search"]["method"], manifest["search"]["trials"]) == ("grid", 4)
    assert manifest["training"]["rows"] == query(database, "SELECT count(*) FROM offers")[0][0]
    assert set(manifest["engines"]) == {"joblib", "twin"}


def test_the_labels_are_the_clicks(database: Path) -> None:
    wanted = spec_of_settings(read_settings(ROOT / "model" / "offer_click"), ROOT)
    clicked = [row.ids["offer_id"] for row in rows_at(f"sqlite:///{database}", wanted) if row.label == 1]  # type: ignore[union-attr]
    assert sorted(map(int, clicked)) == [offer for (offer,) in query(database, "SELECT offer_id FROM clicks")]
