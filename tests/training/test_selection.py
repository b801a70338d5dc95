"""`family = "auto"`: what is chosen among, how, within which time, and what is written of it."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from riskscore.artefact.artefact import open_artefact
from riskscore.errors import InvalidFile
from riskscore.model_toml.settings import read_settings
from riskscore.scoring.model import Model
from riskscore.training.candidates import LINES, TREES, candidates
from riskscore.training.comparison import chosen
from riskscore.training.fitting import encoded
from riskscore.training.selection import (
    FEW,
    INNER,
    _chosen_within,
    _inner,
    _measure,
    choice_steps,
    choose,
    outer_folds,
    simplest,
)
from riskscore.training.training import build, steps, write
from riskscore.training.training_data import TrainingData, from_source
from riskscore.training.validation import cross_validate
from tests.training_examples import MODEL_TOML, NOW, rows, write_csv, write_model

if TYPE_CHECKING:
    from pathlib import Path

    from riskscore.model_toml.settings import Settings

AUTO = MODEL_TOML.replace(
    'family = "xgboost"\n[estimator.parameters]\nn_estimators = 12\nmax_depth = 3\nlearning_rate = 0.3',
    'family = "auto"\nminutes = 5',
).replace("repeats = 2", "repeats = 1")
NAMES = ["scorecard", *(name for name, *_ in (*LINES, *TREES))]


def prepared(root: Path, lines: list[list[object]] | None = None, toml: str = AUTO) -> tuple[Settings, TrainingData]:
    settings = read_settings(write_model(root, toml=toml))
    return settings, from_source(settings, write_csv(root / "rows.csv", lines or rows(120)))


def only_together(count: int = 300) -> list[list[object]]:
    """Neither inflow nor share says anything alone: the label is whether both are on the same side."""
    drawn = np.random.default_rng(4).uniform(size=(count, 4)).round(3).tolist()
    return [
        [f"C{k}", 1000 * a, int(5 * late), b, int((a > 0.5) == (b > 0.5)) if noise > 0.1 else int(noise > 0.05)]
        for k, (a, b, late, noise) in enumerate(drawn)
    ]


@pytest.mark.parametrize(
    ("losses", "place"),
    [
        ([[0.3, 0.4], [0.3, 0.4], [0.2, 0.3]], 2),  # 0.1 better in every fold: no error at all in that
        ([[0.3, 0.4], [0.31, 0.39], [0.31, 0.38]], 0),  # better by less than it varies
        ([[0.3, 0.3, 0.3], [0.2, 0.2, 0.2], [0.2, 0.2, 0.19]], 1),
        ([[0.5, 0.5]], 0),
    ],
)
def test_the_simplest_within_one_standard_error_of_the_best_is_taken_folds_paired(losses: Any, place: int) -> None:
    assert simplest(losses, share=0.25) == place


@pytest.mark.parametrize(("positives", "least"), [(30, 1.0), (150, 5.0), (900, 10.0)])
def test_what_a_leaf_needs_scales_with_the_rarer_label(tmp_path: Path, positives: int, least: float) -> None:
    settings, data = prepared(tmp_path)
    labels = np.arange(2000) < positives
    pool = candidates(settings, replace(data, labels=labels.astype(np.int8), matrix=np.ones((2000, 3))))
    trees = [own.parameters for name, own in pool if name in dict(TREES)]
    assert [own["min_child_weight"] for own in trees] == [least, least, 1.0]
    assert {own["n_estimators"] for own in trees[:2]} == {200 if positives < 250 else 400}


def test_a_line_that_breaks_a_direction_is_no_candidate(tmp_path: Path) -> None:
    settings, data = prepared(tmp_path)
    assert [name for name, _ in candidates(settings, data)] == NAMES
    against = replace(settings, directions={"late": -1})
    assert [name for name, _ in candidates(against, data)] == ["scorecard", *(name for name, _ in TREES)]


def test_few_rows_are_given_a_scorecard_and_all_candidates_stand_on_the_same_folds(tmp_path: Path) -> None:
    settings, data = prepared(tmp_path)
    calls: list[int] = []
    choice = choose(settings, data, step=lambda: calls.append(1))
    assert choice.settings.family == "scorecard"
    assert [row["name"] for row in choice.record["candidates"]] == NAMES
    assert sum(row["chosen_in_folds"] for row in choice.record["candidates"]) == settings.folds
    assert len(calls) == choice_steps(settings) == len(NAMES) * settings.folds
    figures = choice.record["candidates"][0]["metrics"]["log_loss"]
    assert figures["low"] <= figures["mean"] <= figures["high"]


def test_what_shows_only_in_two_features_together_is_given_trees(tmp_path: Path) -> None:
    settings, data = prepared(tmp_path, only_together())
    choice = choose(settings, data)
    assert choice.settings.family == "xgboost"
    predicted = cross_validate(data, choice.predict, settings.folds, settings.repeats, settings.seed)
    assert predicted.metrics["auc"]["mean"] > 0.8


def test_what_the_time_does_not_suffice_for_is_left_out_and_said_and_another_run_goes_on(tmp_path: Path) -> None:
    settings, data = prepared(tmp_path)
    state, hours = tmp_path / "state.jsonl", count()
    late = choose(settings, data, state, clock=lambda: 3600.0 * next(hours))
    assert late.record["left_out"] == NAMES[1:]
    assert f"left out for want of time: {NAMES[1]}" in chosen(late.record)[0]
    measured = state.read_text().splitlines()
    whole = choose(settings, data, state)
    assert state.read_text().splitlines()[: len(measured)] == measured
    assert (whole.record["left_out"], whole.record) == ([], choose(settings, data).record)


def test_a_run_that_was_stopped_measures_nothing_twice(tmp_path: Path) -> None:
    settings, data = prepared(tmp_path)
    state = tmp_path / "state.jsonl"
    choose(settings, data, state)
    lines = state.read_text().splitlines(keepends=True)
    state.write_text("".join(lines[:4]) + lines[4][:9])  # killed while it wrote the fourth
    again = choose(settings, data, state)
    assert state.read_text() == "".join(lines)
    assert again.record == choose(settings, data, state, clock=lambda: 1e9).record


def test_the_rows_that_a_fold_is_measured_on_have_no_part_in_what_it_chooses(tmp_path: Path) -> None:
    settings, data = prepared(tmp_path)
    own = candidates(settings, data)[0].settings
    columns = encoded(own, data)
    fold = outer_folds(settings, data)[0]
    ((_, unseen),) = fold.parts
    turned = columns.labels.copy()
    turned[unseen] = 1 - turned[unseen]
    as_they_are, otherwise = (_measure(own, replace(columns, labels=y), fold) for y in (columns.labels, turned))
    assert as_they_are[:INNER] == otherwise[:INNER]
    assert as_they_are[INNER:] != otherwise[INNER:]


@pytest.mark.parametrize("customers", [None, ["A"] * 10 + ["B"] * 10 + [f"C{k}" for k in range(40)]])
def test_where_inner_folds_tell_nothing_the_simplest_is_chosen(tmp_path: Path, customers: Any) -> None:
    settings, data = prepared(tmp_path)
    positives = 20 if customers else FEW * INNER - 1
    labels = (np.arange(60) < positives).astype(np.int8)
    inside = replace(data, matrix=data.matrix[:60], labels=labels, customers=customers)
    assert _inner(settings, inside) == []
    assert _chosen_within([[0.7, 0.5, 0.2, 0.6], [0.8, 0.6, 0.1, 0.4]]) == 0  # no inner loss, the outer fold's metrics


def test_each_fold_is_predicted_by_what_it_chose(tmp_path: Path) -> None:
    settings, data = prepared(tmp_path)
    choice = choose(settings, data)
    found = cross_validate(data, choice.predict, settings.folds, settings.repeats, settings.seed)
    once = [row for row in choice.record["candidates"] if row["chosen_in_folds"] == settings.folds]
    for row in once:
        assert row["metrics"]["log_loss"]["mean"] == pytest.approx(found.metrics["log_loss"]["mean"], abs=1e-6)
    assert once or len({row["chosen_in_folds"] for row in choice.record["candidates"]}) > 1


def test_a_chosen_model_serves_by_both_engines_and_its_card_shows_all_candidates(tmp_path: Path) -> None:
    settings, data = prepared(tmp_path)
    trained = build(settings, data, tmp_path, NOW)
    write(tmp_path / "model" / "small", trained)
    manifest, card = trained.manifest, trained.documents["MODEL_CARD.md"].decode()
    assert manifest["engines"] == ["twin", "joblib"]
    assert manifest["estimator"]["family"] == "scorecard"
    assert manifest["estimator"]["parameters"] == manifest["search"]["best"]
    assert f"Training chose **{manifest['search']['chosen']}**" in card
    for row in manifest["search"]["candidates"]:
        assert f"| {row['name']} | {row['metrics']['auc']['mean']:.3f} (" in card
    assert Model(open_artefact(str(tmp_path / "model" / "small"))).name == "small"
    assert steps(settings) == choice_steps(settings) + settings.folds


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("minutes = 5", "minutes = 0", "estimator.minutes must be above 0"),
        ("minutes = 5", "minutes = inf", "estimator.minutes must be above 0"),
        ('family = "auto"', 'family = "xgboost"', 'estimator.minutes is for the family "auto" alone'),
        ("minutes = 5", "parameters = {C = 1}", 'estimator.parameters must go: the family "auto" chooses'),
        ("[constraints]", "[search]\nmethod = 'grid'\nparameters = {C = [1]}\n[constraints]", "search must go"),
    ],
)
def test_what_has_no_meaning_beside_auto_is_refused(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    with pytest.raises(InvalidFile) as refused:
        read_settings(write_model(tmp_path, toml=AUTO.replace(old, new)))
    assert sentence in refused.value.message
