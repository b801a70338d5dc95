"""How each kind of source is read: files that hold a table of features, and databases over which a model's SQL runs."""

from __future__ import annotations

import hashlib
import math
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riskscore.cli import counted
from riskscore.database.connection import STATEMENT_SECONDS, Database
from riskscore.database.features import FeatureSource
from riskscore.database.reading import FAULT
from riskscore.errors import ArtefactRefused, CallerFault, InvalidFile
from riskscore.model_toml.labels import folded
from riskscore.sources.file_databases import (
    duckdb_over,
    hashes_of_tables,
    records_of_duckdb,
    records_of_sqlite,
    sqlite_over,
    tables_named,
)
from riskscore.sources.tables import read_csv, read_jsonl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from riskscore.contract.contract import Contract
    from riskscore.contract.feature import Feature

    Record = dict[str, Any]
    Records = Iterator[tuple[int, Record | CallerFault]]  # a row's number; its cells by our names, or its error
    Note = Callable[[str], None]

TRAINING_SECONDS = 3600.0
LABEL = "label of riskscore"  # no column of anybody's is called that


@dataclass(frozen=True)
class Wanted:
    """What a model needs of a source.

    source: [source] of its model.toml, or of its manifest. root: where the paths in there start. labelled: for
    training, so that the target has to be there. query: the file of the feature SQL, where it isn't at its path.
    """

    contract: Contract
    ids: tuple[str, ...]
    source: Mapping[str, Any]
    root: Path = Path()
    labelled: bool = False
    observations: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    query: Path | None = None

    @property
    def target(self) -> str:
        return str(self.source.get("target", ""))

    @cached_property
    def unlabelled(self) -> frozenset[str]:
        """The words that are no label, folded."""
        return frozenset(map(folded, self.source.get("unlabelled") or ()))

    @property
    def aliases(self) -> Mapping[str, str]:
        aliases: Mapping[str, str] = self.source.get("aliases") or {}
        return aliases

    @property
    def views(self) -> dict[Path, str]:
        """The files of the queries that the others read as tables, with their texts."""
        return {self.root / name: _text_of(self.root / name, "views", name) for name in self.source.get("views") or ()}


def plain(value: Any) -> Any:
    """The value as JSON holds it; NaN, which is how tables hold nothing, is None."""
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, float) and math.isnan(value):
        return None
    return value.isoformat() if isinstance(value, date) else value


def typed(feature: Feature, value: Any) -> Any:
    """A database's value as the contract takes it: SQLite has no booleans, a table with gaps no whole numbers."""
    value = plain(value)
    if feature.type == "category" and isinstance(value, float) and value.is_integer():
        return int(value)
    if feature.type == "boolean" and feature.parse == "strict" and value in (0, 1):
        return bool(value)
    return value


def _with_types(wanted: Wanted, records: Iterable[dict[str, Any]], where: str) -> Records:
    """Typed records numbered from 1, once the first has all columns that are needed."""
    columns = [(feature.name, feature) for feature in wanted.contract.features]
    for number, record in enumerate(records, 1):
        if number == 1:
            require(where, record, needed(wanted))
            columns = [(name, feature) for name, feature in columns if name in record]
        for name, feature in columns:
            record[name] = typed(feature, record[name])
        yield number, record


def needed(wanted: Wanted) -> list[str]:
    return [*wanted.contract.required, *([wanted.target] if wanted.labelled else [])]


def require(where: str, found: Iterable[str], needed: Sequence[str]) -> None:
    for name in needed:
        if name not in found:
            raise InvalidFile(f"{where}: column {name} is missing", name)


def read_csv_file(path: Path, wanted: Wanted, note: Note) -> Records:
    required = [wanted.target] if wanted.labelled else []
    return read_csv(path, wanted.contract, required, beside(wanted), note, wanted.aliases)


def beside(wanted: Wanted) -> tuple[str, ...]:
    """The columns that are of use beside the features."""
    return (*wanted.ids, *wanted.observations, wanted.target)


def read_jsonl_file(path: Path, wanted: Wanted, _: Note) -> Records:
    """Objects with the features beside the ids, or in an object of their own."""
    for line, item in read_jsonl(path):
        if isinstance(item, InvalidFile):
            yield line, item
        elif not isinstance(item, dict) or not isinstance(item.get("features", {}), dict):
            yield line, InvalidFile(f"{path.name}, line {line}: expected an object of columns and values")
        else:
            record = {**item, **item.get("features", {})}
            yield line, {wanted.aliases.get(name, name): value for name, value in record.items()}


def read_sqlite(path: Path, wanted: Wanted, note: Note) -> Records:
    statement = _statement(wanted, "sqlite")
    with sqlite_over(path, str(wanted.source["sql"])) as connection:
        yield from _answered(wanted, lambda query: records_of_sqlite(connection, query), statement, note)


def read_duckdb(folder: Path, wanted: Wanted, note: Note) -> Records:
    """The query's own tables (lists of words, say) lie beside it; the data have the folder to themselves."""
    statement, name = _statement(wanted, "duckdb"), str(wanted.source["sql"])
    _check_tables(wanted, (wanted.root / name).parent)
    texts = [statement, *([_query(wanted, "counts")] if wanted.source.get("counts") else [])]
    beside = (wanted.root / name).parent
    with duckdb_over(folder, name, texts, wanted.aliases, beside, wanted.views, note) as connection:
        yield from _answered(wanted, lambda query: records_of_duckdb(connection, query), statement, note)


def tables_read(folder: Path, wanted: Wanted) -> list[Path]:
    """The files of a folder that the model's SQL reads."""
    return tables_named([folder], [_statement(wanted, "duckdb")], wanted.views)


def _check_tables(wanted: Wanted, folder: Path) -> None:
    """Refuse tables beside the query that aren't those that the model was trained with."""
    trained = wanted.source.get("tables") or {}
    found = hashes_of_tables(folder, wanted.views) if trained else {}
    for name, expected in trained.items():
        if found.get(name) != expected:
            raise ArtefactRefused(f"{name} beside {wanted.source['sql']} isn't the one that the model was trained with")


def _answered(wanted: Wanted, run: Callable[[str], Iterator[Record]], statement: str, note: Note) -> Records:
    """The rows of the statement; at their end note is told of labels that none of them has, and what counts counts."""
    joined, labelled = _joins_labels(wanted), 0
    records = (record | {wanted.target: record.pop(LABEL)} if joined else record for record in run(statement))
    for number, record in _with_types(wanted, records, str(wanted.source["sql"])):
        labelled += isinstance(record, dict) and record.get(wanted.target) is not None
        yield number, record
    if joined:
        count = f"SELECT count({_name(wanted.target)}) AS labels FROM (\n{_query(wanted, 'labels')}\n) AS l"  # noqa: S608
        alone = next(run(count))["labels"] - labelled
        if alone > 0:
            have = "has" if alone == 1 else "have"
            note(f"{counted(alone, 'label')} of {wanted.source['labels']} {have} no row of features")
    if wanted.source.get("counts"):
        (counts,) = run(_query(wanted, "counts"))
        note(", ".join(f"{number:,} {name.replace('_', ' ')}" for name, number in counts.items()))


def _joins_labels(wanted: Wanted) -> bool:
    return wanted.labelled and bool(wanted.source.get("labels"))


def _statement(wanted: Wanted, dialect: str) -> str:
    """The model's query as it stands, for training with the labels beside it, in the order of the ids."""
    if not wanted.source.get("sql"):
        raise InvalidFile("model.toml names no source.sql, so its rows come from a .csv, .parquet or .jsonl file")
    written_for = wanted.source.get("dialect") or "postgresql"
    if written_for != dialect:
        raise InvalidFile(f"{wanted.source['sql']} is written for {written_for}, so it doesn't run by {dialect}")
    ids = ", ".join(map(_name, wanted.ids))
    features = f"(\n{_query(wanted, 'sql')}\n) AS f"
    if not _joins_labels(wanted):
        return f"SELECT * FROM {features} ORDER BY {ids}"  # noqa: S608
    labels = f"(\n{_query(wanted, 'labels')}\n) AS l"
    label = f"l.{_name(wanted.target)} AS {_name(LABEL)}"
    return f"SELECT f.*, {label} FROM {features} LEFT JOIN {labels} USING ({ids}) ORDER BY {ids}"  # noqa: S608


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _query(wanted: Wanted, key: str) -> str:
    """The text of source.sql or source.labels; refused where the model was trained with another."""
    name = str(wanted.source[key])
    path = wanted.query if wanted.query and key == "sql" else wanted.root / name
    text, expected = _text_of(path, key, name), wanted.source.get("sha256")
    if key == "sql" and expected and (digest := hashlib.sha256(path.read_bytes()).hexdigest()) != expected:
        raise ArtefactRefused(f"{name} has SHA-256 {digest}, but the model was trained with {expected}")
    return text


def _text_of(path: Path, key: str, name: str) -> str:
    """The text of a file of SQL, which source.key calls `name`."""
    if not path.is_file():
        raise InvalidFile(f"model.toml: source.{key} names {name}, which isn't there")
    try:
        return path.read_text(encoding="utf-8-sig").strip().rstrip(";")
    except UnicodeDecodeError:
        raise InvalidFile(f"{name} is not UTF-8 text") from None


def read_postgresql(url: str, wanted: Wanted, _: Note) -> Records:
    _statement(wanted, "postgresql")
    table = "training_table" if wanted.labelled else "table"
    if not wanted.source.get(table):
        raise InvalidFile(f"model.toml names no source.{table}, so its rows don't come from PostgreSQL")
    source = FeatureSource(_query(wanted, "sql"), wanted.source, wanted.ids, wanted.contract.names)
    seconds = TRAINING_SECONDS if wanted.labelled else STATEMENT_SECONDS
    with closing(Database(conninfo_of(url), wanted.environ, seconds)) as database:
        rows = source.training_rows(database) if wanted.labelled else ((row, None) for row in source.stream(database))
        for number, (row, label) in enumerate(rows, 1):
            yield number, {**row.observations, **row.ids, **row.features, wanted.target: label, FAULT: row.fault}


def conninfo_of(url: str) -> str:
    """What psycopg connects by: postgresql://... as it is; without the slashes libpq's own words, or none of them."""
    return url if "://" in url else url.partition(":")[2]
