"""What a card is made of, whatever it is written as: sections of sentences, tables and pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from riskscore.model_card.drawing import Drawing


METRIC_WORDS = {
    "gini": "Gini (2 AUC - 1)",
    "ks": "KS (Kolmogorov-Smirnov)",
    "auc": "AUC",
    "pr_auc": "PR AUC (average precision)",
    "brier": "Brier score (lower is better)",
    "log_loss": "log loss (lower is better)",
}


class Table(NamedTuple):
    """Texts. words: how many of the first columns are words; the others are numbers. strong: rows that stand out."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: int = 1
    strong: frozenset[int] = frozenset()


class Picture(NamedTuple):
    """words: what it shows, for who can't see it."""

    words: str
    draw: Callable[[], Drawing]


class Section(NamedTuple):
    """blocks: sentences, tables and pictures, the most important first."""

    title: str
    blocks: Sequence[str | Table | Picture]


def percent(rate: float | None, digits: int = 1) -> str:
    """A share in words; of none a dash."""
    return "-" if rate is None else f"{rate:.{digits}%}"


def between(figures: Mapping[str, Any], digits: int = 3) -> str:
    """A figure with its interval, as far as it has one."""
    if figures["low"] is None:
        return f"{figures['mean']:.{digits}f}"
    return f"{figures['mean']:.{digits}f} ({figures['low']:.{digits}f} to {figures['high']:.{digits}f})"


def rate(row: Mapping[str, Any]) -> str:
    """A rate with its interval, in percent."""
    return "-" if row["rate"] is None else f"{row['rate']:.1%} ({row['low']:.1%} to {row['high']:.1%})"


def listed(names: Iterable[str]) -> str:
    """Names in a sentence."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
