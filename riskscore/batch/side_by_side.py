"""Several models, or versions of one, on the same rows: their scores beside each other, and how far they agree."""

from __future__ import annotations

import csv
import json
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, NamedTuple

from riskscore.atomic import replacing_file
from riskscore.batch.files import Scored, answers
from riskscore.contract.spreadsheets import cell
from riskscore.errors import InvalidFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from riskscore.batch.files import Items
    from riskscore.database.dump import FaultReport
    from riskscore.scoring.engine import Engine
    from riskscore.scoring.model import Model

    Answer = Mapping[str, Any]
    Placed = tuple[str, list[Answer]]  # where a row stands, and what each model answers

SHOWN = ("probability", "prediction", "outcome")  # of each model, in a CSV


class Scorer(NamedTuple):
    """A model among several. label: what its columns are called; items: the rows as this model reads them."""

    label: str
    model: Model
    engine: Engine
    items: Items


def side_by_side(scorers: Sequence[Scorer]) -> Iterator[Placed]:
    """Each row with every model's answer. Raises InvalidFile where the models don't read the same rows.

    They needn't have the same features; a row that one of them can't score has its refusal there.
    """
    streams = [answers(scorer.engine, scorer.model.name, scorer.items, {"reasons": 0}) for scorer in scorers]
    for found in zip_longest(*streams, fillvalue=("the end", None, {})):
        places = [place for place, _, _ in found]
        for scorer, place in zip(scorers, places, strict=True):
            if place != places[0]:
                raise InvalidFile(
                    f"{scorers[0].label} and {scorer.label} read other rows of the source, or in another order: they"
                    " can't be compared row by row"
                )
        yield places[0], [answer for _, _, answer in found]


def score_side_by_side(scorers: Sequence[Scorer], output: Path, faults: FaultReport) -> Scored:
    """Score the rows by every model into a .csv, with columns for each, or a .jsonl with each one's answer."""
    if output.suffix not in (".csv", ".jsonl"):
        raise InvalidFile(f"{output.name}: scores of several models go into a file ending in .csv or .jsonl")
    ids = list(dict.fromkeys(name for scorer in scorers for name in scorer.model.artefact.manifest["ids"]))
    rows = referred = 0
    with replacing_file(output) as file:
        writer = csv.writer(file, lineterminator="\n")
        if output.suffix == ".csv":
            writer.writerow(map(cell, [*ids, *(f"{scorer.label}_{name}" for scorer in scorers for name in SHOWN)]))
        for place, found in side_by_side(scorers):
            known = {name: next((answer[name] for answer in found if name in answer), "") for name in ids}
            refused = _refused(scorers, found)
            if refused:
                faults.write({"row": place} | known, refused)
            if output.suffix == ".jsonl":
                line = {**known, "models": dict(zip((scorer.label for scorer in scorers), found, strict=True))}
                file.write(json.dumps(line, allow_nan=False, ensure_ascii=False, separators=(",", ":")) + "\n")
            elif any("probability" in answer for answer in found):
                writer.writerow([cell(value) for value in (*known.values(), *_cells(found))])
            rows += not refused
            referred += any(answer["outcome"] == "refer" for answer in found)
    return Scored(rows, faults.count, referred)


def _cells(found: Sequence[Answer]) -> list[Any]:
    return ["" if answer.get(name) is None else answer[name] for answer in found for name in SHOWN]


def _refused(scorers: Sequence[Scorer], found: Sequence[Answer]) -> str:
    """Which models can't score a row, and why; "" where all can."""
    pairs = zip(scorers, found, strict=True)
    return "; ".join(
        f"{s.label}: {answer['error']['message']}" for s, answer in pairs if answer["outcome"] == "invalid"
    )
