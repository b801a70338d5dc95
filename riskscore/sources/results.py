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

from riskscore.errors import InvalidFile
from riskscore.sources.sqlite_output import columns_of, sqlite_path, writing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
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
            names = ", ".join(map(_name, export.columns))
            insert = f"INSERT INTO {_name(table)} ({names}) VALUES ({marks})"  # noqa: S608 - names of ours, quoted
            connection.executemany(insert, waiting.execute("SELECT * FROM waiting ORDER BY rowid"))


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
