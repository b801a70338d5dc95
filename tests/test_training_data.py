"""Training rows from the database, by the model's own SQL over the training table."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from riskscore.database import Database
from riskscore.errors import InvalidFile
from riskscore.features import FeatureSource
from riskscore.settings import Settings, read_settings
from riskscore.training_data import TrainingData, comment_of, from_csv, from_database
from tests.training_examples import MODEL_TOML, rows, write_csv, write_model

ROOT = Path(__file__).resolve().parent.parent

TOML = MODEL_TOML.replace(
    'target = "label"',
    'target = "label"\nsql = "sql/small/features.sql"\ntable = "ledgers_scoring"\ntraining_table = "ledgers"',
).replace('ids = ["customer_id"]', 'ids = ["customer_id", "snapshot_date"]')

FEATURES_SQL = """
SELECT customer_id, snapshot_date, (t ->> 'inflow')::float8 AS inflow, (t ->> 'late')::int AS late,
       (t ->> 'share')::float8 AS share, 0 AS transactions_after_snapshot,
       CASE WHEN t ->> 'late' = '4' THEN 'transaction 17: amount is not a number' END AS data_fault
FROM ledgers_scoring, LATERAL (SELECT transactions AS t) decoded
"""

TABLES = """
CREATE TABLE ledgers_scoring (customer_id text, snapshot_date date, transactions jsonb);
CREATE TABLE ledgers (customer_id text, snapshot_date date, transactions jsonb, label int);
COMMENT ON TABLE ledgers IS 'Made up for a test.';
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project's root with the small model and its query."""
    write_model(tmp_path, toml=TOML)
    (tmp_path / "sql" / "small").mkdir(parents=True)
    (tmp_path / "sql" / "small" / "features.sql").write_text(FEATURES_SQL)
    return tmp_path


@pytest.fixture
def ledgers(database: str) -> str:
    """A database with the rows of the small model's examples, last row first."""
    with psycopg.connect(database) as connection:
        connection.execute(TABLES)
        for customer, inflow, late, share, label in reversed(rows()):
            ledger = psycopg.types.json.Jsonb({"inflow": inflow, "late": late, "share": share or None})
            connection.execute("INSERT INTO ledgers VALUES (%s, '2025-01-01', %s, %s)", (customer, ledger, label))
    return database


def change(url: str, statement: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(statement)


def read(root: Path, url: str) -> tuple[Settings, TrainingData]:
    settings = read_settings(root / "model" / "small")
    path = str(root / settings.source["sql"])
    source = FeatureSource.from_file(path, settings.source, settings.ids, settings.contract.names)
    database = Database(url, {})
    try:
        return settings, from_database(settings, source.training_rows(database), comment_of("ledgers", database))
    finally:
        database.close()


def test_the_database_and_a_csv_file_of_the_same_rows_give_the_same_data(root: Path, ledgers: str) -> None:
    settings, data = read(root, ledgers)
    sound = [row for row in rows() if row[2] != 4]
    assert data.sha256 == from_csv(settings, write_csv(root / "rows.csv", sound)).sha256


def test_rows_with_a_data_fault_are_left_out_and_counted_by_reason(root: Path, ledgers: str) -> None:
    _, data = read(root, ledgers)
    faulty = sum(row[2] == 4 for row in rows())
    assert data.notes == [f"{faulty} rows left out, their ledgers are faulty: amount is not a number"]
    assert len(data.labels) == len(rows()) - faulty


def test_the_tables_comment_says_where_the_rows_come_from(root: Path, ledgers: str) -> None:
    assert read(root, ledgers)[1].about == "Made up for a test."
    change(ledgers, "COMMENT ON TABLE ledgers IS NULL")
    assert read(root, ledgers)[1].about == ""


@pytest.mark.parametrize("label", ["2", "NULL"])
def test_a_label_that_is_neither_0_nor_1_is_refused(root: Path, ledgers: str, label: str) -> None:
    change(ledgers, f"UPDATE ledgers SET label = {label} WHERE customer_id = 'C7'")
    with pytest.raises(InvalidFile, match="table ledgers: label must be 0 or 1 in every row"):
        read(root, ledgers)


def test_a_row_beyond_the_hard_limits_is_refused_without_its_value(root: Path, ledgers: str) -> None:
    change(ledgers, """UPDATE ledgers SET transactions = '{"inflow": -77, "late": 0}' WHERE customer_id = 'C7'""")
    with pytest.raises(InvalidFile, match="a row breaks the contract: inflow must be at least 0") as refused:
        read(root, ledgers)
    assert "77" not in refused.value.message


def test_the_script_trains_from_the_database(root: Path, ledgers: str) -> None:
    command = [sys.executable, ROOT / "scripts/train.py", "small", "--database", ledgers, "--models", root / "model"]
    shown = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    assert shown.returncode == 0, shown.stderr
    assert "from table ledgers; base rate" in shown.stdout
    assert "rows left out, their ledgers are faulty: amount is not a number" in shown.stdout
    assert "**The data first: Made up for a test.**" in (root / "model" / "small" / "MODEL_CARD.md").read_text()
