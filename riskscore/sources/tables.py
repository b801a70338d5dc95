"""Rows from files, CSV and JSONL, with the line each begins on: what training, scoring and tests read.

A CSV cell is text; the contract says what it has to be. An empty cell is a missing value. A row that can't be
read is yielded as the error that says so, in its place, so that the reader decides whether to go on.
"""

from __future__ import annotations

import csv
import json
import re
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from riskscore.errors import InvalidFile
from riskscore.sources.csv_lines import count_fault, csv_header, csv_lines, not_utf8, separator_of, silent

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from riskscore.contract.contract import Contract
    from riskscore.contract.feature import Feature
    from riskscore.sources.csv_lines import Note

NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
TRUTHS = {"true": True, "false": False, "1": True, "0": False}


class Layout(NamedTuple):
    """delimiter: between cells; skip: lines before the header; columns: its cells, "" for one without a name."""

    delimiter: str
    skip: int
    columns: list[str]


def read_csv(
    path: Path,
    contract: Contract,
    required: Sequence[str] = (),
    optional: Sequence[str] = (),
    note: Note = silent,
    aliases: Mapping[str, str] | None = None,
) -> Iterator[tuple[int, dict[str, Any] | InvalidFile]]:
    """(line number, row) for each row; features as JSON values by the contract's types, other columns as text.

    Columns in any order, separated by comma, semicolon or tab. required, optional: columns beside the features.
    aliases: other spellings of the header's names -> ours. note: told of the columns that are none of these.
    The error in the place of a row with a wrong cell has the other columns as its ids.
    Raises InvalidFile where the file as a whole can't be read.
    """
    lines = csv_lines(path, {*contract.names, *(aliases or {})}, note)
    begin, names = next(lines)
    header = csv_header(path, begin, names, [*contract.required, *required], aliases or {})
    unused(path, [name for name in header if name not in contract and name not in (*required, *optional)], note)
    kinds = [reader_of(contract.feature(name)) if name in contract else None for name in header]
    for line, cells in lines:
        yield line, cells if isinstance(cells, InvalidFile) else _row(path, line, header, kinds, cells)


def check_csv(
    path: Path, aliases: Mapping[str, str], names: Collection[str] = (), note: Note = silent
) -> tuple[Layout, list[str]]:
    """How a file that is sound to its last line is laid out, and its columns' names, ours; InvalidFile otherwise."""
    known = {*names, *aliases, *aliases.values()}
    lines = csv_lines(path, known, note)
    begin, cells = next(lines)
    header = csv_header(path, begin, cells, (), aliases)
    for line, cells in lines:
        fault = cells if isinstance(cells, InvalidFile) else count_fault(path, line, header, cells)
        if fault:
            raise fault
    with open(path, encoding="utf-8-sig", newline="") as file:
        delimiter, skip = separator_of(path, file, known)
        file.seek(0)
        return Layout(delimiter, skip, next(csv.reader(islice(file, skip, None), delimiter=delimiter))), header


def unused(path: Path, names: Sequence[str], note: Callable[[str], None]) -> None:
    """Tell of the columns of a file that nobody asked for."""
    if names:
        note(f"{path.name}: columns not used: {', '.join(names[:5])}{' ...' if len(names) > 5 else ''}")


def _row(
    path: Path, line: int, header: list[str], kinds: Sequence[Callable[[str], Any] | None], cells: list[str]
) -> dict[str, Any] | InvalidFile:
    fault = count_fault(path, line, header, cells)
    if fault:
        return fault
    row: dict[str, Any] = {}
    for name, kind, cell in zip(header, kinds, cells, strict=True):
        try:
            row[name] = kind(cell.strip()) if kind else cell
        except ValueError as error:
            fault = InvalidFile(f"{path.name}, line {line}, column {name}: expected {error}", name)
            fault.ids = {name: cell for name, kind, cell in zip(header, kinds, cells, strict=True) if not kind}
            return fault
    return row


def reader_of(feature: Feature) -> Callable[[str], Any]:
    """What makes a JSON value of a feature's cells. A contract that takes text gets them as they are."""
    kind = _KINDS[feature.type] if feature.parse == "strict" else _text
    codes = frozenset(code for code in feature.missing if isinstance(code, str))
    return (lambda cell: cell if cell in codes else kind(cell)) if codes else kind


def _number(cell: str) -> float | None:
    if not cell:
        return None
    if not NUMBER.fullmatch(cell):
        raise ValueError("a number")
    return float(cell)


def _truth(cell: str) -> bool | None:
    if not cell:
        return None
    if cell.lower() not in TRUTHS:
        raise ValueError("true or false")
    return TRUTHS[cell.lower()]


def _text(cell: str) -> str | None:
    return cell or None


_KINDS: dict[str, Callable[[str], Any]] = {
    "number": _number,
    "integer": _number,
    "boolean": _truth,
    "category": _text,
}


def read_jsonl(path: Path) -> Iterator[tuple[int, Any]]:
    """(line number, event) for each line that holds something; an InvalidFile in the place of one that isn't JSON."""
    with open(path, encoding="utf-8-sig") as file:
        try:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, _json(path, number, line)
        except UnicodeDecodeError:
            raise not_utf8(path) from None


def _json(path: Path, number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return InvalidFile(f"{path.name}, line {number}: not a JSON value")
