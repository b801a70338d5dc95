"""What becomes of a checked row: its warnings, whether it needs manual review, its points.

Everything here is decided by tables of the manifest, which training took from model.toml.
"""

from __future__ import annotations

import math
from operator import le

from riskscore.contract.contract import LABEL_IGNORED
from riskscore.contract.identities import Identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from riskscore.artefact.artefact import Artefact
    from riskscore.contract.feature import Feature

SCREEN_ROWS = 200  # from so many on, rows are screened with numpy, and only the suspects looked at one by one
COUNT = "{count}"  # stands in a text for the observation's number
LABEL_TEXT = "the event has the label, which is ignored"
SCREEN_PART = 0.99  # of what an identity tolerates: numpy's sums round otherwise, and a suspect is looked at again


def matrix_of(vectors: Sequence[Sequence[float]]) -> Any:
    """float64 (n, features) of many rows, made once for all that looks at them."""
    import numpy as np

    return np.array(vectors, dtype=float)


class TrainingRange:
    """The training range of a feature: its limits, its values where they were few, and whether it was ever missing."""

    __slots__ = ("high", "low", "missing", "name", "values")

    def __init__(self, feature: Feature, support: Mapping[str, Any]) -> None:
        self.name = feature.name
        ordered = feature.type != "category"  # a category's places have no order: which were seen decides
        self.low: float = support["minimum"] if ordered else -math.inf
        self.high: float = support["maximum"] if ordered else math.inf
        self.values: list[float] | None = support.get("values")
        self.missing = "missing" in support

    def objection(self, value: float) -> str:
        """Why training says nothing of this value; "" where it does."""
        if math.isnan(value):
            return "" if self.missing else f"{self.name} is missing, which it never was in training"
        if value < self.low or value > self.high:
            return f"{self.name} is outside the training range, {self.low:g} to {self.high:g}"
        if self.values is not None and value not in self.values:
            return f"{self.name} is not one of the few values in training"
        return ""

    def objects(self, column: Any) -> Any:
        """The same for a numpy column of values, as booleans."""
        import numpy as np

        beyond = (column < self.low) | (column > self.high)
        if self.values is not None:
            beyond |= ~np.isin(column, self.values) & ~np.isnan(column)
        return beyond if self.missing else beyond | np.isnan(column)


class Rules:
    """A model's rules, prepared once from its manifest. Vectors are in contract order, NaN for a missing value."""

    def __init__(self, artefact: Artefact) -> None:
        manifest, contract = artefact.manifest, artefact.contract
        column = {name: k for k, name in enumerate(contract.names)}
        self._support = [
            (k, TrainingRange(feature, feature.support))
            for k, feature in enumerate(contract.features)
            if feature.support
        ]
        by_place = dict(self._support)
        self._lows = [by_place[k].low if k in by_place else -math.inf for k in range(len(contract.names))]
        self._highs = [by_place[k].high if k in by_place else math.inf for k in range(len(contract.names))]
        self._few = [(k, frozenset(seen.values)) for k, seen in self._support if seen.values is not None]
        limits = manifest.get("limits", ())
        self._limits = [(column[limit["feature"]], limit) for limit in limits if limit["feature"] in column]
        self._observed_limits = [limit for limit in limits if limit["feature"] not in column]
        self._identities = [Identity(rule, contract) for rule in manifest.get("identities", ())]
        limited = {limit["feature"] for limit in self._observed_limits}
        texts = {name: text for name, text in manifest.get("observations", {}).items() if name not in limited}
        self._observations: dict[str, str] = {LABEL_IGNORED: LABEL_TEXT, **texts}
        self._target = manifest.get("source", {}).get("target", "")
        self._refer = frozenset(manifest.get("refer", ()))

    def judge(
        self, vectors: Sequence[Sequence[float]], observations: Sequence[Mapping[str, int]], table: Any = None
    ) -> list[tuple[str, list[dict[str, str]]]]:
        """(`scored` or `refer`, warnings) for each row. table: the same vectors, where they are a matrix already."""
        many = len(vectors) >= SCREEN_ROWS
        suspects = self.screen(vectors if table is None else table) if many else [True] * len(vectors)
        found = [
            self.warnings(vector, seen) if suspect or seen else []
            for vector, seen, suspect in zip(vectors, observations, suspects, strict=True)
        ]
        return [("refer" if warnings and self.refers(warnings) else "scored", warnings) for warnings in found]

    def screen(self, vectors: Sequence[Sequence[float]]) -> list[bool]:
        """For each row of (n, features) whether `warnings` could find anything in its values; numpy, for many rows."""
        import numpy as np

        matrix = np.asarray(vectors, dtype=float)
        suspect = np.zeros(len(matrix), dtype=bool)
        for k, seen in self._support:
            suspect |= seen.objects(matrix[:, k])
        for k, limit in self._limits:
            suspect |= matrix[:, k] > limit["maximum"]
        for identity in self._identities:
            suspect |= identity.broken(matrix, SCREEN_PART)
        found: list[bool] = suspect.tolist()
        return found

    def warnings(self, vector: Sequence[float], observations: Mapping[str, int]) -> list[dict[str, str]]:
        """What speaks against trusting the score: each with its rule, the feature it is about and a sentence."""
        found = [] if self._is_ordinary(vector) else self._objections(vector)
        found += [
            _warning(limit["name"], limit["feature"], limit["text"])
            for k, limit in self._limits
            if vector[k] > limit["maximum"]
        ]
        found += [
            _warning(identity.name, identity.feature, identity.text)
            for identity in self._identities
            if not identity.holds(vector)
        ]
        return found + self._observed(observations) if observations else found

    def _observed(self, observations: Mapping[str, int]) -> list[dict[str, str]]:
        """The warnings of a row's observations; a query may yield more columns than model.toml calls a warning."""
        found = [
            (name, self._target if name == LABEL_IGNORED else name, self._observations[name], count)
            for name, count in observations.items()
            if count and name in self._observations
        ]
        found += [
            (limit["name"], limit["feature"], limit["text"], count)
            for limit in self._observed_limits
            if (count := observations.get(limit["feature"]) or 0) > limit["maximum"]
        ]
        return [_warning(rule, about, text.replace(COUNT, f"{count:,}")) for rule, about, text, count in found]

    def _is_ordinary(self, vector: Sequence[float]) -> bool:
        """Whether all values are within the training range, as nearly always; if not (or missing), look closer."""
        return (
            all(map(le, self._lows, vector))
            and all(map(le, vector, self._highs))
            and all(vector[k] in values for k, values in self._few)
        )

    def _objections(self, vector: Sequence[float]) -> list[dict[str, str]]:
        return [
            _warning("outside_support", seen.name, objection)
            for k, seen in self._support
            if (objection := seen.objection(vector[k]))
        ]

    def refers(self, warnings: Sequence[Mapping[str, str]]) -> bool:
        """Whether model.toml sends a row with these warnings to a person."""
        return any(warning["rule"] in self._refer for warning in warnings)


def _warning(rule: str, feature: str, text: str) -> dict[str, str]:
    return {"rule": rule, "feature": feature, "text": text}


class Scale:
    """The lenders' scale: `base` points at good:bad odds of `odds`; `pdo` more points double the odds."""

    def __init__(self, settings: Mapping[str, float]) -> None:
        self._factor = settings["pdo"] / math.log(2)
        self._offset = settings["base"] - self._factor * math.log(settings["odds"])
        self._minimum, self._maximum = int(settings["minimum"]), int(settings["maximum"])

    def points(self, log_odds: float) -> int:
        """Points of the log-odds of the bad outcome: fewer for a higher risk, never outside the limits."""
        return min(max(round(self._offset - self._factor * log_odds), self._minimum), self._maximum)

    def points_of(self, log_odds: Sequence[float]) -> list[int]:
        """The same of many; a log-odds that is no number raises."""
        if len(log_odds) < SCREEN_ROWS or not all(map(math.isfinite, log_odds)):
            return [*map(self.points, log_odds)]
        import numpy as np

        exact = self._offset - self._factor * np.array(log_odds)
        found: list[int] = np.clip(np.rint(exact), self._minimum, self._maximum).astype(int).tolist()
        return found
