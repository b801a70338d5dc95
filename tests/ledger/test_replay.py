"""What ledger rows are good for later: scored again to the bit, exported; and scripts/ledger.py as people run it."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import sys
from datetime import UTC, datetime
from typing import NamedTuple

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from riskscore import cli
from riskscore.artefact.artefact import open_artefact
from riskscore.commands.ledger import main
from riskscore.contract.contract import HINTS
from riskscore.errors import ArtefactRefused
from riskscore.ledger.export import EXPORTS, Export, exported, write_export
from riskscore.ledger.ledger import Ledger
from riskscore.ledger.replay import replay, stored_rows
from riskscore.scoring.model import Model
from riskscore.serving.deployment import Deployment
from tests.ledger_examples import LOAN, LOANS, keeping, sqlite_url, tamper
from tests.scoring_examples import FOLDER, ROOT, model, write_small
from tests.scoring_examples import event as changed

EVENTS = [json.loads(path.read_text()) for path in sorted((ROOT / "events" / "credit_risk").glob("*.json"))]


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request, tmp_path):
    """A ledger in each of the two kinds of database, closed afterwards."""
    url = sqlite_url(tmp_path / "l.db") if request.param == "sqlite" else request.getfixturevalue("database")
    found = Ledger(url, {})
    yield found
    found.store.close()


@pytest.fixture
def file(tmp_path):
    """A ledger in a SQLite file, closed afterwards."""
    found = Ledger(sqlite_url(tmp_path / "file.db"), {})
    yield found
    found.store.close()


def serving(model):
    """Where replay finds one model, and no other version of it."""

    def find(name, manifest_sha256):
        if (name, manifest_sha256) != (model.name, model.artefact.manifest_sha256):
            raise ArtefactRefused("another version")
        return model

    return find


def replayed(ledger, find, **chosen):
    with ledger.store.reading() as connection:
        return replay(stored_rows(connection, **chosen), find)


@pytest.mark.parametrize("asked", [{"reason_codes": True}, {"change": True}, {"reason_codes": True, "change": True}])
def test_what_an_answer_was_asked_to_have_comes_again_too(ledger, asked):
    engine = keeping(ledger, model())
    risky = changed(late_fee_count_90d=5, pct_gambling_spend_90d=0.2)
    engine.answer([risky | asked, changed() | asked, risky, changed(late_fee_count_90d=-1) | asked])
    found = replayed(ledger, serving(model()))
    assert (found.matched, found.differences) == (4, [])


def test_every_stored_score_comes_again_to_the_bit(ledger):
    engine = keeping(ledger, model())
    for event in EVENTS:
        engine.answer(event)
    engine.answer(EVENTS * (200 // len(EVENTS) + 1))  # many enough for the joblib estimator
    engine.answer([event | {"reasons": k} for k, event in enumerate(EVENTS)])
    engine.answer([EVENTS[0] | {"reasons": k} for k in (14, 2**31, 2**64)])  # too many
    ledger.store.close()  # a restart
    found = replayed(ledger, serving(Model(open_artefact(str(FOLDER)))))
    assert (found.differences, found.missing, found.unscored) == ([], {}, 0)
    assert found.matched >= 200


def test_refused_rows_are_refused_again_where_they_had_features(ledger, small_loans):
    keeping(ledger, small_loans).answer(LOANS)
    found = replayed(ledger, serving(small_loans))
    assert (found.matched, found.differences, found.unscored) == (4, [], 2)


def test_misspelt_names_that_got_no_hint_among_many_match_where_they_are_scored_alone(file, small_loans):
    nested = [{"features": {"amount": 1.0, f"terms{k}": 12, "secured": True}} for k in range(HINTS + 5)]
    keeping(file, small_loans).answer(nested)
    found = replayed(file, serving(small_loans))
    assert (found.matched, found.differences) == (HINTS + 5, [])


numbers = st.floats(allow_nan=True) | st.integers() | st.none() | st.booleans() | st.text(max_size=3)
loans = st.fixed_dictionaries(
    {"amount": st.floats(0, 1e6) | numbers, "term": st.integers(1, 600) | numbers, "secured": st.booleans() | numbers},
    optional={"late": st.integers(0, 3), "reasons": st.integers(0, 4), "loan_id": st.text(max_size=3)},
)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(loans, min_size=1, max_size=5))
def test_whatever_was_answered_is_answered_again(file, small_loans, rows):
    keeping(file, small_loans).answer(rows, caller="any")
    found = replayed(file, serving(small_loans))
    assert (found.differences, found.missing) == ([], {})


def test_answers_in_the_fields_of_their_clients_come_again(file, tmp_path):
    changes = {"response": {"always_list": True, "fields": {"p": "probability", "id": "loan_id"}}}
    renamed = Model(open_artefact(str(write_small(tmp_path / "worded", **changes))))
    keeping(file, renamed).answer(LOANS[:2])
    assert replayed(file, serving(renamed)).matched == 2


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("margin", math.nextafter(-1.26, 0), "margin"),
        ("probability", 0.25, "probability"),
        ("outcome", "refer", "outcome"),
        ("points", 1, "points"),
        ("contract_sha256", "0", "contract"),
        ("reasons", '[{"feature":"term","contribution":4711.0,"text":"x"}]', "reasons (term, amount)"),
        ("answer", '{"loan_id":"L1","outcome":"scored","probability":0.4711}', None),
        ("features", '{"amount":4711.0,"term":12,"secured":true}', None),
    ],
)
def test_a_difference_is_named_and_no_value_with_it(file, small_loans, tmp_path, column, value, said):
    keeping(file, small_loans).answer(LOAN, "r1")
    file.store.close()
    tamper(tmp_path / "file.db", (f"UPDATE riskscore_ledger SET {column} = ?", (value,)))
    (difference,) = replayed(file, serving(small_loans)).differences
    assert difference.startswith("row 1 (request r1, its row 0): ")
    assert "4711" not in difference
    if said:
        assert difference.endswith(f": {said}")
    else:
        assert "answer (" in difference


def test_rows_are_chosen_by_request_and_by_time(small_loans, tmp_path):
    times = [datetime(2026, 9, day, tzinfo=UTC) for day in (1, 2, 3)]
    ledger = Ledger(sqlite_url(tmp_path / "l.db"), {}, clock=lambda: times[0])
    engine = keeping(ledger, small_loans)
    for k in range(3):
        engine.answer(LOANS[: k + 1], f"r{k}")
        times.append(times.pop(0))
    find = serving(small_loans)
    assert replayed(ledger, find, request_id="r2").matched == 3
    assert replayed(ledger, find, since="2026-09-02T00:00:00.000000Z").matched == 5
    ledger.store.close()


def test_a_row_whose_artefact_is_gone_says_which(file, small_loans, tmp_path):
    keeping(file, small_loans).answer(LOANS[:3])
    newer = Model(open_artefact(str(write_small(tmp_path / "small_loans", version="2"))))
    digest = small_loans.artefact.manifest_sha256
    found = replayed(file, serving(newer))
    assert (found.matched, found.missing) == (0, {f"small_loans 1 (manifest {digest})": 3})


def test_a_deployment_finds_the_version_that_a_row_names():
    digest = hashlib.sha256((FOLDER / "manifest.json").read_bytes()).hexdigest()
    deployment = Deployment({}, str(ROOT))
    assert deployment.version("credit_risk", digest).artefact.manifest_sha256 == digest
    with pytest.raises(ArtefactRefused, match="credit_risk: the model folder has no version"):
        deployment.version("credit_risk", "0" * 64)
    elsewhere = Deployment({"RISKSCORE_MODEL_URI": str(FOLDER.parent)}, str(ROOT))
    assert elsewhere.version("credit_risk", digest).name == "credit_risk"
    with pytest.raises(ArtefactRefused):
        elsewhere.version("credit_risk", "0" * 64)


# Exports

CLICKED = Export(
    {
        "model_id": ("model", "text"),
        "process_time": ("time", "text"),
        "request_amt": ("features.amount", "number"),
        "secured": ("features.secured", "integer"),
        "whose": ("ids.loan_id", "text"),
        "clicked": ("answer.prediction", "integer"),
    },
    ("small_loans",),
)
READERS = {
    ".csv": lambda path: [list(row.values()) for row in csv.DictReader(path.read_text().splitlines())],
    ".parquet": lambda path: [list(row.values()) for row in pq.read_table(path).to_pylist()],
}


def write(ledger, export, path, **chosen):
    with ledger.store.reading() as connection:
        return write_export(path, export, exported(connection, export, **chosen))


@pytest.mark.parametrize("suffix", READERS)
def test_an_export_is_a_table_of_columns_and_where_they_come_from(ledger, small_loans, tmp_path, suffix):
    engine = keeping(ledger, small_loans)
    engine.answer(LOANS)
    assert write(ledger, CLICKED, tmp_path / f"out{suffix}") == 3
    first, second, _ = READERS[suffix](tmp_path / f"out{suffix}")
    assert [str(value) for value in first[2:]] == ["1000.0", "1", "L1", "0"]
    assert [str(value) for value in second[2:]] == ["2500.5", "0", "L2", "1"]
    assert first[0] == "small_loans"
    assert datetime.fromisoformat(first[1]).tzinfo


@pytest.mark.parametrize("suffix", READERS)
def test_every_row_as_it_stands_is_one_of_the_exports(ledger, small_loans, tmp_path, suffix):
    keeping(ledger, small_loans).answer(LOANS, "r1")
    assert write(ledger, EXPORTS["rows"], tmp_path / f"out{suffix}") == 6
    columns = list(EXPORTS["rows"].columns)
    rows = [dict(zip(columns, row, strict=True)) for row in READERS[suffix](tmp_path / f"out{suffix}")]
    assert [row["outcome"] for row in rows] == ["scored", "scored", "refer", "invalid", "invalid", "invalid"]
    assert (float(rows[0]["margin"]), int(rows[0]["seq"])) == (-1.26, 1)
    assert json.loads(rows[0]["features"]) == {"amount": 1000.0, "term": 12, "secured": True}
    assert not {"salt", "content_sha256"} & set(columns)


def test_an_export_is_of_a_time_and_of_a_model(file, small_loans, tmp_path):
    keeping(file, small_loans).answer(LOANS)
    rows, path = EXPORTS["rows"], tmp_path / "out.csv"
    assert write(file, rows, path, model="small_loans") == 5
    assert write(file, rows, path, model="offer_click") == 0
    assert write(file, rows, path, since="2026-01-01", until="9999") == 6
    assert write(file, rows, path, until="2026-01-01") == 0
    assert path.read_text().startswith("seq,time,")


def test_results_clicked_has_the_columns_that_its_readers_know():
    known = "model_id, process_time, request_amt, annual_income, apr, credit_type, loan_type, clicked"
    assert ", ".join(EXPORTS["results_clicked"].columns) == known


# The program


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def run(monkeypatch, capsys):
    """scripts/ledger.py with these arguments, as its last line runs it."""

    def run_it(*arguments, ledger=None):
        monkeypatch.delenv("RISKSCORE_LEDGER", raising=False)
        if ledger:
            monkeypatch.setenv("RISKSCORE_LEDGER", ledger)
        monkeypatch.setattr(sys, "argv", ["scripts/ledger.py", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.run(main)
        return Done(ended.value.code, *capsys.readouterr())

    return run_it


def test_a_ledger_from_its_first_row_to_its_purge(run, tmp_path):
    url = sqlite_url(tmp_path / "l.db")
    deployment = Deployment({"RISKSCORE_LEDGER": url}, str(ROOT))
    deployment.engine().answer(EVENTS, "r1")
    deployment.ledger().store.close()
    count = len(EVENTS)
    assert run("verify", ledger=url).stdout.startswith(f"{count} rows, 0 purged, 0 findings; the last hash is ")
    for chosen in (["--all"], ["--id", "r1"], ["--since", "2026-01-01"]):
        done = run("replay", *chosen, ledger=url)
        assert (done.returncode, done.stdout) == (
            0,
            f"{count} rows: {count} with the same bits, 0 different, 0 without their model, 0 without features\n",
        )
    assert run("export", "--output", tmp_path / "rows.parquet", ledger=url).stdout == f"{count} rows\n"
    tamper(tmp_path / "l.db", ("UPDATE riskscore_ledger SET margin = 0 WHERE seq = 2", ()))
    changed, differing = run("verify", ledger=url), run("replay", "--all", "--ledger", url)
    assert (changed.returncode, changed.stdout.splitlines()[0]) == (
        1,
        "row 2 (request r1, its row 1) was changed: its data don't match its hash",
    )
    assert differing.returncode == 2  # --ledger stands before the command
    differing = run("--ledger", url, "replay", "--all")
    assert (differing.returncode, differing.stdout.splitlines()[0]) == (1, "row 2 (request r1, its row 1): margin")
    assert run("purge", "--before", "2026-01-01", ledger=url).stdout == "0 rows erased\n"
    assert run("purge", "--before", "9999-01-01", ledger=url).stdout == f"{count} rows erased\n"
    assert run("verify", ledger=url).stdout.startswith(f"{count + 1} rows, {count} purged, 0 findings; ")


@pytest.mark.parametrize(
    ("arguments", "ledger", "status", "sentence"),
    [
        (["verify"], None, 1, "no ledger is configured; set RISKSCORE_LEDGER or give --ledger URL"),
        (["verify"], "sqlite:///none.db", 1, "there is no ledger at none.db"),
        (["verify"], "mysql://u:hunter2@h/d", 1, "RISKSCORE_LEDGER must be sqlite:///file.db or postgresql://"),
        (["purge", "--before", "soon"], "sqlite:///none.db", 2, "expected a date or time as in 2026-09-01"),
        (["replay"], "sqlite:///none.db", 2, "one of the arguments --id --since --all is required"),
    ],
)
def test_what_can_not_be_done_is_one_sentence(run, arguments, ledger, status, sentence):
    done = run(*arguments, ledger=ledger)
    assert (done.returncode, sentence in done.stderr) == (status, True), done.stderr
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stderr
    assert not (ROOT / "none.db").exists()


def test_one_row_is_a_row(run, tmp_path):
    url = sqlite_url(tmp_path / "l.db")
    deployment = Deployment({"RISKSCORE_LEDGER": url}, str(ROOT))
    deployment.engine().answer(EVENTS[0])
    deployment.ledger().store.close()
    assert run("verify", ledger=url).stdout.startswith("1 row, 0 purged, 0 findings; the last hash is ")
    assert run("replay", "--all", ledger=url).stdout.startswith("1 row: 1 with the same bits, 0 different, ")
    assert run("export", "--output", tmp_path / "rows.csv", ledger=url).stdout == "1 row\n"
    tamper(tmp_path / "l.db", ("UPDATE riskscore_ledger SET margin = 0", ()))
    assert ", 1 finding; the last hash is " in run("verify", ledger=url).stdout
    assert run("purge", "--before", "9999-01-01", ledger=url).stdout == "1 row erased\n"


def test_an_id_that_no_request_had_and_a_file_of_another_kind(run, file, small_loans, tmp_path):
    keeping(file, small_loans).answer(LOAN, "r1")
    file.store.close()
    url = sqlite_url(tmp_path / "file.db")
    unknown = run("replay", "--id", "r2", ledger=url)
    assert (unknown.returncode, unknown.stderr) == (2, "ledger.py: the ledger has no request with this id\n")
    other = run("export", "--output", tmp_path / "rows.xlsx", ledger=url)
    assert (other.returncode, "expected a file ending in .csv or .parquet" in other.stderr) == (2, True)
    lacking = run("replay", "--all", ledger=url)
    assert (lacking.returncode, lacking.stdout.startswith("missing: small_loans 1 (manifest ")) == (1, True)
