"""The tables [card] and [governance] of model.toml: what people add to the figures of a model card."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from riskscore.model_toml.keys import CARD, GOVERNANCE
from riskscore.model_toml.schema import are_texts, checked, day_of, require

if TYPE_CHECKING:
    from riskscore.contract.contract import Contract

    Table = dict[str, Any]


def read_card(file: str, table: object, target: str) -> Table:
    """[card] with its defaults."""
    card = checked(file, "card.", table, CARD)
    segments, ratio = card["segments"], card["cost_ratio"]
    require(are_texts(segments), file, "card.segments must be a list of column names")
    require(len({*segments}) == len(segments), file, "card.segments must not repeat a column")
    require(target not in segments, file, f"card.segments: {target} is the target")
    require(ratio is None or 0 < ratio < math.inf, file, "card.cost_ratio must be above 0")
    return card


def read_protected(file: str, table: Table, contract: Contract) -> dict[str, str]:
    """[protected]: features that tell of a protected characteristic, with the reason for which they are used."""
    for name, reason in table.items():
        require(name in contract, file, f"protected names {name}, which is no feature")
        require(type(reason) is str and reason.strip(), file, f"protected.{name} must be the reason, as text")
    return {name: " ".join(reason.split()) for name, reason in table.items()}


def read_governance(file: str, table: object) -> dict[str, str]:
    """[governance] as texts; "" for what nobody has said."""
    found = checked(file, "governance.", table, GOVERNANCE)
    day = found["review_date"] and day_of(file, "governance.review_date", found["review_date"]).isoformat()
    return {**found, "review_date": day}
