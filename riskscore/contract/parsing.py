"""Values that arrive as text, where a model's contract says `parse = "text"`.

One spelling has one meaning: a thousands comma stands only in money, a percent sign only with a feature in percent,
and nothing is guessed. "36.29%" is 36.29, since its feature is in percent.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
TRUTHS = {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False, "1.0": True, "0.0": False}

_AMOUNT = r"(?:[1-9][0-9]{0,2}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]*)?|\.[0-9]+"
_MONEY = re.compile(rf"([+-]?)[$€£¥]? ?([+-]?)({_AMOUNT})|\([$€£¥]?({_AMOUNT})\)")  # in brackets: below zero
_COMMA = re.compile(r"(?:€ ?)?([+-]?(?:[1-9][0-9]{0,2}(?:\.[0-9]{3})+|[0-9]+)(?:,[0-9]+)?)(?: ?[€%])?")


def plain(text: str) -> float | None:
    """The number that a text is, None where it is none."""
    return float(text) if NUMBER.fullmatch(text) else None


def money(text: str) -> float | None:
    """An amount as people write it: $-5,483.24, ($5,483.24), 1,200. A decimal comma is refused: it could be either."""
    found = _MONEY.fullmatch(text)
    if not found:
        return plain(text)
    before, after, amount, bracketed = found.groups()
    if before and after:
        return None
    number = float((amount or bracketed).replace(",", ""))
    return -number if bracketed or "-" in (before, after) else number


def percent(text: str) -> float | None:
    """A share in percent, with its sign or without."""
    return plain(text.removesuffix("%").rstrip())


def decimal_comma(text: str) -> float | None:
    """A number with a decimal comma, points between thousands, and € or % where they stand: 1.234,56; 12,5 %."""
    found = _COMMA.fullmatch(text)
    return float(found[1].replace(".", "").replace(",", ".")) if found else None


BY_UNIT: dict[str, Callable[[str], float | None]] = {
    "money": money,
    "percent": percent,
    "decimal_comma": decimal_comma,
}
