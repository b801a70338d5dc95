"""The pictures of a card. Hatches, markers and line styles tell things apart, so that a copy in greys can be read."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes

INK, SOFT, GREY = "#1f3b57", "#c9d6e3", "#767676"
STYLE: Any = {
    "svg.hashsalt": "riskscore",  # the same bytes every time
    "svg.fonttype": "none",
    "font.size": 9,
    "text.parse_math": False,  # a dollar in a name is one
    "hatch.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
}
COLUMNS = 3  # of small pictures side by side
ARROWS = {1: " (never falls)", -1: " (never rises)", 0: ""}


def svg(figure: Figure) -> bytes:
    """The picture as SVG, the same bytes every time."""
    stream = io.BytesIO()
    with mpl.rc_context(STYLE):
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return stream.getvalue()


def png(figure: Figure, dpi: int = 130) -> bytes:
    """The picture as PNG, the same bytes every time."""
    stream = io.BytesIO()
    with mpl.rc_context(STYLE):
        figure.savefig(stream, format="png", dpi=dpi, metadata={"Software": None})
    return stream.getvalue()


def _axes(width: float = 7, height: float = 3.2) -> tuple[Figure, Axes]:
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        return figure, figure.subplots()


def bands(rows: Sequence[Mapping[str, Any]], names: Sequence[str], by: str) -> Figure:
    """The bad rate of each band with its interval, and the mean score there."""
    figure, axes = _axes()
    places, rates = np.arange(len(rows)), [row["rate"] for row in rows]
    low = [row["rate"] - row["low"] for row in rows]
    high = [row["high"] - row["rate"] for row in rows]
    axes.bar(places, rates, color=SOFT, edgecolor=INK, hatch="//", label="observed rate, 95 % interval")
    axes.errorbar(places, rates, [low, high], fmt="none", ecolor=INK, capsize=3)
    axes.plot(places, [row["mean"] for row in rows], "D", color="black", markersize=5, label="mean score")
    axes.set_xticks(places, names, rotation=30 if len(rows) > 6 else 0, ha="right" if len(rows) > 6 else "center")
    axes.set_xlabel(by)
    axes.set_ylabel("rate of label 1")
    axes.legend(frameon=False)
    return figure


def gains(deciles: Sequence[Mapping[str, Any]]) -> Figure:
    """The share of label 1 that the riskiest rows hold."""
    figure, axes = _axes(5, 3.4)
    rows = np.cumsum([0, *(row["rows"] for row in deciles)])
    axes.plot(rows / rows[-1], [0, *(row["captured"] for row in deciles)], "o-", color=INK, label="by the score")
    axes.plot([0, 1], [0, 1], "--", color=GREY, label="by chance")
    axes.set_xlabel("rows, the riskiest first")
    axes.set_ylabel("share of all of label 1")
    axes.legend(frameon=False)
    return figure


def cutoffs(curve: Sequence[Mapping[str, Any]], marks: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Profit and bad rate by approval rate; marks: figures of named cut-offs."""
    figure, axes = _axes()
    share = [row["approval_rate"] for row in curve]
    axes.plot(share, [row["profit"] for row in curve], "-", color=INK, label="profit of 100 rows")
    for marker, (name, row) in zip("^so", marks.items(), strict=False):
        axes.plot(
            row["approval_rate"], row["profit"], marker, color="black", markersize=8, fillstyle="none", label=name
        )
    axes.axhline(0, color=GREY, linewidth=0.8)
    axes.set_xlabel("approval rate")
    axes.set_ylabel("profit (1 = what a good row earns)")
    with mpl.rc_context(STYLE):
        other = axes.twinx()
    other.plot(
        share,
        [row["bad_rate"] if row["bad_rate"] is not None else np.nan for row in curve],
        "--",
        color=GREY,
        label="bad rate among approved",
    )
    other.set_ylabel("bad rate among approved")
    other.spines["right"].set_visible(True)
    lines = [*axes.get_lines(), *other.get_lines()]
    named = [line for line in lines if not str(line.get_label()).startswith("_")]
    axes.legend(named, [str(line.get_label()) for line in named], frameon=False, fontsize=8)
    return figure


def periods(rows: Sequence[Mapping[str, Any]], shuffled: Mapping[str, float]) -> Figure:
    """The AUC of each period with its interval, beside that of shuffled folds."""
    figure, axes = _axes()
    places = np.arange(len(rows))
    known = [(k, row["auc"]) for k, row in enumerate(rows) if row["auc"]]
    axes.axhspan(
        shuffled["low"],
        shuffled["high"],
        facecolor="none",
        edgecolor=GREY,
        hatch="..",
        linewidth=0.5,
        label="shuffled folds, 95 % interval",
    )
    axes.errorbar(
        [k for k, _ in known],
        [auc["mean"] for _, auc in known],
        [[auc["mean"] - auc["low"] for _, auc in known], [auc["high"] - auc["mean"] for _, auc in known]],
        fmt="o",
        color=INK,
        capsize=4,
        label="period, 95 % interval",
    )
    axes.axhline(0.5, color="black", linestyle="--", linewidth=0.8, label="chance")
    axes.set_xticks(places, [f"{row['begin']}\nto {row['end']}" for row in rows])
    axes.set_ylabel("AUC")
    axes.legend(frameon=False, fontsize=8)
    return figure


def strengths(values: Mapping[str, float], below: str) -> Figure:
    """Bars of named values, the largest on top."""
    ordered = sorted(values.items(), key=lambda item: item[1])
    figure, axes = _axes(7, 0.9 + 0.24 * len(ordered))
    axes.barh([name for name, _ in ordered], [value for _, value in ordered], color=SOFT, edgecolor=INK, hatch="//")
    axes.set_xlabel(below)
    axes.margins(y=0.01)
    return figure


def dependences(features: Sequence[Mapping[str, Any]]) -> Figure:
    """Small pictures: the mean answer by the value of a feature; a dotted line where it is missing."""
    lines = -(-len(features) // COLUMNS)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.4, 1.9 * lines), layout="constrained")
        grid = figure.subplots(lines, COLUMNS, squeeze=False, sharey=True)
    for axes, feature in zip(grid.ravel(), features, strict=False):
        values, mean = feature["values"], feature["mean"]
        axes.set_title(f"{short(feature['feature'], 24)}{ARROWS[feature['constrained']]}", fontsize=8)
        axes.tick_params(labelsize=7)
        if feature["words"]:
            axes.bar(range(len(mean)), mean, color=SOFT, edgecolor=INK, hatch="//")
            axes.set_xticks(
                range(len(mean)), [short(word, 10) for word in feature["words"]], rotation=45, ha="right", fontsize=6
            )
        else:
            axes.plot(values, mean, "o-", color=INK, markersize=3, linewidth=2.0 if feature["constrained"] else 1.0)
        if feature["missing"] is not None:
            axes.axhline(feature["missing"], color=GREY, linestyle=":", linewidth=1.5)
    for axes in grid.ravel()[len(features) :]:
        axes.set_visible(False)
    return figure


def segments(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """The rate of each segment with its interval, and its mean score."""
    figure, axes = _axes(7, 0.9 + 0.3 * len(rows))
    places = np.arange(len(rows))[::-1]
    rates = [row["rate"] for row in rows]
    span = [[row["rate"] - row["low"] for row in rows], [row["high"] - row["rate"] for row in rows]]
    axes.errorbar(rates, places, xerr=span, fmt="o", color=INK, capsize=3, label="observed rate, 95 % interval")
    axes.plot([row["mean"] for row in rows], places, "D", color="black", fillstyle="none", label="mean score")
    axes.set_yticks(places, [short(row["segment"], 30) for row in rows])
    axes.set_xlabel("rate of label 1")
    axes.set_xlim(left=0)
    axes.legend(frameon=False, fontsize=8)
    return figure


def short(text: str, most: int) -> str:
    """The text, cut where it is longer."""
    return text if len(text) <= most else f"{text[: most - 3]}..."
