"""A bank's own column types and names: ids are found and read as text, dates and transactions as the SQL wants them."""

from __future__ import annotations

import json
from contextlib import closing

import psycopg
import pytest
from psycopg import sql

from riskscore.database.catalogue import Column
from riskscore.database.columns import id_text, same
from riskscore.database.connection import Database
from riskscore.database.features import FeatureSource
from riskscore.errors import ArtefactRefused, QueryFailed, UnknownCustomer
from riskscore.model_toml.settings import read_settings
from riskscore.sources.source_readers import SourceSpec
from riskscore.training.training_data import _about
from tests.scoring_examples import ROOT

SETTINGS = read_settings(ROOT / "model" / "credit_risk")
TEXT = (ROOT / "sql" / "credit_risk" / "features.sql").read_text()
LEDGER = [{"ts": "2025-08-15T10:00:00Z", "amount": 100, "type": "debit", "category": "groceries", "merchant": "Shop"}]
SPENT = 100.0
DAY = "2025-09-01"
UUID = "6f1c2c1e-8f0a-4b52-9d6a-0d1d6a1f0001"


@pytest.fixture
def bank(database):
    """Runs an administrator's SQL in a database of its own; and the same database as riskscore reads it."""
    with psycopg.connect(database, autocommit=True) as connection, closing(Database(database, {})) as reader:
        yield connection, reader


def source(**changes):
    return FeatureSource(TEXT, {**SETTINGS.source, **changes}, SETTINGS.ids, SETTINGS.contract.names)


def make(bank, customer="text", day="date", transactions="jsonb", name="bank_transactions_scoring"):
    bank.execute(f"CREATE TABLE {name} (customer_id {customer}, snapshot_date {day}, transactions {transactions})")


def add(bank, customer="A1", day=DAY, ledger=None, name="bank_transactions_scoring"):
    ledger = json.dumps(LEDGER) if ledger is None else ledger
    bank.execute(f"INSERT INTO {name} VALUES ({', '.join(map(literal, (customer, day, ledger)))})")


def literal(value):
    return sql.Literal(value).as_string()


def spent(row):
    return row.features["spend_outflow_30d"]


PREPARED = {
    "tier": "CREATE TYPE tier AS ENUM ('gold', 'A1')",
    "account": "CREATE DOMAIN account AS bigint CHECK (value < 100)",
    "label": "CREATE DOMAIN account_10 AS char(10); CREATE DOMAIN label AS account_10 NOT NULL",
}


@pytest.mark.parametrize(
    ("kind", "stored", "asked", "answered"),
    [
        ("text", "A1", "A1", "A1"),
        ("varchar(20)", "A1", "A1", "A1"),
        ("smallint", "7", "7", "7"),
        ("integer", "-7", "-7", "-7"),
        ("bigint", "9007199254740993", "9007199254740993", "9007199254740993"),
        ("bigint", "7", "007", "7"),
        ("numeric", "12345678901234567890123456789012345", "12345678901234567890123456789012345", None),
        ("numeric(12, 2)", "7", "7", "7.00"),
        ("numeric(12, 2)", "7", "7.0", "7.00"),
        ("uuid", UUID, UUID, UUID),
        ("uuid", UUID, UUID.upper(), UUID),
        ("char(10)", "A1", "A1", "A1"),
        ("char(2)", "A1", "A1", "A1"),
        ("tier", "A1", "A1", "A1"),
        ("account", "42", "42", "42"),
        ("label", "A1", "A1", "A1"),
        ("boolean", "true", "true", "true"),
        ("bytea", r"\x0aff", r"\x0aff", r"\x0aff"),
        ("date", "2020-02-29", "2020-02-29", "2020-02-29"),
    ],
)
def test_an_id_of_any_type_is_found_and_is_text(bank, kind, stored, asked, answered):
    administrator, reader = bank
    administrator.execute(PREPARED.get(kind, "SELECT 1"))
    make(administrator, kind)
    add(administrator, stored)
    for key in ({"customer_id": asked}, {"customer_id": asked, "snapshot_date": DAY}):
        (row,) = source().lookup(reader, [key])
        assert row.ids == {"customer_id": answered or stored, "snapshot_date": DAY}
        assert spent(row) == SPENT
    for rows in (source().stream(reader), source().stream(reader, [asked]), source().stream(reader, limit=1)):
        assert [found.ids["customer_id"] for found in rows] == [answered or stored]


@pytest.mark.parametrize(
    ("kind", "stored", "other"),
    [
        *(
            ("bigint", "7", other)
            for other in ("abc", "7.0", "7x", "", "9" * 30, "-9223372036854775809", "\u0667", "0x7")
        ),
        ("smallint", "7", "70000"),
        ("uuid", UUID, "6f1c2c1e"),
        ("numeric", "7", "NaN"),
        ("char(2)", "A1", "A1x"),
        ("tier", "A1", "silver"),
        ("account", "42", "420"),
        ("text", "A1", "a1"),
        ("text", "A1", "A1\0"),
        ("date", "2020-02-29", "2021-02-29"),
    ],
)
def test_an_id_that_the_column_cannot_hold_is_an_unknown_customer_among_known_ones(bank, kind, stored, other):
    administrator, reader = bank
    administrator.execute(PREPARED.get(kind, "SELECT 1"))
    make(administrator, kind)
    add(administrator, stored)
    unknown, known = source().lookup(reader, [{"customer_id": other}, {"customer_id": stored}])
    assert isinstance(unknown, UnknownCustomer)
    assert spent(known) == SPENT
    assert list(source().stream(reader, [other])) == []


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        ("bigint", "SELECT n FROM generate_series(1, 20000) n"),
        ("integer", "SELECT n FROM generate_series(1, 20000) n"),
        ("smallint", "SELECT n FROM generate_series(1, 20000) n"),
        ("numeric(12)", "SELECT n FROM generate_series(1, 20000) n"),
        ("uuid", "SELECT md5(n::text)::uuid FROM generate_series(1, 20000) n"),
        ("char(12)", "SELECT n FROM generate_series(1, 20000) n"),
        ("varchar(12)", "SELECT n FROM generate_series(1, 20000) n"),
        ("text", "SELECT n FROM generate_series(1, 20000) n"),
        ("domain_of_bigint", "SELECT n FROM generate_series(1, 20000) n"),
    ],
)
@pytest.mark.parametrize("day", ["date", "timestamptz"])
def test_a_lookup_uses_the_index_whatever_the_types(bank, kind, asked, day):
    administrator, reader = bank
    administrator.execute("CREATE DOMAIN domain_of_bigint AS bigint")
    make(administrator, kind, day)
    administrator.execute(f"INSERT INTO bank_transactions_scoring SELECT id, '{DAY}', '[]' FROM ({asked}) AS ids (id)")
    administrator.execute("ALTER TABLE bank_transactions_scoring ADD PRIMARY KEY (customer_id, snapshot_date)")
    administrator.execute("ANALYZE bank_transactions_scoring")
    (stored,) = administrator.execute("SELECT customer_id FROM bank_transactions_scoring LIMIT 1").fetchone()
    key = {"customer_id": id_text(stored).strip(), "snapshot_date": DAY}
    (row,) = source().lookup(reader, [key])
    assert row.ids == key
    assert "Index Cond: (" in plan(reader, key)
    assert "Seq Scan on bank_transactions_scoring" not in plan(reader, key)


def plan(reader, key):
    """How PostgreSQL runs the lookup of a key."""
    explaining = Explaining(reader)
    source().lookup(explaining, [key])
    return explaining.plans[0]


class Explaining:
    """A Database that notes the plan of each query with parameters."""

    def __init__(self, reader):
        self.reader, self.remembered, self.plans = reader, reader.remembered, []

    def read(self, query, parameters):
        lines = self.reader.read(sql.SQL("EXPLAIN {}").format(query), parameters)
        self.plans.append("\n".join(line["QUERY PLAN"] for line in lines))
        return self.reader.read(query, parameters)


@pytest.mark.parametrize("kind", ["json", "text", "varchar", "char(200)"])
def test_transactions_of_another_type_are_read_as_jsonb(bank, kind):
    administrator, reader = bank
    make(administrator, transactions=kind)
    add(administrator)
    add(administrator, "empty", ledger="[]")
    administrator.execute(f"INSERT INTO bank_transactions_scoring VALUES ('none', '{DAY}', NULL)")
    found = {row.ids["customer_id"]: (spent(row), row.fault) for row in source().stream(reader)}
    assert found == {"A1": (SPENT, None), "empty": (0, None), "none": (0, None)}


@pytest.mark.parametrize("broken", ["no JSON", "", "[1, 2", '["\\u0000"]', "[1e999999]"])
def test_a_text_that_is_no_json_is_a_fault_of_its_customer_alone(bank, broken):
    administrator, reader = bank
    make(administrator, transactions="text")
    add(administrator)
    add(administrator, "broken", ledger=broken)
    if administrator.info.server_version < 160000:  # it can't tell beforehand, so the sentence names the column
        with pytest.raises(QueryFailed, match="it reads column transactions, which is text, as jsonb; a value may not"):
            list(source().stream(reader))
        return
    found = {
        row.ids["customer_id"]: (row.features.get("spend_outflow_30d"), row.fault) for row in source().stream(reader)
    }
    assert found == {"A1": (SPENT, None), "broken": (None, "transactions isn't JSON")}
    whole, faulty = source().lookup(reader, [{"customer_id": "A1"}, {"customer_id": "broken"}])
    assert (whole.fault, faulty.fault) == (None, "transactions isn't JSON")


@pytest.mark.parametrize(
    ("kind", "stored"),
    [
        ("timestamptz", "2025-09-01 00:00+00"),
        ("timestamptz", "2025-09-01 05:30+05:30"),
        ("timestamp", "2025-09-01"),
        *(
            ("text", text)
            for text in (DAY, f" {DAY} ", f"{DAY}T00:00:00Z", f"{DAY} 00:00:00+00", f"{DAY}T00:00:00.000+00:00")
        ),
        ("varchar(10)", DAY),
        ("char(20)", DAY),
    ],
)
def test_a_snapshot_date_of_another_type_is_the_day_whose_midnight_utc_it_is(bank, kind, stored):
    administrator, reader = bank
    administrator.execute("SET TimeZone = 'Asia/Kolkata'")
    make(administrator, day=kind)
    add(administrator, day=stored)
    add(administrator, day="2025-08-01 00:00+00" if kind == "timestamptz" else "2025-08-01")
    assert sorted(row.ids["snapshot_date"] for row in source().stream(reader)) == ["2025-08-01", DAY]
    (row,) = source().lookup(reader, [{"customer_id": "A1", "snapshot_date": DAY}])
    assert (row.ids["snapshot_date"], spent(row)) == (DAY, SPENT)


@pytest.mark.parametrize(
    ("kind", "stored"),
    [
        ("timestamptz", "2025-09-01 15:00+00"),
        ("timestamptz", "2025-09-01 00:00+05:30"),
        ("timestamp", "2025-09-01 00:00:01"),
        *(
            ("text", text)
            for text in ("2025-02-29", "2025-09-31", "01.09.2025", "20250901", "soon", "", f"{DAY} 15:00")
        ),
    ],
)
def test_any_other_moment_is_a_fault_of_its_row_alone(bank, kind, stored):
    administrator, reader = bank
    make(administrator, day=kind)
    add(administrator, "late", day=stored)
    add(administrator, day="2025-09-01 00:00+00" if kind == "timestamptz" else DAY)
    found = {row.ids["customer_id"]: row.fault for row in source().stream(reader)}
    assert found == {"A1": None, "late": "snapshot_date isn't midnight UTC of a day"}
    faulty, dated = source().lookup(reader, [{"customer_id": "late"}, {"customer_id": "late", "snapshot_date": DAY}])
    assert faulty.fault == "snapshot_date isn't midnight UTC of a day"
    assert isinstance(dated, UnknownCustomer)


def test_a_row_without_an_id_is_a_fault(bank):
    administrator, reader = bank
    make(administrator)
    add(administrator, None)
    assert [(row.ids["customer_id"], row.fault) for row in source().stream(reader)] == [("", "customer_id is missing")]


def test_a_query_written_for_the_tables_own_types_runs_as_it_stands(bank):
    administrator, reader = bank
    make(administrator, "bigint", "timestamptz", "json")
    add(administrator, "7", day="2025-09-01 15:00+00")
    text = (
        "select customer_id, snapshot_date, json_array_length(transactions) as length"
        " from bank_transactions_scoring where snapshot_date > timestamptz '2025-09-01 14:00+00'"
    )
    (row,) = FeatureSource(text, SETTINGS.source, SETTINGS.ids, ["length"]).stream(reader)
    assert (row.ids, row.features) == (
        {"customer_id": "7", "snapshot_date": "2025-09-01T15:00:00+00:00"},
        {"length": 1},
    )


def test_types_that_nothing_can_be_made_of_are_named(bank):
    administrator, reader = bank
    make(administrator, transactions="bytea")
    with pytest.raises(QueryFailed) as caught:
        source().lookup(reader, [{"customer_id": "A1"}])
    assert caught.value.message == (
        "the query failed (SQLSTATE 42883); bank_transactions_scoring has customer_id text, snapshot_date date,"
        " transactions bytea"
    )


def test_a_column_that_changes_its_type_is_read_anew_after_one_failure(bank):
    administrator, reader = bank
    make(administrator)
    add(administrator, "7")
    key = [{"customer_id": "7"}]
    assert spent(source().lookup(reader, key)[0]) == SPENT
    administrator.execute(
        "ALTER TABLE bank_transactions_scoring ALTER customer_id TYPE bigint USING customer_id::bigint"
    )
    with pytest.raises(QueryFailed):
        source().lookup(reader, key)
    assert spent(source().lookup(reader, key)[0]) == SPENT


# names


NAMES = {
    "core.bank_transactions_scoring": "core.bank_transactions_scoring",
    '"Core"."bank_transactions_scoring"': '"Core".bank_transactions_scoring',
    "Core.bank_transactions_scoring": '"Core".bank_transactions_scoring',
    "CORE.Bank_Transactions_Scoring": "core.bank_transactions_scoring",
    '"my.core".bank_transactions_scoring': '"my.core".bank_transactions_scoring',
    "bank_transactions_scoring": "bank_transactions_scoring",
}


@pytest.mark.parametrize(("named", "table"), NAMES.items())
def test_a_table_in_a_schema(bank, named, table):
    administrator, reader = bank
    for schema in ("core", '"Core"', '"my.core"'):
        administrator.execute(f"CREATE SCHEMA {schema}")
    make(administrator, name=table)
    add(administrator, name=table)
    (row,) = source(table=named).lookup(reader, [{"customer_id": "A1"}])
    assert spent(row) == SPENT
    assert not source(table=named).has_history(reader)
    assert [found.ids["customer_id"] for found in source(table=named).stream(reader, limit=5)] == ["A1"]


def test_the_training_table_and_its_comment_in_a_schema_with_other_types(bank, database):
    administrator, reader = bank
    administrator.execute("CREATE SCHEMA core")
    administrator.execute(
        "CREATE TABLE core.labelled (customer_id bigint, snapshot_date timestamptz, transactions text, label int)"
    )
    administrator.execute("COMMENT ON TABLE core.labelled IS 'of the core system'")
    for customer, day, ledger, label in (
        (9, DAY, "[]", 0),
        (10, DAY, json.dumps(LEDGER), 1),
        (11, f"{DAY} 12:00", "[]", 1),
    ):
        administrator.execute(
            "INSERT INTO core.labelled VALUES (%s, %s::timestamptz, %s, %s)", (customer, f"{day} +00", ledger, label)
        )
    trained = source(training_table="core.labelled")
    rows = [(row.ids["customer_id"], row.fault, label) for row, label in trained.training_rows(reader)]
    assert rows == [("9", None, 0), ("10", None, 1), ("11", "snapshot_date isn't midnight UTC of a day", 1)]
    wanted = SourceSpec(SETTINGS.contract, SETTINGS.ids, {**SETTINGS.source, "training_table": "core.labelled"})
    assert _about(database, wanted) == "of the core system"


def test_a_schema_in_the_search_path_of_the_role(bank):
    administrator, reader = bank
    administrator.execute("CREATE SCHEMA core")
    make(administrator, name="core.bank_transactions_scoring")
    add(administrator, name="core.bank_transactions_scoring")
    name = sql.Identifier(administrator.info.dbname)
    administrator.execute(sql.SQL("ALTER DATABASE {} SET search_path = core").format(name))
    assert spent(source().lookup(reader, [{"customer_id": "A1"}])[0]) == SPENT


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE VIEW bank_transactions_scoring AS SELECT * FROM stored",
        "CREATE MATERIALIZED VIEW bank_transactions_scoring AS SELECT * FROM stored",
        """CREATE TABLE bank_transactions_scoring (LIKE stored) PARTITION BY LIST (customer_id);
        CREATE TABLE part PARTITION OF bank_transactions_scoring DEFAULT;
        INSERT INTO bank_transactions_scoring SELECT * FROM stored""",
    ],
)
def test_views_and_partitioned_tables(bank, statement):
    administrator, reader = bank
    make(administrator, "bigint", "timestamp", "text", "stored")
    add(administrator, "7", name="stored")
    administrator.execute(statement)
    (row,) = source().lookup(reader, [{"customer_id": "7", "snapshot_date": DAY}])
    assert (row.ids, spent(row)) == ({"customer_id": "7", "snapshot_date": DAY}, SPENT)


ALIASES = {"CustomerId": "customer_id", "Snapshot Date": "snapshot_date", "transactionsJSON": "transactions"}


def test_columns_of_other_names_by_aliases(bank):
    administrator, reader = bank
    administrator.execute(
        'CREATE TABLE "Ledgers" ("CustomerId" bigint, "Snapshot Date" timestamp, "transactionsJSON" text, "Branch" int)'
    )
    administrator.execute('INSERT INTO "Ledgers" VALUES (7, %s, %s, 1), (8, %s, %s, 1)', (DAY, json.dumps(LEDGER)) * 2)
    text = TEXT.replace("bank_transactions_scoring", '"Ledgers"')
    aliased = FeatureSource(
        text, {**SETTINGS.source, "table": "Ledgers", "aliases": ALIASES}, SETTINGS.ids, SETTINGS.contract.names
    )
    (row,) = aliased.lookup(reader, [{"customer_id": "7", "snapshot_date": DAY}])
    assert (row.ids, spent(row)) == ({"customer_id": "7", "snapshot_date": DAY}, SPENT)
    assert not aliased.has_history(reader)
    assert [found.ids["customer_id"] for found in aliased.stream(reader, limit=1)] == ["7"]


def test_quoted_columns_in_a_query_of_ones_own(bank):
    administrator, reader = bank
    administrator.execute('CREATE TABLE ledgers ("CustomerId" bigint, amount numeric)')
    administrator.execute("INSERT INTO ledgers VALUES (7, 1.5)")
    text = 'SELECT "CustomerId", amount FROM Ledgers'
    (row,) = FeatureSource(text, {"table": "ledgers"}, ["CustomerId"], ["amount"]).lookup(reader, [{"CustomerId": "7"}])
    assert (row.ids, row.features) == ({"CustomerId": "7"}, {"amount": 1.5})


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"table": "core.bank_transactions_scoring"},
            "table core.bank_transactions_scoring doesn't exist in this database, or the role may not read it",
        ),
        (
            {},
            (
                "column customer_id is missing, or the role may not read it: bank_transactions_scoring has Customer_ID"
                " text, snapshot_date date; source.aliases of model.toml can give a column another name"
            ),
        ),
        (
            {"aliases": {"Customer_ID": "snapshot_date"}},
            "bank_transactions_scoring: column snapshot_date appears twice, once by source.aliases of model.toml",
        ),
    ],
)
def test_a_table_or_a_column_that_is_not_there_is_named(bank, changes, sentence):
    administrator, reader = bank
    administrator.execute('CREATE TABLE bank_transactions_scoring ("Customer_ID" text, snapshot_date date)')
    with pytest.raises(QueryFailed) as caught:
        source(**changes).lookup(reader, [{"customer_id": "A1"}])
    assert caught.value.message == sentence


def test_a_table_that_the_role_may_not_read_is_named_and_columns_that_it_may_are_enough(bank, database):
    administrator, _ = bank
    administrator.execute("CREATE ROLE narrow LOGIN")
    try:
        make(administrator)
        add(administrator)
        administrator.execute("ALTER TABLE bank_transactions_scoring ADD COLUMN salary int")
        with closing(Database(database.replace("postgres@", "narrow@"), {})) as reader:
            with pytest.raises(QueryFailed, match="or the role may not read it"):
                source().lookup(reader, [{"customer_id": "A1"}])
            administrator.execute(
                "GRANT SELECT (customer_id, snapshot_date, transactions) ON bank_transactions_scoring TO narrow"
            )
            assert spent(source().lookup(reader, [{"customer_id": "A1"}])[0]) == SPENT
    finally:
        administrator.execute("DROP OWNED BY narrow; DROP ROLE narrow")


@pytest.mark.parametrize(
    ("table", "text", "sentence"),
    [
        (
            "core.ledgers",
            "SELECT * FROM core.ledgers",
            "name ledgers without its schema there, and with it as source.tab",
        ),
        ("core.ledgers", 'SELECT * FROM "core" . "ledgers"', "name ledgers without its schema there"),
        ("ledgers", "SELECT * FROM core.ledgers -- FROM ledgers", "name ledgers without its schema there"),
        (
            "ledgers",
            "SELECT 'ledgers' AS a FROM others /* ledgers */",
            "doesn't read ledgers, which is source.table in",
        ),
        ("Ledgers", 'SELECT 1 FROM "LEDGERS"', "doesn't read Ledgers, which is source.table in model.toml"),
        ("a.b.ledgers", "SELECT * FROM ledgers", "source.table in model.toml must be a table or schema.table"),
        ("", "SELECT * FROM ledgers", "source.table in model.toml must be a table or schema.table"),
    ],
)
def test_a_query_that_no_shadow_could_narrow_is_refused(bank, table, text, sentence):
    administrator, reader = bank
    for schema in ("core", "public"):
        administrator.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        administrator.execute(f'CREATE TABLE {schema}.ledgers (id text); CREATE TABLE {schema}."Ledgers" (id text)')
    own = FeatureSource(text, {"table": table, "sql": "sql/own/features.sql"}, ["id"], [])
    with pytest.raises(ArtefactRefused, match=sentence):
        own.lookup(reader, [{"id": "7"}])


@pytest.mark.parametrize(
    ("kind", "text", "spelt"),
    [
        ("int8", "+07", "7"),
        ("int8", "-0", "0"),
        ("numeric", "007.50", "7.5"),
        ("numeric", "100", "100"),
        ("numeric", ".5", "0.5"),
        ("numeric", "1e5", None),
        ("bpchar", "A1  ", "A1"),
        ("citext", "A1", "a1"),
        ("date", "2025-09-01T00:00:00+00:00", DAY),
        ("date", "20250901", None),
        ("text", "\ud800", None),
    ],
)
def test_ids_that_a_column_takes_for_equal_have_one_spelling(kind, text, spelt):
    assert same(Column("customer_id", kind, kind), text) == spelt
