"""The ledger as a table for others: a CSV or a parquet file, written row by row.

An export is a table of columns: what each is called there, and where it comes from in the ledger. A source is a column
of the ledger (`time`), or what lies under a name in one of those that hold JSON (`ids.customer_id`, `features.apr`,
`answer.prediction`). The tables that have readers of their own stand in results.py.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from riskscore.atomic import replacing_file
from riskscore.contract import spreadsheets
from riskscore.errors import InvalidFile
from riskscore.ledger.hash_chain import BATCH, PURGE
from riskscore.ledger.schema import KEPT_NAMES, PERSONAL_NAMES, ledger
from riskscore.sources.results import RESULTS, Export, from_ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Connection

HIDDEN = ("salt", "content_sha256", "erased_before")


def _type(name: str) -> str:
    return {"INTEGER": "integer", "BIGINT": "integer", "DOUBLE": "number"}.get(str(ledger.c[name].type), "text")


EXPORTS = {
    # every row, features and all as JSON
    "rows": Export(
        {
            name: (name, _type(name))
            for name in ("seq", *KEPT_NAMES, *PERSONAL_NAMES, "personal_sha256", "hash")
            if name not in HIDDEN
        }
    ),
    **RESULTS,
}


def exported(
    connection: Connection, export: Export, since: str | None = None, until: str | None = None, model: str | None = None
) -> Iterator[list[Any]]:
    """The export's rows, in the chain's order. since: from then on; until: before then."""
    chosen = select(ledger).where(ledger.c.outcome != PURGE).order_by(ledger.c.seq)
    if export.models:  # a table of scores: rows that have none, or not any more, are no rows of it
        chosen = chosen.where(ledger.c.model.in_(export.models), ledger.c.probability.is_not(None))
    if since is not None:
        chosen = chosen.where(ledger.c.time >= since)
    if until is not None:
        chosen = chosen.where(ledger.c.time < until)
    if model is not None:
        chosen = chosen.where(ledger.c.model == model)
    made = from_ledger(export)
    for row in connection.execution_options(yield_per=BATCH).execute(chosen).mappings():
        yield made(dict(row))


def write_export(path: Path, export: Export, rows: Iterator[list[Any]]) -> int:
    """Write a .csv or .parquet, whole or not at all; returns the number of rows."""
    if path.suffix not in WRITERS:
        raise InvalidFile(f"{path.name}: expected a file ending in {' or '.join(WRITERS)}")
    return WRITERS[path.suffix](path, export, rows)


def _write_csv(path: Path, export: Export, rows: Iterator[list[Any]]) -> int:
    count = 0
    with replacing_file(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(map(spreadsheets.cell, export.columns))
        for row in rows:
            writer.writerow(map(spreadsheets.cell, row))
            count += 1
    return count


def _write_parquet(path: Path, export: Export, rows: Iterator[list[Any]]) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {"text": pa.string(), "number": pa.float64(), "integer": pa.int64()}
    schema = pa.schema([(name, types[kind]) for name, (_, kind) in export.columns.items()])
    count = 0
    with replacing_file(path) as file, pq.ParquetWriter(file.buffer, schema) as writer:  # type: ignore[attr-defined]
        for batch in _batches(rows):
            columns = [
                pa.array(column, kind) for column, kind in zip(zip(*batch, strict=True), schema.types, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
            count += len(batch)
    return count


def _batches(rows: Iterator[list[Any]]) -> Iterator[list[list[Any]]]:
    for first in rows:
        batch = [first]
        for row in rows:
            batch.append(row)
            if len(batch) == BATCH:
                break
        yield batch


WRITERS: dict[str, Callable[[Path, Export, Iterator[list[Any]]], int]] = {
    ".csv": _write_csv,
    ".parquet": _write_parquet,
}
