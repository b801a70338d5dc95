"""reasons.toml: what an applicant is told where a feature raised the score; plain sentences where nobody wrote any."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from riskscore.contract.wording import DIRECTIONS, EITHER, HIGHER, LOWER, VALUE, code_of, subject_of
from riskscore.model_toml.schema import REAL, REQUIRED, checked, require, require_features, table_of, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from riskscore.contract.contract import Contract
    from riskscore.contract.feature import Feature

    Table = dict[str, Any]

REASON: dict[str, tuple[Any, Any]] = {
    "code": (str, ""),
    "group": (str, ""),
    "direction": (str, ""),
    "high": (str, None),
    "low": (str, None),
    "middle": (str, None),
    "missing": (str, None),
    "value": (str, None),
    "special": (list, []),
}
SPECIAL = {"value": (REAL, REQUIRED), "text": (str, REQUIRED), "raises": (bool, None)}
SENTENCES = ("high", "low", "middle", "missing", "value")
CODE = re.compile(r"[A-Za-z0-9_.-]{1,20}")
LEAST_SHARE = 0.05  # of what raised a score: what did less is no reason for it
REASONS = {"least_share": (REAL, LEAST_SHARE)}  # the table [reasons] of model.toml
CONSTRAINED = {1: HIGHER, -1: LOWER, 0: EITHER}


def read_least_share(file: str, table: Table) -> float:
    """The setting of model.toml's [reasons]."""
    share: float = checked(file, "reasons.", table, REASONS)["least_share"]
    require(0 <= share < 1, file, "reasons.least_share must be a share, from 0 to below 1")
    return share


def read_reasons(folder: Path, contract: Contract, constraints: Mapping[str, int]) -> dict[str, Table]:
    """The texts of reasons.toml by feature, in the contract's order; plain ones for features that it leaves out.

    constraints: the directions of model.toml, which hold for reasons too where reasons.toml names none.
    """
    path, file = folder / "reasons.toml", f"{folder.name}/reasons.toml"
    tables = table_of(text_of(path, file), file) if path.exists() else {}
    require_features(file, "reasons", tables, contract)
    reasons = {
        feature.name: _reason(file, feature, place, tables.get(feature.name), constraints.get(feature.name, 0))
        for place, feature in enumerate(contract.features, 1)
    }
    _check_codes(file, reasons)
    return reasons


def plain_texts(feature: Feature) -> dict[str, str]:
    """What a reason says where nobody wrote a sentence for it."""
    subject = subject_of(feature)
    if feature.type == "category":
        return {"value": f"{subject}: {VALUE}", "missing": f"{subject}: not known"}
    high, low = ("yes", "no") if feature.type == "boolean" else ("high", "low")
    return {"high": f"{subject}: {high}", "low": f"{subject}: {low}", "missing": f"{subject}: not known"}


def _reason(file: str, feature: Feature, place: int, table: object, constraint: int) -> Table:
    """One feature's entry of the manifest: its code, group and direction, and the texts that were written."""
    name = feature.name
    reason = checked(file, f"{name}.", plain_texts(feature) if table is None else table, REASON)
    reason["code"] = reason["code"] or code_of(place)
    reason["group"] = reason["group"] or name
    reason["direction"] = reason["direction"] or CONSTRAINED[constraint]
    reason["special"] = [_special(file, name, entry) for entry in reason["special"]]
    texts = [reason[key] for key in SENTENCES if reason[key] is not None]
    require(all([*texts, *(entry["text"] for entry in reason["special"])]), file, f"{name} has an empty text")
    _check_direction(file, feature, reason, constraint)
    return {key: value for key, value in reason.items() if value}


def _special(file: str, name: str, entry: object) -> Table:
    special = checked(file, f"{name}.special.", entry, SPECIAL)
    return {key: value for key, value in special.items() if value is not None}


def _check_direction(file: str, feature: Feature, reason: Table, constraint: int) -> None:
    """Refuse a direction that model.toml contradicts, and one that leaves nothing to say."""
    name, direction, category = feature.name, reason["direction"], feature.type == "category"
    require(direction in DIRECTIONS, file, f"{name}.direction must be one of {', '.join(map(repr, DIRECTIONS))}")
    kept = {direction, CONSTRAINED[constraint]} != {HIGHER, LOWER}
    require(kept, file, f"{name}.direction is {direction!r}, and model.toml constrains it the other way")
    require(not category or direction == EITHER, file, f"{name}.direction: a category has no direction")
    require(category or reason["value"] is None, file, f"{name}.value is for a category; say high and low")
    for key, against in (("high", LOWER), ("low", HIGHER)):
        require(category or direction == against or reason[key], file, f"{name}.{key} is missing")


def _check_codes(file: str, reasons: Mapping[str, Table]) -> None:
    """Refuse a code that stands for two features, or that no letter could print."""
    owners: dict[str, str] = {}
    for name, reason in reasons.items():
        code = reason["code"]
        require(CODE.fullmatch(code), file, f"{name}.code must be 1 to 20 letters, digits, '.', '_' or '-'")
        require(code not in owners, file, f"the code {code} stands for both {owners.get(code)} and {name}")
        owners[code] = name
