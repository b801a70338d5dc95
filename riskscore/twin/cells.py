"""How trees answer to a few changes of one row: sums over their cells, exact for up to three changes at once.

A move changes some columns of the row step by step, each of them in one direction. So a split changes sides at most
once along a move, and the steps between such cuts are one cell. With every other column as it is, the margin of moves
a, b, c is  margin + one(a) + one(b) + one(c) + two(a, b) + two(a, c) + two(b, c) + three(a, b, c),  where two and three
are what the moves do together beyond what they do alone; no tree that lacks one of the moves has a part in them.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from itertools import accumulate, product
from operator import add

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from riskscore.twin.trees import TreeTwin

    Box = tuple[list[int], float]  # from, up to, for each move in turn, by cells; the leaf's value
    Part = Any  # of a tree, nested: see Cells._part


class Move:
    """steps: how many there are, 0 being the row as it is. columns: place -> the column's value after k steps.

    plain: the column, if any, whose values after 1, 2 ... steps are `sign` times `rising`, a list that rises.
    """

    __slots__ = ("columns", "plain", "rising", "sign", "steps")

    def __init__(
        self,
        steps: int,
        columns: dict[int, Callable[[int], float]],
        plain: int = -1,
        values: Sequence[float] = (),
        sign: int = 1,
    ) -> None:
        self.steps, self.columns, self.plain, self.sign = steps, columns, plain, sign
        self.rising = array("f", [sign * value for value in values]).tolist()

    def cut(self, column: int, threshold: float, is_left: bool) -> int:
        """The first step at which the column is on the other side of a threshold than it is now; 0 for none."""
        if column == self.plain:  # found without a call for each value that is looked at
            if is_left == (self.sign < 0):
                return 0
            place = bisect_left(self.rising, threshold) if is_left else bisect_right(self.rising, -threshold)
        else:
            value, steps = self.columns[column], range(1, self.steps + 1)
            place = bisect_left(steps, True, key=lambda k: (_float32(value(k)) < threshold) != is_left)
        return place + 1 if place < self.steps else 0


class Trees:
    """A twin, and of each of its trees the root, the columns it splits by, and how many of them a path has at most."""

    def __init__(self, twin: TreeTwin) -> None:
        self.twin = twin
        self.facts = [(root, *self._of(root)) for root in twin.roots]

    def _of(self, root: int) -> tuple[frozenset[int], int]:
        columns, deepest = set[int](), 0
        open_nodes: list[tuple[int, frozenset[int]]] = [(root, frozenset())]
        while open_nodes:
            node, path = open_nodes.pop()
            key, _, left, right = self.twin.nodes[node]
            if left:
                path |= {key % self.twin.n_features}
                columns |= path
                open_nodes += ((left, path), (right, path))
            deepest = max(deepest, len(path))
        return frozenset(columns), deepest


class Cells:
    """The cells of one row's moves. cuts[m]: the steps at which a cell of move m begins, 0 the first."""

    def __init__(self, trees: Trees, columns: Sequence[float], moves: Sequence[Move]) -> None:
        self._nodes, self._n_features = trees.twin.nodes, trees.twin.n_features
        self._row, self._moves = trees.twin.row(columns), moves
        self._movers: dict[int, list[int]] = {}  # by key, be it of a column or of one whose missing value goes left
        for m, move in enumerate(moves):
            for column in move.columns:
                self._movers.setdefault(column, []).append(m)
        moved = frozenset(self._movers)
        self._movers |= {column + self._n_features: found for column, found in self._movers.items()}
        self._cuts: dict[tuple[int, float], dict[int, int]] = {}  # of each split that was met: the cut of each move
        self._trees: list[tuple[Part, set[int], int]] = []
        for root, used, deepest in trees.facts:
            if not moved.isdisjoint(used):
                met = set[int]()
                self._trees.append((self._part(root, met), met, deepest))
        found = [{0} for _ in moves]
        for cuts in self._cuts.values():
            for m, cut in cuts.items():
                found[m].add(cut)
        self.cuts = [*map(sorted, found)]
        self._cells = [{cut: cell for cell, cut in enumerate(cuts)} for cuts in self.cuts]
        self.one = [self._single(m) for m in range(len(moves))]

    def _part(self, node: int, met: set[int]) -> Part:
        """What the moves can reach of a tree: a leaf's value, or (cut by move, the side of now, the other side).

        met: gets the moves that can part it.
        """
        nodes, row, movers, known = self._nodes, self._row, self._movers, self._cuts
        while True:
            key, threshold, left, right = nodes[node]
            if not left:
                return threshold
            now, other = (left, right) if row[key] < threshold else (right, left)
            if key in movers:
                cuts = known.get((key, threshold))
                if cuts is None:
                    cuts = known[key, threshold] = self._cuts_of(key, threshold)
                if cuts:
                    met.update(cuts)
                    return cuts, self._part(now, met), self._part(other, met)
            node = now

    def _cuts_of(self, key: int, threshold: float) -> dict[int, int]:
        """Of each move that changes a split's side, the first step at which it does."""
        is_left, column = self._row[key] < threshold, key % self._n_features
        return {m: cut for m in self._movers[key] if (cut := self._moves[m].cut(column, threshold, is_left))}

    def _single(self, m: int) -> list[float]:
        """What a move does alone, by its cells."""
        changes, cells = [0.0] * (len(self.cuts[m]) + 1), self._cells[m]
        for part, met, _ in self._trees:
            if m in met:
                _add_line(part, m, cells, 0, len(changes) - 1, changes)
        sums = [*accumulate(changes)]
        return [value - sums[0] for value in sums[:-1]]

    def two(self, a: int, b: int) -> list[list[float]] | None:
        """What moves a and b do together beyond what they do alone, by their cells; None where no tree has both."""
        parts = [part for part, met, _ in self._trees if a in met and b in met]
        if not parts:
            return None
        width = len(self.cuts[b]) + 1
        table = [[0.0] * width for _ in range(len(self.cuts[a]) + 1)]
        for part in parts:
            for (top, bottom, left, right), value in self._boxes(part, (a, b)):
                table[top][left] += value
                table[top][right] -= value
                table[bottom][left] -= value
                table[bottom][right] += value
        summed = [[*accumulate(line)] for line in table]
        totals = [*accumulate(summed, lambda above, line: [*map(add, above, line)])][:-1]
        first = [value - totals[0][0] for value in totals[0][:-1]]
        return [[value - line[0] - alone for value, alone in zip(line, first, strict=False)] for line in totals]

    def three(self, a: int, b: int, c: int) -> Together | None:
        """What three moves do together beyond their pairs; None where no tree has all of them."""
        moves = (a, b, c)
        trees = [
            [*self._boxes(part, moves)] for part, met, deepest in self._trees if deepest > 2 and met.issuperset(moves)
        ]
        return Together(trees) if trees else None

    def _boxes(self, part: Part, moves: tuple[int, ...]) -> list[Box]:
        """The leaves of a part that these moves reach, each with its cells: from, up to, for each move in turn."""
        whole = [edge for m in moves for edge in (0, len(self.cuts[m]))]
        found, waiting = [], [(part, whole)]
        while waiting:
            part, box = waiting.pop()
            while type(part) is tuple:
                cuts, now, other = part
                part = now
                for k, m in enumerate(moves):
                    if m in cuts:
                        cell, low, high = self._cells[m][cuts[m]], box[2 * k], box[2 * k + 1]
                        if cell <= low:
                            part = other
                        elif cell < high:
                            waiting.append((other, [*box[: 2 * k], cell, *box[2 * k + 1 :]]))
                            box = [*box[: 2 * k + 1], cell, *box[2 * k + 2 :]]
                        break
            found.append((box, part))
        return found


def _add_line(part: Part, m: int, cells: dict[int, int], low: int, high: int, changes: list[float]) -> None:
    """Add where a part's value changes along one move, within cells low to high."""
    while type(part) is tuple:
        cuts, part, other = part
        cell = cells[cuts[m]] if m in cuts else high
        if cell <= low:
            part = other
        elif cell < high:
            _add_line(other, m, cells, cell, high, changes)
            high = cell
    changes[low] += part
    changes[high] -= part


class Together:
    """What three moves do together beyond their pairs, by their cells. least: no cells give less."""

    def __init__(self, trees: Sequence[Sequence[Box]]) -> None:
        self._trees = trees
        self.least = sum(map(self._least, trees))

    def of(self, *cells: int) -> float:
        """Of one cell of each move."""
        return sum(_beyond_pairs(boxes, cells) for boxes in self._trees)

    def _least(self, boxes: Sequence[Box]) -> float:
        corners = [sorted({box[2 * k] for box, _ in boxes}) for k in range(3)]
        return min(_beyond_pairs(boxes, cells) for cells in product(*corners))


class Additive:
    """The same for a model whose margin is a sum over columns: no moves do anything together, and every step counts.

    A step that does no more than a smaller one is left out. margin: of the row after k steps of move m.
    """

    def __init__(self, margin: Callable[[int, int], float], moves: Sequence[Move]) -> None:
        self.cuts: list[list[int]] = []
        self.one: list[list[float]] = []
        for m, move in enumerate(moves):
            values = [margin(m, k) for k in range(move.steps + 1)]
            least = [values[0], *accumulate(values, min)][:-1]
            kept = [0, *(k for k in range(1, len(values)) if values[k] < least[k])]
            self.cuts.append(kept)
            self.one.append([values[k] - values[0] for k in kept])

    def two(self, _a: int, _b: int) -> None:
        """None: nothing."""

    def three(self, _a: int, _b: int, _c: int) -> None:
        """None: nothing."""


def _beyond_pairs(boxes: Sequence[Box], cells: Sequence[int]) -> float:
    """By inclusion and exclusion: each move in its cell or not made."""
    return math.fsum(
        (-1) ** made.count(0) * _leaf(boxes, [side * cell for side, cell in zip(made, cells, strict=True)])
        for made in product((0, 1), repeat=3)
    )


def _leaf(boxes: Sequence[Box], cells: Sequence[int]) -> float:
    a, b, c = cells
    found: float = next(v for (a0, a1, b0, b1, c0, c1), v in boxes if a0 <= a < a1 and b0 <= b < b1 and c0 <= c < c1)
    return found


def _float32(value: float) -> float:
    found: float = array("f", (value,))[0]
    return found
