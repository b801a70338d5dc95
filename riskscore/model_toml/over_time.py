"""The keys of [validation] that order rows by time: model.toml's answer to "how good on later rows?"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from riskscore.model_toml.schema import day_of, require

if TYPE_CHECKING:
    from datetime import date

    from riskscore.contract.contract import Contract

MOST_DAYS = 36_500


class OverTime(NamedTuple):
    """column: of the rows' dates. periods: to test on. matures_days: until an outcome is known; 0 where it is at once.

    as_of: when the data were taken; None for their last date."""

    column: str
    periods: int
    matures_days: int
    as_of: date | None


def read_over_time(file: str, table: dict[str, Any], target: str, contract: Contract) -> OverTime | None:
    """Of a checked [validation]; None where it names no time."""
    column, periods, days = table["time"], table["periods"], table["matures_days"]
    if not column:
        for key in ("periods", "matures_days", "as_of"):
            require(table[key] in (None, ""), file, f"validation.{key} is for validation.time, which is missing")
        return None
    require(column not in contract, file, f"validation.time: {column} is a feature; the time of a row can't be one")
    require(column != target, file, f"validation.time: {column} is the target")
    require(periods is None or periods > 0, file, "validation.periods must be at least 1")
    require(days is None or 0 <= days <= MOST_DAYS, file, f"validation.matures_days must lie between 0 and {MOST_DAYS}")
    as_of = day_of(file, "validation.as_of", table["as_of"]) if table["as_of"] else None
    return OverTime(column, periods or table["folds"], days or 0, as_of)
