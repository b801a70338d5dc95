"""reasons.toml: what an applicant is told where a feature raised the score; plain sentences where nobody wrote any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from riskscore.model_toml.schema import (
    REAL,
    REQUIRED,
    are_texts,
    checked,
    require,
    require_features,
    table_of,
    text_of,
)

if TYPE_CHECKING:
    from pathlib import Path

    from riskscore.contract.contract import Contract
    from riskscore.contract.feature import Feature

    Table = dict[str, Any]

REASON = {
    "group": (str, ""),
    "high": (str, REQUIRED),
    "low": (str, REQUIRED),
    "middle": (str, ""),
    "missing": (str, ""),
    "special": (list, []),
}
SPECIAL = {"value": (REAL, REQUIRED), "text": (str, REQUIRED)}


def read_reasons(folder: Path, contract: Contract) -> dict[str, Table]:
    """The texts of reasons.toml by feature, in the contract's order; plain ones for features that it leaves out."""
    path, file = folder / "reasons.toml", f"{folder.name}/reasons.toml"
    tables = table_of(text_of(path, file), file) if path.exists() else {}
    require_features(file, "reasons", tables, contract)
    return {
        feature.name: _reason(file, feature.name, tables.get(feature.name) or plain_texts(feature))
        for feature in contract.features
    }


def plain_texts(feature: Feature) -> dict[str, str]:
    """What a reason says where nobody wrote a sentence for it."""
    subject = feature.description.rstrip(".") or feature.name
    subject = subject[:1].upper() + subject[1:]
    high, low = {"boolean": (f"{subject}: yes", f"{subject}: no")}.get(
        feature.type, (f"{subject}: higher than in most", f"{subject}: lower than in most")
    )
    return {"high": high, "low": low, "missing": f"{subject}: not known"}


def _reason(file: str, name: str, table: object) -> Table:
    reason = checked(file, f"{name}.", table, REASON)
    reason["group"] = reason["group"] or name
    reason["special"] = [checked(file, f"{name}.special.", entry, SPECIAL) for entry in reason["special"]]
    texts = [reason["high"], reason["low"], *(entry["text"] for entry in reason["special"])]
    require(are_texts(texts), file, f"{name} has an empty text")
    return {key: value for key, value in reason.items() if value}
