"""What XGBoost's own JSON tells of a model beside its splits: its categories, and where it has met missing values."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True)
class Codes:
    """Of a categorical feature: the largest code that a split names, and the categories in the order of their codes.

    names is () where the file holds none: XGBoost keeps them since 3.1, and of data frames alone.
    """

    largest: int
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ", ".join(self.names) if self.names else f"0 to {self.largest}"


def gradient_model(learner: Mapping[str, Any]) -> dict[str, Any]:
    """The trees and their parameters, of gbtree or DART."""
    booster = learner["gradient_booster"]
    model: dict[str, Any] = booster["model" if booster["name"] == "gbtree" else "gbtree"]
    found: dict[str, Any] = model.get("model", model)  # DART has it one level deeper
    return found


def _splits(learner: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], int, int]]:
    """(tree, node, feature) of each split; none of a linear model."""
    if learner["gradient_booster"]["name"] == "gblinear":
        return
    for tree in gradient_model(learner)["trees"]:
        for node, (left, feature) in enumerate(zip(tree["left_children"], tree["split_indices"], strict=True)):
            if left >= 0:
                yield tree, node, feature


def met_missing(learner: Mapping[str, Any]) -> frozenset[int]:
    """The features, by their place, that had missing values in training.

    Where a feature never lacks, a tree method sends missing values one way at all of its splits. Both ways are learnt.
    """
    ways: dict[int, set[int]] = {}
    for tree, node, feature in _splits(learner):
        ways.setdefault(feature, set()).add(int(tree["default_left"][node]))
    return frozenset(feature for feature, found in ways.items() if len(found) > 1)


def categories_of(learner: Mapping[str, Any]) -> dict[int, Codes]:
    """The categorical features by their place."""
    largest = {place: -1 for place, kind in enumerate(learner.get("feature_types") or ()) if kind == "c"}
    for tree, node, feature in _splits(learner):
        if any(tree.get("split_type", ())) and tree["split_type"][node]:
            largest[feature] = max(largest.get(feature, -1), *_named_in(tree, node))
    names = _names(learner)
    return {place: Codes(code, names.get(place, ())) for place, code in largest.items()}


def _named_in(tree: Mapping[str, Any], node: int) -> list[int]:
    place = tree["categories_nodes"].index(node)
    start, size = tree["categories_segments"][place], tree["categories_sizes"][place]
    return [-1, *map(int, tree["categories"][start : start + size])]


def _names(learner: Mapping[str, Any]) -> dict[int, tuple[str, ...]]:
    """The categories' names by feature: UTF-8 that the offsets cut into pieces, or numbers."""
    if learner["gradient_booster"]["name"] == "gblinear":
        return {}
    found = {}
    for place, part in enumerate(gradient_model(learner).get("cats", {}).get("enc", ())):
        values, offsets = part["values"], part.get("offsets")
        if offsets is None:
            found[place] = tuple(map(str, values))
        else:
            whole = bytes(value % 256 for value in values)
            found[place] = tuple(whole[start:end].decode("utf-8", "replace") for start, end in pairwise(offsets))
    return {place: names for place, names in found.items() if names}
