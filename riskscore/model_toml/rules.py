"""The rules of model.toml by which a checked row is judged, and the directions that an estimator has to keep."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from riskscore.contract.identities import CENT
from riskscore.model_toml.schema import REAL, REQUIRED, are_texts, checked, require, require_features

if TYPE_CHECKING:
    from riskscore.contract.contract import Contract

    Table = dict[str, Any]

REFER: dict[str, tuple[Any, Any]] = {"warnings": (list, [])}
NAMED = {"name": (str, REQUIRED), "text": (str, REQUIRED)}
IDENTITY = NAMED | {"terms": (list, REQUIRED), "rounding": (REAL, CENT)}
LIMIT = NAMED | {"feature": (str, REQUIRED), "maximum": (REAL, REQUIRED)}
DIRECTIONS = {"up": 1, "down": -1}
BUILT_IN = ("outside_support", "label_ignored")  # the warnings that need no entry in model.toml


def read_rules(file: str, table: Table, contract: Contract) -> dict[str, Any]:
    """The fields of Settings that rules are; table: model.toml with its defaults."""
    identities = [_identity(file, entry, contract) for entry in table["identities"]]
    limits = [_limit(file, entry, contract, table["observations"]) for entry in table["limits"]]
    names = [*BUILT_IN, *(rule["name"] for rule in (*identities, *limits)), *table["observations"]]
    require(are_texts(table["observations"].values()), file, "observations must map names to sentences")
    require(len(set(names)) == len(names), file, "identities, limits and observations need unique names")
    return {
        "directions": _directions(file, table["constraints"], contract),
        "identities": identities,
        "limits": limits,
        "observations": table["observations"],
        "refer": _refer(file, table["refer"], names),
    }


def _identity(file: str, entry: object, contract: Contract) -> Table:
    """An identity: the sum of its terms is 0. A term is [coefficient, feature, ...], the features multiplied."""
    identity = checked(file, "identities.", entry, IDENTITY)
    require(0 <= identity["rounding"] < math.inf, file, f"identity {identity['name']}: rounding must be 0 or more")
    require(identity["terms"], file, f"identity {identity['name']}: terms are missing")
    for term in identity["terms"]:
        sound = isinstance(term, list) and len(term) > 1 and isinstance(term[0], REAL) and are_texts(term[1:])
        require(sound, file, f"identity {identity['name']}: a term is [coefficient, feature, ...]")
        require_features(file, f"identity {identity['name']}", term[1:], contract)
    return identity


def _limit(file: str, entry: object, contract: Contract, observations: Table) -> Table:
    """A known cliff: a feature or an observation above it is a warning, whatever the training range."""
    limit = checked(file, "limits.", entry, LIMIT)
    if limit["feature"] not in observations:
        require_features(file, f"limit {limit['name']}", [limit["feature"]], contract)
    return limit


def _directions(file: str, table: Table, contract: Contract) -> dict[str, int]:
    """Feature -> +1 where a larger value may never lower the risk, -1 where it may never raise it."""
    require_features(file, "constraints", table, contract)
    for name, direction in table.items():
        require(direction in DIRECTIONS, file, f'constraints.{name} must be "up" or "down"')
        require(contract.feature(name).type != "category", file, f"constraints.{name}: a category has no direction")
    return {name: DIRECTIONS[direction] for name, direction in table.items()}


def _refer(file: str, table: Table, rules: list[str]) -> list[str]:
    warnings: list[str] = checked(file, "refer.", table, REFER)["warnings"]
    for warning in warnings:
        require(warning in rules, file, f"refer.warnings: {warning!r} is not one of {', '.join(rules)}")
    return warnings
