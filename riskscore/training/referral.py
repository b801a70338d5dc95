"""How many training rows model.toml's rules send to manual review, whatever their score."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from riskscore.contract.identities import Identity
from riskscore.model_toml.rules import BUILT_IN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from riskscore.model_toml.settings import Settings
    from riskscore.training.training_data import TrainingData


def observed_referrals(settings: Settings) -> Callable[[Mapping[str, int]], list[str]]:
    """What tells the warnings that a row's observations give and [refer] names."""
    limited = {limit["feature"] for limit in settings.limits}
    most = {limit["name"]: (limit["feature"], limit["maximum"]) for limit in settings.limits}
    most |= {name: (name, 0) for name in settings.observations if name not in limited}
    rules = [(name, *most[name]) for name in settings.refer if name in most]
    return lambda seen: [name for name, key, maximum in rules if seen.get(key, 0) > maximum]


def referral(settings: Settings, data: TrainingData) -> dict[str, Any]:
    """Share and number of the rows referred, and the number by each warning. No row is outside its own range."""
    found: dict[str, Any] = {name: np.array(flags, dtype=bool) for name, flags in data.referred.items()}
    names = settings.contract.names
    for rule in settings.identities:
        found[rule["name"]] = Identity(rule, settings.contract).broken(data.matrix)
    for limit in settings.limits:
        if limit["feature"] in names:
            found[limit["name"]] = data.matrix[:, names.index(limit["feature"])] > limit["maximum"]
    none = np.zeros(len(data.labels), dtype=bool)
    flagged = {name: found.get(name, none) for name in settings.refer if name not in BUILT_IN}
    anyone = np.any([none, *flagged.values()], axis=0)
    by = {name: int(np.sum(rows)) for name, rows in flagged.items()}
    return {"rate": float(anyone.mean()), "rows": int(anyone.sum()), "by": by}
