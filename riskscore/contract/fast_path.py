"""The plain numbers of a row, checked at once: nearly every row is sound, and a closer look costs ten times as much.

What isn't plainly sound is told by an empty list, and nothing is said of why: `Feature.number` does that.
"""

from __future__ import annotations

from itertools import chain, repeat
from math import hypot, nan
from operator import gt, lt, mod

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from riskscore.contract.feature import Feature

FLOAT32_MAX = 3.4028234663852886e38  # the estimator computes in float32: beyond it a value becomes infinite
NUMBERS = frozenset((int, float))  # not bool: true is no number
GAPPY = NUMBERS | {type(None)}
TEXTS = frozenset((str, type(None)))
ONES = repeat(1.0)
ALLOWED = b"0123456789.eE+-|"  # in numbers joined by |: float() alone would take more than their own characters


class PlainNumbers:
    """Reads the values of some features that are numbers without units or codes; values and numbers are in their order.

    Where they may arrive as texts, an empty one is a gap as null is.
    """

    __slots__ = ("_limited", "_maxima", "_minima", "_required", "_text", "_whole")

    def __init__(self, features: Sequence[Feature], *, text: bool) -> None:
        self._text = text
        limited = [k for k, feature in enumerate(features) if feature.limits() != NO_LIMITS]
        self._limited = limited
        self._minima = [features[k].minimum for k in limited]
        self._maxima = [features[k].maximum for k in limited]
        self._whole = [k for k, feature in enumerate(features) if feature.type == "integer"]
        self._required = {k for k, feature in enumerate(features) if not feature.nullable}

    def read(self, values: Sequence[Any]) -> list[float]:
        """The values as floats, NaN for an allowed gap; [] where a closer look is due."""
        kinds = set(map(type, values))
        gaps: Sequence[int] = ()
        if not kinds <= NUMBERS:
            if not kinds <= GAPPY:
                return self._read_texts(values, kinds) if self._text and kinds <= GAPPY | TEXTS else []
            gaps = [k for k, value in enumerate(values) if value is None]
            if not self._required.isdisjoint(gaps):
                return []
            values = [0.0 if value is None else value for value in values]
        try:
            return self._sound(list(map(float, values)), gaps)
        except OverflowError:
            return []

    def matrix(self, rows: Sequence[Sequence[Any]], on_matrix: Callable[[Any], object] = lambda _: None) -> Any:
        """The values of many rows as float64 (n, features), none missing; None where a closer look is due at one.

        on_matrix: given the matrix once its numbers are sound, whatever they were written as.
        """
        import numpy as np

        try:
            matrix = np.array(rows, dtype=float)
        except (OverflowError, TypeError, ValueError):
            return None
        limited, whole = matrix[:, self._limited], matrix[:, self._whole]
        sound = (
            np.all(np.abs(matrix) <= FLOAT32_MAX)  # not of NaN
            and np.all(limited >= self._minima)
            and np.all(limited <= self._maxima)
            and np.all(whole == np.floor(whole))
        )
        if not sound:
            return None
        on_matrix(matrix)
        return matrix if set(map(type, chain.from_iterable(rows))) <= NUMBERS else None

    def _read_texts(self, values: Sequence[Any], kinds: set[type]) -> list[float]:
        """Of texts, numbers and gaps."""
        if not kinds <= TEXTS:
            values = [value if value is None or type(value) is str else repr(value) for value in values]
        texts = [value or "0" for value in values]
        joined = "|".join(texts)
        if not joined.isascii() or joined.encode().translate(None, ALLOWED):
            return []
        try:
            gaps = [k for k, value in enumerate(values) if not value]
            return self._sound(list(map(float, texts)), gaps) if self._required.isdisjoint(gaps) else []
        except ValueError:
            return []

    def _sound(self, numbers: list[float], gaps: Sequence[int]) -> list[float]:
        """The numbers with NaN in the gaps, which hold 0 so far; [] where one is not finite or outside its limits."""
        # the norm is at least as large as each of them, and NaN where one is: one look at all of them
        if not hypot(*numbers) <= FLOAT32_MAX:
            return []
        if any(map(mod, map(numbers.__getitem__, self._whole), ONES)):
            return []
        for k in gaps:
            numbers[k] = nan
        limited = [*map(numbers.__getitem__, self._limited)]
        return [] if any(map(lt, limited, self._minima)) or any(map(gt, limited, self._maxima)) else numbers


NO_LIMITS = "within the range of a 32-bit float"
