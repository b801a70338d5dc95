"""A model with categories, texts and gaps, from its CSV to its answer: each family, each encoding, both engines."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from riskscore.artefact.artefact import open_artefact
from riskscore.model_toml.settings import read_settings
from riskscore.scoring.model import Model
from riskscore.serving.model_info import golden_event
from riskscore.training.training import train
from riskscore.training.training_data import from_source
from tests.scoring_examples import engine
from tests.training_examples import NOW, write_csv

if TYPE_CHECKING:
    from pathlib import Path

TOML = """
ids = ["id"]
seed = 3
threshold = 0.5
parse = "{parse}"
[source]
target = "y"
[estimator]
family = "{family}"
[estimator.parameters]
{parameters}
[validation]
folds = 2
repeats = 1
[[features]]
name = "grade"
type = "category"
values = ["good", "fair", "poor"]
aliases = {{ok = "fair"}}
unknown = "missing"
encoding = "{encoding}"
description = "the lead's grade"
[[features]]
name = "owner"
type = "boolean"
[[features]]
name = "income"
encoding = "log"
nullable = true
missing = ["NA"]
"""
FAMILIES = {"xgboost": "n_estimators = 12\nmax_depth = 3", "logistic": "C = 0.5"}
COLUMNS = ("id", "grade", "owner", "income", "y")
SOUND: dict[str, Any] = {"grade": "fair", "owner": True, "income": 1200.5}


def lines() -> list[list[object]]:
    """Poor grades and small incomes make a 1 likelier; now and then no income, or a grade of another kind."""
    rng = Random(5)
    found: list[list[object]] = []
    for k in range(200):
        grade = rng.choice(["good", "fair", "poor", "poor", "ok", "strange"])
        income: object = "NA" if rng.random() < 0.1 else round(rng.gammavariate(2, 1000), 2)
        risk = {"good": 0.1, "poor": 0.7}.get(grade, 0.3) + 0.2 * (income == "NA")
        found.append([f"C{k}", grade, rng.random() < 0.5, income, int(rng.random() < risk)])
    return found


@pytest.fixture(
    params=[(f, e, p) for f in FAMILIES for e in ("one_hot", "ordinal") for p in ("strict", "text")],
    ids=str,
    scope="module",
)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained model's folder."""
    family, encoding, parse = request.param
    root = tmp_path_factory.mktemp("root")
    model = root / "model" / "graded"
    model.mkdir(parents=True)
    values = {"family": family, "encoding": encoding, "parse": parse, "parameters": FAMILIES[family]}
    (model / "model.toml").write_text(TOML.format(**values))
    settings = read_settings(model)
    train(settings, from_source(settings, write_csv(root / "rows.csv", lines(), COLUMNS)), model, root, NOW)
    return model


def test_a_category_without_a_value_in_any_row_trains(tmp_path: Path) -> None:
    model = tmp_path / "model" / "graded"
    model.mkdir(parents=True)
    values = {"family": "xgboost", "encoding": "one_hot", "parse": "strict", "parameters": FAMILIES["xgboost"]}
    (model / "model.toml").write_text(TOML.format(**values).replace("unknown =", "nullable = true\nunknown ="))
    gaps = [[line[0], "", *line[2:]] for line in lines()]
    settings = read_settings(model)
    train(settings, from_source(settings, write_csv(tmp_path / "rows.csv", gaps, COLUMNS)), model, tmp_path, NOW)
    assert "| 0 of 3 values |" in (model / "MODEL_CARD.md").read_text()


def test_both_engines_give_the_same_answer_to_every_spelling(folder: Path) -> None:
    twin, joblib = (Model(open_artefact(str(folder)), choice) for choice in ("twin", "joblib"))
    rows = [SOUND | change for change in CHANGES]
    for row in rows:
        (ours,) = engine(graded=twin).score([{"model": "graded", "features": row, "reasons": 3}])
        (theirs,) = engine(graded=joblib).score([{"model": "graded", "features": row, "reasons": 3}])
        assert ours | {"engine": ""} == theirs | {"engine": ""}
        assert ours["outcome"] == "scored", row


CHANGES: list[dict[str, Any]] = [
    {},
    {"grade": "good"},
    {"grade": "ok"},
    {"grade": "strange"},  # as strange as in training: missing
    {"income": None},
    {"income": "NA"},
    {"income": -5.0},
    {"income": 0, "owner": False},
]


def test_an_alias_is_its_value_and_a_code_is_a_gap(folder: Path) -> None:
    model = Model(open_artefact(str(folder)))
    answers = engine(graded=model).score([{"model": "graded", "features": SOUND | change} for change in CHANGES])
    fair, _, alias, _, gap, code, *_ = (answer["probability"] for answer in answers)
    assert (fair, gap) == (alias, code)


def test_a_reason_names_the_value(folder: Path) -> None:
    model = Model(open_artefact(str(folder)))
    (answer,) = engine(graded=model).score([{"model": "graded", "features": SOUND | {"grade": "poor"}, "reasons": 3}])
    assert "The lead's grade: poor" in [reason["text"] for reason in answer["reasons"]]


def test_the_contributions_of_the_features_add_up_to_the_margin(folder: Path) -> None:
    model = Model(open_artefact(str(folder)))
    vector = model.contract.vector(SOUND)
    margins = model.margins([vector], "twin")
    (parts,) = model.contributions([vector], margins)
    assert len(parts) == len(model.contract.names)


def test_a_golden_row_is_an_event_that_scores(folder: Path) -> None:
    model = Model(open_artefact(str(folder)))
    for k, row in enumerate(model.artefact.manifest["golden"]):
        model.artefact.manifest["golden"][0] = row
        (answer,) = engine(graded=model).score([golden_event(model)])
        assert answer["outcome"] == "scored", k


def test_a_value_that_training_never_saw_is_a_warning(folder: Path) -> None:
    model = Model(open_artefact(str(folder)))
    manifest = model.artefact.manifest
    assert manifest["features"][0]["support"]["values"] == [-1.0, 0.0, 1.0, 2.0]
    manifest["features"][0]["support"]["values"] = [0.0, 1.0]
    artefact = type(model.artefact)(str(folder), manifest, "", model.artefact.contents)
    (answer,) = engine(graded=Model(artefact)).score([{"model": "graded", "features": SOUND | {"grade": "strange"}}])
    assert [warning["rule"] for warning in answer["warnings"]] == ["outside_support"]


def test_the_card_counts_a_categorys_values_and_the_gaps(folder: Path) -> None:
    card = (folder / "MODEL_CARD.md").read_text()
    assert "| `grade` | the lead's grade | 3 of 3 values |" in card
    share = sum(line[3] == "NA" for line in lines()) / 200
    assert f"| none | none | {share:.1%} |" in card
