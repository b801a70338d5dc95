"""What would have changed an adverse answer: the smallest realistic changes of a row that cross the threshold.

model.toml says which features a person can change, in which direction, in which steps and within which limits; what an
identity ties to them follows. No value leaves the training range. The distance of a change is the sum, over its
features, of how far each goes, in units of its spread in training: from the 25th to the 75th percentile.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from operator import itemgetter

from riskscore.contract.identities import Identity
from riskscore.scoring.change_search import MOST_MOVES, Search
from riskscore.twin.cells import Additive, Cells, Move, Trees
from riskscore.twin.trees import TreeTwin, logistic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any

    from riskscore.contract.feature import Feature
    from riskscore.scoring.change_search import Picks
    from riskscore.scoring.model import Model

UP, DOWN = 1, -1
SIGNS = {"up": (UP,), "down": (DOWN,), "either": (UP, DOWN)}
SPREADS = (("0.25", "0.75"), ("0.1", "0.9"), ("0.05", "0.95"), ("0.01", "0.99"))
FURTHEST = 1000.0  # log-odds beyond any margin whose probability differs from 0 or 1
NOTHING_TO_CHANGE = "the answer is not the adverse one, so nothing had to change"
REVIEW = "the row needs manual review, so nothing is said of what would have changed it"
NOT_DECLARED = "the model names no features that a person can change"
NO_TWIN = "the model has no portable twin to look for changes in"
CROSSES = "any one of these, the smallest first, would have crossed the threshold"
NONE_CROSSES = f"no change of up to {MOST_MOVES} features within the model's limits crosses the threshold"


class Changes:
    """Finds the changes of one model's rows; prepared once."""

    def __init__(self, model: Model, twin: Any) -> None:
        self._model, self._twin = model, twin
        self._trees = Trees(twin) if isinstance(twin, TreeTwin) else None
        contract, declared = model.contract, model.artefact.manifest.get("change", {})
        places = {name: k for k, name in enumerate(contract.names)}
        rules = {rule["name"]: rule for rule in model.artefact.manifest["identities"]}
        maxima: dict[str, float] = {}
        for limit in model.artefact.manifest["limits"]:
            maxima[limit["feature"]] = min(limit["maximum"], maxima.get(limit["feature"], math.inf))
        self._ranges = {
            places[name]: Range(contract.feature(name), entry, maxima.get(name, math.inf))
            for name, entry in declared.items()
        }
        self._moved = [places[name] for name, entry in declared.items() if "follows" not in entry]
        follows = {
            places[name]: Identity(rules[entry["follows"]], contract)
            for name, entry in declared.items()
            if "follows" in entry
        }
        self._follows = ordered(follows)
        self.limit = self._limit()

    def of(self, vector: Sequence[float], margin: float, outcome: str) -> dict[str, Any]:
        """The field `change` of a row's answer: its alternatives, the smallest first, and a sentence."""
        if outcome != "scored":
            return {"alternatives": [], "text": REVIEW}
        if margin < self.limit:
            return {"alternatives": [], "text": NOTHING_TO_CHANGE}
        if not self._moved or self._twin is None:
            return {"alternatives": [], "text": NO_TWIN if self._moved else NOT_DECLARED}
        found = sorted(self._searched(list(vector), margin), key=itemgetter(0))
        return {"alternatives": [entry for _, entry in found], "text": CROSSES if found else NONE_CROSSES}

    def _limit(self) -> float:
        """The least margin that is answered by the adverse class."""
        low, high = -FURTHEST, FURTHEST
        while low < (middle := (low + high) / 2) < high:
            low, high = (low, middle) if self._is_adverse(middle) else (middle, high)
        return high

    def _is_adverse(self, margin: float) -> bool:
        return logistic(self._model.log_odds(margin)) >= self._model.threshold

    def _searched(self, vector: list[float], margin: float) -> Iterator[tuple[float, dict[str, Any]]]:
        steps = [*self._steps(vector)]
        moves = [step.move(self._model.encoding) for step in steps]
        if self._trees is not None:
            tables: Any = Cells(self._trees, self._model.encoding.columns(vector), moves)
        else:
            tables = Additive(lambda m, k: self._margin(steps[m].row(k)), moves)
        costs = [[step.cost(cut) for cut in cuts] for step, cuts in zip(steps, tables.cuts, strict=True)]

        def row_of(picks: Picks) -> list[float]:
            row = list(vector)
            for m, cell in picks:
                for place, value in steps[m].changed(tables.cuts[m][cell]).items():
                    row[place] = value
            return row

        search = Search(
            margin,
            self.limit,
            tables,
            costs,
            lambda a, b: not steps[a].touched.isdisjoint(steps[b].touched),
            lambda picks: self._margin(row_of(picks)) < self.limit,
        )
        for cost, picks in search.found:
            yield cost, self._alternative(vector, row_of(picks), cost)

    def _margin(self, row: Sequence[float]) -> float:
        return float(self._twin.margin(self._model.encoding.columns(row)))

    def _alternative(self, vector: Sequence[float], row: Sequence[float], distance: float) -> dict[str, Any]:
        features = self._model.contract.features
        differing = [k for k, value in enumerate(row) if value != vector[k] and not math.isnan(value)]
        moved = {*self._moved}
        return {
            "features": [_said(features[k], row[k]) for k in differing if k in moved],
            "follows": [_said(features[k], row[k]) for k in differing if k not in moved],
            "distance": round(distance, 6),
            "probability": logistic(self._model.log_odds(self._margin(row))),
        }

    def _steps(self, vector: Sequence[float]) -> Iterator[Steps]:
        """What each feature's changes may come to, where it has any."""
        for place in self._moved:
            for sign in self._ranges[place].signs:
                values = self._ranges[place].values(vector[place], sign)
                steps = Steps(vector, place, values, self._follows, self._ranges)
                if steps.count:
                    yield steps


class Range:
    """How far a feature's value may go, from model.toml, its contract, its limits and its training range."""

    def __init__(self, feature: Feature, entry: Mapping[str, Any], maximum: float) -> None:
        support = feature.support or {"minimum": math.inf, "maximum": -math.inf, "quantiles": {}}
        self.signs = SIGNS[entry.get("direction", "either")]
        self.step: float = entry.get("step", 1)
        self.low = max(support["minimum"], feature.minimum, entry.get("minimum", -math.inf))
        self.high = min(support["maximum"], feature.maximum, entry.get("maximum", math.inf), maximum)
        self._few = frozenset(support.get("values", ()))
        quantiles = support["quantiles"]
        spreads = [quantiles[high] - quantiles[low] for low, high in SPREADS if low in quantiles and high in quantiles]
        self.spread = next((spread for spread in [*spreads, self.high - self.low] if spread > 0), 1.0)

    def allows(self, value: float) -> bool:
        """Whether a feature may have this value after a change."""
        return self.low <= value <= self.high and (not self._few or value in self._few)

    def values(self, value: float, sign: int) -> list[float]:
        """The whole steps from a value in one direction, the nearest first; none from a missing one."""
        if math.isnan(value):
            return []
        first = max(value, self.low) if sign == UP else min(value, self.high)
        last = self.high if sign == UP else self.low
        start, end = math.floor(sign * first / self.step), math.floor(sign * last / self.step + 1e-9)
        found = [round(sign * k * self.step, 10) + 0.0 for k in range(start, end + 1)]
        return [step for step in found if sign * step > sign * value and self.allows(step)]


class Steps:
    """One feature's steps in one direction, and what follows them. count: how many keep everything within its range."""

    def __init__(
        self,
        vector: Sequence[float],
        place: int,
        values: Sequence[float],
        follows: Sequence[tuple[int, Identity]],
        ranges: Mapping[int, Range],
    ) -> None:
        self._vector, self._place, self._values, self._ranges = vector, place, values, ranges
        self._known = {0: {place: vector[place]}}
        self._follows: list[tuple[int, Identity]] = []
        touched = {place}
        for follower, identity in follows:
            if not touched.isdisjoint(identity.places):
                touched.add(follower)
                if not any(math.isnan(vector[k]) for k in identity.places):
                    self._follows.append((follower, identity))
                    self._known[0][follower] = vector[follower]
        self.touched = frozenset(touched)
        self.count = self._allowed() if self._follows and values else len(values)

    def _allowed(self) -> int:
        """How many steps keep all that follows within its range. It goes in one direction, so what leaves stays out."""
        if not self._keeps(1):
            return 0
        return bisect_left(range(1, len(self._values) + 1), True, key=lambda k: not self._keeps(k))

    def _keeps(self, k: int) -> bool:
        return all(self._ranges[place].allows(value) for place, value in self.changed(k).items())

    def changed(self, k: int) -> dict[int, float]:
        """The values after k steps, by their places."""
        found = self._known.get(k)
        if found is None:
            row = list(self._vector)
            row[self._place] = self._values[k - 1]
            found = self._known[k] = {self._place: row[self._place]}
            for follower, identity in self._follows:
                found[follower] = row[follower] = round(identity.solved(row, follower), identity.digits)
        return found

    def row(self, k: int) -> list[float]:
        """The whole row after k steps."""
        changed = self.changed(k)
        return [changed.get(place, value) for place, value in enumerate(self._vector)]

    def cost(self, k: int) -> float:
        """The distance of k steps."""
        return abs(self._values[k - 1] - self._vector[self._place]) / self._ranges[self._place].spread if k else 0.0

    def move(self, encoding: Any) -> Move:
        """The same in the estimator's columns."""
        found = {place: encoding.columns_of(place) for place in self._known[0]}
        columns = {column: self._column(place, how) for place, own in found.items() for column, how in own}
        (plain, how), *_ = found[self._place]
        if how is not None or not self.count:
            return Move(self.count, columns)
        sign = UP if self._values[0] > self._vector[self._place] else DOWN
        return Move(self.count, columns, plain, self._values[: self.count], sign)

    def _column(self, place: int, how: Callable[[float], float] | None) -> Callable[[int], float]:
        values = self._values
        if place == self._place:
            return (lambda k: values[k - 1]) if how is None else (lambda k: how(values[k - 1]))
        return (lambda k: self.changed(k)[place]) if how is None else (lambda k: how(self.changed(k)[place]))


def ordered(follows: Mapping[int, Identity]) -> list[tuple[int, Identity]]:
    """The followers, each behind those that its identity needs. Raises ValueError where they follow in a circle."""
    waiting, found = dict(follows), list[tuple[int, Identity]]()
    while waiting:
        free = [place for place, identity in waiting.items() if waiting.keys() & identity.places <= {place}]
        if not free:
            raise ValueError("the features follow each other in a circle")
        found += [(place, waiting.pop(place)) for place in free]
    return found


def _said(feature: Feature, value: float) -> dict[str, Any]:
    return {"feature": feature.name, "to": feature.value(value)}
