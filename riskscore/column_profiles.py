"""What one column of any table is: its type, what stands for missing in it, its values, or why it is no feature.

One look after the other, until one knows; a person reads what comes of it over, so every judgement keeps its figure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from riskscore import readings
from riskscore.contract import FLOAT32_MAX
from riskscore.errors import InvalidFile
from riskscore.readings import SPELLINGS, matches
from riskscore.sentinels import sentinels_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from riskscore.text_columns import Column, TableFile

    Floats = NDArray[np.float64]

MOST_VALUES = 100  # of a category: what a person would still read over
TRIED = 10 * MOST_VALUES  # texts, before those that differ in capitals alone are put together
NAMED_VALUES = 50  # up to so many whole numbers are names where the column's name says so
COVERED = 0.8  # of the filled rows, by the values that are not rare: otherwise it is free text
ORDINAL_FROM = 21  # values: from so many on a column of the estimator's for each would be too many
MOSTLY = 0.9  # of the filled rows are numbers: then the other texts are codes or mistakes
CODES = 5  # different texts among numbers that may be codes for missing
SLIPS = 0.01  # up to this share of other texts are mistakes, which a person should correct
ID_NAME = re.compile(r"(?i)(^|[^a-z])(id|uuid|guid|key|nr|no|number|num|index|idx)$|[a-z](Id|ID)$")
CODE_NAME = re.compile(r"(?i)(^|[^a-z])(id|code|nr)$|[a-z](Id|ID|Code)$")


@dataclass
class Profile:
    """One column. kind: number, integer, boolean, category, or text for the id-like; left_out: why it is no feature.

    values: float64 for each distinct text of the column: the number, a category's place, NaN where missing, -1 of a
    rare value. missing: code -> rows; spelled: a number among them -> its texts; empty: rows without anything.
    categories: value -> rows, most frequent first. rare: how many values are too rare to be declared, and their rows.
    folded: whether values differ in capitals alone. alone: the AUC that the column reaches by itself; suspicion: why
    it may know the label.
    """

    name: str
    column: Column
    kind: str = ""
    left_out: str = ""
    unit: str = ""
    values: Floats = field(default_factory=lambda: np.empty(0))
    missing: dict[str | float, int] = field(default_factory=dict)
    spelled: dict[str | float, list[str]] = field(default_factory=dict)
    empty: int = 0
    categories: dict[str, int] = field(default_factory=dict)
    rare: tuple[int, int] = (0, 0)
    folded: bool = False
    alone: float | None = None
    suspicion: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def rows(self) -> Floats:
        """The value of each row."""
        return self.values[self.column.codes]

    @property
    def is_text(self) -> bool:
        """Whether the model has to read texts on its account."""
        return bool(self.unit) or self.folded

    @property
    def gaps(self) -> int:
        """Rows without a value."""
        return self.empty + sum(self.missing.values())


class Given(NamedTuple):
    """What every look at a column starts from. counts: rows of each text; filled: which texts say something."""

    table: TableFile
    counts: NDArray[np.int64]
    filled: NDArray[np.bool_]
    comma: bool

    def share(self, which: NDArray[np.bool_]) -> float:
        """The part of the filled rows that hold one of some texts."""
        return float(self.counts[which].sum() / self.counts[self.filled].sum())


def profile_column(table: TableFile, name: str, comma: bool = False) -> Profile:
    """Look at one column. comma: whether the file writes decimal commas elsewhere, which settles doubtful ones.

    Raises InvalidFile naming the line where a few cells of a column of numbers are none.
    """
    profile = Profile(name, table.columns[name])
    given = Given(table, profile.column.counts(), ~readings.are_nothing(profile.column.texts), comma)
    _note_missing(profile, given)
    next(look for look in LOOKS if look(profile, given))
    _name_numbers(profile, given)
    return profile


def has_sure_commas(column: Column) -> bool:
    """Whether a column is numbers with decimal commas, beyond doubt."""
    texts = column.texts.filter(pa.array(~readings.are_nothing(column.texts)))
    fits = bool(len(texts)) and bool(matches(texts, SPELLINGS["comma"].pattern).mean() >= MOSTLY)
    return fits and bool(matches(texts, SPELLINGS["comma"].sure).any())


def _note_missing(profile: Profile, given: Given) -> None:
    for place in np.flatnonzero(~given.filled).tolist():
        text, count = profile.column.texts[place].as_py(), int(given.counts[place])
        if text:
            profile.missing[text] = count
        else:
            profile.empty = count


def _look_constant(profile: Profile, given: Given) -> bool:
    """Nothing at all, or one value in every row."""
    if not given.filled.any():
        profile.left_out = "it is empty in every row"
    elif len(given.counts) == 1:
        profile.left_out = "it has the same value in every row"
    return bool(profile.left_out)


def _look_truths(profile: Profile, given: Given) -> bool:
    if len(given.filled) > MOST_VALUES:
        return False
    small = [text.lower() for text in profile.column.texts.to_pylist()]
    if any(is_filled and text not in readings.TRUTHS for text, is_filled in zip(small, given.filled, strict=True)):
        return False
    profile.kind = "boolean"
    profile.values = np.array([readings.TRUTHS.get(text, np.nan) for text in small])
    return True


def _look_dates(profile: Profile, given: Given) -> bool:
    texts, filled = profile.column.texts, given.filled
    if max(given.share(matches(texts, pattern) & filled) for pattern in (readings.DATE, readings.DAY_NUMBER)) < MOSTLY:
        return False
    profile.left_out = "it holds dates; a number of days up to the day of the score would be a feature"
    return True


def _look_numbers(profile: Profile, given: Given) -> bool:
    texts = profile.column.texts
    spelling, fits = _spelling(texts, given)
    if not spelling or (matches(texts, readings.PADDED) & given.filled).any():
        return False
    odd = given.filled & ~fits
    if odd.any() and not _are_codes(odd, given.counts):
        _refuse_slips(profile, given, odd)
        return False
    read = texts.filter(pa.array(fits))
    values = np.full(len(texts), np.nan)
    values[fits] = readings.numbers(read, spelling)
    if np.nanmax(np.abs(values)) > FLOAT32_MAX:
        return False
    profile.values, profile.unit = values, SPELLINGS[spelling].unit
    profile.missing |= {texts[k].as_py(): int(given.counts[k]) for k in np.flatnonzero(odd).tolist()}
    pointed = pc.any(pc.match_substring_regex(read, r"[.eE]")).as_py()
    profile.kind = "number" if pointed or spelling != "plain" else "integer"
    _take_sentinels(profile, given.counts)
    return True


def _spelling(texts: pa.Array, given: Given) -> tuple[str, NDArray[np.bool_]]:
    """The spelling that most filled rows have, and which texts have it; "" where too few have any."""
    for name, spelling in SPELLINGS.items():
        fits = matches(texts, spelling.pattern) & given.filled
        if given.share(fits) < MOSTLY:
            continue
        if (matches(texts, spelling.sure) & fits).any() or (name == "comma" and given.comma):
            return _doubtful(texts, fits) if name == "plain" and given.comma else name, fits
    return "", given.filled & False


def _doubtful(texts: pa.Array, fits: NDArray[np.bool_]) -> str:
    """What 1.234 is in a file with decimal commas: 1234, where every point of the column stands before three digits."""
    pointed = matches(texts, r".*\..*") & fits
    grouped = matches(texts, readings.POINT_GROUPS)
    return "comma" if pointed.any() and not (pointed & ~grouped).any() else "plain"


def _are_codes(odd: NDArray[np.bool_], counts: NDArray[np.int64]) -> bool:
    """A text that stands among numbers on several rows is a code; on one row alone it may be anything."""
    return bool(odd.sum() <= CODES and counts[odd].min() > 1)


def _refuse_slips(profile: Profile, given: Given, odd: NDArray[np.bool_]) -> None:
    """A few texts among numbers are mistakes that a person should see; many make a column of another kind."""
    cells, filled = int(given.counts[odd].sum()), int(given.counts[given.filled].sum())
    place = given.table.place(int(np.flatnonzero(odd[profile.column.codes])[0]))
    if given.share(odd) <= SLIPS:
        raise InvalidFile(
            f"{place}, column {profile.name}: no number, nor in {cells} of the {filled:,} filled rows; correct that, or"
            f" leave the column out (--leave-out)",
            profile.name,
        )
    profile.notes.append(f"most of its values are numbers, but {cells:,} are not (first: {place})")


def _take_sentinels(profile: Profile, counts: NDArray[np.int64]) -> None:
    """Numbers that stand for "missing" become so."""
    found, notes = sentinels_of(profile.values, counts)
    for value in found:
        which = profile.values == value
        code = int(value) if value.is_integer() else value
        profile.missing[code] = int(counts[which].sum())
        profile.spelled[code] = profile.column.texts.filter(pa.array(which)).to_pylist()
        profile.values[which] = np.nan
    profile.notes += notes
    if len(np.unique(profile.values[~np.isnan(profile.values)])) == 1 and not profile.gaps:
        profile.left_out = "it has the same value in every row"


def _look_categories(profile: Profile, given: Given) -> bool:
    """Few texts on many rows; whatever differs in capitals alone is one value, written as most rows have it."""
    counts, filled = given.counts, given.filled
    if np.sort(counts[filled])[-TRIED:].sum() < COVERED * counts[filled].sum():
        return False
    rare_below = min(10, max(2, int(counts.sum()) // 1000))
    groups = _often(profile.column.texts, counts, filled)
    kept = [(value, group) for value, group in groups if counts[group].sum() >= rare_below][:MOST_VALUES]
    covered = sum(int(counts[group].sum()) for _, group in kept)
    if covered < COVERED * counts[filled].sum():
        return False
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


def _look_free_text(profile: Profile, given: Given) -> bool:
    profile.kind = "text"
    profile.left_out = f"it is free text: {int(given.filled.sum()):,} different values"
    return True


LOOKS: tuple[Callable[[Profile, Given], bool], ...] = (
    _look_constant,
    _look_truths,
    _look_dates,
    _look_numbers,
    _look_categories,
    _look_free_text,
)


def _name_numbers(profile: Profile, given: Given) -> None:
    """Whole numbers that are names, as the column's name says, become a category."""
    if profile.kind != "integer" or not CODE_NAME.search(profile.name) or given.filled.sum() > NAMED_VALUES:
        return
    numbers = profile.missing
    profile.missing = {code: rows for code, rows in numbers.items() if isinstance(code, str)}
    if _look_categories(profile, given):
        profile.notes.append("whole numbers that are names, as the column's name says")
    else:
        profile.missing = numbers


def is_id_like(profile: Profile) -> bool:
    """Whether a column tells rows apart and nothing else: all values differ, or nearly so and its name says it."""
    rows, distinct = len(profile.column.codes), len(profile.column.texts)
    if profile.kind not in ("integer", "category", "text") or rows < 2:
        return False
    named = bool(ID_NAME.search(profile.name))
    if distinct < rows or profile.gaps:
        return named and distinct > rows / 2
    if profile.kind != "integer":
        return named or not matches(profile.column.texts, r".*\s.*|.{100,}").any()
    spread = float(profile.values.max() - profile.values.min())
    return named or (rows > 20 and spread < 1.1 * rows)
