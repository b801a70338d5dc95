"""Simulated rows of an anonymous classification: train.csv with columns x0 to x99 and the target y.

The kinds of columns, their ranges and their messy spellings are those of the model's real files: numbers of no known
meaning, a weekday, a month, a sex, a region, money and a percentage as text, and gaps in most columns. The values and
the target are simulated: y depends on a few columns in straight lines, on others in ways that no straight line shows.
"""

from __future__ import annotations

import math
from random import Random
from typing import TYPE_CHECKING, Any

from riskscore.samples.sample_files import write_csv

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Row = dict[str, Any]

TARGET = "y"
NAMES = tuple(f"x{k}" for k in range(100))
COLUMNS = (*NAMES, TARGET)

# Each row spells a weekday and a month in one of these ways.
WEEKDAYS = (
    ("monday", "Monday", "mon"), ("tuesday", "Tuesday", "tue", "tues"), ("wednesday", "Wednesday", "wed"),
    ("thursday", "Thursday", "thu", "thur"), ("friday", "Friday", "fri"), ("saturday", "Saturday", "sat"),
    ("sunday", "Sunday", "sun"),
)  # fmt: skip
MONTHS = (
    ("January", "Jan"), ("February", "Feb"), ("March", "Mar"), ("April", "Apr"), ("May", "may"), ("June", "Jun"),
    ("July", "Jul"), ("August", "Aug"), ("September", "Sep", "sept"), ("October", "Oct"), ("November", "Nov"),
    ("December", "Dec"),
)  # fmt: skip
SEXES = (("Male", "male", "M"), ("Female", "female", "F"))
REGIONS = {"germany": 4, "asia": 3, "america": 2, "japan": 1}  # region: how often
WEEKDAY, MONEY, REGION, PERCENT, MONTH, SEX = "x5", "x12", "x31", "x63", "x81", "x82"
COMPLETE = frozenset({"x2", "x68", WEEKDAY, MONEY, PERCENT, MONTH, SEX})  # columns without gaps
MOST_MISSING = 0.047

NORMAL, EVEN = "normal", "even"  # NORMAL: mean and standard deviation; EVEN: lowest and highest
KINDS: dict[tuple[str, float, float], tuple[int, ...]] = {
    (NORMAL, 0, 1): (0, 3, 4, *range(45, 53), *range(55, 63), *range(83, 91)),
    (NORMAL, 0, 3): (1,),
    (NORMAL, 5, 1): (2, 30, 80),
    (NORMAL, -1, 1): (11, 29, 39, 79),
    (NORMAL, -20, 1): (18, 68),
    (NORMAL, -100, 10): (24, 74, 94),
    (NORMAL, -1.5, 0.5): (34,),
    (NORMAL, 0, 100): (99,),
    (NORMAL, 0, 1000): (40, 41, 42, 43),
    (EVEN, 0, 1): (6, 9, 13, 16, 19, 22, 27, 32, 44, 66, 69, 72, 77, 92, 97),
    (EVEN, -1, 1): (12, 54, 63),
    (EVEN, -0.25, 0.9): (53, 91),
    (EVEN, 0, 0.25): (20, 70),
    (EVEN, 0, 1.5): (25, 75, 95),
    (EVEN, 0, 2): (35,),
    (EVEN, 0, 3): (96,),
    (EVEN, 0, 5): (8, 26, 76),
    (EVEN, 0, 50): (14, 64),
    (EVEN, 0, 100): (7,),
    (EVEN, -3, 2): (36,),
    (EVEN, -4, 5): (15, 65),
    (EVEN, -5, 5): (21, 71),
    (EVEN, -2, -1): (38,),
    (EVEN, -33, -32): (98,),
    (EVEN, 2, 3): (33,),
    (EVEN, 3, 4): (23, 37, 73, 93),
    (EVEN, 14, 15): (10, 17, 28, 67, 78),
}
KIND_OF = {f"x{k}": kind for kind, columns in KINDS.items() for k in columns}  # those of words have none
INTERCEPT = -2.9


def write(folder: Path, rows: int, seed: int, separator: str = ",") -> list[Path]:
    """train.csv with so many rows, the target last."""
    table = (tuple(row[name] for name in COLUMNS) for row in labelled(rows, seed))
    return [write_csv(folder / "train.csv", COLUMNS, table, separator)]


def labelled(count: int, seed: int) -> Iterator[Row]:
    """Simulated rows with their target, values as the file spells them; None is a missing value."""
    for k in range(count):
        yield _row(Random(f"x100/{seed}/{k}"))  # noqa: S311 - simulation, no secret


def _row(rng: Random) -> Row:
    """A row whose target comes from the values before gaps are torn into them."""
    hidden = {name: rng.gauss(0, 1) if kind[0] == NORMAL else rng.uniform(-1, 1) for name, kind in KIND_OF.items()}
    words = {
        WEEKDAY: rng.randrange(7),
        MONTH: rng.randrange(12),
        SEX: rng.randrange(2),
        REGION: rng.choices(range(len(REGIONS)), list(REGIONS.values()))[0],
    }
    risk = _risk(hidden, words)
    row = {name: TELL.get(name, _number)(name, value) for name, value in hidden.items()} | _spelt(rng, words)
    for k, name in enumerate(NAMES):
        if name not in COMPLETE and rng.random() < MOST_MISSING * (k % 7 + 1) / 7:
            row[name] = None
    return row | {TARGET: int(rng.random() < 1 / (1 + math.exp(-risk)))}


def _spelt(rng: Random, words: dict[str, int]) -> Row:
    return {
        WEEKDAY: rng.choice(WEEKDAYS[words[WEEKDAY]]),
        MONTH: rng.choice(MONTHS[words[MONTH]]),
        SEX: rng.choice(SEXES[words[SEX]]),
        REGION: list(REGIONS)[words[REGION]],
    }


def _number(name: str, hidden: float) -> Any:
    """The column's number of a standard normal, or of a number from -1 to 1."""
    kind, a, b = KIND_OF[name]
    return round(a + b * hidden if kind == NORMAL else a + (b - a) * (hidden + 1) / 2, 8)


def _money(_: str, hidden: float) -> str:
    """-1 to 1 as dollars; a loss has its sign behind the currency, or the accountants' brackets."""
    cents = round(hidden * 1_000_000)
    text = f"{abs(cents) / 100:,.2f}"
    if cents >= 0:
        return f"${text}"
    return f"(${text})" if cents % 3 == 0 else f"$-{text}"


def _percent(_: str, hidden: float) -> str:
    return f"{50 * (hidden + 1):.2f}%"


TELL: dict[str, Callable[[str, float], Any]] = {MONEY: _money, PERCENT: _percent}


def _risk(x: dict[str, float], words: dict[str, int]) -> float:
    """Log-odds of y = 1: straight lines, then what they can't show: bends, products, steps, words."""
    straight = 1.0 * x["x0"] - 1.3 * x["x7"] + 1.4 * x["x14"] - 0.7 * x["x24"] + 1.1 * x["x20"] + 0.6 * x["x88"]
    bent = 0.7 * (x["x1"] ** 2 - 1) + 0.9 * (abs(x["x48"]) - 0.8) - 2.0 * (x[MONEY] ** 2 - 0.33)
    together = 2.4 * x["x32"] * x["x58"] + 3.0 * x["x37"] * x[PERCENT]
    weekend, winter = words[WEEKDAY] >= 5, words[MONTH] in {11, 0, 1}
    said = 0.9 * weekend + 0.6 * winter + (0.9 if words[SEX] else -0.9) * x["x41"] + (-0.4, 0.2, 0.6, 0)[words[REGION]]
    return INTERCEPT + straight + bent + together + said
