"""Looks at any labelled table: what its columns are, which row a label names, and which columns better stay out.

What is left out stays in the profile with its reason, since only a person knows whether that is right.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from riskscore import readings
from riskscore.column_looks import profile_column
from riskscore.column_profile import ID_NAME, Profile, is_id_like
from riskscore.errors import InvalidFile
from riskscore.leakage import alone, suspected
from riskscore.number_looks import has_sure_commas

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from riskscore.leakage import Alone
    from riskscore.text_columns import TableFile

LABELS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1}
FEWEST_ROWS = 2  # of either label: one for a fold's training, one to be judged by


@dataclass(frozen=True)
class TableProfile:
    """columns: all but the ids and the target, in the file's order. labels: int8 (n,), -1 where there is none.

    positive: the label that counts as 1, "" where labels are 0 and 1; negatives: those that count as 0.
    """

    file: str
    rows: int
    target: str
    positive: str
    ids: tuple[str, ...]
    columns: list[Profile]
    labels: NDArray[np.int8]
    notes: list[str]

    @property
    def features(self) -> list[Profile]:
        return [column for column in self.columns if not column.left_out]

    @property
    def left_out(self) -> list[Profile]:
        return [column for column in self.columns if column.left_out]

    @property
    def positives(self) -> int:
        return int((self.labels == 1).sum())

    @property
    def base_rate(self) -> float:
        return self.positives / self.labelled

    @property
    def labelled(self) -> int:
        return int((self.labels >= 0).sum())


def profile_table(
    table: TableFile,
    target: str,
    ids: Sequence[str] = (),
    positive: str = "",
    keep: Sequence[str] = (),
    leave_out: Sequence[str] = (),
    step: Callable[[], object] = lambda: None,
) -> TableProfile:
    """Judge every column. keep: columns to take although they are suspected; leave_out: columns not to take.

    positive: the label that counts as 1, where labels aren't 0 and 1. step: called after each column.
    Raises InvalidFile with one sentence where no model can come of it.
    """
    _check_names(table, target, ids, (*keep, *leave_out))
    labels, positive = _labels(table, target, positive)
    names = [name for name in table.columns if name not in (target, *ids, *leave_out)]
    comma = any(has_sure_commas(table.columns[name]) for name in names)
    columns = []
    for name in names:
        columns.append(profile_column(table, name, comma))
        step()
    ids = tuple(ids) or _proposed_id(columns)
    columns = [column for column in columns if column.name not in ids]
    _leave_out_ids(columns, keep)
    _leave_out_twins(columns)
    _leave_out_leaks(columns, labels, keep)
    columns += [Profile(name, table.columns[name], left_out="as asked for") for name in leave_out]
    found = TableProfile(table.name, table.rows, target, positive, ids, columns, labels, _notes(table, ids))
    if not found.features:
        raise InvalidFile(f"{table.name} has no column beside {target} that could be a feature", target)
    return found


def _check_names(table: TableFile, target: str, ids: Sequence[str], others: Sequence[str]) -> None:
    for name in (*ids, *others):
        if name not in table.columns:
            raise InvalidFile(f"{table.name}: column {name} is missing", name)
        if name == target:
            raise InvalidFile(f"column {name} is the target, so it can be neither an id nor a feature", name)


def _labels(table: TableFile, target: str, positive: str) -> tuple[NDArray[np.int8], str]:
    """Each row's label, -1 where it has none, and the label that counts as 1 where that isn't 1 itself."""
    column = table.columns[target]
    filled = ~readings.are_nothing(column.texts)
    texts = [text if is_filled else "" for text, is_filled in zip(column.texts.to_pylist(), filled, strict=True)]
    meaning, positive = _meaning(table, target, {text for text in texts if text}, positive)
    labels = np.array([meaning.get(text, -1 if not text else -2) for text in texts], dtype=np.int8)[column.codes]
    if (labels == -2).any():
        raise InvalidFile(f"{table.place(int(np.argmax(labels == -2)))}: {_not_a_label(target, texts)}", target)
    for label in (0, 1):
        count, rows = int((labels == label).sum()), int((labels >= 0).sum())
        if count < FEWEST_ROWS:
            raise InvalidFile(
                f"{table.name}: {count} of {rows:,} labelled rows have {target} {label}; a model needs rows of both"
                f" labels, {FEWEST_ROWS} of each at least",
                target,
            )
    return labels, positive


def _meaning(table: TableFile, target: str, texts: set[str], positive: str) -> tuple[dict[str, int], str]:
    """What each label means; texts that mean nothing are left to the caller, which knows their lines."""
    truths = next((text for text in texts if text.lower() == "true"), "")
    positive = positive or (truths if {text.lower() for text in texts} == set(readings.TRUTHS) else "")
    if not positive:
        return LABELS, ""
    if positive not in texts:
        raise InvalidFile(f"{table.name}: no row has {positive!r} as its {target}", target)
    return {text: int(text == positive) for text in texts}, positive


def _not_a_label(target: str, texts: Sequence[str]) -> str:
    """The values themselves are named only where they are plainly two classes."""
    found = sorted({text for text in texts if text})
    if len(found) != 2:
        return f"{target} must be 0 or 1, but the column has {len(found):,} different values; --positive names the 1"
    first, second = found
    return f"{target} must be 0 or 1, but it is {first!r} or {second!r}; --positive {second!r} makes that the 1"


def _proposed_id(columns: Sequence[Profile]) -> tuple[str, ...]:
    """The column that tells the rows apart, where there is one: named so before all others, texts before numbers."""
    found = [column for column in columns if is_id_like(column)]
    found.sort(key=lambda column: (not ID_NAME.search(column.name), column.kind == "integer"))
    return tuple(column.name for column in found[:1] if column.name)


def _leave_out_ids(columns: Sequence[Profile], keep: Sequence[str]) -> None:
    for column in columns:
        if not column.name:
            column.left_out = "it has no name"
        elif is_id_like(column) and not column.left_out and column.name not in keep:
            column.left_out = "it tells rows apart and nothing else: next to every row has a value of its own"


def _leave_out_twins(columns: Sequence[Profile]) -> None:
    """Of columns that say the same in every row the first one stays."""
    seen: dict[bytes, str] = {}
    for column in columns:
        if column.left_out:
            continue
        first = seen.setdefault(_fingerprint(column), column.name)
        if first != column.name:
            column.left_out = f"it says the same as {first} in every row"


def _fingerprint(column: Profile) -> bytes:
    """Equal for numbers that are equal in every row, and for names that could be translated into each other."""
    values = column.rows
    if column.kind in ("boolean", "category"):
        _, firsts, places = np.unique(values, return_index=True, return_inverse=True)
        values = firsts[places].astype(float)
    kind = "names" if column.kind in ("boolean", "category") else "numbers"
    return hashlib.sha256(kind.encode() + values.tobytes()).digest()


def _leave_out_leaks(columns: Sequence[Profile], labels: NDArray[np.int8], keep: Sequence[str]) -> None:
    """Suspicions are kept in the profile of a column that is to be taken all the same."""
    labelled = labels >= 0
    found: dict[str, Alone] = {}
    for column in columns:
        if not column.left_out:
            one = alone(column.rows[labelled], labels[labelled], column.kind != "category")
            found |= {column.name: one} if one else {}
    reasons = suspected(found)
    for column in columns:
        column.alone = found[column.name].auc if column.name in found else None
        column.suspicion = reasons.get(column.name, "")
        if column.suspicion and column.name not in keep:
            column.left_out = f"it may know the label: {column.suspicion}"


def _notes(table: TableFile, ids: Sequence[str]) -> list[str]:
    """What a person should know of the table as a whole."""
    notes = []
    if ids and len(table.columns[ids[0]].texts) < table.rows:
        notes.append(f"{ids[0]} names several rows at times; cross-validation keeps those together")
    return notes
