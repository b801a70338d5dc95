"""Values that arrive as text, where a model's contract says `parse = "text"`.

One spelling has one meaning: the feature's unit says what separates thousands and what is decimal, a percent sign
stands only with a feature in percent, and nothing is guessed. "36.29%" is 36.29, since its feature is in percent.
Patterns have no look-ahead and no groups by name: the draft of a model looks at columns by the very same ones.
"""

from __future__ import annotations

import re
from functools import lru_cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
TRUTHS = {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False, "1.0": True, "0.0": False}

_AMOUNT = r"(?:[1-9][0-9]{0,2}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]*)?|\.[0-9]+"
_MONEY = re.compile(rf"([+-]?)[$€£¥]? ?([+-]?)({_AMOUNT})|\([$€£¥]?({_AMOUNT})\)")  # in brackets: below zero
_COMMA = re.compile(r"(?:€ ?)?([+-]?(?:[1-9][0-9]{0,2}(?:\.[0-9]{3})+|[0-9]+)(?:,[0-9]+)?)(?: ?[€%])?")

# The rarer spellings, of texts that are `tidy`. 1'234.50; 1 234.50; 12,34,567.00; 1.234,50
_GROUPS = r"[1-9][0-9]{0,2}(?:(?:'[0-9]{3})+|(?: [0-9]{3})+)|[0-9]+"
_LAKHS = r"[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}"
POINT = rf"(?:(?:[1-9][0-9]{{0,2}}(?:,[0-9]{{3}})+|{_LAKHS}|{_GROUPS})(?:\.[0-9]*)?|\.[0-9]+)"
COMMA = rf"(?:(?:[1-9][0-9]{{0,2}}(?:\.[0-9]{{3}})+|{_GROUPS})(?:,[0-9]*)?|,[0-9]+)"
CURRENCY = (
    r"(?:[$€£¥₹₩₽₺₴₦₫₪฿₱]|(?:US|A|C|NZ|HK|S|R)\$|(?i:usd|eur|gbp|chf|jpy|cny|inr|aud|cad|nzd|sgd|hkd|sek|nok|dkk|isk|pln"
    r"|czk|huf|ron|bgn|try|rub|uah|zar|brl|mxn|ars|clp|cop|pen|krw|twd|thb|idr|myr|php|vnd|aed|sar|ils|egp|ngn|kes|ghs"
    r"|pkr|bdt|lkr|kzt|rs\.?|kr|zł|kč))"
)
_KIN = {
    "0123456789,.%+-$¥£()'": "\uff10\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19"
    "\uff0c\uff0e\uff05\uff0b\uff0d\uff04\uffe5\uffe1\uff08\uff09\uff07",
    "     ": "\u00a0\u2007\u2009\u202f\u3000",
    "''---": "\u2019\u02bc\u2212\u2013\ufe63",
}
_TIDY = str.maketrans("".join(_KIN.values()), "".join(_KIN))


def tidy(text: str) -> str:
    """A text with plain digits, blanks, apostrophes and signs in the place of their kin: full-width, narrow, curly."""
    return text if text.isascii() else text.translate(_TIDY).strip()


def written(amount: str, mark: str) -> str:
    """The pattern of an amount with a sign and a mark (a currency, %) before or behind, or in brackets: below zero."""
    before, behind = rf"(?:{mark} ?)?", rf"(?: ?{mark})?"
    return (
        rf"[+-]?{before}{amount}|(?:{mark} ?)?[+-] ?{amount}|[+-]?{amount}{behind}"
        rf"|{before}{amount} ?[+-]|{amount} ?{mark} ?[+-]|{amount} ?[+-] ?{mark}"
        rf"|{before}\({before}{amount}\)|\({amount}{behind}\){behind}"
    )


PATTERNS = {
    "money": written(POINT, CURRENCY),
    "percent": written(POINT, "%"),
    "decimal_comma": written(COMMA, rf"(?:%|{CURRENCY})"),
}


@lru_cache(3)
def _pattern(unit: str) -> re.Pattern[str]:
    return re.compile(PATTERNS[unit])


def _rarer(unit: str, text: str) -> float | None:
    """An amount in one of the rarer spellings; compiled when the first one comes."""
    text = tidy(text)
    if not _pattern(unit).fullmatch(text):
        return None
    decimal = "," if unit == "decimal_comma" else "."
    digits = re.sub(rf"(?i:rs\.)|[^0-9{decimal}]", "", text).replace(decimal, ".")
    return -float(digits) if "-" in text or "(" in text else float(digits)


def plain(text: str) -> float | None:
    """The number that a text is, None where it is none."""
    if NUMBER.fullmatch(text):
        return float(text)
    return plain(tidy(text)) if not text.isascii() and tidy(text) != text else None


def money(text: str) -> float | None:
    """An amount as people write it: $-5,483.24, ($5,483.24), 1'200.50 CHF, 1,200-. A decimal comma is refused."""
    found = _MONEY.fullmatch(text)
    if not found or (found[1] and found[2]):
        exact = plain(text)
        return _rarer("money", text) if exact is None else exact
    before, after, amount, bracketed = found.groups()
    number = float((amount or bracketed).replace(",", ""))
    return -number if bracketed or "-" in (before, after) else number


def percent(text: str) -> float | None:
    """A share in percent, with its sign or without."""
    exact = plain(text.removesuffix("%").rstrip())
    return _rarer("percent", text) if exact is None else exact


def decimal_comma(text: str) -> float | None:
    """A number with a decimal comma, points or blanks between thousands, a currency or % with it: 1.234,56; 12,5 %."""
    found = _COMMA.fullmatch(text)
    return float(found[1].replace(".", "").replace(",", ".")) if found else _rarer("decimal_comma", text)


BY_UNIT: dict[str, Callable[[str], float | None]] = {
    "money": money,
    "percent": percent,
    "decimal_comma": decimal_comma,
}
