"""The groups of one column: spellings of a word together, ages in bands, and which are too small to be shown."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from riskscore.errors import InvalidFile

if TYPE_CHECKING:
    from collections.abc import Sequence

AGES = (25, 35, 45, 55, 62)  # usual bands; 62 and over is what ECOA calls elderly (12 CFR 1002.2(o))
OLDEST = 130
MOST = 50  # groups of one column; more are values, and no groups


class Groups(NamedTuple):
    """of: each row's group, "" where it isn't known or too small. large: groups by size; small: names of the others.

    hidden: rows of the small groups; unknown: rows without a group."""

    column: str
    of: list[str]
    large: dict[str, int]
    small: list[str]
    hidden: int
    unknown: int


def groups_of(column: str, texts: Sequence[str], smallest: int, bands: Sequence[float] = ()) -> Groups:
    """Raises InvalidFile where there are too many groups, or fewer than two that are large enough."""
    words = [_band(column, text, bands) for text in texts] if bands else _spelled(texts)
    sizes = Counter(word for word in words if word)
    if len(sizes) > MOST:
        raise InvalidFile(
            f"{column} has {len(sizes):,} different values: group them first (--age {column} bands ages in years,"
            f" --bands {column}=30,50 other numbers)",
            column,
        )
    known = sorted(sizes, key=_lowest if bands else lambda name: (-sizes[name], name))
    large = {name: sizes[name] for name in known if sizes[name] >= smallest}
    if len(sizes) < 2:
        raise InvalidFile(
            f"{column} has {'one group only' if sizes else 'no group'}: there is nothing to compare", column
        )
    if len(large) < 2:
        raise InvalidFile(f"{column} has fewer than two groups of at least {smallest} rows: they are too small", column)
    small = [name for name in known if name not in large]
    unknown = sum(not word for word in words)
    shown = [word if word in large else "" for word in words]
    return Groups(column, shown, large, small, sum(sizes[name] for name in small), unknown)


def _spelled(texts: Sequence[str]) -> list[str]:
    """Each word as most rows spell it: male and Male are one group."""
    usual: dict[str, str] = {}
    for text, _ in Counter(text.strip() for text in texts).most_common():
        usual.setdefault(text.casefold(), text)
    return [usual[text.strip().casefold()] for text in texts]


def _band(column: str, text: str, bands: Sequence[float]) -> str:
    """Which band a number is in, such as 25 to under 35."""
    if not text.strip():
        return ""
    try:
        number = float(text)
    except ValueError:
        raise InvalidFile(f"column {column}: expected a number in each row, for its bands", column) from None
    if tuple(bands) == AGES and not 0 <= number <= OLDEST:
        raise InvalidFile(f"column {column}: expected an age in years, 0 to {OLDEST}", column)
    place = bisect_right(bands, number)
    if place == 0:
        return f"under {bands[0]:g}"
    return f"{bands[-1]:g} and over" if place == len(bands) else f"{bands[place - 1]:g} to under {bands[place]:g}"


def _lowest(band: str) -> float:
    """What a band begins with."""
    return float("-inf") if band.startswith("under") else float(band.partition(" ")[0])


def reference_of(groups: Groups, asked: str) -> str:
    """The group that others are compared with: the one asked for, else the largest."""
    if not asked:
        return max(groups.large, key=lambda name: groups.large[name])
    found = [name for name in groups.large if name.casefold() == asked.casefold()]
    if not found:
        small = asked.casefold() in map(str.casefold, groups.small)
        there = ", ".join(groups.large)
        size = " that is large enough" if small else ""
        raise InvalidFile(f"{groups.column} has no group {asked!r}{size}; it has {there}")
    return found[0]
