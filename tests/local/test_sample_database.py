"""The sample ledgers: made once, found again, and read by a role that can do nothing else."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import psycopg
import pytest

from riskscore.local.postgres import _reachable
from riskscore.local.sample_database import CUSTOMERS, TRAINING, _as_reader, fill, is_filled, main, sample_database
from riskscore.local.seed import TablesExist

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WRITES = [
    "CREATE TABLE mine (a int)",
    "CREATE TEMP TABLE mine (a int)",
    "INSERT INTO bank_transactions_scoring DEFAULT VALUES",
    "SET default_transaction_read_only = off; COMMIT; DELETE FROM bank_transactions",
    "SET default_transaction_read_only = off; COMMIT; CREATE TABLE mine (a int)",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    place = tmp_path_factory.mktemp("samples")
    yield place
    shutil.rmtree(_reachable(place))


@pytest.fixture(scope="module")
def reader(folder: Path) -> Iterator[str]:
    calls: list[object] = []
    with sample_database(folder, filling=lambda: calls.append("filling"), progress=calls.append) as url:
        assert calls[0] == "filling"
        assert len(calls) > CUSTOMERS + TRAINING
        yield url


def test_the_ledgers_are_made_once(reader: str, folder: Path) -> None:
    calls: list[object] = []
    with sample_database(folder, filling=lambda: calls.append("filling"), progress=calls.append) as url:
        assert url == reader
    assert calls == []


@pytest.mark.parametrize("statement", WRITES)
def test_the_reader_writes_nothing(statement: str, reader: str) -> None:
    refusals = (psycopg.errors.ReadOnlySqlTransaction, psycopg.errors.InsufficientPrivilege)
    with psycopg.connect(reader) as connection, pytest.raises(refusals):
        connection.execute(statement)


def test_the_reader_reads_both_tables(reader: str) -> None:
    with psycopg.connect(reader) as connection:
        row = connection.execute(
            "SELECT (SELECT count(*) FROM bank_transactions),"
            " (SELECT count(*) FROM bank_transactions_scoring WHERE customer_id LIKE 'S%')"
        ).fetchone()
    assert row == (TRAINING, CUSTOMERS)


def test_ledgers_of_another_version_of_the_simulation_count_as_none(database: str) -> None:
    assert not is_filled(database)
    assert main({"DATABASE_URL": database, "RISKSCORE_READER_PASSWORD": "it's a 'password'"}) == 0
    assert is_filled(database)
    with psycopg.connect(database) as connection:
        connection.execute("COMMENT ON TABLE bank_transactions IS 'simulated: by some other version'")
    assert not is_filled(database)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://postgres@/postgres?host=/tmp/x", "postgresql://riskscore_reader@/postgres?host=/tmp/x"),
        ("postgresql://root:secret@host:5433/db", "postgresql://riskscore_reader@host:5433/db"),
    ],
)
def test_the_readers_url_carries_nobody_elses_password(url: str, expected: str) -> None:
    assert _as_reader(url) == expected


def test_tables_that_are_not_simulated_are_left_alone(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("CREATE TABLE bank_transactions_scoring (customer_id text)")
        connection.execute("INSERT INTO bank_transactions_scoring VALUES ('somebody')")
    with pytest.raises(TablesExist):
        fill(database)
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT customer_id FROM bank_transactions_scoring").fetchall() == [("somebody",)]
