"""CSV in and out: a table becomes the rows of one event, and the answers a table in the same order."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riskscore.batch.files import items_of_file
from riskscore.contract.spreadsheets import cell
from riskscore.errors import InvalidFile, TooManyRows
from riskscore.scoring.events import MAX_ROWS, Refused
from riskscore.sources.csv_lines import DELIMITERS, separator_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from riskscore.errors import CallerFault
    from riskscore.scoring.model import Model

OUTCOME = ("outcome", "probability", "prediction", "points", "reasons", "warnings")
SCORER = ("model", "model_version", "engine")
FILE = "table.csv"
MAX_LINES = 20 * MAX_ROWS  # their ends, of which a line may have two: room for blank lines, and lines within cells


def score_table(rows: Sequence[Any], model: Model, answer: Callable[[Any], Any]) -> list[dict[str, Any]]:
    """One answer per row of a table; a row that can't be read is invalid, in its place.

    answer: scores an event of many rows.
    """
    answers = answer({"instances": rows, "model": model.name})
    return [answers] if isinstance(answers, dict) else answers  # refused as a whole


def refusal_of(answers: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """What is wrong with a table whose answers these are as a whole, None where its rows were answered."""
    whole = answers[0]  # a scored row is in the fields of its clients, which may lack any
    refused = whole.get("outcome") == "invalid" and "error" in whole and "model" not in whole
    return whole["error"] if refused else None


def names_of_table(table: bytes) -> list[str]:
    """The names in a CSV's header, as far as they can be read: `rows_of_table` says what is wrong with others."""
    first, _, rest = table.partition(b"\n")
    header = first.decode("utf-8-sig", "replace").strip()
    named = separator_in(header)
    if named:
        header = rest.partition(b"\n")[0].decode("utf-8", "replace").strip()
    try:
        cells = next(csv.reader([header], delimiter=named or max(DELIMITERS, key=header.count)), [])
    except csv.Error:
        cells = []
    return [cell.strip() for cell in cells]


def rows_of_table(table: bytes, model: Model) -> list[Any]:
    """The events of a CSV of ids and features, or a Refused in a row's place.

    Raises InvalidFile where the table as a whole can't be read, TooManyRows.
    """
    lines = table.count(b"\n") + table.count(b"\r")
    if lines > MAX_LINES:
        raise TooManyRows(f"the table has more than {MAX_LINES // 2:,} lines, most of which can't be rows")
    with tempfile.TemporaryDirectory(prefix="riskscore-") as folder:
        path = Path(folder) / FILE
        path.write_bytes(table)
        items = []
        try:
            for _, item in items_of_file(path, model, note=lambda _: None):
                items.append(Refused(_said(item.error), item.ids) if isinstance(item, Refused) else item)
                if len(items) > MAX_ROWS:
                    raise TooManyRows(f"the table has more than {MAX_ROWS:,} rows; at most so many are scored at once")
        except InvalidFile as error:
            raise _said(error) from None
        if not items:
            raise InvalidFile("the table has no rows below its header")
        return items


def _said(error: CallerFault) -> InvalidFile:
    """The error of a file whose name nobody knows but us."""
    return InvalidFile(error.message.replace(FILE, "the table", 1), error.field)


def table_of_answers(answers: Sequence[Mapping[str, Any]], rows: Sequence[Any], model: Model) -> bytes:
    """The answers as CSV: ids, how each row ended, what scored it, and the message of one that could not be.

    The ids are the rows' own where the model's clients want none in an answer: a line has to say whose it is.
    """
    manifest = model.artefact.manifest
    columns = [
        *dict.fromkeys([*manifest["ids"], *(manifest["response"].get("fields") or (*OUTCOME, *SCORER)), "error"])
    ]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(map(cell, columns))
    for answer, row in zip(answers, rows, strict=True):
        known = {**_ids_of(row, manifest["ids"]), **answer}
        writer.writerow([_cell(known.get(column, "")) for column in columns])
    return out.getvalue().encode()


def _ids_of(row: Any, names: Iterable[str]) -> dict[str, Any]:
    return {name: row[name] for name in names if name in row} if isinstance(row, dict) else {}


def _cell(value: Any) -> Any:
    """Sentences of a list joined, of an error its own; the rest as any CSV has it."""
    if isinstance(value, list):
        value = "; ".join(_sentences(value))
    elif isinstance(value, dict):
        value = value.get("message", "")
    return cell(value)


def _sentences(items: Iterable[Mapping[str, Any]]) -> list[str]:
    return [str(item.get("text", "")) for item in items]
