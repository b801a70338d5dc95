"""Loan offers into a SQLite file: leads, the offers they got and the clicks, from parquet, checked row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from riskscore.errors import InvalidFile
from riskscore.sources.results import RESULTS, create_table
from riskscore.sources.sqlite_output import columns_of, write_about, writing

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

BATCH_ROWS = 20_000


class Column(NamedTuple):
    """What a column holds; needed: it has a value in every row."""

    type: pa.DataType
    words: str
    needed: bool = False


class Form(NamedTuple):
    """A parquet file: its columns, which of them name a row, and which names a row of another file."""

    columns: Mapping[str, Column]
    key: tuple[str, ...]
    refers: tuple[str, str] | None = None  # (column, the file whose key it is)


TEXT, NEEDED_TEXT = Column(pa.string(), "text"), Column(pa.string(), "text", needed=True)
NUMBER, NEEDED_NUMBER = Column(pa.float64(), "a number"), Column(pa.float64(), "a number", needed=True)
NEEDED_ID = Column(pa.int64(), "a whole number", needed=True)

FORMS = {
    "leads": Form(
        {"lead_uuid": NEEDED_TEXT, "requested": NUMBER, "loan_purpose": TEXT, "credit": TEXT, "annual_income": NUMBER},
        key=("lead_uuid",),
    ),
    "offers": Form(
        {"offer_id": NEEDED_ID, "lead_uuid": NEEDED_TEXT, "apr": NEEDED_NUMBER, "lender_id": NEEDED_ID},
        key=("offer_id",),
        refers=("lead_uuid", "leads"),
    ),
    "clicks": Form(
        {"offer_id": NEEDED_ID, "clicked_at": Column(pa.timestamp("us"), "a time", needed=True)},
        key=("offer_id", "clicked_at"),
        refers=("offer_id", "offers"),
    ),
}

# REAL and INTEGER are eight bytes wide in SQLite. Sorted by apr within a lead, as features.sql reads the offers.
TABLES = (
    """CREATE TABLE leads (
        lead_uuid TEXT PRIMARY KEY NOT NULL,
        requested REAL,
        loan_purpose TEXT,
        credit TEXT,
        annual_income REAL
    ) WITHOUT ROWID""",
    """CREATE TABLE offers (
        offer_id INTEGER PRIMARY KEY NOT NULL,
        lead_uuid TEXT NOT NULL REFERENCES leads (lead_uuid),
        apr REAL NOT NULL,
        lender_id INTEGER NOT NULL
    )""",
    """CREATE TABLE clicks (
        offer_id INTEGER NOT NULL REFERENCES offers (offer_id),
        clicked_at TEXT NOT NULL,
        PRIMARY KEY (offer_id, clicked_at)
    ) WITHOUT ROWID""",
)
SCORES = "results_clicked"
INDEXES = ("CREATE INDEX offers_of_lead ON offers (lead_uuid, apr, lender_id)",)


def load(
    database: Path,
    files: Mapping[str, Path],
    replace: bool = False,
    progress: Callable[[int], object] = lambda _: None,
    about: str = "",
) -> dict[str, int]:
    """Load the files {"leads": ..., "offers": ..., "clicks": ...}; returns the rows of each table.

    replace: drop the three tables first; results_clicked stays. about: where the rows come from, for the cards of
    models that are trained on them. Raises InvalidFile, the database being as it was.
    """
    sources = {name: _opened(files[name], FORMS[name]) for name in FORMS}
    with writing(database) as connection:
        _make_room(connection, database, replace)
        for statement in TABLES:
            connection.execute(statement)
        keys: dict[str, set[Any]] = {}
        for name, source in sources.items():
            keys[name] = _load_table(connection, name, files[name], source, keys, progress)
        for statement in INDEXES:
            connection.execute(statement)
        create_table(connection, SCORES, RESULTS[SCORES])
        write_about(connection, about)
        connection.execute("ANALYZE")
        return {name: len(keys[name]) for name in FORMS}


def read_form(path: Path, name: str) -> pa.Table:
    """A whole file of a form's name, its values checked as `load` does; clicked_at as text."""
    form = FORMS[name]
    batches = [pa.table(columns) for columns in _batches(path, _opened(path, form), form)]
    return pa.concat_tables(batches, promote_options="permissive")


def _opened(path: Path, form: Form) -> pq.ParquetFile:
    """The file, which has the columns and rows."""
    try:
        source = pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise
        raise InvalidFile(f"{path.name} is not a whole parquet file") from None
    for name in form.columns:
        count = source.schema_arrow.names.count(name)
        if not count:
            raise InvalidFile(f"{path.name}: column {name} is missing; expected {', '.join(form.columns)}", name)
        if count > 1:
            raise InvalidFile(f"{path.name}: column {name} appears {count} times", name)
    if not source.metadata.num_rows:
        raise InvalidFile(f"{path.name} has no rows")
    return source


def _make_room(connection: sqlite3.Connection, database: Path, replace: bool) -> None:
    there = [name for name in FORMS if columns_of(connection, name)]
    if there and not replace:
        raise InvalidFile(f"{database.name} has a table {there[0]} already; --replace loads it again")
    for name in reversed(there):  # what refers to others goes first
        connection.execute(f"DROP TABLE {name}")  # names of ours


def _load_table(
    connection: sqlite3.Connection,
    name: str,
    path: Path,
    source: pq.ParquetFile,
    known: Mapping[str, set[Any]],
    progress: Callable[[int], object],
) -> set[Any]:
    """Insert a file's rows; returns their keys, of one column as they are, of several as tuples."""
    form, keys, first = FORMS[name], set[Any](), 1
    insert = f"INSERT INTO {name} VALUES ({', '.join('?' * len(form.columns))})"  # noqa: S608 - names of ours
    for columns in _batches(path, source, form):
        _check_keys(path, form, columns, first, keys)
        if form.refers:
            _check_reference(path, form.refers[0], columns[form.refers[0]], first, form.refers[1], known)
        connection.executemany(insert, zip(*columns.values(), strict=True))
        rows = len(columns[form.key[0]])
        first += rows
        progress(rows)
    return keys


def _batches(path: Path, source: pq.ParquetFile, form: Form) -> Iterator[dict[str, list[Any]]]:
    """Columns of up to BATCH_ROWS values, as SQLite takes them."""
    first = 1
    try:
        for batch in source.iter_batches(BATCH_ROWS, columns=list(form.columns)):
            yield {
                name: _values(path, name, batch.column(name), column, first) for name, column in form.columns.items()
            }
            first += batch.num_rows
    except (pa.ArrowInvalid, OSError):
        raise InvalidFile(f"{path.name} is not a whole parquet file: it can't be read from row {first} on") from None


def _values(path: Path, name: str, values: pa.Array, column: Column, first: int) -> list[Any]:
    if pa.types.is_decimal(values.type):
        values = values.cast(pa.string())  # Arrow's own way to a float misses the nearest one
    try:
        cast = values.cast(column.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        row = first + _first_unfit(values, column.type)
        raise InvalidFile(f"{path.name}, row {row}, column {name}: expected {column.words}", name) from None
    if pa.types.is_floating(column.type):
        _check_finite(path, name, cast, first)
        cast = pc.if_else(pc.is_nan(cast), None, cast)  # pandas writes a missing number so
    if column.needed and cast.null_count:
        raise InvalidFile(
            f"{path.name}, row {first + cast.is_null().index(True).as_py()}, column {name}: the value is missing", name
        )
    held: list[Any] = (cast.cast(pa.string()) if pa.types.is_timestamp(column.type) else cast).to_pylist()
    return held


def _check_finite(path: Path, name: str, values: pa.Array, first: int) -> None:
    place = pc.is_inf(values).index(True).as_py()
    if place >= 0:
        raise InvalidFile(f"{path.name}, row {first + place}, column {name}: expected a finite number", name)


def _first_unfit(values: pa.Array, type: pa.DataType) -> int:
    """The place of the first value that isn't of the type; 0 where none is."""
    for place in range(len(values)):
        try:
            values.slice(place, 1).cast(type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return place
    return 0


def _check_keys(path: Path, form: Form, columns: Mapping[str, list[Any]], first: int, keys: set[Any]) -> None:
    """Add the rows' keys to those seen; raise where one was seen before."""
    given: Sequence[Any] = [columns[name] for name in form.key]
    named = ", ".join(form.key)
    for row, key in enumerate(given[0] if len(given) == 1 else zip(*given, strict=True), start=first):
        if key in keys:
            raise InvalidFile(f"{path.name}, row {row}, column {named}: an earlier row has the same", form.key[0])
        keys.add(key)


def _check_reference(
    path: Path, name: str, values: Sequence[Any], first: int, target: str, known: Mapping[str, set[Any]]
) -> None:
    for row, value in enumerate(values, start=first):
        if value not in known[target]:
            raise InvalidFile(f"{path.name}, row {row}, column {name}: no row of {target} has it", name)
