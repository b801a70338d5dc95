"""CSV in and out: a table becomes the rows of one event, and the answers a table in the same order."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riskscore.batch import items_of_file
from riskscore.errors import CallerFault, TooManyRows
from riskscore.events import MAX_ROWS, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from riskscore.model import Model

OUTCOME = ("outcome", "probability", "prediction", "points", "reasons", "warnings")
SCORER = ("model", "model_version", "engine")
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would run when it opens the file


def answers_of_table(table: bytes, model: Model, answer: Callable[[Any], Any]) -> list[dict[str, Any]]:
    """One answer per row of a CSV of ids and features; a row that can't be read is invalid, in its place.

    answer: scores an event of many rows. Raises InvalidFile where the table as a whole can't be read, TooManyRows.
    """
    items = _items(table, model)
    sound = [item for item in items if not isinstance(item, CallerFault)]
    answers = answer({"instances": sound, "model": model.name}) if sound else []
    if isinstance(answers, dict):  # refused as a whole
        return [answers]
    scored = iter(answers)
    return [
        Refused(item, model=model.name).answer() if isinstance(item, CallerFault) else next(scored) for item in items
    ]


def _items(table: bytes, model: Model) -> list[Any]:
    with tempfile.TemporaryDirectory(prefix="riskscore-") as folder:
        path = Path(folder) / "table.csv"
        path.write_bytes(table)
        items = []
        for _, item in items_of_file(path, model, note=lambda _: None):
            items.append(item)
            if len(items) > MAX_ROWS:
                raise TooManyRows(f"the table has more than {MAX_ROWS:,} rows; at most so many are scored at once")
        return items


def table_of_answers(answers: Sequence[Mapping[str, Any]], model: Model) -> bytes:
    """The answers as CSV: ids, how each row ended, what scored it, and the message of one that could not be."""
    manifest = model.artefact.manifest
    columns = [
        *dict.fromkeys([*manifest["ids"], *(manifest["response"].get("fields") or (*OUTCOME, *SCORER)), "error"])
    ]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(answer.get(column, "")) for column in columns] for answer in answers)
    return out.getvalue().encode()


def _cell(value: Any) -> Any:
    """Numbers as they are, sentences of a list joined; an id that a spreadsheet would run is made a text."""
    if isinstance(value, list):
        return "; ".join(_sentences(value))
    if isinstance(value, dict):
        return value.get("message", "")
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _sentences(items: Iterable[Mapping[str, Any]]) -> list[str]:
    return [str(item.get("text", "")) for item in items]
