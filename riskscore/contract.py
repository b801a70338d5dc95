"""The contract of a model: its ordered features with type, nullability, range and training support.

A row is a dict of feature values as JSON gives them. `Contract.vector` checks every value and orders
them into a list of floats, NaN for a missing one; nothing is converted by guess, nothing is filled in.
"""

from __future__ import annotations

import math
from operator import itemgetter

from riskscore.errors import (
    ArtefactRefused,
    CallerFault,
    MissingFeature,
    NotFinite,
    NullFeature,
    OutOfRange,
    UnknownField,
    UnknownValue,
    WrongType,
    shown,
)
from riskscore.plain_numbers import FLOAT32_MAX, NO_LIMITS, PlainNumbers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any, NoReturn


class Feature:
    """One named input. `minimum` and `maximum` are hard limits (inclusive); `support` is what training saw.

    missing: codes that stand for null. values: of a category, in order; aliases: further spellings of them; unknown:
    what another value becomes, `refuse`, `missing` or one of the values. encoding, indicator: see riskscore.encoding.
    parse: `strict`, or `text` where every value may arrive as a string.
    """

    __slots__ = (
        *(
            "_read",
            "aliases",
            "codes",
            "description",
            "encoding",
            "indicator",
            "maximum",
            "minimum",
            "missing",
            "name",
        ),
        *("nullable", "parse", "support", "type", "unit", "unknown", "values"),
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
    ) -> None:
        if type not in READERS:
            raise ArtefactRefused(f"feature {name!r}: type must be one of {', '.join(READERS)}, not {type!r}", name)
        self.name = name
        self.type = type
        self.nullable = nullable
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
            raise ArtefactRefused(f"feature {self.name!r}: two of its values differ in capitals alone", self.name)
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
        slots = ("name", "type", "nullable", "unit", "description", "support", "values", "aliases", "missing")
        fields = {slot: getattr(self, slot) for slot in (*slots, "indicator") if getattr(self, slot)}
        fields |= {key: list(fields[key]) for key in ("values", "missing") if key in fields}
        if self.encoding != ENCODINGS[self.type == "category"][0]:
            fields["encoding"] = self.encoding
        if self.unknown != "refuse":
            fields["unknown"] = self.unknown
        limits = {"minimum": self.minimum, "maximum": self.maximum}
        return fields | {key: limit for key, limit in limits.items() if abs(limit) < FLOAT32_MAX}


def _real(feature: Feature, value: Any) -> float:
    name = feature.name
    if feature.parse == "text" and type(value) is str:
        from riskscore import texts  # a model that takes no text starts without it

        value = texts.BY_UNIT.get(feature.unit, texts.plain)(value)
        if value is None:
            raise WrongType(f"{name} must be {NEEDED[feature.type]}, and this text is none", name)
    if type(value) is not float and type(value) is not int:
        raise WrongType(f"{name} must be a number, not {kind_of(value)}", name)
    try:
        number = float(value)
    except OverflowError:
        raise OutOfRange(f"{name} must be within the range of a 32-bit float", name) from None
    if not math.isfinite(number):
        raise NotFinite(f"{name} must be a finite number", name)
    return number


def _whole(feature: Feature, value: Any) -> float:
    number = _real(feature, value)
    if not number.is_integer():
        raise WrongType(f"{feature.name} must be a whole number", feature.name)
    return number


def _truth(feature: Feature, value: Any) -> float:
    if feature.parse == "text" and type(value) in CODES:
        from riskscore import texts

        value = texts.TRUTHS.get(str(value).lower(), value)
    if type(value) is not bool:
        raise WrongType(f"{feature.name} must be true or false, not {kind_of(value)}", feature.name)
    return float(value)


def _place(feature: Feature, value: Any) -> float:
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
    "number": _real,
    "integer": _whole,
    "boolean": _truth,
    "category": _place,
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
UNKNOWN = -1.0  # in a vector, a category's value that is none of the declared ones
CODES = frozenset((str, int, float))  # not bool: true is no code
LABEL_IGNORED = "label_ignored"  # among a row's observations: it brings the label, which isn't looked at


KINDS = {
    str: "a string",
    bool: "true or false",
    list: "a list",
    dict: "an object",
    int: "a number",
    float: "a number",
    type(None): "null",
}


def _is_quick(feature: Feature) -> bool:
    """Whether a feature is a plain number, which the whole row of them is checked for at once."""
    text = feature.parse == "text" and feature.unit in TEXT_UNITS
    return feature.type in MEASURED and not text and not feature.missing


def kind_of(value: Any) -> str:
    """What a JSON value is, in words, without the value itself."""
    return KINDS.get(type(value), type(value).__name__)


class Contract:
    """Ordered features. Entry k of every vector of the model is `features[k]`."""

    __slots__ = ("_by_name", "_numbers", "_others", "_plain", "features", "names", "parse")

    def __init__(self, features: Iterable[Feature]) -> None:
        self.features = tuple(features)
        self.names = tuple(feature.name for feature in self.features)
        self._by_name = {feature.name: feature for feature in self.features}
        if not self.features or len(self._by_name) != len(self.features):
            raise ArtefactRefused("a contract needs at least one feature, and no name twice")
        self.parse = self.features[0].parse
        plain = [feature for feature in self.features if _is_quick(feature)]
        self._numbers = PlainNumbers(plain, text=self.parse == "text")
        # two names more than there are plain numbers, so that it gives a tuple
        self._plain = itemgetter(*(feature.name for feature in plain), self.names[0], self.names[0])
        self._others = [(k, feature) for k, feature in enumerate(self.features) if not _is_quick(feature)]

    @classmethod
    def from_dicts(cls, features: Iterable[Mapping[str, Any]], parse: str = "strict") -> Contract:
        """The contract from the manifest's or model.toml's list of features."""
        return cls(Feature(**feature, parse=parse) for feature in features)

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
            numbers = self._plain(row)[:-2]
            others = [row[feature.name] for _, feature in self._others]
        except KeyError:
            self._refuse_names(row)
        if len(row) != len(self.names):
            self._refuse_names(row)
        vector = self._numbers.read(numbers)
        if not vector:
            return [feature.number(row[feature.name]) for feature in self.features]
        for (k, feature), value in zip(self._others, others, strict=True):
            # in rising order: each finds its place among those before it
            place = feature.codes.get(value) if type(value) is str else None
            vector.insert(k, feature.number(value) if place is None else place)
        return vector

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
