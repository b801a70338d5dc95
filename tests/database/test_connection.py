"""The scoring connection reads, and only reads; it answers in time or says so; it survives a freeze."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import closing

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from riskscore.database.connection import Database, connection_string, require_taken, url_from
from riskscore.errors import DatabaseTimeout, DatabaseUnavailable, NotConfigured, QueryFailed

SECRET = "hunter2"  # planted where no message may show it


@pytest.fixture
def source(database):
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE ledger (customer_id text, amount numeric)")
        connection.execute("INSERT INTO ledger SELECT 'S' || n, n FROM generate_series(1, 2500) n")
    reader = Database(database, {})
    yield reader
    reader.close()


def test_rows_are_dicts_by_column_name(source):
    assert source.read(sql.SQL("SELECT customer_id, amount FROM ledger WHERE amount = 7")) == [
        {"customer_id": "S7", "amount": 7}
    ]


def test_a_stream_yields_every_row_in_order(source):
    rows = source.stream(sql.SQL("SELECT amount FROM ledger ORDER BY amount"))
    assert [row["amount"] for row in rows] == list(range(1, 2501))


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO ledger VALUES ('S0', 0) RETURNING customer_id",
        "UPDATE ledger SET amount = 0 RETURNING customer_id",
        "DELETE FROM ledger RETURNING customer_id",
        "CREATE TABLE other AS SELECT 1",
        "CREATE VIEW other AS SELECT 1",
        "SELECT nextval('numbers')",
        "SET TRANSACTION READ WRITE",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
        "SELECT set_config('transaction_read_only', 'off', true)",
        "COMMIT; DELETE FROM ledger RETURNING customer_id",
        "SELECT 1; COMMIT; BEGIN READ WRITE; DELETE FROM ledger RETURNING customer_id",
        "COPY ledger TO PROGRAM 'true'",
        "WITH gone AS (DELETE FROM ledger RETURNING customer_id) SELECT * FROM gone",
    ],
)
@pytest.mark.parametrize("run", [Database.read, lambda *query: list(Database.stream(*query))], ids=["read", "stream"])
def test_writing_through_the_scoring_connection_fails_even_for_a_role_that_may(source, database, statement, run):
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE SEQUENCE IF NOT EXISTS numbers")
    with pytest.raises(QueryFailed):
        run(source, sql.SQL(statement))
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT count(*), sum(amount) FROM ledger").fetchone() == (2500, 3126250)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("transaction_read_only", "on"),
        ("TimeZone", "UTC"),
        ("DateStyle", "ISO, YMD"),
        ("extra_float_digits", "1"),
        ("statement_timeout", "10s"),
        ("application_name", "riskscore"),
    ],
)
def test_every_transaction_has_its_settings_and_leaves_none_behind(source, database, setting, value):
    with psycopg.connect(database, autocommit=True) as connection:
        for otherwise in ("TimeZone = 'Asia/Kolkata'", "DateStyle = 'SQL, DMY'", "extra_float_digits = 0"):
            name = sql.Identifier(connection.info.dbname)
            connection.execute(sql.SQL("ALTER DATABASE {} SET " + otherwise).format(name))
    query = sql.SQL("SELECT current_setting({}) AS value").format(sql.Literal(setting))
    assert source.read(query) == [{"value": value}]
    assert list(source.stream(query)) == [{"value": value}]
    assert source._connection.execute(query).fetchone() != (value,)


@pytest.mark.parametrize(("seconds", "shown"), [(10, "10s"), (1.5, "1500ms"), (90, "90s"), (120, "2min"), (3600, "1h")])
def test_a_limit_of_time_is_read_back_as_it_was_set(database, seconds, shown):
    with closing(Database(database, {}, seconds)) as reader:
        rows = reader.read(sql.SQL("SELECT current_setting('statement_timeout') AS value"))
    assert rows == [{"value": shown}]


def test_a_setting_that_the_server_does_not_take_is_refused():
    with pytest.raises(DatabaseUnavailable, match="doesn't apply the setting statement_timeout = 10s, so nothing was"):
        require_taken({"TimeZone": "UTC", "statement_timeout": "10s"}, ("UTC", "0"))


def test_a_slow_query_is_a_timeout_that_names_the_limit(database):
    with pytest.raises(DatabaseTimeout, match=r"took longer than 0\.2 s"):
        Database(database, {}, statement_seconds=0.2).read(sql.SQL("SELECT pg_sleep(30)"))


def test_a_slow_stream_is_a_timeout_too(database):
    with pytest.raises(DatabaseTimeout):
        list(Database(database, {}, statement_seconds=0.2).stream(sql.SQL("SELECT pg_sleep(30)")))


def test_a_connection_that_was_cut_is_opened_anew_once(source, database):
    assert source.read(sql.SQL("SELECT 1 AS one")) == [{"one": 1}]
    cut_others(database)
    assert source.read(sql.SQL("SELECT 1 AS one")) == [{"one": 1}]


def test_a_connection_that_slept_through_a_freeze_is_checked_before_use(database):
    reader = Database(database, {})
    reader.read(sql.SQL("SELECT 1"))
    cut_others(database)
    rows = reader.stream(sql.SQL("SELECT 1 AS one"))
    assert list(rows) == [{"one": 1}]
    reader.close()


def test_a_connection_is_reused(source):
    pids = {source.read(sql.SQL("SELECT pg_backend_pid() AS pid"))[0]["pid"] for _ in range(3)}
    assert len(pids) == 1


def cut_others(database):
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )


def test_a_server_that_is_down_is_unavailable_and_nothing_leaks():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(DatabaseUnavailable) as caught:
        Database(f"postgresql://anna:{SECRET}@127.0.0.1:{port}/bank", {}).read(sql.SQL("SELECT 1"))
    assert caught.value.message == "the database can't be reached, refuses this login, or closed the connection"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_server_that_never_answers_is_given_up():
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        url = f"postgresql://anna:{SECRET}@127.0.0.1:{deaf.getsockname()[1]}/bank?connect_timeout=2"
        started = time.monotonic()
        with pytest.raises(DatabaseUnavailable) as caught:
            Database(url, {}).read(sql.SQL("SELECT 1"))
        assert time.monotonic() - started < 60  # it ends at all
    assert SECRET not in caught.value.message


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("SELECT * FROM nowhere", "a table of the query doesn't exist in this database (SQLSTATE 42P01)"),
        ("SELECT nothing FROM ledger", "a column of the query doesn't exist in this database (SQLSTATE 42703)"),
        ("SELECT (customer_id)::numeric FROM ledger", "the query failed (SQLSTATE 22P02)"),
    ],
)
def test_a_failing_query_is_told_in_our_words(source, query, sentence):
    with pytest.raises(QueryFailed) as caught:
        source.read(sql.SQL(query))
    assert caught.value.message == sentence
    assert source.read(sql.SQL("SELECT 1 AS one")) == [{"one": 1}]


@pytest.mark.parametrize("wrong", [{"dbname": "nowhere"}, {"user": "nobody_known"}])
def test_a_server_that_refuses_is_unavailable_and_nothing_leaks(database, wrong):
    with pytest.raises(DatabaseUnavailable, match="refuses this login") as caught:
        Database(make_conninfo(database, **wrong), {}).read(sql.SQL("SELECT 1"))
    assert not any(value in caught.value.message for value in wrong.values())


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({"DATABASE_URL": "postgresql://a/b", "PGURL": "postgresql://c/d"}, "postgresql://a/b"),
        ({"DATABASE_URL": "", "PGURL": "postgresql://c/d"}, "postgresql://c/d"),
        ({"PGHOST": "db", "PGDATABASE": "bank"}, ""),
        ({"PGSERVICE": "bank"}, ""),
    ],
)
def test_where_the_database_is_comes_from_the_environment(environ, url):
    assert url_from(environ) == url


def test_no_database_configured_is_one_sentence():
    with pytest.raises(NotConfigured, match="set DATABASE_URL, PGURL or the PG"):
        url_from({"PATH": "/bin"})


def test_a_url_that_is_none_is_refused_without_showing_it():
    with pytest.raises(NotConfigured) as caught:
        connection_string(f"postgresql://anna:{SECRET}@[", {})
    assert SECRET not in caught.value.message


@pytest.mark.parametrize(
    ("url", "environ", "mode", "root"),
    [
        ("postgresql://u@db.example/bank", {}, "verify-full", "system"),
        ("postgresql://u@localhost,db.example/bank", {}, "verify-full", "system"),
        ("postgresql://u@/bank", {"PGHOST": "db.example"}, "verify-full", "system"),
        ("postgresql://u@db.example/bank", {"PGSSLROOTCERT": "rds.pem"}, "verify-full", None),
        ("postgresql://u@db.example/bank?sslrootcert=rds.pem", {}, "verify-full", "rds.pem"),
        ("postgresql://u@db/bank?sslmode=disable", {}, "disable", None),
        ("postgresql://u@db.example/bank", {"PGSSLMODE": "require"}, None, None),
        ("postgresql://u@localhost/bank", {}, None, None),
        ("postgresql://u@/bank?host=/run/postgresql", {}, None, None),
    ],
)
def test_off_this_host_the_server_has_to_prove_who_it_is(url, environ, mode, root):
    settings = conninfo_to_dict(connection_string(url, environ))
    assert (settings.get("sslmode"), settings.get("sslrootcert")) == (mode, root)


@pytest.mark.parametrize(("query", "options"), [("", None), ("&options=-c%20work_mem%3D1MB", "-c work_mem=1MB")])
def test_what_the_url_says_stays_and_nothing_is_added_that_a_pooler_refuses(query, options):
    settings = conninfo_to_dict(connection_string(f"postgresql://u@localhost/bank?connect_timeout=2{query}", {}))
    assert settings["connect_timeout"] == "2"
    assert settings.get("options") == options
    assert "application_name" not in settings


@pytest.mark.parametrize(("url", "environ"), [("&application_name=mine", {}), ("", {"PGAPPNAME": "mine"})])
def test_a_name_that_the_operator_gave_the_connection_stays(database, url, environ, monkeypatch):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with closing(Database(database + url, environ)) as reader:
        assert reader.read(sql.SQL("SELECT current_setting('application_name') AS name")) == [{"name": "mine"}]


def test_a_server_that_dies_in_mid_query_is_one_sentence_and_the_next_call_works(source, database):
    source.read(sql.SQL("SELECT 1"))
    killer = threading.Timer(0.5, cut_others, [database])
    killer.start()
    with pytest.raises(DatabaseUnavailable, match=r"or closed the connection$"):
        source.read(sql.SQL("SELECT pg_sleep(30)"))
    killer.join()
    assert source.read(sql.SQL("SELECT 1 AS one")) == [{"one": 1}]


def test_a_stream_whose_server_dies_is_one_sentence_and_the_next_one_works(source, database):
    rows = source.stream(sql.SQL("SELECT amount FROM ledger ORDER BY amount"))
    next(rows)
    cut_others(database)
    with pytest.raises(DatabaseUnavailable):
        list(rows)
    assert len(list(source.stream(sql.SQL("SELECT amount FROM ledger")))) == 2500


def test_a_stream_that_is_left_early_frees_its_connection(source):
    rows = source.stream(sql.SQL("SELECT amount FROM ledger ORDER BY amount"))
    assert next(rows) == {"amount": 1}
    rows.close()
    assert source.read(sql.SQL("SELECT 1 AS one")) == [{"one": 1}]


def test_a_failure_logs_nothing(source, caplog):
    with pytest.raises(QueryFailed):
        source.read(sql.SQL("SELECT (customer_id)::numeric FROM ledger"))
    assert not caplog.records
