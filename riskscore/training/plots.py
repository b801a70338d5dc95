"""The pictures of a model card, as PNG bytes that are the same every time."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve, roc_curve

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

INK, FAINT, CHANCE = "#1f4e79", "#b8cbe0", "#999999"
MOST_BARS = 25


def curves(labels: NDArray[np.int8], out_of_fold: NDArray[np.float64]) -> bytes:
    """ROC and precision-recall curves, a faint line per repeat and a strong one of all."""
    figure = Figure(figsize=(9, 4), layout="constrained")
    roc, recall = figure.subplots(1, 2)
    everything: list[tuple[Any, Any, str, float]] = [(labels, repeat, FAINT, 0.8) for repeat in out_of_fold]
    everything.append((np.tile(labels, len(out_of_fold)), out_of_fold.ravel(), INK, 2.0))
    for truth, predicted, colour, width in everything:
        wrong, caught, _ = roc_curve(truth, predicted)
        roc.plot(wrong, caught, color=colour, linewidth=width)
        precision, share, _ = precision_recall_curve(truth, predicted)
        recall.plot(share[:-1], precision[:-1], color=colour, linewidth=width)
    roc.plot([0, 1], [0, 1], color=CHANCE, linestyle="--", linewidth=1)
    recall.axhline(float(labels.mean()), color=CHANCE, linestyle="--", linewidth=1)
    _label(roc, "ROC", "label 0 flagged (false positive rate)", "label 1 flagged (true positive rate)")
    _label(recall, "Precision and recall", "label 1 flagged (recall)", "of those flagged, label 1 (precision)")
    return _png(figure)


def calibration(bins: Sequence[Mapping[str, float]]) -> bytes:
    """Mean predicted probability against the observed rate."""
    figure = Figure(figsize=(4.5, 4), layout="constrained")
    axes = figure.subplots()
    predicted, observed = [row["mean"] for row in bins], [row["observed"] for row in bins]
    end = 1.05 * max(*predicted, *observed, 0.05)
    axes.plot([0, end], [0, end], color=CHANCE, linestyle="--", linewidth=1)
    axes.plot(predicted, observed, color=INK, marker="o", linewidth=1.5)
    _label(axes, "Calibration", "mean predicted probability", "observed rate", end)
    return _png(figure)


def drivers(strength: Mapping[str, float]) -> bytes:
    """Mean absolute contribution of each feature, the strongest on top; of many features the strongest alone."""
    ordered = sorted(strength.items(), key=lambda item: item[1])[-MOST_BARS:]
    figure = Figure(figsize=(7, 0.8 + 0.28 * len(ordered)), layout="constrained")
    axes = figure.subplots()
    axes.barh([name for name, _ in ordered], [value for _, value in ordered], color=INK)
    axes.set_xlabel("mean absolute contribution, log-odds")
    axes.spines[["top", "right"]].set_visible(False)
    return _png(figure)


def _label(axes: Axes, title: str, below: str, beside: str, end: float = 1.0) -> None:
    axes.set_title(title)
    axes.set_xlabel(below)
    axes.set_ylabel(beside)
    axes.set_xlim(0, end)
    axes.set_ylim(0, 1.01 * end)
    axes.spines[["top", "right"]].set_visible(False)


def _png(figure: Figure) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=100, metadata={"Software": None})  # the same bytes every time
    return stream.getvalue()
