"""One way in: the same rows from every kind of source train the same model; whatever is wrong is one sentence."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from riskscore.errors import ArtefactRefused, CallerFault, DataFault, InvalidFile
from riskscore.model_toml.settings import Settings, read_settings
from riskscore.sources.sources import FORMS, SourceRow, placed_rows, rows_at, spec_of_settings
from riskscore.training.manifest_sections import source_of
from riskscore.training.training_data import from_source
from tests import programs
from tests.conftest import without_database
from tests.model_examples import SHARED, needs
from tests.scoring_examples import ROOT
from tests.training_examples import MODEL_TOML, write_model

if TYPE_CHECKING:
    from pathlib import Path

SAMPLES = SHARED

# customer, inflow, late, share, good, label
ROWS = [
    ("007", 100.5, 1, 0.25, True, 1),
    ("008", 200.0, 0, None, False, 0),
    ("009", 300.0, 2, 0.5, None, None),
    ("010", 250.0, 3, None, True, 1),
    ("011", 50.0, 0, 1.0, False, 0),
]
NAMES = ("customer_id", "inflow", "late", "share", "good", "label")
COLUMNS = {
    "sqlite": "inflow, late, share, good",
    "duckdb": "inflow::double AS inflow, late::int AS late, share::double AS share, good::boolean AS good",
}
FEATURES = {
    dialect: f"-- all of a customer\nSELECT customer_id, {columns} FROM people;\n"
    for dialect, columns in COLUMNS.items()
}
LABELS = "SELECT customer_id, label FROM outcomes -- of those who are known\n"


def small(root: Path, dialect: str = "", target: str = "label", extra: str = "") -> Settings:
    """A model of three numbers and a truth, with its SQL where a dialect is given."""
    source = f'target = "{target}"\n'
    if dialect:
        source += f'sql = "sql/features.sql"\nlabels = "sql/labels.sql"\ndialect = "{dialect}"\n'
        (root / "sql").mkdir()
        (root / "sql" / "features.sql").write_text(FEATURES[dialect])
        (root / "sql" / "labels.sql").write_text(LABELS)
    toml = MODEL_TOML.replace('target = "label"\n', source + extra)
    good = '[[features]]\nname = "good"\ntype = "boolean"\nnullable = true\n'
    return read_settings(write_model(root, toml=f"{toml}{good}").parent / "small")


def cell(value: object) -> str:
    return "" if value is None else str(value)


def csv(path: Path, rows: list[tuple[object, ...]], names: tuple[str, ...] = NAMES, mark: str = ";") -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(mark.join(map(cell, row)) for row in (names, *rows)) + "\n")
    return path


def parquet(path: Path, rows: list[tuple[object, ...]], names: tuple[str, ...] = NAMES) -> Path:
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))), path)
    return path


def database(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE people (customer_id text, inflow real, late int, share real, good int)")
        connection.execute("CREATE TABLE outcomes (customer_id text, label int)")
        connection.executemany("INSERT INTO people VALUES (?, ?, ?, ?, ?)", [row[:5] for row in ROWS])
        known = [(row[0], row[5]) for row in ROWS if row[5] is not None]
        connection.executemany("INSERT INTO outcomes VALUES (?, ?)", [*known, ("nobody", 1)])
    return f"sqlite:///{path}"


def folder(path: Path, write) -> str:
    known = [(row[0], row[5]) for row in ROWS if row[5] is not None]
    ending = write.__name__
    write(path / f"people.{ending}", [row[:5] for row in ROWS], NAMES[:5])
    write(path / f"outcomes.{ending}", [*known, ("nobody", 1)], ("customer_id", "label"))
    (path / "notes.csv").write_text('a,b\n"broken')  # the query doesn't name it
    return f"duckdb:{path}"


def jsonl(path: Path, nested: bool) -> Path:
    lines = [dict(zip(NAMES, row, strict=True)) for row in ROWS]
    if nested:
        ids = ("customer_id", "label")
        lines = [{**{k: line.pop(k) for k in ids}, "features": line} for line in lines]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


KINDS = {
    "csv": ("", lambda path: csv(path / "rows.csv", ROWS)),
    "file": ("", lambda path: f"file://{csv(path / 'some rows.csv', ROWS, mark=',')}".replace(" ", "%20")),
    "parquet": ("", lambda path: parquet(path / "rows.parquet", ROWS)),
    "jsonl": ("", lambda path: jsonl(path / "rows.jsonl", nested=False)),
    "jsonl, nested": ("", lambda path: jsonl(path / "rows.jsonl", nested=True)),
    "sqlite": ("sqlite", lambda path: database(path / "people.db")),
    "duckdb over CSV": ("duckdb", lambda path: folder(path / "data", csv)),
    "duckdb over parquet": ("duckdb", lambda path: folder(path / "data", parquet)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_source_gives_the_same_rows(tmp_path: Path, kind: str) -> None:
    dialect, write = KINDS[kind]
    settings = small(tmp_path, dialect)
    rows = [row for row in rows_at(write(tmp_path), spec_of_settings(settings, tmp_path)) if isinstance(row, SourceRow)]
    assert [row.ids["customer_id"] for row in rows] == [row[0] for row in ROWS]
    assert [tuple(row.features[name] for name in NAMES[1:5]) for row in rows] == [row[1:5] for row in ROWS]
    assert [type(row.features["good"]) for row in rows] == [type(row[4]) for row in ROWS]
    assert [row.label is None for row in rows] == [row[5] is None for row in ROWS]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_source_trains_the_same_model(tmp_path: Path, kind: str) -> None:
    dialect, write = KINDS[kind]
    data = from_source(small(tmp_path, dialect), write(tmp_path), tmp_path)
    text = csv(tmp_path / "again.csv", [row for row in ROWS if row[5] is not None])
    assert data.sha256 == from_source(small(tmp_path / "again"), text).sha256
    notes = ["1 row without label left out"]
    assert data.notes == (["1 label of sql/labels.sql has no row of features", *notes] if dialect else notes)


def test_the_origin_of_each_kind_for_the_card(tmp_path: Path) -> None:
    origins = {}
    for kind, (dialect, write) in KINDS.items():
        (tmp_path / kind).mkdir()
        origins[kind] = from_source(small(tmp_path / kind, dialect), write(tmp_path / kind), tmp_path / kind).origin
    assert origins == {
        "csv": "file rows.csv",
        "file": "file some rows.csv",
        "parquet": "file rows.parquet",
        "jsonl": "file rows.jsonl",
        "jsonl, nested": "file rows.jsonl",
        "sqlite": "sql/features.sql over people.db",
        "duckdb over CSV": "sql/features.sql over data",
        "duckdb over parquet": "sql/features.sql over data",
    }


@pytest.mark.parametrize("kind", ["csv", "parquet", "duckdb over CSV", "duckdb over parquet"])
def test_another_spelling_of_a_header_is_ours(tmp_path: Path, kind: str) -> None:
    extra = '[source.aliases]\nmoney_in = "inflow"\nresult = "label"\n'
    theirs = tuple({"inflow": "money_in", "label": "result"}.get(name, name) for name in NAMES)
    write = parquet if "parquet" in kind else csv
    if "duckdb" in kind:
        settings, url = small(tmp_path, "duckdb", extra=extra), f"duckdb:{tmp_path / 'data'}"
        write(tmp_path / "data" / f"people.{write.__name__}", [row[:5] for row in ROWS], theirs[:5])
        labels = [(row[0], row[5]) for row in ROWS]
        write(tmp_path / "data" / f"outcomes.{write.__name__}", labels, ("customer_id", "result"))
    else:
        settings, url = small(tmp_path, extra=extra), str(write(tmp_path / f"rows.{write.__name__}", ROWS, theirs))
    assert from_source(settings, url, tmp_path).matrix[:, 0].tolist() == [50.0, 100.5, 200.0, 250.0]


def test_a_row_that_can_not_be_read_stands_in_its_place(tmp_path: Path) -> None:
    rows = [ROWS[0], ("008", "much", 0, None, False, 0), ROWS[2]]
    found = list(placed_rows(csv(tmp_path / "rows.csv", rows), spec_of_settings(small(tmp_path))))
    assert [place for place, _ in found] == ["line 2", "line 3", "line 4"]
    assert isinstance(found[1][1], InvalidFile)
    assert found[1][1].message == "rows.csv, line 3, column inflow: expected a number"


def test_rows_made_by_sql_are_called_by_their_ids(tmp_path: Path) -> None:
    settings = small(tmp_path, "sqlite")
    places = [place for place, _ in placed_rows(database(tmp_path / "p.db"), spec_of_settings(settings, tmp_path))]
    assert places == [row[0] for row in ROWS]


def test_what_the_sql_finds_wrong_with_a_row_is_a_fault_of_its_data(tmp_path: Path) -> None:
    settings = small(tmp_path, "sqlite")
    fault = "CASE WHEN late = 3 THEN 'transaction 4: no date' END AS data_fault FROM"
    (tmp_path / "sql" / "features.sql").write_text(FEATURES["sqlite"].replace(" FROM", f", {fault}"))
    rows = list(rows_at(database(tmp_path / "p.db"), spec_of_settings(settings, tmp_path)))
    assert [row.message for row in rows if isinstance(row, DataFault)] == ["transaction 4: no date"]


def test_numbers_of_a_table_with_gaps_are_ids_and_counts_all_the_same(tmp_path: Path) -> None:
    settings = small(tmp_path, extra='[observations]\nlate_rows = "Rows came late"\n')
    path = parquet(tmp_path / "r.parquet", [(7.0, 2.0, *ROWS[0][1:])], ("customer_id", "late_rows", *NAMES[1:]))
    (row,) = rows_at(path, spec_of_settings(settings))
    assert isinstance(row, SourceRow)
    assert (row.ids, row.observations) == ({"customer_id": "7"}, {"late_rows": 2})


def sentence(url: str | Path, settings: Settings, root: Path) -> str:
    """The first fault of a source."""
    try:
        return next(
            row.message for row in rows_at(url, spec_of_settings(settings, root)) if isinstance(row, CallerFault)
        )
    except CallerFault as error:
        return error.message


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("rows.parquet", b"no parquet", "rows.parquet can't be read as a parquet file"),
        ("rows.jsonl", b"[1]\n", "rows.jsonl, line 1: expected an object of columns and values"),
        ("rows.jsonl", b'{"features": 3}\n', "rows.jsonl, line 1: expected an object of columns and values"),
        ("rows.csv", b"", "rows.csv is empty; expected a header line with column names"),
        (
            "rows.xlsx",
            b"",
            f"rows.xlsx: expected {FORMS}",
        ),
    ],
)
def test_a_file_that_is_no_table(tmp_path: Path, name: str, content: bytes, expected: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert sentence(tmp_path / name, small(tmp_path), tmp_path) == expected


@pytest.mark.parametrize("url", ["duckdb:", "duckdb://", "duckdb: "])
def test_no_folder_named_is_not_the_current_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    settings, _ = small(tmp_path, "duckdb"), csv(tmp_path / "people.csv", ROWS)
    csv(tmp_path / "outcomes.csv", ROWS)
    monkeypatch.chdir(tmp_path)
    expected = "duckdb: expected the folder of the CSV and parquet files, as in duckdb:data"
    assert sentence(url, settings, tmp_path) == expected
    assert len(list(rows_at("duckdb:.", spec_of_settings(settings, tmp_path)))) == len(ROWS)


def test_a_column_that_lacks_in_a_parquet_file(tmp_path: Path) -> None:
    path = parquet(tmp_path / "rows.parquet", [row[:5] for row in ROWS], NAMES[:5])
    assert sentence(path, small(tmp_path), tmp_path) == "rows.parquet: column label is missing"


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (
            pa.array([None, 1577836800000000001], pa.timestamp("ns")),
            "rows.parquet, rows 1 to 2, column customer_id: a value of timestamp[ns] can't be read",
        ),
        (
            pa.array([None, 9_000_000_000_000_000], pa.timestamp("ms")),
            "rows.parquet, rows 1 to 2, column customer_id: a value of timestamp[ms] can't be read",
        ),
    ],
)
def test_a_parquet_value_that_python_can_not_hold(tmp_path: Path, column: pa.Array, expected: str) -> None:
    table = pa.table({"customer_id": column, "inflow": [1, 1], "late": [1, 1], "share": [1, 1], "good": [1, 1]})
    pq.write_table(table.append_column("label", pa.array([0, 1])), tmp_path / "rows.parquet")
    assert sentence(tmp_path / "rows.parquet", small(tmp_path), tmp_path) == expected


def test_two_columns_of_a_parquet_file_that_would_be_one(tmp_path: Path) -> None:
    pq.write_table(pa.table([[1], [2]], names=["late", "late"]), tmp_path / "rows.parquet")
    assert sentence(tmp_path / "rows.parquet", small(tmp_path), tmp_path) == ("rows.parquet: column late appears twice")


def test_a_parquet_file_that_is_broken_in_the_middle(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    columns = {name: list(range(1000)) for name in NAMES}
    pq.write_table(pa.table(columns), path, compression="gzip")
    content = bytearray(path.read_bytes())
    content[40:60] = bytes(20)
    path.write_bytes(content)
    assert sentence(path, small(tmp_path), tmp_path) == "rows.parquet can't be read as a parquet file"


def test_sql_that_is_no_text(tmp_path: Path) -> None:
    settings = small(tmp_path, "duckdb")
    (tmp_path / "sql" / "features.sql").write_bytes(b"SELECT '\xff'")
    (tmp_path / "data").mkdir()
    assert sentence(f"duckdb:{tmp_path / 'data'}", settings, tmp_path) == "sql/features.sql is not UTF-8 text"


def test_a_column_that_the_query_does_not_yield(tmp_path: Path) -> None:
    settings = small(tmp_path, "sqlite")
    (tmp_path / "sql" / "features.sql").write_text("SELECT customer_id, inflow, late, share FROM people")
    assert sentence(database(tmp_path / "p.db"), settings, tmp_path) == "sql/features.sql: column good is missing"


def test_sql_of_another_dialect_is_not_tried(tmp_path: Path) -> None:
    settings = small(tmp_path, "duckdb")
    expected = "sql/features.sql is written for duckdb, so it doesn't run by sqlite"
    assert sentence(database(tmp_path / "p.db"), settings, tmp_path) == expected


def test_a_model_without_sql_has_nothing_to_run(tmp_path: Path) -> None:
    expected = "model.toml names no source.sql, so its rows come from a .csv, .parquet or .jsonl file"
    assert sentence(f"duckdb:{tmp_path}", small(tmp_path), tmp_path) == expected


def test_sql_that_is_not_there(tmp_path: Path) -> None:
    settings = small(tmp_path, "sqlite")
    (tmp_path / "sql" / "labels.sql").unlink()
    expected = "model.toml: source.labels names sql/labels.sql, which isn't there"
    assert sentence(database(tmp_path / "p.db"), settings, tmp_path) == expected


def test_an_id_on_many_rows_of_the_labels_is_told_by_rows(tmp_path: Path) -> None:
    settings = small(tmp_path, "sqlite")
    url = database(tmp_path / "p.db")
    with closing(sqlite3.connect(tmp_path / "p.db")) as connection, connection:
        connection.execute("INSERT INTO outcomes VALUES ('008', 1)")
    with pytest.raises(InvalidFile, match=r"sql/features.sql, rows 2 and 3: the same customer_id"):
        from_source(settings, url, tmp_path)


def test_tables_of_the_query_itself_lie_beside_it(tmp_path: Path) -> None:
    settings = small(tmp_path, "duckdb")
    csv(tmp_path / "sql" / "regions.csv", [("007", "north"), ("011", "south")], ("customer_id", "region"))
    (tmp_path / "sql" / "features.sql").write_text(
        FEATURES["duckdb"].replace("people", "people WHERE customer_id IN (SELECT r.customer_id FROM regions AS r)")
    )
    rows = rows_at(folder(tmp_path / "data", csv), spec_of_settings(settings, tmp_path))
    assert [row.ids["customer_id"] for row in rows if isinstance(row, SourceRow)] == ["007", "011"]
    source = source_of(settings, tmp_path)
    assert list(source["tables"]) == ["regions.csv"]
    scoring = replace(spec_of_settings(settings, tmp_path), source=source, labelled=False)
    assert len(list(rows_at(f"duckdb:{tmp_path / 'data'}", scoring))) == 2
    csv(tmp_path / "sql" / "regions.csv", [("007", "north")], ("customer_id", "region"))
    with pytest.raises(ArtefactRefused, match=r"regions.csv beside sql/features.sql isn't the one that the model was"):
        list(rows_at(f"duckdb:{tmp_path / 'data'}", scoring))


# The programs


def run(program: str, *arguments: object, **environ: str) -> tuple[int, str, str]:
    done = programs.run(program, "small", *arguments, environ={**without_database(), **environ})
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["parquet", "sqlite", "duckdb over CSV"])
def test_the_programs_train_and_score_from_a_url(tmp_path: Path, kind: str) -> None:
    dialect, write = KINDS[kind]
    small(tmp_path, dialect)
    url, models = write(tmp_path), tmp_path / "model"
    status, said, failed = run("train.py", "--data", url, "--models", models, "--even-so")
    assert (status, "note       1 row without label left out" in said) == (0, True), failed
    if dialect:  # as a published model brings its query along
        (tmp_path / "sql" / "features.sql").rename(models / "small" / "features.sql")
        (tmp_path / "sql" / "labels.sql").unlink()
    status, _, failed = run(
        *("score.py", "--data", url, "--output", tmp_path / "scores.csv"), RISKSCORE_MODEL_URI=str(models)
    )
    scored = [line.split(",")[0] for line in (tmp_path / "scores.csv").read_text().splitlines()]
    assert (status, scored) == (0, ["customer_id", *(row[0] for row in ROWS if dialect or row[5] is None)]), failed


@pytest.mark.slow
def test_another_query_than_that_of_the_training_is_refused(tmp_path: Path) -> None:
    small(tmp_path, "sqlite")
    url, models = database(tmp_path / "people.db"), tmp_path / "model"
    assert run("train.py", "--data", url, "--models", models, "--even-so")[0] == 0
    (models / "small" / "features.sql").write_text(FEATURES["sqlite"].replace("all of", "some of"))
    status, _, failed = run("score.py", "--data", url, "--output", tmp_path / "o.csv", RISKSCORE_MODEL_URI=str(models))
    assert (status, "but the model was trained with" in failed) == (1, True), failed
    assert not (tmp_path / "o.csv").exists()


def test_a_fault_half_way_through_leaves_nothing_behind(tmp_path: Path) -> None:
    small(tmp_path)
    before = sorted(path.name for path in (tmp_path / "model" / "small").iterdir())
    path = csv(tmp_path / "rows.csv", [*ROWS, ("012", "much", 0, None, False, 0)])
    status, _, failed = run("train.py", "--data", path, "--models", tmp_path / "model")
    assert (status, failed) == (2, "train.py: rows.csv, line 7, column inflow: expected a number\n")
    assert sorted(path.name for path in (tmp_path / "model" / "small").iterdir()) == before


@needs("default_90d")
def test_the_published_default_90d_runs_by_the_models_own_sql() -> None:
    settings = read_settings(ROOT / "model" / "default_90d")
    rows = list(rows_at(f"duckdb:{SAMPLES / 'default_90d'}", spec_of_settings(settings, ROOT)))
    assert [row.label for row in rows if isinstance(row, SourceRow)] == ["0", "1", "0", "1", "0"]


@needs("pay_later/unlabelled_5000.csv")
def test_real_rows_without_the_label_are_not_trained_on() -> None:
    path = SAMPLES / "pay_later" / "unlabelled_5000.csv"
    with pytest.raises(InvalidFile, match=r"unlabelled_5000\.csv, line 1: column default is missing"):
        from_source(read_settings(ROOT / "model" / "pay_later"), path)
