"""The twin and its contributions with numpy, for processes that stay: the same numbers to the bit, far sooner.

Importing numpy takes longer than scoring a thousand rows by `trees`, so nothing here is for a cold start. Both look up
once, per feature, how many of its thresholds a row reaches, or that its value is missing; each such place has a line
in a matrix, and what a row's lines have in common tells the leaf of every tree, or the outcomes of every group.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from itertools import accumulate, groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from riskscore.twin.contributions import TableContributions
from riskscore.twin.trees import TreeTwin

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

MAX_LEAVES = 63  # of a tree: each is a bit of one number
MAX_BYTES = 64 * 2**20  # of a matrix; what would take more is left to the lists
# Numbers of so many bits, and the prime that the powers of two below leave different remainders by.
NUMBERS = ((8, np.uint8, 11), (16, np.uint16, 19), (32, np.uint32, 37), (63, np.int64, 67))
TOGETHER = 32  # lines that are added at once: numpy is slow to add many short ones


def array_twin(twin: Any) -> Any:
    """The twin with numpy, or the same where it has no such form: no trees that split, or too large ones."""
    if not isinstance(twin, TreeTwin):
        return twin
    splits, leaves = _splits(twin), _leaves(twin)
    widest = max(map(len, leaves), default=0)
    small = widest <= MAX_LEAVES and 8 * len(leaves) * (len(splits) + 2 * twin.n_features) <= MAX_BYTES
    return ArrayTwin(twin, splits, leaves) if splits and small else twin


def array_contributions(contributions: Any) -> Any:
    """The contributions with numpy, or the same where they have no such form: they come from no tables."""
    if not isinstance(contributions, TableContributions):
        return contributions
    lines = sum(len(masks.thresholds) + 2 for masks in contributions.masks)
    small = max(lines * contributions.n_groups, len(contributions.table)) <= MAX_BYTES
    return ArrayContributions(contributions) if lines and small else contributions


class ArrayTwin:
    """`TreeTwin` with numpy.

    A tree is a number with a bit per leaf. A split at which a row goes right takes away the bits of all leaves to its
    left; the lowest bit that stays is the row's leaf (QuickScorer, Lucchese et al. 2015).
    """

    def __init__(self, twin: TreeTwin, splits: Sequence[_Split], leaves: Sequence[Sequence[float]]) -> None:
        self.n_features = twin.n_features
        self.base_margin = twin.base_margin
        leaves = [[twin.base_margin], *leaves]
        widest = max(map(len, leaves))
        number, prime = next((kind, prime) for bits, kind, prime in NUMBERS if bits >= widest)
        full = np.array([(1 << len(values)) - 1 for values in leaves], number)
        by_feature = {k: list(found) for k, found in groupby(splits, attrgetter("feature"))}
        self._lines = _Lines(twin.n_features, {k: [s.threshold for s in found] for k, found in by_feature.items()})
        self._matrix = np.concatenate([_kept(full, found) for found in by_feature.values()])
        self._prime, self._first = number(prime), np.arange(len(leaves)) * prime
        self._values = np.zeros(len(leaves) * prime, np.float32)
        for first, values in zip(self._first.tolist(), leaves, strict=True):
            for leaf, value in enumerate(values):
                self._values[first + (1 << leaf) % prime] = value

    def margin(self, vector: Sequence[float]) -> float:
        """The margin of one row: floats in the contract's order, NaN = missing."""
        reached = np.bitwise_and.reduce(self._matrix.take(self._lines.of(vector), 0))
        values = self._values.take(self._first + (reached & -reached) % self._prime)
        return float(np.add.accumulate(values)[-1])  # in tree order, rounded after each: `sum` adds in pairs


class ArrayContributions:
    """`TableContributions` with numpy. No sum leaves its 32 bits, in whichever order it is made."""

    def __init__(self, tables: TableContributions) -> None:
        self.base_value = tables.base_value
        self._n_features, self._fields = tables.n_features, np.array(tables.fields)
        thresholds = {k: masks.thresholds for k, masks in zip(tables.fields, tables.masks, strict=True)}
        self._lines = _Lines(tables.n_features, thresholds)
        more = -tables.n_groups % TOGETHER  # groups that add nothing
        self._matrix = np.concatenate([_outcomes(tables.n_groups + more, masks) for masks in tables.masks])
        table = np.frombuffer(tables.table, "<u4").reshape(-1, len(tables.fields))
        self._table = np.concatenate([table, np.zeros_like(table[:1])])
        self._first = np.array([*tables.first, *[len(table)] * more])
        self._step, self._offsets = tables.step, np.array(tables.offsets)

    def of(self, vector: Sequence[float]) -> list[float]:
        """Each feature's contribution to one row's margin; floats in the contract's order, NaN = missing."""
        patterns = np.bitwise_or.reduce(self._matrix.take(self._lines.of(vector), 0))
        entries = self._table.take(self._first + patterns, 0)
        sums = np.add.reduce(entries.reshape(TOGETHER, -1), dtype=np.uint32)
        sums = np.add.reduce(sums.reshape(-1, len(self._fields)), dtype=np.uint32)
        found = np.zeros(self._n_features)
        found[self._fields] = self._offsets + self._step * sums
        parts: list[float] = found.tolist()
        return parts


class _Lines:
    """The lines of a matrix that belong to a row.

    Each feature has one where it reaches none of its thresholds, one for each threshold more that it reaches, and
    at last one where it is missing. thresholds: by feature, rising.
    """

    def __init__(self, n_features: int, thresholds: dict[int, list[float]]) -> None:
        self._n_features = n_features
        starts = accumulate((len(found) + 2 for found in thresholds.values()), initial=0)
        self._places = [
            (k, found, start, start + len(found) + 1)
            for (k, found), start in zip(thresholds.items(), starts, strict=False)
        ]

    def of(self, vector: Sequence[float]) -> list[int]:
        """Of floats in the contract's order, NaN = missing. A row of another length is refused."""
        if len(vector) != self._n_features:
            raise ValueError(f"the model takes {self._n_features} features, the row has {len(vector)}")
        row = array("f", vector).tolist()
        return [
            start + bisect_right(found, row[k]) if row[k] == row[k] else missing  # NaN differs from itself
            for k, found, start, missing in self._places
        ]


class _Split(NamedTuple):
    """A split of a tree. left: the bits of the leaves to its left; right: whether a missing value goes right.

    Trees count from 1; before them stands the base margin, as one that has a single leaf.
    """

    feature: int
    threshold: float
    tree: int
    left: int
    right: bool


def _splits(twin: TreeTwin) -> list[_Split]:
    """By feature and rising threshold."""
    keys, thresholds, left, right = twin.columns
    counts = [1] * len(keys)  # leaves below
    for node in reversed(range(len(keys))):  # a child stands behind its parent
        if left[node]:
            counts[node] = counts[left[node]] + counts[right[node]]
    splits, open_nodes = [], [(root, 0, tree) for tree, root in enumerate(twin.roots, start=1)]
    while open_nodes:
        node, first, tree = open_nodes.pop()
        if left[node]:
            missing_left, feature = divmod(keys[node], twin.n_features)
            lefts = counts[left[node]]
            splits.append(_Split(feature, thresholds[node], tree, ((1 << lefts) - 1) << first, not missing_left))
            open_nodes += [(left[node], first, tree), (right[node], first + lefts, tree)]
    return sorted(splits)


def _leaves(twin: TreeTwin) -> list[list[float]]:
    """The values of each tree's leaves, from the left."""

    def below(root: int) -> Iterator[float]:
        open_nodes = [root]
        while open_nodes:
            _, value, left, right = twin.nodes[open_nodes.pop()]
            if left:
                open_nodes += [right, left]
            else:
                yield value

    return [list(below(root)) for root in twin.roots]


def _kept(full: NDArray[Any], splits: Sequence[_Split]) -> NDArray[Any]:
    """One feature's lines: per tree the leaves that it leaves possible."""
    lines = np.tile(full, (len(splits) + 2, 1))
    for line, split in enumerate(splits, start=1):
        lines[line, split.tree] &= ~full.dtype.type(split.left)
        if split.right:
            lines[-1, split.tree] &= ~full.dtype.type(split.left)
    np.bitwise_and.accumulate(lines[:-1], axis=0, out=lines[:-1])
    return lines


def _outcomes(n_groups: int, masks: Any) -> NDArray[Any]:
    """One feature's lines: per group the outcomes of its splits."""
    groups = np.array(masks.groups, np.intp)
    lines = np.zeros((len(groups) + 2, n_groups), np.uint8)
    lines[np.arange(1, len(groups) + 1), groups] = masks.bits
    np.bitwise_or.accumulate(lines[:-1], axis=0, out=lines[:-1])
    np.bitwise_or.at(lines[-1], groups, np.array(masks.missing_bits, np.uint8))
    return lines
