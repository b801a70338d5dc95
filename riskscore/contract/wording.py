"""What may be said of a feature that raised a score: a sentence for each value that its direction allows.

Prepared once, from the manifest's `reasons`.
"""

from __future__ import annotations

from math import isnan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from riskscore.contract.feature import Feature

HIGHER, LOWER, EITHER = DIRECTIONS = ("higher raises", "lower raises", "either")
VALUE = "{value}"  # stands in a category's text for its value


def subject_of(feature: Feature) -> str:
    """What plain sentences call a feature."""
    subject = feature.description.rstrip(".") or feature.name
    return subject[:1].upper() + subject[1:]


def code_of(place: int) -> str:
    """The code of a feature that reasons.toml gives none: its place in the contract, from 1."""
    return f"R{place:02}"


class Wording:
    """What may be said of one feature where it raised a score; "" where nothing may.

    high, low, equal: for a value above, below or at `middle`, the median of training; middle None: it isn't known.
    """

    __slots__ = ("_categories", "code", "equal", "high", "low", "middle", "missing", "name", "special")

    def __init__(self, feature: Feature, texts: dict[str, Any], place: int) -> None:
        direction = texts.get("direction", EITHER)
        subject = subject_of(feature)
        self.name, self.code = feature.name, texts.get("code") or code_of(place)
        self.high: str = texts.get("high", "") if direction != LOWER else ""
        self.low: str = texts.get("low", "") if direction != HIGHER else ""
        self.missing: str = texts.get("missing", "")
        # a boolean is no more or less than others; of what nobody saw, nothing is known that it could be compared with
        known = feature.support["quantiles"]["0.5"] if feature.support else None
        self.middle: float | None = 0.5 if feature.type == "boolean" else known
        compares = direction != EITHER and self.middle is not None
        self.equal: str = "" if compares else texts.get("middle") or f"This raised the score: {subject}"
        self._categories = _categories(feature, texts, subject) if feature.type == "category" else None
        self.special = {entry["value"]: self._special(entry) for entry in texts.get("special", ())}

    def of(self, value: float) -> str:
        """The sentence for a value of a row's vector, NaN for a missing one."""
        found = self.special.get(value)
        if found is not None:
            return found
        if isnan(value):
            return self.missing
        if self._categories is not None:
            return self._categories.get(value, self.missing)
        return self._beside_middle(value)

    def _beside_middle(self, value: float) -> str:
        if self.middle is None or value == self.middle:
            return self.equal
        return self.high if value > self.middle else self.low

    def _special(self, entry: dict[str, Any]) -> str:
        """The text of a value that means something of its own, if it may be said: where the direction allows it."""
        allowed = entry.get("raises", bool(self._beside_middle(entry["value"])))
        return str(entry["text"]) if allowed else ""


def _categories(feature: Feature, texts: dict[str, Any], subject: str) -> dict[float, str]:
    """A category's place -> the sentence for it."""
    text = texts.get("value") or f"{subject}: {VALUE}"
    return {float(place): text.replace(VALUE, value) for place, value in enumerate(feature.values)}
