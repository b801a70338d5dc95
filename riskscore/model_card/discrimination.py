"""How well scores tell label 1 from label 0: AUC, Gini, KS, and the tables of lift and gains."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import norm, rankdata

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

CONFIDENCE = 0.95
Z = float(norm.ppf((1 + CONFIDENCE) / 2))
PARTS = 10


def wilson(count: int, rows: int) -> tuple[float, float]:
    """The 95 % interval of a rate by Wilson (1927); 0 to 1 of no rows."""
    if not rows:
        return 0.0, 1.0
    rate, z2 = count / rows, Z * Z
    middle = (rate + z2 / (2 * rows)) / (1 + z2 / rows)
    half = Z * math.sqrt(rate * (1 - rate) / rows + z2 / (4 * rows * rows)) / (1 + z2 / rows)
    return max(min(middle - half, rate), 0.0), min(max(middle + half, rate), 1.0)  # of 0 rounding makes a bit more


def rate_of(count: int, rows: int) -> dict[str, Any]:
    """Rows, how many have label 1, their rate and its interval."""
    low, high = wilson(count, rows)
    return {"rows": rows, "bads": count, "rate": count / rows if rows else None, "low": low, "high": high}


def auc_of(labels: NDArray[np.int8], scores: Floats) -> float:
    """The probability that a row of label 1 has the higher score, a tie counting half (Mann and Whitney)."""
    bads = int(labels.sum())
    ranks = rankdata(scores)[labels == 1].sum()
    return float((ranks - bads * (bads + 1) / 2) / (bads * (len(labels) - bads)))


def auc_interval(labels: NDArray[np.int8], scores: Floats) -> dict[str, float]:
    """AUC with its 95 % interval by DeLong (1988), within 0 to 1. Both labels have to occur."""
    bad, good = scores[labels == 1], scores[labels == 0]
    ranks = rankdata(np.concatenate([bad, good]))
    of_bads = (ranks[: len(bad)] - rankdata(bad)) / len(good)
    of_goods = 1 - (ranks[len(bad) :] - rankdata(good)) / len(bad)
    spread = sum(float(np.var(values, ddof=1)) / len(values) for values in (of_bads, of_goods) if len(values) > 1)
    auc, half = float(of_bads.mean()), Z * math.sqrt(spread)
    return {"mean": auc, "low": max(auc - half, 0.0), "high": min(auc + half, 1.0)}


def ks_of(labels: NDArray[np.int8], scores: Floats) -> float:
    """The largest distance between the shares of both labels below a score (Kolmogorov and Smirnov)."""
    points = np.unique(scores)
    below = (np.searchsorted(np.sort(scores[labels == label]), points, side="right") for label in (0, 1))
    goods, bads = below
    return float(np.abs(goods / (labels == 0).sum() - bads / (labels == 1).sum()).max())


def deciles(labels: NDArray[np.int8], scores: Floats) -> list[dict[str, Any]]:
    """Tenths of the rows, the riskiest first: rate with interval, lift, and cumulated the share of all of label 1.

    lift: the rate over that of all rows. captured: of the rows of label 1, those in this tenth or a riskier one.
    """
    order = np.argsort(-scores, kind="stable")
    all_bads, found, caught, seen = int(labels.sum()), [], 0, 0
    for part in np.array_split(order, PARTS):
        if not len(part):
            continue
        bads = int(labels[part].sum())
        caught, seen = caught + bads, seen + len(part)
        base = all_bads / len(labels)
        found.append(
            {
                **rate_of(bads, len(part)),
                "lowest": float(scores[part].min()),
                "highest": float(scores[part].max()),
                "lift": bads / len(part) / base,
                "captured": caught / all_bads,
                "cumulative_lift": caught / seen / base,
            }
        )
    return found
