"""The search for parameters: the best one is found, the same again, and nothing that was finished is tried twice."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from riskscore.errors import InvalidFile
from riskscore.model_toml.settings import read_settings
from riskscore.training.search import FEW, search, search_steps
from riskscore.training.training import build
from riskscore.training.training_data import TrainingData, from_source
from riskscore.training.validation import splits
from tests.programs import run
from tests.scoring_examples import ROOT
from tests.training_examples import MODEL_TOML, NOW, rows, write_csv, write_model

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from riskscore.model_toml.settings import Settings


GRID = """
[search]
method = "grid"
folds = 2
metric = "brier"
[search.parameters]
learning_rate = [0.1, 0.2, 0.3, 0.4, 0.5]
"""
RANDOM = """
[search]
method = "random"
trials = 6
folds = 2
metric = "brier"
[search.parameters]
learning_rate = {low = 0.1, high = 0.5}
"""
ROWS = 200  # far more than the few that every trial is fitted to beforehand


def prepared(root: Path, search: str = GRID, model: str = MODEL_TOML) -> tuple[Settings, TrainingData]:
    """The small model with a table [search], and rows of which three in ten are positive."""
    settings = read_settings(write_model(root, toml=model.replace("[validation]", f"{search}\n[validation]")))
    return settings, labelled(settings)


def labelled(settings: Settings) -> TrainingData:
    matrix = np.arange(3.0 * ROWS).reshape(ROWS, 3)
    return TrainingData(settings.contract.names, matrix, (np.arange(ROWS) % 10 < 3).astype(np.int8), None, "")


def constant(tried: list[float] | None = None) -> Callable[[Settings], Any]:
    """Everybody gets the learning rate for a probability, so that the Brier score is best where it is the base rate.

    tried: gets the learning rate of every fit to more than a few rows."""

    def predictor(settings: Settings) -> Any:
        def predict(matrix: Any, _labels: Any, unseen: Any) -> Any:
            if tried is not None and len(matrix) > 2 * FEW:
                tried.append(settings.parameters["learning_rate"])
            return np.full(len(unseen), settings.parameters["learning_rate"])

        return predict

    return predictor


# What is found


def test_the_best_of_a_known_landscape_is_found(tmp_path: Path) -> None:
    found = search(*prepared(tmp_path), constant())
    assert found.parameters == {"n_estimators": 12, "max_depth": 3, "learning_rate": 0.3}


@pytest.mark.parametrize(("metric", "best"), [("auc", 0.5), ("pr_auc", 0.5), ("brier", 0.1), ("log_loss", 0.1)])
def test_each_metric_is_searched_in_its_own_direction(tmp_path: Path, metric: str, best: float) -> None:
    def predictor(settings: Settings) -> Any:
        rate = settings.parameters["learning_rate"]  # the more, the better the order and the farther off the values

        def predict(_matrix: Any, _labels: Any, unseen: Any) -> Any:
            k = unseen[:, 0] / 3
            return np.where((k % 10 < 3) & (k % 100 < 200 * rate), 0.31, 0.3) if "auc" in metric else k * 0 + 0.3 + rate

        return predict

    settings, data = prepared(tmp_path, GRID.replace('"brier"', f'"{metric}"'))
    assert search(settings, data, predictor).record["best"] == {"learning_rate": best}


def test_of_equals_the_earlier_wins(tmp_path: Path) -> None:
    values = "[0.35, 0.25, 0.1]"  # as far from 0.3, either
    settings, data = prepared(tmp_path, GRID.replace("[0.1, 0.2, 0.3, 0.4, 0.5]", values))
    assert search(settings, data, constant()).record["best"] == {"learning_rate": 0.35}


@pytest.mark.slow
def test_a_real_estimator_gets_the_depth_that_its_rows_need(tmp_path: Path) -> None:
    """Whether two features are alike can't be seen by trees of one split."""
    table = GRID.replace('"brier"', '"auc"').replace("learning_rate = [0.1, 0.2, 0.3, 0.4, 0.5]", "max_depth = [1, 2]")
    model = MODEL_TOML.replace('[constraints]\nlate = "up"\n', "")
    settings = read_settings(write_model(tmp_path, toml=model.replace("[validation]", f"{table}\n[validation]")))
    signs = np.random.default_rng(1).normal(size=(ROWS, 3))
    data = TrainingData(settings.contract.names, signs, (signs[:, 0] * signs[:, 1] > 0).astype(np.int8), None, "")
    trained = build(settings, data, tmp_path, NOW)
    assert trained.manifest["search"]["best"] == {"max_depth": 2}
    assert trained.manifest["estimator"]["parameters"] == {"n_estimators": 12, "max_depth": 2, "learning_rate": 0.3}


def test_without_a_table_nothing_is_tried(tmp_path: Path) -> None:
    settings, data = prepared(tmp_path, "")
    tried: list[float] = []
    found = search(settings, data, constant(tried))
    assert (found.parameters, found.record, tried, search_steps(settings)) == (settings.parameters, {}, [], 0)


def test_the_same_seed_finds_the_same_and_another_draws_otherwise(tmp_path: Path) -> None:
    settings, data = prepared(tmp_path, RANDOM)
    assert search(settings, data, constant()) == search(settings, data, constant())
    other = search(replace(settings, seed=4), data, constant())
    assert other.record["table"] != search(settings, data, constant()).record["table"]


def test_the_folds_are_not_those_of_the_validation(tmp_path: Path) -> None:
    settings, data = prepared(tmp_path)
    seen: list[list[float]] = []

    def predictor(_: Settings) -> Any:
        def predict(_matrix: Any, _labels: Any, unseen: Any) -> Any:
            seen.append(unseen[:, 0].tolist())
            return np.full(len(unseen), 0.3)

        return predict

    search(settings, data, predictor)
    validation = [data.matrix[part, 0].tolist() for _, _, part in splits(data, 2, settings.repeats, settings.seed)]
    assert not [part for part in validation if part in seen]


def test_the_record_names_the_best_trials_first_and_what_their_figures_are_worth(tmp_path: Path) -> None:
    record = search(*prepared(tmp_path), constant()).record
    assert [trial["parameters"]["learning_rate"] for trial in record["table"]] == [0.3, 0.2, 0.4, 0.1, 0.5]
    assert record["table"][0] == {"parameters": {"learning_rate": 0.3}, "mean": 0.21, "spread": 0.0}
    assert (record["method"], record["metric"], record["folds"], record["trials"]) == ("grid", "brier", 2, 5)
    assert "optimistic" in record["note"]
    json.dumps(record, allow_nan=False)


def test_the_record_stays_short(tmp_path: Path) -> None:
    settings, data = prepared(tmp_path, RANDOM.replace("trials = 6", "trials = 60"))
    record = search(settings, data, constant()).record
    assert (record["trials"], len(record["table"])) == (60, 20)


def test_progress_is_told_for_each_fold_of_each_trial(tmp_path: Path) -> None:
    settings, data = prepared(tmp_path)
    for _ in ("anew", "from the state"):
        steps: list[int] = []
        search(settings, data, constant(), tmp_path / "state.jsonl", lambda steps=steps: steps.append(1))
        assert len(steps) == search_steps(settings) == 10


# What is refused before anything is tried


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("learning_rate =", "lerning_rate =", "search.parameters.lerning_rate isn't a parameter of the family xgboost"),
        ("learning_rate =", "n_jobs =", "search.parameters.n_jobs is set by training"),
        ("[0.1, 0.2, 0.3, 0.4, 0.5]", '[0.1, "fast"]', '(search.parameters: learning_rate = "fast")'),
        ("learning_rate = [0.1, 0.2, 0.3, 0.4, 0.5]", "max_depth = [3, -1]", "(search.parameters: max_depth = -1)"),
        ("folds = 2", "folds = 61", "60 rows of the rarer label can't be split into 61 folds"),
        ("folds = 2", "folds = 1", "search.folds must be at least 2"),
        ("folds = 2", "fold = 2", "unknown key search.fold; known here: method, trials, folds, metric, parameters"),
        ('method = "grid"', "", "search.method is missing"),
        ('metric = "brier"', "metric = 1", "search.metric must be text"),
    ],
)
def test_a_search_that_cant_end_well_is_refused(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    from riskscore.training.fitting import fit

    tried: list[int] = []

    def predictor(settings: Settings) -> Any:
        def predict(matrix: Any, labels: Any, unseen: Any) -> Any:
            if len(matrix) > 2 * FEW:
                tried.append(len(matrix))
            fit(settings, matrix, labels)
            return np.full(len(unseen), 0.3)

        return predict

    with pytest.raises(InvalidFile) as refused:
        search(*prepared(tmp_path, GRID.replace(old, new)), predictor, tmp_path / "state.jsonl")
    assert sentence in refused.value.message
    assert "\n" not in refused.value.message
    assert tried == []


# What goes on after a stop

KILLED = """
import os, signal, sys
from pathlib import Path
from tests.training.test_search import FEW, constant, labelled, read_settings, search

root, fits = Path(sys.argv[1]), 0

def predictor(settings):
    def predict(matrix, labels, unseen):
        global fits
        if len(matrix) > 2 * FEW:
            with (root / "fits.txt").open("a") as file:
                print(settings.parameters["learning_rate"], file=file)
            fits += 1
            if fits == 4:  # in the last fold of the second trial
                os.kill(os.getpid(), signal.SIGKILL)
        return constant()(settings)(matrix, labels, unseen)
    return predict

for _ in range(9):
    child = os.fork()
    if not child:
        settings = read_settings(root / "model" / "small")
        found = search(settings, labelled(settings), predictor, root / "state" / "small.jsonl")
        print(found.record["best"], flush=True)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert status in (0, signal.SIGKILL), status
    if status == 0:
        break
"""


@pytest.mark.slow
def test_a_search_that_is_killed_again_and_again_repeats_no_finished_trial_and_finds_the_same(tmp_path: Path) -> None:
    expected = search(*prepared(tmp_path), constant()).record["best"]
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (shown.stderr, shown.stdout) == ("", f"{expected}\n")
    # Each run but the last finishes one trial of two fits, and is killed in the next one.
    killed = ["0.1", "0.2", "0.2", "0.3", "0.3", "0.4", "0.4", "0.5", "0.5"]
    assert (tmp_path / "fits.txt").read_text().split() == [rate for rate in killed for _ in range(2)]


@pytest.fixture
def half(tmp_path: Path) -> Path:
    """A state file that holds two of the five trials."""
    state = tmp_path / "state" / "small.jsonl"
    search(*prepared(tmp_path / "half"), constant(), state)
    state.write_bytes(b"".join(state.read_bytes().splitlines(keepends=True)[:3]))
    return state


def tried_from(state: Path, settings: Settings, data: TrainingData) -> list[float]:
    """The learning rates that a search going on from this state still tries."""
    tried: list[float] = []
    search(settings, data, constant(tried), state)
    return sorted(set(tried))


def test_a_finished_search_tries_nothing_again_and_finds_the_same(tmp_path: Path) -> None:
    state, (settings, data) = tmp_path / "small.jsonl", prepared(tmp_path, RANDOM)
    first = search(settings, data, constant(), state)
    assert tried_from(state, settings, data) == []
    assert search(settings, data, constant(), state) == first == search(settings, data, constant())


def test_what_the_state_holds_is_not_tried_again(tmp_path: Path, half: Path) -> None:
    assert tried_from(half, *prepared(tmp_path)) == [0.3, 0.4, 0.5]
    assert tried_from(half, *prepared(tmp_path / "again")) == []


@pytest.mark.parametrize(
    ("torn", "left"),
    [
        (lambda whole: whole[:-1], [0.3, 0.4, 0.5]),
        (lambda whole: whole[:-20], [0.2, 0.3, 0.4, 0.5]),
        (lambda whole: whole + b'{"parameters": {"lear', [0.3, 0.4, 0.5]),
        (lambda whole: whole + b'\xff\x00\n{"parameters": 1}\n', [0.3, 0.4, 0.5]),
        (lambda whole: whole + b"[]\n3\n", [0.3, 0.4, 0.5]),
        (lambda whole: whole[:30], [0.1, 0.2, 0.3, 0.4, 0.5]),
        (lambda _: b"", [0.1, 0.2, 0.3, 0.4, 0.5]),
    ],
)
def test_a_line_that_isnt_whole_is_dropped_and_the_file_is_whole_again(
    tmp_path: Path, half: Path, torn: Callable[[bytes], bytes], left: list[float]
) -> None:
    half.write_bytes(torn(half.read_bytes()))
    assert tried_from(half, *prepared(tmp_path)) == left
    assert [sorted(json.loads(line)) for line in half.read_text().splitlines()] == [
        ["key"],
        *[["parameters", "values"]] * 5,
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("max_depth = 3", "max_depth = 2"),
        ("seed = 3", "seed = 4"),
        ("folds = 2\nmetric", "folds = 3\nmetric"),
        ('metric = "brier"', 'metric = "log_loss"'),
        ('late = "up"', 'late = "down"'),
        ("minimum = 0", "minimum = -1"),
    ],
)
def test_other_settings_start_afresh(tmp_path: Path, half: Path, old: str, new: str) -> None:
    toml = MODEL_TOML.replace("[validation]", f"{GRID}\n[validation]")
    assert old in toml
    settings = read_settings(write_model(tmp_path, toml=toml.replace(old, new, 1)))
    assert tried_from(half, settings, labelled(settings)) == [0.1, 0.2, 0.3, 0.4, 0.5]


def test_what_cant_change_a_figure_keeps_the_state(tmp_path: Path, half: Path) -> None:
    settings, data = prepared(tmp_path)
    assert tried_from(half, replace(settings, threshold=0.3, description="in other words"), data) == [0.3, 0.4, 0.5]


@pytest.mark.parametrize("change", ["labels", "customers"])
def test_other_rows_start_afresh(tmp_path: Path, half: Path, change: str) -> None:
    settings, data = prepared(tmp_path)
    changes: dict[str, Any] = {"labels": np.roll(data.labels, 1), "customers": [f"C{k}" for k in range(ROWS)]}
    other = replace(data, **{change: changes[change]})
    assert tried_from(half, settings, other) == [0.1, 0.2, 0.3, 0.4, 0.5]


def test_another_version_of_a_package_starts_afresh(
    tmp_path: Path, half: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xgboost.__version__", "0.0.0")
    assert tried_from(half, *prepared(tmp_path)) == [0.1, 0.2, 0.3, 0.4, 0.5]


def test_a_refused_search_leaves_the_state_as_it_was(tmp_path: Path, half: Path) -> None:
    before = half.read_bytes()
    settings, data = prepared(tmp_path, GRID.replace("learning_rate =", "lerning_rate ="))
    with pytest.raises(InvalidFile):
        search(settings, data, constant(), half)
    assert half.read_bytes() == before


def test_the_state_holds_nobodys_values(tmp_path: Path) -> None:
    settings, data = prepared(tmp_path)
    state = tmp_path / "small.jsonl"
    search(settings, replace(data, customers=[f"Somebody {k}" for k in range(ROWS)]), constant(), state)
    assert "Somebody" not in state.read_text()


# As a part of training


@pytest.mark.slow
def test_the_model_card_says_how_the_parameters_were_found(tmp_path: Path) -> None:
    settings, _ = prepared(tmp_path)
    trained = build(settings, from_source(settings, write_csv(tmp_path / "rows.csv", rows())), tmp_path, NOW)
    card, record = trained.documents["MODEL_CARD.md"].decode(), trained.manifest["search"]
    section = card.split("## Parameter search")[1].split("\n## ")[0]
    best = record["table"][0]
    assert f"| `learning_rate` {best['parameters']['learning_rate']} | {best['mean']:.4f} |" in section
    assert record["note"][1:] in section


@pytest.mark.slow
def test_a_card_of_parameters_by_hand_has_no_such_section(tmp_path: Path) -> None:
    settings, _ = prepared(tmp_path, "")
    trained = build(settings, from_source(settings, write_csv(tmp_path / "rows.csv", rows())), tmp_path, NOW)
    assert trained.manifest["search"] == {}
    assert "Parameter search" not in trained.documents["MODEL_CARD.md"].decode()


@pytest.mark.slow
def test_the_script_searches_says_what_it_chose_and_keeps_the_trials(tmp_path: Path) -> None:
    prepared(tmp_path)
    write_csv(tmp_path / "rows.csv", rows())
    places = ("--data", tmp_path / "rows.csv", "--models", tmp_path / "model", "--out", tmp_path / "out")
    shown = run("train.py", "small", *places, "--even-so", environ={})
    assert shown.returncode == 0, shown.stderr
    best = json.loads((tmp_path / "out" / "small" / "manifest.json").read_text())["search"]["best"]["learning_rate"]
    assert f"search     the best of 5 trials is learning_rate = {best}; Brier" in shown.stdout
    assert len((tmp_path / ".cache" / "search" / "small.jsonl").read_text().splitlines()) == 1 + 5
