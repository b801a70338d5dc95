"""Axes: from values to places in a drawing, with round numbers beside them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from riskscore.model_card.drawing import GREY, Box, Drawing, Line, Mark, Text

if TYPE_CHECKING:
    from collections.abc import Sequence

TICKS = 5


def ticks(low: float, high: float, count: int = TICKS) -> list[float]:
    """Round numbers between two values, about so many."""
    span = (high - low) or 1.0
    unit = 10.0 ** math.floor(math.log10(span / count))
    step = next(unit * k for k in (1, 2, 5, 10) if span / (unit * k) <= count)
    first = math.ceil(low / step - 1e-9)
    return [float(f"{k * step:.12g}") for k in range(first, math.floor(high / step + 1e-9) + 1)]


@dataclass(frozen=True)
class Plot:
    """A frame in a drawing. left, top, width, height: of the frame. across, up: lowest and highest value."""

    drawing: Drawing
    left: float
    top: float
    width: float
    height: float
    across: tuple[float, float]
    up: tuple[float, float]

    def x(self, value: float) -> float:
        low, high = self.across
        return self.left + self.width * (value - low) / ((high - low) or 1.0)

    def y(self, value: float) -> float:
        low, high = self.up
        return self.top + self.height * (1 - (value - low) / ((high - low) or 1.0))

    def frame(self) -> None:
        """The two axes themselves."""
        bottom = self.top + self.height
        self.drawing.add(
            Line([(self.left, self.top), (self.left, bottom), (self.left + self.width, bottom)], "#111", 0.9)
        )

    def values_up(self, title: str = "", size: float = 10.5, right: bool = False) -> None:
        """Numbers beside the frame, and what they are."""
        x, away = (self.left + self.width, 1) if right else (self.left, -1)
        for value in ticks(*self.up, 4 if size < 10 else TICKS):
            y = self.y(value)
            self.drawing.add(Line([(x, y), (x + 3 * away, y)], "#111", 0.8))
            self.drawing.add(Text(x + 5 * away, y + size / 3, f"{value:g}", "start" if right else "end", size))
        if title:
            place = x + 44 if right else max(self.left - 46, 9)
            self.drawing.add(Text(place, self.top + self.height / 2, title, "middle", 10.5, 90))

    def values_across(self, title: str = "", size: float = 10.5) -> None:
        """Numbers below the frame, and what they are."""
        bottom = self.top + self.height
        for value in ticks(*self.across, 4 if size < 10 else TICKS):
            self.drawing.add(Line([(self.x(value), bottom), (self.x(value), bottom + 3)], "#111", 0.8))
            self.drawing.add(Text(self.x(value), bottom + 5 + size, f"{value:g}", "middle", size))
        if title:
            self.drawing.add(Text(self.left + self.width / 2, bottom + 30, title, "middle"))

    def curve(
        self, xs: Sequence[float], ys: Sequence[float], colour: str, width: float, dash: tuple[float, ...] = ()
    ) -> None:
        self.drawing.add(Line([(self.x(x), self.y(y)) for x, y in zip(xs, ys, strict=True)], colour, width, dash))

    def spread(self, x: float, low: float, high: float) -> None:
        """An upright interval with its caps."""
        self._interval([(self.x(x), self.y(low)), (self.x(x), self.y(high))], (3, 0))

    def spread_across(self, y: float, low: float, high: float) -> None:
        """A level one."""
        self._interval([(self.x(low), self.y(y)), (self.x(high), self.y(y))], (0, 3))

    def _interval(self, ends: list[tuple[float, float]], cap: tuple[float, float]) -> None:
        self.drawing.add(Line(ends, "#111", 1.2))
        for x, y in ends:
            self.drawing.add(Line([(x - cap[0], y - cap[1]), (x + cap[0], y + cap[1])], "#111", 1.2))

    def mark(self, x: float, y: float, kind: str, filled: bool = True) -> None:
        self.drawing.add(Mark(self.x(x), self.y(y), kind, filled))

    def level(self, value: float, dash: tuple[float, ...] = (2, 3), colour: str = GREY) -> None:
        """A line over the whole width."""
        self.drawing.add(Line([(self.left, self.y(value)), (self.left + self.width, self.y(value))], colour, 1.2, dash))


def legend(drawing: Drawing, x: float, y: float, entries: Sequence[tuple[str, str]]) -> None:
    """What the signs mean, one below the other. entries: sign and words.

    A sign is a mark's kind, with "-open" where it is white inside, or line, dash, dots or box."""
    for k, (sign, words) in enumerate(entries):
        middle = y + 14 * k
        dash = {"dash": (6.0, 4.0), "dots": (2.0, 3.0)}.get(sign, ())
        if sign in ("line", "dash", "dots"):
            drawing.add(Line([(x, middle), (x + 22, middle)], "#111", 1.4, dash))
        elif sign == "box":
            drawing.hatched(x + 2, middle - 5, 18, 10)
        else:
            drawing.add(Mark(x + 11, middle, sign.removesuffix("-open"), not sign.endswith("-open")))
        drawing.add(Text(x + 28, middle + 3, words))


def white(drawing: Drawing) -> None:
    """A ground to draw on, so that the picture reads where a page is dark."""
    drawing.add(Box(0, 0, drawing.width, drawing.height, "#ffffff"))
