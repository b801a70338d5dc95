"""From a margin to the log-odds that are answered: nothing by default, or what training fitted to unseen rows.

Both methods are rising maps of log-odds to log-odds, computed here for both engines from the same margin, so that
a calibrated probability is as equal between them as the margin is.
"""

from __future__ import annotations

from bisect import bisect_right

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any


def _platt(entry: Mapping[str, Any]) -> Callable[[float], float]:
    """slope * margin + intercept (Platt, 1999)."""
    slope, intercept = entry["slope"], entry["intercept"]
    return lambda margin: float(slope * margin + intercept)


def _isotonic(entry: Mapping[str, Any]) -> Callable[[float], float]:
    """Straight lines between knots that rise, level beyond the first and the last (Zadrozny and Elkan, 2002)."""
    margins: Sequence[float] = entry["margins"]
    log_odds: Sequence[float] = entry["log_odds"]

    def mapped(margin: float) -> float:
        k = bisect_right(margins, margin)
        if k == 0 or k == len(margins):
            return log_odds[0] if k == 0 else log_odds[-1]
        share = (margin - margins[k - 1]) / (margins[k] - margins[k - 1])
        return log_odds[k - 1] + share * (log_odds[k] - log_odds[k - 1])

    return mapped


METHODS: dict[str, Callable[[Mapping[str, Any]], Callable[[float], float]]] = {"platt": _platt, "isotonic": _isotonic}


def calibration_of(entry: Mapping[str, Any]) -> Callable[[float], float]:
    """The map from margin to answered log-odds of a manifest's `calibration`; {} answers the margin itself."""
    return METHODS[entry["method"]](entry) if entry else lambda margin: margin
