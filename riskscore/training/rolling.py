"""How good a model is on later rows: rolling origin, each period predicted by a model of earlier rows alone.

A shuffled fold is predicted by a model that has seen the same weeks, and so knows nothing of how times change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from riskscore.cli import counted
from riskscore.errors import InvalidFile
from riskscore.model_card.discrimination import auc_interval, rate_of
from riskscore.training.validation import CHANCE, LARGEST, customers_repeat, interval, scores_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from riskscore.model_toml.over_time import OverTime
    from riskscore.model_toml.settings import Settings
    from riskscore.training.training_data import TrainingData

    Floats = NDArray[np.float64]
    Days = NDArray[np.datetime64]


class Period(NamedTuple):
    """begin, end: first and last day. known: the rows whose outcome was known when it began. parts: (rows to fit on,

    rows to predict); several where one customer has rows on both sides, so that no model has seen who it predicts."""

    begin: np.datetime64
    end: np.datetime64
    known: Any
    parts: list[tuple[Any, Any]]


def periods_of(data: TrainingData, rule: OverTime, groups: int, seed: int) -> list[Period]:
    """The periods that a model is tested on, in their order. groups: how many parts one is cut into by customers.

    Raises InvalidFile where there are fewer than asked for, or where no model could be fitted before one.
    """
    days = data.days
    if days is None:
        raise ValueError("the rows have no days")
    begins = _begins(data.origin, days, rule)
    found = []
    for begin, until in zip(begins, [*begins[1:], days.max() + 1], strict=True):
        unseen = np.flatnonzero((days >= begin) & (days < until))
        known = np.flatnonzero((days < begin) & (days + rule.matures_days <= begin))
        if len(np.unique(data.labels[known])) < 2:
            raise InvalidFile(
                f"{data.origin}: the rows whose outcome was known before {begin} don't have both labels, so no model"
                f" can be fitted there; ask for fewer validation.periods than {rule.periods}"
            )
        found.append(Period(begin, days[unseen].max(), known, _parts(data, known, unseen, groups, seed)))
    if not any(len(np.unique(data.labels[np.concatenate([rows for _, rows in p.parts])])) == 2 for p in found):
        raise InvalidFile(
            f"{data.origin}: no period of {rule.column} has rows of both labels, so nothing can be measured"
        )
    return found


def _begins(origin: str, days: Days, rule: OverTime) -> list[Any]:
    """The first day of each period: about as many rows in each as before the first."""
    distinct, counts = np.unique(days, return_counts=True)
    if len(distinct) < 2:
        raise InvalidFile(f"{origin}: {rule.column} is the same day in all rows, so they have no order in time")
    before = np.concatenate([[0], np.cumsum(counts)])  # rows before each day
    first = max(int(np.searchsorted(distinct, distinct[0] + rule.matures_days)), 1)
    if len(distinct) - first < rule.periods:
        apart = f" {counted(rule.matures_days, 'day')} or more" if rule.matures_days else ""
        raise InvalidFile(
            f"{origin}: {rule.column} has {counted(max(len(distinct) - first, 0), 'day')}{apart} after its first,"
            f" fewer than the {counted(rule.periods, 'period')} that validation.periods asks for"
        )
    places = [_nearest(before, before[-1] / (rule.periods + 1), first, len(distinct) - rule.periods)]
    rows = (before[-1] - before[places[0]]) / rule.periods
    for k in range(1, rule.periods):
        wanted = before[places[0]] + k * rows
        places.append(_nearest(before, wanted, places[-1] + 1, len(distinct) - rule.periods + k))
    return [distinct[place] for place in places]


def _nearest(before: NDArray[np.int64], wanted: float, low: int, high: int) -> int:
    """The place from low to high where the rows before come nearest to those wanted."""
    return low + int(np.argmin(np.abs(before[low : high + 1] - wanted)))


def _parts(data: TrainingData, known: Any, unseen: Any, groups: int, seed: int) -> list[tuple[Any, Any]]:
    if not customers_repeat(data):
        return [(known, unseen)]
    customers = np.array(data.customers)
    tested = np.unique(customers[unseen])
    if not np.isin(tested, customers[known]).any():
        return [(known, unseen)]
    shuffled = np.random.default_rng(seed).permutation(tested)
    parts = [part for part in np.array_split(shuffled, groups) if len(part)]
    found = [(known[~np.isin(customers[known], part)], unseen[np.isin(customers[unseen], part)]) for part in parts]
    if any(len(np.unique(data.labels[seen])) < 2 for seen, _ in found):
        raise InvalidFile(
            f"{data.origin}: without the {data.group}s that are tested, the earlier rows don't have both labels; ask"
            " for fewer validation.periods, or for another validation.group"
        )
    return found


def validate_over_time(
    settings: Settings,
    data: TrainingData,
    predict: Callable[[Any, Any, Any], Floats],
    step: Callable[[], object] = lambda: None,
) -> dict[str, Any]:
    """The manifest's metrics.over_time. predict: as `cross_validate` takes it; step: called after each period."""
    rule = settings.over_time
    if rule is None or data.days is None:
        return {}
    found, scores, shares = [], [], []
    for period in periods_of(data, rule, settings.folds, settings.seed):
        labels, predicted = predicted_of(data, period, predict)
        scores.append(scores_of(labels, predicted))
        shares.append(len(labels) / len(period.known))
        found.append(_entry(data.days, period, labels, predicted, scores[-1]))
        step()
    return {
        "method": _method(data, rule),
        "metrics": over_periods(scores, float(np.mean(shares))),
        "periods": found,
    }


def predicted_of(
    data: TrainingData, period: Period, predict: Callable[[Any, Any, Any], Floats]
) -> tuple[NDArray[np.int8], Floats]:
    """Labels and predictions of a period's rows, part by part."""
    parts = [
        (data.labels[unseen], predict(data.matrix[seen], data.labels[seen], data.matrix[unseen]))
        for seen, unseen in period.parts
    ]
    return np.concatenate([labels for labels, _ in parts]), np.concatenate([predicted for _, predicted in parts])


def over_periods(scores: list[dict[str, float]], share: float) -> dict[str, dict[str, float | None]]:
    """The mean of each metric over the periods that have it, with its interval; without one where one period has it."""
    found: dict[str, dict[str, float | None]] = {}
    for name in scores[0]:
        values = [one[name] for one in scores if not np.isnan(one[name])]
        alone = {"mean": values[0], "low": None, "high": None}
        found[name] = {**interval(values, share, LARGEST.get(name, np.inf))} if len(values) > 1 else alone
    return found


def _entry(days: Days, period: Period, labels: Any, predicted: Floats, scores: dict[str, float]) -> dict[str, Any]:
    both = len(np.unique(labels)) == 2
    return {
        "begin": str(period.begin),
        "end": str(period.end),
        "trained": len(period.known),
        "trained_until": str(days[period.known].max()),
        **rate_of(int(labels.sum()), len(labels)),
        "mean": float(predicted.mean()),
        "auc": auc_interval(labels, predicted) if both else None,
        "brier": scores["brier"],
        "log_loss": scores["log_loss"],
    }


def _method(data: TrainingData, rule: OverTime) -> str:
    known = (
        f" whose outcome was known when the period began, {rule.matures_days} days after" if rule.matures_days else ""
    )
    others = f", and of other {data.group}s" if customers_repeat(data) else ""
    return (
        f"rolling origin over {rule.column}: {counted(rule.periods, 'period')}, each predicted by a model of earlier"
        f" rows alone{known}{others}; 95 % intervals by the corrected resampled t (Nadeau-Bengio)"
    )


def disagreements(metrics: Mapping[str, Any]) -> list[str]:
    """The metrics whose intervals on shuffled folds and over time don't meet. metrics: the manifest's."""
    timed = metrics.get("over_time", {}).get("metrics", {})
    return [name for name, shuffled in metrics["cross_validated"].items() if timed and not _meet(shuffled, timed[name])]


def _meet(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return other["low"] is None or (one["low"] <= other["high"] and other["low"] <= one["high"])


def warnings_over_time(metrics: Mapping[str, Any], words: Mapping[str, str]) -> list[str]:
    """What over time speaks against the model, in sentences without their full stop. words: of the metrics."""
    timed = metrics.get("over_time", {}).get("metrics", {})
    said = [
        f"{words[name]} is {_figure(metrics['cross_validated'][name])} on shuffled folds and {_figure(timed[name])}"
        " over time: they disagree beyond their intervals, and what to expect of later rows is the latter"
        for name in disagreements(metrics)
    ]
    auc = timed.get("auc")
    if auc and auc["low"] is not None and auc["low"] <= CHANCE:
        said.append(f"over time AUC is {_figure(auc)}: it isn't shown to be any better than chance on later rows")
    return said


def _figure(found: Mapping[str, Any]) -> str:
    return f"{found['mean']:.3f} ({found['low']:.3f} to {found['high']:.3f})"
