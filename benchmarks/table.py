"""The table: each line sets a figure of ours beside a yardstick's, both from the same rounds, with their ratio."""

from __future__ import annotations

import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.turns import middle_half
from riskscore.errors import InvalidFile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PACKAGES = ("xgboost-cpu", "numpy", "joblib", "scikit-learn", "awslambdaric", "aws-sam-cli")
HEAD = ("", "here", "compared with", "there", "ratio", "middle half", "asked", "")


def duration(seconds: float) -> str:
    """Three digits and a unit that people read: 412 us, 35.1 ms, 3.62 s."""
    for size, unit in ((1.0, "s"), (1e-3, "ms")):
        if seconds >= size:
            return f"{_three_digits(seconds / size)} {unit}"
    return f"{seconds * 1e6:.0f} us"


def _three_digits(number: float) -> str:
    if number < 0.0995:
        return f"{number:.2g}"
    return f"{number:.2f}" if number < 9.995 else f"{number:.1f}" if number < 99.95 else f"{number:,.0f}"


class Line(NamedTuple):
    """Ours beside a yardstick, in seconds, one figure per round of each.

    A ratio is ours / theirs ("1.8 x the time"), or where `gain` theirs / ours ("10 x the speed").
    asked: what the ratio may be at most, or has to be at least where `gain`. shown: how a figure is printed.
    """

    what: str
    ours: Sequence[float]
    yardstick: str
    theirs: Sequence[float]
    gain: bool = False
    asked: float | None = None
    shown: Callable[[float], str] = duration

    def ratios(self) -> list[float]:
        """Each round's own ratio: what disturbs a round disturbs both of its figures."""
        over, under = (self.theirs, self.ours) if self.gain else (self.ours, self.theirs)
        return [a / b for a, b in zip(over, under, strict=True)]

    def ratio(self) -> float:
        return median(self.ratios())

    def met(self) -> bool:
        if self.asked is None:
            return True
        return self.ratio() >= self.asked if self.gain else self.ratio() <= self.asked

    def cells(self) -> tuple[str, ...]:
        """The line as HEAD names it."""
        low, high = middle_half(self.ratios())
        asked = "" if self.asked is None else f"{'at least' if self.gain else 'at most'} {self.asked:g}"
        verdict = "" if self.asked is None else "met" if self.met() else "NOT MET"
        return (
            *(self.what, self.shown(median(self.ours)), self.yardstick, self.shown(median(self.theirs))),
            f"{_three_digits(self.ratio())} x {'the speed' if self.gain else 'the time'}",
            *(f"{_three_digits(low)} to {_three_digits(high)}", asked, verdict),
        )


class Section(NamedTuple):
    """A part of the table. notes: what the lines lead to, or need to be understood."""

    title: str
    lines: Sequence[Line]
    notes: Sequence[str] = ()

    def unmet(self) -> list[str]:
        return [f"{line.what} against {line.yardstick}" for line in self.lines if not line.met()]


def rendered(sections: Sequence[Section]) -> str:
    """All sections as one table with aligned columns."""
    cells = [line.cells() for section in sections for line in section.lines]
    widths = [max(map(len, column)) for column in zip(HEAD, *cells, strict=True)]
    text = [_row(HEAD, widths)]
    for section in sections:
        text += ["", section.title]
        previous = ""
        for line in section.lines:
            what, *rest = line.cells()
            text.append(_row(("" if what == previous else what, *rest), widths))
            previous = what
        text += [f"  {note}" for note in section.notes]
    return "\n".join(line.rstrip() for line in text)


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Numbers to the right, words to the left."""
    numbers = {1, 3, 4, 5}
    return "  " + "  ".join(
        cell.rjust(width) if k in numbers else cell.ljust(width)
        for k, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )


def machine() -> str:
    """What measured, in a few lines."""
    return "\n".join(
        [
            ", ".join(
                [f"{datetime.now(UTC):%Y-%m-%d}", _processor(), f"{os.cpu_count()} cores", _memory(), platform.system()]
            ),
            f"load average of the last minute {os.getloadavg()[0]:.1f}, before measuring",
            ", ".join([f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in PACKAGES)]),
        ]
    )


def _processor() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GB"


def write_page(page: Path, command: str, report: str) -> None:
    """Put a command's report between its two marks on the page; the words around it are by people."""
    begin, end = (f"<!-- printed by {command}: {mark} -->" for mark in ("begin", "end"))
    before, opened, rest = page.read_text(encoding="utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not opened or not closed:
        raise InvalidFile(f"{page.name} lacks the two marks between which the table stands")
    page.write_text(f"{before}{begin}\n```\n{report}\n```\n{end}{after}", encoding="utf-8")
