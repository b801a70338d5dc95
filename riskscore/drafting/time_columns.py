"""Columns of dates, by one of which the rows of a table could be ordered for a validation over time."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from riskscore.drafting.column_profile import Profile
    from riskscore.drafting.profiling import TableProfile

FEWEST = 6  # days, for five periods after the first rows


def time_columns(table: TableProfile) -> list[str]:
    """The columns, no features, that hold a date in every row, as validation.time reads it, of several days."""
    columns = [column for column in table.left_out if column.name and not column.protected[0]]  # a birth is no order
    return [column.name for column in columns if _days(column) >= FEWEST]


def _days(column: Profile) -> int:
    """How many days it holds; 0 where a cell is none."""
    try:
        return len({datetime.fromisoformat(text).date() for text in column.column.texts.to_pylist()})
    except ValueError:
        return 0
