"""Looks at any labelled table: what its columns are, which row a label names, and which columns better stay out.

What is left out stays in the profile with its reason, since only a person knows whether that is right.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from riskscore.cli import counted
from riskscore.drafting import number_formats
from riskscore.drafting.column_profile import ID_NAME, Profile, is_id_like, is_unique
from riskscore.drafting.label_words import Labels, read_labels
from riskscore.drafting.leakage import alone, suspected
from riskscore.drafting.number_inference import has_sure_commas
from riskscore.drafting.protected import leave_out_protected, protected
from riskscore.drafting.type_inference import profile_column
from riskscore.errors import InvalidFile

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from numpy.typing import NDArray

    from riskscore.drafting.leakage import ColumnSignal
    from riskscore.drafting.raw_table import TableFile


WIDEST_COUNT = 1000  # between the least and the largest of whole numbers that count something
AMOUNT_NAME = re.compile(
    r"(?i:amou?nt|amt|balance|cost|debt|deposit|expen[sd]|fee|income|inflow|instal?lment|limit|outflow|payment|price"
    r"|principal|rent|revenue|salary|sales|savings|spend|spent|turnover|wage|withdrawal|betrag|einkommen|gehalt|saldo)"
)
COUNT_NAME = re.compile(r"(?i:count|anzahl|days|months|years|times|score|(^|[^a-z])(n|nr|no|num|number|age)([^a-z]|$))")


@dataclass(frozen=True)
class TableProfile:
    """columns: all but the ids and the target, in the file's order. notes: what reading the file passed over."""

    file: str
    rows: int
    target: str
    ids: tuple[str, ...]
    columns: list[Profile]
    labels: Labels
    notes: list[str] = field(default_factory=list)

    @property
    def features(self) -> list[Profile]:
        return [column for column in self.columns if not column.left_out]

    @property
    def left_out(self) -> list[Profile]:
        return [column for column in self.columns if column.left_out]

    @property
    def positives(self) -> int:
        return int((self.labels.rows == 1).sum())

    @property
    def base_rate(self) -> float:
        return self.positives / self.labelled

    @property
    def labelled(self) -> int:
        return int((self.labels.rows >= 0).sum())


def profile_table(
    table: TableFile,
    target: str,
    ids: Sequence[str] = (),
    positive: Sequence[str] = (),
    negative: Sequence[str] = (),
    keep: Mapping[str, str] | Sequence[str] = (),
    leave_out: Sequence[str] = (),
    step: Callable[[], object] = lambda: None,
) -> TableProfile:
    """Judge every column. keep: columns to take although they are suspected, with the reasons, which those that tell of
    a protected characteristic need; leave_out: columns not to take.

    positive, negative: the labels that count as 1 and as 0, where they aren't 0 and 1. step: called after each column.
    Raises InvalidFile with one sentence where no model can come of it.
    """
    keep = keep if isinstance(keep, Mapping) else dict.fromkeys(keep, "")
    _check_names(table, target, ids, (*keep, *leave_out))
    labels = read_labels(table, target, positive, negative)
    _check_ids(table, ids)
    names = [name for name in table.columns if name not in (target, *ids, *leave_out)]
    comma = any(has_sure_commas(table.columns[name]) for name in names)
    columns = []
    for name in names:
        columns.append(profile_column(table, name, comma))
        step()
    _note_protected(columns)
    ids = tuple(ids) or _proposed_id(columns)
    columns = [column for column in columns if column.name not in ids]
    leave_out_protected(table.name, columns, keep)
    _leave_out_ids(columns, keep)
    _take_amounts(columns)
    _leave_out_twins(columns, keep)
    _leave_out_leaks(columns, labels.rows, keep)
    _check_kept(table, columns, keep)
    columns += [Profile(name, table.columns[name], left_out="as asked for") for name in leave_out]
    found = TableProfile(table.name, table.rows, target, ids, columns, labels, table.notes)
    if not found.features:
        reasons = "; ".join(f"{column.name}: {column.left_out}" for column in columns[:3])
        raise InvalidFile(
            f"{table.name} has no column beside {target} that can be a feature ({reasons or 'no other'})", target
        )
    return found


def _check_names(table: TableFile, target: str, ids: Sequence[str], others: Sequence[str]) -> None:
    for name in (*ids, *others):
        if name not in table.columns:
            raise InvalidFile(f"{table.name}: column {name} is missing", name)
        if name == target:
            raise InvalidFile(f"column {name} is the target, so it can be neither an id nor a feature", name)


def _check_ids(table: TableFile, ids: Sequence[str]) -> None:
    """Ids name a row: they stand in each, and on no two alike."""
    for name in ids:
        empty = number_formats.are_nothing(table.columns[name].texts)[table.columns[name].codes]
        if empty.any():
            raise InvalidFile(f"{table.place(int(np.argmax(empty)))}, column {name}: an id is missing", name)
    if ids:
        rows = np.column_stack([table.columns[name].codes for name in ids])
        _, first, which = np.unique(rows, axis=0, return_index=True, return_inverse=True)
        before = first[which.ravel()]  # the first row of the same ids
        again = before != np.arange(table.rows)
        if again.any():
            row = int(np.argmax(again))
            raise InvalidFile(
                f"{table.place(row)}: the same {' and '.join(ids)} as in {table.unit} {table.lines[before[row]]};"
                f" {counted(int(again.sum()), 'row')} in all repeat earlier ids (if two columns identify a"
                " row together, give --id twice)",
                ids[0],
            )


def _proposed_id(columns: Sequence[Profile]) -> tuple[str, ...]:
    """The column that tells the rows apart, where there is one: named so before all others, texts before numbers.

    Before it a column that says whose rows they are, since cross-validation keeps rows of one first id together.
    """
    found = [column for column in columns if column.name and not column.protected[0] and is_id_like(column)]
    found.sort(key=lambda column: (not ID_NAME.search(column.name), column.kind == "integer"))
    unique = [column.name for column in found if is_unique(column)][:1]
    owners = [column.name for column in found if not is_unique(column) and not column.gaps][:1]
    return (*owners, *unique) if unique else ()


def _note_protected(columns: Sequence[Profile]) -> None:
    """A column that says in every row what a protected one does is as protected as that, whatever it is called."""
    for column in columns:
        column.protected = protected(column)
    known = {_fingerprint(column): column for column in columns if column.protected[0] and len(column.values)}
    for column in columns:
        if not column.protected[0] and len(column.values) and (same := known.get(_fingerprint(column))):
            column.protected = same.protected[0], f"values, those of {same.name}"


def _leave_out_ids(columns: Sequence[Profile], keep: Collection[str]) -> None:
    for column in columns:
        if not column.name:
            column.left_out = "it has no name"
        elif is_id_like(column) and not column.left_out and column.name not in keep:
            distinct = len(column.column.texts) - bool(column.empty)
            column.left_out = f"it identifies rows and says nothing else: {distinct:,} different values"


def _take_amounts(columns: Sequence[Profile]) -> None:
    """Whole numbers become an integer only where they look like counts: amounts that are whole by chance get cents."""
    for column in columns:
        if column.kind == "integer":
            spread = float(np.nanmax(column.values) - np.nanmin(column.values))
            amount = AMOUNT_NAME.search(column.name) and not COUNT_NAME.search(column.name)
            if spread > WIDEST_COUNT or (amount and spread > 1):
                column.kind = "number"
                column.notes.append('whole in every row; type = "integer" would refuse any other number')


def _leave_out_twins(columns: Sequence[Profile], keep: Collection[str]) -> None:
    """Of columns that say the same in every row the first one stays."""
    seen: dict[bytes, str] = {}
    for column in columns:
        if column.left_out:
            continue
        first = seen.setdefault(_fingerprint(column), column.name)
        if first != column.name and column.name not in keep:
            column.left_out = f"it duplicates {first} in every row"


def _fingerprint(column: Profile) -> bytes:
    """Equal for numbers that are equal in every row, and for names that could be translated into each other."""
    values = column.rows
    if column.kind in ("boolean", "category"):
        _, firsts, places = np.unique(values, return_index=True, return_inverse=True)
        values = firsts[places].astype(float)
    kind = "names" if column.kind in ("boolean", "category") else "numbers"
    return hashlib.sha256(kind.encode() + values.tobytes()).digest()


def _leave_out_leaks(columns: Sequence[Profile], labels: NDArray[np.int8], keep: Collection[str]) -> None:
    """Suspicions are kept in the profile of a column that is to be taken all the same."""
    labelled = labels >= 0
    found: dict[str, ColumnSignal] = {}
    for column in columns:
        if not column.left_out:
            one = alone(column.rows[labelled], labels[labelled], column.kind != "category")
            found |= {column.name: one} if one else {}
    reasons = suspected(found)
    for column in columns:
        column.alone = found[column.name].auc if column.name in found else None
        column.suspicion = reasons.get(column.name, "")
        if column.suspicion and column.name not in keep:
            column.left_out = f"it may contain the label: {column.suspicion}"


def _check_kept(table: TableFile, columns: Sequence[Profile], keep: Collection[str]) -> None:
    """What was asked for and can't be had is no silent loss."""
    for column in columns:
        if column.name in keep and column.left_out:
            raise InvalidFile(f"{table.name}: column {column.name} can't be kept, since {column.left_out}", column.name)
