"""Validation over time: no row is predicted by a model of later rows, or of another row of the same customer."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from riskscore.errors import InvalidFile
from riskscore.model_toml.over_time import OverTime
from riskscore.model_toml.settings import Settings, read_settings
from riskscore.training.fitting import encoded, predictor
from riskscore.training.rolling import disagreements, periods_of, warnings_over_time
from riskscore.training.training import build
from riskscore.training.training_data import TrainingData, from_source
from tests.programs import run
from tests.training_examples import COLUMNS, MODEL_TOML, NOW, rows, write_csv, write_model

if TYPE_CHECKING:
    from pathlib import Path

START = np.datetime64("2025-01-01", "D")
WORDS = {"auc": "AUC", "pr_auc": "PR AUC", "brier": "Brier", "log_loss": "log loss"}

table = st.lists(st.tuples(st.integers(0, 60), st.sampled_from((0, 1)), st.sampled_from("abcdefgh")), min_size=8)


def in_time(found: list[tuple[int, int, str]]) -> TrainingData:
    """Rows of (day, label, customer)."""
    days, labels, customers = zip(*found, strict=True)
    matrix = np.arange(len(found), dtype=float).reshape(-1, 1)
    y = np.array(labels, dtype=np.int8)
    return TrainingData(("x",), matrix, y, list(customers), "rows.csv", days=START + np.array(days))


@given(table, st.integers(1, 4), st.sampled_from((0, 0, 5, 20)))
@settings(max_examples=300)
def test_no_row_is_earlier_than_a_row_that_its_model_has_seen(
    found: list[tuple[int, int, str]], count: int, matures: int
) -> None:
    data, rule = in_time(found), OverTime("day", count, matures, None)
    try:
        periods = periods_of(data, rule, 3, 0)
    except InvalidFile:
        assume(False)
    assert len(periods) == count
    tested: list[int] = []
    for period in periods:
        for seen, unseen in period.parts:
            assert data.days[seen].max() < data.days[unseen].min()
            assert (data.days[seen] + matures <= period.begin).all()
            assert not {data.customers[k] for k in seen} & {data.customers[k] for k in unseen}
            assert ((data.days[unseen] >= period.begin) & (data.days[unseen] <= period.end)).all()
            tested += unseen.tolist()
    assert sorted(tested) == np.flatnonzero(data.days >= periods[0].begin).tolist()  # every one, and once
    ends = [period.end for period in periods]
    assert all(one < other.begin for one, other in zip(ends, periods[1:], strict=False))  # a day is in one period


def test_without_a_customer_on_both_sides_all_earlier_rows_are_learnt_from() -> None:
    data = in_time([(k, k % 2, str(k)) for k in range(40)])
    (one, other) = periods_of(data, OverTime("day", 2, 0, None), 3, 0)
    assert [len(period.parts) for period in (one, other)] == [1, 1]
    assert [len(period.known) for period in (one, other)] == [13, 26]


@pytest.mark.parametrize(
    ("found", "rule", "sentence"),
    [
        ([(3, k % 2, "a") for k in range(9)], (2, 0), "day is the same day in all rows, so they have no order in time"),
        (
            [(k % 3, k % 2, "a") for k in range(12)],
            (3, 0),
            "day has 2 days after its first, fewer than the 3 periods that validation.periods asks for",
        ),
        (
            [(k, k % 2, "a") for k in range(12)],
            (3, 10),
            "day has 2 days 10 days or more after its first, fewer than the 3 periods",
        ),
        (
            [(k, int(k > 6), str(k)) for k in range(12)],
            (2, 0),
            "the rows whose outcome was known before 2025-01-05 don't have both labels",
        ),
        (
            [(k, int(k == 0), str(k)) for k in range(12)],
            (2, 0),
            "no period of day has rows of both labels, so nothing can be measured",
        ),
        (
            [(k, int(k in (0, 7)), "ab"[k % 2]) for k in range(12)],
            (1, 0),
            "without the customers that are tested, the earlier rows don't have both labels",
        ),
    ],
)
def test_rows_that_time_can_not_order_are_refused(
    found: list[tuple[int, int, str]], rule: tuple[int, int], sentence: str
) -> None:
    with pytest.raises(InvalidFile) as caught:
        periods_of(in_time(found), OverTime("day", *rule, None), 2, 0)
    assert caught.value.message.startswith(f"rows.csv: {sentence}")


# Through training


def example(
    root: Path, rules: str = "periods = 3", toml: str = MODEL_TOML, flip: bool = False
) -> tuple[Settings, TrainingData]:
    """The small model on 300 rows of 300 days. flip: what made a 1 likelier makes it unlikelier from day 150 on."""
    lines: list[list[object]] = rows(300)
    for k, line in enumerate(lines):
        if flip and k >= 150:
            line[-1] = 1 - int(str(line[-1]))
        line.append(str(START + k))
    toml = toml.replace("repeats = 2\n", f'repeats = 2\ntime = "day"\n{rules}\n')
    found = read_settings(write_model(root, toml=toml))
    return found, from_source(found, write_csv(root / "rows.csv", lines, (*COLUMNS, "day")))


def test_the_figures_of_a_period_are_those_of_a_model_fitted_to_the_rows_before_it(tmp_path: Path) -> None:
    found, data = example(tmp_path)
    entry = build(found, data, tmp_path, NOW).manifest["metrics"]["over_time"]
    columns, days = encoded(found, data), data.days
    assert [row["begin"] for row in entry["periods"]] == ["2025-03-17", "2025-05-31", "2025-08-14"]
    for row in entry["periods"]:
        seen = days < np.datetime64(row["begin"])
        unseen = (days >= np.datetime64(row["begin"])) & (days <= np.datetime64(row["end"]))
        predicted = predictor(found)(columns.matrix[seen], columns.labels[seen], columns.matrix[unseen])
        assert row["auc"]["mean"] == pytest.approx(roc_auc_score(columns.labels[unseen], predicted), abs=1e-6)
        assert (row["trained"], row["rows"], row["bads"]) == (seen.sum(), unseen.sum(), columns.labels[unseen].sum())
    mean = np.mean([row["auc"]["mean"] for row in entry["periods"]])
    assert entry["metrics"]["auc"]["mean"] == pytest.approx(mean, abs=1e-6)


def test_card_and_summary_warn_where_time_and_shuffled_folds_disagree(tmp_path: Path) -> None:
    found, data = example(tmp_path, "periods = 5", flip=True)
    trained = build(found, data, tmp_path, NOW)
    metrics, card = trained.manifest["metrics"], json.loads(trained.documents["card.json"])
    shuffled, timed = metrics["cross_validated"]["log_loss"], metrics["over_time"]["metrics"]["log_loss"]
    assert (shuffled["high"] < timed["low"]) == ("log_loss" in disagreements(metrics))
    said = warnings_over_time(metrics, WORDS)
    assert said
    assert {*warnings_over_time(metrics, {**WORDS, "brier": "the Brier score", "log_loss": "the log loss"})} <= {
        *card["warnings"]
    }
    assert f"**Warning:** {card['warnings'][0]}." in trained.documents["MODEL_CARD.md"].decode()
    for file in ("card.html", "MODEL_CARD.md"):
        assert "Over time" in trained.documents[file].decode()
    shown = f"| AUC on later rows | {metrics['over_time']['metrics']['auc']['mean']:.3f} ("
    assert shown in trained.documents["MODEL_CARD.md"].decode()


@pytest.mark.parametrize(
    ("shuffled", "timed", "apart"),
    [
        ((0.8, 0.78, 0.82), (0.7, 0.6, 0.77), ["auc"]),
        ((0.8, 0.78, 0.82), (0.7, 0.6, 0.78), []),
        ((0.6, 0.5, 0.7), (0.8, 0.71, 0.9), ["auc"]),
        ((0.8, 0.78, 0.82), (0.5, None, None), []),
    ],
)
def test_figures_disagree_where_their_intervals_do_not_meet(shuffled: Any, timed: Any, apart: list[str]) -> None:
    one, other = ({"auc": dict(zip(("mean", "low", "high"), found, strict=True))} for found in (shuffled, timed))
    assert disagreements({"cross_validated": one, "over_time": {"metrics": other}}) == apart


def test_a_period_of_one_label_has_no_auc_and_says_so(tmp_path: Path) -> None:
    found, data = example(tmp_path)
    lone = np.where(data.days >= np.datetime64("2025-08-14"), 0, data.labels).astype(np.int8)
    trained = build(found, replace(data, labels=lone), tmp_path, NOW)
    periods = trained.manifest["metrics"]["over_time"]["periods"]
    assert [row["auc"] is None for row in periods] == [False, False, True]
    assert "not computable: one label" in trained.documents["card.html"].decode()


def test_a_choice_among_families_goes_by_the_periods(tmp_path: Path) -> None:
    start = MODEL_TOML.index("[estimator]\n")
    toml = f'{MODEL_TOML[:start]}[estimator]\nfamily = "auto"\n{MODEL_TOML[MODEL_TOML.index("[validation]") :]}'
    found, data = example(tmp_path, toml=toml)
    manifest = build(found, data, tmp_path, NOW).manifest
    counts = [row["chosen_in_folds"] for row in manifest["search"]["candidates"]]
    assert sum(counts) == 3  # each of the periods chose one
    assert "over time" in manifest["search"]["note"]
    assert len(manifest["metrics"]["over_time"]["periods"]) == 3


def test_the_same_rows_in_another_order_give_the_same_card(tmp_path: Path) -> None:
    found, data = example(tmp_path)
    again = data.take(np.random.default_rng(1).permutation(len(data.labels))).sorted()
    assert build(found, data, tmp_path, NOW).documents == build(found, again, tmp_path, NOW).documents


def test_rows_without_an_order_are_refused_before_a_search_begins(tmp_path: Path) -> None:
    found, data = example(tmp_path, 'periods = 3\n[search]\nmethod = "grid"\nparameters = {max_depth = [1, 2]}')
    steps: list[int] = []
    with pytest.raises(InvalidFile, match="day is the same day in all rows"):
        build(found, replace(data, days=np.full(len(data.labels), START)), tmp_path, NOW, lambda: steps.append(1))
    assert steps == []


def test_the_program_prints_the_figures_of_each_period_and_writes_nothing_where_it_can_not(tmp_path: Path) -> None:
    example(tmp_path)
    where = ("--data", tmp_path / "rows.csv", "--models", tmp_path / "model")
    done = run("train", "small", *where)
    assert done.returncode == 0, done.stderr
    assert "over time  rolling origin over day: 3 periods" in done.stdout
    assert "  AUC from 2025-03-17 0." in done.stdout
    toml = (tmp_path / "model" / "small" / "model.toml").read_text().replace("periods = 3", "periods = 400")
    (tmp_path / "model" / "small" / "model.toml").write_text(toml)
    before = {path: path.read_bytes() for path in (tmp_path / "model" / "small").iterdir()}
    refused = run("train", "small", *where)
    assert refused.returncode == 2
    assert refused.stderr.strip().endswith("fewer than the 400 periods that validation.periods asks for")
    assert before == {path: path.read_bytes() for path in (tmp_path / "model" / "small").iterdir()}
