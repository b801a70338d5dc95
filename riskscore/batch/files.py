"""Score any number of rows from any source into a file, in batches, with flat memory."""

from __future__ import annotations

import csv
import json
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from riskscore.atomic import replacing_file
from riskscore.cli import counted
from riskscore.contract.contract import PREDICTED
from riskscore.contract.spreadsheets import cell
from riskscore.errors import CallerFault, InvalidFile
from riskscore.scoring.events import Refused, sound_ids
from riskscore.scoring.pipeline import REASONS, with_predicted
from riskscore.sources.results import sqlite_output
from riskscore.sources.sources import file_of, kind_of, placed_rows, spec_of_model
from riskscore.sources.sqlite_output import SCHEME, sqlite_path
from riskscore.sources.tables import read_jsonl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from riskscore.database.dump import FaultReport
    from riskscore.scoring.engine import Engine
    from riskscore.scoring.model import Model
    from riskscore.sources.source_readers import SourceSpec
    from riskscore.sources.sources import SourceRow

    # (where the row stands, its event or a Refused in its place)
    Items = Iterable[tuple[str, Any]]
    Note = Callable[[str], None]
    Answer = Mapping[str, Any]
    # How a row and its answer are written, and how many reasons the answer has at most.
    Writing = tuple[Callable[[Any, Answer], None], int]

PREDICTIONS = "out/{model}/predictions.csv"  # where scores go if nobody says where, beside the folder of models
BATCH_ROWS = 5_000  # enough for the first full batch to be worth loading the estimator (riskscore/scoring/model.py)
OUTPUTS = (
    "probability",
    "model_version",
)  # what a CSV says of a row, after its ids, unless [response] names its columns


class Scored(NamedTuple):
    """How many rows were scored, how many went to the report, and how many of the scored need manual review."""

    rows: int
    faults: int
    referred: int


def items_of_file(path: Path, model: Model, note: Note) -> Iterator[tuple[str, Any]]:
    """The events of all rows of a table (ids and features as columns), or of a JSONL (any shape of event on a line)."""
    return every_item(path, spec_of_model(model), note)


def every_item(url: str | Path, spec: SourceSpec, note: Note) -> Iterator[tuple[str, Any]]:
    """The events of all rows of a source, whether they have a label or not."""
    if kind_of(url) == ".jsonl":
        return _lines(file_of(url))
    return map(_item, placed_rows(url, spec, note))


def items_to_score(url: str | Path, spec: SourceSpec, note: Note) -> Iterator[tuple[str, Any]]:
    """The events of a source's rows. Of a table that holds the model's target, the rows where it is empty.

    Where no row lacks it, all are scored, and it is ignored; note is told. A JSONL's lines are events, whatever they
    hold.
    """
    if kind_of(url) == ".jsonl":
        yield from _lines(file_of(url))
        return
    rows = placed_rows(url, spec, note)
    labelled, faults = 0, list[Any]()
    for place, row in rows:
        if isinstance(row, CallerFault):
            faults.append((place, row))
        elif row.label is None:
            yield from _without_label(chain(faults, [(place, row)], rows), labelled, spec.target, note)
            return
        else:
            labelled += 1
    if labelled:
        note(f"every row has {spec.target}, so all rows are scored and {spec.target} is ignored")
    yield from map(_item, placed_rows(url, spec))


def items_without_label(url: str | Path, spec: SourceSpec) -> Iterator[tuple[str, Any]]:
    """The events of those of a training's rows that it left out, since they have no label."""
    return (_item(placed) for placed in placed_rows(url, spec) if _is_left(placed[1]))


def _is_left(row: SourceRow | CallerFault) -> bool:
    return isinstance(row, CallerFault) or row.label is None


def _without_label(
    rows: Iterable[tuple[str, SourceRow | CallerFault]], labelled: int, target: str, note: Note
) -> Iterator[tuple[str, Any]]:
    """labelled: how many rows were passed over already."""
    without = 0
    for place, row in rows:
        if _is_left(row):
            without += not isinstance(row, CallerFault)
            yield _item((place, row))
        else:
            labelled += 1
    if labelled:
        lack = f"{counted(without, 'row')} {'has' if without == 1 else 'have'} no `{target}` and {_are(without)} scored"
        note(f"{lack}; {labelled:,} {'has' if labelled == 1 else 'have'} one and {_are(labelled)} not")


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _lines(path: Path) -> Iterator[tuple[str, Any]]:
    for number, item in read_jsonl(path):
        yield f"line {number}", Refused(item) if isinstance(item, CallerFault) else item


def _item(placed: tuple[str, SourceRow | CallerFault]) -> tuple[str, Any]:
    place, row = placed
    return place, Refused(row, sound_ids(row.ids or {})) if isinstance(row, CallerFault) else row.event()


def report_beside(output: str | Path, url: str) -> Path:
    """The file of faults, beside the one that is written. Refused where either is the one that the rows come from."""
    into_table = str(output).startswith(SCHEME)  # adds rows, and takes none away
    written = sqlite_path(str(output)) if into_table else Path(output)
    if not written.name:
        raise InvalidFile("--output names no file")
    report = written.with_suffix(".faults.csv")
    read = None if kind_of(url).startswith("postgres") else file_of(url)
    for path in (report,) if into_table else (written, report):
        if read and path.exists() and read.exists() and path.samefile(read):
            raise InvalidFile(f"{path.name} has the rows to score and would be overwritten; name another --output")
    return report


def score_file(engine: Engine, model: Model, items: Items, output: str | Path, faults: FaultReport) -> Scored:
    """Score all items into what WRITERS knows: a CSV of [response]'s columns, a JSONL of whole answers, or a table.

    A row that can't be scored goes to the report, and into a JSONL as the invalid answer in its place.
    """
    ids, rows, referred = model.artefact.manifest["ids"], 0, 0
    with WRITERS[_kind(output)](output, model) as (write, most):
        reasons = {"reasons": min(most, len(model.contract.names))}
        for place, item, answer in answers(engine, model.name, items, reasons):
            write(item, answer)
            if answer["outcome"] == "invalid":
                faults.write({"row": place} | {name: answer.get(name, "") for name in ids}, answer["error"]["message"])
            else:
                rows += 1
                referred += answer["outcome"] == "refer"
    return Scored(rows, faults.count, referred)


def _kind(output: str | Path) -> str:
    """The key of WRITERS: the ending of a file's name, or a URL's scheme."""
    kind = str(output).partition(":")[0] if ":" in str(output) else Path(output).suffix
    if kind not in WRITERS:
        raise InvalidFile(f"{Path(output).name}: expected a file ending in .csv or .jsonl, or sqlite:///FILE")
    return kind


def answers(
    engine: Engine, model: str, items: Items, reasons: dict[str, int]
) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Each item's place, the item, and its answer."""
    remaining = iter(items)
    while batch := list(islice(remaining, BATCH_ROWS)):
        sound = [item for _, item in batch if not isinstance(item, Refused)]
        scored = iter(engine.score(sound, {"model": model, **reasons}))
        for place, item in batch:
            unread = isinstance(item, Refused)
            yield place, item, Refused(item.error, item.ids, model).answer() if unread else next(scored)


@contextmanager
def _csv_output(output: str | Path, model: Model) -> Iterator[Writing]:
    """The columns that [response] names for files, in its order and no others; without it ids, probability, version."""
    manifest = model.artefact.manifest
    columns = manifest["response"].get("columns") or {name: name for name in (*manifest["ids"], *OUTPUTS)}
    predicted = PREDICTED in columns.values()
    with replacing_file(Path(output)) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(map(cell, columns))

        def write(_: Any, answer: Answer) -> None:
            if answer["outcome"] != "invalid":
                said = with_predicted(answer) if predicted else answer
                writer.writerow([cell(said.get(ours, "")) for ours in columns.values()])

        yield write, 0


@contextmanager
def _jsonl_output(output: str | Path, _: Model) -> Iterator[Writing]:
    encode = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode
    with replacing_file(Path(output)) as file:

        def write(_: Any, answer: Answer) -> None:
            file.write(encode(answer) + "\n")

        yield write, REASONS  # as many in a batch as a single row gets


# By the ending of a file's name, or a URL's scheme.
WRITERS: dict[str, Callable[[str | Path, Model], AbstractContextManager[Writing]]] = {
    ".csv": _csv_output,
    ".jsonl": _jsonl_output,
    "sqlite": sqlite_output,
}
