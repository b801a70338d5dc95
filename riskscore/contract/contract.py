"""The contract of a model: its ordered features with type, nullability, range and training support.

A row is a dict of feature values as JSON gives them. `Contract.vector` checks every value and orders
them into a list of floats, NaN for a missing one; nothing is converted by guess, nothing is filled in.
"""

from __future__ import annotations

from operator import itemgetter

from riskscore.contract.fast_path import NUMBERS, PlainNumbers
from riskscore.contract.feature import MEASURED, TEXT_UNITS, Feature
from riskscore.errors import ArtefactRefused, CallerFault, MissingFeature, UnknownField, remembered, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any, NoReturn

LABEL_IGNORED = "label_ignored"  # among a row's observations: it brings the label, which isn't looked at
PREDICTED = "predicted_probability"  # what [response] may name beside the fields of an answer
HINT = "; did you mean "
HINTS = 20  # different misspelt names that a request is told the nearest name of: each takes milliseconds to find
LONGEST_MISSPELT = 200  # characters; nothing is like a longer one
UNSOUND = object()  # among what the rows of a request share: where the row before was unsound
SINGLY = 6  # features or fewer are looked at one by one where one among them is unsound


class Contract:
    """Ordered features. Entry k of every vector of the model is `features[k]`."""

    __slots__ = ("_all", "_by_name", "_prefixes", "features", "names", "parse", "required")

    def __init__(self, features: Iterable[Feature]) -> None:
        self.features = tuple(features)
        self.names = tuple(feature.name for feature in self.features)
        self._by_name = {feature.name: feature for feature in self.features}
        if not self.features or len(self._by_name) != len(self.features):
            raise ArtefactRefused("a contract needs at least one feature, each with its own name")
        self.required = tuple(feature.name for feature in self.features if not feature.optional)
        if not self.required:
            raise ArtefactRefused("a contract needs at least one feature that isn't optional")
        self.parse = self.features[0].parse
        self._all = FeatureSlice(self.features)
        self._prefixes: dict[int, FeatureSlice] = {}

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

    def vector(self, row: Mapping[str, Any], memo: dict[Any, Any] | None = None) -> list[float]:
        """The checked values in the contract's order, NaN where an allowed value is missing, or an optional feature.

        memo: shared by the rows of a request, so that those with the same wrong names are told so at once.
        """
        memo = {} if memo is None else memo
        if UNSOUND in memo and row.keys() == self._by_name.keys():
            return self._closer_look(row, memo)
        try:
            vector = self._all.read(row) if len(row) == len(self.names) else None
        except KeyError:
            vector = None
        if vector is None and (
            lacking := [name for name in self.names if name not in row and self._by_name[name].optional]
        ):
            return self.vector(dict.fromkeys(lacking) | dict(row), memo)
        if vector is None:
            remembered(memo, tuple(row), self._refuse_names, row, len(memo) < HINTS)
        return vector or self._closer_look(row, memo)

    def _closer_look(self, row: Mapping[str, Any], memo: dict[Any, Any]) -> list[float]:
        """The vector of a row that isn't plainly sound. Raises what is wrong with the first value that is.

        Rows mostly repeat the mistake of the one before: it is looked for where that was, once all before it is sound.
        """
        place = memo.get(UNSOUND)
        if place is not None and (place == 0 or self._before(place).read(row)):
            self.features[place].number(row[self.names[place]])
        try:
            vector = self._all.read_closely(row)
        except CallerFault as error:
            memo[UNSOUND] = self.names.index(error.field) if error.field in self._by_name else None
            raise
        memo.pop(UNSOUND, None)  # a row that is sound after all
        return vector

    def _before(self, place: int) -> FeatureSlice:
        """The features before this place."""
        if place not in self._prefixes:
            self._prefixes[place] = FeatureSlice(self.features[:place])
        return self._prefixes[place]

    def matrix(self, rows: Sequence[Mapping[str, Any]], on_matrix: Callable[[Any], object] = lambda _: None) -> Any:
        """The vectors of many rows as float64 (n, features); None where one of them needs a closer look.

        on_matrix: given the matrix once its numbers are sound, whatever they were written as.
        """
        if self._all.others or len(self.names) < 2 or set(map(len, rows)) != {len(self.names)}:
            return None
        try:
            values = list(map(itemgetter(*self.names), rows))
        except KeyError:
            return None
        return self._all.numbers.matrix(values, on_matrix)

    def _refuse_names(self, row: Mapping[str, Any], hint: bool) -> NoReturn:
        """Raise for names that differ from the contract's: a misspelt one first, since it explains a missing one."""
        unknown = next((str(name) for name in row if name not in self._by_name), None)
        if unknown is not None:
            raise self.unknown(unknown, hint=hint)
        missing = [name for name in self.required if name not in row]
        listed = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        needed = "all" if len(self.required) == len(self.names) else f"{len(self.required)}"
        raise MissingFeature(
            f"missing: {listed}; this model needs {needed} of its {len(self.names)} features", missing[0]
        )

    def unknown(self, name: str, known: Sequence[str] = (), hint: bool = True) -> CallerFault:
        """The error for a name that is no feature, with the nearest one where there is one and a hint is due."""
        near = _nearest(name, [*self.names, *known]) if hint and len(name) <= LONGEST_MISSPELT else []
        hinted = f"{HINT}{near[0]!r}?" if near else ""
        return UnknownField(f"unknown field {shown(name)!r}{hinted}", name)


class FeatureSlice:
    """Some of a contract's features, in its order: read at once where their plain numbers are sound."""

    __slots__ = ("_each", "_features", "_halves", "_plain", "numbers", "others")

    def __init__(self, features: Sequence[Feature]) -> None:
        plain = [feature for feature in features if _is_quick(feature)]
        self._features = features
        self._halves: list[FeatureSlice] = []  # made at the first unsound row
        self._each = [_quick_limits(feature) for feature in features]
        self.numbers = PlainNumbers(plain, text=features[0].parse == "text")
        # two names more than there are plain numbers, so that it gives a tuple
        self._plain = itemgetter(*(feature.name for feature in plain), features[0].name, features[0].name)
        self.others = [(k, feature) for k, feature in enumerate(features) if not _is_quick(feature)]

    def read(self, row: Mapping[str, Any]) -> list[float]:
        """The features' values, [] where a closer look is due. Raises KeyError where one is missing."""
        numbers = self._plain(row)[:-2]
        others = [row[feature.name] for _, feature in self.others] if self.others else ()
        vector = self.numbers.read(numbers)
        if vector:
            for (k, feature), value in zip(self.others, others, strict=True):
                # in rising order: each finds its place among those before it
                place = feature.codes.get(value) if type(value) is str else None
                vector.insert(k, feature.number(value) if place is None else place)
        return vector

    def read_closely(self, row: Mapping[str, Any]) -> list[float]:
        """The features' values, where one among them isn't plainly sound: by halves, so that most are read at once."""
        middle = len(self._features) // 2
        if middle * 2 <= SINGLY:
            return self._read_each(row)
        if not self._halves:
            self._halves = [FeatureSlice(self._features[:middle]), FeatureSlice(self._features[middle:])]
        left, right = self._halves
        return [*(left.read(row) or left.read_closely(row)), *(right.read(row) or right.read_closely(row))]

    def _read_each(self, row: Mapping[str, Any]) -> list[float]:
        """The features' values, looked at one by one; a number that is plainly sound at a glance."""
        vector = []
        for name, minimum, maximum, whole, number in self._each:
            value = row[name]
            sound = type(value) in NUMBERS and minimum <= value <= maximum and not (whole and value % 1)
            vector.append(float(value) if sound else number(value))
        return vector


def _nearest(name: str, names: Sequence[str]) -> list[str]:
    import difflib  # only on the way to an error: the cold path of a good event does without it

    return difflib.get_close_matches(name, names, n=1)


def _quick_limits(feature: Feature) -> tuple[str, float, float, bool, Callable[[Any], float]]:
    """A feature's name, the limits within which a plain number is sound (none is, where the feature is no such), ..."""
    limits = (feature.minimum, feature.maximum) if _is_quick(feature) else (1.0, 0.0)
    return (feature.name, *limits, feature.type == "integer", feature.number)


def _is_quick(feature: Feature) -> bool:
    """Whether a feature is a plain number, which the whole row of them is checked for at once."""
    text = feature.parse == "text" and feature.unit in TEXT_UNITS
    return feature.type in MEASURED and not text and not feature.missing
