"""The figures of a fairness audit: adverse impact, equal opportunity and calibration, by group and with intervals.

Approved is who lies below the cut-off (or above, where the score is of something good). Nothing here is a finding of
discrimination, or of its absence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from riskscore.fairness.grouping import Groups, reference_of
from riskscore.fairness.intervals import Estimate, difference, rate, ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from riskscore.fairness.tables import Joined

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

FOUR_FIFTHS = 0.8
GRID = 19  # cut-offs, beside the one asked for: those that approve 5 %, 10 %, ... 95 % of all


class Rule(NamedTuple):
    """Who is approved: below or above the cut-off. smallest: rows of the smallest group that a figure is of."""

    cutoff: float
    below: bool
    smallest: int

    def approved(self, probabilities: Floats, cutoff: float | None = None) -> Mask:
        """The prediction is 1 from the cut-off on, so that who is approved below it lies strictly below."""
        at = self.cutoff if cutoff is None else cutoff
        return probabilities < at if self.below else probabilities >= at


def audit(joined: Joined, groups: Groups, rule: Rule, asked: str) -> dict[str, Any]:
    """The audit of one column of groups. asked: the reference group, "" for the largest."""
    reference = reference_of(groups, asked)
    names = [reference, *(name for name in groups.large if name != reference)]
    masks = {name: np.array([word == name for word in groups.of]) for name in names}
    approved = rule.approved(joined.probabilities)
    at_cutoff = {name: _selection(approved, masks, name, reference) for name in names}
    chances = _opportunities(joined, approved, masks, reference, rule)
    calibrated = {name: _calibration(joined, mask, rule) for name, mask in masks.items()}
    return {
        "reference": reference,
        "groups": {
            name: {
                **at_cutoff[name],
                "equal_opportunity": chances.get(name),
                "calibration": calibrated[name],
                "verdict": "the reference group" if name == reference else verdict(at_cutoff[name]["ratio"]),
            }
            for name in names
        },
        "too_small": groups.small,
        "too_small_or_unknown": _hidden(groups, rule.smallest),
        "cutoffs": [_at(joined, masks, reference, rule, cutoff) for cutoff in cutoffs(joined.probabilities, rule)],
    }


def _hidden(groups: Groups, smallest: int) -> str:
    """How many rows are in no comparison; a number below the cell size isn't shown."""
    rows = groups.hidden + groups.unknown
    return f"{rows:,}" if rows >= smallest or not rows else f"fewer than {smallest}"


def _selection(approved: Mask, masks: dict[str, Mask], name: str, reference: str) -> dict[str, Any]:
    one, other = approved[masks[name]], approved[masks[reference]]
    return {
        "rows": len(one),
        "selection": rate(int(one.sum()), len(one)),
        "ratio": None if name == reference else ratio(int(one.sum()), len(one), int(other.sum()), len(other)),
    }


def _opportunities(
    joined: Joined, approved: Mask, masks: dict[str, Mask], reference: str, rule: Rule
) -> dict[str, dict[str, Estimate | None]]:
    """The approval rate of those who turned out well, and its difference from the reference's."""
    if joined.outcomes is None:
        return {}
    good = joined.outcomes == (0 if rule.below else 1)
    rates = {
        name: rate(int((approved & good & mask).sum()), int((good & mask).sum()))
        for name, mask in masks.items()
        if (good & mask).sum() >= rule.smallest
    }
    base = rates.get(reference)
    apart = {name: difference(one, base) if base and name != reference else None for name, one in rates.items()}
    return {name: {"rate": one, "difference": apart[name]} for name, one in rates.items()}


def _calibration(joined: Joined, mask: Mask, rule: Rule) -> dict[str, Any] | None:
    """Mean probability against the observed rate of label 1; None without enough outcomes."""
    if joined.outcomes is None:
        return None
    known = mask & (joined.outcomes >= 0)
    if known.sum() < rule.smallest:
        return None
    observed = rate(int((joined.outcomes[known] == 1).sum()), int(known.sum()))
    mean = float(joined.probabilities[known].mean())
    return {
        "mean_probability": mean,
        "observed": observed,
        "difference": Estimate(observed.value - mean, observed.low - mean, observed.high - mean, observed.rows),
    }


def cutoffs(probabilities: Floats, rule: Rule) -> list[float]:
    """Those that approve 5 % to 95 % of all, and the one asked for, from the lowest to the highest."""
    spread = np.quantile(probabilities, np.arange(1, GRID + 1) / (GRID + 1))
    return sorted({*np.round(spread, 6).tolist(), rule.cutoff})


def _at(joined: Joined, masks: dict[str, Mask], reference: str, rule: Rule, cutoff: float) -> dict[str, Any]:
    """The selection rates and ratios at another cut-off."""
    approved = rule.approved(joined.probabilities, cutoff)
    found = {name: _selection(approved, masks, name, reference) for name in masks}
    chances = _opportunities(joined, approved, masks, reference, rule)
    return {
        "cutoff": cutoff,
        "approval_rate": float(approved.mean()),
        "groups": {
            name: {
                "selection": entry["selection"],
                "ratio": entry["ratio"],
                "opportunity": (chances.get(name) or {}).get("difference"),
            }
            for name, entry in found.items()
        },
    }


def verdict(found: Estimate | None) -> str:
    """What the ratio comes to, in careful words."""
    if found is None:
        return "nobody of the reference group is approved: there is no ratio"
    if found.value > 1 / FOUR_FIFTHS:
        sure = found.low > 1 / FOUR_FIFTHS
        said = "the reference group's rate is below four fifths of this group's"
    else:
        sure = found.high < FOUR_FIFTHS if found.value < FOUR_FIFTHS else found.low >= FOUR_FIFTHS
        said = "below four fifths" if found.value < FOUR_FIFTHS else "at least four fifths"
    doubt = "" if sure else "; the interval reaches across that line, too few rows to tell"
    chance = "; equal rates are within the interval" if found.holds(1) else ""
    return f"{said}{doubt}{chance}"
