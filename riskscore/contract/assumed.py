"""What a form takes for a feature that was left empty, if its model says so: a number, or one feature over another."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Any

OVER = " / "


def is_assumable(rule: Any, names: Collection[str]) -> bool:
    """Whether a rule is a number, or a text as in `requested / annual_income` of two features."""
    parts = rule.split(OVER) if isinstance(rule, str) else []
    return type(rule) in (int, float) or (len(parts) == 2 and set(parts) <= set(names))


def assumed(rule: Any, features: Mapping[str, Any]) -> Any:
    """The rule's value beside the other features; None for a ratio to nothing, to less, or of what isn't known."""
    if not isinstance(rule, str):
        return rule
    over, under = (features.get(name) for name in rule.split(OVER))
    if not isinstance(over, (int, float)) or not isinstance(under, (int, float)):
        return None
    return over / under if under > 0 else None
