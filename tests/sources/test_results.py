"""Scores appended to a table of results in SQLite: the declared columns, every row of a batch or none."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import datetime
from itertools import chain
from pathlib import Path

import pytest

from riskscore.batch.files import score_file
from riskscore.database.dump import FaultReport
from riskscore.errors import InvalidFile, NotConfigured
from riskscore.serving.deployment import Deployment
from riskscore.sources.results import RESULTS, Export, cell, results_table
from riskscore.sources.sqlite_output import columns_of, writing
from tests.model_examples import ROOT, events
from tests.scoring_examples import engine

LOAN = {"loan_id": "L1", "features": {"amount": 1000.0, "term": 12, "secured": True}}
OTHER = {"loan_id": "L2", "amount": 2500.5, "term": 24, "secured": False}  # a flat event is one too
INVALID = {"loan_id": "L3", "features": {"amount": "much", "term": 12, "secured": True}}
CLICKED = Export(
    {
        "model_id": ("model", "text"),
        "process_time": ("time", "text"),
        "amount": ("features.amount", "number"),
        "whose": ("ids.loan_id", "text"),
        "clicked": ("answer.prediction", "integer"),
    },
    ("small_loans",),
)


@pytest.fixture
def score(small_loans, tmp_path):
    """Scores events into results.db, as scripts/score.py does."""

    def run(*events, then=()):
        items = chain(((f"line {number}", event) for number, event in enumerate(events, start=1)), then)
        with FaultReport(tmp_path / "faults.csv") as faults:
            url = f"sqlite:///{tmp_path / 'results.db'}"
            return score_file(engine(small_loans=small_loans), small_loans, items, url, faults)

    return run


def rows(tmp_path, query):
    with closing(sqlite3.connect(tmp_path / "results.db")) as connection:
        return connection.execute(query).fetchall()


def test_the_columns_come_from_where_the_table_says(score, tmp_path, monkeypatch):
    monkeypatch.setitem(RESULTS, "clicked", CLICKED)
    assert score(LOAN, OTHER, INVALID) == (2, 1, 0)
    assert rows(tmp_path, "SELECT model_id, amount, whose, clicked FROM clicked ORDER BY rowid") == [
        ("small_loans", 1000.0, "L1", 0),
        ("small_loans", 2500.5, "L2", 1),
    ]
    ((moment,),) = rows(tmp_path, "SELECT DISTINCT process_time FROM clicked")
    assert datetime.fromisoformat(moment).tzinfo


def test_a_model_without_a_declared_table_has_one_of_its_own(score, tmp_path):
    score(LOAN)
    score(OTHER)
    found = rows(tmp_path, "SELECT loan_id, outcome, prediction, probability > 0 FROM results_small_loans")
    assert found == [("L1", "scored", 0, 1), ("L2", "scored", 1, 1)]


def test_a_batch_that_fails_leaves_no_row(score, tmp_path, monkeypatch):
    monkeypatch.setattr("riskscore.batch.files.BATCH_ROWS", 1)
    score(LOAN)

    def broken():
        yield "line 2", OTHER
        raise InvalidFile("the file ends in the middle of a row")

    with pytest.raises(InvalidFile, match="ends in the middle"):
        score(OTHER, then=broken())
    assert rows(tmp_path, "SELECT loan_id FROM results_small_loans") == [("L1",)]


def test_a_table_with_other_columns_is_refused_and_left(score, tmp_path):
    with closing(sqlite3.connect(tmp_path / "results.db")) as connection:
        connection.execute("CREATE TABLE results_small_loans (model_id, process_time)")
    with pytest.raises(InvalidFile, match="the table results_small_loans has no column loan_id"):
        score(LOAN)
    assert rows(tmp_path, "SELECT * FROM results_small_loans") == []


def test_the_folders_of_a_database_are_made(tmp_path):
    with writing(tmp_path / "out" / "more" / "new.db") as connection:
        connection.execute("CREATE TABLE ours (x)")
    assert (tmp_path / "out" / "more" / "new.db").is_file()


def test_a_disk_without_room_leaves_no_file_that_was_not_there(tmp_path):
    program = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
        "from pathlib import Path\n"
        "from riskscore.sources.sqlite_output import writing\n"
        "with writing(Path(sys.argv[1])) as connection:\n"
        "    connection.execute('CREATE TABLE ours (x)')\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "new.db")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "new.db is unchanged; SQLite refused: disk I/O error" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_no_file_that_was_not_there(tmp_path):
    with pytest.raises(InvalidFile, match=r"new\.db is unchanged; SQLite refused: no such table: nowhere"):  # noqa: SIM117
        with writing(tmp_path / "new.db") as connection:
            connection.execute("INSERT INTO nowhere VALUES (1)")
    assert list(tmp_path.iterdir()) == []


class NotYet(type(Path())):
    """The path of a file that another process makes just after one has looked whether it is there."""

    def exists(self):
        return False


def test_a_failure_leaves_what_another_has_made_meanwhile(tmp_path):
    with writing(tmp_path / "new.db") as connection:
        connection.execute("CREATE TABLE theirs (x)")
    with pytest.raises(InvalidFile, match="no such table: nowhere"), writing(NotYet(tmp_path / "new.db")) as connection:
        connection.execute("INSERT INTO nowhere VALUES (1)")
    with closing(sqlite3.connect(tmp_path / "new.db")) as connection:
        assert columns_of(connection, "theirs") == ["x"]


def test_both_models_of_offers_share_a_table():
    tables = {results_table(name, ["offer_id"])[0] for name in ("offer_click", "offer_click_balanced")}
    assert tables == {"results_clicked"}


@pytest.mark.parametrize(
    ("value", "kind", "held"),
    [
        (None, "text", None),
        ("poor", "text", "poor"),
        (101, "text", "101"),
        (True, "integer", 1),
        (3, "number", 3.0),
        ("11 million", "number", None),
        ("\ud800", "text", "\\ud800"),
    ],
)
def test_a_cell_is_of_its_columns_type_or_empty(value, kind, held):
    assert cell(value, kind) == held


@pytest.fixture
def offers_kept(tmp_path):
    """An engine over the offers' models whose ledger fills results.db."""
    environ = {
        "RISKSCORE_LEDGER": f"sqlite:///{tmp_path / 'ledger.db'}",
        "RISKSCORE_RESULTS": f"sqlite:///{tmp_path / 'results.db'}",
        "RISKSCORE_MODEL": "offer_click",
    }
    return Deployment(environ, str(ROOT)).engine()


def test_offers_that_are_kept_by_the_ledger_stand_in_the_table_too(offers_kept, tmp_path):
    offer = {name: value for name, value in events("offer_click")["ordinary"].items() if name != "model"}
    row = events("credit_risk")["S0001"] | {"model": "credit_risk"}
    offers_kept.answer([offer, offer | {"model": "offer_click_balanced"}, row, {**offer, "features": {}}])
    for _ in range(2):  # the second is answered from the ledger
        offers_kept.answer(offer, "r-1")
    given = offer["features"]
    said = (given["requested"], given["annual_income"], given["apr"], given["credit"], given["loan_purpose"])
    columns = [name for name in RESULTS["results_clicked"].columns if name != "process_time"]
    assert rows(tmp_path, f"SELECT {', '.join(columns)} FROM results_clicked ORDER BY rowid") == [
        (model, *said, 0) for model in ("offer_click", "offer_click_balanced", "offer_click")
    ]
    exported = rows(tmp_path, "SELECT process_time FROM results_clicked ORDER BY rowid")
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as ledger:
        query = "SELECT time FROM riskscore_ledger WHERE probability IS NOT NULL AND model LIKE 'offer%' ORDER BY seq"
        assert exported == ledger.execute(query).fetchall()


def test_a_table_that_cannot_be_filled_fails_no_answer_and_is_logged(offers_kept, tmp_path, capsys):
    with writing(tmp_path / "results.db") as connection:
        connection.execute("DROP TABLE results_clicked")
    assert offers_kept.answer(events("offer_click")["ordinary"])["outcome"] == "scored"
    assert "results.db is unchanged; SQLite refused" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({}, "RISKSCORE_RESULTS is filled from the ledger: set RISKSCORE_LEDGER too"),
        ({"RISKSCORE_LEDGER": "sqlite://"}, "RISKSCORE_RESULTS: expected the URL of a SQLite file"),
    ],
)
def test_a_place_for_results_that_is_none_stops_the_start(environ, sentence):
    url = "results.db" if environ else "sqlite:///results.db"
    with pytest.raises(NotConfigured, match=f"^{sentence}"):
        Deployment({"RISKSCORE_RESULTS": url, **environ}, str(ROOT)).engine()
