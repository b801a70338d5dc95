"""An estimator that somebody else trained: what has to be known of it, and whether it fits a contract."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from riskscore.errors import InvalidFile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass
class Foreign:
    """An estimator from outside.

    family: the most capable that it may belong to. missing: the value that it takes for a missing one.
    own: its own probabilities of class 1 for rows (n, features). names: its columns, where it knows them; width: how
    many. notes: what a person should know of how it was read.
    """

    estimator: Any
    original: Any
    family: str
    own: Callable[[Floats], Floats]
    names: list[str] | None
    width: int | None
    missing: float = math.nan
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
        raise InvalidFile(f"{file} tells {len(classes)} classes apart, but a score needs two, 0 and 1")
    if classes not in ([0, 1], [1, 0]):
        shown = " and ".join(repr(label)[:40] for label in classes)
        raise InvalidFile(
            f"the classes of {file} must be 0 and 1, and are {shown}: train it with 1 for the bad outcome"
        )


def check_columns(file: str, found: Foreign, contract: Sequence[str]) -> None:
    """Refuse an estimator whose features aren't those of the contract, by name, number and order."""
    if found.width is not None and found.width != len(contract):
        raise InvalidFile(f"{file} takes {found.width} features, but the contract names {len(contract)}")
    if found.names is None:
        found.notes.append("the file names no features: the contract alone says which column is which")
        return
    strange = [name for name in found.names if name not in contract]
    if strange or len(found.names) != len(contract):
        lacking = ", ".join(name for name in contract if name not in found.names)
        raise InvalidFile(
            f"{file} takes the feature {strange[0] if strange else found.names[0]!r},"
            f" which is none of the contract's; it doesn't take {lacking}"
        )
    for place, (own, agreed) in enumerate(zip(found.names, contract, strict=True), 1):
        if own != agreed:
            raise InvalidFile(
                f"{file} takes its features in another order than the contract: as number {place}, {own!r} and not"
                f" {agreed!r}; put the contract's features in the file's order",
                agreed,
            )
