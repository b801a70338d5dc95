"""A fitted scorecard: its bins, its table, its SQL, and that its points are the answer's points."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import psycopg
import pytest

from riskscore.artefact.artefact import open_artefact
from riskscore.contract.contract import Contract
from riskscore.errors import CallerFault, InvalidFile
from riskscore.model_card.scorecard import scorecard
from riskscore.model_toml.settings import read_settings
from riskscore.scoring.events import Row
from riskscore.scoring.model import Model
from riskscore.scoring.pipeline import score_again
from riskscore.scoring.scorecard_fit import ScorecardFit, weights_of_evidence
from riskscore.scoring.scorecard_sql import query
from riskscore.training.fitting import encoded, fit
from riskscore.training.training import train
from riskscore.training.training_data import from_source
from tests.programs import run
from tests.training_examples import MODEL_TOML, NOW, rows, write_csv, write_model

if TYPE_CHECKING:
    from pathlib import Path

PARAMETERS = "n_estimators = 12\nmax_depth = 3\nlearning_rate = 0.3"
CARD = MODEL_TOML.replace('"xgboost"', '"scorecard"').replace(PARAMETERS, "max_bins = 4")
WIDE = """
[[features]]
name = "home"
type = "category"
values = ["own", "rent", "o'ther"]
aliases = {OWNED = "own"}
nullable = true
unknown = "missing"
missing = ["?"]
[[features]]
name = "ever"
type = "boolean"
[[features]]
name = "debt"
nullable = true
missing = [-1]
minimum = -1
maximum = 10
"""
COLUMNS = ("customer_id", "inflow", "late", "share", "home", "ever", "debt", "label")
HOMES = ("own", "rent", "o'ther", "OWNED", "", "?", "boat")
DEBTS = ("", -1, 0.5, 3.25, 10)


def wide(count: int = 300) -> list[list[object]]:
    """The small model's rows with a category, a truth and a number with a code for missing."""
    return [
        [*own[:4], HOMES[k % len(HOMES)], k % 3 == 0, DEBTS[k % len(DEBTS)], own[4]]
        for k, own in enumerate(rows(count))
    ]


def trained(root: Path, toml: str = CARD + WIDE, name: str = "small") -> Path:
    folder = write_model(root, name, toml)
    (folder / "reasons.toml").unlink()
    settings = read_settings(folder)
    train(settings, from_source(settings, write_csv(root / "rows.csv", wide(), COLUMNS)), folder, root, NOW)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("scorecard"))


def records(count: int = 300) -> list[dict[str, Any]]:
    """What events would bring."""
    found = []
    for line in wide(count):
        record = dict(zip(COLUMNS[1:-1], line[1:-1], strict=True))
        found.append({key: None if value == "" else value for key, value in record.items()})
    return found


def test_the_weight_of_evidence_is_the_log_odds_less_those_of_all_rows() -> None:
    evidence, information = weights_of_evidence(np.array([[90, 10], [10, 40], [0, 0]]))
    by_hand = [math.log((10.5 / 51) / (90.5 / 101)), math.log((40.5 / 51) / (10.5 / 101))]
    assert evidence == pytest.approx([*by_hand, 0.0])
    assert information == pytest.approx((10.5 / 51 - 90.5 / 101) * by_hand[0] + (40.5 / 51 - 10.5 / 101) * by_hand[1])


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("seed", range(5))
def test_bins_keep_the_direction_and_the_share_whatever_the_rows(tmp_path: Path, seed: int, direction: int) -> None:
    settings = read_settings(
        write_model(tmp_path, toml=CARD.replace('late = "up"', f'inflow = "{"up" if direction > 0 else "down"}"'))
    )
    rng = np.random.default_rng(seed)
    matrix = np.column_stack([rng.normal(size=400), rng.integers(0, 5, 400), rng.uniform(size=400)])
    labels = (rng.uniform(size=400) < 0.3 + 0.2 * np.sin(3 * matrix[:, 0])).astype(np.int8)
    found = ScorecardFit(settings).fit(matrix, labels)
    own, points = found.bins[0], found.card.columns[0].points
    assert own.direction == direction
    steps = -direction * np.diff(points)
    assert (steps >= 0).all()  # more points are a lower risk
    places = np.bincount(own.places(matrix[:, 0]), minlength=len(points))[: len(points)]
    assert len(points) <= 4
    assert places.min() >= 0.05 * 400


def test_cuts_are_the_shortest_numbers_between_two_values(folder: Path) -> None:
    document = json.loads((folder / "model.json").read_text())
    late = document["attributes"][1]["edges"]
    assert late
    assert all(edge == int(edge) for edge in late)


def test_a_row_is_answered_with_the_sum_of_its_points_by_either_engine(folder: Path) -> None:
    model = Model(open_artefact(str(folder)))
    for record in records(60):
        row = Row("small", {"customer_id": "C"}, record, {}, 2)
        _, by_twin, _ = score_again(model, row, "twin")
        _, by_joblib, _ = score_again(model, row, "joblib")
        vector = model.encoding.columns(model.contract.vector(record))
        card = model.estimator()
        assert by_twin["points"] == by_joblib["points"] == card.base + sum(card.points(vector))
        assert by_twin["probability"] == by_joblib["probability"]


def test_the_card_has_the_classic_table_whose_rows_are_all_rows(folder: Path) -> None:
    section = scorecard(json.loads((folder / "card.json").read_text()), {})
    assert section
    assert "## Scorecard" in (folder / "MODEL_CARD.md").read_text() or "Scorecard" in (folder / "card.html").read_text()
    columns = json.loads((folder / "card.json").read_text())["scorecard"]["columns"]
    for column in columns:
        assert sum(row["rows"] for row in column["attributes"]) == 300
    home = next(column for column in columns if column["feature"] == "home")
    assert [row["attribute"] for row in home["attributes"]] == ["own", "rent", "o'ther", "missing"]


@pytest.mark.parametrize("server", ["postgresql", "duckdb"])
def test_the_sql_gives_every_row_its_points_and_nothing_where_the_function_refuses(
    folder: Path, server: str, database: str
) -> None:
    artefact = open_artefact(str(folder))
    model = Model(artefact)
    bad = [{"inflow": -1.0}, {"late": 1.5}, {"debt": 11.0}, {"share": math.nan}, {"late": None}, {"ever": None}]
    tried = records() + [records(1)[0] | change for change in bad]
    text = query(artefact, json.loads(artefact.contents["model.json"]), "features")
    found = {k: points for k, points, _ in _run(server, database, tried, text)}
    assert [found[k] for k in range(len(tried))] == [_points(model, record) for record in tried]
    assert [found[k] for k in range(300, 306)] == [None] * 6


def _points(model: Model, record: dict[str, Any]) -> int | None:
    try:
        model.contract.vector(record)
    except CallerFault:
        return None
    return int(score_again(model, Row("small", {}, record, {}, 0), "twin")[1]["points"])


def _run(server: str, url: str, tried: list[dict[str, Any]], text: str) -> list[tuple[int, Any, Any]]:
    """Place, points and probability by the query."""
    create = (
        "CREATE TABLE features (customer_id text, inflow double precision, late double precision, share double"
        " precision, home text, ever boolean, debt double precision)"
    )
    lines = [(str(k), *record.values()) for k, record in enumerate(tried)]
    if server == "duckdb":
        with duckdb.connect() as connection:
            connection.execute(create)
            connection.executemany("INSERT INTO features VALUES (?, ?, ?, ?, ?, ?, ?)", lines)
            return [(int(key), *rest) for key, *rest in connection.execute(text).fetchall()]
    with psycopg.connect(url) as connection:
        connection.execute(create)
        connection.cursor().executemany("INSERT INTO features VALUES (%s, %s, %s, %s, %s, %s, %s)", lines)
        return [(int(key), *rest) for key, *rest in connection.execute(text.encode()).fetchall()]


def test_the_sql_gives_the_answers_probability(folder: Path) -> None:
    artefact, tried = open_artefact(str(folder)), records(40)
    model = Model(artefact)
    found = _run("duckdb", "", tried, query(artefact, json.loads(artefact.contents["model.json"]), "features"))
    own = [score_again(model, Row("small", {}, record, {}, 0), "twin")[1]["probability"] for record in tried]
    assert [probability for *_, probability in sorted(found)] == pytest.approx(own, rel=1e-12)


def test_the_program_prints_the_table_and_the_query(folder: Path) -> None:
    table = run("scorecard", "small", "--models", folder.parent)
    assert table.returncode == 0
    assert "weight of evidence" in table.stdout.splitlines()[0]
    sql = run("scorecard", "small", "--models", folder.parent, "--sql", "risk.features")
    assert 'FROM "risk"."features" AS t' in sql.stdout


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("max_bins = 1", "max_bins must be a whole number from 2 to 20"),
        ("min_bin_share = 0", "min_bin_share must be a share above 0 and at most 0.5"),
        ("bins = 4", "bins isn't a parameter of the family scorecard"),
        ("edges = {lateness = [1]}", "edges.lateness isn't one of the features"),
        ("edges = {late = [2, 1]}", "edges.late must be rising numbers"),
        ("edges = {inflow = [1000, 100000000]}", "inflow has no row of label 0 from 1e+08, in all rows or"),
        ("codes = {share = [77]}", "share has no row of label 0 with the code 77, in all rows or"),
    ],
)
def test_settings_that_make_no_scorecard_are_refused(tmp_path: Path, line: str, sentence: str) -> None:
    settings = read_settings(write_model(tmp_path, toml=CARD.replace("max_bins = 4", line)))
    data = from_source(settings, write_csv(tmp_path / "rows.csv", rows()))
    with pytest.raises(InvalidFile) as raised:
        fit(settings, encoded(settings, data).matrix, data.labels)
    assert sentence in raised.value.message


def test_a_special_code_is_an_attribute_of_its_own(tmp_path: Path) -> None:
    toml = CARD.replace("max_bins = 4", "max_bins = 4\ncodes = {inflow = [0]}")
    settings = read_settings(write_model(tmp_path, toml=toml))
    lines = [
        [line[0], 0 if k % 4 == 0 else line[1], *line[2:4], int(k % 8 == 0) if k % 4 == 0 else line[4]]
        for k, line in enumerate(rows(200))
    ]
    data = from_source(settings, write_csv(tmp_path / "rows.csv", lines))
    card = fit(settings, data.matrix, data.labels)
    assert [*card.columns[0].codes] == [0.0]
    assert card.columns[0].of(0.0) != card.columns[0].of(1e-9)


def test_a_calibration_has_no_place_beside_points_that_add_up(tmp_path: Path) -> None:
    toml = CARD.replace("[constraints]", '[calibration]\nmethod = "platt"\n[constraints]')
    settings = read_settings(write_model(tmp_path, toml=toml))
    with pytest.raises(InvalidFile, match="calibration must go: a scorecard's points are its answer's points"):
        fit(settings, np.ones((4, 3)), np.array([0, 1, 0, 1], np.int8))


def test_another_family_is_not_written_as_sql(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="is no scorecard, and only a scorecard is written as SQL"):
        query(open_artefact("model/credit_risk"), {}, "features")


def test_a_contract_of_a_scorecard_keeps_a_category_in_one_column(folder: Path) -> None:
    artefact = open_artefact(str(folder))
    assert isinstance(artefact.contract, Contract)
    assert Model(artefact).encoding.names == [*COLUMNS[1:-1]]
