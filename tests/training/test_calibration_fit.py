"""Calibrated answers: a rising map of the margin, fitted to rows not seen, the same for both engines."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskscore.artefact.artefact import open_artefact
from riskscore.errors import ArtefactRefused
from riskscore.model_toml.settings import read_settings
from riskscore.scoring.engine import Engine
from riskscore.scoring.model import Model
from riskscore.training.calibration_fit import calibrated_unseen, fit_calibration
from riskscore.training.training import train
from riskscore.training.training_data import from_source
from riskscore.training.validation import reliability
from riskscore.twin.calibration import METHODS, calibration_of
from riskscore.twin.trees import logistic
from tests.scoring_examples import nobody, write_small
from tests.training_examples import MODEL_TOML, NOW, rows, write_csv, write_model

ISOTONIC = {"method": "isotonic", "margins": [-2.0, 0.0, 4.0], "log_odds": [-3.0, -1.0, 1.0]}
RNG = np.random.default_rng(1)
TRUE = RNG.normal(-1.5, 1.5, 4000)
LABELS = (RNG.uniform(size=len(TRUE)) < 1 / (1 + np.exp(-TRUE))).astype(np.int8)
OVERCONFIDENT = 2.5 * TRUE + 1.0


@pytest.mark.parametrize(
    ("entry", "margin", "log_odds"),
    [
        ({}, 0.7, 0.7),
        ({"method": "platt", "slope": 0.5, "intercept": -1.0}, 3.0, 0.5),
        (ISOTONIC, -9.0, -3.0),
        (ISOTONIC, -2.0, -3.0),
        (ISOTONIC, -1.0, -2.0),
        (ISOTONIC, 1.0, -0.5),
        (ISOTONIC, 4.0, 1.0),
        (ISOTONIC, 9.0, 1.0),
    ],
)
def test_a_margin_becomes_these_log_odds(entry, margin, log_odds):
    assert calibration_of(entry)(margin) == log_odds


@pytest.mark.parametrize("method", METHODS)
def test_a_fit_brings_overconfident_predictions_back(method):
    mapped = calibration_of(fit_calibration(method, OVERCONFIDENT, LABELS))
    inner = (TRUE > -3) & (TRUE < 0)
    off = np.abs([mapped(margin) for margin in OVERCONFIDENT[inner]] - TRUE[inner])
    assert np.median(off) < 0.25 < np.median(np.abs(OVERCONFIDENT - TRUE)[inner])


@given(st.sampled_from(sorted(METHODS)), st.floats(-50, 50), st.floats(-50, 50))
def test_a_higher_margin_is_never_a_lower_probability(method, one, other):
    mapped = FITTED[method]
    low, high = sorted((one, other))
    assert mapped(low) <= mapped(high)
    assert math.isfinite(mapped(low))


FITTED = {method: calibration_of(fit_calibration(method, OVERCONFIDENT, LABELS)) for method in METHODS}


def test_platt_never_turns_the_order_round():
    assert fit_calibration("platt", -OVERCONFIDENT, LABELS)["slope"] > 0


@pytest.mark.parametrize("method", METHODS)
def test_what_it_gains_is_told_from_rows_that_did_not_fit_it(method):
    predicted = 1 / (1 + np.exp(-np.stack([OVERCONFIDENT, OVERCONFIDENT])))
    calibrated = calibrated_unseen(method, predicted, LABELS, folds=5, seed=1)
    labels = np.tile(LABELS, 2)
    assert calibrated.shape == predicted.shape
    assert reliability(labels, calibrated.ravel())["ece"] < reliability(labels, predicted.ravel())["ece"] / 3


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_a_calibrated_model_answers_the_same_from_both_engines(tmp_path, method):
    folder = write_model(tmp_path, toml=MODEL_TOML + f'[calibration]\nmethod = "{method}"\n')
    trained = train(
        read_settings(folder),
        from_source(read_settings(folder), write_csv(tmp_path / "rows.csv", rows())),
        folder,
        tmp_path,
        NOW,
    )
    entry = trained.manifest["calibration"]
    assert entry["method"] == method
    assert set(trained.manifest["metrics"]["calibrated"]) == {"auc", "pr_auc", "brier", "log_loss", "reliability"}
    event = {"features": {"inflow": 900.0, "late": 2, "share": None}}
    answers = []
    for choice in ("twin", "joblib"):
        model = Model(open_artefact(str(folder)), choice)
        answers.append(Engine(lambda _, model=model: model, "small", nobody).answer(event))
        (margin,) = model.margins([[900.0, 2.0, math.nan]], choice)
        assert answers[-1]["probability"] == logistic(calibration_of(entry)(margin))
    assert answers[0] == {**answers[1], "engine": "twin"}


@pytest.mark.slow
def test_another_calibration_is_another_version(tmp_path):
    folder = write_model(tmp_path)
    settings = read_settings(folder)
    data = from_source(settings, write_csv(tmp_path / "rows.csv", rows()))
    plain, platt, strict = (
        train(changed, data, folder, tmp_path, NOW).manifest["version"]
        for changed in (settings, replace(settings, calibration="platt"), replace(settings, threshold=0.9))
    )
    assert len({plain, platt, strict}) == 3
    assert train(settings, data, folder, tmp_path, NOW).manifest["version"] == plain


@pytest.mark.parametrize(
    "entry",
    [
        {"method": "beta"},
        {"method": "platt", "slope": 1.0},
        {"slope": 1.0, "intercept": 0.0},
        {"method": "platt", "slope": -1.0, "intercept": 0.0},
        {"method": "platt", "slope": 1.0, "intercept": None},
        {"method": "isotonic", "margins": [], "log_odds": []},
        {"method": "isotonic", "margins": [1.0], "log_odds": [1.0, 2.0]},
        {"method": "isotonic", "margins": [2.0, 1.0], "log_odds": [1.0, 2.0]},
        {"method": "isotonic", "margins": [1.0, 1.0], "log_odds": [1.0, 2.0]},
        {"method": "isotonic", "margins": [1.0, 2.0], "log_odds": [2.0, 1.0]},
    ],
    ids=json.dumps,
)
def test_a_calibration_that_does_not_rise_is_refused_at_the_start(tmp_path, entry):
    with pytest.raises(ArtefactRefused, match=r"manifest\.json: calibration"):
        open_artefact(str(write_small(tmp_path / "small_loans", calibration=entry)))
