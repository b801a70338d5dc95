"""Scores and groups of the same people, joined by their ids; the groups are kept no longer than the audit takes."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from riskscore.cli import counted
from riskscore.contract.spreadsheets import cell
from riskscore.drafting.raw_table import READERS
from riskscore.errors import InvalidFile
from riskscore.sources.tables import read_jsonl

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

ANSWER = ("probability", "prediction", "outcome", "points", "reasons", "warnings", "model", "model_version", "engine")
WHOLE = re.compile(r"([0-9]+)[.]0+")
TRUE, FALSE = ("1", "1.0", "true"), ("0", "0.0", "false")
FEWEST_JOINED = 0.5  # of the scores: fewer are other people's groups, or other ids
UNTOLD = -1  # an outcome that isn't known yet


class Rows(NamedTuple):
    """A table of texts. columns: by name; places: where each row stands, for a sentence."""

    name: str
    columns: dict[str, list[str]]
    places: list[str]

    def column(self, name: str, what: str) -> list[str]:
        if name not in self.columns:
            there = ", ".join(self.columns)
            raise InvalidFile(f"{self.name} has no column {name} for {what}; there is {there}", name)
        return self.columns[name]


class Joined(NamedTuple):
    """Scored people whose groups are known. outcomes: 1, 0, or UNTOLD; None where no column has them.

    groups: by column, a text for each person, "" where it isn't known. without: scores that no group was found for;
    unscored: rows of the scores that have no probability. predicted: 1 where the scores predict 1; None where they
    don't say.
    """

    probabilities: Floats
    outcomes: NDArray[np.int8] | None
    predicted: NDArray[np.int8] | None
    groups: dict[str, list[str]]
    ids: tuple[str, ...]
    without: int
    unscored: int


def read_rows(path: Path) -> Rows:
    """A .csv, .parquet or .jsonl as texts. Raises InvalidFile where it can't be read."""
    if path.suffix.lower() == ".jsonl":
        return _of_jsonl(path)
    if path.suffix.lower() not in READERS:
        raise InvalidFile(f"{path.name}: expected a file ending in .csv, .parquet or .jsonl")
    table = READERS[path.suffix.lower()](path, "", lambda _: None)
    columns = {name: np.array(found.texts.to_pylist(), object)[found.codes] for name, found in table.columns.items()}
    places = [table.place(row) for row in range(table.rows)]
    return Rows(path.name, {name: texts.tolist() for name, texts in columns.items()}, places)


def _of_jsonl(path: Path) -> Rows:
    places, objects = [], []
    for line, found in read_jsonl(path):
        place = f"{path.name}, line {line}"
        if isinstance(found, InvalidFile):
            raise found
        if not isinstance(found, dict):
            raise InvalidFile(f"{place}: expected an object, as riskscore score writes it")
        places.append(place)
        objects.append({name: _text(value) for name, value in found.items() if not isinstance(value, (dict, list))})
    names = dict.fromkeys(name for entry in objects for name in entry)
    return Rows(path.name, {name: [entry.get(name, "") for entry in objects] for name in names}, places)


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()


def join(
    scores: Rows, groups: Rows, ids: Sequence[str], columns: Sequence[str], outcome: str, probability: str
) -> Joined:
    """Bring the two tables together. ids, columns: () for what their names say.

    Raises InvalidFile, with one sentence that has nobody's value, where they can't be.
    """
    values = scores.column(probability, "the probability")
    ids = tuple(ids) or _common_ids(scores, groups, outcome, columns)
    columns = tuple(columns) or tuple(name for name in groups.columns if name not in (*ids, outcome))
    if not columns:
        raise InvalidFile(f"{groups.name} has no column beside {', '.join(ids)} that could hold groups")
    told = groups.column(outcome, "the outcome") if outcome else None
    for name in columns:
        groups.column(name, "a group")
    places, people = _keys(scores, ids), {key: row for row, key in enumerate(_keys(groups, ids))}
    numbers = [_probability(scores, row, text) for row, text in enumerate(values)]
    scored = [row for row, number in enumerate(numbers) if number is not None]
    pairs = [(row, people[places[row]]) for row in scored if places[row] in people]
    _check_joined(scores, groups, ids, len(pairs), len(scored))
    of_scores, of_groups = [row for row, _ in pairs], [row for _, row in pairs]
    predicted = scores.columns.get("prediction")
    return Joined(
        np.array([numbers[row] for row in of_scores]),
        None if told is None else np.array([_truth(groups, row, outcome, told[row]) for row in of_groups], np.int8),
        None
        if predicted is None
        else np.array([_truth(scores, row, "prediction", predicted[row]) for row in of_scores]),
        {name: [groups.columns[name][row] for row in of_groups] for name in columns},
        ids,
        len(scored) - len(pairs),
        len(values) - len(scored),
    )


def _common_ids(scores: Rows, groups: Rows, outcome: str, columns: Sequence[str]) -> tuple[str, ...]:
    common = tuple(n for n in scores.columns if n in groups.columns and n not in (*ANSWER, outcome, *columns))
    if not common:
        raise InvalidFile(f"{scores.name} and {groups.name} have no id column in common; --id COLUMN names one of both")
    return common


def _keys(rows: Rows, ids: Sequence[str]) -> list[tuple[str, ...]]:
    """The ids of each row, once each has them and no two have the same."""
    columns = [[_id(text) for text in rows.column(name, "the id")] for name in ids]
    keys, seen = list(zip(*columns, strict=True)), dict[tuple[str, ...], int]()
    for row, key in enumerate(keys):
        if not all(key):
            raise InvalidFile(f"{rows.places[row]}: column {ids[key.index('')]}: an id is missing", ids[key.index("")])
        first = seen.setdefault(key, row)
        if first != row:
            raise InvalidFile(
                f"{rows.places[row]}: the same {' and '.join(ids)} as in {rows.places[first].rpartition(', ')[2]};"
                f" {counted(len(keys) - len({*keys}), 'row')} in all repeat an earlier one",
                ids[0],
            )
    return keys


def _id(text: str) -> str:
    """7.0 is how a table with gaps holds 7; an apostrophe is what a CSV of scores has before a formula."""
    text = WHOLE.sub(r"\1", text) if WHOLE.fullmatch(text) else text
    return text[1:] if text[:1] == "'" and cell(text[1:]) == text else text


def _probability(scores: Rows, row: int, text: str) -> float | None:
    """None where the row wasn't scored."""
    if not text:
        return None
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not 0 <= found <= 1:
        raise InvalidFile(f"{scores.places[row]}: expected a probability between 0 and 1")
    return found


def _truth(rows: Rows, row: int, column: str, text: str) -> int:
    said = text.lower()
    if said and said not in (*TRUE, *FALSE):
        raise InvalidFile(f"{rows.places[row]}, column {column}: expected 1, 0 or nothing", column)
    return UNTOLD if not said else int(said in TRUE)


def _check_joined(scores: Rows, groups: Rows, ids: Sequence[str], joined: int, scored: int) -> None:
    by = " and ".join(ids)
    if not scored:
        raise InvalidFile(f"{scores.name} has no row with a probability")
    if not joined:
        raise InvalidFile(f"no row of {scores.name} has its {by} in {groups.name}")
    if joined < FEWEST_JOINED * scored:
        few = f"only {joined:,} of {counted(scored, 'row')} of {scores.name} have their {by} in {groups.name}"
        raise InvalidFile(f"{few}; an audit needs {FEWEST_JOINED:.0%}")
