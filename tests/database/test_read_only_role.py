"""scripts/read_only_role.sql in psql on a real PostgreSQL: all of it or nothing, by other names, and twice."""

from __future__ import annotations

import secrets
import shutil
import subprocess
from contextlib import closing

import psycopg
import pytest

from riskscore.database.connection import Database
from riskscore.database.features import FeatureSource
from riskscore.local.postgres import _programs
from riskscore.local.sample_database import role_script
from tests.scoring_examples import ROOT

PSQL = shutil.which("psql") or str(_programs() / "psql")


@pytest.fixture
def administrator(database):
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection
        found = connection.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE 'reader_%'").fetchall()
        for (name,) in found:
            connection.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")


def run(database, **variables):
    given = [argument for name, value in variables.items() for argument in ("-v", f"{name}={value}")]
    command = [PSQL, "-X", "-q", database, *given, "-f", str(ROOT / "scripts" / "read_only_role.sql")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def roles(administrator):
    return administrator.execute("SELECT rolname, rolconfig FROM pg_roles ORDER BY 1").fetchall()


def rights(administrator):
    return administrator.execute(
        "SELECT nspname, nspacl::text, relname, relacl::text FROM pg_namespace n LEFT JOIN pg_class c"
        " ON relnamespace = n.oid WHERE nspname !~ '^(pg_|information)' ORDER BY 1, 3"
    ).fetchall()


def test_by_other_names_and_twice(database, administrator):
    role = f"reader_{secrets.token_hex(4)}"
    administrator.execute('CREATE SCHEMA "Core"; CREATE TABLE "Core".ledgers AS SELECT \'A\' AS id, 1 AS amount')
    administrator.execute('CREATE TABLE "Core"."Old Ledgers" (id text); CREATE TABLE "Core".secret (id text)')
    for _ in range(2):
        done = run(database, role=role, schema="Core", tables="ledgers, Old Ledgers")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    with psycopg.connect(database.replace("postgres@", f"{role}@"), autocommit=True) as reader:
        assert reader.execute('SELECT count(*) FROM "Core".ledgers, "Core"."Old Ledgers"').fetchone() == (0,)
        assert reader.execute("SHOW statement_timeout").fetchone() == ("10s",)
        for refused in ('SELECT * FROM "Core".secret', 'DELETE FROM "Core".ledgers', 'CREATE TABLE "Core".mine ()'):
            with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)):
                reader.execute(refused)
    source = FeatureSource("SELECT id, amount FROM ledgers", {"table": '"Core".ledgers'}, ["id"], ["amount"])
    with closing(Database(database.replace("postgres@", f"{role}@"), {})) as scoring:
        assert source.lookup(scoring, [{"id": "A"}])[0].features == {"amount": 1}


@pytest.mark.parametrize("tables", ["there,not_there", "there,"])
def test_a_failure_half_way_changes_nothing(database, administrator, tables):
    administrator.execute("GRANT CREATE ON SCHEMA public TO PUBLIC; CREATE TABLE there (id text)")
    before = roles(administrator), rights(administrator)
    done = run(database, role=f"reader_{secrets.token_hex(4)}", tables=tables)
    assert done.returncode != 0
    assert (roles(administrator), rights(administrator)) == before


def test_the_defaults_are_those_of_the_sample_ledgers(database, administrator):
    administrator.execute("CREATE TABLE bank_transactions (id text); CREATE TABLE bank_transactions_scoring (id text)")
    role = f"reader_{secrets.token_hex(4)}"
    assert run(database, role=role).returncode == 0
    readable = "SELECT has_table_privilege(%s, %s, 'SELECT')"
    for table in ("bank_transactions", "bank_transactions_scoring"):
        assert administrator.execute(readable, (role, table)).fetchone() == (True,)
    for default in ("'riskscore_reader'", "'public'", "'bank_transactions,bank_transactions_scoring'"):
        assert default in role_script()


def test_the_sample_database_runs_it_in_its_own_transaction(database, administrator):
    administrator.execute("CREATE TABLE bank_transactions (id text); CREATE TABLE bank_transactions_scoring (id text)")
    before = rights(administrator)
    with psycopg.connect(database) as connection:
        connection.execute(role_script().encode())
        assert rights(connection) != before
        connection.rollback()
    assert rights(administrator) == before
