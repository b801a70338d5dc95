"""Identities between features, by which a row that contradicts itself is found.

A row arrives rounded, so an identity holds where rounding can have made what it lacks: half a unit for each amount of
money, multiplied by whatever its term multiplies it with. Columns are in contract order, NaN for a missing value.
"""

from __future__ import annotations

import math

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from riskscore.contract.contract import Contract

FLOAT_ERROR = 1e-6  # relative to the size of the terms, as for money in the features' definition
CENT = 0.01  # what money is rounded to where an identity doesn't say another unit


class Identity:
    """Terms that add up to zero; a term is a factor and the features that it multiplies."""

    __slots__ = ("_terms", "digits", "feature", "name", "places", "text")

    def __init__(self, rule: Mapping[str, Any], contract: Contract) -> None:
        self.name: str = rule["name"]
        self.text: str = rule["text"]
        self.feature: str = rule["terms"][0][1]
        half = rule.get("rounding", CENT) / 2
        places = {feature.name: (k, half * (feature.unit == "money")) for k, feature in enumerate(contract.features)}
        self._terms = [(factor, [places[name] for name in names]) for factor, *names in rule["terms"]]
        self.places = frozenset(k for _, columns in self._terms for k, _ in columns)
        self.digits = max(0, -math.floor(math.log10(2 * half))) if half else 15  # that money is rounded to

    def holds(self, vector: Sequence[float]) -> bool:
        """Whether the terms of a row add up to zero, as far as its rounding can tell; a missing value breaks none."""
        values = []
        for factor, columns in self._terms:
            product: float = factor
            for k, _ in columns:
                product *= vector[k]
            values.append(product)
        lacking = abs(math.fsum(values))
        if not lacking > FLOAT_ERROR:
            return True
        size = math.fsum(map(abs, values))
        return not lacking > FLOAT_ERROR * max(1.0, size) + (self._most(vector) - size)

    def solved(self, vector: Sequence[float], place: int) -> float:
        """The value at a place by which the terms add up to zero; NaN where there is none, or one is missing.

        The place stands in one term, once.
        """
        rest, slope = [], 0.0
        for factor, columns in self._terms:
            others = [vector[k] for k, _ in columns if k != place]
            if len(others) < len(columns):
                slope = factor * math.prod(others)
            else:
                rest.append(factor * math.prod(others))
        return -math.fsum(rest) / slope if slope else math.nan

    def _most(self, vector: Sequence[float]) -> float:
        """What the terms may have added up to in size before they were rounded."""
        return math.fsum(
            abs(factor) * math.prod([abs(vector[k]) + half for k, half in columns]) for factor, columns in self._terms
        )

    def broken(self, matrix: Any, part: float = 1.0) -> Any:
        """The same for each row of float64 (n, features), as booleans; part: of what is tolerated."""
        import numpy as np

        values = [factor * np.prod([matrix[:, k] for k, _ in columns], axis=0) for factor, columns in self._terms]
        most = [
            abs(factor) * np.prod([np.abs(matrix[:, k]) + half for k, half in columns], axis=0)
            for factor, columns in self._terms
        ]
        size = np.sum(np.abs(values), axis=0)
        tolerated = FLOAT_ERROR * np.maximum(1.0, size) + (np.sum(most, axis=0) - size)
        return np.abs(np.sum(values, axis=0)) > part * tolerated
