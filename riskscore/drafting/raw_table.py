"""Any table file, CSV or parquet, as columns of texts: each distinct text once, and which of them stands in each row.

Whoever has a million rows has few distinct texts, or looks at them by pyarrow's kernels: nothing here loops over cells.
A person's values never reach a message: it names the file, the line (the row, of a parquet) and the column.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from riskscore.errors import InvalidFile
from riskscore.sources.csv_lines import count_fault, csv_header, csv_lines
from riskscore.sources.parquet_columns import filled_rows, is_text, parquet_file, plain_column, tell_blank

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    Step = Callable[[int], object]

BLOCK = 20_000  # rows read before they are packed
HINT = "; columns are separated by comma, semicolon or tab"


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
    """A file's columns by name, in its order. lines: where each row begins; unit: `line`, or `row` of a parquet.

    notes: what was passed over, in sentences. header: the line of a CSV's header. texts: the columns of a typed file
    that hold texts -> whether blanks stood around some.
    """

    name: str
    columns: dict[str, Column]
    lines: array[int]
    unit: str
    notes: list[str] = field(default_factory=list)
    header: int = 0
    texts: dict[str, bool] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return len(self.lines)

    def place(self, row: int) -> str:
        """Where a row stands, for a sentence."""
        return f"{self.name}, {self.unit} {self.lines[row]}"


def read_table(path: Path, target: str, step: Step = lambda _: None) -> TableFile:
    """The whole file; raises InvalidFile where it can't be read. target: a column that has to be there.

    step: told how many rows were read since.
    """
    if path.suffix.lower() not in READERS:
        raise InvalidFile(f"{path.name}: expected a file ending in {' or '.join(READERS)}")
    table = READERS[path.suffix.lower()](path, target, step)
    if target not in table.columns:
        place, hint = (f", line {table.header}", HINT) if table.header else ("", "")
        raise InvalidFile(f"{path.name}{place}: column {target} is missing{hint}", target)
    if not table.rows:
        raise InvalidFile(f"{path.name} has a header and no rows")
    return table


def _read_csv(path: Path, target: str, step: Step) -> TableFile:
    notes: list[str] = []
    rows = csv_lines(path, {target}, notes.append)
    begin, names = next(rows)
    header = csv_header(path, begin, names, (), {})
    begins = array("q")
    packed = [
        [pa.array(cells, pa.string()) for cells in zip(*block, strict=True)]
        for block in _blocks(path, header, rows, begins, step)
    ]
    columns = {
        name: _encoded(pa.chunked_array([block[k] for block in packed], pa.string())) for k, name in enumerate(header)
    }
    return TableFile(path.name, columns, begins, "line", notes, begin)


def _blocks(
    path: Path, header: list[str], rows: Iterator[tuple[int, Any]], begins: array[int], step: Step
) -> Iterator[list[list[str]]]:
    """The rows, some thousands at a time; notes on which line each begins."""
    block: list[list[str]] = []
    for line, cells in rows:
        fault = cells if isinstance(cells, InvalidFile) else count_fault(path, line, header, cells)
        if fault:
            raise fault
        block.append(cells)
        begins.append(line)
        if len(block) == BLOCK:
            yield block
            step(len(block))
            block = []
    if block:
        yield block
        step(len(block))


def _encoded(chunks: pa.ChunkedArray) -> Column:
    """Texts without the blanks around them, a null as "", each once."""
    if not chunks.length():
        return Column(pa.array([], pa.string()), np.empty(0, np.int32))
    plain = pc.utf8_trim_whitespace(pc.fill_null(chunks, ""))
    encoded = plain.combine_chunks().dictionary_encode()
    return Column(encoded.dictionary, encoded.indices.to_numpy(zero_copy_only=False))


def _read_parquet(path: Path, _target: str, step: Step) -> TableFile:
    with parquet_file(path) as file:
        table = file.read()
    names = table.column_names
    twice = [name for k, name in enumerate(names) if name in names[:k]]
    if twice:
        raise InvalidFile(f"{path.name}: column {twice[0]} appears twice", twice[0])
    plain = {name: plain_column(path, name, table.column(name)) for name in names}
    filled = filled_rows(plain.values())
    filled = np.ones(table.num_rows, bool) if filled is None else filled
    columns = {name: _encoded(_as_texts(path, name, column.filter(filled))) for name, column in plain.items()}
    texts = {name: _is_padded(table.column(name), plain[name]) for name in names if is_text(table.column(name).type)}
    notes: list[str] = []
    tell_blank(path, (np.flatnonzero(~filled) + 1).tolist(), notes.append)
    step(table.num_rows)
    numbers = array("q", (np.flatnonzero(filled) + 1).tolist())
    return TableFile(path.name, columns, numbers, "row", notes, texts=texts)


def _is_padded(column: pa.ChunkedArray, plain: pa.ChunkedArray) -> bool:
    """Whether blanks were taken off some text."""
    return bool(pc.any(pc.not_equal(column.cast(plain.type), plain)).as_py())


def _as_texts(path: Path, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A typed column as a CSV would hold it."""
    try:
        return column.cast(pa.string())
    except pa.ArrowException:
        raise InvalidFile(f"{path.name}: column {name} holds {column.type}, which isn't a single value", name) from None


READERS: dict[str, Callable[[Path, str, Step], TableFile]] = {".csv": _read_csv, ".parquet": _read_parquet}
