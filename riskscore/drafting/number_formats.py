"""What the texts of a column can be read as: numbers in one of a few spellings, truths, dates; and what says "missing".

Each spelling is a pattern that all texts of a column have to have, and a way from such texts to numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

# In small letters: what people and programs write into a cell that holds nothing.
NOTHING = ("", "na", "n/a", "n.a.", "#n/a", "#na", "nan", "null", "none", "nil", "-", "--", "?", ".", "missing", "<na>")
TRUTHS = {"false": 0.0, "true": 1.0}

PLAIN = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
GROUPED = r"([1-9][0-9]{0,2}(,[0-9]{3})+|[0-9]+)(\.[0-9]*)?|\.[0-9]+"
MONEY = rf"[+-]?[$€£¥]? ?[+-]?({GROUPED})|\([$€£¥]?({GROUPED})\)"
PERCENT = rf"({PLAIN}) ?%?"
COMMA = r"(€ ?)?[+-]?([1-9][0-9]{0,2}(\.[0-9]{3})+|[0-9]+)(,[0-9]+)?( ?[€%])?"
# 1.234,5 and 12,5 and 0,125 and 1234,567; but not 1,234, which may be 1234
SURE_COMMA = (
    r"(€ ?)?[+-]?([1-9][0-9]{0,2}(\.[0-9]{3})+,[0-9]+|[0-9]+,([0-9]{1,2}|[0-9]{4,})|(0|[0-9]{4,}),[0-9]+)( ?[€%])?"
)
POINT_GROUPS = r"[+-]?[1-9][0-9]{0,2}(\.[0-9]{3})+"  # 1.234, which is 1234 where other columns have decimal commas
PADDED = r"[+-]?0[0-9]+"  # 01067 is a postcode and no number
DATE = (
    r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([T ][0-9:.,]+ ?(Z|UTC|[+-][0-9:]{2,6})?)?"
    r"|[0-9]{1,2}[./-][0-9]{1,2}[./-]([0-9]{4}|[0-9]{2})( [0-9:]+)?|[0-9]{4}/[0-9]{1,2}/[0-9]{1,2}( [0-9:]+)?"
    r"|(19|20)[0-9]{2}[-/](0[1-9]|1[0-2])"  # 2011-12
    r"|(?i:([0-9]{1,2}[ -])?(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[.]?[ -]"  # Dec-2011, 24 Dec 2011
    r"([0-9]{1,2}, ?)?(19|20)[0-9]{2})"
)
DAY_NUMBER = r"(19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])"  # 20240131


class Spelling(NamedTuple):
    """How numbers are written. unit: what model.toml calls it; sure: texts that no other spelling could mean."""

    pattern: str
    unit: str
    sure: str
    plain: Callable[[pa.Array], pa.Array]


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


def _without_signs(texts: pa.Array) -> pa.Array:
    """($1,200.50) and -$1,200.50 as -1200.50."""
    below = pc.match_substring_regex(texts, r"[(-]")
    amounts = pc.replace_substring_regex(texts, r"[^0-9.]", "")
    return pc.if_else(below, pc.binary_join_element_wise("-", amounts, ""), amounts)


def _without_percent(texts: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(texts, r" ?%", "")


def _with_a_point(texts: pa.Array) -> pa.Array:
    """1.234,56 € as 1234.56, 12,5 % as 12.5."""
    return pc.replace_substring(pc.replace_substring_regex(texts, r"[. €%]", ""), ",", ".")


# In the order in which they are tried: the first that fits all texts of a column is its spelling.
SPELLINGS = {
    "plain": Spelling(PLAIN, "", r".*", _as_they_stand),
    "percent": Spelling(PERCENT, "percent", r".*%", _without_percent),
    "comma": Spelling(COMMA, "decimal_comma", SURE_COMMA, _with_a_point),
    "money": Spelling(MONEY, "money", r".*", _without_signs),
}


def numbers(texts: pa.Array, spelling: str) -> NDArray[np.float64]:
    """The texts of one spelling as float64."""
    plain = pc.replace_substring_regex(SPELLINGS[spelling].plain(texts), r"^\+", "")
    values: NDArray[np.float64] = plain.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return values + 0.0
