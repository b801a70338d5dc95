"""Events to score: each feature drawn from what training saw of it, and the identities between features kept.

Kept, because a row that breaks one gets a warning, and warnings cost time that an ordinary row doesn't.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from math import prod
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MODEL = "credit_risk"
SEED = 20251120


def draw_events(task: Path, count: int) -> list[dict[str, Any]]:
    """Events with ids and features, the same ones every time."""
    manifest = json.loads((task / "model" / MODEL / "manifest.json").read_bytes())
    rng = Random(SEED)
    return [
        {"customer_id": f"B{k:06d}", "snapshot_date": "2025-09-01", "features": _features(manifest, rng)}
        for k in range(1, count + 1)
    ]


def _features(manifest: Mapping[str, Any], rng: Random) -> dict[str, float]:
    row = {feature["name"]: _value(feature, rng) for feature in manifest["features"]}
    for identity in reversed(manifest["identities"]):  # each gives its last feature; a later one's is used by earlier
        *others, (factor, name) = identity["terms"]
        row[name] = -sum(part * prod(row[other] for other in names) for part, *names in others) / factor
    return row


def _value(feature: Mapping[str, Any], rng: Random) -> float:
    """A value between two neighbouring quantiles, with the digits that a database has."""
    shares, points = zip(*((float(q), point) for q, point in feature["support"]["quantiles"].items()), strict=True)
    share = rng.uniform(shares[0], shares[-1])
    k = min(bisect_right(shares, share), len(shares) - 1)
    value = points[k - 1] + (points[k] - points[k - 1]) * (share - shares[k - 1]) / (shares[k] - shares[k - 1])
    return round(value) if feature["type"] == "integer" else round(value, 2 if abs(value) > 100 else 6)
