"""The columns of a parquet file as a CSV would hold them: what a draft looks at and what training and scoring read.

Texts are without the blanks around them, an empty one is null, as NaN is. A dictionary is what it stands for, and
bytes are the text that they encode.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from riskscore.cli import counted
from riskscore.errors import InvalidFile, NotConfigured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path


@contextmanager
def parquet_file(path: Path) -> Iterator[Any]:
    """The file as pyarrow.parquet.ParquetFile. Raises InvalidFile where it can't be read, now or later."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ModuleNotFoundError:
        raise NotConfigured("parquet files need pyarrow: add requirements-service.txt's to the installation") from None
    with path.open("rb") as file:
        try:
            yield pq.ParquetFile(file)
        except (pa.ArrowException, OSError) as error:
            if isinstance(error, OSError) and error.errno:
                raise
            raise InvalidFile(f"{path.name} can't be read as a parquet file") from None


def is_text(kind: Any) -> bool:
    """Whether a column of this type holds texts, once it is plain."""
    from pyarrow import types

    kind = kind.value_type if types.is_dictionary(kind) else kind
    return any(is_kind(kind) for is_kind in (types.is_string, types.is_large_string, types.is_string_view, is_bytes))


def is_bytes(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind))


def plain_column(path: Path, name: str, column: Any) -> Any:
    """An array or chunked array as the module says. Raises InvalidFile for bytes that encode no text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if is_text(column.type):
        try:
            texts = pc.utf8_trim_whitespace(column.cast(pa.large_string()))
        except pa.ArrowException:
            raise InvalidFile(f"{path.name}: column {name} holds {column.type} that isn't UTF-8 text", name) from None
        return pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.large_string()), texts)
    if pa.types.is_floating(column.type):
        return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    return column


def filled_rows(columns: Iterable[Any]) -> Any:
    """Which rows hold anything in some of the columns, a bool array (n,); None where all of them do."""
    import numpy as np

    filled = None
    for column in columns:
        if not column.null_count:
            return None
        seen = column.is_valid().to_numpy(zero_copy_only=False) if hasattr(column, "offset") else _chunks(column)
        filled = seen if filled is None else filled | seen
    return None if filled is None or np.all(filled) else filled


def _chunks(column: Any) -> Any:
    return column.is_valid().combine_chunks().to_numpy(zero_copy_only=False)


def tell_blank(path: Path, rows: Sequence[int], note: Callable[[str], None]) -> None:
    """Tell of rows in which nothing stands, by their numbers."""
    if rows:
        note(f"{path.name}: {counted(len(rows), 'empty row')} skipped, the first is row {rows[0]}")
