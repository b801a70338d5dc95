"""A model's own SQL over files: a SQLite database, or DuckDB over a folder of CSV and parquet files. Read-only.

Their own words about a failure can quote a person's data, so they never leave this module: a sentence names the
query, and the file, row and column where the engine tells them.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from riskscore.errors import InvalidFile, NotConfigured
from riskscore.sources.csv_lines import silent
from riskscore.sources.tables import check_csv

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import duckdb

    from riskscore.sources.csv_lines import Note

    Records = Iterator[dict[str, Any]]

FETCH_ROWS = 1_000
NO_VIEWS: Mapping[Path, str] = MappingProxyType({})
FOLDER_FILES = (".csv", ".parquet")

# What may be told of an engine's sentence about a query that it didn't begin to run: names that the query has itself.
NAMED = (
    (
        re.compile(r'no such column: ([\w.]+)|column "(\w+)"|Column "(\w+)" referenced|column named "(\w+)"'),
        "column {}",
    ),
    (re.compile(r"no such table: ([\w.]+)|Table with name (\w+)"), "table {}"),
    (re.compile(r"no such function: (\w+)|Function with name (\w+)"), "function {}"),
)
UNRUN = ("BinderException", "CatalogException")
CASTS = "it uses a column of a CSV, which is text, as another type; cast it"
TYPES = "|".join(
    [
        "BOOL|BOOLEAN|DATE|TIME|TIMESTAMP|INTERVAL|UUID|FLOAT|DOUBLE|DECIMAL|INTEGER",
        "U?(?:TINY|SMALL|BIG|HUGE)?INT|U?INT[0-9]+",
    ]
)
CELL = re.compile(
    rf'CSV Error on Line: (\d+)\n.*\nError when converting column "([^"\n]+)"\..* to \'({TYPES})\b'
    r".*\n  file = ([^\n]+)\n",
    re.DOTALL,
)
CAST = re.compile(
    rf"Could not convert .* to ({TYPES})\b[^\n]*?(?: when casting from source column (\w+))?\n*(?:\nLINE |\Z)",
    re.DOTALL,
)


@contextmanager
def sqlite_over(path: Path, query: str) -> Iterator[sqlite3.Connection]:
    """A SQLite file, opened so that it can't be written. query: what errors call the SQL that is run on it."""
    if not path.is_file():
        raise InvalidFile(f"{path}: there is no such SQLite file")
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA query_only = 1")
            yield connection
    except (sqlite3.Error, sqlite3.Warning) as error:
        kind = getattr(error, "sqlite_errorname", "")  # what Python itself finds wrong has none, and quotes a value
        if kind == "SQLITE_NOTADB":
            raise InvalidFile(f"{path.name} is not a SQLite file") from None
        message = _safe_message(str(error) if kind else "", kind or type(error).__name__)
        raise InvalidFile(f"{query} over {path.name}: {message}") from None


@contextmanager
def duckdb_over(
    folder: Path,
    query: str,
    texts: Iterable[str],
    aliases: Mapping[str, str],
    beside: Path | None = None,
    views: Mapping[Path, str] = NO_VIEWS,
    note: Note = silent,
    counts_blank: bool = False,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB in which the CSV and parquet files of a folder are tables by their stems, and nothing else can be reached.

    A CSV's columns are text, whatever the file happens to hold, so that a query means the same on every file: it
    casts. One thread, so that sums come out the same each time. query: what errors call the SQL. texts: all SQL that
    will be run; files that it doesn't name are let be. aliases: other spellings of column names -> ours. beside: a
    second folder, if it is there, of tables that belong to the query and not to the data. views: files of queries
    that are tables by their stems too -> their texts; each may read those before it. note: told of what
    is passed over. counts_blank: whoever asks tells blank rows from others, as views do.
    """
    try:
        import duckdb
    except ModuleNotFoundError:
        raise NotConfigured("duckdb: needs DuckDB: add requirements-dev.txt's to the installation") from None
    files = tables_named([folder, *([beside] if beside and beside.is_dir() else [])], texts, views)
    alone = {"autoinstall_known_extensions": False, "autoload_known_extensions": False, "threads": 1}
    try:
        with closing(duckdb.connect(":memory:", config=alone)) as connection:  # type: ignore[arg-type]
            connection.execute("SET enable_progress_bar = false")
            for path in files:
                _add(connection, path, aliases, note, counts_blank or bool(views))
            for path, text in views.items():
                connection.execute(f"CREATE TABLE {_name(path.stem)} AS {text}")  # computed once for all that read it
            connection.execute("SET allowed_paths = ?", [[str(path) for path in files]])
            connection.execute("SET enable_external_access = false")
            connection.execute("SET lock_configuration = true")
            yield connection
    except duckdb.Error as error:
        raise InvalidFile(_duckdb_fault(error, folder, query)) from None


def hashes_of_tables(folder: Path, views: Iterable[Path] = ()) -> dict[str, str]:
    """The SHA-256 of what belongs to a query, by its name: each CSV and parquet file of its folder, and the views."""
    files = sorted([*views, *(path for path in folder.iterdir() if path.suffix in FOLDER_FILES)])
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def tables_named(folders: Iterable[Path], texts: Iterable[str], views: Mapping[Path, str] = NO_VIEWS) -> list[Path]:
    """The folders' files that the SQL names, that of the views too; none of them may be called like a view."""
    words = set(re.findall(r"\w+", " ".join([*texts, *views.values()]).lower()))
    named = {path.stem.lower(): path for path in views}
    for folder in folders:
        if not folder.is_dir():
            raise InvalidFile(f"{folder}: there is no such folder")
        for path in sorted(path for path in folder.resolve().iterdir() if path.suffix in FOLDER_FILES):
            stem = path.stem.lower()
            if stem in words and stem in named:
                raise InvalidFile(f"{named[stem].name} and {path.name} would both become the table {stem}; keep one")
            if stem in words:
                named[stem] = path
    return [path for path in named.values() if path not in views]


def _add(
    connection: duckdb.DuckDBPyConnection, path: Path, aliases: Mapping[str, str], note: Note, counts_blank: bool
) -> None:
    """The file as a view: a query streams it, however large it is."""
    columns = (
        _csv_view(path, aliases, note, counts_blank)
        if path.suffix == ".csv"
        else _parquet_view(connection, path, aliases)
    )
    connection.execute(f"CREATE VIEW {_name(path.stem)} AS {columns}")


def _csv_view(path: Path, aliases: Mapping[str, str], note: Note, counts_blank: bool) -> str:
    """counts_blank: a model with readings of its own says itself how many blank rows it left out."""
    notes: list[str] = []
    layout, header = check_csv(path, aliases, note=notes.append)  # DuckDB, which refuses mixed ends, needn't be strict
    _require_once(path, header)
    ours = iter(header)
    columns = [next(ours) if name.strip() else f"without a name {k}" for k, name in enumerate(layout.columns, 1)]
    types = ", ".join(f"{_text(name)}: 'VARCHAR'" for name in columns)
    options = (
        f"auto_detect = false, header = true, skip = {layout.skip}, delim = {_text(layout.delimiter)}, quote = '\"',"
        " escape = '\"', strict_mode = false"
    )
    rows = f"read_csv({_text(str(path))}, {options}{', null_padding = true' if notes else ''}, columns = {{{types}}})"
    for passed in notes:
        note(passed)
    filled = f" WHERE trim(concat({', '.join(map(_name, columns))})) <> ''" if notes and not counts_blank else ""
    return f"SELECT {', '.join(map(_name, header))} FROM {rows}{filled}"  # noqa: S608


def _parquet_view(connection: duckdb.DuckDBPyConnection, path: Path, aliases: Mapping[str, str]) -> str:
    import duckdb

    source = f"read_parquet({_text(str(path))})"
    try:
        described = connection.execute(f"SELECT * FROM {source} LIMIT 0").description  # noqa: S608
    except duckdb.Error:
        raise InvalidFile(f"{path.name} is not a parquet file") from None
    names = [column[0] for column in described]
    ours = [aliases.get(name, name) for name in names]
    _require_once(path, ours)
    columns = ", ".join(f"{_name(name)} AS {_name(our)}" for name, our in zip(names, ours, strict=True))
    return f"SELECT {columns} FROM {source}"  # noqa: S608


def _require_once(path: Path, names: list[str]) -> None:
    """Refuse names that differ only in case: to SQL they are one."""
    small = [name.lower() for name in names]
    twice = [name for k, name in enumerate(names) if name.lower() in small[:k]]
    if twice:
        raise InvalidFile(f"{path.name}: column {twice[0]} appears twice", twice[0])


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def records_of_sqlite(connection: sqlite3.Connection, query: str) -> Records:
    """The rows of a query, streamed."""
    for row in connection.execute(query):
        yield dict(row)


def records_of_duckdb(connection: duckdb.DuckDBPyConnection, query: str) -> Records:
    """The rows of a query, streamed."""
    cursor = connection.execute(query)
    names = [column[0] for column in cursor.description]
    while rows := cursor.fetchmany(FETCH_ROWS):
        for row in rows:
            yield dict(zip(names, row, strict=True))


def _duckdb_fault(error: Exception, folder: Path, query: str) -> str:
    """What an error of DuckDB means here, without a value of its text."""
    text, kind = str(error), type(error).__name__
    if cell := CELL.search(text):
        line, column, type_, file = cell.groups()
        return f"{Path(file).name}, line {line}, column {column}: expected a value of type {type_}"
    where = f"{query} over {folder.name}/"
    if cast := CAST.search(text):
        type_, column = cast.groups()
        return f"{where}: a value{f' of column {column}' if column else ''} can't be read as {type_}"
    if kind == "BinderException" and "VARCHAR" in text:
        return f"{where}: {CASTS}"
    return f"{where}: {_safe_message(text if kind in UNRUN else '', kind)}"


def _safe_message(text: str, kind: str) -> str:
    for pattern, what in NAMED:
        if found := pattern.search(text):
            return f"it names a {what.format(next(filter(None, found.groups())))} that isn't there"
    return f"the query failed ({kind})"
