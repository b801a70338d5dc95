"""The pictures of an audit. Dashes and marks tell groups apart, so that a copy in greys can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from riskscore.fairness.audit import FOUR_FIFTHS
from riskscore.model_card.drawing import GREY, Drawing, Text
from riskscore.model_card.plot import Plot, legend, white

if TYPE_CHECKING:
    from collections.abc import Mapping

    Found = Mapping[str, Any]

WIDTH = 680.0
LONGEST = 22  # characters of a group's name beside a picture
KINDS = ("square", "diamond", "triangle")
DASHES: tuple[tuple[float, ...], ...] = ((), (6, 4), (2, 3), (9, 3, 2, 3), (12, 4))
TOP = 2.0  # of ratios that are drawn; beyond, the line is cut


def _others(found: Found) -> list[str]:
    return [name for name in found["groups"] if name != found["reference"]]


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"


def ratios(found: Found) -> Drawing:
    """Each group's impact ratio with its interval, and the lines of four fifths and of equal rates."""
    shown = [(name, found["groups"][name]["ratio"]) for name in _others(found)]
    known = [(name, ratio) for name, ratio in shown if ratio]
    height = 70 + 26.0 * len(shown)
    drawing = Drawing(WIDTH, height)
    white(drawing)
    top = min(TOP, max([1.25, *(1.05 * ratio.high for _, ratio in known)]))
    plot = Plot(drawing, 170, 10, WIDTH - 200, height - 60, (0, top), (0, 1))
    for value, dash in ((FOUR_FIFTHS, (6.0, 4.0)), (1.0, (2.0, 3.0))):
        plot.curve([value, value], [0, 1], GREY, 1.2, dash)
    for k, (name, ratio) in enumerate(shown):
        y = 1 - (k + 0.5) / len(shown)
        drawing.add(Text(160, plot.y(y) + 4, _short(name), "end"))
        if ratio:
            plot.spread_across(y, min(ratio.low, top), min(ratio.high, top))
            plot.mark(min(ratio.value, top), y, "square")
    plot.frame()
    plot.values_across("impact ratio; dashed: four fifths, dotted: equal rates")
    return drawing


def over_cutoffs(found: Found) -> Drawing:
    """Each group's impact ratio by how many are approved."""
    names, rows = _others(found), found["cutoffs"]
    height = 300 + 14.0 * len(names)
    drawing = Drawing(WIDTH, height)
    white(drawing)
    values = [row["groups"][name]["ratio"].value for row in rows for name in names if row["groups"][name]["ratio"]]
    top = min(TOP, max([1.25, *(1.05 * value for value in values)]))
    plot = Plot(drawing, 60, 12, WIDTH - 90, 220, (0, 1), (0, top))
    plot.level(FOUR_FIFTHS, (6, 4))
    plot.level(1.0, (2, 3))
    entries = []
    for k, name in enumerate(names):
        kind, dash, filled = KINDS[k % 3], DASHES[k % 5], k // 15 % 2 == 0  # no two alike among 30
        found_ratios = [(row["approval_rate"], row["groups"][name]["ratio"]) for row in rows]
        points = [(x, min(ratio.value, top)) for x, ratio in found_ratios if ratio]
        if len(points) > 1:
            plot.curve([x for x, _ in points], [y for _, y in points], "#111", 1.3, dash)
        for x, y in points[k % 2 :: 2]:
            plot.mark(x, y, kind, filled)
        entries.append((kind if filled else f"{kind}-open", _short(name)))
    plot.frame()
    plot.values_up("impact ratio" + (", cut at 2" if max(values, default=0) > TOP else ""))
    plot.values_across("share of all rows that is approved; dashed: four fifths, dotted: equal rates")
    legend(drawing, 70, 288, entries)
    return drawing
