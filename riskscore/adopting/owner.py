"""What only the owner of a model knows, and its file doesn't say: his own probabilities, and what stood for missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from riskscore.contract.feature import MEASURED
from riskscore.errors import InvalidFile
from riskscore.training.sentinels import sentinels_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from riskscore.adopting.estimator_facts import ForeignEstimator
    from riskscore.adopting.reference_rows import ReferenceRows
    from riskscore.contract.contract import Contract

    Floats = NDArray[np.float64]

TOLERANCE = 1e-5  # of probabilities: XGBoost's float32, and owners who write five decimals
CAUSES = (
    "which rounds count (--rounds), the code for missing (missing = [...]), the order of the columns, the order of a"
    " category's values, a calibration or base_margin outside the file, or fewer than five decimals"
)


def compare(file: str, given: ReferenceRows, expected: Floats, served: Floats) -> dict[str, Any]:
    """How far what is served of the given rows lies from the owner's own probabilities; InvalidFile where too far."""
    gaps = np.abs(served - expected)
    worst = int(gaps.argmax())
    beyond = int((gaps > TOLERANCE).sum())
    if beyond:
        raise InvalidFile(
            f"{file} doesn't give {given.column}, the owner's probabilities: {beyond:,} of {len(gaps):,} rows differ by"
            f" more than {TOLERANCE:g}, by {gaps[worst]:.2g} at most (line {given.lines[worst]}); look at {CAUSES}"
        )
    found = {"column": given.column, "rows": len(gaps), "tolerance": TOLERANCE}
    return {**found, "largest_difference": float(f"{gaps[worst]:.3g}"), "line": given.lines[worst]}


def missing_doubts(
    file: str, found: ForeignEstimator, contract: Contract, answered: Collection[str], given: ReferenceRows | None
) -> list[str]:
    """Features that may have a code for missing of which nobody has said anything, one sentence each.

    answered: the features whose `missing` the contract states. Empty where the file keeps its code.
    """
    if found.keeps_missing:
        return []
    doubts = []
    for place, feature in enumerate(contract.features):
        if feature.name in answered or place in found.categories or feature.type not in MEASURED:
            continue
        if given is not None and (seen := _suspect(given.matrix[:, place])):
            doubts.append(
                f"{file} doesn't store its missing-value code (missing=), and {seen} in {given.origin} looks"
                f" like one of {feature.name}: say nullable = true and missing = [{seen.partition(' ')[0]}], or"
                " missing = [] where it is a value"
            )
        elif place in found.met_missing and not feature.nullable:
            doubts.append(
                f"{file} had missing values of {feature.name} in training, but the contract allows none: set"
                " nullable = true, with missing = [...] if a number stood for them (the file doesn't store missing=),"
                " or missing = [] if none can occur"
            )
    return doubts


def _suspect(column: Floats) -> str:
    """A number that may stand for missing, and on how many rows; "" where there is none."""
    values, counts = np.unique(column[~np.isnan(column)], return_counts=True)
    codes, doubts = sentinels_of(values, counts)
    code = codes[0] if codes else -1.0
    return f"{code:g} on {counts[values == code][0]:,} rows" if codes or doubts else ""
