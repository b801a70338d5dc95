"""The reasons for a score: from a row's exact contributions to sentences that its applicant may be told.

A feature has a direction, and a contribution against it is no reason: it goes into the sum `other`, and is never said.
"""

from __future__ import annotations

import math
from operator import itemgetter

from riskscore.contract.wording import Wording

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from riskscore.artefact.artefact import Artefact


class Reasons:
    """Turns a row's contributions into sentences. Features of one group (tied by an identity) give one reason."""

    def __init__(self, artefact: Artefact) -> None:
        texts, features = artefact.manifest["reasons"], artefact.contract.features
        self.wordings = [Wording(feature, texts[feature.name], place) for place, feature in enumerate(features, 1)]
        groups = [texts[feature.name].get("group", feature.name) for feature in features]
        members = [[k for k, other in enumerate(groups) if other == group] for group in dict.fromkeys(groups)]
        self._groups = [(group[0], group if len(group) > 1 else []) for group in members]
        self._say = [wording.of for wording in self.wordings]
        self._least_share: float = artefact.manifest.get("least_share", 0.0)

    def top(
        self, vector: Sequence[float], contributions: Sequence[float], count: int, codes: bool = False
    ) -> list[dict[str, Any]]:
        """At most `count` reasons that raised the score, the strongest first; with the code of each, if asked for.

        A group's contribution is the sum of its features'; the feature that contributed most speaks for it.
        """
        if not count or not contributions:  # none: of a model whose scores nothing explains
            return []
        reasons = []
        for total, k, text in self.split(vector, contributions)[0][:count]:
            reason = {"feature": self.wordings[k].name, "contribution": total, "text": text}
            reasons.append({**reason, "code": self.wordings[k].code} if codes else reason)
        return reasons

    def split(
        self, vector: Sequence[float], contributions: Sequence[float]
    ) -> tuple[list[tuple[float, int, str]], float]:
        """(contribution, place of the feature that speaks, sentence) of each reason, the strongest first; and `other`.

        other: the sum of what raised the score and is no reason: against its feature's direction, without a text, or
        a smaller part of all that raised the score than the least share.
        """
        found, other, raised = [], [], 0.0
        for first, group in self._groups:
            k, total, against = first, contributions[first], 0.0
            if group:
                total, k, text, against = self._of_group(group, vector, contributions)
            elif total <= 0.0:
                continue
            elif not (text := self._say[k](vector[k])):
                total, against = 0.0, total
            if against:
                other.append(against)
            if total + against > 0.0:
                raised += total + against
            if total > 0.0:
                found.append((total, k, text))
        least = self._least_share * raised
        said = [(rounded, k, text) for total, k, text in found if total >= least and (rounded := round(total, 6)) > 0]
        said.sort(key=itemgetter(0), reverse=True)  # stable: equal ones stay in the contract's order
        return said, math.fsum([*other, *(total for total, _, _ in found if total < least)])

    def _of_group(
        self, group: Sequence[int], vector: Sequence[float], contributions: Sequence[float]
    ) -> tuple[float, int, str, float]:
        """A group's contribution without what goes against a direction, its speaker and sentence; and what does."""
        raising = sorted([k for k in group if contributions[k] > 0.0], key=contributions.__getitem__, reverse=True)
        texts = {k: self.wordings[k].of(vector[k]) for k in raising}
        against = math.fsum([contributions[k] for k in raising if not texts[k]])
        total = math.fsum([contributions[k] for k in group if texts.get(k, " ")])
        k = next((k for k in raising if texts[k]), group[0])
        return total, k, texts.get(k, ""), against
