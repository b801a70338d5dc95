"""A first reasons.toml of plain sentences, with what a person has to look at before an applicant reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from riskscore.contract.wording import EITHER
from riskscore.model_toml.schema import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from riskscore.contract.contract import Contract

KEYS = ("code", "direction", "high", "low", "value", "missing")
REVIEW = """\
# Nobody has read these sentences yet. Before an applicant gets one:
# 1. Say it to the applicant ("Your account was overdrawn often"), in each high, low, value and missing.
# 2. Give a direction to each feature that has "either": "higher raises" or "lower raises", where only that one can be
#    defended. What the model does against it is then never given as a reason.
#{either}
# 3. Add special = [{{ value = 999, text = "..." }}] for a value that is a code, or that means "none".
# 4. Put features that tell one fact, or that an identity ties, into one group = "...".
# 5. Look for a feature that may not be a reason at all (age, sex, origin, address), and take it out of the model.
# 6. Keep a code for good: letters and records name it. A new feature gets a new one.
"""


def drafted(head: str, reasons: Mapping[str, Mapping[str, Any]], contract: Contract) -> str:
    """The text of a reasons.toml with every feature. reasons: as `read_reasons` gives them; head: its first comment."""
    either = [
        name for name, reason in reasons.items() if contract.feature(name).type != "category" and _is_open(reason)
    ]
    sections = (
        f"\n[{quoted(name)}]\n" + "".join(f"{key} = {quoted(reason[key])}\n" for key in KEYS if key in reason)
        for name, reason in reasons.items()
    )
    return head + REVIEW.format(either=_wrapped(either)) + "".join(sections)


def _is_open(reason: Mapping[str, Any]) -> bool:
    return bool(reason["direction"] == EITHER)


def _wrapped(names: Iterable[str], width: int = 110) -> str:
    """Names in lines of a comment, indented; a name with a line break can't end the comment."""
    lines = ["   "]
    for name in map(quoted, names):
        if len(lines[-1]) + len(name) > width:
            lines.append("#   ")
        lines[-1] += f" {name}"
    return "\n".join(lines).rstrip() if lines[0].strip() else "    (all have one)"
