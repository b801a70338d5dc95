"""What is known of one column of a table, once it was looked at (riskscore/drafting/type_inference.py)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from riskscore.drafting.number_formats import matches

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from riskscore.drafting.raw_table import Column, TableFile

    Floats = NDArray[np.float64]

MOSTLY = 0.9  # of the filled rows
LONGEST_ID = 100  # characters
NAMED_VALUES = 50  # up to so many whole numbers are names of kinds where the column's name says so; more name rows
OWNER = re.compile(r"(?i:(^|[^a-z])(id|uuid|guid|key|nr))$|[a-z](Id|ID)$")
ID_NAME = re.compile(r"(?i:(^|[^a-z])(id|uuid|guid|key|nr|no|number|num|index|idx))$|[a-z](Id|ID)$")


@dataclass
class Profile:
    """One column. kind: number, integer, boolean, category, text for the id-like, or unread.

    left_out: why it is no feature.
    values: float64 for each distinct text of the column: the number, a category's place, NaN where missing, -1 of a
    rare value. missing: code -> rows; spelled: a number among them -> its texts; empty: rows without anything.
    categories: value -> rows, most frequent first. rare: how many values are too rare to be declared, and their rows.
    folded: whether values differ only in case. as_text: whether its numbers, or blanks around words, need a reader
    of texts. alone: the AUC that the column reaches by itself; suspicion: why it may contain the label. reading: which
    of two meanings of its separators was chosen. protected: the characteristic it tells of, with what gives it away;
    kept: why a person keeps it all the same.
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
    as_text: bool = False
    reading: str = ""
    alone: float | None = None
    suspicion: str = ""
    protected: tuple[str, str] = ("", "")
    kept: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def rows(self) -> Floats:
        """The value of each row."""
        return self.values[self.column.codes]

    @property
    def is_text(self) -> bool:
        """Whether the model has to read texts on its account."""
        return bool(self.unit) or self.folded or self.as_text

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


def is_unique(profile: Profile) -> bool:
    """Whether every row has a value of its own."""
    return not profile.gaps and len(profile.column.texts) == len(profile.column.codes)


def is_id_like(profile: Profile) -> bool:
    """Whether a column names rows, or whom they belong to, and nothing else."""
    rows, distinct = len(profile.column.codes), len(profile.column.texts)
    if profile.kind not in ("integer", "category", "text") or rows < 2:
        return False
    named = bool(ID_NAME.search(profile.name))
    if not is_unique(profile):
        return named and (distinct > rows / 2 or (bool(OWNER.search(profile.name)) and distinct > NAMED_VALUES))
    if profile.kind != "integer":
        return named or not matches(profile.column.texts, rf".*\s.*|.{{{LONGEST_ID},}}").any()
    spread = float(profile.values.max() - profile.values.min())
    return named or (rows > 20 and spread < 1.1 * rows)
