"""What the words of a label column mean: which are 1, which 0, and which are no label; none of them in silence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from riskscore.cli import counted
from riskscore.drafting import number_formats
from riskscore.errors import InvalidFile
from riskscore.model_toml.labels import UNLABELLED, folded, meaning_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from riskscore.drafting.raw_table import Column, TableFile

MOST_LABELS = 50  # different ones: more are no classes
MOST_NAMED = 12  # of them in a sentence
FEWEST_ROWS = 2  # of either label: one for a fold's training, one to be judged by


@dataclass(frozen=True)
class Labels:
    """rows: int8 (n,): 1, 0, or UNLABELLED. words: meaning -> the column's words that have it -> rows, most first.

    named: whether words were named, so that labels aren't 0 and 1; silent: whether those that weren't count as 0.
    """

    rows: NDArray[np.int8]
    words: dict[int, dict[str, int]]
    named: bool
    silent: bool


def read_labels(table: TableFile, target: str, positive: Sequence[str] = (), negative: Sequence[str] = ()) -> Labels:
    """What each row's label means. positive, negative: the words that count as 1 and 0, in whatever capitals.

    With both, a word of neither is no label; without negative, every other word counts as 0 but for those that say
    that nothing is there. Raises InvalidFile where a word is in no row, or a label isn't 0 or 1 and none is named.
    """
    column = table.columns[target]
    _check_words(table, target, positive, negative)
    meaning, nothing = meaning_of(positive, negative), number_formats.are_nothing(column.texts).tolist()
    others = UNLABELLED if negative else 0 if positive else None
    texts = column.texts.to_pylist()
    found = [_or(meaning(text), UNLABELLED if none else others) for text, none in zip(texts, nothing, strict=True)]
    _check_known(table, target, found)
    meanings = np.array(found, dtype=np.int8)
    counts = column.counts().tolist()
    order = sorted(range(len(texts)), key=lambda k: (-counts[k], texts[k]))
    words = {label: {texts[k]: counts[k] for k in order if found[k] == label} for label in (1, 0, UNLABELLED)}
    if positive and not negative and len(words[0]) > MOST_LABELS:
        raise InvalidFile(f"{table.name}: {target} has {len(texts):,} different values, too many for labels", target)
    labels = Labels(meanings[column.codes], words, bool(positive), bool(positive) and not negative)
    _check_rows(table, target, labels.rows)
    return labels


def _or(meaning: int | None, otherwise: int | None) -> int | None:
    return otherwise if meaning is None else meaning


def _check_words(table: TableFile, target: str, positive: Sequence[str], negative: Sequence[str]) -> None:
    if negative and not positive:
        raise InvalidFile("--negative needs --positive: name the labels that mean 1 as well")
    twice = {*positive} & {*negative}
    if twice:
        raise InvalidFile(f"{min(twice)!r} is given as --positive and as --negative; it can't be both", target)
    column = table.columns[target]
    there = {*column.texts.to_pylist()}
    alike = {folded(text) for text in there}
    for word in (*positive, *negative):
        if word not in there and folded(word) not in alike:
            raise InvalidFile(f"{table.name}: no row has {word!r} as its {target}; {_there(column)}", target)


def _there(column: Column) -> str:
    """The words of a column with their rows; not those of a single row, which may be somebody's own."""
    counts = column.counts().tolist()
    words = {text: count for text, count in zip(column.texts.to_pylist(), counts, strict=True) if text}
    if len(words) > MOST_LABELS:
        return f"the column has {len(words):,} different values"
    often = sorted((word for word in words if words[word] > 1), key=lambda word: (-words[word], word))[:MOST_NAMED]
    more = len(words) - len(often)
    return f"the column has {in_words({word: words[word] for word in often})}" + (
        f"{' and ' if often else ''}{counted(more, 'more value' if often else 'different value')}" if more else ""
    )


def in_words(words: dict[str, int]) -> str:
    """Words with their rows: 'Paid' (12 rows), 'Default' (3 rows), nothing (1 row)."""
    return ", ".join(f"{repr(word) if word else 'nothing'} ({counted(rows, 'row')})" for word, rows in words.items())


def _check_known(table: TableFile, target: str, found: Iterable[int | None]) -> None:
    """The words are named with a choice only where they are plainly two classes."""
    column = table.columns[target]
    strange = np.array([label is None for label in found])[column.codes]
    if not strange.any():
        return
    place, named = table.place(int(np.argmax(strange))), sorted(filter(None, column.texts.to_pylist()))
    if len(named) != 2 or column.counts().min() < 2:
        choice = "--positive VALUE names those that mean 1, --negative VALUE those that mean 0; both repeatable"
        raise InvalidFile(f"{place}: {target} must be 0 or 1, or empty, but {_there(column)}; {choice}", target)
    first, second = named
    choice = f"--positive {first!r} or --positive {second!r} names the one that means 1"  # only people know the bad one
    raise InvalidFile(f"{place}: {target} must be 0 or 1, but it is {first!r} or {second!r} here; {choice}", target)


def _check_rows(table: TableFile, target: str, labels: NDArray[np.int8]) -> None:
    for label in (1, 0):
        count, rows = int((labels == label).sum()), int((labels >= 0).sum())
        if count < FEWEST_ROWS:
            raise InvalidFile(
                f"{table.name}: {count:,} of {rows:,} labelled rows have a {target} that means {label}; a model needs"
                f" rows of both labels, {FEWEST_ROWS} of each at least",
                target,
            )
