"""The rows of a parquet file as training and scoring take them; what they hold is that of a CSV of the same table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from riskscore.errors import InvalidFile
from riskscore.sources.parquet_columns import filled_rows, is_text, parquet_file, plain_column, tell_blank
from riskscore.sources.source_readers import beside, needed, require, typed
from riskscore.sources.tables import reader_of, unused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from riskscore.sources.source_readers import Note, Record, Records, SourceSpec

BATCH_ROWS = 10_000


def read_parquet_file(path: Path, spec: SourceSpec, note: Note) -> Records:
    with parquet_file(path) as file:
        ours = _names_of_ours(path, file.schema_arrow.names, spec)
        require(path.name, ours, needed(spec))
        known = {*spec.contract.names, *beside(spec)}
        unused(path, [name for name in ours if name not in known], note)
        ours = {our: name for our, name in ours.items() if our in known}
        kinds = [_reader(spec, our, file.schema_arrow.field(name).type) for our, name in ours.items()]
        for number, cells in _parquet_rows(path, file, list(ours.values()), note):
            yield number, _read_cells(f"{path.name}, row {number}", list(ours), kinds, cells)


def _reader(spec: SourceSpec, name: str, kind: Any) -> Callable[[Any], Any] | None:
    """What makes a JSON value of a column's cells: of texts what a CSV's become, of others the contract's types."""
    if name not in spec.contract:
        return None
    feature = spec.contract.feature(name)
    if not is_text(kind):
        return lambda cell: typed(feature, cell)
    read = reader_of(feature)
    return lambda cell: read(cell or "")


def _read_cells(
    where: str, names: Sequence[str], kinds: Sequence[Callable[[Any], Any] | None], cells: Sequence[Any]
) -> Record | InvalidFile:
    record = {}
    for name, kind, cell in zip(names, kinds, cells, strict=True):
        try:
            record[name] = kind(cell) if kind else cell
        except ValueError as error:
            fault = InvalidFile(f"{where}, column {name}: expected {error}", name)
            fault.ids = {name: cell for name, kind, cell in zip(names, kinds, cells, strict=True) if not kind}
            return fault
    return record


def _names_of_ours(path: Path, names: Sequence[str], spec: SourceSpec) -> dict[str, str]:
    """The file's names by ours, none of which two columns have."""
    ours: dict[str, str] = {}
    for name in names:
        our = spec.aliases.get(name, name)
        if our in ours:
            raise InvalidFile(f"{path.name}: column {our} appears twice", our)
        ours[our] = name
    return ours


def _parquet_rows(path: Path, file: Any, names: list[str], note: Note) -> Iterator[tuple[int, Sequence[Any]]]:
    """(number, cells) of the rows in which anything stands."""
    before, blank = 0, list[int]()
    for batch in file.iter_batches(BATCH_ROWS, columns=names):
        columns = [plain_column(path, name, batch.column(name)) for name in names]
        filled = filled_rows(columns)
        rows = zip(
            *(_values(path, name, column, before) for name, column in zip(names, columns, strict=True)), strict=True
        )
        for number, cells in enumerate(rows, before + 1):
            if filled is None or filled[number - before - 1]:
                yield number, cells
            else:
                blank.append(number)
        before += batch.num_rows
    tell_blank(path, blank, note)


def _values(path: Path, name: str, column: Any, before: int) -> list[Any]:
    """A column of a batch. Arrow's words quote the value that Python can't hold, as a time in nanoseconds."""
    try:
        values: list[Any] = column.to_pylist()
    except (ValueError, OverflowError):
        rows = f"rows {before + 1} to {before + len(column)}"
        raise InvalidFile(f"{path.name}, {rows}, column {name}: a value of {column.type} can't be read", name) from None
    return values
