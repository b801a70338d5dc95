"""`family = "auto"`: the simplest candidate within one standard error of the best, by nested cross-validation.

Each outer fold chooses by inner folds of its own rows alone, so that the figures of the whole procedure know nothing of
the rows that they are measured on. All candidates stand beside one another on the same outer folds. What is measured is
kept in a search's state file, so that a choice that was stopped goes on where it was.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from riskscore.errors import InvalidFile
from riskscore.model_toml.search_space import key_of
from riskscore.training.candidates import MOST, candidates
from riskscore.training.fitting import encoded, predictor
from riskscore.training.rolling import over_periods, periods_of
from riskscore.training.search import keeping, read_state, state_key
from riskscore.training.validation import METRICS, scores_of, splits, standard_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from riskscore.model_toml.settings import Settings
    from riskscore.training.candidates import Candidate
    from riskscore.training.training_data import TrainingData

    Floats = NDArray[np.float64]
    Split = tuple[Any, Any]  # rows to fit on, rows to predict
    Measured = list[list[float]]  # of a candidate, per outer fold: inner log losses, then the outer fold's metrics

INNER = 3  # folds
FEW = 2  # rows of the rarer label in an outer fold's own rows for each inner fold
METRIC = "log_loss"
DIGITS = 6
NOTE = (
    "each outer fold chose by inner folds of its own rows, and the cross-validated figures are of what each chose:"
    " nothing was chosen by the rows that it is measured on"
)


NOTE_OVER_TIME = (
    "each period chose by earlier rows alone, in periods of their own, and the figures over time are of what each"
    " chose; those of shuffled folds are of the candidate that all periods together chose"
)


class Fold(NamedTuple):
    """known: the rows that a fold may choose by. parts: (rows to fit on, rows to predict)."""

    known: Any
    parts: Sequence[tuple[Any, Any]]


@dataclass(frozen=True)
class Choice:
    """settings: of the chosen candidate. record: the manifest's `search`. predict: for the validation's folds in their

    order, from rows as features: what each fold chose without its own rows."""

    settings: Settings
    record: dict[str, Any]
    predict: Callable[[Any, Any, Any], Floats]


def choose(
    settings: Settings,
    data: TrainingData,
    state: Path | None = None,
    step: Callable[[], object] = lambda: None,
    clock: Callable[[], float] = time.monotonic,
) -> Choice:
    """The choice among the candidates. data: the rows as features. state: the file to go on from.

    step: called after each fold. A candidate that isn't measured in all folds after `settings.minutes` is left out, and
    so are those after it; the first one never is.
    """
    pool = candidates(settings, data)
    folds = outer_folds(settings, data)
    measured = _measure_all(settings, data, pool, folds, state, step, clock)
    share = float(np.mean([sum(len(unseen) for _, unseen in fold.parts) / len(fold.known) for fold in folds]))
    by_fold = [_chosen_within([found[k] for found in measured]) for k in range(len(folds))]
    chosen = simplest(_losses(measured), share)
    note = NOTE_OVER_TIME if settings.over_time else NOTE
    record = _record(pool, measured, share, by_fold, chosen) | {"minutes": settings.minutes, "note": note}
    turns = [place for place, fold in zip(by_fold, folds, strict=True) for _ in fold.parts]
    return Choice(pool[chosen].settings, record, _predict_in_turn(data, pool, iter(turns)))


def choice_steps(settings: Settings) -> int:
    """How often `choose` calls `step` at most."""
    return MOST * (settings.over_time.periods if settings.over_time else settings.folds * settings.repeats)


def outer_folds(settings: Settings, data: TrainingData) -> list[Fold]:
    """The folds that candidates are measured on: those of time, where model.toml orders the rows."""
    if settings.over_time:
        found = periods_of(data, settings.over_time, settings.folds, settings.seed)
        return [Fold(period.known, period.parts) for period in found]
    folds = splits(data, settings.folds, settings.repeats, settings.seed)
    return [Fold(seen, [(seen, unseen)]) for _, seen, unseen in folds]


def simplest(losses: Sequence[Sequence[float]], share: float) -> int:
    """The first candidate whose loss is within one standard error of the best one's, folds paired.

    losses: of each candidate in each fold. What makes a fold hard for all falls out of the difference.
    """
    table = np.array(losses)
    best = int(np.argmin(table.mean(axis=1)))
    for place, gaps in enumerate(table - table[best]):
        if gaps.mean() <= standard_error(gaps.tolist(), share):
            return place
    return best


def _chosen_within(measured: Measured) -> int:
    """What an outer fold chooses by its inner folds. measured: of each candidate in this outer fold."""
    inner = [values[: -len(METRICS)] for values in measured]
    return simplest(inner, 1 / (len(inner[0]) - 1)) if inner[0] else 0


def _losses(measured: Sequence[Measured]) -> list[list[float]]:
    """The log loss of each candidate in each outer fold."""
    place = list(METRICS).index(METRIC) - len(METRICS)
    return [[values[place] for values in found] for found in measured]


# Measuring


def _measure_all(
    settings: Settings,
    data: TrainingData,
    pool: Sequence[Candidate],
    folds: Sequence[Fold],
    state: Path | None,
    step: Callable[[], object],
    clock: Callable[[], float],
) -> list[Measured]:
    """Of each candidate that was measured in all folds before the time was over."""
    parameters = [(name, own.parameters) for name, own in pool]
    folding = [settings.folds, settings.repeats, INNER, settings.over_time]
    key = state_key(settings, data, pool=parameters, folds=folding)
    known, ends = read_state(state, key), clock() + 60 * settings.minutes
    found: list[Measured] = []
    with keeping(state, key, known) as keep:
        for candidate in pool:
            columns = encoded(candidate.settings, data)
            for place, fold in enumerate(folds):
                trial = {"candidate": candidate.name, "fold": place}
                if key_of(trial) not in known:
                    if found and clock() > ends:
                        return found
                    known[key_of(trial)] = _measure(candidate.settings, columns, fold)
                    keep(trial, known[key_of(trial)])
                step()
            found.append([known[key_of({"candidate": candidate.name, "fold": k})] for k in range(len(folds))])
    return found


def _measure(settings: Settings, columns: TrainingData, fold: Fold) -> list[float]:
    """The log loss in each inner fold of the rows known, then every metric of the rows unseen."""
    predict, inside = predictor(settings), columns.take(fold.known)
    return [
        *(_scores(inside, parts, predict)[METRIC] for parts in _inner(settings, inside)),
        *_scores(columns, fold.parts, predict).values(),
    ]


def _scores(data: TrainingData, parts: Sequence[Split], predict: Callable[[Any, Any, Any], Floats]) -> dict[str, float]:
    """Every metric of the rows to predict, of all parts together."""
    found = [predict(data.matrix[seen], data.labels[seen], data.matrix[unseen]) for seen, unseen in parts]
    return scores_of(np.concatenate([data.labels[unseen] for _, unseen in parts]), np.concatenate(found))


def _inner(settings: Settings, inside: TrainingData) -> list[Sequence[Split]]:
    """The inner folds; none where rows are so few that nothing could be told from them: then the simplest is chosen."""
    rarer = min(int(np.sum(inside.labels == label)) for label in (0, 1))
    if rarer < FEW * INNER:
        return []
    rule = settings.over_time and settings.over_time._replace(periods=INNER)
    try:
        return [fold.parts for fold in outer_folds(replace(settings, folds=INNER, repeats=1, over_time=rule), inside)]
    except InvalidFile:  # all rows of one id or day stay together, and so a fold would hold one label alone
        return []


def _predict_in_turn(data: TrainingData, pool: Sequence[Candidate], by_fold: Iterator[int]) -> Callable[..., Floats]:
    """predict(features, labels, unseen features) by the candidate whose turn it is."""

    def predict(matrix: Floats, labels: NDArray[np.int8], unseen: Floats) -> Floats:
        own = pool[next(by_fold)].settings
        seen, others = (encoded(own, replace(data, matrix=rows)).matrix for rows in (matrix, unseen))
        return predictor(own)(seen, labels, others)

    return predict


# What it came to


def _record(
    pool: Sequence[Candidate], measured: Sequence[Measured], share: float, by_fold: Sequence[int], chosen: int
) -> dict[str, Any]:
    """The manifest's `search`: every candidate on the same folds, how often it was chosen, and what was left out."""
    losses = _losses(measured)
    best = int(np.argmin(np.mean(losses, axis=1)))
    table = [
        {
            "name": candidate.name,
            "family": candidate.settings.family,
            "parameters": candidate.settings.parameters,
            "metrics": _metrics(found, share),
            "behind": _behind(losses[place], losses[best], share),
            "chosen_in_folds": by_fold.count(place),
        }
        for place, (candidate, found) in enumerate(zip(pool, measured, strict=False))
    ]
    return {
        "method": "auto",
        "metric": METRIC,
        "folds": INNER,
        "chosen": pool[chosen].name,
        "best": pool[chosen].settings.parameters,
        "lowest": pool[best].name,
        "candidates": table,
        "left_out": [candidate.name for candidate in pool[len(measured) :]],
    }


def _metrics(found: Measured, share: float) -> dict[str, dict[str, float | None]]:
    """The outer folds' metrics with their intervals."""
    intervals = over_periods([dict(zip(METRICS, values[-len(METRICS) :], strict=True)) for values in found], share)
    return {
        name: {key: None if value is None else round(value, DIGITS) for key, value in one.items()}
        for name, one in intervals.items()
    }


def _behind(own: Sequence[float], best: Sequence[float], share: float) -> dict[str, float]:
    """The log loss above the best one's, and the standard error of that difference."""
    gaps = [a - b for a, b in zip(own, best, strict=True)]
    return {"mean": round(float(np.mean(gaps)), DIGITS), "error": round(standard_error(gaps, share), DIGITS)}
