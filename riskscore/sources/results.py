"""Tables of scores for others: what their columns are called, and where each comes from.

A source is a field of a scored row (`time`, `model`), or what lies under a name in one of its parts
(`ids.customer_id`, `features.apr`, `answer.prediction`). The ledger exports such tables to files; a batch is appended
to one in a SQLite file, every row or none.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from riskscore.errors import InvalidFile, NotConfigured
from riskscore.fault_log import report
from riskscore.sources.sqlite_output import columns_of, sqlite_path, writing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from riskscore.scoring.model import Model


class Export(NamedTuple):
    """Columns by name with their sources and types, and the models whose scored rows they are of (none: every row)."""

    columns: Mapping[str, tuple[str, str]]  # name -> (source, `text`, `number` or `integer`)
    models: tuple[str, ...] = ()


RESULTS = {
    # the scored offers of offer_click, as its results table has them
    "results_clicked": Export(
        {
            "model_id": ("model", "text"),
            "process_time": ("time", "text"),
            "request_amt": ("features.requested", "number"),
            "annual_income": ("features.annual_income", "number"),
            "apr": ("features.apr", "number"),
            "credit_type": ("features.credit", "text"),
            "loan_type": ("features.loan_purpose", "text"),
            "clicked": ("answer.prediction", "integer"),
        },
        ("offer_click", "offer_click_balanced"),
    ),
}
VARIABLE = "RISKSCORE_RESULTS"
SQLITE_TYPES = {"text": "TEXT", "number": "REAL", "integer": "INTEGER"}


def cell(value: Any, kind: str) -> Any:
    """A value as its column has it; what isn't of its type is left empty, as it never was scored."""
    if value is None:
        return None
    if kind == "text":
        text = value if isinstance(value, str) else json.dumps(value)
        return text.encode("utf-8", "backslashreplace").decode()
    if not isinstance(value, (int, float)):
        return None
    return float(value) if kind == "number" else int(value)


def has_table(model: str) -> bool:
    """Whether clients know a table for the model's scores; for any other one is made."""
    return any(model in export.models for export in RESULTS.values())


def from_ledger(export: Export) -> Callable[[Mapping[str, Any]], list[Any]]:
    """What makes a row of the ledger, its columns by name, one of the export's."""
    sources = [(*source.partition("."), kind) for source, kind in export.columns.values()]
    nested = {column for column, dot, _, _ in sources if dot}

    def made(row: Mapping[str, Any]) -> list[Any]:
        opened = {name: json.loads(row[name] or "{}") for name in nested}
        return [cell(opened[column].get(inner) if dot else row[column], kind) for column, dot, inner, kind in sources]

    return made


class ResultTables:
    """The tables of RESULTS in a SQLite file, to which the ledger's scored rows are added once they are kept."""

    def __init__(self, url: str) -> None:
        """Makes the tables that aren't there. Raises NotConfigured where the file can't be used."""
        try:
            self._path = sqlite_path(url)
            with writing(self._path) as connection:
                for table, export in RESULTS.items():
                    create_table(connection, table, export)
        except InvalidFile as error:
            raise NotConfigured(f"{VARIABLE}: {error.message}", VARIABLE) from None

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add those that belong to a table. What fails is logged: an export of the ledger has the rows all the same."""
        try:
            for table, export in RESULTS.items():
                made = from_ledger(export)
                of_it = [made(row) for row in rows if row["model"] in export.models and row["probability"] is not None]
                if of_it:
                    with writing(self._path) as connection:
                        connection.executemany(_insert(table, export), of_it)
        except Exception as error:  # noqa: BLE001 - the rows are kept, and their answers have to leave
            report(error)


def _insert(table: str, export: Export) -> str:
    marks = ", ".join("?" * len(export.columns))
    return f"INSERT INTO {_name(table)} ({', '.join(map(_name, export.columns))}) VALUES ({marks})"  # noqa: S608 - ours


def results_table(model: str, ids: list[str]) -> tuple[str, Export]:
    """The name and the columns of the table that a model's scores belong into; every model has one."""
    for name, export in RESULTS.items():
        if model in export.models:
            return name, export
    columns = {
        "model_id": ("model", "text"),
        "process_time": ("time", "text"),
        **{name: (f"ids.{name}", "text") for name in ids},
        "model_version": ("answer.model_version", "text"),
        "outcome": ("answer.outcome", "text"),
        "probability": ("answer.probability", "number"),
        "prediction": ("answer.prediction", "integer"),
    }
    return f"results_{model}", Export(columns, (model,))


def create_table(connection: sqlite3.Connection, table: str, export: Export) -> None:
    """The table, where there is none. Raises InvalidFile where there is one with other columns.

    Its key is the rowid: two offers of one lead may agree in all that results_clicked holds.
    """
    columns = ", ".join(f"{_name(name)} {SQLITE_TYPES[kind]}" for name, (_, kind) in export.columns.items())
    connection.execute(f"CREATE TABLE IF NOT EXISTS {_name(table)} ({columns})")
    there = columns_of(connection, table)
    for name in export.columns:
        if name not in there:
            raise InvalidFile(f"the table {table} has no column {name}; expected {', '.join(export.columns)}", name)
    index = f"{_name(f'{table}_model_time')} ON {_name(table)} (model_id, process_time)"
    connection.execute(f"CREATE INDEX IF NOT EXISTS {index}")


@contextmanager
def sqlite_output(output: str | Path, model: Model) -> Iterator[tuple[Callable[[Any, Mapping[str, Any]], None], int]]:
    """A batch's writer (see batch.WRITERS): its scored rows appended to their table when the block ends well.

    They wait in a file of SQLite's own until then, so that rows can be read from the same database meanwhile.
    """
    path = sqlite_path(str(output))
    table, export = results_table(model.name, list(model.artefact.manifest["ids"]))
    sources = [(*source.partition("."), kind) for source, kind in export.columns.values()]
    given = {"time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "model": model.name}
    marks = ", ".join("?" * len(sources))
    with closing(sqlite3.connect("")) as waiting:
        waiting.execute(f"CREATE TABLE waiting ({', '.join(map(_name, export.columns))})")

        def write(item: Any, answer: Mapping[str, Any]) -> None:
            if answer["outcome"] != "invalid":
                parts: dict[str, Any] = {"ids": item, "features": item.get("features", item), "answer": answer}
                row = [cell(parts[part].get(inner) if dot else given[part], kind) for part, dot, inner, kind in sources]
                waiting.execute(f"INSERT INTO waiting VALUES ({marks})", row)  # noqa: S608 - question marks

        yield write, 0
        with writing(path) as connection:
            create_table(connection, table, export)
            connection.executemany(_insert(table, export), waiting.execute("SELECT * FROM waiting ORDER BY rowid"))


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
