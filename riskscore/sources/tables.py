"""Rows from files, CSV and JSONL, with the line each begins on: what training, scoring and tests read.

A CSV cell is text; the contract says what it has to be. An empty cell is a missing value. A row that can't be
read is yielded as the error that says so, in its place, so that the reader decides whether to go on.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from riskscore.errors import InvalidFile

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from riskscore.contract.contract import Contract
    from riskscore.contract.feature import Feature

    Cells = list[str] | InvalidFile

NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
TRUTHS = {"true": True, "false": False, "1": True, "0": False}
DELIMITERS = ",;\t"


def read_csv(
    path: Path,
    contract: Contract,
    required: Sequence[str] = (),
    optional: Sequence[str] = (),
    note: Callable[[str], None] = lambda _: None,
    aliases: Mapping[str, str] | None = None,
) -> Iterator[tuple[int, dict[str, Any] | InvalidFile]]:
    """(line number, row) for each row; features as JSON values by the contract's types, other columns as text.

    Columns in any order, separated by comma, semicolon or tab. required, optional: columns beside the features.
    aliases: other spellings of the header's names -> ours. note: told of the columns that are none of these.
    The error in the place of a row with a wrong cell has the other columns as its ids.
    Raises InvalidFile where the file as a whole can't be read.
    """
    lines = csv_lines(path, {*contract.names, *(aliases or {})})
    header = csv_header(path, next(lines)[1], [*contract.required, *required], aliases or {})
    unused(path, [name for name in header if name not in contract and name not in (*required, *optional)], note)
    kinds = [_kind(contract.feature(name)) if name in contract else None for name in header]
    for line, cells in lines:
        yield line, cells if isinstance(cells, InvalidFile) else _row(path, line, header, kinds, cells)


def check_csv(path: Path, aliases: Mapping[str, str], names: Collection[str] = ()) -> tuple[str, list[str]]:
    """The separator and the header's names, ours, of a file that is sound to its last line; InvalidFile otherwise."""
    lines = csv_lines(path, {*names, *aliases, *aliases.values()})
    header = csv_header(path, next(lines)[1], (), aliases)
    for line, cells in lines:
        fault = cells if isinstance(cells, InvalidFile) else count_fault(path, line, header, cells)
        if fault:
            raise fault
    with open(path, encoding="utf-8-sig", newline="") as file:
        return _delimiter(path, file, {*names, *aliases, *aliases.values()}), header


def unused(path: Path, names: Sequence[str], note: Callable[[str], None]) -> None:
    """Tell of the columns of a file that nobody asked for."""
    if names:
        note(f"{path.name}: columns not used: {', '.join(names[:5])}{' ...' if len(names) > 5 else ''}")


def csv_lines(path: Path, names: Collection[str]) -> Iterator[tuple[int, Cells]]:
    """(line it begins on, cells) of the header and of each row that isn't blank. names: some that it should have."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        try:
            lines = csv.reader(file, delimiter=_delimiter(path, file, names), strict=True)
            file.seek(0)
            line = 1
            while (cells := _next(path, line, lines)) is not None:
                if cells != []:
                    yield line, cells
                line = lines.line_num + 1
        except UnicodeDecodeError:
            raise not_utf8(path) from None


def not_utf8(path: Path) -> InvalidFile:
    """The error of a file in another encoding, or in several: where the first line stands that isn't UTF-8."""
    with open(path, "rb") as file:
        line = next((number for number, line in enumerate(file, 1) if not _is_utf8(line)), 1)
    return InvalidFile(f"{path.name} is not UTF-8 text, first in line {line}; save it as UTF-8")


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
        return True
    except UnicodeDecodeError:
        return False


def _delimiter(path: Path, file: Iterable[str], names: Collection[str]) -> str:
    """The separator with which the header has most of the names. file: its lines, from the first on."""
    lines = iter(file)
    first = next(lines, "")
    if not first.strip():
        fault = ", line 1, is blank" if any(map(str.strip, lines)) else " is empty"
        raise InvalidFile(f"{path.name}{fault}; expected a header line with column names")
    cells = {mark: {cell.strip().strip('"') for cell in first.split(mark)} for mark in DELIMITERS}
    return max(DELIMITERS, key=lambda mark: (len(cells[mark] & {*names}), len(cells[mark])))


def csv_header(path: Path, cells: Cells, needed: Sequence[str], aliases: Mapping[str, str]) -> list[str]:
    """The names of a header's cells, ours, none twice; InvalidFile where one that is needed lacks."""
    if isinstance(cells, InvalidFile):
        raise cells
    header = [aliases.get(cell.strip(), cell.strip()) for cell in cells]
    for name in needed:
        if name not in header:
            raise InvalidFile(f"{path.name}, line 1: column {name} is missing", name)
    twice = [name for name, count in Counter(header).items() if count > 1] if len({*header}) < len(header) else []
    if twice:
        raise InvalidFile(f"{path.name}, line 1: column {twice[0] or 'without a name'} stands there twice", twice[0])
    return header


def _next(path: Path, line: int, lines: Any) -> Cells | None:
    try:
        cells: list[str] = next(lines)
        return cells
    except StopIteration:
        return None
    except csv.Error as error:
        large = f"a cell of more than {csv.field_size_limit():,} characters; a quote in it may be unclosed"
        return InvalidFile(f"{path.name}, line {line}: {large if 'limit' in str(error) else 'broken quoting'}")


def count_fault(path: Path, line: int, header: list[str], cells: list[str]) -> InvalidFile | None:
    """What is wrong with a row of more or fewer cells than the header has."""
    if len(cells) == len(header):
        return None
    return InvalidFile(f"{path.name}, line {line}: {len(cells)} cells, but the header has {len(header)}")


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


def _kind(feature: Feature) -> Callable[[str], Any]:
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
