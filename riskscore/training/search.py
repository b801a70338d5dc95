"""The search for an estimator's parameters: every trial cross-validated on folds of its own, the best one kept.

A search that is killed goes on where it was: a state file holds each finished trial, a line of JSON each, below a key
over all that could change a figure. Another key, and the search starts afresh.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from riskscore.artefact.artefact import installed_versions
from riskscore.atomic import replacing_file
from riskscore.errors import InvalidFile
from riskscore.model_toml.search_space import BETTER, key_of, trials_of
from riskscore.scoring.estimators import family_of
from riskscore.training.validation import METRICS, splits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from riskscore.model_toml.settings import Settings
    from riskscore.training.training_data import TrainingData

    Table = dict[str, Any]
    Predict = Callable[[Any, Any, Any], NDArray[np.float64]]
    Values = dict[str, list[float]]  # a trial's key -> the metric in each fold

FORMAT = 1  # of the state file
ELSEWHERE = 1_000_000  # from the seed of the validation's folds to that of the search's: no repeat comes near
FEW = 10  # rows of each label that every trial is fitted to beforehand, for the estimator to refuse what it can't take
SHOWN = 20  # trials in the record
DIGITS = 6  # figures that agree so far are a tie


@dataclass(frozen=True)
class SearchResult:
    """parameters: all that the estimator is built with. record: the manifest's `search`, {} without one."""

    parameters: Table
    record: Table


def search(
    settings: Settings,
    data: TrainingData,
    predictor: Callable[[Settings], Predict],
    state: Path | None = None,
    step: Callable[[], object] = lambda: None,
) -> SearchResult:
    """The best of the trials that [search] asks for, over [estimator.parameters]; of equals the earlier one.

    predictor: settings -> predict(matrix, labels, unseen) -> probabilities. state: the file to go on from, None for
    none. step: called after each fold, and for each fold of a trial that the state file holds.
    """
    if not settings.search:
        return SearchResult(settings.parameters, {})
    trials = trials_of(settings.search, settings.seed)
    _refuse_names(settings, trials[0])
    key = state_key(settings, data)
    known = read_state(state, key)
    _refuse_values(settings, data, predictor, [trial for trial in trials if key_of(trial) not in known])
    with keeping(state, key, known) as keep:
        for trial in trials:
            if key_of(trial) in known:
                for _ in known[key_of(trial)]:
                    step()
            else:
                known[key_of(trial)] = _try(_with(settings, trial), data, predictor, step)
                keep(trial, known[key_of(trial)])
    return _found(settings, trials, [known[key_of(trial)] for trial in trials])


def search_steps(settings: Settings) -> int:
    """How often a search calls `step`."""
    return len(trials_of(settings.search, settings.seed)) * int(settings.search["folds"]) if settings.search else 0


def _with(settings: Settings, trial: Table) -> Settings:
    return replace(settings, parameters={**settings.parameters, **trial})


def _try(
    settings: Settings, data: TrainingData, predictor: Callable[[Settings], Predict], step: Callable[[], object]
) -> list[float]:
    """The metric of one trial in each fold."""
    metric, predict, values = METRICS[settings.search["metric"]], predictor(settings), []
    for _, seen, unseen in splits(data, settings.search["folds"], 1, _fold_seed(settings)):
        predicted = predict(data.matrix[seen], data.labels[seen], data.matrix[unseen])
        values.append(float(metric(data.labels[unseen], predicted)))
        step()
    return values


def _fold_seed(settings: Settings) -> int:
    return (settings.seed + ELSEWHERE) % 2**32


def _refuse_names(settings: Settings, trial: Table) -> None:
    """What the family says of a parameter's name, said of [search.parameters]."""
    family_of(settings).build(settings)
    try:
        family_of(settings).build(replace(settings, parameters=trial))
    except InvalidFile as error:
        raise InvalidFile(error.message.replace("estimator.parameters", "search.parameters"), error.field) from None


def _refuse_values(
    settings: Settings, data: TrainingData, predictor: Callable[[Settings], Predict], trials: list[Table]
) -> None:
    """Fit every trial to a few rows, so that a search doesn't fail after hours for a value that no estimator takes."""
    few = np.concatenate([np.flatnonzero(data.labels == label)[:FEW] for label in (0, 1)])
    for trial in trials:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # so few rows are no fair trial of convergence
                predictor(_with(settings, trial))(data.matrix[few], data.labels[few], data.matrix[few])
        except InvalidFile as error:
            raise InvalidFile(f"{error.message} (search.parameters: {_words(trial)})", error.field) from None


def _words(trial: Table) -> str:
    return ", ".join(f"{name} = {json.dumps(value)}" for name, value in trial.items())


# What a search came to


def _found(settings: Settings, trials: list[Table], values: list[list[float]]) -> SearchResult:
    """The best trial, and a record of the best few with the metric's mean and standard deviation over the folds."""
    table = settings.search
    means = [round(float(np.mean(folds)), DIGITS) for folds in values]
    order = sorted(range(len(trials)), key=lambda k: (-BETTER[table["metric"]] * means[k], k))
    best = trials[order[0]]
    tried = [
        {"parameters": trials[k], "mean": means[k], "spread": round(float(np.std(values[k], ddof=1)), DIGITS)}
        for k in order[:SHOWN]
    ]
    record = {
        "method": table["method"],
        "metric": table["metric"],
        "folds": table["folds"],
        "fold_seed": _fold_seed(settings),
        "searched": table["parameters"],
        "trials": len(trials),
        "best": best,
        "table": tried,
        "note": _note(len(trials)),
    }
    return SearchResult({**settings.parameters, **best}, record)


def _note(trials: int) -> str:
    return (
        f"the best of {trials} trials is partly the luckiest, so the search's own figures are optimistic; the"
        " cross-validated ones come from other folds, but of the same rows, so a little of that luck is left in them"
    )


# The state file


def state_key(settings: Settings, data: TrainingData, **more: Any) -> str:
    """A hash over all that could change a trial or its figures. more: what does so beside settings and rows."""
    packages = ("numpy", "scipy", "scikit-learn", "xgboost")
    features = [feature.to_dict() for feature in settings.contract.features]
    matters = {
        "format": FORMAT,
        "search": settings.search,
        "family": settings.family,
        "parameters": settings.parameters,
        "directions": settings.directions,
        "features": [{name: value for name, value in entry.items() if name != "description"} for entry in features],
        "seed": settings.seed,
        "data": data.sha256,
        "customers": data.customers,
        "versions": installed_versions(dict.fromkeys(packages)),
        **more,
    }
    return hashlib.sha256(json.dumps(matters, sort_keys=True, default=str).encode()).hexdigest()


def read_state(state: Path | None, key: str) -> Values:
    """The trials of a state file that has this key, up to the first line that isn't whole."""
    known: Values = {}
    lines = state.read_bytes().splitlines(keepends=True) if state and state.is_file() else []
    if not lines or lines[0] != _line({"key": key}):
        return known
    for line in lines[1:]:
        try:
            trial = json.loads(line)
            known[key_of(trial["parameters"])] = [float(value) for value in trial["values"]]
        except (ValueError, TypeError, KeyError):
            break
    return known


def _line(entry: Table) -> bytes:
    return (json.dumps(entry) + "\n").encode()


@contextmanager
def keeping(state: Path | None, key: str, known: Values) -> Iterator[Callable[[Table, list[float]], object]]:
    """keep(trial, values): one line in one write. The file is a fresh one, and stays open: another search, which still
    has the former one open, can't write its trials below this key."""
    if state is None:
        yield lambda _trial, _values: None
        return
    with replacing_file(state) as file:
        file.write(_line({"key": key}).decode())
        for trial, values in known.items():
            file.write(_line({"parameters": json.loads(trial), "values": values}).decode())
    with state.open("ab", buffering=0) as lines:
        yield lambda trial, values: lines.write(_line({"parameters": trial, "values": values}))
