"""Behind a real PgBouncer, by sessions and by transactions: the same rows, the same limits, nothing left behind."""

from __future__ import annotations

import threading
from contextlib import closing

import psycopg
import pytest
from psycopg import sql

from riskscore.database.connection import Database
from riskscore.errors import DatabaseTimeout, DatabaseUnavailable, QueryFailed
from riskscore.ledger.store import Store
from tests.database.test_column_types import SPENT, add, make, source, spent
from tests.database.test_connection import cut_others
from tests.pooler import PROGRAM, running_pgbouncer

pytestmark = pytest.mark.skipif(
    PROGRAM is None, reason="PgBouncer is missing; on Debian, as root: apt install pgbouncer (or make pooler)"
)
WAYS = {
    "sessions": {"pool_mode": "session"},
    "transactions": {"pool_mode": "transaction"},
    "ignoring": {"pool_mode": "transaction", "ignore_startup_parameters": "options,extra_float_digits"},
}


@pytest.fixture(params=WAYS)
def through(request, database):
    with psycopg.connect(database, autocommit=True) as connection:
        name = sql.Identifier(connection.info.dbname)
        connection.execute(sql.SQL("ALTER DATABASE {} SET TimeZone = 'Asia/Kolkata'").format(name))
        make(connection, "bigint", "timestamptz", "text")
        connection.execute("SET TimeZone = 'UTC'")
        for customer in ("7", "8"):
            add(connection, customer)
        connection.execute("CREATE TABLE numbers AS SELECT n FROM generate_series(1, 2500) n")
    with running_pgbouncer(database, **WAYS[request.param]) as url:
        yield url


def value(reader, setting):
    return reader.read(sql.SQL("SELECT current_setting({}) AS value").format(sql.Literal(setting)))[0]["value"]


def test_a_lookup_and_a_stream(through):
    with closing(Database(through, {})) as reader:
        for _ in range(12):  # beyond the number of runs after which a driver would prepare the statement
            (row,) = source().lookup(reader, [{"customer_id": "7", "snapshot_date": "2025-09-01"}])
            assert spent(row) == SPENT
        assert sorted(row.ids["customer_id"] for row in source().stream(reader)) == ["7", "8"]
        assert len(list(reader.stream(sql.SQL("SELECT n FROM numbers")))) == 2500


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("statement_timeout", "10s"),
        ("transaction_read_only", "on"),
        ("TimeZone", "UTC"),
        ("extra_float_digits", "1"),
        ("DateStyle", "ISO, YMD"),
    ],
)
def test_the_limits_hold_and_reach_no_other_client(through, setting, expected):
    with closing(Database(through, {})) as reader:
        assert value(reader, setting) == expected
    with psycopg.connect(through, autocommit=True) as other:  # on the same connection to the server
        found = other.execute(sql.SQL("SELECT current_setting({})").format(sql.Literal(setting))).fetchone()
        assert found != (expected,) or setting == "extra_float_digits"
        other.execute("INSERT INTO numbers VALUES (0)")


def test_two_clients_take_turns(through, request):
    with closing(Database(through, {})) as first, closing(Database(through, {}, 3)) as second:
        if "sessions" in request.node.name:
            assert value(first, "statement_timeout") == "10s"
            return
        for _ in range(50):  # a Flush behind the Sync held the only session about every twentieth time
            assert (value(first, "statement_timeout"), value(second, "statement_timeout")) == ("10s", "3s")


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM numbers RETURNING n", "COMMIT; DELETE FROM numbers", "CREATE TEMP TABLE t AS SELECT 1"],
)
def test_nothing_is_written(through, database, statement):
    with closing(Database(through, {})) as reader:
        with pytest.raises(QueryFailed):
            reader.read(sql.SQL(statement))
        with pytest.raises(QueryFailed):
            list(reader.stream(sql.SQL(statement)))
        assert reader.read(sql.SQL("SELECT count(*) AS n FROM numbers")) == [{"n": 2500}]


def test_a_slow_query_is_a_timeout_and_the_next_one_works(through):
    with closing(Database(through, {}, 0.3)) as reader:
        with pytest.raises(DatabaseTimeout, match=r"longer than 0\.3 s"):
            reader.read(sql.SQL("SELECT pg_sleep(30)"))
        assert reader.read(sql.SQL("SELECT 1 AS one")) == [{"one": 1}]


def test_a_server_that_dies_in_mid_query_is_one_sentence_and_the_next_call_works(through, database):
    with closing(Database(through, {})) as reader:
        reader.read(sql.SQL("SELECT 1"))
        killer = threading.Timer(0.5, cut_others, [database])
        killer.start()
        with pytest.raises(DatabaseUnavailable, match="can't be reached, refuses this login, or closed the connection"):
            reader.read(sql.SQL("SELECT pg_sleep(30)"))
        killer.join()
        assert reader.read(sql.SQL("SELECT 1 AS one")) == [{"one": 1}]


def test_the_ledgers_store(through):
    store = Store(through, {})
    try:
        for _ in range(12):
            with store.writing() as connection:
                assert connection.exec_driver_sql("SHOW lock_timeout").scalar() == "5s"
                assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == "30s"
    finally:
        store.close()


def test_a_pooler_that_lets_no_transaction_through_is_one_sentence(database):
    with (
        running_pgbouncer(database, pool_mode="statement") as url,
        closing(Database(url, {})) as reader,
        pytest.raises(DatabaseUnavailable),
    ):
        reader.read(sql.SQL("SELECT 1"))
