"""docs/BANK_LEDGERS.md: its words are those of the query, and its examples run on a real PostgreSQL."""

from __future__ import annotations

import json
import re
import secrets
import tomllib
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from riskscore.database.connection import Database
from riskscore.database.features import FeatureRow, FeatureSource, event
from tests import reference
from tests.scoring_examples import ROOT, engine
from tests.shell import run_shell
from tests.sql.test_features_sql import answers, connect

PAGE = (ROOT / "docs" / "BANK_LEDGERS.md").read_text()
FEATURES_SQL = (ROOT / "sql" / "credit_risk" / "features.sql").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
TABLES, LEDGERS = (text for kind, text in BLOCKS if kind == "sql")
BY_CTE, BY_VIEW = (text for kind, text in BLOCKS if kind == "sh")
(SOURCE,) = (tomllib.loads(text)["source"] for kind, text in BLOCKS if kind == "toml")
READER = "riskscore_reader"


def vocabulary(connection):
    """(kind, meaning, words) as the query declares them: its first step alone."""
    step = FEATURES_SQL.split("\n),\n")[0]
    return connection.execute(f"{step}) SELECT kind, meaning, words FROM vocabulary").fetchall()


def test_the_page_has_the_words_of_the_query(database):
    listed = [
        (kind, meaning, ["none at all" in words and ""] * ("none at all" in words) + re.findall(r"`([^`]*)`", words))
        for kind, meaning, words in re.findall(
            r"^\| (type|category|status) \| (\w+) \| .* \| (.*) \|$", PAGE, re.MULTILINE
        )
    ]
    with psycopg.connect(database) as connection:
        assert listed == vocabulary(connection)


def test_a_word_stands_once_and_is_written_as_it_is_compared(database):
    with psycopg.connect(database) as connection:
        words = [(kind, word) for kind, _, words in vocabulary(connection) for word in words]
    assert len(set(words)) == len(words)
    assert all(word == reference.read_word(word) for _, word in words)


def test_the_reference_knows_the_same_words(database):
    with psycopg.connect(database) as connection:
        found = vocabulary(connection)
    assert {word: meaning for kind, meaning, words in found if kind == "type" for word in words} == reference.TYPES
    assert {word for kind, _, words in found if kind == "category" for word in words} == reference.CATEGORIES
    assert {word for kind, _, words in found if kind == "status" for word in words} == reference.STATUSES


def test_the_page_has_the_keys_that_the_query_reads():
    listed = re.findall(r"^\| `(\w+)` \| ", PAGE.split("## Words")[0], re.MULTILINE)
    assert sorted(listed) == sorted(set(re.findall(r"element ->>? '(\w+)'", FEATURES_SQL)))
    (example,) = (json.loads(text) for kind, text in BLOCKS if kind == "json")
    assert list(example) == listed


# The examples, as they stand


@pytest.fixture
def flat(database):
    """The URL of a database with the page's tables of flat rows."""
    with psycopg.connect(database) as connection:
        connection.execute(TABLES)
    return database


@pytest.fixture
def reader(flat):
    """The URL of the read-only role in that database."""
    with psycopg.connect(flat, autocommit=True) as connection:
        there = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [READER]).fetchone()
        secret = secrets.token_hex(8)
        connection.execute(f"{'ALTER' if there else 'CREATE'} ROLE {READER} LOGIN PASSWORD '{secret}'")
        connection.execute(f"ALTER ROLE {READER} SET default_transaction_read_only = on")
        place = urlsplit(flat)
        yield urlunsplit(place._replace(netloc=f"{READER}:{secret}@{place.netloc.rpartition('@')[2]}"))
        connection.execute(f"DROP OWNED BY {READER}; DROP ROLE {READER}")


def shell(folder, commands, **environ):
    """Run a block of the page; the parsed lines of scores.jsonl."""
    (folder / "ledgers.sql").write_text(LEDGERS)
    run_shell(folder, commands, **environ)
    return [json.loads(line) for line in (folder / "out" / "scores.jsonl").read_text().splitlines()]


A1 = {
    "income_inflow_30d": 21500.0,
    "spend_outflow_30d": 6385.0,
    "pct_gambling_spend_90d": 150 / 6385,
    "merchant_diversity_90d": 3,
    "days_since_last_salary": 6,
    "late_fee_count_90d": 1,
}
TOLD = "transactions of a category that the vocabulary lacks, counted as none: 1"


def assert_scored(answers):
    """Of A1 every word is known; of B2 one code of two isn't."""
    first, second = answers
    assert (first["customer_id"], second["customer_id"]) == ("A1", "B2")
    assert not [warning for warning in first["warnings"] if "unknown" in warning["rule"]]
    assert second["outcome"] == "refer"
    texts = [warning["text"] for warning in second["warnings"] if "unknown" in warning["rule"]]
    assert texts == [TOLD, "500 in a thousand transactions have a category that the vocabulary of features.sql lacks"]


def test_flat_rows_are_scored_by_a_cte(flat, tmp_path):
    assert_scored(shell(tmp_path, BY_CTE, DATABASE_URL=flat))


def test_flat_rows_are_scored_and_dumped_by_a_view_that_the_reader_alone_sees(flat, reader, tmp_path):
    made = shell(tmp_path, BY_VIEW, ADMIN_URL=flat, DATABASE_URL=reader)
    assert_scored(made)
    events = [json.loads(path.read_text()) for path in sorted((tmp_path / "out" / "events").rglob("*.json"))]
    assert [event["customer_id"] for event in events] == ["A1", "B2"]
    assert A1.items() <= events[0]["features"].items()
    assert "transactions_of_unknown_category" not in events[0]
    assert (events[1]["transactions_of_unknown_category"], events[1]["unknown_categories_per_thousand"]) == (1, 500)
    with psycopg.connect(reader) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("SELECT 1 FROM public.bookings")


def test_a_model_whose_query_makes_the_ledgers_narrows_them_and_trains_on_the_labelled_ones(flat):
    text = f"WITH bank_transactions_scoring AS (\n{LEDGERS}\n) SELECT * FROM (\n{FEATURES_SQL}\n) AS f"
    source = FeatureSource(text, SOURCE, ["customer_id", "snapshot_date"], reference.FEATURES)
    with psycopg.connect(flat, autocommit=True) as owner:
        owner.execute(
            "CREATE TABLE past_applications AS SELECT *, 1 AS defaulted FROM applications WHERE customer_id = 'A1'"
        )
    database = Database(flat, {})
    try:
        assert [row.ids["customer_id"] for row in source.stream(database)] == ["A1", "B2"]
        assert [row.ids["customer_id"] for row in source.stream(database, limit=1)] == ["A1"]
        assert [row.ids["customer_id"] for row in source.stream(database, ["B2"])] == ["B2"]
        (found,) = source.lookup(database, [{"customer_id": "A1", "snapshot_date": "2025-09-01"}])
        assert A1.items() <= found.features.items()
        assert [(row.ids["customer_id"], label) for row, label in source.training_rows(database)] == [("A1", 1)]
    finally:
        database.close()


# What becomes of words that nobody declared


ORDINARY = [
    {"ts": f"2025-08-{day:02d}T12:00:00Z", "amount": 400.0, "type": kind, "category": category, "status": "success"}
    | {"merchant": f"Shop {day % 15}"}
    for day, kind, category in [(25, "credit", "salary"), *((1 + k % 28, "debit", "groceries") for k in range(99))]
]


def answered(connection, ledger):
    """The answer to the event that the ledger's row is dumped as."""
    (found,) = answers(connection, [ledger])
    features = {name: found.pop(name) for name in reference.FEATURES}
    return engine("twin").answer(event(FeatureRow({"customer_id": "A"}, features, found, found.pop("data_fault"))))


def changed(count, **values):
    """The ledger with other values in its last transactions."""
    return [*ORDINARY[: len(ORDINARY) - count], *({**one, **values} for one in ORDINARY[len(ORDINARY) - count :])]


@pytest.fixture(scope="module")
def session(postgres_url):
    with connect(postgres_url) as connection:
        yield connection


@pytest.mark.parametrize(("key", "what"), [("category", "categories"), ("status", "statuses")])
@pytest.mark.parametrize("word", ["0042", "GAMB", "betting", 7])
@pytest.mark.parametrize(("count", "refers"), [(0, False), (1, False), (2, False), (3, True), (10, True), (100, True)])
def test_a_few_unknown_words_are_a_warning_with_their_number_and_many_refer(session, key, what, word, count, refers):
    rules = {
        warning["rule"]: warning["text"] for warning in answered(session, changed(count, **{key: word}))["warnings"]
    }
    assert (f"unknown_{what}" in rules) == refers
    assert (f"transactions_of_unknown_{key}" in rules) == bool(count)
    assert rules.get(f"transactions_of_unknown_{key}", f": {count}").endswith(f": {count}")
    assert not refers or answered(session, changed(count, **{key: word}))["outcome"] == "refer"


@pytest.mark.parametrize("spell", [str.upper, str.title, lambda word: f"{word} ", lambda word: f"\u00a0{word}\t"])
def test_other_spellings_of_known_words_are_the_same_row(session, spell):
    spelled = [{**one, **{key: spell(one[key]) for key in ("type", "category", "status")}} for one in ORDINARY]
    assert answered(session, spelled) == answered(session, ORDINARY)


@pytest.mark.parametrize("missing", [None, "", " "])
def test_a_missing_category_is_unknown_and_a_missing_status_is_fine(session, missing):
    assert "unknown_categories" in {w["rule"] for w in answered(session, changed(50, category=missing))["warnings"]}
    assert answered(session, changed(50, status=missing)) == answered(session, ORDINARY)
