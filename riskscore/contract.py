"""The contract of a model: its ordered features with type, nullability, range and training support.

A row is a dict of feature values as JSON gives them. `Contract.vector` checks every value and orders
them into a list of floats, NaN for a missing one; nothing is converted by guess, nothing is filled in.
"""

from __future__ import annotations

import math
from operator import itemgetter, le

from riskscore.errors import (
    ArtefactRefused,
    CallerFault,
    MissingFeature,
    NotFinite,
    NullFeature,
    OutOfRange,
    UnknownField,
    WrongType,
    shown,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any, NoReturn

FLOAT32_MAX = 3.4028234663852886e38  # the estimator computes in float32: beyond it a value becomes infinite


class Feature:
    """One named input. `minimum` and `maximum` are hard limits (inclusive); `support` is what training saw."""

    __slots__ = ("description", "maximum", "minimum", "name", "nullable", "support", "type", "unit")

    def __init__(
        self,
        name: str,
        type: str = "number",
        nullable: bool = False,
        minimum: float | None = None,
        maximum: float | None = None,
        unit: str = "",
        description: str = "",
        support: Mapping[str, Any] | None = None,
    ) -> None:
        if type not in CHECKS:
            raise ArtefactRefused(f"feature {name!r}: type must be one of {', '.join(CHECKS)}, not {type!r}", name)
        self.name = name
        self.type = type
        self.nullable = nullable
        self.minimum = -FLOAT32_MAX if minimum is None else max(minimum, -FLOAT32_MAX)
        self.maximum = FLOAT32_MAX if maximum is None else min(maximum, FLOAT32_MAX)
        self.unit = unit
        self.description = description
        self.support = support

    def number(self, value: Any) -> float:
        """The value as a float; NaN for an allowed null. Raises the error that says what was expected."""
        if value is None:
            if self.nullable:
                return math.nan
            raise NullFeature(f"{self.name} is null, but this model needs {NEEDED[self.type]} there", self.name)
        number = CHECKS[self.type](self.name, value)
        if not self.minimum <= number <= self.maximum:
            raise OutOfRange(f"{self.name} must be {self.limits()}", self.name)
        return number

    def limits(self) -> str:
        """The hard limits in words."""
        low, high = self.minimum > -FLOAT32_MAX, self.maximum < FLOAT32_MAX
        if low and high:
            return f"between {self.minimum:g} and {self.maximum:g}"
        if low:
            return f"at least {self.minimum:g} and within the range of a 32-bit float"
        return f"at most {self.maximum:g}" if high else "within the range of a 32-bit float"

    def to_dict(self) -> dict[str, Any]:
        """The feature as the manifest keeps it; what is at its default is left out."""
        slots = ("name", "type", "nullable", "unit", "description", "support")
        fields = {slot: getattr(self, slot) for slot in slots if getattr(self, slot)}
        limits = {"minimum": self.minimum, "maximum": self.maximum}
        return fields | {key: limit for key, limit in limits.items() if abs(limit) < FLOAT32_MAX}


def _real(name: str, value: Any) -> float:
    if type(value) is not float and type(value) is not int:
        raise WrongType(f"{name} must be a number, not {kind_of(value)}", name)
    try:
        number = float(value)
    except OverflowError:
        raise OutOfRange(f"{name} must be within the range of a 32-bit float", name) from None
    if not math.isfinite(number):
        raise NotFinite(f"{name} must be a finite number", name)
    return number


def _whole(name: str, value: Any) -> float:
    number = _real(name, value)
    if not number.is_integer():
        raise WrongType(f"{name} must be a whole number", name)
    return number


def _truth(name: str, value: Any) -> float:
    if type(value) is not bool:
        raise WrongType(f"{name} must be true or false, not {kind_of(value)}", name)
    return float(value)


CHECKS: dict[str, Callable[[str, Any], float]] = {"number": _real, "integer": _whole, "boolean": _truth}

NEEDED = {"number": "a number", "integer": "a whole number", "boolean": "true or false"}

NUMBERS = frozenset((int, float))  # not bool: true is no number

KINDS = {
    str: "a string",
    bool: "true or false",
    list: "a list",
    dict: "an object",
    int: "a number",
    float: "a number",
    type(None): "null",
}


def kind_of(value: Any) -> str:
    """What a JSON value is, in words, without the value itself."""
    return KINDS.get(type(value), type(value).__name__)


class Contract:
    """Ordered features. Column k of every matrix and vector of the model is `features[k]`."""

    __slots__ = ("_by_name", "_maxima", "_minima", "_numeric", "_values", "_whole", "features", "names")

    def __init__(self, features: Iterable[Feature]) -> None:
        self.features = tuple(features)
        self.names = tuple(feature.name for feature in self.features)
        self._by_name = {feature.name: feature for feature in self.features}
        if not self.features or len(self._by_name) != len(self.features):
            raise ArtefactRefused("a contract needs at least one feature, and no name twice")
        self._values = itemgetter(*self.names, self.names[0])  # at least two names, so that it gives a tuple
        self._minima = [feature.minimum for feature in self.features]
        self._maxima = [feature.maximum for feature in self.features]
        self._numeric = all(feature.type in ("number", "integer") for feature in self.features)
        self._whole = [k for k, feature in enumerate(self.features) if feature.type == "integer"]

    @classmethod
    def from_dicts(cls, features: Iterable[Mapping[str, Any]]) -> Contract:
        """The contract from the manifest's or model.toml's list of features."""
        return cls(Feature(**feature) for feature in features)

    def to_dicts(self) -> list[dict[str, Any]]:
        """What the manifest keeps."""
        return [feature.to_dict() for feature in self.features]

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def feature(self, name: str) -> Feature:
        """The feature of this name."""
        return self._by_name[name]

    def vector(self, row: Mapping[str, Any]) -> list[float]:
        """The checked values in the contract's order, NaN where an allowed value is missing."""
        try:
            values = self._values(row)[:-1]
        except KeyError:
            self._refuse_names(row)
        if len(row) != len(self.names):
            self._refuse_names(row)
        return self._plain(values) or [
            feature.number(value) for feature, value in zip(self.features, values, strict=True)
        ]

    def _plain(self, values: Sequence[Any]) -> list[float]:
        """The vector of a row that is numbers within their limits, as nearly all are; [] where a closer look is due."""
        if not self._numeric or not NUMBERS.issuperset(map(type, values)):
            return []
        try:
            vector = list(map(float, values))
        except OverflowError:
            return []
        sound = (
            all(map(le, self._minima, vector))
            and all(map(le, vector, self._maxima))
            and all(map(float.is_integer, map(vector.__getitem__, self._whole)))
        )
        return vector if sound else []

    def _refuse_names(self, row: Mapping[str, Any]) -> NoReturn:
        """Raise for names that differ from the contract's: a misspelt one first, since it explains a missing one."""
        unknown = [str(name) for name in row if name not in self._by_name]
        if unknown:
            raise self.unknown(unknown[0])
        missing = [name for name in self.names if name not in row]
        listed = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        raise MissingFeature(f"missing: {listed}; this model needs all of its {len(self.names)} features", missing[0])

    def unknown(self, name: str, known: Sequence[str] = ()) -> CallerFault:
        """The error for a name that is no feature, with the nearest one where there is one."""
        import difflib  # only on the way to an error: the cold path of a good event does without it

        near = difflib.get_close_matches(name, [*self.names, *known], n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return UnknownField(f"unknown field {shown(name)!r}{hint}", name)
