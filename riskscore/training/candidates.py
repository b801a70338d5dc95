"""What `family = "auto"` chooses among, the simplest first.

Settings of the trees scale with the rarer label: a leaf that asks for ten rows' worth of uncertainty learns nothing
from a hundred rows.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from riskscore.contract.contract import Contract
from riskscore.contract.encoding import Encoding, binned, linear
from riskscore.training.fitting import encoded, fit

if TYPE_CHECKING:
    from riskscore.model_toml.settings import Settings
    from riskscore.training.training_data import TrainingData

LINES = (  # name, encoding of numbers, C
    ("logistic regression", "", 0.1),
    ("logistic regression on signed logarithms, C 0.1", "log", 0.1),
    ("logistic regression on signed logarithms, C 1", "log", 1.0),
)
TREES: tuple[tuple[str, dict[str, Any]], ...] = (  # name, parameters beside those of `_trees`
    ("trees of depth 2", {"max_depth": 2, "learning_rate": 0.03, "subsample": 0.7, "colsample_bytree": 0.5}),
    ("trees of depth 4", {"max_depth": 4, "learning_rate": 0.05, "subsample": 0.8, "colsample_bytree": 0.7}),
    ("trees of depth 8", {"max_depth": 8, "learning_rate": 0.15, "subsample": 0.8, "gamma": 0.5}),
)
DEEP = 8  # levels from which on leaves may be small, and trees are few: each takes long to explain
MOST = 1 + len(LINES) + len(TREES)
FEW = 250  # rows of the rarer label below which trees are half as many
ROUNDS = 400
LEAF_ROWS = 30  # rows of the rarer label for each of a leaf's least weight and of the penalty, from 1 to 10


class Candidate(NamedTuple):
    """settings: of a family of its own, as if model.toml named it."""

    name: str
    settings: Settings


def candidates(settings: Settings, data: TrainingData) -> list[Candidate]:
    """All that keep the directions of model.toml, the simplest first. data: the rows as features."""
    rarer = min(int(np.sum(data.labels == label)) for label in (0, 1))
    lines = [Candidate(name, _line(settings, numbers, c)) for name, numbers, c in LINES]
    trees = [Candidate(name, _trees(settings, own, rarer)) for name, own in TREES]
    return [
        Candidate("scorecard", _card(settings)),
        *(line for line in lines if _keeps_directions(line.settings, data)),
        *trees,
    ]


def _card(settings: Settings) -> Settings:
    contract = Contract(map(binned, settings.contract.features))
    return replace(settings, family="scorecard", parameters={}, contract=contract)


def _line(settings: Settings, numbers: str, c: float) -> Settings:
    contract = Contract(linear(feature, numbers) for feature in settings.contract.features)
    return replace(settings, family="logistic", parameters={"C": c, "max_iter": 1000}, contract=contract)


def _trees(settings: Settings, own: dict[str, Any], rarer: int) -> Settings:
    deep = own["max_depth"] >= DEEP
    least = 1.0 if deep else round(min(max(rarer / LEAF_ROWS, 1.0), 10.0), 1)
    rounds = ROUNDS // (4 if deep else 1) // (2 if rarer < FEW else 1)
    common = {"n_estimators": rounds, "min_child_weight": least, "reg_lambda": least, "tree_method": "hist"}
    return replace(settings, family="xgboost", parameters=own | common)


def _keeps_directions(settings: Settings, data: TrainingData) -> bool:
    """Whether a line, which nothing constrains, has each coefficient's sign as model.toml asks."""
    if not settings.directions:
        return True
    columns = encoded(settings, data)
    signs = np.array(Encoding(settings.contract).values_of(settings.directions, 0))
    return bool(np.all(signs * fit(settings, columns.matrix, columns.labels).coef_ >= 0))
