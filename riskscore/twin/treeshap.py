"""Exact path-dependent TreeSHAP (Lundberg et al. 2018, algorithm 1), leaf by leaf.

A leaf contributes to the features on its path alone, and how much depends on nothing but which of these features
the row agrees with. `contribution_tables` computes that ahead for all rows; where trees are too deep for tables,
`LeafContributions` computes it row by row. Equals XGBoost's `pred_contribs` up to its float32 sums.
"""

from __future__ import annotations

import math
from array import array
from collections import defaultdict
from functools import cache
from itertools import chain

from riskscore.errors import ArtefactRefused
from riskscore.twin.trees import TreeTwin, UnsupportedModel, load, unpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    Path = tuple[tuple[int, int, int, float], ...]  # (split, goes right, feature, share of the weight that goes there)


@cache
def _shapley_weights(players: int) -> list[float]:
    """Weight of a coalition by its size, without the player it is joined by."""
    return [1.0 / (players * math.comb(players - 1, size)) for size in range(players)]


class Leaf:
    """A leaf and the features on its path.

    fractions:   per feature the share of training weight that stays on the path where the feature is unknown.
    conditions:  per feature the (split, goes right) pairs on the path.
    """

    def __init__(self, value: float, path: Path) -> None:
        self.value = value
        fractions: dict[int, float] = defaultdict(lambda: 1.0)
        conditions: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for split, goes_right, feature, fraction in path:
            fractions[feature] *= fraction
            conditions[feature].append((split, goes_right))
        self.features = tuple(fractions)
        self.fractions = tuple(fractions.values())
        self.conditions = tuple(conditions.values())
        self._known: dict[tuple[bool, ...], list[float]] = {}

    def agreement(self, outcomes: Mapping[int, bool] | Sequence[bool]) -> tuple[bool, ...]:
        """Per feature on the path: do its splits (1 = right) lead the row towards this leaf?"""
        return tuple([all(outcomes[split] == side for split, side in pairs) for pairs in self.conditions])

    def contributions(self, agrees: tuple[bool, ...]) -> list[float]:
        """Shapley values of the features on the path, log-odds."""
        found = self._known.get(agrees)
        if found is None:
            found = self._known[agrees] = [self._contribution(player, agrees) for player in range(len(agrees))]
        return found

    def _contribution(self, player: int, agrees: tuple[bool, ...]) -> float:
        by_size = [1.0]  # of all coalitions of the other features, by size: what of the row reaches the leaf
        for other, fraction in enumerate(self.fractions):
            if other != player:
                joined = by_size if agrees[other] else [0.0] * len(by_size)
                by_size = [fraction * a + b for a, b in zip([*by_size, 0.0], [0.0, *joined], strict=True)]
        reached = math.fsum(map(float.__mul__, _shapley_weights(len(agrees)), by_size))
        return self.value * (agrees[player] - self.fractions[player]) * reached


class Forest:
    """A twin's nodes with the training weight (`cover`) that reached each."""

    def __init__(self, twin: TreeTwin, covers: array[float]) -> None:
        self.twin = twin
        self.covers = covers
        self.keys, self.thresholds, self.left, self.right = twin.columns
        if len(covers) != len(self.keys) or not all(math.isfinite(cover) and cover >= 0.0 for cover in covers):
            raise ArtefactRefused("the model file's sum_hessian doesn't fit its trees")

    def walk(self, node: int, path: Path = ()) -> Iterator[tuple[int, Path]]:
        """(node, path to it) of each node from one downwards that is reached by the path."""
        open_nodes = [(node, path)]
        while open_nodes:
            node, path = open_nodes.pop()
            yield node, path
            if self.left[node]:
                open_nodes += self.step(node, path)

    def step(self, node: int, path: Path) -> list[tuple[int, Path]]:
        """(child, path to it) of a split's two children."""
        cover, feature = self.covers[node], self.keys[node] % self.twin.n_features
        if cover == 0.0:
            raise UnsupportedModel("no training row reached a split of the model: contributions aren't defined")
        children = enumerate((self.left[node], self.right[node]))
        return [(child, (*path, (node, side, feature, self.covers[child] / cover))) for side, child in children]

    def leaves(self, node: int, path: Path = ()) -> list[Leaf]:
        """The leaves from a node downwards that is reached by the path."""
        return [Leaf(self.thresholds[n], p) for n, p in self.walk(node, path) if not self.left[n]]

    def base_value(self) -> float:
        """The mean margin: what a row of which nothing is known would get."""
        every = chain.from_iterable(map(self.leaves, self.twin.roots))
        return math.fsum([self.twin.base_margin, *(leaf.value * math.prod(leaf.fractions) for leaf in every)])


def forest(document: dict[str, Any]) -> Forest:
    """The forest of XGBoost's own JSON."""
    twin = load(document)
    if not isinstance(twin, TreeTwin):
        raise UnsupportedModel("a linear model has no trees")
    trees = document["learner"]["gradient_booster"]["model"]["trees"]
    try:
        return Forest(twin, array("f", chain.from_iterable(tree["sum_hessian"] for tree in trees)))
    except (KeyError, TypeError) as error:
        raise ArtefactRefused(f"the model file is broken: {type(error).__name__}: {error}") from error


def read(header: dict[str, Any], body: memoryview) -> Forest:
    """The forest that `contribution_tables` stored for trees too deep for tables."""
    covers = array("f")
    covers.frombytes(body[int(header["twin"]) :])
    return Forest(unpack(bytes(body[: int(header["twin"])])), covers)


class LeafContributions:
    """Contributions leaf by leaf: for trees too deep for tables. Milliseconds a row, not microseconds."""

    def __init__(self, trees: Forest) -> None:
        self._forest = trees
        self._leaves = [leaf for root in trees.twin.roots for leaf in trees.leaves(root)]
        self.base_value = trees.base_value()

    def of(self, vector: Sequence[float]) -> list[float]:
        """Per feature in the contract's order, log-odds; with the base value they add up to the margin."""
        row = self._forest.twin.row(vector)
        outcomes = [not row[key] < threshold for key, threshold, _, _ in self._forest.twin.nodes]
        sums = [0.0] * len(vector)
        for leaf in self._leaves:
            for feature, value in zip(leaf.features, leaf.contributions(leaf.agreement(outcomes)), strict=True):
                sums[feature] += value
        return sums
