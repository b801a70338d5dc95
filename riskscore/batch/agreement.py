"""How far two models agree on the same rows: their probabilities, and the decisions that flip."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from riskscore.batch.side_by_side import side_by_side
from riskscore.cli import counted
from riskscore.errors import InvalidFile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from riskscore.batch.side_by_side import Scorer

Z = 1.959964  # 95 %


class Agreement(NamedTuple):
    """How far two models agree on rows. flips: by (decision of the first, of the second), how many rows changed."""

    rows: int
    one_alone: int  # rows that only one of them can score
    neither: int
    mean_difference: float
    largest_difference: float
    rank_correlation: float | None
    flips: dict[tuple[str, str], int]


def agreement(scorers: Sequence[Scorer]) -> Agreement:
    """Compare two models on the rows that both can score: their probabilities, and what they decide."""
    pairs, flips = list[tuple[float, float]](), dict[tuple[str, str], int]()
    one_alone = neither = 0
    for _, found in side_by_side(scorers):
        scored = [answer.get("probability") is not None for answer in found]
        if all(scored):
            first, second = (decision(answer) for answer in found)
            pairs.append((found[0]["probability"], found[1]["probability"]))
            if first != second:
                flips[first, second] = flips.get((first, second), 0) + 1
        one_alone += any(scored) and not all(scored)
        neither += not any(scored)
    if not pairs:
        raise InvalidFile("no row of the source can be scored by both")
    first, second = np.array(pairs).T
    apart = np.abs(first - second)
    return Agreement(
        len(pairs), one_alone, neither, float(apart.mean()), float(apart.max()), _ranks(first, second), flips
    )


def _ranks(first: Any, second: Any) -> float | None:
    """Spearman's rank correlation; None where one of them gives every row the same probability."""
    from scipy.stats import spearmanr

    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(spearmanr(first, second).statistic)


def decision(answer: Mapping[str, Any]) -> str:
    """What an answer comes to: manual review, or the prediction."""
    return "refer" if answer["outcome"] == "refer" else f"prediction {answer['prediction']}"


def in_words(found: Agreement, labels: Sequence[str]) -> str:
    """What a person wants to know of it. labels: of the two models."""
    flipped = sum(found.flips.values())
    low, high = wilson(flipped, found.rows)
    ranks = "undefined, as one gives every row the same" if found.rank_correlation is None else None
    lines = [
        f"{counted(found.rows, 'row')} scored by both; {found.one_alone:,} by one alone, {found.neither:,} by neither",
        (
            f"probabilities differ by {found.mean_difference:.4f} on average, {found.largest_difference:.4f} at most;"
            f" rank correlation {ranks or f'{found.rank_correlation:.4f}'}"
        ),
        (
            f"{counted(flipped, 'decision')} of {found.rows:,} differ: {flipped / found.rows:.2%}"
            f" (95 % interval {low:.2%} to {high:.2%}, Wilson), each model at its own threshold"
        ),
        *(
            f"  {one} by {labels[0]}, {other} by {labels[1]}: {counted(rows, 'row')}"
            for (one, other), rows in sorted(found.flips.items())
        ),
    ]
    return "\n".join(lines)


def wilson(count: int, rows: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    share, weight = count / rows, Z * Z / rows
    middle, half = share + weight / 2, Z * sqrt(share * (1 - share) / rows + weight / (4 * rows))
    return max(0.0, (middle - half) / (1 + weight)), min(1.0, (middle + half) / (1 + weight))
