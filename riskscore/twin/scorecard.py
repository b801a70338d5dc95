"""A scorecard: whole points for each attribute of a row, which with the base points are the answer's points.

The margin (log-odds of class 1) is defined by the points, for both engines: (offset - points) / factor, where `factor`
points make the odds e times as good and `offset` is worth even odds. Whole points add up exactly in any order.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from itertools import pairwise
from math import isfinite, isnan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

FORMAT = "riskscore-scorecard-1"


def places_of(edges: Sequence[float], codes: Sequence[float], values: Any) -> Any:
    """Of many values, NaN = missing: each one's place: the intervals, then the codes, at last missing; ints (n,)."""
    import numpy as np

    found = np.searchsorted(np.array(edges), values, side="right")
    for k, code in enumerate(codes, len(edges) + 1):
        found[values == code] = k
    found[np.isnan(values)] = len(edges) + 1 + len(codes)
    return found


class Attributes:
    """One column's attributes and their points.

    edges: rising; points: of the values below the first edge, from each edge up to the next, and from the last one on,
    so one more than edges. missing: of a missing value. codes: special values -> their points, before any edge counts.
    """

    __slots__ = ("codes", "edges", "missing", "points")

    def __init__(self, edges: Sequence[float], points: Sequence[int], missing: int, codes: dict[float, int]) -> None:
        self.edges, self.points, self.missing, self.codes = list(edges), list(points), missing, codes
        whole = (*self.points, missing, *codes.values())
        if len(self.points) != len(self.edges) + 1 or not all(type(value) is int for value in whole):
            raise ValueError("an attribute has no whole points, or a column has other than one attribute per interval")
        if not all(map(isfinite, (*self.edges, *codes))) or any(low >= high for low, high in pairwise(self.edges)):
            raise ValueError("a column's edges don't rise, or one is no number")

    def of(self, value: float) -> int:
        """The points of one value, NaN = missing."""
        if isnan(value):
            return self.missing
        found = self.codes.get(value) if self.codes else None
        return self.points[bisect_right(self.edges, value)] if found is None else found

    def of_many(self, values: Any) -> Any:
        """The points of many: int64 (n,) of float64 (n,)."""
        import numpy as np

        return np.array([*self.points, *self.codes.values(), self.missing])[
            places_of(self.edges, [*self.codes], values)
        ]


class Scorecard:
    """Base points and each column's attributes; means: each column's mean points over the training rows."""

    def __init__(
        self, base: int, offset: float, factor: float, columns: Sequence[Attributes], means: Sequence[float]
    ) -> None:
        self.base, self.offset, self.factor = base, offset, factor
        self.columns, self.means = list(columns), list(means)
        self.n_features = len(self.columns)
        if type(base) is not int or not all(map(isfinite, (offset, factor, *self.means))) or not factor > 0:
            raise ValueError("its base, offset, factor or a mean isn't a usable number")
        if len(self.means) != self.n_features:
            raise ValueError("it doesn't have one mean for each column")

    def points(self, vector: Sequence[float]) -> list[int]:
        """Each column's points. A row of another length is refused."""
        if len(vector) != self.n_features:
            raise ValueError(f"the model takes {self.n_features} features, the row has {len(vector)}")
        return [column.of(value) for column, value in zip(self.columns, vector, strict=True)]

    def margin(self, vector: Sequence[float]) -> float:
        """The margin of one row: floats in the contract's order, NaN = missing."""
        return (self.offset - (self.base + sum(self.points(vector)))) / self.factor

    @property
    def base_value(self) -> float:
        """The margin of a row that has each column's mean points."""
        return (self.offset - (self.base + sum(self.means))) / self.factor

    def of(self, vector: Sequence[float]) -> list[float]:
        """Each column's part of the margin: its mean points less the row's own, as log-odds."""
        return [(mean - points) / self.factor for mean, points in zip(self.means, self.points(vector), strict=True)]

    def matrix(self, columns: Any) -> Any:
        """The points of many rows: int64 (n, columns) of float64 (n, columns)."""
        import numpy as np

        values = np.asarray(columns, dtype=float).reshape(-1, self.n_features)
        return np.column_stack([column.of_many(part) for column, part in zip(self.columns, values.T, strict=True)])

    def margins(self, columns: Any) -> list[float]:
        """The margins of many rows."""
        found: list[float] = ((self.offset - (self.base + self.matrix(columns).sum(axis=1))) / self.factor).tolist()
        return found

    def predict_proba(self, columns: Any) -> Any:
        """Probabilities of the classes 0 and 1, float64 (n, 2)."""
        import numpy as np

        positive = 1.0 / (1.0 + np.exp(-np.array(self.margins(columns))))
        return np.column_stack([1.0 - positive, positive])

    def document(self, names: Sequence[str]) -> dict[str, Any]:
        """What the open file, model.json, holds of it."""
        return {
            "format": FORMAT,
            "features": list(names),
            "base": self.base,
            "offset": self.offset,
            "factor": self.factor,
            "means": self.means,
            "attributes": [
                {"edges": own.edges, "points": own.points, "missing": own.missing, "codes": [*own.codes.items()]}
                for own in self.columns
            ],
        }


def scorecard_of(document: dict[str, Any]) -> Scorecard:
    """The scorecard of an open file. Raises ValueError, LookupError or TypeError where it is broken."""
    columns = [
        Attributes(_floats(own["edges"]), own["points"], own["missing"], {float(c): p for c, p in own["codes"]})
        for own in document["attributes"]
    ]
    offset, factor = _floats([document["offset"], document["factor"]])
    return Scorecard(document["base"], offset, factor, columns, _floats(document["means"]))


def _floats(values: Any) -> list[float]:
    """Numbers alone: a text that float() would read is refused."""
    return array("d", values).tolist()
