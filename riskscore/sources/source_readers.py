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
class SourceSpec:
    """What a model needs of a source.

    source: [source] of its model.toml, or of its manifest. root: where the paths in there start. labelled: for
    training, so that the target has to be there. query: the file of the feature SQL, where it isn't at its path.
    others: columns that training keeps beside the features and the ids.
    """

    contract: Contract
    ids: tuple[str, ...]
    source: Mapping[str, Any]
    root: Path = Path()
    labelled: bool = False
    observations: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    query: Path | None = None
    others: tuple[str, ...] = ()

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


def _with_types(spec: SourceSpec, records: Iterable[dict[str, Any]], where: str) -> Records:
    """Typed records numbered from 1, once the first has all columns that are needed."""
    columns = [(feature.name, feature) for feature in spec.contract.features]
    for number, record in enumerate(records, 1):
        if number == 1:
            require(where, record, needed(spec))
            columns = [(name, feature) for name, feature in columns if name in record]
        for name, feature in columns:
            record[name] = typed(feature, record[name])
        yield number, record


def needed(spec: SourceSpec) -> list[str]:
    return [*spec.contract.required, *beside_needed(spec)]


def beside_needed(spec: SourceSpec) -> list[str]:
    """The columns beside the features that have to be there."""
    return [spec.target, *spec.others] if spec.labelled else []


def require(where: str, found: Iterable[str], needed: Sequence[str]) -> None:
    for name in needed:
        if name not in found:
            raise InvalidFile(f"{where}: column {name} is missing", name)


def read_csv_file(path: Path, spec: SourceSpec, note: Note) -> Records:
    return read_csv(path, spec.contract, beside_needed(spec), beside(spec), note, spec.aliases)


def beside(spec: SourceSpec) -> tuple[str, ...]:
    """The columns that are of use beside the features."""
    return (*spec.ids, *spec.observations, spec.target, *spec.others)


def read_jsonl_file(path: Path, spec: SourceSpec, _: Note) -> Records:
    """Objects with the features beside the ids, or in an object of their own."""
    for line, item in read_jsonl(path):
        if isinstance(item, InvalidFile):
            yield line, item
        elif not isinstance(item, dict) or not isinstance(item.get("features", {}), dict):
            yield line, InvalidFile(f"{path.name}, line {line}: expected an object of columns and values")
        else:
            record = {**item, **item.get("features", {})}
            yield line, {spec.aliases.get(name, name): value for name, value in record.items()}


def read_sqlite(path: Path, spec: SourceSpec, note: Note) -> Records:
    statement = _statement(spec, "sqlite")
    with sqlite_over(path, str(spec.source["sql"])) as connection:
        yield from _answered(spec, lambda query: records_of_sqlite(connection, query), statement, note)


def read_duckdb(folder: Path, spec: SourceSpec, note: Note) -> Records:
    """The query's own tables (lists of words, say) lie beside it; the data have the folder to themselves."""
    statement, name = _statement(spec, "duckdb"), str(spec.source["sql"])
    _check_tables(spec, (spec.root / name).parent)
    texts = [statement, *([_query(spec, "counts")] if spec.source.get("counts") else [])]
    beside = (spec.root / name).parent
    with duckdb_over(folder, name, texts, spec.aliases, beside, spec.views, note) as connection:
        yield from _answered(spec, lambda query: records_of_duckdb(connection, query), statement, note)


def tables_read(folder: Path, spec: SourceSpec) -> list[Path]:
    """The files of a folder that the model's SQL reads."""
    return tables_named([folder], [_statement(spec, "duckdb")], spec.views)


def _check_tables(spec: SourceSpec, folder: Path) -> None:
    """Refuse tables beside the query that aren't those that the model was trained with."""
    trained = spec.source.get("tables") or {}
    found = hashes_of_tables(folder, spec.views) if trained else {}
    for name, expected in trained.items():
        if found.get(name) != expected:
            raise ArtefactRefused(f"{name} beside {spec.source['sql']} isn't the one that the model was trained with")


def _answered(spec: SourceSpec, run: Callable[[str], Iterator[Record]], statement: str, note: Note) -> Records:
    """The rows of the statement; at their end note is told of labels that none of them has, and what counts counts."""
    joined, labelled = _joins_labels(spec), 0
    records = (record | {spec.target: record.pop(LABEL)} if joined else record for record in run(statement))
    for number, record in _with_types(spec, records, str(spec.source["sql"])):
        labelled += isinstance(record, dict) and record.get(spec.target) is not None
        yield number, record
    if joined:
        count = f"SELECT count({_name(spec.target)}) AS labels FROM (\n{_query(spec, 'labels')}\n) AS l"  # noqa: S608
        alone = next(run(count))["labels"] - labelled
        if alone > 0:
            have = "has" if alone == 1 else "have"
            note(f"{counted(alone, 'label')} of {spec.source['labels']} {have} no row of features")
    if spec.source.get("counts"):
        (counts,) = run(_query(spec, "counts"))
        note(", ".join(f"{number:,} {name.replace('_', ' ')}" for name, number in counts.items()))


def _joins_labels(spec: SourceSpec) -> bool:
    return spec.labelled and bool(spec.source.get("labels"))


def _statement(spec: SourceSpec, dialect: str) -> str:
    """The model's query as it stands, for training with the labels beside it, in the order of the ids."""
    if not spec.source.get("sql"):
        raise InvalidFile("model.toml names no source.sql, so its rows come from a .csv, .parquet or .jsonl file")
    written_for = spec.source.get("dialect") or "postgresql"
    if written_for != dialect:
        raise InvalidFile(f"{spec.source['sql']} is written for {written_for}, so it doesn't run by {dialect}")
    ids = ", ".join(map(_name, spec.ids))
    features = f"(\n{_query(spec, 'sql')}\n) AS f"
    if not _joins_labels(spec):
        return f"SELECT * FROM {features} ORDER BY {ids}"  # noqa: S608
    labels = f"(\n{_query(spec, 'labels')}\n) AS l"
    label = f"l.{_name(spec.target)} AS {_name(LABEL)}"
    return f"SELECT f.*, {label} FROM {features} LEFT JOIN {labels} USING ({ids}) ORDER BY {ids}"  # noqa: S608


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _query(spec: SourceSpec, key: str) -> str:
    """The text of source.sql or source.labels; refused where the model was trained with another."""
    name = str(spec.source[key])
    path = spec.query if spec.query and key == "sql" else spec.root / name
    text, expected = _text_of(path, key, name), spec.source.get("sha256")
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


def read_postgresql(url: str, spec: SourceSpec, _: Note) -> Records:
    _statement(spec, "postgresql")
    table = "training_table" if spec.labelled else "table"
    if not spec.source.get(table):
        raise InvalidFile(f"model.toml names no source.{table}, so its rows don't come from PostgreSQL")
    source = FeatureSource(_query(spec, "sql"), spec.source, spec.ids, spec.contract.names)
    seconds = TRAINING_SECONDS if spec.labelled else STATEMENT_SECONDS
    with closing(Database(conninfo_of(url), spec.environ, seconds)) as database:
        rows = source.training_rows(database) if spec.labelled else ((row, None) for row in source.stream(database))
        for number, (row, label) in enumerate(rows, 1):
            yield number, {**row.observations, **row.ids, **row.features, spec.target: label, FAULT: row.fault}


def conninfo_of(url: str) -> str:
    """What psycopg connects by: postgresql://... as it is; without the slashes libpq's own words, or none of them."""
    return url if "://" in url else url.partition(":")[2]
