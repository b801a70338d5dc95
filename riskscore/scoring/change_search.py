"""The cheapest one, two and three moves that bring a margin below a limit: exact, by sums over cells and their bounds.

What a move does and costs is a table by its cells, cell 0 being no move; costs rise. Two and three moves are looked at
only where they may cost less than what was found.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from itertools import accumulate, combinations
from operator import add

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    Picks = tuple[tuple[int, int], ...]  # (move, cell) of each move that is made

CLOSE = 1e-4  # how far sums over cells may be from the margin, whose sum is rounded after each tree
MOST_MOVES = 3


class Search:
    """Finds the cheapest moves. found: cost and picks, each cheaper than those of fewer moves before it.

    start: the margin without a move. tables: a Cells or an Additive. costs[m][cell]; tied: whether two moves may not
    be made together. verify: whether the margin after the picks is below the limit, for sums that are too close to it.
    """

    def __init__(
        self,
        start: float,
        limit: float,
        tables: Any,
        costs: Sequence[Sequence[float]],
        tied: Callable[[int, int], bool],
        verify: Callable[[Picks], bool],
    ) -> None:
        self.found: list[tuple[float, Picks]] = []
        self._best = math.inf
        self._need = limit - start  # what has to be gained: a sum below it
        self._one, self._costs, self._verify = tables.one, costs, verify
        self._low = [[*accumulate(values, min)] for values in self._one]
        self._tables = tables
        moves = [m for m, values in enumerate(self._one) if len(values) > 1]
        self._singles(moves)
        pairs = [pair for pair in combinations(moves, 2) if not tied(*pair)]
        self._two: dict[tuple[int, int], tuple[Any, float]] = {}
        self._of_each(pairs, self._pair)
        free = {*pairs}
        threes = [three for three in combinations(moves, 3) if free.issuperset(combinations(three, 2))]
        self._of_each(threes, self._triple)

    def _of_each(self, sets: Sequence[tuple[int, ...]], look: Callable[..., None]) -> None:
        best: list[tuple[float, Picks]] = []
        for moves in sets:
            before, self._kept = self._best, best
            look(*moves)
            if self._best < before:
                best = self._kept
        self.found += best

    def _singles(self, moves: Sequence[int]) -> None:
        best: list[tuple[float, Picks]] = []
        for m in moves:
            self._kept = best
            self._scan((), 0.0, 0.0, m, self._one[m])
            best = self._kept
        self.found += best

    def _scan(self, picks: Picks, cost: float, gained: float, m: int, row: Sequence[float]) -> None:
        """Add the cheapest cell of a last move by which the limit is crossed, if it costs less than what was found."""
        count = bisect_left(self._costs[m], self._best - cost)
        need = self._need + CLOSE - gained
        for cell in range(1, count):
            if row[cell] < need and self._crosses(gained + row[cell], made := (*picks, (m, cell))):
                self._best = cost + self._costs[m][cell]
                self._kept = [(self._best, made)]
                return

    def _crosses(self, gained: float, picks: Picks) -> bool:
        return gained < self._need - CLOSE or self._verify(picks)

    def _pair(self, a: int, b: int) -> None:
        if self._costs[a][1] + self._costs[b][1] >= self._best:
            return
        table, least = self._together(a, b)
        if not self._hopeful(self._low[a][-1] + self._low[b][-1] + least):
            return
        for cell in range(1, len(self._costs[a])):
            cost, gained = self._costs[a][cell], self._one[a][cell]
            last = bisect_left(self._costs[b], self._best - cost)
            if last < 2:
                return
            if self._hopeful(gained + self._low[b][last - 1] + least):
                row = [*map(add, self._one[b], table[cell])] if table else self._one[b]
                self._scan(((a, cell),), cost, gained, b, row)

    def _together(self, a: int, b: int) -> tuple[Any, float]:
        """What two moves do together, and the least of it."""
        found = self._two.get((a, b))
        if found is None:
            table = self._tables.two(a, b)
            found = self._two[a, b] = table, min(map(min, table)) if table else 0.0
        return found

    def _hopeful(self, gained: float) -> bool:
        return gained < self._need + CLOSE

    def _triple(self, a: int, b: int, c: int) -> None:
        if self._costs[a][1] + self._costs[b][1] + self._costs[c][1] >= self._best:
            return
        one, low = self._one, self._low
        three = self._tables.three(a, b, c)
        beyond = three.least if three else 0.0
        least = sum(self._together(*pair)[1] for pair in ((a, b), (a, c), (b, c))) + beyond
        if not self._hopeful(low[a][-1] + low[b][-1] + low[c][-1] + least):
            return
        for i in range(1, len(self._costs[a])):
            cost, gained = self._costs[a][i], one[a][i]
            budget = self._best - cost
            last_b, last_c = bisect_left(self._costs[b], budget), bisect_left(self._costs[c], budget)
            if last_b < 2 or last_c < 2:
                return
            if not self._hopeful(gained + low[b][last_b - 1] + low[c][last_c - 1] + least):
                continue
            row_b, row_c = self._row(a, i, b), self._row(a, i, c)
            low_b, low_c = min(row_b[1:last_b]), [*accumulate(row_c, min)]
            if self._hopeful(gained + low_b + low_c[last_c - 1] + self._together(b, c)[1] + beyond):
                self._last_two((a, i), cost, gained, (b, row_b), (c, row_c, low_c), beyond, three)

    def _row(self, a: int, cell: int, b: int) -> Sequence[float]:
        table, _ = self._together(a, b)
        return [*map(add, self._one[b], table[cell])] if table else self._one[b]

    def _last_two(
        self, first: tuple[int, int], cost: float, gained: float, of_b: Any, of_c: Any, beyond: float, three: Any
    ) -> None:
        (b, row_b), (c, row_c, low_c) = of_b, of_c
        table, least = self._together(b, c)
        least += beyond
        for j in range(1, len(row_b)):
            spent, sofar = cost + self._costs[b][j], gained + row_b[j]
            last = bisect_left(self._costs[c], self._best - spent)
            if last < 2:
                return
            if not self._hopeful(sofar + low_c[last - 1] + least):
                continue
            row = [*map(add, row_c, table[j])] if table else row_c
            if three:
                row = [value + three.of(first[1], j, cell) for cell, value in enumerate(row[:last])]
            self._scan((first, (b, j)), spent, sofar, c, row)
