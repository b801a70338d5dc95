"""The ledger: no answer without its row, no change without a trace, one answer per request."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from riskscore.errors import Conflict, LedgerUnavailable, NotConfigured, OurFault
from riskscore.ledger import store
from riskscore.ledger.ledger import Ledger, stamp
from riskscore.ledger.purge import purge
from riskscore.ledger.schema import KEPT_NAMES, LINKS, PERSONAL_NAMES
from riskscore.scoring.engine import Engine
from riskscore.scoring.model import Model
from riskscore.serving.deployment import Deployment
from tests.ledger_examples import LOAN, LOANS, OUTCOMES, keeping, sqlite_url, tamper, verified
from tests.scoring_examples import ROOT, nobody, write_small

MOMENT = datetime(2026, 9, 1, 12, tzinfo=UTC)
ROWS = 6
COLUMNS = [*LINKS, *KEPT_NAMES, *PERSONAL_NAMES]
PASSWORD = "hunter2"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """A ledger's place in each of the two kinds of database."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "ledger.db")
    return request.getfixturevalue("database")


@pytest.fixture
def ledger(url):
    """A ledger in each of the two kinds of database, closed afterwards."""
    found = Ledger(url, {})
    yield found
    found.store.close()


@pytest.fixture
def engine(ledger, small_loans):
    return keeping(ledger, small_loans)


def rows_of(ledger):
    with ledger.store.reading() as connection:
        return connection.exec_driver_sql("SELECT * FROM riskscore_ledger ORDER BY seq").mappings().all()


def test_every_row_of_a_request_is_kept_as_it_was_answered(engine, ledger, small_loans):
    answers = engine.answer(LOANS, "r1", "key of the shop")
    kept = rows_of(ledger)
    assert [row["outcome"] for row in kept] == OUTCOMES
    assert [json.loads(row["answer"]) for row in kept] == answers
    assert {(row["request_id"], row["caller"], row["rows"]) for row in kept} == {("r1", "key of the shop", 6)}
    first = kept[0]
    assert (first["model"], first["model_version"], first["engine"]) == ("small_loans", "1", "twin")
    assert first["manifest_sha256"] == small_loans.artefact.manifest_sha256
    assert json.loads(first["features"]) == {"amount": 1000.0, "term": 12, "secured": True}
    assert (first["margin"], first["probability"]) == (-1.26, answers[0]["probability"])
    assert json.loads(kept[2]["observations"]) == {"late": 1}
    assert json.loads(kept[3]["features"])["amount"] == -1
    assert verified(ledger)[:2] == (6, 0)
    assert verified(ledger).findings == []


def test_an_answer_is_the_same_with_a_ledger_as_without(engine, small_loans):
    plain = Engine(lambda _: small_loans, "small_loans", nobody)
    for event in (LOAN, LOANS, LOANS[3], [], {"instances": LOANS[:2], "reasons": 1}):
        assert json.dumps(engine.answer(event)) == json.dumps(plain.answer(event))


@pytest.mark.parametrize("event", [LOAN, LOANS, [LOAN], LOANS[3]], ids=["one", "many", "a list of one", "invalid"])
def test_the_same_request_is_answered_from_the_ledger_without_scoring(engine, ledger, event):
    first = engine.answer(event, "r1")
    unable = Engine(lambda _: pytest.fail("it was scored"), "small_loans", nobody, ledger.record, ledger.recall)
    assert json.dumps(unable.answer(event, "r1")) == json.dumps(first)
    assert verified(ledger).rows == (len(event) if isinstance(event, list) else 1)


def test_an_answer_in_the_fields_of_its_clients_is_kept_as_they_got_it(ledger, tmp_path):
    response = {"always_list": True, "fields": {"p": "probability"}}
    engine = keeping(ledger, model_of(tmp_path / "worded", response=response))
    first = engine.answer(LOAN, "r1")
    assert [list(row) for row in first] == [["p"]]
    assert engine.answer(LOAN, "r1") == first


def model_of(folder, **changes):
    from riskscore.artefact.artefact import open_artefact

    return Model(open_artefact(str(write_small(folder, **changes))))


def test_the_same_id_with_other_content_is_a_conflict_and_keeps_nothing(engine, ledger):
    engine.answer(LOAN, "r1")
    refused = engine.answer(LOAN | {"amount": 1000.5}, "r1")
    assert refused == {"outcome": "invalid", "error": Conflict(refused["error"]["message"]).answer()}
    assert verified(ledger).rows == 1


def test_callers_have_request_ids_of_their_own(engine, ledger):
    answers = [engine.answer(LOAN | {"term": term}, "r1", f"caller {term}") for term in (12, 24)]
    assert [answer["outcome"] for answer in answers] == ["scored", "scored"]
    assert verified(ledger).rows == 2


def test_of_two_workers_with_the_same_request_the_first_answers_for_both(engine, ledger, small_loans):
    first = engine.answer(LOAN, "r1")
    late = Engine(lambda _: small_loans, "small_loans", nobody, ledger.record)  # it looked before the other wrote
    assert late.answer(LOAN, "r1") == first
    assert late.answer(LOAN | {"term": 24}, "r1")["error"]["type"] == "conflict"
    assert verified(ledger).rows == 1


@pytest.mark.parametrize("name", ["", "x" * 201, "a\x00b", "\ud800"])
def test_a_request_id_is_a_short_text(engine, ledger, name):
    assert engine.answer(LOAN, name)["error"]["type"] == "invalid_event"
    assert rows_of(ledger) == []


def test_requests_of_threads_share_a_transaction_and_none_fails_for_another(engine, ledger):
    engine.answer(LOAN, "taken")
    late = Engine(engine._find, "small_loans", nobody, ledger.record)
    with ThreadPoolExecutor(8) as threads:
        with ledger._turn:  # all of them wait, and go in one transaction, which the taken id breaks
            names = [f"r{k}" for k in range(7)]
            answers = [threads.submit(late.answer, LOANS[:2], name) for name in names]
            refused = threads.submit(late.answer, LOANS[:2], "taken")
            while len(ledger._waiting) < 8:
                time.sleep(0.001)
        assert {json.dumps(answer.result()) for answer in answers} == {json.dumps(engine.answer(LOANS[:2], "r0"))}
        assert refused.result()["error"]["type"] == "conflict"
    assert sorted(row["request_id"] for row in rows_of(ledger)) == sorted(["taken", *names, *names])
    assert verified(ledger).findings == []


def test_of_requests_that_are_written_together_each_ends_as_it_would_alone(engine, ledger, small_loans):
    handed = []
    late = Engine(lambda _: small_loans, "small_loans", nobody, handed.append)  # its rows are handed over
    for k, name in enumerate(("new", "beyond", "known", "taken", "twice", "twice", None)):
        late.answer(LOAN | {"term": 12 + k // 6}, name)
    handed[1][0].personal["reasons_asked"] = 2**70  # more than either database takes
    known = engine.answer(LOAN, "known")
    engine.answer(LOAN | {"term": 24}, "taken")
    new, beyond, again, taken, first, second, unnamed = ledger.record_together(handed)
    assert (new, first, unnamed) == (None, None, None)
    assert again == known
    assert json.dumps(second) == json.dumps(known)
    assert (type(taken), str(beyond)) == (Conflict, "the ledger refuses the rows of this request")
    assert [row["request_id"] for row in rows_of(ledger)][:-1] == ["known", "taken", "new", "twice"]
    with pytest.raises(LedgerUnavailable, match=r"^the ledger refuses the rows of this request$"):
        ledger.record(handed[1])
    assert verified(ledger).findings == []


@pytest.mark.parametrize("reasons", [2**31, 2**63, 10**100])
def test_more_reasons_than_any_number_of_a_database_are_refused_and_kept(engine, ledger, small_loans, reasons):
    found = engine.answer(LOAN | {"reasons": reasons}, "r1")
    assert found["error"]["message"] == "reasons must be at most 3"
    (kept,) = rows_of(ledger)
    assert json.loads(kept["answer"]) == found
    assert engine.answer(LOAN | {"reasons": reasons}, "r1") == found


def test_known_requests_take_no_transaction_away_from_the_others(engine, ledger, small_loans, monkeypatch):
    handed, written = [], []
    late = Engine(lambda _: small_loans, "small_loans", nobody, handed.append)
    for k in range(8):
        engine.answer(LOAN, f"known {k}")
        late.answer(LOAN, f"known {k}", "somebody else")
        late.answer(LOAN, f"known {k}")
    monkeypatch.setattr(ledger, "_clock", lambda: written.append(1) or MOMENT)  # at each attempt
    found = ledger.record_together(handed)
    assert [answer is None for answer in found] == [True, False] * 8
    assert (len(written), verified(ledger)[0], verified(ledger).findings) == (2, 16, [])


def test_the_newest_come_first(engine, ledger):
    engine.answer(LOANS[:3])
    assert [row["ids"] for row in ledger.recent(2)] == [{"loan_id": "L3"}, {"loan_id": "L2"}]
    assert set(ledger.recent(1)[0]) == {"time", "ids", "model", "outcome", "probability", "points"}


def test_the_newest_are_those_of_one_caller(engine, ledger):
    for loan, caller in zip(LOANS, ("north", "south", "north", None, "north", "south"), strict=True):
        engine.answer(loan, caller=caller)
    newest = {caller: [row["ids"] for row in ledger.recent(2, caller)] for caller in ("north", "south", None, "west")}
    assert newest == {
        "north": [{"loan_id": "L5"}, {"loan_id": "L3"}],
        "south": [{"loan_id": "L2"}],  # what is no event at all is no row either
        None: [{"loan_id": "L4"}],
        "west": [],
    }


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from(["loan_id", "amount", "term", "secured", "late", "features", "model", "reasons"])


@pytest.mark.slow
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.dictionaries(names, anything) | anything, min_size=1, max_size=4))
def test_whatever_is_sent_is_kept_and_the_chain_holds(small_loans, tmp_path, rows):
    ledger = Ledger(sqlite_url(tmp_path / "any.db"), {})
    before = verified(ledger).rows
    answers = keeping(ledger, small_loans).answer(rows)
    after = verified(ledger)
    ledger.store.close()
    assert (after.rows - before, after.findings) == (len(answers), [])


def test_nesting_without_end_is_the_callers_fault(engine):
    event = {}
    for _ in range(100_000):
        event = {"features": event}
    assert engine.answer(event)["error"]["type"] == "invalid_event"


# What cannot be kept is not answered.


@pytest.mark.parametrize(
    "place",
    ["a file/ledger.db", ".", "not a database"],
)
def test_a_place_that_cant_be_written_fails_the_request(small_loans, tmp_path, place):
    (tmp_path / "a file").write_text("")
    (tmp_path / "not a database").write_text("loan_id,amount\n" * 100)
    with pytest.raises(LedgerUnavailable, match=r"^the ledger's file ") as raised:
        keeping(Ledger(sqlite_url(tmp_path / place), {}), small_loans).answer(LOAN)
    assert_one_sentence(raised.value)


def assert_one_sentence(error):
    assert isinstance(error, OurFault)
    assert "\n" not in error.message
    assert PASSWORD not in error.message
    assert "sqlalche" not in error.message
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None


def test_a_locked_ledger_fails_the_request(small_loans, tmp_path, monkeypatch):
    monkeypatch.setattr(store, "BUSY_SECONDS", 0.05)
    ledger = Ledger(sqlite_url(tmp_path / "l.db"), {})
    ledger.check()
    with closing(sqlite3.connect(tmp_path / "l.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerUnavailable, match=r"^the ledger is locked by another program$"):
            keeping(ledger, small_loans).answer(LOAN)
    assert keeping(ledger, small_loans).answer(LOAN)["outcome"] == "scored"
    ledger.store.close()


def test_a_spell_in_which_it_cant_be_written_passes(engine, small_loans, tmp_path):
    ledger = Ledger(sqlite_url(tmp_path / "l.db"), {})
    with ledger.store.apart() as connection:
        connection.exec_driver_sql("PRAGMA query_only=ON")  # as one that was opened in that spell: read-only for good
    with pytest.raises(LedgerUnavailable, match=r"^the ledger's file may not be written$"):
        keeping(ledger, small_loans).answer(LOAN)
    assert keeping(ledger, small_loans).answer(LOAN)["outcome"] == "scored"
    assert verified(ledger).rows == 1
    ledger.store.close()


def test_a_file_that_is_deleted_is_missed_and_one_that_is_put_back_goes_on(small_loans, tmp_path):
    file = tmp_path / "l.db"
    ledger = Ledger(sqlite_url(file), {})
    engine = keeping(ledger, small_loans)
    engine.answer(LOANS)
    ledger.store.close()
    shutil.copy(file, tmp_path / "copy")
    engine.answer(LOAN)
    for path in tmp_path.glob("l.db*"):
        path.unlink()
    for fails in (lambda: engine.answer(LOAN), lambda: engine.answer(LOAN, "r1"), ledger.check):
        with pytest.raises(LedgerUnavailable, match=r"^there is no ledger at "):
            fails()
    assert not file.exists()
    (tmp_path / "copy").rename(file)
    engine.answer(LOAN)
    assert verified(ledger)[:2] == (len(LOANS) + 1, 0)
    ledger.store.close()


def test_one_without_its_table_is_not_ready(engine, ledger):
    ledger.check()
    with ledger.store.writing() as connection:
        connection.exec_driver_sql("DROP TABLE riskscore_ledger")
    with pytest.raises(LedgerUnavailable):
        ledger.check()


def test_a_locked_ledger_of_a_server_fails_the_request(small_loans, database, monkeypatch):
    monkeypatch.setattr(store, "BUSY_SECONDS", 0.05)
    ledger = Ledger(database, {})
    ledger.check()
    with psycopg.connect(database) as other:
        other.execute("SELECT 1 FROM riskscore_ledger_head FOR UPDATE")
        with pytest.raises(LedgerUnavailable, match=r"^the ledger is locked by another program$"):
            keeping(ledger, small_loans).answer(LOAN)
    ledger.store.close()


def test_a_full_disk_fails_the_request_and_leaves_no_part_of_it(small_loans, tmp_path):
    ledger = Ledger(sqlite_url(tmp_path / "l.db"), {})
    engine = keeping(ledger, small_loans)
    engine.answer(LOAN)
    with ledger.store.apart() as connection:  # the one connection of the pool
        connection.exec_driver_sql("PRAGMA max_page_count = 1").all()
    with pytest.raises(LedgerUnavailable, match=r"^the disk of the ledger is full$"):
        engine.answer([LOAN] * 150)  # 200 and more the small model leaves to its estimator, which it has none of
    assert (verified(ledger).rows, verified(ledger).findings) == (1, [])
    ledger.store.close()


def test_a_ledger_of_another_schema_is_left_alone(engine, ledger, url, small_loans):
    engine.answer(LOAN)
    with ledger.store.writing() as connection:
        connection.exec_driver_sql("UPDATE riskscore_ledger_head SET schema = 7")
    other = Ledger(url, {})
    with pytest.raises(LedgerUnavailable, match=r"has schema 7, but this version of riskscore writes schema 1$"):
        keeping(other, small_loans).answer(LOAN)


@pytest.mark.parametrize(
    "broken",
    ["nonsense", "", "mysql://u:hunter2@h/d", "sqlite://", "sqlite:///:memory:", "postgresql://u:hunter2@h:port/d"],
)
def test_a_url_that_is_none_is_not_configured(broken):
    with pytest.raises(NotConfigured, match=r"^RISKSCORE_LEDGER must be sqlite:///file.db or postgresql://") as raised:
        Ledger(broken, {})
    assert_one_sentence(raised.value)


def test_a_server_that_is_down_gives_no_secret_away(small_loans):
    ledger = Ledger(f"postgresql://anna:{PASSWORD}@127.0.0.1:1/bank", {})
    with pytest.raises(LedgerUnavailable, match=r"^the ledger's database can't be reached") as raised:
        keeping(ledger, small_loans).answer(LOAN)
    assert_one_sentence(raised.value)


def test_a_new_file_is_for_its_owner_alone(small_loans, tmp_path):
    ledger = Ledger(sqlite_url(tmp_path / "deep" / "l.db"), {})
    keeping(ledger, small_loans).answer(LOAN)
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "deep").iterdir()} == {0o600}
    ledger.store.close()


WITHOUT_PACKAGES = """
import sys
sys.path.insert(0, sys.argv[1])
from riskscore.serving.deployment import engine_from
from riskscore.errors import NotConfigured
try:
    engine_from({"RISKSCORE_LEDGER": "sqlite:///ledger.db"}, sys.argv[1])
except NotConfigured as error:
    print(error.message)
"""


def test_a_function_without_sqlalchemy_says_what_it_needs():
    command = [sys.executable, "-I", "-S", "-c", WITHOUT_PACKAGES, ROOT]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.startswith("RISKSCORE_LEDGER needs SQLAlchemy: ")


def test_a_deployment_keeps_its_answers_where_it_says_so(tmp_path):
    deployment = Deployment({"RISKSCORE_LEDGER": sqlite_url(tmp_path / "l.db")}, str(ROOT))
    event = json.loads((ROOT / "events" / "credit_risk" / "S0001.json").read_text())
    assert deployment.engine().answer(event, "r1")["outcome"] == "scored"
    ledger = deployment.ledger()
    assert ledger.recent(1)[0]["ids"]["customer_id"] == "S0001"
    ledger.store.close()
    assert Deployment({}, str(ROOT)).ledger() is None


# What is changed, shows.


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE riskscore_ledger SET margin = 0",
        "UPDATE riskscore_ledger SET outcome = 'refer' WHERE seq = 1",
        "UPDATE riskscore_ledger SET hash = 'x', salt = NULL",
        "DELETE FROM riskscore_ledger WHERE seq = 1",
    ],
)
def test_the_database_itself_refuses_a_change(engine, ledger, statement):
    engine.answer(LOANS)
    with pytest.raises(LedgerUnavailable), ledger.store.writing() as connection:
        connection.exec_driver_sql(statement)
    assert verified(ledger).findings == []


@pytest.fixture(scope="module")
def written(tmp_path_factory, small_loans):
    """A SQLite ledger of six rows in four requests, closed."""
    path = tmp_path_factory.mktemp("ledger") / "written.db"
    ledger = Ledger(sqlite_url(path), {})
    engine = keeping(ledger, small_loans)
    for event in (LOANS[:3], LOANS[0], LOANS[3], LOANS[1]):
        engine.answer(event)
    ledger.store.close()
    return path


def found_after(written, *statements):
    path = written.with_name("tampered.db")
    shutil.copy(written, path)
    tamper(path, *statements)
    ledger = Ledger(sqlite_url(path), {}, may_make=False)
    findings = verified(ledger).findings
    ledger.store.close()
    return [finding.seq for finding in findings]


def other_than(value):
    """Values that differ from one, as little as can be and entirely."""
    if value is None:
        return st.sampled_from(["", "x", 0.5])
    if isinstance(value, str):
        return st.sampled_from([None, value + " ", value[1:] or "y", value.swapcase() + "x"])
    if isinstance(value, float):
        return st.sampled_from([None, math.nextafter(value, 1), -value, 0.5 if value != 0.5 else 1.5])
    return st.sampled_from([None, value + 1, -1 - value])


@pytest.mark.slow
@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_a_change_of_any_column_of_any_row_names_the_row(written, data):
    column = data.draw(st.sampled_from([name for name in COLUMNS if name != "seq"]))
    seq = data.draw(st.integers(1, ROWS))
    with closing(sqlite3.connect(written)) as connection:
        value = connection.execute(f'SELECT "{column}" FROM riskscore_ledger WHERE seq = {seq}').fetchone()[0]
    changed = data.draw(other_than(value))
    try:
        found = found_after(written, (f'UPDATE riskscore_ledger SET "{column}" = ? WHERE seq = ?', (changed, seq)))
    except sqlite3.IntegrityError:
        return  # the table itself refuses a null, or a row twice
    assert seq in found


@pytest.mark.parametrize("seq", range(1, ROWS))
def test_a_row_that_is_gone_is_missed_at_the_next(written, seq):
    assert seq + 1 in found_after(written, ("DELETE FROM riskscore_ledger WHERE seq = ?", (seq,)))


def test_a_row_that_is_gone_is_missed_even_where_the_others_close_the_gap(written):
    gone = ("DELETE FROM riskscore_ledger WHERE seq = ?", (2,))
    assert 2 in found_after(written, gone, *[move(k, k - 1) for k in range(3, ROWS + 1)])


def move(seq, to):
    return ("UPDATE riskscore_ledger SET seq = ? WHERE seq = ?", (to, seq))


@pytest.mark.parametrize(("one", "other"), [(1, 2), (2, 5), (5, 6)])
def test_rows_that_changed_places_are_both_named(written, one, other):
    assert {one, other} <= set(found_after(written, move(one, 99), move(other, one), move(99, other)))


@pytest.mark.parametrize("at", range(1, ROWS + 2))
def test_a_row_put_in_between_is_named(written, at):
    names = [f'"{name}"' for name in COLUMNS if name not in ("seq", "request_id")]
    copied = (
        f"INSERT INTO riskscore_ledger (seq, request_id, {', '.join(names)})"
        f" SELECT ?, 'forged', {', '.join(names)} FROM riskscore_ledger WHERE seq = ?"
    )
    room = [move(k, k + 1) for k in range(ROWS, at - 1, -1)]
    assert at in found_after(written, *room, (copied, (at, 1 if at > 1 else 2)))


def test_an_end_that_was_cut_off_shows_at_the_head(written):
    assert found_after(written, ("DELETE FROM riskscore_ledger WHERE seq > 4", ())) == [4]


def test_an_end_cut_off_with_the_head_turned_back_shows_against_the_head_noted_elsewhere(written):
    with closing(sqlite3.connect(written)) as connection:
        noted = connection.execute("SELECT hash FROM riskscore_ledger_head").fetchone()[0]
    path = written.with_name("cut.db")
    shutil.copy(written, path)
    back = "UPDATE riskscore_ledger_head SET rows = 4, hash = (SELECT hash FROM riskscore_ledger WHERE seq = 4)"
    tamper(path, ("DELETE FROM riskscore_ledger WHERE seq > 4", ()), (back, ()))
    ledger = Ledger(sqlite_url(path), {})
    assert verified(ledger).findings == []
    assert [finding.seq for finding in verified(ledger, noted).findings] == [4]
    ledger.store.close()


# What was answered stays, whoever else writes and however it ends.

WRITER = "import sys; from tests.ledger_examples import write_on; write_on(*sys.argv[1:4], int(sys.argv[4]))"


@pytest.mark.slow
def test_writers_keep_one_chain_and_a_killed_one_loses_nothing_it_answered(url, small_loans):
    command = [sys.executable, "-c", WRITER, url, small_loans.artefact.folder]
    killed, *others = (
        subprocess.Popen([*command, name, str(count)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for name, count in (("killed", 100_000), ("a", 40), ("b", 40))
    )
    said = [killed.stdout.readline() for _ in range(25)]
    os.kill(killed.pid, signal.SIGKILL)
    said += killed.stdout.read().splitlines()  # what it had said before it died
    killed.communicate()
    for other in others:
        said += other.communicate(timeout=60)[0].splitlines()
        assert other.returncode == 0
    answered = dict(json.loads(line) for line in said if line.endswith(("\n", "]")))
    ledger = Ledger(url, {})
    kept = {}
    for row in rows_of(ledger):
        kept.setdefault(row["request_id"], []).append(json.loads(row["answer"]))
    assert verified(ledger).findings == []
    assert {name: kept.get(name) for name in answered} == answered
    assert len(answered) >= 25 + 80
    assert {len(rows) for rows in kept.values()} == {2}  # a request is there as a whole or not at all
    assert keeping(ledger, small_loans).answer(LOANS[:2], "a-0") == answered["a-0"]
    ledger.store.close()


@pytest.mark.slow
def test_a_ledger_is_made_once_whoever_comes_first(url):
    command = [
        sys.executable,
        "-c",
        "import sys; from riskscore.ledger.ledger import Ledger; Ledger(sys.argv[1], {}).check()",
    ]
    started = [subprocess.Popen([*command, url], cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    assert [process.communicate(timeout=60)[1] for process in started] == ["", "", ""]


# What belongs to people goes, and the chain stays.


@pytest.fixture
def purged(url, small_loans):
    """A ledger whose first request, of the day before, was purged."""
    times = [MOMENT - timedelta(days=1), MOMENT]
    ledger = Ledger(url, {}, clock=lambda: times[0])
    engine = keeping(ledger, small_loans)
    engine.answer([LOAN | {"loan_id": "Mata Hari"}, *LOANS[1:3]], "old")
    del times[0]
    engine.answer(LOAN, "new")
    assert purge(ledger, MOMENT, MOMENT) == 3
    yield ledger
    ledger.store.close()


def test_a_purge_erases_what_belongs_to_people_and_nothing_else(purged):
    rows = rows_of(purged)
    assert [row["outcome"] for row in rows] == ["scored", "scored", "refer", "scored", "purge"]
    assert [[row[name] for name in PERSONAL_NAMES if row[name] is not None] for row in rows[:3]] == [[], [], []]
    assert json.loads(rows[3]["ids"]) == {"loan_id": "L1"}
    assert rows[4]["erased_before"] == stamp(MOMENT)


def test_a_purged_chain_verifies_and_grows(purged, small_loans):
    assert (verified(purged)[:2], verified(purged).findings) == ((5, 3), [])
    keeping(purged, small_loans).answer(LOAN)
    assert purge(purged, MOMENT, MOMENT) == 0
    assert verified(purged).rows == 6


def test_the_id_of_a_purged_request_is_not_given_again(purged, small_loans):
    answer = keeping(purged, small_loans).answer([LOAN | {"loan_id": "Mata Hari"}, *LOANS[1:3]], "old")
    assert answer["error"]["message"] == "this request id was answered before, and its data have been erased"


def test_nothing_is_left_in_the_file(tmp_path, small_loans):
    ledger = Ledger(sqlite_url(tmp_path / "l.db"), {}, clock=lambda: MOMENT)
    engine = keeping(ledger, small_loans)
    for _ in range(20):
        engine.answer([LOAN | {"loan_id": "Mata Hari"}] * 10)
    files = lambda: b"".join(path.read_bytes() for path in tmp_path.iterdir())  # noqa: E731
    assert b"Mata Hari" in files()
    purge(ledger, MOMENT + timedelta(days=1), MOMENT + timedelta(days=1))
    assert b"Mata Hari" not in files()
    ledger.store.close()


@pytest.mark.parametrize("seq", [3, 4])
def test_erasing_what_no_purge_was_for_shows(tmp_path, small_loans, seq):
    times = [MOMENT - timedelta(days=1), MOMENT, MOMENT + timedelta(days=1)]
    ledger = Ledger(sqlite_url(tmp_path / "l.db"), {}, clock=lambda: times[0])
    engine = keeping(ledger, small_loans)
    engine.answer(LOANS[:2])
    purge(ledger, MOMENT, MOMENT)
    del times[0]
    engine.answer(LOAN)
    ledger.store.close()
    nulls = ", ".join(f'"{name}" = NULL' for name in PERSONAL_NAMES)
    tamper(tmp_path / "l.db", (f"UPDATE riskscore_ledger SET {nulls} WHERE seq = ?", (seq,)))
    assert [finding.seq for finding in verified(ledger).findings] == [seq]
    ledger.store.close()


@pytest.mark.parametrize("column", PERSONAL_NAMES)
def test_nothing_can_be_put_into_a_purged_row(tmp_path, small_loans, column):
    ledger = Ledger(sqlite_url(tmp_path / "l.db"), {}, clock=lambda: MOMENT - timedelta(days=1))
    keeping(ledger, small_loans).answer(LOANS[:2])
    purge(ledger, MOMENT, MOMENT)
    ledger.store.close()
    tamper(tmp_path / "l.db", (f"UPDATE riskscore_ledger SET {column} = '7' WHERE seq = 2", ()))
    assert [finding.seq for finding in verified(ledger).findings] == [2]
    ledger.store.close()


@pytest.mark.parametrize("column", [*KEPT_NAMES, "personal_sha256", "hash"])
def test_what_stays_of_a_purged_row_is_still_proven(tmp_path, small_loans, column):
    ledger = Ledger(sqlite_url(tmp_path / "l.db"), {}, clock=lambda: MOMENT - timedelta(days=1))
    keeping(ledger, small_loans).answer(LOANS[:2])
    purge(ledger, MOMENT, MOMENT)
    ledger.store.close()
    tamper(tmp_path / "l.db", (f"UPDATE riskscore_ledger SET \"{column}\" = '7' WHERE seq = 2", ()))
    assert 2 in [finding.seq for finding in verified(ledger).findings]
    ledger.store.close()


def test_a_ledger_is_no_part_of_the_tree():
    done = subprocess.run(["git", "check-ignore", ".cache/ledger.db"], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0 or not Path(ROOT / ".git").exists()
