"""What one column of any table is: its type, what stands for missing in it, its values, or why it is no feature.

One look after the other, until one knows; a person reads what comes of it over, so every judgement keeps its figure.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from riskscore.drafting import number_formats
from riskscore.drafting.column_profile import ID_NAME, MOSTLY, NAMED_VALUES, Given, Profile
from riskscore.drafting.number_formats import matches
from riskscore.drafting.number_inference import infer_numbers

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from riskscore.drafting.raw_table import TableFile

MOST_VALUES = 100  # of a category: what a person would still read over
TRIED = 10 * MOST_VALUES  # texts, before those that differ only in case are put together
COVERED = 0.8  # of the filled rows, by the values that are not rare: otherwise it is free text
ORDINAL_FROM = 21  # values: from so many on a column of the estimator's for each would be too many
TYPED = ("number", "integer", "boolean")  # what a typed file has other types than text for
CODE_NAME = re.compile(r"(?i:(^|[^a-z])(id|code|nr))$|[a-z](Id|ID|Code)$")


def profile_column(table: TableFile, name: str, comma: bool = False) -> Profile:
    """Look at one column. comma: whether the file writes decimal commas elsewhere, which settles doubtful ones.

    Raises InvalidFile naming the line where a few cells of a column of numbers are none.
    """
    profile = Profile(name, table.columns[name])
    given = Given(table, profile.column.counts(), ~number_formats.are_nothing(profile.column.texts), comma)
    _note_missing(profile, given)
    next(look for look in LOOKS if look(profile, given))
    _name_numbers(profile, given)
    profile.as_text |= name in table.texts and (table.texts[name] or profile.kind in TYPED)
    return profile


def _note_missing(profile: Profile, given: Given) -> None:
    for place in np.flatnonzero(~given.filled).tolist():
        text, count = profile.column.texts[place].as_py(), int(given.counts[place])
        if text:
            profile.missing[text] = count
        else:
            profile.empty = count


def _infer_constant(profile: Profile, given: Given) -> bool:
    """Nothing at all, or one value in every row."""
    if not given.filled.any():
        profile.left_out = "it is empty in every row"
    elif len(given.counts) == 1:
        profile.left_out = "it has the same value in every row"
    return bool(profile.left_out)


def _infer_booleans(profile: Profile, given: Given) -> bool:
    if len(given.filled) > MOST_VALUES:
        return False
    small = [text.lower() for text in profile.column.texts.to_pylist()]
    if any(
        is_filled and text not in number_formats.TRUTHS for text, is_filled in zip(small, given.filled, strict=True)
    ):
        return False
    profile.kind = "boolean"
    profile.values = np.array([number_formats.TRUTHS.get(text, np.nan) for text in small])
    return True


def _infer_dates(profile: Profile, given: Given) -> bool:
    texts, filled = profile.column.texts, given.filled
    if (
        max(
            given.share(matches(texts, pattern) & filled)
            for pattern in (number_formats.DATE, number_formats.DAY_NUMBER)
        )
        < MOSTLY
    ):
        return False
    profile.left_out = "it holds dates; a number of days up to the day of the score would be a feature"
    if profile.gaps:
        profile.left_out = "it holds dates, and not in every row: is the event known when the score is made?"
    return True


def _infer_categories(profile: Profile, given: Given) -> bool:
    """Few texts on many rows; whatever differs only in case is one value, written as most rows have it."""
    counts, filled = given.counts, given.filled
    if np.sort(counts[filled])[-TRIED:].sum() < COVERED * counts[filled].sum():
        return False
    rare_below = min(10, max(2, int(counts.sum()) // 1000))
    groups = _often(profile.column.texts, counts, filled)
    kept = [(value, group) for value, group in groups if counts[group].sum() >= rare_below][:MOST_VALUES]
    covered = sum(int(counts[group].sum()) for _, group in kept)
    if covered < COVERED * counts[filled].sum():
        return False
    if len(groups) == 1 and filled.all():
        profile.left_out = "it has the same value in every row, in several spellings"
        return True
    profile.kind = "category"
    profile.categories = {value: int(counts[group].sum()) for value, group in kept}
    profile.folded = any(len(group) > 1 for _, group in kept)
    profile.rare = (len(groups) - len(kept), int(counts[filled].sum()) - covered)
    profile.values = np.where(filled, -1.0, np.nan)
    for place, (_, group) in enumerate(kept):
        profile.values[group] = place
    return True


def _often(texts: pa.Array, counts: NDArray[np.int64], filled: NDArray[np.bool_]) -> list[tuple[str, list[int]]]:
    """(value, the places of its spellings), most frequent first; equal ones by the alphabet."""
    groups: dict[str, list[int]] = {}
    for place in np.flatnonzero(filled).tolist():
        groups.setdefault(texts[place].as_py().casefold(), []).append(place)
    named = [(texts[max(group, key=counts.__getitem__)].as_py(), group) for group in groups.values()]
    return sorted(named, key=lambda one: (-int(counts[one[1]].sum()), one[0]))


def _infer_free_text(profile: Profile, given: Given) -> bool:
    profile.kind = "text"
    profile.left_out = f"it is free text: {int(given.filled.sum()):,} different values"
    counts = given.counts[given.filled]
    form, rows = number_formats.unknown_form(profile.column.texts.filter(pa.array(given.filled)), counts, MOSTLY)
    if form and not ID_NAME.search(profile.name):
        profile.kind = "unread"  # neither a feature nor what names a row
        alike = f"{rows:,} of {int(counts.sum()):,} cells look like {form}"
        profile.left_out = f"it may be numbers in a spelling that isn't known: {alike} (9 for digits, a for letters)"
    return True


LOOKS: tuple[Callable[[Profile, Given], bool], ...] = (
    _infer_constant,
    _infer_booleans,
    _infer_dates,
    infer_numbers,
    _infer_categories,
    _infer_free_text,
)


def _name_numbers(profile: Profile, given: Given) -> None:
    """Whole numbers that are names, as the column's name says, become a category."""
    if profile.kind != "integer" or not CODE_NAME.search(profile.name) or given.filled.sum() > NAMED_VALUES:
        return
    numbers = profile.missing
    profile.missing = {code: rows for code, rows in numbers.items() if isinstance(code, str)}
    if _infer_categories(profile, given):
        profile.notes.append("whole numbers that are ids, by the column's name")
    else:
        profile.missing = numbers
