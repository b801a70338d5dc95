"""The training range of each feature, published without a person's row, and synthetic rows drawn from it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from riskscore.contract.feature import Feature

    Floats = NDArray[np.float64]

QUANTILES = (0.01, 0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 0.95, 0.99)
FEW_VALUES = 10  # up to so many distinct values of a feature are kept one by one


def support_of(column: Floats, kind: str = "number", optional: bool = False) -> dict[str, Any]:
    """The training range of a feature. Limits are rounded outwards to three digits: no person's value is published.

    kind: the feature's type. Of a category every place that was seen is kept. optional: training makes gaps itself.
    """
    seen = column[~np.isnan(column)]
    if not len(seen):
        return {"minimum": 0.0, "maximum": 0.0, "quantiles": {str(q): 0.0 for q in QUANTILES}, "missing": 1.0}
    points = np.quantile(seen, QUANTILES).tolist()
    support: dict[str, Any] = {
        "minimum": _outward(float(seen.min()), math.floor),
        "maximum": _outward(float(seen.max()), math.ceil),
        "quantiles": {str(q): float(f"{point:.4g}") for q, point in zip(QUANTILES, points, strict=True)},
    }
    distinct = np.unique(seen).tolist()
    if kind == "category" or len(distinct) <= FEW_VALUES:
        support["values"] = distinct
    if optional or len(seen) < len(column):
        support["missing"] = round(1 - len(seen) / len(column), 4)
    return support


def _outward(value: float, towards: Callable[[float], int]) -> float:
    if not value:
        return 0.0
    digits = 2 - math.floor(math.log10(abs(value)))
    return float(f"{towards(float(f'{value:.12g}') * 10.0**digits) / 10.0**digits:.12g}")


def draw_rows(
    features: Sequence[Feature],
    support: Sequence[dict[str, Any]],
    count: int,
    rng: np.random.Generator,
    never: Floats | None = None,
) -> Floats:
    """Synthetic rows: each feature drawn on its own from its quantiles, missing now and then where that is allowed.

    never: rows that must not come out, so that nobody's row is published. Of a table with so few values that all
    drawn ones are among them, one of each comes out: a row that chance makes of what is known anyway is nobody's.
    """
    columns = [
        (_places if feature.type == "category" else _numbers)(feature, seen, count, rng)
        for feature, seen in zip(features, support, strict=True)
    ]
    rows = np.column_stack(columns)
    if never is None:
        return rows
    known = set(map(bytes, never.view()))
    others = [row for row in rows if bytes(row) not in known]
    return np.array(others or [*{bytes(row): row for row in rows}.values()])


def _numbers(feature: Feature, seen: dict[str, Any], count: int, rng: np.random.Generator) -> Floats:
    drawn = np.interp(rng.uniform(size=count), QUANTILES, list(seen["quantiles"].values()))
    drawn = np.round(drawn, 2 if abs(drawn).max() > 100 else 4) if feature.type == "number" else np.round(drawn)
    if feature.nullable:
        drawn[rng.uniform(size=count) < 0.2] = np.nan
    found: Floats = np.clip(drawn, feature.minimum, feature.maximum)
    return found


def _places(feature: Feature, seen: dict[str, Any], count: int, rng: np.random.Generator) -> Floats:
    """Declared values of a category that occur in training, the rare ones as often as the others."""
    known = [place for place in seen.get("values", ()) if place >= 0] or list(range(len(feature.values)))
    drawn = rng.choice(np.array(known, dtype=float), size=count)
    if feature.nullable:
        drawn[rng.uniform(size=count) < 0.2] = np.nan
    return drawn
