"""Training rows: from the database by the model's own SQL, and from tables; each label read, each id once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from riskscore.errors import InvalidFile
from riskscore.model_toml.settings import Settings, read_settings
from riskscore.samples.sample_files import write_about
from riskscore.training.training_data import TrainingData, about_files, from_source, statements
from tests.programs import run
from tests.training_examples import MODEL_TOML, rows, write_csv, write_model

if TYPE_CHECKING:
    from pathlib import Path

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
    return settings, from_source(settings, url, root, {})


def test_the_database_and_a_csv_file_of_the_same_rows_give_the_same_data(root: Path, ledgers: str) -> None:
    settings, data = read(root, ledgers)
    sound = [row for row in rows() if row[2] != 4]
    assert data.sha256 == from_source(settings, write_csv(root / "rows.csv", sound)).sha256


def test_rows_with_a_data_fault_are_left_out_and_counted_by_reason(root: Path, ledgers: str) -> None:
    _, data = read(root, ledgers)
    faulty = sum(row[2] == 4 for row in rows())
    assert data.notes == [f"{faulty} rows rejected, because their transactions can't be read: amount is not a number"]
    assert len(data.labels) == len(rows()) - faulty


@pytest.mark.parametrize(("maximum", "noted"), [(6, ["have odd_per_thousand above 6"]), (7, [])])
def test_what_was_observed_of_rows_is_noted(root: Path, ledgers: str, maximum: int, noted: list[str]) -> None:
    query = FEATURES_SQL.replace(
        "0 AS transactions_after_snapshot", "(t ->> 'late')::int AS odd, 7 AS odd_per_thousand"
    )
    (root / "sql" / "small" / "features.sql").write_text(query)
    rules = f"""
[[limits]]
name = "many"
text = "many are odd"
feature = "odd_per_thousand"
maximum = {maximum}
[observations]
odd = "odd: {{count}}"
odd_per_thousand = "odd, in a thousand"
"""
    (root / "model" / "small" / "model.toml").write_text(TOML + rules)
    _, data = read(root, ledgers)
    late = sum(0 < row[2] < 4 for row in rows())
    listed = [note for note in data.notes if " have " in note]
    assert listed == [f"{late} rows have odd above 0", *(f"{len(data.labels)} rows {what}" for what in noted)]


def test_the_tables_comment_says_where_the_rows_come_from(root: Path, ledgers: str) -> None:
    assert read(root, ledgers)[1].about == "Made up for a test."
    change(ledgers, "COMMENT ON TABLE ledgers IS NULL")
    assert read(root, ledgers)[1].about == ""


def test_a_label_that_is_neither_0_nor_1_is_refused(root: Path, ledgers: str) -> None:
    change(ledgers, "UPDATE ledgers SET label = 2 WHERE customer_id = 'C7'")
    with pytest.raises(InvalidFile, match=r"table ledgers, row \d+: label must be 0 or 1, or empty"):
        read(root, ledgers)


def test_a_row_of_the_database_without_a_label_is_left_out_and_counted(root: Path, ledgers: str) -> None:
    change(ledgers, "UPDATE ledgers SET label = NULL WHERE customer_id = 'C7'")
    assert "1 row without label left out" in read(root, ledgers)[1].notes


def test_a_row_beyond_the_hard_limits_is_refused_without_its_value(root: Path, ledgers: str) -> None:
    change(ledgers, """UPDATE ledgers SET transactions = '{"inflow": -77, "late": 0}' WHERE customer_id = 'C7'""")
    with pytest.raises(InvalidFile, match=r"table ledgers, row \d+: inflow must be at least 0") as refused:
        read(root, ledgers)
    assert "77" not in refused.value.message


def test_the_script_trains_from_the_database(root: Path, ledgers: str) -> None:
    shown = run("train.py", "small", "--database", ledgers, "--models", root / "model", "--even-so")
    assert shown.returncode == 0, shown.stderr
    assert "from table ledgers; base rate" in shown.stdout
    assert "rows rejected, because their transactions can't be read: amount is not a number" in shown.stdout
    assert "**The data first: Made up for a test.**" in (root / "model" / "small" / "MODEL_CARD.md").read_text()


# Tables of features


def trained_on(tmp_path: Path, text: str, target: str = "label", ids: str = '"customer_id"') -> TrainingData:
    """The data of a CSV with the small model's columns."""
    toml = MODEL_TOML.replace('target = "label"', f'target = "{target}"').replace('"customer_id"', ids)
    settings = read_settings(write_model(tmp_path, toml=toml))
    (tmp_path / "rows.csv").write_text(text)
    return from_source(settings, tmp_path / "rows.csv")


def refusal(tmp_path: Path, text: str, **options: str) -> str:
    with pytest.raises(InvalidFile) as caught:
        trained_on(tmp_path, text, **options)
    return caught.value.message


@pytest.mark.parametrize(("one", "zero"), [("1", "0"), ("1.0", "0.0"), ("True", "False"), (" true ", "FALSE")])
def test_every_spelling_of_a_label(tmp_path: Path, one: str, zero: str) -> None:
    text = "inflow,late,share,label\n" + f"1,1,1,{one}\n2,1,1,{zero}\n" * 2
    assert trained_on(tmp_path, text).labels.tolist() == [1, 1, 0, 0]


def test_only_labelled_rows_are_trained_on(tmp_path: Path) -> None:
    data = trained_on(tmp_path, "inflow;late;share;label\n" + "1;1;1;1\n2;1;1;0\n3;1;1;\n4;1;1; \n" * 2)
    assert (data.matrix[:, 0].tolist(), data.notes) == ([1, 1, 2, 2], ["4 rows without label left out"])


LABELLED = "customer_id,inflow,late,share,label\nA,1,1,1,1\nB,1,1,1,0\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (LABELLED + "C,1,1,1,yes\n", "rows.csv, line 4: label must be 0 or 1, or empty"),
        (LABELLED.replace("label", "target"), "rows.csv, line 1: column label is missing"),
        (
            LABELLED + "C,1,1,1,0\nA,2,1,1,0\n",
            "rows.csv, lines 2 and 5: the same customer_id; 1 line in all with ids of an earlier one",
        ),
        (
            LABELLED + "A,2,1,1,\nC,1,1,1,0\nB,2,1,1,0\nA,2,1,1,1\n",
            "rows.csv, lines 2 and 4: the same customer_id; 3 lines in all with ids of an earlier one",
        ),
        ("inflow,late,share,label\n1,1,1,\n", "file rows.csv has no rows to train on: 1 row without label left out"),
        ("inflow,late,share,label\n", "file rows.csv has no rows to train on"),
        (
            "inflow,late,share,label\n1,1,1,1\n2,1,1,1\n3,1,1,\n",
            "file rows.csv: every row has label 1; training needs both, 0 and 1",
        ),
    ],
)
def test_a_table_that_can_not_be_trained_on(tmp_path: Path, text: str, sentence: str) -> None:
    assert refusal(tmp_path, text) == sentence


def test_all_ids_together_name_a_row(tmp_path: Path) -> None:
    rows = "customer_id,day,inflow,late,share,label\nA,1,1,1,1,1\nA,2,1,1,1,1\nB,1,1,1,1,0\nB,2,1,1,1,0\n"
    ids = '"customer_id", "day"'
    assert trained_on(tmp_path, rows, ids=ids).customers == ["B", "B", "A", "A"]


def test_of_several_ids_the_whole_repeated_row_is_named(tmp_path: Path) -> None:
    rows = "customer_id,day,inflow,late,share,label\nA,1,1,1,1,1\nA,1,1,1,1,1\nB,1,1,1,1,0\n"
    assert refusal(tmp_path, rows, ids='"customer_id", "day"').startswith(
        "rows.csv, lines 2 and 3: the same customer_id and day;"
    )


def test_rows_without_an_id_are_nobodys_twice(tmp_path: Path) -> None:
    text = "customer_id,inflow,late,share,label\n" + ",1,1,1,1\n,1,1,1,0\n" * 2
    assert trained_on(tmp_path, text).customers is None


def test_about_txt_is_quoted_for_the_files_that_it_names_as_they_were(tmp_path: Path) -> None:
    settings = read_settings(write_model(tmp_path))
    table, own = (write_csv(tmp_path / name, rows()) for name in ("rows.csv", "own.csv"))
    own.write_text(own.read_text().replace("0.5", "0.25"))
    (tmp_path / "about.txt").write_text("A person's words.\nIn two lines.\n")
    write_about([table], "Simulated: nobody's data.")
    assert from_source(settings, table).about == "Simulated: nobody's data."
    assert from_source(settings, own).about == ""
    own.replace(table)  # a person's rows under the name of the sample
    assert from_source(settings, table).about == ""


def test_about_txt_keeps_what_it_says_of_other_files(tmp_path: Path) -> None:
    one, two = (write_csv(tmp_path / name, rows()) for name in ("one.csv", "two.csv"))
    (tmp_path / "about.txt").write_text("A person's words.\n")
    write_about([one, two], "First.")
    write_about([two], "Second.")
    assert [(words, [*named]) for words, named in statements(tmp_path)] == [
        ("A person's words.", []),
        ("First.", ["one.csv"]),
        ("Second.", ["two.csv"]),
    ]
    assert (about_files([one]), about_files([two]), about_files([one, two])) == ("First.", "Second.", "")


def test_the_rows_of_a_group_are_kept_together_in_the_folds(tmp_path: Path) -> None:
    toml = MODEL_TOML.replace('ids = ["customer_id"]', 'ids = ["offer_id", "customer_id"]')
    settings = read_settings(
        write_model(tmp_path, toml=toml.replace("repeats = 2", 'repeats = 2\ngroup = "customer_id"'))
    )
    lines = [[f"O{k}", f"C{k % 40}", *line[1:]] for k, line in enumerate(rows())]
    columns = ("offer_id", "customer_id", "inflow", "late", "share", "label")
    data = from_source(settings, write_csv(tmp_path / "rows.csv", lines, columns))
    assert sorted(set(data.customers or [])) == sorted({line[1] for line in lines})
