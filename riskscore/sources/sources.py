"""Rows from wherever they lie, by URL: one way in, for training and for scoring.

    rows.csv, rows.parquet, rows.jsonl   a table that holds the features (also as file:///...)
    sqlite:///offers.db                  the model's own SQL, run read-only in a SQLite file
    duckdb:FOLDER                        the model's own SQL, run by DuckDB over the CSV and parquet files of a folder
    postgresql://...                     the model's own SQL, run read-only in PostgreSQL

A row that can't be read is yielded as the error that says so, in its place. No value reaches a message.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlsplit

from riskscore.database.features import fault_of
from riskscore.errors import CallerFault, DataFault, InvalidFile
from riskscore.model_toml.labels import folded, text_of_label
from riskscore.sources.parquet_rows import read_parquet_file
from riskscore.sources.source_readers import (
    SourceSpec,
    plain,
    read_csv_file,
    read_duckdb,
    read_jsonl_file,
    read_postgresql,
    read_sqlite,
    tables_read,
)
from riskscore.sources.sqlite_output import sqlite_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from riskscore.model_toml.settings import Settings
    from riskscore.scoring.model import Model
    from riskscore.sources.source_readers import Note

    Rows = Iterator[tuple[str, "SourceRow | CallerFault"]]

COUNT = re.compile(r"[0-9]{1,9}([.]0*)?")  # 3.0 is how a table with gaps writes 3
SCHEME = re.compile(r"([a-z]+):")
FORMS = "a file ending in .csv, .parquet or .jsonl, or sqlite:///FILE, duckdb:FOLDER or postgresql://..."


class Kind(NamedTuple):
    """read: the records of a place (see `file_of`). unit: what they are counted in. by_sql: by the model's own SQL."""

    read: Callable[[Any, SourceSpec, Note], Iterator[tuple[int, Any]]]
    unit: str
    by_sql: bool


KINDS = {
    ".csv": Kind(read_csv_file, "line", False),
    ".parquet": Kind(read_parquet_file, "row", False),
    ".jsonl": Kind(read_jsonl_file, "line", False),
    "sqlite": Kind(read_sqlite, "row", True),
    "duckdb": Kind(read_duckdb, "row", True),
    "postgresql": Kind(read_postgresql, "row", True),
}
KINDS["postgres"] = KINDS["postgresql"]  # libpq knows both


class SourceRow(NamedTuple):
    """One row of a source.

    name, unit, number: where it stands ("rows.csv", "line", 7). ids: those that it has, as text. features: by the
    contract's names, not checked yet. label: as it stands there; None where it is empty, a word of
    source.unlabelled, or the source has none.
    observations: whole numbers by their names, those that it has. others: spec.others, as text, "" where empty.
    """

    name: str
    unit: str
    number: int
    ids: dict[str, str]
    features: dict[str, Any]
    label: Any
    observations: dict[str, int]
    others: dict[str, str] = {}  # noqa: RUF012 - of a tuple; never changed

    @property
    def where(self) -> str:
        return f"{self.name}, {self.unit} {self.number}"

    def event(self) -> dict[str, Any]:
        """The event that scores the row."""
        return {**self.ids, "features": self.features, **self.observations}


def spec_of_settings(settings: Settings, root: Path = Path(), environ: Mapping[str, str] | None = None) -> SourceSpec:
    """What training needs. root: where the paths of model.toml start."""
    observations = tuple(settings.observations)
    return SourceSpec(
        *(settings.contract, settings.ids, settings.source, root, True, observations, environ or {}),
        others=settings.others,
    )


def spec_of_model(model: Model, root: Path = Path(), environ: Mapping[str, str] | None = None) -> SourceSpec:
    """What scoring needs: a published model brings its query along, others have it below root."""
    manifest = model.artefact.manifest
    ids, observations = tuple(manifest["ids"]), tuple(manifest["observations"])
    query = Path(model.artefact.folder) / "features.sql"
    return SourceSpec(
        *(model.contract, ids, manifest["source"], root, False, observations, environ or {}),
        query=query if query.is_file() else None,
    )


def rows_at(url: str | Path, spec: SourceSpec, note: Note = lambda _: None) -> Iterator[SourceRow | CallerFault]:
    """Every row; an InvalidFile in the place of one that can't be read, a DataFault where its own data are faulty.

    note: told of what is left aside. Raises InvalidFile where the source as a whole can't be read.
    """
    return (row for _, row in placed_rows(url, spec, note))


def placed_rows(url: str | Path, spec: SourceSpec, note: Note = lambda _: None) -> Rows:
    """The same with each row's place: its line in a file, its ids where SQL made it."""
    kind, name = KINDS[kind_of(url)], _name(url, spec)
    for number, record in kind.read(_place(url), spec, note):
        unread = isinstance(record, CallerFault)
        ids = _ids(spec, (record.ids or {}) if unread else record)
        row = record if unread else _row(spec, (name, kind.unit, number), ids, record)
        if isinstance(row, CallerFault):
            row.ids = ids
        named = ", ".join(ids.values()) if kind.by_sql else ""
        yield named or f"{kind.unit} {number}", row


def origin_of(url: str | Path, spec: SourceSpec) -> str:
    """The source in words, for the model card."""
    kind, name = kind_of(url), _name(url, spec)
    if not KINDS[kind].by_sql:
        return f"file {name}"
    return name if kind.startswith("postgres") else f"{name} over {file_of(url).name}"


def kind_of(url: str | Path) -> str:
    """The key of KINDS: a URL's scheme, or the ending of a file's name. Raises InvalidFile for any other."""
    text = str(url)
    scheme = SCHEME.match(text)
    by_name = scheme is None or scheme[1] == "file"
    kind = Path(text).suffix.lower() if by_name else scheme[1]  # type: ignore[index]
    if kind not in KINDS:
        what = Path(text).name if by_name else f"{kind}:..."
        raise InvalidFile(f"{what}: expected {FORMS}")
    return kind


def database_url(text: str) -> str:
    """The URL for what --database says: one already, libpq's words, or nothing where the PG* variables say it."""
    return text if "://" in text else f"postgresql:{text}"


def _place(url: str | Path) -> Any:
    """What a reader opens: the path of a file or a folder; PostgreSQL's URL as it is."""
    return str(url) if kind_of(url).startswith("postgres") else file_of(url)


def file_of(url: str | Path) -> Path:
    """The path of the file or the folder that a URL names."""
    kind, text = kind_of(url), str(url)
    if kind == "sqlite":
        return sqlite_path(text)
    if kind == "duckdb":
        return _folder_of(text)
    return Path(unquote(urlsplit(text).path)) if text.startswith("file:") else Path(text)


def files_of(url: str | Path, spec: SourceSpec) -> list[Path]:
    """The files that the rows of a URL come from; none where a database that isn't a file has them."""
    if kind_of(url).startswith("postgres"):
        return []
    return tables_read(file_of(url), spec) if kind_of(url) == "duckdb" else [file_of(url)]


def _folder_of(url: str) -> Path:
    """The folder of duckdb:FOLDER; none named would be the current one, which nobody meant."""
    path = url.removeprefix("duckdb:").removeprefix("//")
    if not path.strip():
        raise InvalidFile("duckdb: expected the folder of the CSV and parquet files, as in duckdb:data")
    return Path(path)


def _name(url: str | Path, spec: SourceSpec) -> str:
    """What a message calls the source."""
    kind = kind_of(url)
    if kind.startswith("postgres"):
        return f"table {spec.source.get('training_table' if spec.labelled else 'table', '')}"
    return str(spec.source.get("sql") or "source.sql") if KINDS[kind].by_sql else file_of(url).name


def _row(spec: SourceSpec, at: tuple[str, str, int], ids: dict[str, str], record: dict[str, Any]) -> Any:
    """The record sorted into a SourceRow, or what is wrong with it."""
    if fault := fault_of(record, spec.source):
        return DataFault(str(fault))
    observations = {}
    for name in spec.observations:
        text = _text(record.get(name))
        if text and not COUNT.fullmatch(text):
            where = f"{at[0]}, {at[1]} {at[2]}"
            return InvalidFile(f"{where}, column {name}: expected a whole number, 0 or more", name)
        if text:
            observations[name] = int(text.partition(".")[0])
    features = {name: record[name] for name in spec.contract.names if name in record}
    others = {name: _text(record.get(name)) for name in spec.others}
    return SourceRow(*at, ids, features, _label(spec, record.get(spec.target)), observations, others)


def _ids(spec: SourceSpec, record: Mapping[str, Any]) -> dict[str, str]:
    """The ids that aren't empty."""
    texts = {name: _text(record.get(name)) for name in spec.ids}
    return {name: text for name, text in texts.items() if text}


def _text(value: Any) -> str:
    """An id or a count as a CSV would hold it; 7.0 is how a table with gaps holds 7."""
    value = plain(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value).strip()


def _label(spec: SourceSpec, value: Any) -> Any:
    value = plain(value)
    if isinstance(value, str) and not value.strip():
        return None
    return None if spec.unlabelled and folded(text_of_label(value)) in spec.unlabelled else value
