"""Numbers that stand for "missing": -999, 9999, 999999 at the edge of a column, on several rows, far from others."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

NINES = re.compile(r"-?9{2,}(\.9+|\.0)?")  # as Python writes them
MOST = 4  # of one column
FAR = 1.0  # times the spread of the other values: so far away on two rows is a code ...
APART = 0.05  # ... and this far away, where ...
SPIKE = 0.01  # ... so large a share of the rows stands there, ...
HIGH = 3.0  # ... so many times as many as on a usual value
FEWEST = 5


def sentinels_of(values: Floats, counts: NDArray[np.int64]) -> tuple[list[float], list[str]]:
    """(codes for missing, notes on what may be one). values: distinct ones, NaN for missing; counts: rows of each."""
    seen = ~np.isnan(values)
    distinct, places = np.unique(values[seen], return_inverse=True)
    rows = np.bincount(places, weights=counts[seen], minlength=len(distinct)).astype(float)
    found: list[float] = []
    while len(distinct) > 2 and len(found) < MOST:
        edge = next((edge for edge in (0, -1) if _is_code(distinct, rows, edge)), None)
        if edge is None:
            break
        found.append(float(distinct[edge]))
        distinct, rows = np.delete(distinct, edge), np.delete(rows, edge)
    return found, _doubts(distinct, rows)


def _is_code(distinct: Floats, rows: Floats, edge: int) -> bool:
    """Whether the smallest (0) or largest (-1) value is a code."""
    value = float(distinct[edge])
    if not NINES.fullmatch(repr(value).removesuffix(".0")):
        return False
    others = np.delete(distinct, edge)
    gap = abs(value - others[edge])
    spread = others[-1] - others[0]
    far = gap > FAR * spread and rows[edge] >= 2
    usual = float(np.median(np.delete(rows, edge)))
    spike = gap > APART * spread and rows[edge] >= max(FEWEST, SPIKE * rows.sum(), HIGH * usual)
    return bool(far or spike)


def _doubts(distinct: Floats, rows: Floats) -> list[str]:
    """A lone -1 below zero is often a code, and as often a value."""
    if len(distinct) > 2 and distinct[0] == -1 and distinct[1] >= 0 and rows[0] >= max(2, SPIKE * rows.sum()):
        return [f"-1 occurs in {int(rows[0]):,} rows and is the only value below 0: if it is a code, add it to missing"]
    return []
