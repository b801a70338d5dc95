"""One feature of a contract: its type, its limits and codes, and how a value of it becomes a number.

Nothing is converted by guess, nothing is filled in; what doesn't fit is an error that says what was expected.
"""

from __future__ import annotations

import math

from riskscore.contract.fast_path import FLOAT32_MAX, NO_LIMITS
from riskscore.errors import (
    ArtefactRefused,
    NotFinite,
    NullFeature,
    OutOfRange,
    UnknownValue,
    WrongType,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any


class Feature:
    """One named input. `minimum` and `maximum` are hard limits (inclusive); `support` is the training range.

    optional: a row may lack it altogether, as if it were null. missing: codes that stand for null. values: of a
    category, in order; aliases: further spellings of them; unknown: what another value becomes, `refuse`, `missing` or
    one of the values. encoding, indicator: see riskscore.contract.encoding. parse: `strict`, or `text` where every
    value may arrive as a string.
    """

    __slots__ = (
        *("name", "type", "nullable", "optional", "minimum", "maximum", "unit", "description", "support", "parse"),
        *("missing", "values", "aliases", "unknown", "encoding", "indicator", "codes", "_read"),
    )

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
        missing: Sequence[str | float] = (),
        values: Sequence[str] = (),
        aliases: Mapping[str, str] | None = None,
        unknown: str = "refuse",
        encoding: str = "",
        indicator: bool = False,
        parse: str = "strict",
        optional: bool = False,
    ) -> None:
        if type not in READERS:
            raise ArtefactRefused(f"feature {name!r}: type must be one of {', '.join(READERS)}, not {type!r}", name)
        self.name = name
        self.type = type
        self.nullable = nullable
        self.optional = optional
        self.minimum = -FLOAT32_MAX if minimum is None else max(minimum, -FLOAT32_MAX)
        self.maximum = FLOAT32_MAX if maximum is None else min(maximum, FLOAT32_MAX)
        self.unit = unit
        self.description = description
        self.support = support
        self.missing = tuple(missing)
        self.values = tuple(values)
        self.aliases = dict(aliases or {})
        self.unknown = unknown
        self.encoding = encoding or ENCODINGS[type == "category"][0]
        self.indicator = indicator
        self.parse = parse
        self._read = READERS[type]
        self._check()
        self.codes = self._spellings()

    def _check(self) -> None:
        """Refuse what contradicts itself."""
        category = self.type == "category"
        known = ("refuse", "missing", *self.values)
        complaints = {
            f"parse must be one of {', '.join(PARSES)}": self.parse not in PARSES,
            "what is optional has to be nullable too": self.optional and not self.nullable,
            "a category needs values, each once": category and not 0 < len(self.values) == len(set(self.values)),
            "only a category has values and aliases": not category and bool(self.values or self.aliases),
            "aliases must lead to its values": not set(self.aliases.values()) <= set(self.values),
            "an alias is one of its other values": any(
                self.aliases.get(value, value) != value for value in self.values
            ),
            "a code for missing is one of its values": not set(self.missing).isdisjoint((*self.values, *self.aliases)),
            "unknown must be refuse, missing or one of its values": self.unknown not in known,
            f"encoding must be one of {', '.join(ENCODINGS[category])}": self.encoding not in ENCODINGS[category],
        }
        for complaint, holds in complaints.items():
            if holds:
                raise ArtefactRefused(f"feature {self.name!r}: {complaint}", self.name)

    def _spellings(self) -> dict[str, float]:
        """What a category's value may be written as -> its place among the values."""
        places = {value: float(k) for k, value in enumerate(self.values)}
        spellings = places | {alias: places[value] for alias, value in self.aliases.items()}
        if self.parse == "strict":
            return spellings
        folded = {spelling.strip().casefold(): place for spelling, place in spellings.items()}
        if any(folded[spelling.strip().casefold()] != place for spelling, place in spellings.items()):
            raise ArtefactRefused(f"feature {self.name!r}: two of its values differ only in case", self.name)
        usual = {write(spelling): place for spelling, place in folded.items() for write in (str.upper, str.title)}
        usual = {spelling: place for spelling, place in usual.items() if folded.get(spelling.casefold()) == place}
        found = usual | spellings | folded  # found at once, as most are written
        return {spelling: place for spelling, place in found.items() if spelling.strip() not in ("", *self.missing)}

    def number(self, value: Any) -> float:
        """The value as a float; NaN for an allowed null, a category's place among its values, -1.0 for an unknown one.

        Raises the error that says what was expected.
        """
        if self.parse == "text" and type(value) is str:
            value = value.strip() or None
        if value is None or (self.missing and type(value) in CODES and value in self.missing):
            return self._gap()
        number = self._read(self, value)
        if self.missing and self.type in MEASURED and number in self.missing:  # a code that arrived as a text
            return self._gap()
        if not self.minimum <= number <= self.maximum:
            raise OutOfRange(f"{self.name} must be {self.limits()}", self.name)
        return number

    def _gap(self) -> float:
        if self.nullable:
            return math.nan
        raise NullFeature(f"{self.name} is null, but this model needs {NEEDED[self.type]} there", self.name)

    def value(self, number: float) -> Any:
        """The JSON value that a number of a vector stands for."""
        if math.isnan(number):
            return None
        if self.type == "category":
            return self.values[int(number)] if number >= 0 else None
        return {"integer": int, "boolean": bool}.get(self.type, float)(number)

    def limits(self) -> str:
        """The hard limits in words."""
        low, high = self.minimum > -FLOAT32_MAX, self.maximum < FLOAT32_MAX
        if low and high:
            return f"between {self.minimum:g} and {self.maximum:g}"
        if low:
            return f"at least {self.minimum:g} and within the range of a 32-bit float"
        return f"at most {self.maximum:g}" if high else NO_LIMITS

    def to_dict(self) -> dict[str, Any]:
        """The feature as the manifest keeps it; what is at its default is left out."""
        slots = (
            "name",
            "type",
            "nullable",
            "optional",
            "unit",
            "description",
            "support",
            "values",
            "aliases",
            "missing",
        )
        fields = {slot: getattr(self, slot) for slot in (*slots, "indicator") if getattr(self, slot)}
        fields |= {key: list(fields[key]) for key in ("values", "missing") if key in fields}
        if self.encoding != ENCODINGS[self.type == "category"][0]:
            fields["encoding"] = self.encoding
        if self.unknown != "refuse":
            fields["unknown"] = self.unknown
        limits = {"minimum": self.minimum, "maximum": self.maximum}
        return fields | {key: limit for key, limit in limits.items() if abs(limit) < FLOAT32_MAX}


def _float(feature: Feature, value: Any) -> float:
    name = feature.name
    if feature.parse == "text" and type(value) is str:
        from riskscore.contract import parsing

        value = parsing.BY_UNIT.get(feature.unit, parsing.plain)(value)
        if value is None:
            raise WrongType(f"{name} must be {NEEDED[feature.type]}, and this text isn't one", name)
    if type(value) is not float and type(value) is not int:
        raise WrongType(f"{name} must be a number, not {kind_of(value)}", name)
    if type(value) is int and not -FLOAT32_MAX <= value <= FLOAT32_MAX:  # float() may not take it
        raise OutOfRange(f"{name} must be within the range of a 32-bit float", name)
    number = float(value)
    if not math.isfinite(number):
        raise NotFinite(f"{name} must be a finite number", name)
    return number


def _integer(feature: Feature, value: Any) -> float:
    number = _float(feature, value)
    if not number.is_integer():
        raise WrongType(f"{feature.name} must be a whole number", feature.name)
    return number


def _boolean(feature: Feature, value: Any) -> float:
    if feature.parse == "text" and type(value) in CODES:
        from riskscore.contract import parsing

        value = parsing.TRUTHS.get(str(value).lower(), value)
    if type(value) is not bool:
        raise WrongType(f"{feature.name} must be true or false, not {kind_of(value)}", feature.name)
    return float(value)


def _category_code(feature: Feature, value: Any) -> float:
    spelling = str(value) if type(value) is int else value
    if type(spelling) is not str:
        raise WrongType(f"{feature.name} must be a string, one of its values, not {kind_of(value)}", feature.name)
    place = feature.codes.get(spelling)
    if place is None and feature.parse == "text":
        place = feature.codes.get(spelling.casefold())
    if place is not None:
        return place
    if feature.unknown == "refuse":
        raise UnknownValue(f"{feature.name} must be one of {_listed(feature.values)}", feature.name)
    return UNKNOWN


def _listed(values: Sequence[str], most: int = 8) -> str:
    return ", ".join(values[:most]) + (f" and {len(values) - most} more" if len(values) > most else "")


READERS: dict[str, Callable[[Feature, Any], float]] = {
    "number": _float,
    "integer": _integer,
    "boolean": _boolean,
    "category": _category_code,
}

NEEDED = {
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "category": "one of its values",
}

MEASURED = ("number", "integer")
PARSES = ("strict", "text")
TEXT_UNITS = ("money", "percent", "decimal_comma")  # how riskscore.texts reads a number
ENCODINGS = {False: ("as_is", "log"), True: ("one_hot", "ordinal")}  # whether it is a category -> the first is default
UNKNOWN = -1.0  # in a vector, a category's value that is not one of the declared ones
CODES = frozenset((str, int, float))  # not bool: true is no code


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
