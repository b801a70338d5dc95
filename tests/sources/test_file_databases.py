"""A model's SQL over files: nothing else can be read, nothing written, and no failure quotes a value."""

from __future__ import annotations

import sqlite3
import traceback
from contextlib import closing
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from riskscore.errors import InvalidFile
from riskscore.sources.file_databases import duckdb_over, records_of_duckdb, records_of_sqlite, sqlite_over

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "Vandelay"
CSV = f"id;betrag;day\n007;1.5;2025-02-01\n008;{SECRET};2025-02-02\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with a CSV, a parquet file, a SQLite file, and files that are none of them."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "people.csv").write_text(CSV)
    pq.write_table(pa.table({"id": ["007"], "betrag": [1.5]}), folder / "rates.parquet")
    (folder / "broken.parquet").write_text(SECRET)
    (folder / "ragged.csv").write_text(f"id,x\n1,2\n3,{SECRET},4\n")
    (folder / "quoted.csv").write_text(f'id,x\n1,2\n3,"{SECRET}\n4,5\n')
    (folder / "latin.csv").write_bytes(f"id,x\n1,2\n3,{SECRET} J\u00fcrgen\n".encode("latin-1"))
    (tmp_path / "other.csv").write_text("id\n1\n")
    with closing(sqlite3.connect(folder / "people.db")) as connection, connection:
        connection.execute("CREATE TABLE people (id, amount)")
        connection.execute("INSERT INTO people VALUES ('007', ?)", (SECRET,))
        connection.execute("CREATE TABLE latin (name)")
        connection.execute("INSERT INTO latin VALUES (CAST(? AS TEXT))", (f"{SECRET} J\u00fcrgen".encode("latin-1"),))
    return folder


def by_duckdb(folder: Path, query: str) -> list[dict[str, object]]:
    with duckdb_over(folder, "f.sql", [query], {"betrag": "amount"}) as connection:
        return list(records_of_duckdb(connection, query))


def by_sqlite(path: Path, query: str) -> list[dict[str, object]]:
    with sqlite_over(path, "f.sql") as connection:
        return list(records_of_sqlite(connection, query))


def test_files_are_tables_and_a_csvs_cells_are_text(data: Path) -> None:
    assert by_duckdb(data, "SELECT id, amount FROM people ORDER BY id LIMIT 1") == [{"id": "007", "amount": "1.5"}]
    assert by_duckdb(data, "SELECT id, amount FROM rates") == [{"id": "007", "amount": 1.5}]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("id,x\r\n1,2\n3,4\r\n", [("1", "2"), ("3", "4")]),
        ("\ufeffid;x\n\n1;2\n\n", [("1", "2")]),
        ('id\tx\n1\t"two\r\nlines"\n2\t"a ""b"", c"\n', [("1", "two\r\nlines"), ("2", 'a "b", c')]),
        ("id,x\n007,it's 5\"\n8,\n", [("007", "it's 5\""), ("8", None)]),
        ("sep=;\nid;;x;\n1;z;2\n;;;\n3;;4\n", [("1", "2"), ("3", "4")]),
    ],
)
def test_a_csv_is_read_as_everywhere_else(data: Path, text: str, rows: list[tuple[object, ...]]) -> None:
    (data / "people.csv").write_bytes(text.encode())
    assert [tuple(row.values()) for row in by_duckdb(data, "SELECT * FROM people")] == rows


def test_names_that_differ_in_capitals_alone_are_one_to_sql(data: Path) -> None:
    (data / "people.csv").write_text("id,ID\n1,2\n")
    with pytest.raises(InvalidFile, match=r"people.csv: column ID appears twice"):
        by_duckdb(data, "SELECT * FROM people")


def test_files_that_the_query_does_not_name_may_be_broken(data: Path) -> None:
    (data / "rates.csv").write_text("")
    assert len(by_duckdb(data, "SELECT * FROM people")) == 2


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("SELECT amount::double FROM people", "people.csv, line 3, column amount: expected a value of type DOUBLE"),
        ("SELECT sum(upper(amount)::double) FROM people", "f.sql over data/: a value can't be read as DOUBLE"),
        (
            "SELECT sum(a::int) FROM (SELECT amount || ' to DATE' AS a FROM people) AS p",
            "f.sql over data/: a value of column a can't be read as INT32",
        ),
        (
            "SELECT sum(amount) FROM people",
            "f.sql over data/: it uses a column of a CSV, which is text, as another type; cast it",
        ),
        (
            "SELECT amount < 0 FROM people",
            "f.sql over data/: it uses a column of a CSV, which is text, as another type; cast it",
        ),
        ("SELECT income FROM people", "f.sql over data/: it names a column income that isn't there"),
        ("SELECT rates.income FROM rates", "f.sql over data/: it names a column income that isn't there"),
        ("SELECT * FROM nobody", "f.sql over data/: it names a table nobody that isn't there"),
        ("SELECT median_of(1)", "f.sql over data/: it names a function median_of that isn't there"),
        ("SELECT FROM", "f.sql over data/: the query failed (ParserException)"),
        ("SELECT strptime(amount, '%Y') FROM people", "f.sql over data/: the query failed (InvalidInputException)"),
        ("SELECT error(amount) FROM people", "f.sql over data/: the query failed (InvalidInputException)"),
        (
            "SELECT error('no such column: ' || amount) FROM people WHERE id = '008'",
            "f.sql over data/: the query failed (InvalidInputException)",
        ),
        ("SELECT * FROM broken", "broken.parquet is not a parquet file"),
        ("SELECT * FROM ragged", "ragged.csv, line 3: 3 cells, but the header has 2"),
        ("SELECT * FROM quoted", "quoted.csv, line 3: broken quoting"),
        ("SELECT * FROM latin", "latin.csv is not UTF-8 text, first in line 3; save it as UTF-8"),
    ],
)
def test_what_goes_wrong_in_duckdb_is_told_without_a_value(data: Path, query: str, sentence: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        by_duckdb(data, query)
    assert caught.value.message == sentence


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_csv('{}/other.csv')",
        "SELECT * FROM '{}/other.csv'",
        "COPY people TO '{}/stolen.csv'",
        "ATTACH '{}/stolen.db'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
    ],
)
def test_nothing_but_the_folders_files_can_be_reached(data: Path, query: str) -> None:
    with pytest.raises(
        InvalidFile, match=r"^f.sql over data/: the query failed \((Permission|InvalidInput)Exception\)$"
    ):
        by_duckdb(data, query.format(data.parent))
    assert not list(data.parent.glob("stolen*"))


def test_a_table_that_two_files_would_be(data: Path) -> None:
    (data / "rates.csv").write_text("id\n1\n")
    with pytest.raises(InvalidFile, match=r"rates.csv and rates.parquet would both become the table rates; keep one"):
        by_duckdb(data, "SELECT * FROM rates")


def test_a_link_is_the_table_that_it_is_called_after(tmp_path: Path) -> None:
    (tmp_path / "3f2a").write_text("id\n7\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "people.csv").symlink_to(tmp_path / "3f2a")
    assert by_duckdb(tmp_path / "data", "SELECT id FROM people") == [{"id": "7"}]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="there is no such folder"):
        by_duckdb(tmp_path / "data", "SELECT 1")


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("SELECT income FROM people", "f.sql over people.db: it names a column income that isn't there"),
        ("SELECT * FROM nobody", "f.sql over people.db: it names a table nobody that isn't there"),
        ("SELECT median_of(1)", "f.sql over people.db: it names a function median_of that isn't there"),
        ("SELECT json(amount) FROM people", "f.sql over people.db: the query failed (SQLITE_ERROR)"),
        ("SELECT FROM", "f.sql over people.db: the query failed (SQLITE_ERROR)"),
        ("DELETE FROM people", "f.sql over people.db: the query failed (SQLITE_READONLY)"),
        ("SELECT name FROM latin", "f.sql over people.db: the query failed (OperationalError)"),
        ("SELECT * FROM people WHERE id = ?", "f.sql over people.db: the query failed (ProgrammingError)"),
    ],
)
def test_what_goes_wrong_in_sqlite_is_told_without_a_value(data: Path, query: str, sentence: str) -> None:
    before = (data / "people.db").read_bytes()
    with pytest.raises(InvalidFile) as caught:
        by_sqlite(data / "people.db", query)
    assert caught.value.message == sentence
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert (data / "people.db").read_bytes() == before


def test_a_file_that_is_no_sqlite_file_and_one_that_is_not_there(data: Path) -> None:
    (data / "none.db").write_text(CSV * 100)
    with pytest.raises(InvalidFile, match=r"^none.db is not a SQLite file$"):
        by_sqlite(data / "none.db", "SELECT * FROM people")
    with pytest.raises(InvalidFile, match=r"there is no such SQLite file$"):
        by_sqlite(data / "nowhere.db", "SELECT 1")
    assert not (data / "nowhere.db").exists()
