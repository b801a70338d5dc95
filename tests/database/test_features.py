"""A model's SQL is run as it stands: narrowed to customers, or pointed at the training table, by a CTE before it."""

from __future__ import annotations

import hashlib

import psycopg
import pytest

from riskscore.database.connection import Database
from riskscore.database.features import FeatureRow, FeatureSource, event
from riskscore.errors import ArtefactRefused, InvalidFile, UnknownCustomer

QUERY = """-- 100 % of the amount, read by psycopg as a placeholder unless it is told better
select customer_id, snapshot_date, amount::numeric as total, round(amount)::int as count, late as late_rows,
       case when amount < 0 then 'amount is negative' end as data_fault
  from ledgers;
"""
SOURCE = {"sql": "features.sql", "table": "ledgers", "training_table": "labelled", "target": "label"}
IDS = ("customer_id", "snapshot_date")
A, B, OLD_B, BAD = (
    FeatureRow(
        {"customer_id": name, "snapshot_date": date}, {"total": total, "count": count}, {"late_rows": late}, fault
    )
    for name, date, total, count, late, fault in [
        ("A", "2025-09-01", 1.5, 2, 0, None),
        ("B", "2025-09-01", 20.0, 20, 3, None),
        ("B", "2025-08-01", 10.0, 10, 0, None),
        ("bad", "2025-09-01", -1.0, -1, 0, "amount is negative"),
    ]
)


@pytest.fixture
def ledgers(database):
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE ledgers (customer_id text, snapshot_date date, amount numeric, late int)")
        connection.execute("CREATE TABLE labelled (LIKE ledgers, label int)")
        connection.execute(
            "INSERT INTO ledgers VALUES ('A', '2025-09-01', 1.5, 0), ('B', '2025-09-01', 20, 3),"
            " ('B', '2025-08-01', 10, 0), ('bad', '2025-09-01', -1, 0)"
        )
        connection.execute("INSERT INTO labelled VALUES ('Z', '2025-09-01', 7, 0, 1), ('Y', '2025-09-01', 8, 0, 0)")
    reader = Database(database, {})
    yield reader
    reader.close()


@pytest.fixture
def source():
    return FeatureSource(QUERY, SOURCE, IDS, ("total", "count"))


def by_id(rows):
    return sorted(rows, key=lambda row: (row.ids["customer_id"], row.ids["snapshot_date"]))


def test_all_rows(ledgers, source):
    assert by_id(source.stream(ledgers)) == [A, OLD_B, B, BAD]


def test_some_customers(ledgers, source):
    assert by_id(source.stream(ledgers, customers=["B", "nobody"])) == [OLD_B, B]


def test_the_first_rows_by_id(ledgers, source):
    assert by_id(source.stream(ledgers, limit=2)) == [A, OLD_B]


def test_the_training_table_takes_the_tables_place(ledgers, source):
    rows = [(row.ids["customer_id"], row.features["total"], label) for row, label in source.training_rows(ledgers)]
    assert rows == [("Y", 8.0, 0), ("Z", 7.0, 1)]


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ({"customer_id": "A", "snapshot_date": "2025-09-01"}, A),
        ({"customer_id": "A"}, A),
        ({"customer_id": "B", "snapshot_date": "2025-08-01"}, OLD_B),
        ({"customer_id": "bad"}, BAD),
    ],
)
def test_one_row_by_its_key(ledgers, source, key, found):
    assert source.lookup(ledgers, [key]) == [found]


def test_many_keys_answer_in_their_order_the_unknown_in_their_place(ledgers, source):
    keys = [{"customer_id": name, "snapshot_date": "2025-09-01"} for name in ("B", "nobody", "A", "B")]
    first, unknown, third, fourth = source.lookup(ledgers, keys)
    assert (first, third, fourth) == (B, A, B)
    assert isinstance(unknown, UnknownCustomer)


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ({"customer_id": "nobody"}, "no row of ledgers has this customer_id"),
        (
            {"customer_id": "A", "snapshot_date": "1999-01-01"},
            "no row of ledgers has this customer_id and snapshot_date",
        ),
        ({"customer_id": "B"}, "the customer has 2 rows; select one with snapshot_date"),
        ({"customer_id": "A", "snapshot_date": "2025-02-30"}, "snapshot_date must be an existing date"),
        ({"customer_id": "x' OR '1'='1"}, "no row of ledgers has this customer_id"),
    ],
)
def test_a_key_without_its_one_row(ledgers, source, key, sentence):
    (error,) = source.lookup(ledgers, [key])
    assert (type(error), error.message) == (UnknownCustomer, sentence)


def test_whether_customers_have_several_rows(ledgers, source):
    assert source.has_history(ledgers)
    only_training = FeatureSource(QUERY, {**SOURCE, "table": "labelled"}, IDS, ())
    assert not only_training.has_history(ledgers)


@pytest.mark.parametrize("day", ["infinity", "-infinity", "12000-01-01", "0044-03-15 BC"])
def test_a_date_that_python_does_not_have_is_text_and_stops_no_other_row(database, ledgers, source, day):
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("INSERT INTO ledgers VALUES ('odd', %s::date, 1, 0)", (day,))
    found = {row.ids["customer_id"]: row.ids["snapshot_date"] for row in source.stream(ledgers)}
    assert set(found) == {"A", "B", "bad", "odd"}
    assert found["odd"].startswith(day[:8])
    assert source.lookup(ledgers, [{"customer_id": "A"}]) == [A]


def test_a_query_that_yields_too_little(ledgers):
    with pytest.raises(InvalidFile, match="the feature query returns no column median"):
        list(FeatureSource(QUERY, SOURCE, IDS, ("total", "median")).stream(ledgers))


def test_the_query_is_the_one_of_the_training_or_refused(tmp_path):
    path = tmp_path / "features.sql"
    path.write_text(QUERY)
    digest = hashlib.sha256(QUERY.encode()).hexdigest()
    assert FeatureSource.from_file(str(path), SOURCE, IDS, (), digest).text == QUERY.strip().rstrip(";")
    with pytest.raises(ArtefactRefused, match=rf"features.sql has SHA-256 {digest}, but the model was trained with 00"):
        FeatureSource.from_file(str(path), SOURCE, IDS, (), "00")
    path.unlink()
    with pytest.raises(ArtefactRefused, match=r"^features.sql, the query of the features, can't be read: No such file"):
        FeatureSource.from_file(str(path), SOURCE, IDS, (), digest)


def test_an_event_carries_ids_features_and_what_was_noticed():
    assert event(B) == {**B.ids, "features": {"total": 20.0, "count": 20}, "late_rows": 3}
    assert event(A) == {**A.ids, "features": {"total": 1.5, "count": 2}}
