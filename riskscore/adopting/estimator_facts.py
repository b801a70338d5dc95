"""An estimator that somebody else trained: what has to be known of it, and whether it fits a contract."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from riskscore.contract.encoding import Encoding
from riskscore.errors import InvalidFile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from riskscore.adopting.xgboost_facts import Codes
    from riskscore.contract.contract import Contract
    from riskscore.contract.feature import Feature

    Floats = NDArray[np.float64]

MOST_CODES = 2**24  # of a category, to XGBoost: float32 counts no further


@dataclass
class ForeignEstimator:
    """An estimator from outside.

    family: the most capable that it may belong to. missing: the value that it takes for a missing one.
    own: its own probabilities of class 1 for rows (n, features). names: its columns, where it knows them; width: how
    many. keeps_missing: whether `missing` is what its owner took. categories: its categorical columns, by place;
    met_missing: the columns that lacked in training. notes: what a person should know of how it was read.
    """

    estimator: Any
    original: Any
    family: str
    own: Callable[[Floats], Floats]
    names: list[str] | None
    width: int | None
    missing: float = math.nan
    keeps_missing: bool = True
    categories: dict[int, Codes] = field(default_factory=dict)
    met_missing: frozenset[int] = frozenset()
    versions: dict[str, str] = field(default_factory=dict)
    imports: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def positive(estimator: Any) -> Callable[[Floats], Floats]:
    column = list(estimator.classes_).index(1)

    def own(matrix: Floats) -> Floats:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "X does not have valid feature names")
            return np.asarray(estimator.predict_proba(matrix), dtype=float)[:, column]

    return own


def check_classes(file: str, estimator: Any) -> None:
    """Refuse an estimator that doesn't tell 0 from 1."""
    try:
        classes = np.asarray(estimator.classes_).tolist()
    except (AttributeError, ValueError):  # not fitted, or of several outputs
        raise InvalidFile(f"{file} holds a {type(estimator).__name__} that isn't fitted to two classes") from None
    if len(classes) != 2:
        raise InvalidFile(f"{file} has {len(classes)} classes, but a score needs two, 0 and 1")
    if classes not in ([0, 1], [1, 0]):
        shown = " and ".join(repr(label)[:40] for label in classes)
        raise InvalidFile(
            f"the classes of {file} must be 0 and 1, and are {shown}: train it with 1 for the bad outcome"
        )


def check_columns(file: str, found: ForeignEstimator, contract: Contract) -> None:
    """Refuse an estimator whose features aren't those of the contract, by name, number and order."""
    agreed = contract.names
    if found.width is not None and found.width != len(agreed):
        raise InvalidFile(f"{file} takes {found.width} features, but the contract names {len(agreed)}")
    if found.names is None:
        found.notes.append("the file names no features: the contract alone says which column is which")
        return
    ours = dict(zip(Encoding(contract).names, agreed, strict=True))  # XGBoost takes no brackets in a name
    names = [name if name in contract else ours.get(name, name) for name in found.names]
    strange = [name for name in names if name not in contract]
    if strange or len(names) != len(agreed):
        lacking = ", ".join(name for name in agreed if name not in names)
        raise InvalidFile(
            f"{file} takes the feature {strange[0] if strange else names[0]!r},"
            f" which is not one of the contract's; it doesn't take {lacking}"
        )
    for place, (own, name) in enumerate(zip(names, agreed, strict=True), 1):
        if own != name:
            raise InvalidFile(
                f"{file} takes its features in another order than the contract: feature {place} is {own!r},"
                f" not {name!r}; put the contract's features in the file's order",
                name,
            )


def check_categories(file: str, found: ForeignEstimator, features: Sequence[Feature]) -> None:
    """Refuse a contract that takes a category's codes for numbers, or knows other codes than the file."""
    for place, codes in found.categories.items():
        feature = features[place]
        known = _codes_of(feature, bool(codes.names))
        named = f"with the categories {codes}" if codes.names else f"with the codes {codes} in its splits"
        if not known:
            raise InvalidFile(
                f'{feature.name} is a category in {file}, {named}: give it type = "category", encoding = "ordinal" and'
                " values in the order of the codes"
                + ("" if codes.names else ', or type = "integer" with minimum = 0 and maximum'),
                feature.name,
            )
        if codes.names and known != codes.names:
            raise InvalidFile(
                f"{feature.name} is a category in {file}, {named}: its values must be these, in this order"
            )
        if len(known) <= codes.largest:
            raise InvalidFile(f"{feature.name} is a category in {file}, {named}, and has {len(known)} in the contract")


def _codes_of(feature: Feature, named: bool) -> tuple[str, ...]:
    """What a feature's codes from 0 on stand for by its contract; () where it may be any number.

    named: whether the file names its categories. A whole number is then a code only where it is its own name.
    """
    if feature.type == "category":
        return feature.values
    if feature.type == "boolean" and not named:
        return "false", "true"
    bound = feature.type == "integer" and feature.minimum == 0 and feature.maximum < MOST_CODES
    return tuple(map(str, range(int(feature.maximum) + 1))) if bound else ()
