"""The lines of a CSV as people and spreadsheets write it: any usual separator, and what stands around the table.

Passed over, and told: rows in which nothing stands, columns without a name, a first line that names the separator. A
last row that adds up the others is an error in its place. A person's values never reach a message.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any

from riskscore.cli import counted
from riskscore.errors import InvalidFile

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    Cells = list[str] | InvalidFile
    Note = Callable[[str], None]

DELIMITERS = ",;\t"
SEPARATOR = re.compile(r'(?i:"?sep=(\\t|.)"?)[,;\t]*')  # how a file tells Excel its separator
TOTAL = re.compile(r"(?i:\s*(grand |sub)?(totals?|sum|summe|gesamt(summe)?|insgesamt|somme|suma|totale|totaal) *:?\s*)")


def silent(_: str) -> None:
    """Tell nobody."""


def csv_lines(path: Path, names: Collection[str], note: Note = silent) -> Iterator[tuple[int, Cells]]:
    """(line it begins on, cells) of the header and of each row. names: some that the header should have.

    Rows in which nothing stands and columns without a name are passed over; note is told of them at the end.
    """
    with open(path, encoding="utf-8-sig", newline="") as file:
        try:
            delimiter, skip = separator_of(path, file, names)
            file.seek(0)
            lines = csv.reader(islice(file, skip, None), delimiter=delimiter, strict=True)
            yield from _with_content(path, _numbered(path, lines, skip), note)
        except UnicodeDecodeError:
            raise not_utf8(path) from None


def _numbered(path: Path, lines: Any, skip: int) -> Iterator[tuple[int, Cells]]:
    line = skip + 1
    while (cells := _next(path, line, lines)) is not None:
        yield line, cells
        line = skip + lines.line_num + 1


def _with_content(path: Path, lines: Iterator[tuple[int, Cells]], note: Note) -> Iterator[tuple[int, Cells]]:
    """The lines without what spreadsheets leave around a table; an error for a last row that adds up the others."""
    line, header = next(lines, (0, list[str]()))
    if not line:
        raise _no_header(path, 0)
    if isinstance(header, InvalidFile):
        raise header
    frame = Frame(path, line, header)
    yield line, frame.names
    held: tuple[int, Cells] | None = None
    for line, cells in lines:
        sound = isinstance(cells, list) and len(cells) == frame.sound and cells[0].strip()  # at a glance: nearly all
        row_cells = cells if sound else frame.fitted(line, cells)
        if row_cells is not None:
            if held:
                yield held
            held = line, row_cells
    if held:
        yield held[0], _no_total(path, *held)
    frame.tell(note)


class Frame:
    """The columns of a CSV that have a name, and what is passed over: rows and columns in which nothing stands.

    sound: how many cells a row has that is taken as it is; no row is where some column has no name.
    """

    def __init__(self, path: Path, line: int, header: list[str]) -> None:
        self._file, self._width = path.name, len(header)
        self._named = [k for k, cell in enumerate(header) if cell.strip()]
        if not self._named:
            raise _no_header(path, line)
        self.names = [header[k] for k in self._named]
        self.sound = self._width if len(self._named) == self._width else -1
        self._nameless = {k: 0 for k, cell in enumerate(header) if not cell.strip()}
        self._blank: list[int] = []

    def fitted(self, line: int, cells: Cells) -> Cells | None:
        """The cells of the named columns, None where nothing stands in any."""
        if isinstance(cells, InvalidFile):
            return cells
        if not any(map(str.strip, cells)):
            self._blank.append(line)
            return None
        # spreadsheets write more or fewer empty cells behind the others
        if len(cells) <= self._named[-1] or any(map(str.strip, cells[self._width :])):
            return InvalidFile(f"{self._file}, line {line}: {len(cells)} cells, but the header has {self._width}")
        for k in self._nameless:
            self._nameless[k] += k < len(cells) and bool(cells[k].strip())
        return [cells[k] for k in self._named]

    def tell(self, note: Note) -> None:
        """What was passed over, in sentences."""
        blank, empty = len(self._blank), sum(not rows for rows in self._nameless.values())
        if blank:
            note(f"{self._file}: {counted(blank, 'empty row')} skipped, the first in line {self._blank[0]}")
        if empty:
            note(f"{self._file}: {counted(empty, 'column')} without a name or a value skipped")
        for k, rows in self._nameless.items():
            if rows:
                note(f"{self._file}: column {k + 1} has no name and isn't read; rows with a value in it: {rows:,}")


def _no_total(path: Path, line: int, cells: Cells) -> Cells:
    """A row below the others that adds them up is nobody's."""
    if isinstance(cells, InvalidFile) or not TOTAL.fullmatch(next(filter(str.strip, cells))):
        return cells
    return InvalidFile(f"{path.name}, line {line}, the last one, looks like a row of totals; remove it")


def separator_of(path: Path, file: Iterable[str], names: Collection[str]) -> tuple[str, int]:
    """(separator, lines before the header): the one that a first line names, as "sep=;", or else the one with which
    the header has most of the names. file: its lines, from the first on."""
    lines = iter(file)
    first = next(lines, "")
    if named := separator_in(first):
        return named, 1
    if not first.strip():
        raise _no_header(path, 1 if any(map(str.strip, lines)) else 0)
    cells = {mark: {cell.strip().strip('"') for cell in first.split(mark)} for mark in DELIMITERS}
    return max(DELIMITERS, key=lambda mark: (len(cells[mark] & {*names}), len(cells[mark]))), 0


def separator_in(first: str) -> str:
    """The separator that a file's first line tells Excel, "" where it tells none."""
    found = SEPARATOR.fullmatch(first.removeprefix("\ufeff").rstrip("\r\n"))
    return found[1].replace("\\t", "\t") if found else ""


def _no_header(path: Path, line: int) -> InvalidFile:
    """line: the blank one where the header should be; 0 where no line holds anything."""
    fault = f", line {line}, is blank" if line else " is empty"
    return InvalidFile(f"{path.name}{fault}; expected a header line with column names")


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


def csv_header(path: Path, line: int, cells: Cells, needed: Sequence[str], aliases: Mapping[str, str]) -> list[str]:
    """The names of a header's cells, ours, none twice; InvalidFile where one that is needed lacks."""
    if isinstance(cells, InvalidFile):
        raise cells
    header = [aliases.get(cell.strip(), cell.strip()) for cell in cells]
    for name in needed:
        if name not in header:
            raise InvalidFile(f"{path.name}, line {line}: column {name} is missing", name)
    twice = [name for name, count in Counter(header).items() if count > 1] if len({*header}) < len(header) else []
    if twice:
        raise InvalidFile(f"{path.name}, line {line}: column {twice[0]} appears twice", twice[0])
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
