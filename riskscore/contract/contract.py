"""The contract of a model: its ordered features with type, nullability, range and training support.

A row is a dict of feature values as JSON gives them. `Contract.vector` checks every value and orders
them into a list of floats, NaN for a missing one; nothing is converted by guess, nothing is filled in.
"""

from __future__ import annotations

from operator import itemgetter

from riskscore.contract.fast_path import PlainNumbers
from riskscore.contract.feature import MEASURED, TEXT_UNITS, Feature
from riskscore.errors import ArtefactRefused, CallerFault, MissingFeature, UnknownField, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any, NoReturn

LABEL_IGNORED = "label_ignored"  # among a row's observations: it brings the label, which isn't looked at


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

    def are_in(self, row: Mapping[str, Any]) -> bool:
        """Whether a row has a value for each of the features."""
        return self._by_name.keys() <= row.keys()

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

    def matrix(self, rows: Sequence[Mapping[str, Any]], ahead: Callable[[Any], object] = lambda _: None) -> Any:
        """The vectors of many rows as float64 (n, features); None where one of them needs a closer look.

        ahead: given the matrix as soon as there is one, sound or not.
        """
        if self._others or len(self.names) < 2 or set(map(len, rows)) != {len(self.names)}:
            return None
        try:
            values = list(map(itemgetter(*self.names), rows))
        except KeyError:
            return None
        return self._numbers.matrix(values, ahead)

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


def _is_quick(feature: Feature) -> bool:
    """Whether a feature is a plain number, which the whole row of them is checked for at once."""
    text = feature.parse == "text" and feature.unit in TEXT_UNITS
    return feature.type in MEASURED and not text and not feature.missing
