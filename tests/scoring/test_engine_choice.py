"""Which engine scores how many rows, and when the estimator is loaded: never while a person waits for one row."""

from __future__ import annotations

import sys

import pytest

from riskscore.scoring.model import LOADED_ROWS, LOADING_ROWS, QUICK_ROWS, Model
from riskscore.serving.deployment import UNHURRIED, engine_from
from tests.scoring_examples import ROOT, artefact


@pytest.mark.parametrize(
    ("choice", "loaded", "rows", "engine"),
    [
        ("auto", None, LOADING_ROWS - 1, "twin"),
        ("auto", None, LOADING_ROWS, "joblib"),
        ("auto", Model.estimator, LOADED_ROWS - 1, "twin"),
        ("auto", Model.estimator, LOADED_ROWS, "joblib"),
        ("auto", Model.prepare, QUICK_ROWS - 1, "twin"),
        ("auto", Model.prepare, QUICK_ROWS, "joblib"),
        ("twin", Model.prepare, LOADING_ROWS, "twin"),
        ("joblib", None, 1, "joblib"),
    ],
)
def test_large_requests_go_to_the_estimator_and_larger_ones_have_it_loaded(choice, loaded, rows, engine):
    model = Model(artefact(), choice)
    if loaded:
        loaded(model)
    assert model.engine_for(rows) == engine


@pytest.mark.parametrize("kind", UNHURRIED)
def test_where_nobody_waits_for_the_start_the_estimator_is_loaded_ahead(kind, monkeypatch):
    loaded = _loads(monkeypatch)
    engine_from({"AWS_LAMBDA_INITIALIZATION_TYPE": kind}, str(ROOT))
    assert loaded == ["credit_risk"]


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand"},
        {"RISKSCORE_ENGINE": "twin", "AWS_LAMBDA_INITIALIZATION_TYPE": UNHURRIED[0]},
    ],
)
def test_a_person_who_waits_does_not_pay_for_it(environ, monkeypatch):
    loaded = _loads(monkeypatch)
    engine_from(environ, str(ROOT))
    assert loaded == []


def _loads(monkeypatch):
    """The names of the models whose pickles are loaded from here on; they are loaded all the same."""
    loaded = []
    real = sys.modules["riskscore.artefact.artefact"].Artefact.load_estimator

    def noted(self):
        loaded.append(self.name)
        return real(self)

    monkeypatch.setattr("riskscore.artefact.artefact.Artefact.load_estimator", noted)
    return loaded
