"""What the estimator sees of a checked row: its columns, made from the features by the contract alone.

A vector has one float per feature; the estimator has one or more columns for each. Training, the joblib engine and the
twin all take the columns from here, so that they can't differ. Nothing is learnt from data: an encoding that depended
on the training rows would have to be kept beside the contract.

    as_is    the number itself                     log      sign(x) * log(1 + |x|)
    one_hot  a column per value, 0 for the others  ordinal  the value's place in the contract's list
    indicator  a further column: 1 where the value is missing, and 0 in its own columns; else NaN, which trees take
"""

from __future__ import annotations

import math

from riskscore.contract.feature import UNKNOWN, Feature

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from riskscore.contract.contract import Contract

    Expand = Callable[[float], Sequence[float]]

UNFIT = {"[": "(", "]": ")", "<": "less than "}  # XGBoost refuses these in the name of a column


class Encoding:
    """A contract's columns, in the features' order. names: of the columns; is_plain: each feature is its own column."""

    __slots__ = ("_features", "_names", "_steps", "is_plain", "names")

    def __init__(self, contract: Contract) -> None:
        self._names = contract.names
        self.names: list[str] = []
        self._features: list[list[int]] = []  # the columns of each feature
        # features from, up to, how; neighbours that are taken as they are in one step
        self._steps: list[tuple[int, int, Expand | None]] = []
        for k, feature in enumerate(contract.features):
            names = column_names(feature)
            self._features.append(list(range(len(self.names), len(self.names) + len(names))))
            self.names += names
            expand = _expansion(feature)
            if expand is None and self._steps and self._steps[-1][2] is None:
                self._steps[-1] = (self._steps[-1][0], k + 1, None)
            else:
                self._steps.append((k, k + 1, expand))
        if len(set(self.names)) < len(self.names):  # as "a[1" and "a(1", which XGBoost then can't tell apart
            self.names = [f"{name} ({k})" if name in self.names[:k] else name for k, name in enumerate(self.names)]
        self.is_plain = len(self._steps) == 1 and self._steps[0][2] is None

    def columns(self, vector: Sequence[float]) -> Sequence[float]:
        """The columns of one row."""
        if self.is_plain:
            return vector
        found: list[float] = []
        for start, end, expand in self._steps:
            found += vector[start:end] if expand is None else expand(vector[start])
        return found

    def matrix(self, vectors: Any) -> Any:
        """float64 (n, columns) of (n, features), the same numbers as `columns` gives row by row."""
        import numpy as np

        matrix = np.asarray(vectors, dtype=float)
        if self.is_plain:
            return matrix
        return np.hstack(
            [
                matrix[:, start:end] if expand is None else np.array([*map(expand, matrix[:, start].tolist())])
                for start, end, expand in self._steps
            ]
        )

    def columns_of(self, place: int) -> list[tuple[int, Callable[[float], float] | None]]:
        """The columns that one feature becomes: the place of each, and how, None where it is the number itself."""
        expand = next((how for start, end, how in self._steps if how and start <= place < end), None)
        if expand is None:
            return [(self._features[place][0], None)]
        return [
            (column, lambda number, part=part: expand(number)[part])  # type: ignore[misc]
            for part, column in enumerate(self._features[place])
        ]

    def values_of(self, features: Mapping[str, int], default: int) -> tuple[int, ...]:
        """For each column what its feature's own number has; the default for columns that say something else of it."""
        found = [default] * len(self.names)
        for name, columns in zip(self._names, self._features, strict=True):
            found[columns[0]] = features.get(name, default)
        return tuple(found)

    def owners(self) -> list[int]:
        """For each column the place of its feature."""
        return [k for k, columns in enumerate(self._features) for _ in columns]

    def fold(self, parts: Sequence[float]) -> Sequence[float]:
        """Each feature's part of a margin from its columns' parts."""
        if self.is_plain:
            return parts
        return [
            parts[columns[0]] if len(columns) == 1 else math.fsum([parts[k] for k in columns])
            for columns in self._features
        ]


def column_names(feature: Feature) -> list[str]:
    """The columns that a feature becomes; the first of a number bears the feature's own name."""
    names = [feature.name]
    if feature.encoding == "one_hot":
        names = [f"{feature.name} = {value}" for value in feature.values]
    if has_missing_column(feature):
        names.append(f"{feature.name} is missing")
    return ["".join(UNFIT.get(character, character) for character in name) for name in names]


def has_missing_column(feature: Feature) -> bool:
    """Whether one of its columns says that it is missing; a category as one-hot always can, where it may be."""
    return may_be_missing(feature) and (feature.indicator or feature.encoding == "one_hot")


def may_be_missing(feature: Feature) -> bool:
    """Whether its columns have to say something where there is no value."""
    return feature.nullable or feature.unknown == "missing"


def _expansion(feature: Feature) -> Expand | None:
    """How a number becomes columns; None where it is its own column as it stands."""
    if feature.type == "category":
        return _category(feature)
    if feature.encoding == "as_is" and not has_missing_column(feature):
        return None
    scaled: Callable[[float], float] = _signed_log if feature.encoding == "log" else float
    if not has_missing_column(feature):
        return lambda number: (scaled(number),)
    return lambda number: (0.0, 1.0) if math.isnan(number) else (scaled(number), 0.0)


def _signed_log(number: float) -> float:
    return math.copysign(math.log1p(abs(number)), number)


def _category(feature: Feature) -> Expand:
    missing_column = has_missing_column(feature)
    size = len(feature.values)
    gap = (0.0,) * size if feature.encoding == "one_hot" else (0.0 if missing_column else math.nan,)
    missing = gap + (1.0,) * missing_column
    rows = {float(k): _known(feature, k) + (0.0,) * missing_column for k in range(size)}
    if feature.unknown in feature.values:
        rows[UNKNOWN] = rows[float(feature.values.index(feature.unknown))]
    return lambda number: rows.get(number, missing)


def _known(feature: Feature, k: int) -> tuple[float, ...]:
    if feature.encoding == "ordinal":
        return (float(k),)
    return tuple(float(k == other) for other in range(len(feature.values)))


def linear(feature: Feature, numbers: str = "log") -> Feature:
    """The feature as a linear model takes it: no gap, and no order that a category doesn't have.

    numbers: the encoding of numbers, "" for the feature's own.
    """
    own = {"category": "one_hot", "number": numbers, "integer": numbers}.get(feature.type) or feature.encoding
    entry = {**feature.to_dict(), "encoding": own, "indicator": may_be_missing(feature), "parse": feature.parse}
    return Feature(**entry)


def binned(feature: Feature) -> Feature:
    """The feature as a scorecard takes it: one column, whose gap is an attribute of its own."""
    own = "ordinal" if feature.type == "category" else "as_is"
    return Feature(**{**feature.to_dict(), "encoding": own, "indicator": False, "parse": feature.parse})
