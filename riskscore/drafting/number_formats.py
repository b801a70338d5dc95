"""What the texts of a column can be read as: numbers in a few spellings, booleans, dates; and what says "missing".

Each spelling is a pattern that all texts of a column have to have, and a way from such texts to numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from riskscore.contract.parsing import PATTERNS, tidy

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

# In small letters: what people and programs write into a cell that holds nothing.
NOTHING = (
    *("", "na", "n/a", "n.a.", "#n/a", "#na", "nan", "null", "none", "nil", "-", "--", "?", ".", "missing", "<na>"),
    *("\u2013", "\u2014"),
)
TRUTHS = {"false": 0.0, "true": 1.0}

PLAIN = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
CANDIDATE = r"[^0-9]{0,6}[0-9][0-9.,' ]*[^0-9]{0,8}"  # what a number in any spelling looks like, at a glance
EITHER = r".*\b[1-9][0-9]{0,2}[.,][0-9]{3}([^0-9.,].*)?"  # 1,234: thousands, or a decimal comma
POINT_GROUPS = r"[+-]?[1-9][0-9]{0,2}(\.[0-9]{3})+"  # 1.234, which is 1234 where other columns have decimal commas
PADDED = r"[+-]?0[0-9]+"  # 01067 is a postcode and no number
CURRENCIES = {
    "$": "USD",
    "US$": "USD",
    "€": "EUR",
    "£": "GBP",
    "¥": "JPY",
    "₹": "INR",
    "RS": "INR",
    "₩": "KRW",
    "₽": "RUB",
}
LONGEST_FORM = 30  # characters
DATE = (
    r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([T ][0-9:.,]+ ?(Z|UTC|[+-][0-9:]{2,6})?)?"
    r"|[0-9]{1,2}[./-][0-9]{1,2}[./-]([0-9]{4}|[0-9]{2})( [0-9:]+)?|[0-9]{4}/[0-9]{1,2}/[0-9]{1,2}( [0-9:]+)?"
    r"|(19|20)[0-9]{2}[-/](0[1-9]|1[0-2])"  # 2011-12
    r"|(?i:([0-9]{1,2}[ -])?(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[.]?[ -]"  # Dec-2011, 24 Dec 2011
    r"([0-9]{1,2}, ?)?(19|20)[0-9]{2})"
)
DAY_NUMBER = r"(19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])"  # 20240131


class Spelling(NamedTuple):
    """How numbers are written, in tidy texts. unit: what model.toml calls it; plain: makes what any program reads."""

    pattern: str
    unit: str
    plain: Callable[[pa.Array], pa.Array]


def tidied(texts: pa.Array) -> pa.Array:
    """The texts with plain digits, blanks and signs, as a contract reads them."""
    if pc.all(pc.string_is_ascii(texts)).as_py():
        return texts
    return pa.array(map(tidy, texts.to_pylist()), pa.string())


def matches(texts: pa.Array, pattern: str) -> NDArray[np.bool_]:
    """Which of the texts the whole pattern fits."""
    found: NDArray[np.bool_] = pc.match_substring_regex(texts, f"^({pattern})$").to_numpy(zero_copy_only=False)
    return found.astype(bool)


def are_nothing(texts: pa.Array) -> NDArray[np.bool_]:
    """Which of the texts say that nothing is there."""
    found: NDArray[np.bool_] = pc.is_in(pc.utf8_lower(texts), pa.array(NOTHING)).to_numpy(zero_copy_only=False)
    return found.astype(bool)


def _as_they_stand(texts: pa.Array) -> pa.Array:
    return texts


def _without_marks(texts: pa.Array) -> pa.Array:
    """($1,200.50) and 1'200.50- CHF as -1200.50."""
    below = pc.match_substring_regex(texts, r"[(-]")
    if pc.any(pc.match_substring(texts, "rs.", ignore_case=True)).as_py():  # the only currency with a point
        texts = pc.replace_substring_regex(texts, r"(?i:rs\.)", "")
    amounts = pc.replace_substring_regex(texts, r"[^0-9.]+", "")
    return pc.if_else(below, pc.binary_join_element_wise("-", amounts, ""), amounts)


def _with_a_point(texts: pa.Array) -> pa.Array:
    """1.234,56 € as 1234.56, 12,5- % as -12.5."""
    pointless = pc.replace_substring(texts, ".", "")
    return _without_marks(pc.replace_substring(pointless, ",", "."))


SPELLINGS = {
    "plain": Spelling(PLAIN, "", _as_they_stand),
    "percent": Spelling(PATTERNS["percent"], "percent", _without_marks),
    "money": Spelling(PATTERNS["money"], "money", _without_marks),
    "comma": Spelling(PATTERNS["decimal_comma"], "decimal_comma", _with_a_point),
}


def currencies(texts: pa.Array) -> list[str]:
    """The currencies that amounts are in, each by one name."""
    marked = texts.filter(pc.match_substring_regex(texts, r"[^0-9.,' ()+%-]"))
    marks = pc.unique(pc.utf8_upper(pc.replace_substring_regex(marked, r"[0-9.,' ()+%-]+", ""))).to_pylist()
    return sorted({CURRENCIES.get(mark, mark) for mark in marks if mark})


def unknown_form(texts: pa.Array, counts: NDArray[np.int64], mostly: float) -> tuple[str, int]:
    """(how most of some texts are written, with 9 for digits and a for letters; its rows), where they may be numbers.

    ("", 0) where they are words. counts: rows of each text.
    """
    forms = pc.replace_substring_regex(pc.replace_substring_regex(texts, r"[0-9]+", "9"), r"\pL+", "a")
    found = forms.dictionary_encode()
    rows = np.bincount(found.indices.to_numpy(), weights=counts, minlength=len(found.dictionary))
    numeric = matches(found.dictionary, r"[^a9]*9[^a]*a?[^a]*") & ~matches(found.dictionary, r".*9[-/:]9.*")
    if not len(rows) or rows[numeric].sum() < mostly * rows.sum():
        return "", 0
    most = int(np.argmax(np.where(numeric, rows, -1)))
    return found.dictionary[most].as_py()[:LONGEST_FORM], int(rows[most])


def numbers(texts: pa.Array, spelling: str) -> NDArray[np.float64]:
    """The texts of one spelling as float64."""
    plain = pc.replace_substring_regex(SPELLINGS[spelling].plain(texts), r"^\+", "")
    values: NDArray[np.float64] = plain.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return values + 0.0
