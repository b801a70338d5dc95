"""When a row was, and whether its outcome could be known by the time that the data were taken."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from riskscore.cli import counted
from riskscore.errors import InvalidFile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from riskscore.model_toml.over_time import OverTime
    from riskscore.sources.sources import SourceRow

    Days = NDArray[np.datetime64]


def row_day(row: SourceRow, column: str) -> np.datetime64:
    """The day, UTC, of a row. Raises InvalidFile that names the row where its time is none."""
    try:
        found = datetime.fromisoformat(row.others[column])
    except (KeyError, ValueError):
        raise InvalidFile(f"{row.where}: {column} must be a date, as 2025-09-01", column) from None
    return np.datetime64((found.astimezone(UTC) if found.tzinfo else found).date(), "D")


def immature(days: Days, rule: OverTime) -> NDArray[np.bool_]:
    """Which rows had no outcome yet when the data were taken."""
    unknown: NDArray[np.bool_] = days + rule.matures_days > taken(days, rule)
    return unknown


def taken(days: Days, rule: OverTime) -> np.datetime64:
    """When the data were taken: as_of, or their last date."""
    return np.datetime64(rule.as_of, "D") if rule.as_of else days.max()


def immature_note(count: int, days: Days, rule: OverTime) -> str:
    """What is left out, and by which rule."""
    when = f"{taken(days, rule)}{'' if rule.as_of else f', the last {rule.column}'}"
    return (
        f"{counted(count, 'row')} left out: {rule.column} is less than {counted(rule.matures_days, 'day')} before"
        f" {when}, so the outcome couldn't be known yet"
    )
