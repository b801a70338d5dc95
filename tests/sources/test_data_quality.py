"""The data-quality report: each check finds its row and no other, and the page tells counts alone."""

from __future__ import annotations

import csv
import re

import duckdb
import pytest

from riskscore.commands import data_quality
from riskscore.errors import DataFault, InvalidFile
from riskscore.model_toml.settings import read_settings
from riskscore.samples import default_90d
from riskscore.sources.data_quality import CHECKS, CLEANED, UNREAD, examine, opened
from riskscore.sources.quality_report import PICTURES, page
from riskscore.sources.sources import rows_at, spec_of_settings
from tests.model_examples import SHARED, needs
from tests.scoring_examples import ROOT

PUBLISHED = SHARED / "default_90d"
SETTINGS = read_settings(ROOT / "model" / "default_90d")
HEADER = "customer_id,transaction_id,amount,type,description,timestamp"
SOUND = ["A,1,-10.00,debit,TESCO,2025-02-01T10:00:00", "B,1b,20.00,credit,PAYROLL,2025-02-01T10:00:00"]
LABELS = ["A,0", "B,1"]


@pytest.fixture
def found(tmp_path):
    """What the checks find beside sound rows: {what: first row}."""

    def of(*transactions, labels=()):
        (tmp_path / "transactions.csv").write_text("\n".join([HEADER, *SOUND, *transactions]) + "\n")
        (tmp_path / "labels.csv").write_text("\n".join(["customer_id,defaulted", *LABELS, *labels]) + "\n")
        with opened(tmp_path, SETTINGS, ROOT) as connection:
            findings = examine(connection).findings
        return {finding.check.what: finding.first for finding in findings if finding.found}

    return of


def test_sound_rows_are_found_nothing_in(found):
    assert found() == {}


@pytest.mark.parametrize(
    ("row", "what"),
    [
        (",,,,,", "no cell has a value"),
        (",3,-1,debit,x,2025-02-01", "customer_id is empty"),
        ("A,,-1,debit,x,2025-02-01", "transaction_id is empty"),
        ("A,1,-1,debit,x,2025-02-02", "another transaction of the customer has this transaction_id"),
        ("B,1,-1,debit,x,2025-02-01", "an earlier row of another customer has this transaction_id"),
        ("A,3,,debit,x,2025-02-01", "amount is empty"),
        ("A,3,ten,debit,x,2025-02-01", "amount is no number"),
        ("A,3,0.00,debit,x,2025-02-01", "amount is 0"),
        ('A,3,"1,000 apples",debit,x,2025-02-01', "amount is no number"),
        ("A,3,-1,,x,2025-02-01", "type is empty"),
        ("A,3,-1,fee,x,2025-02-01", "type is neither debit nor credit"),
        ("A,3,1,debit,x,2025-02-01", "the sign is against the type"),
        ("A,3,-1,Credit,x,2025-02-01", "the sign is against the type"),
        ("A,3,-1,debit, ,2025-02-01", "description is empty"),
        ("A,3,-1,debit,x,", "timestamp is empty"),
        ("A,3,-1,debit,x,2025-02-30", "timestamp is no time"),
        ("A,3,-1,debit,x,03/04/2025", "timestamp can be read in two ways"),
        ("C,3,-1,debit,x,2025-02-01", "the customer has no label"),
    ],
)
def test_a_faulty_transaction_is_found_by_its_check_alone(found, row, what):
    assert found(row) == {what: 3}


@pytest.mark.parametrize(
    ("label", "what"),
    [
        (",0", {"customer_id is empty": 3}),
        ("A,0", {"the customer has an earlier row": 3}),
        ("C,1", {"the customer has no transactions": 3}),
    ],
)
def test_a_faulty_label_is_found_by_its_check_alone(found, label, what):
    assert found(labels=[label]) == what


def test_a_label_that_is_none(found):
    others = [f"{customer},{customer}1,-1,debit,x,2025-02-01" for customer in "CD"]
    assert found(*others, labels=["C,", "D,maybe"]) == {"the label is empty": 3, "the label is neither 0 nor 1": 4}


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["infinity", "-infinity", "290000-01-01", "0044-03-15 (BC)"])
def test_a_moment_beyond_all_calendars_is_no_obstacle(tmp_path, moment):
    (tmp_path / "transactions.csv").write_text("\n".join([HEADER, *SOUND, f"A,3,-1,debit,x,{moment}"]) + "\n")
    (tmp_path / "labels.csv").write_text("\n".join(["customer_id,defaulted", *LABELS]) + "\n")
    assert data_quality.main([str(tmp_path), "--out", str(tmp_path / "out")], {}) == 0
    assert (tmp_path / "out" / "days.png").exists()


def test_a_row_that_stands_there_twice(found):
    assert found(SOUND[0]) == {"it repeats an earlier row, with its id": 3}


def test_rows_without_an_id_that_are_alike(found):
    row = "A,,-1,debit,x,2025-02-01"
    assert found(row, row) == {
        "transaction_id is empty": 3,
        "it repeats an earlier row, without a transaction_id": 4,
    }


def test_what_the_report_finds_unread_is_what_scoring_leaves_out(tmp_path):
    lines = ["A,3,ten,debit,x,2025-02-01", "B,4,5,fee,x,2025-02-01", "C,5,-1,debit,x,2025-02-01"]
    (tmp_path / "transactions.csv").write_text("\n".join([HEADER, *SOUND, *lines]) + "\n")
    (tmp_path / "labels.csv").write_text("\n".join(["customer_id,defaulted", *LABELS, "C,1"]) + "\n")
    with opened(tmp_path, SETTINGS, ROOT) as connection:
        found = {finding.check.what: finding.found for finding in examine(connection).findings}
    rows = list(rows_at(f"duckdb:{tmp_path}", spec_of_settings(SETTINGS, ROOT)))
    assert [row.message.rpartition(": ")[2] for row in rows if isinstance(row, DataFault)] == [
        what for what in UNREAD if found[what]
    ]


def test_every_reason_of_the_readings_has_a_check():
    text = (ROOT / "sql" / "default_90d" / "readings.sql").read_text()
    unread = text[text.index("WHEN customer_id IS NULL") : text.index("END AS unread")]
    assert set(re.findall(r"(?:THEN|ELSE) '([^']+)'", unread)) == set(UNREAD)


def test_an_amount_far_out_of_its_type(found):
    usual = [f"A,u{k},-{10 + k},debit,x,2025-02-01" for k in range(20)]
    assert found(*usual, "A,far,-100000,debit,x,2025-02-01") == {"amount is an outlier for its type": 23}


def test_the_report_cleans_a_description_as_the_features_do():
    expression = re.search(r"trim\(regexp_replace\(.*?\)\)", CLEANED, re.DOTALL)[0]
    features = (ROOT / SETTINGS.source["sql"]).read_text()
    assert "".join(expression.split()) in "".join(features.split())


@pytest.mark.slow
def test_a_sample_gives_a_page_pictures_and_a_training_set(tmp_path, capsys):
    default_90d.write(tmp_path / "data", 60)
    assert data_quality.main([str(tmp_path / "data"), "--out", str(tmp_path / "out")], {}) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        ["DATA_QUALITY.md", "training_set.csv", *PICTURES]
    )
    assert all((tmp_path / "out" / name).read_bytes().startswith(b"\x89PNG") for name in PICTURES)
    rows = list(csv.DictReader((tmp_path / "out" / "training_set.csv").read_text().splitlines()))
    assert list(rows[0]) == ["customer_id", *SETTINGS.contract.names, "defaulted"]
    assert len(rows) == 60 - default_90d.STRAYS
    assert "training_set.csv: 54 customers; 6 left out" in capsys.readouterr().out


@pytest.mark.slow
def test_the_same_report_each_time_and_no_value_in_it(tmp_path):
    default_90d.write(tmp_path / "data", 40)
    for out in ("one", "two"):
        data_quality.main([str(tmp_path / "data"), "--out", str(tmp_path / out)], {})
    names = [path.name for path in (tmp_path / "one").iterdir()]
    assert [(tmp_path / "one" / name).read_bytes() for name in names] == [
        (tmp_path / "two" / name).read_bytes() for name in names
    ]
    text = (tmp_path / "one" / "DATA_QUALITY.md").read_text()
    assert "CUST0" not in text
    assert "T0000" not in text


def test_a_description_that_few_customers_have_stays_private(tmp_path):
    lines = [f"A,{k},-1,debit,GIFT TO JANE DOE,2025-02-01" for k in range(30)]
    lines += [f"C{k},c{k},-1,debit,CORNER SHOP {k},2025-02-01" for k in range(10)]
    (tmp_path / "transactions.csv").write_text("\n".join([HEADER, *lines]) + "\n")
    (tmp_path / "labels.csv").write_text("customer_id,defaulted\nA,0\n")
    with opened(tmp_path, SETTINGS, ROOT) as connection:
        quality = examine(connection)
    assert quality.unknown == [("corner shop", 10)]
    assert "jane" not in page("data", quality, 0, {}, {})


@pytest.mark.slow
def test_parquet_and_the_other_headers_give_the_same_training_set(tmp_path):
    default_90d.write(tmp_path / "plain", 30)
    default_90d.write(tmp_path / "txn", 30, spelling="txn")
    (tmp_path / "parquet").mkdir()
    for path in (tmp_path / "plain").iterdir():
        duckdb.sql(f"COPY (FROM '{path}') TO '{tmp_path / 'parquet' / path.stem}.parquet'")
    for name in ("plain", "txn", "parquet"):
        data_quality.main([str(tmp_path / name), "--out", str(tmp_path / "out" / name)], {})
    plain, txn, parquet = (
        (tmp_path / "out" / name / "training_set.csv").read_text() for name in ("plain", "txn", "parquet")
    )
    assert plain == txn == parquet


def without(tmp_path, table, column):
    """A folder whose table lacks a column."""
    for name, lines in (("transactions", [HEADER, *SOUND]), ("labels", ["customer_id,defaulted", *LABELS])):
        rows = list(csv.DictReader(lines))
        kept = [key for key in rows[0] if (name, key) != (table, column)]
        text = "\n".join(",".join(row[key] for key in kept) for row in [dict(zip(kept, kept, strict=True)), *rows])
        (tmp_path / f"{name}.csv").write_text(text + "\n")
    return tmp_path


@pytest.mark.parametrize(
    ("table", "column"), [*(("transactions", name) for name in HEADER.split(",")), ("labels", "customer_id")]
)
def test_a_missing_column_is_named_with_its_file(tmp_path, table, column):
    sentence = f"^{table}.csv: column {column} is missing$"
    with pytest.raises(InvalidFile, match=sentence), opened(without(tmp_path, table, column), SETTINGS, ROOT):
        pass


def test_scoring_and_training_name_a_missing_column_too(tmp_path):
    url = f"duckdb:{without(tmp_path, 'transactions', 'transaction_id')}"
    with pytest.raises(InvalidFile, match="it names a column transaction_id that isn't there"):
        list(rows_at(url, spec_of_settings(SETTINGS, ROOT)))


@pytest.mark.slow
def test_the_training_set_has_a_customer_once_with_label_0_or_1(tmp_path, capsys):
    customers = "CDEFG"
    lines = [f"{name},{name}1,-1,debit,x,2025-02-01" for name in customers]
    (tmp_path / "transactions.csv").write_text("\n".join([HEADER, *SOUND, *lines]) + "\n")
    labels = [*LABELS, "C,0", "C,1", "D,maybe", "E,True", "F,", "H,2", "H,1"]
    (tmp_path / "labels.csv").write_text("\n".join(["customer_id,defaulted", *labels]) + "\n")
    data_quality.main([str(tmp_path), "--out", str(tmp_path / "out")], {})
    rows = list(csv.DictReader((tmp_path / "out" / "training_set.csv").read_text().splitlines()))
    assert [(row["customer_id"], row["defaulted"]) for row in rows] == [("A", "0"), ("B", "1"), ("E", "1")]
    assert "training_set.csv: 3 customers; 4 left out" in capsys.readouterr().out
    report = (tmp_path / "out" / "DATA_QUALITY.md").read_text()
    assert "one row for each of 3 customers with one label, 0 or 1.\n" in report
    for line in (
        "- left out: 1 customer whose label isn't 0 or 1\n",
        "- left out: 1 customer with several rows in labels\n",
        "- left out: 2 customers without a label\n",
        "9 labels, 66.7% defaults among those that are 0 or 1.\n",
    ):
        assert line in report


def test_every_check_says_what_becomes_of_its_rows():
    assert len({(check.table, check.what) for check in CHECKS}) == len(CHECKS)
    assert all(check.then for check in CHECKS)


@pytest.mark.slow
@needs("default_90d")
def test_the_published_transactions(tmp_path):
    data_quality.main([str(PUBLISHED), "--out", str(tmp_path)], {})
    rows = list(csv.DictReader((tmp_path / "training_set.csv").read_text().splitlines()))
    assert [(row["customer_id"], row["num_transactions"], row["defaulted"]) for row in rows] == [
        ("CUST_0001", "3", "0"),
        ("CUST_0002", "2", "1"),
        ("CUST_0003", "2", "0"),
        ("CUST_0004", "2", "1"),
        ("CUST_0005", "1", "0"),
    ]
    assert (rows[0]["total_debit"], rows[0]["avg_amount"], rows[1]["has_rent"]) == ("-65.98", "811.34", "1")
