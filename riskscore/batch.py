"""Score any number of rows from a file or the database into a file, in batches, with flat memory."""

from __future__ import annotations

import csv
import json
import re
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from riskscore.atomic import replacing_file
from riskscore.engine import REASONS
from riskscore.errors import CallerFault, DataFault, InvalidFile
from riskscore.events import Refused
from riskscore.features import event
from riskscore.tables import read_csv, read_jsonl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from typing import IO

    from riskscore.dump import FaultReport
    from riskscore.engine import Engine
    from riskscore.features import FeatureRow
    from riskscore.model import Model

    # (where the row stands, its event or the error in its place)
    Items = Iterable[tuple[str, Any]]

COUNT = re.compile(r"[0-9]{1,9}([.]0*)?")  # 3.0 is how a table with gaps writes 3
BATCH_ROWS = 5_000  # enough for the first full batch to be worth loading the estimator (riskscore/model.py)
OUTPUTS = ("probability", "model_version")  # what a CSV says of a row, after its ids


class Scored(NamedTuple):
    """How many rows were scored, and how many went to the report."""

    rows: int
    faults: int


def items_of_file(path: Path, model: Model, note: Callable[[str], None]) -> Iterator[tuple[str, Any]]:
    """The events of a CSV (ids and features as columns) or a JSONL (any shape of event on each line)."""
    if path.suffix not in READERS:
        raise InvalidFile(f"{path.name}: expected a file ending in {' or '.join(READERS)}")
    for line, item in READERS[path.suffix](path, model, note):
        yield f"line {line}", item


def _csv_items(path: Path, model: Model, note: Callable[[str], None]) -> Iterator[tuple[int, Any]]:
    ids = model.artefact.manifest["ids"]
    known = (*ids, *model.artefact.manifest["observations"])
    for line, row in read_csv(path, model.contract, optional=known, note=note):
        yield line, row if isinstance(row, InvalidFile) else _csv_event(f"{path.name}, line {line}", row, model)


def _csv_event(where: str, row: dict[str, Any], model: Model) -> dict[str, Any] | InvalidFile:
    features = {name: row.pop(name) for name in model.contract.names}
    ids = {name: row[name] for name in model.artefact.manifest["ids"] if row.get(name)}
    observed = {}
    for name in model.artefact.manifest["observations"]:
        text = row.get(name, "").strip()
        if text and not COUNT.fullmatch(text):
            return InvalidFile(f"{where}, column {name}: expected a whole number, 0 or more", name)
        if text:
            observed[name] = int(text.partition(".")[0])
    return {**ids, "features": features, **observed}


def _jsonl_items(path: Path, _: Model, __: Callable[[str], None]) -> Iterator[tuple[int, Any]]:
    return read_jsonl(path)


READERS: dict[str, Callable[[Path, Model, Callable[[str], None]], Iterator[tuple[int, Any]]]] = {
    ".csv": _csv_items,
    ".jsonl": _jsonl_items,
}


def items_of_rows(rows: Iterable[FeatureRow]) -> Iterator[tuple[str, Any]]:
    """The events of rows from the database; a faulty ledger's place is taken by its fault."""
    for row in rows:
        ids = ", ".join(row.ids.values())
        yield ids, DataFault(row.fault) if row.fault else event(row)


def score_file(engine: Engine, model: Model, items: Items, output: Path, faults: FaultReport) -> Scored:
    """Score all items into a CSV (ids, probability, model version) or a JSONL (whole answers).

    A row that can't be scored goes to the report, and into a JSONL as the invalid answer in its place.
    """
    if output.suffix not in WRITERS:
        raise InvalidFile(f"{output.name}: expected a file ending in {' or '.join(WRITERS)}")
    rows = 0
    with replacing_file(output) as file:
        write, most = WRITERS[output.suffix](file, model.artefact.manifest["ids"])
        reasons = {"reasons": min(most, len(model.contract.names))}
        for places, answers in _answers(engine, model.name, items, reasons):
            for place, answer in zip(places, answers, strict=True):
                write(answer)
                if answer["outcome"] == "invalid":
                    faults.write({"row": place}, answer["error"]["message"])
                else:
                    rows += 1
    return Scored(rows, faults.count)


def _answers(
    engine: Engine, model: str, items: Items, reasons: dict[str, int]
) -> Iterator[tuple[list[str], list[dict[str, Any]]]]:
    """The items' places and answers, batch by batch."""
    remaining = iter(items)
    while batch := list(islice(remaining, BATCH_ROWS)):
        sound = [item for _, item in batch if not isinstance(item, CallerFault)]
        scored = iter(engine.score(sound, {"model": model, **reasons}))
        answers = [
            Refused(item, model=model).answer() if isinstance(item, CallerFault) else next(scored) for _, item in batch
        ]
        yield [place for place, _ in batch], answers


def _csv_writer(file: IO[str], ids: list[str]) -> tuple[Callable[[dict[str, Any]], None], int]:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*ids, *OUTPUTS])

    def write(answer: dict[str, Any]) -> None:
        if answer["outcome"] != "invalid":
            writer.writerow([*(answer.get(name, "") for name in ids), *(answer[name] for name in OUTPUTS)])

    return write, 0


def _jsonl_writer(file: IO[str], _: list[str]) -> tuple[Callable[[dict[str, Any]], None], int]:
    encode = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode

    def write(answer: dict[str, Any]) -> None:
        file.write(encode(answer) + "\n")

    return write, REASONS  # as many in a batch as a single row gets


WRITERS = {".csv": _csv_writer, ".jsonl": _jsonl_writer}
