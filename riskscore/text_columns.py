"""Any table file, CSV or parquet, as columns of texts: each distinct text once, and which of them stands in each row.

Whoever has a million rows has few distinct texts, or looks at them by pyarrow's kernels: nothing here loops over cells.
A person's values never reach a message: it names the file, the line (the row, of a parquet) and the column.
"""

from __future__ import annotations

import csv
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from riskscore.errors import InvalidFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    Step = Callable[[int], object]

DELIMITERS = ",;\t"
BLOCK = 20_000  # rows read before they are packed
PARQUET = (".parquet", ".pq")


@dataclass(frozen=True)
class Column:
    """texts: the distinct ones, in order of their first row, without blanks around. codes: int32 (n,) into them."""

    texts: pa.StringArray
    codes: NDArray[np.int32]

    def counts(self, rows: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
        """How many rows hold each text; rows: only among these."""
        codes = self.codes if rows is None else self.codes[rows]
        return np.bincount(codes, minlength=len(self.texts))


@dataclass(frozen=True)
class TableFile:
    """A file's columns by name, in its order. lines: the line on which each row begins; delimiter: "" of a parquet."""

    name: str
    columns: dict[str, Column]
    lines: array[int]
    delimiter: str

    @property
    def rows(self) -> int:
        return len(self.lines)

    def place(self, row: int) -> str:
        """Where a row stands, for a sentence."""
        return f"{self.name}, {'line' if self.delimiter else 'row'} {self.lines[row]}"


def read_table(path: Path, target: str, step: Step = lambda _: None) -> TableFile:
    """The whole file; raises InvalidFile where it can't be read. target: a column that has to be there.

    step: told how many rows were read since.
    """
    table = _read_parquet(path) if path.suffix.lower() in PARQUET else _read_csv(path, target, step)
    if target not in table.columns:
        hint = "; columns are separated by comma, semicolon or tab" if table.delimiter else ""
        raise InvalidFile(f"{path.name}{', line 1' if hint else ''}: column {target} is missing{hint}", target)
    if not table.rows:
        raise InvalidFile(f"{path.name} has a header and no rows")
    return table


def _read_csv(path: Path, target: str, step: Step) -> TableFile:
    try:
        delimiter = max(DELIMITERS, key=lambda mark: _fit(_first(path, mark), target))
        with open(path, encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file, delimiter=delimiter, strict=True)
            header = _header(path, lines)
            begins = array("q")
            packed = [
                [pa.array(cells, pa.string()) for cells in zip(*block, strict=True)]
                for block in _blocks(path, lines, len(header), begins, step)
            ]
    except UnicodeDecodeError:
        raise InvalidFile(_not_utf8(path)) from None
    columns = {
        name: _encoded(pa.chunked_array([block[k] for block in packed], pa.string())) for k, name in enumerate(header)
    }
    return TableFile(path.name, columns, begins, delimiter)


def _first(path: Path, delimiter: str) -> list[str]:
    """The header, were this the separator; [] where its quotes then make no sense."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        try:
            return [cell.strip() for cell in next(csv.reader(file, delimiter=delimiter, strict=True), [])]
        except csv.Error:
            return []


def _fit(cells: list[str], target: str) -> tuple[bool, int]:
    return target in cells, len(cells)


def _header(path: Path, lines: Any) -> list[str]:
    """The names of the columns; one of them may be empty, as where a data frame's index was written along."""
    try:
        cells = [cell.strip() for cell in next(lines, [])]
    except csv.Error:
        raise InvalidFile(f"{path.name}, line 1: broken quoting") from None
    if not any(cells):
        raise InvalidFile(f"{path.name} is empty; expected a header line with column names")
    _check_names(f"{path.name}, line 1", cells)
    return cells


def _check_names(where: str, names: list[str]) -> None:
    for name in (name for k, name in enumerate(names) if name in names[:k]):
        raise InvalidFile(
            f"{where}: {f'column {name}' if name else 'a column without a name'} stands there twice", name
        )


def _blocks(path: Path, lines: Any, width: int, begins: array[int], step: Step) -> Iterator[list[list[str]]]:
    """The rows, some thousands at a time; notes on which line each begins."""
    block: list[list[str]] = []
    for line, cells in _rows(path, lines):
        if len(cells) != width:
            raise InvalidFile(f"{path.name}, line {line}: {len(cells)} cells, but the header has {width}")
        block.append(cells)
        begins.append(line)
        if len(block) == BLOCK:
            yield block
            step(len(block))
            block = []
    if block:
        yield block
        step(len(block))


def _rows(path: Path, lines: Any) -> Iterator[tuple[int, list[str]]]:
    """(the line it begins on, cells) of every row that holds something."""
    line = lines.line_num + 1
    try:
        for cells in lines:
            if cells:
                yield line, cells
            line = lines.line_num + 1
    except csv.Error:
        raise InvalidFile(f"{path.name}, line {line}: broken quoting") from None


def _encoded(chunks: pa.ChunkedArray) -> Column:
    """Texts without the blanks around them, a null as "", each once."""
    if not chunks.length():
        return Column(pa.array([], pa.string()), np.empty(0, np.int32))
    plain = pc.utf8_trim_whitespace(pc.fill_null(chunks, ""))
    encoded = plain.combine_chunks().dictionary_encode()
    return Column(encoded.dictionary, encoded.indices.to_numpy(zero_copy_only=False))


def _not_utf8(path: Path) -> str:
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return f"{path.name}, line {number}: not UTF-8 text; save the file as UTF-8 (iconv -f LATIN1 -t UTF-8)"
    return f"{path.name} is not UTF-8 text"


def _read_parquet(path: Path) -> TableFile:
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise
        raise InvalidFile(f"{path.name} is no parquet file") from None
    names = table.column_names
    _check_names(path.name, names)
    columns = {name: _encoded(_as_texts(path, name, table.column(name))) for name in names}
    return TableFile(path.name, columns, array("q", range(1, table.num_rows + 1)), "")


def _as_texts(path: Path, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A typed column as a CSV would hold it."""
    try:
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        return column.cast(pa.string())
    except pa.ArrowException:
        raise InvalidFile(f"{path.name}: column {name} holds {column.type}, which is no single value", name) from None
