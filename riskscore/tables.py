"""Rows from files, CSV and JSONL, with the line each stands on: what training, scoring and tests read.

A CSV cell is text; the contract says what it has to be. An empty cell is a missing value. A row that can't be
read is yielded as the error that says so, in its place, so that the reader decides whether to go on.
"""

from __future__ import annotations

import csv
import json
import re
from typing import TYPE_CHECKING, Any

from riskscore.errors import InvalidFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from riskscore.contract import Contract

NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
TRUTHS = {"true": True, "false": False, "1": True, "0": False}
DELIMITERS = ",;\t"


def read_csv(
    path: Path,
    contract: Contract,
    required: Sequence[str] = (),
    optional: Sequence[str] = (),
    note: Callable[[str], None] = lambda _: None,
) -> Iterator[tuple[int, dict[str, Any] | InvalidFile]]:
    """(line number, row) for each row; features as JSON values by the contract's types, other columns as text.

    Columns in any order, separated by comma, semicolon or tab. required, optional: columns beside the features.
    note: told of the columns that are none of these. Raises InvalidFile where the file as a whole can't be read.
    """
    with open(path, encoding="utf-8-sig", newline="") as file:
        try:
            lines = csv.reader(file, delimiter=_delimiter(path, file.readline(), contract), strict=True)
            file.seek(0)
            header = _header(path, _next(path, lines), [*contract.names, *required])
            extra = [name for name in header if name not in contract and name not in (*required, *optional)]
            if extra:
                note(f"{path.name}: columns not used: {', '.join(extra[:5])}{' ...' if len(extra) > 5 else ''}")
            kinds = [_KINDS[contract.feature(name).type] if name in contract else None for name in header]
            while (cells := _next(path, lines)) is not None:
                if cells != []:
                    yield (
                        lines.line_num,
                        cells if isinstance(cells, InvalidFile) else _row(path, lines.line_num, header, kinds, cells),
                    )
        except UnicodeDecodeError:
            raise InvalidFile(f"{path.name} is not UTF-8 text") from None


def _delimiter(path: Path, first: str, contract: Contract) -> str:
    """The separator with which the header names most of the features."""
    if not first.strip():
        raise InvalidFile(f"{path.name} is empty; expected a header line with column names")
    cells = {mark: {cell.strip().strip('"') for cell in first.split(mark)} for mark in DELIMITERS}
    return max(DELIMITERS, key=lambda mark: (len(cells[mark] & set(contract.names)), len(cells[mark])))


def _header(path: Path, cells: list[str] | InvalidFile | None, needed: Sequence[str]) -> list[str]:
    if isinstance(cells, InvalidFile):
        raise cells
    header = [cell.strip() for cell in cells or ()]
    for name in needed:
        if name not in header:
            raise InvalidFile(f"{path.name}, line 1: column {name} is missing", name)
    twice = [name for k, name in enumerate(header) if name in header[:k]]
    if twice:
        raise InvalidFile(f"{path.name}, line 1: column {twice[0]} stands there twice", twice[0])
    return header


def _next(path: Path, lines: Any) -> list[str] | InvalidFile | None:
    try:
        cells: list[str] = next(lines)
        return cells
    except StopIteration:
        return None
    except csv.Error:
        return InvalidFile(f"{path.name}, line {lines.line_num}: broken quoting")


def _row(
    path: Path, line: int, header: list[str], kinds: Sequence[Callable[[str], Any] | None], cells: list[str]
) -> dict[str, Any] | InvalidFile:
    if len(cells) != len(header):
        return InvalidFile(f"{path.name}, line {line}: {len(cells)} cells, but the header has {len(header)}")
    row: dict[str, Any] = {}
    for name, kind, cell in zip(header, kinds, cells, strict=True):
        try:
            row[name] = kind(cell.strip()) if kind else cell
        except ValueError as error:
            return InvalidFile(f"{path.name}, line {line}, column {name}: expected {error}", name)
    return row


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


_KINDS: dict[str, Callable[[str], Any]] = {"number": _number, "integer": _number, "boolean": _truth}


def read_jsonl(path: Path) -> Iterator[tuple[int, Any]]:
    """(line number, event) for each line that holds something; an InvalidFile in the place of one that isn't JSON."""
    with open(path, encoding="utf-8-sig") as file:
        try:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, _json(path, number, line)
        except UnicodeDecodeError:
            raise InvalidFile(f"{path.name} is not UTF-8 text") from None


def _json(path: Path, number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return InvalidFile(f"{path.name}, line {number}: not a JSON value")
