"""The pictures of a card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from riskscore.model_card.drawing import GREY, INK, Drawing, Text
from riskscore.model_card.plot import Plot, legend, white

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Row = Mapping[str, Any]

WIDTH = 680.0
COLUMNS = 3  # of small pictures side by side
ARROWS = {1: "never falls", -1: "never rises"}


def bands(rows: Sequence[Row], names: Sequence[str], by: str) -> Drawing:
    """The bad rate of each band with its interval, and the mean score there."""
    drawing = _blank(280)
    top = 1.05 * max(max(row["high"], row["mean"]) for row in rows)
    plot = Plot(drawing, 60, 24, WIDTH - 80, 180, (-0.6, len(rows) - 0.4), (0, top))
    for k, (row, name) in enumerate(zip(rows, names, strict=True)):
        left, right = plot.x(k - 0.35), plot.x(k + 0.35)
        drawing.hatched(left, plot.y(row["rate"]), right - left, plot.y(0) - plot.y(row["rate"]))
        plot.spread(k - 0.12, row["low"], row["high"])
        plot.mark(k + 0.12, row["mean"], "diamond")
        drawing.add(Text(plot.x(k) + 4, 218, name.replace(" to below ", " - "), "end", 9.5, 25))
    plot.frame()
    plot.values_up("rate of label 1")
    drawing.add(Text(WIDTH / 2, 274, by, "middle"))
    legend(
        drawing,
        WIDTH - 250 if rows[0]["mean"] > rows[-1]["mean"] else 80,
        16,
        [("box", "observed rate, 95 % interval"), ("diamond", "mean score")],
    )
    return drawing


def gains(deciles: Sequence[Row]) -> Drawing:
    """The share of label 1 that the riskiest rows hold."""
    drawing = _blank(290)
    plot = Plot(drawing, 60, 14, 380, 230, (0, 1), (0, 1))
    shares, seen, rows = [0.0], 0, sum(row["rows"] for row in deciles)
    for row in deciles:
        seen += row["rows"]
        shares.append(seen / rows)
    captured = [0.0, *(row["captured"] for row in deciles)]
    plot.curve([0, 1], [0, 1], GREY, 1.2, (6, 4))
    plot.curve(shares, captured, INK, 1.8)
    for share, value in zip(shares, captured, strict=True):
        plot.mark(share, value, "dot")
    plot.frame()
    plot.values_up("share of all of label 1")
    plot.values_across("rows, the highest scores first")
    legend(drawing, 470, 120, [("line", "by the score"), ("dash", "by chance")])
    return drawing


def cutoffs(curve: Sequence[Row], marks: Mapping[str, Row]) -> Drawing:
    """Profit and bad rate by approval rate; marks: figures of named cut-offs."""
    drawing = _blank(330)
    share, profit = [row["approval_rate"] for row in curve], [row["profit"] for row in curve]
    span = (max(profit) - min(profit)) or 1.0
    plot = Plot(drawing, 60, 14, WIDTH - 130, 210, (0, 1), (min(profit) - 0.03 * span, max(profit) + 0.06 * span))
    rates = [(row["approval_rate"], row["bad_rate"]) for row in curve if row["bad_rate"] is not None]
    other = Plot(
        drawing,
        *(plot.left, plot.top, plot.width, plot.height),
        (0, 1),
        (0, 1.05 * max(rate for _, rate in rates) or 1.0),
    )
    other.curve([share for share, _ in rates], [rate for _, rate in rates], GREY, 1.4, (6, 4))
    other.values_up("bad rate among approved", right=True)
    if min(profit) < 0 < max(profit):
        plot.level(0, (1, 2))
    plot.curve(share, profit, INK, 1.8)
    signs = ["triangle-open", "square-open", "diamond-open"]
    for sign, row in zip(signs, marks.values(), strict=False):
        plot.mark(row["approval_rate"], row["profit"], sign.removesuffix("-open"), False)
    plot.frame()
    plot.values_up("profit of 100 rows")
    plot.values_across("approval rate")
    legend(
        drawing,
        60,
        272,
        [("line", "profit of 100 rows, in what a good row earns"), ("dash", "bad rate among the approved")],
    )
    legend(drawing, 400, 272, [(sign, f"cut-off: {name}") for sign, name in zip(signs, marks, strict=False)])
    return drawing


def periods(rows: Sequence[Row], shuffled: Row) -> Drawing:
    """The AUC of each period with its interval, beside that of shuffled folds."""
    drawing = _blank(290)
    known = [(k, row["auc"]) for k, row in enumerate(rows) if row["auc"]]
    low = min([0.5, shuffled["low"], *(auc["low"] for _, auc in known)])
    plot = Plot(drawing, 60, 14, WIDTH - 80, 180, (-0.6, len(rows) - 0.4), (low - 0.02, 1.0))
    plot.level(0.5, (1, 2), "#111")
    for edge in ("low", "high"):
        plot.level(shuffled[edge], (6, 4))
    for k, auc in known:
        plot.spread(k, auc["low"], auc["high"])
        plot.mark(k, auc["mean"], "square")
    for k, row in enumerate(rows):
        drawing.add(
            Text(plot.x(k), 210, row["begin"], "middle", 9), Text(plot.x(k), 221, f"to {row['end']}", "middle", 9)
        )
    plot.frame()
    plot.values_up("AUC")
    legend(
        drawing,
        60,
        240,
        [("square", "period, 95 % interval"), ("dash", "shuffled folds, 95 % interval"), ("dots", "chance")],
    )
    return drawing


def strengths(values: Mapping[str, float], below: str) -> Drawing:
    """Bars of named values, the largest on top."""
    ordered = sorted(values.items(), key=lambda item: -item[1])
    drawing = _blank(18 * len(ordered) + 48)
    plot = Plot(drawing, 230, 6, WIDTH - 260, 18.0 * len(ordered), (0, max([*values.values()]) or 1.0), (0, 1))
    for k, (name, value) in enumerate(ordered):
        top = plot.top + 18 * k + 2
        if value > 0:
            drawing.hatched(plot.left, top, plot.x(value) - plot.left, 14)
        drawing.add(Text(plot.left - 5, top + 10, short(name, 38), "end"))
    plot.frame()
    plot.values_across(below)
    return drawing


def dependences(features: Sequence[Row]) -> Drawing:
    """Small pictures: the mean answer by the value of a feature; a dotted line where it is missing."""
    lines = -(-len(features) // COLUMNS)
    drawing = _blank(150 * lines)
    top = max(max([*feature["mean"], feature["missing"] or 0]) for feature in features) * 1.05 or 1.0
    for k, feature in enumerate(features):
        left, line = 36 + (k % COLUMNS) * (WIDTH / COLUMNS), k // COLUMNS
        values = feature["values"]
        across = (-0.6, len(values) - 0.4) if feature["words"] else (min(values), max(values))
        plot = Plot(drawing, left, 150 * line + 22, WIDTH / COLUMNS - 52, 80, across, (0, top))
        _dependence(plot, feature)
    return drawing


def _dependence(plot: Plot, feature: Row) -> None:
    drawing, mean, arrow = plot.drawing, feature["mean"], ARROWS.get(feature["constrained"], "")
    name = short(feature["feature"], 20 if arrow else 32)
    drawing.add(Text(plot.left, plot.top - 8, f"{name} ({arrow})" if arrow else name, size=9.5))
    if feature["words"]:
        for k, (word, value) in enumerate(zip(feature["words"], mean, strict=True)):
            drawing.hatched(
                plot.x(k - 0.35), plot.y(value), plot.x(k + 0.35) - plot.x(k - 0.35), plot.y(0) - plot.y(value)
            )
            drawing.add(Text(plot.x(k) + 3, plot.top + plot.height + 10, short(word, 10), "end", 8, 40))
    else:
        plot.curve(feature["values"], mean, INK, 2.4 if arrow else 1.2)
        for x, value in zip(feature["values"], mean, strict=True):
            plot.mark(x, value, "dot")
        plot.values_across(size=9.5)
    if feature["missing"] is not None:
        plot.level(feature["missing"])
    plot.frame()
    plot.values_up(size=9.5)


def segments(rows: Sequence[Row]) -> Drawing:
    """The rate of each segment with its interval, and its mean score."""
    drawing = _blank(20 * len(rows) + 80)
    top = 1.05 * max(max(row["high"], row["mean"]) for row in rows)
    plot = Plot(drawing, 210, 6, WIDTH - 240, 20.0 * len(rows), (0, top), (len(rows) - 0.5, -0.5))
    for k, row in enumerate(rows):
        plot.spread_across(k, row["low"], row["high"])
        plot.mark(row["rate"], k, "dot")
        plot.mark(row["mean"], k, "diamond", False)
        drawing.add(Text(plot.left - 6, plot.y(k) + 3, short(row["segment"], 34), "end"))
    plot.frame()
    plot.values_across("rate of label 1")
    y = drawing.height - 28
    legend(drawing, 60, y, [("dot", "observed, 95 % interval"), ("diamond-open", "mean score")])
    return drawing


def short(text: str, most: int) -> str:
    """The text, cut where it is longer."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _blank(height: float) -> Drawing:
    drawing = Drawing(WIDTH, height)
    white(drawing)
    return drawing
