"""The table [change] of model.toml: what a person can change, so that an answer can say what would have changed it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from riskscore.model_toml.schema import REAL, checked, require, require_features

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from riskscore.contract.contract import Contract

    Table = dict[str, Any]

CHANGE = {
    "direction": (str, None),
    "step": (REAL, None),
    "minimum": (REAL, None),
    "maximum": (REAL, None),
    "follows": (str, None),
}
WAYS = ("up", "down", "either")
MOST_FEATURES = 12  # that may change: three of them are looked at together
MOST_STEPS = 1_000  # of a feature, from one end of its training range to the other


def read_changes(file: str, table: Table, contract: Contract, identities: Sequence[Table]) -> Table:
    """Feature -> direction, step and limits of its change, or the identity that it follows."""
    require_features(file, "change", table, contract)
    changes = {name: _change(file, name, entry, contract) for name, entry in table.items()}
    followers = [name for name, entry in changes.items() if "follows" in entry]
    moved = len(changes) - len(followers)
    require(moved <= MOST_FEATURES, file, f"change: at most {MOST_FEATURES} features may change, not {moved}")
    ties = {identity["name"]: identity["terms"] for identity in identities}
    for name in followers:
        _check_follower(file, name, changes[name]["follows"], ties)
    _check_identities(file, changes, ties)
    return changes


def check_steps(file: str, changes: Table, support: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse steps so small that a feature has too many. support: the training range of each feature."""
    for name, entry in changes.items():
        seen = support.get(name)
        require(seen, file, f"change.{name}: the feature has no training range to stay in")
        if "follows" not in entry and seen:
            count = (seen["maximum"] - seen["minimum"]) / entry["step"]
            sentence = f"change.{name}.step makes {count:,.0f} steps of the training range; at most {MOST_STEPS:,}"
            require(count <= MOST_STEPS, file, sentence)


def _change(file: str, name: str, entry: object, contract: Contract) -> Table:
    change, feature = checked(file, f"change.{name}.", entry, CHANGE), contract.feature(name)
    given = {key: value for key, value in change.items() if value is not None}
    require(feature.type != "category", file, f"change.{name}: a category has no steps")
    if "follows" in given:
        require(len(given) == 1, file, f"change.{name}: what follows an identity has no other key")
        require(feature.type == "number", file, f"change.{name}: only a feature of type number can follow an identity")
        return given
    ways = ", ".join(map(repr, WAYS))
    require(given.get("direction") in WAYS, file, f"change.{name}.direction must be one of {ways}")
    whole = feature.type != "number"
    given.setdefault("step", 1 if whole else None)
    step = given["step"]
    require(step is not None, file, f"change.{name}.step is missing: by how much the number changes at a time")
    require(0 < step < math.inf, file, f"change.{name}.step must be above 0")
    require(not whole or float(step).is_integer(), file, f"change.{name}.step must be a whole number")
    limits = [given.get(key, 0) for key in ("minimum", "maximum")]
    require(all(map(math.isfinite, limits)), file, f"change.{name}: minimum and maximum must be finite")
    ordered = given.get("minimum", -math.inf) <= given.get("maximum", math.inf)
    require(ordered, file, f"change.{name}.minimum must not be above its maximum")
    return given


def _check_follower(file: str, name: str, follows: str, ties: Mapping[str, Sequence[Any]]) -> None:
    require(follows in ties, file, f"change.{name}.follows: there is no identity {follows!r}")
    counts = [term[1:].count(name) for term in ties[follows]]
    found = sorted(counts)[-1] == 1 and sum(counts) == 1
    require(found, file, f"change.{name}.follows: the feature must stand once in the identity {follows}")


def _check_identities(file: str, changes: Table, ties: Mapping[str, Sequence[Any]]) -> None:
    """Refuse an identity that a change would break, and one that a feature could follow in two ways."""
    names = {tie: {name for _, *term in terms for name in term} for tie, terms in ties.items()}
    followers = {tie: [name for name, entry in changes.items() if entry.get("follows") == tie] for tie in ties}
    reached = set[str]()
    for name, entry in changes.items():
        if "follows" not in entry:
            touched = {name}
            while met := [tie for tie in ties if touched & names[tie] and not set(followers[tie]) <= touched]:
                touched.update(followers[met[0]])
            reached |= touched
            for tie in (tie for tie in ties if touched & names[tie]):
                need = f"change.{name} would break the identity {tie}: let one of its features follow it"
                require(len(followers[tie]) == 1, file, need)
                others = (touched & names[tie]) - set(followers[tie])
                both = f"change.{name} reaches the identity {tie} in two ways, which no feature can follow"
                require(len(others) == 1, file, both)
    idle = [name for name, entry in changes.items() if "follows" in entry and name not in reached]
    require(not idle, file, f"change.{', '.join(idle)}: nothing that may change is in the identity that it follows")
