"""The logistic regression that a model is held against, and what is said of the two."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from riskscore.model_toml.settings import read_settings
from riskscore.training.comparison import beside_logistic, sentence, verdict
from riskscore.training.fitting import encoded, predictor
from riskscore.training.training_data import from_source
from riskscore.training.validation import cross_validate
from tests.training_examples import MODEL_TOML, rows, write_csv, write_model

if TYPE_CHECKING:
    from pathlib import Path


def beside(root: Path, toml: str = MODEL_TOML, **parameters: Any) -> dict[str, Any]:
    """What the small model of a family and its parameters has beside the regression."""
    settings = read_settings(write_model(root, toml=toml))
    settings = replace(settings, parameters={**settings.parameters, **parameters})
    data = from_source(settings, write_csv(root / "rows.csv", rows(200)))
    columns = encoded(settings, data)
    found = cross_validate(columns, predictor(settings), settings.folds, settings.repeats, settings.seed)
    return {"cross_validated": found.metrics, **beside_logistic(settings, data, found)}


THE_SAME = (
    MODEL_TOML.replace('"xgboost"', '"logistic"')
    .replace("n_estimators = 12\nmax_depth = 3\nlearning_rate = 0.3", "C = 0.1\nmax_iter = 1000")
    .replace('name = "share"', 'name = "share"\nencoding = "log"')
    .replace('name = "inflow"', 'name = "inflow"\nencoding = "log"')
    .replace('name = "late"', 'name = "late"\nencoding = "log"')
    .replace('[constraints]\nlate = "up"\n', "")
)


def test_the_regression_beside_itself_differs_in_nothing(tmp_path: Path) -> None:
    found = beside(tmp_path, THE_SAME)
    assert found["logistic_regression"] == found["cross_validated"]
    assert {figures["mean"] for figures in found["beside_logistic"].values()} == {0.0}


@pytest.mark.slow
def test_the_regression_takes_the_weights_of_the_classes_that_the_model_takes(tmp_path: Path) -> None:
    found = beside(tmp_path / "logistic", THE_SAME, class_weight="balanced")
    assert {figures["mean"] for figures in found["beside_logistic"].values()} == {0.0}
    heavy, even = (beside(tmp_path / str(w), scale_pos_weight=w)["logistic_regression"] for w in (20, 1))
    assert heavy["brier"]["mean"] > even["brier"]["mean"]


def figures(mean: float, half: float = 0.01) -> dict[str, float]:
    return {"mean": mean, "low": mean - half, "high": mean + half}


@pytest.mark.parametrize(
    ("auc", "loss", "found", "words"),
    [
        (-0.003, 0.002, 0, "at least equal, within the intervals"),
        (0.02, -0.02, 1, "better, beyond the intervals"),
        (0.02, 0.0, 0, "at least equal, within the intervals"),
        (-0.02, 0.0, -1, "worse, beyond the intervals"),
        (0.02, 0.02, -1, "worse, beyond the intervals"),
    ],
)
def test_the_verdict_knows_the_intervals(auc: float, loss: float, found: int, words: str) -> None:
    metrics = {"beside_logistic": {"auc": figures(auc), "log_loss": figures(loss)}}
    assert verdict(metrics) == found
    assert sentence(metrics).endswith(f"logistic regression on signed logarithms: {words}")
    assert np.isclose(float(sentence(metrics).split()[1]), auc)
