"""Cross-validation, its intervals, and calibration."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from riskscore.errors import InvalidFile
from riskscore.training.training_data import TrainingData
from riskscore.training.validation import (
    cross_validate,
    difference,
    interval,
    no_better_than_chance,
    reliability,
    scores_of,
    splits,
)


def data_of(rows: int, customers: list[str] | None = None) -> TrainingData:
    """One feature that is the row's number; every third row is positive."""
    matrix = np.arange(rows, dtype=float).reshape(-1, 1)
    return TrainingData(("x",), matrix, (np.arange(rows) % 3 == 0).astype(np.int8), customers, "rows of a test")


def test_every_row_is_predicted_once_per_repeat_by_a_model_that_has_not_seen_it() -> None:
    def predict(matrix: Any, labels: Any, unseen: Any) -> Any:
        assert not set(matrix[:, 0]) & set(unseen[:, 0])
        return unseen[:, 0] / 30

    validation = cross_validate(data_of(30), predict, folds=5, repeats=3, seed=1)
    assert np.array_equal(validation.out_of_fold, np.tile(np.arange(30) / 30, (3, 1)))


def test_every_fold_has_its_share_of_positives() -> None:
    def predict(matrix: Any, labels: Any, unseen: Any) -> Any:
        assert labels.sum() == 8
        return np.full(len(unseen), 0.3)

    cross_validate(data_of(30), predict, folds=5, repeats=2, seed=1)


def test_rows_of_one_customer_are_never_on_both_sides() -> None:
    customers = [f"C{k // 2}" for k in range(60)]

    def predict(matrix: Any, labels: Any, unseen: Any) -> Any:
        assert not {customers[int(k)] for k in matrix[:, 0]} & {customers[int(k)] for k in unseen[:, 0]}
        return np.full(len(unseen), 0.3)

    validation = cross_validate(data_of(60, customers), predict, folds=3, repeats=2, seed=1)
    assert "all rows of one customer in one fold" in validation.method


@pytest.mark.parametrize(
    ("customers", "folds", "sentence"),
    [
        (None, 6, "rows of a test: 5 rows of the rarer label can't be split into 6 folds"),
        (["C1"] * 12 + ["C2", "C3", "C4"], 3, "one of the 3 folds lacks a label"),
        ([*("C1", "C2", "C2") * 5], 2, "one of the 2 folds lacks a label"),
    ],
)
def test_folds_that_would_lack_a_label_are_refused(customers: list[str] | None, folds: int, sentence: str) -> None:
    with pytest.raises(InvalidFile) as refused:
        cross_validate(data_of(15, customers), lambda _m, _l, x: x[:, 0] / 30, folds, repeats=1, seed=1)
    assert sentence in refused.value.message


def test_each_repeat_deals_the_rows_anew_and_each_seed_otherwise() -> None:
    def dealt(seed: int) -> list[list[float]]:
        seen: list[list[float]] = []

        def predict(matrix: Any, labels: Any, unseen: Any) -> Any:
            seen.append(unseen[:, 0].tolist())
            return np.full(len(unseen), 0.3)

        cross_validate(data_of(30), predict, folds=2, repeats=2, seed=seed)
        return seen

    assert dealt(1) == dealt(1)
    assert dealt(1)[0] != dealt(1)[2]
    assert dealt(1) != dealt(100)


def test_the_largest_seed_deals_every_repeat() -> None:
    assert len(list(splits(data_of(30), folds=2, repeats=2, seed=2**32 - 1))) == 4


def test_progress_is_told_after_each_fold() -> None:
    steps: list[int] = []
    cross_validate(
        data_of(30), lambda _m, _l, x: x[:, 0] / 30, folds=3, repeats=2, seed=1, step=lambda: steps.append(1)
    )
    assert len(steps) == 6


def test_interval_is_nadeau_and_bengios_corrected_t() -> None:
    # values 1..5: mean 3, variance 2.5; t(0.975, 4) = 2.7764451; with test/train = 1/4: sqrt((1/5 + 1/4) * 2.5)
    found = interval([1.0, 2.0, 3.0, 4.0, 5.0], test_to_train=0.25)
    half = 2.7764451051977987 * (0.45 * 2.5) ** 0.5
    assert found == pytest.approx({"mean": 3.0, "low": 3.0 - half, "high": 3.0 + half})


def test_an_interval_stays_within_what_the_metric_can_be() -> None:
    assert interval([0.1, 0.99], test_to_train=0.5, largest=1.0) == {"mean": 0.545, "low": 0.0, "high": 1.0}


def test_scores_of_a_hand_computed_case() -> None:
    labels, predicted = np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])
    logs = -np.mean(np.log([0.9, 0.6, 0.35, 0.8]))
    assert scores_of(labels, predicted) == pytest.approx(
        {"auc": 0.75, "pr_auc": 0.8333333, "brier": 0.158125, "log_loss": logs}
    )


def test_reliability_compares_predicted_with_observed_in_bins_of_equal_size() -> None:
    predicted = np.array([0.1, 0.9, 0.2, 0.8])
    table = reliability(np.array([0, 1, 1, 1]), predicted, bins=2)
    assert table["bins"] == [
        {"predictions": 2, "lowest": 0.1, "highest": 0.2, "mean": pytest.approx(0.15), "observed": 0.5},
        {"predictions": 2, "lowest": 0.8, "highest": 0.9, "mean": pytest.approx(0.85), "observed": 1.0},
    ]
    assert table["ece"] == pytest.approx((0.35 + 0.15) / 2)


def test_reliability_of_fewer_rows_than_bins_leaves_no_bin_empty() -> None:
    assert [row["predictions"] for row in reliability(np.array([0, 1]), np.array([0.2, 0.7]))["bins"]] == [1, 1]


def test_a_difference_is_taken_fold_by_fold_so_that_what_folds_share_falls_out() -> None:
    def shifted(by: float) -> Any:
        return cross_validate(data_of(30), lambda _m, _l, x: 0.2 + by + x[:, 0] / 100, folds=3, repeats=2, seed=1)

    ours, theirs = shifted(0.0), shifted(0.001)
    found = difference(ours, theirs)["brier"]
    assert found["mean"] == pytest.approx(ours.metrics["brier"]["mean"] - theirs.metrics["brier"]["mean"])
    assert found["high"] - found["low"] < (ours.metrics["brier"]["high"] - ours.metrics["brier"]["low"]) / 10
    assert difference(ours, ours)["auc"] == {"mean": 0.0, "low": 0.0, "high": 0.0}


@pytest.mark.parametrize(
    ("low", "loss", "more", "words"),
    [
        (0.6, 0.3, {}, ""),
        (0.5, 0.3, {}, "any better than chance, 0.5"),
        (0.6, 0.36, {}, "log loss 0.3600 on rows not seen: no better than that of the base rate for all rows, 0.3500"),
        (0.6, 0.36, {"calibrated": {"log_loss": 0.3}}, ""),
    ],
)
def test_a_model_has_to_beat_chance_and_the_base_rate(low: float, loss: float, more: Any, words: str) -> None:
    found = {"auc": {"mean": 0.7, "low": low, "high": 0.8}, "log_loss": {"mean": loss}}
    said = no_better_than_chance({"cross_validated": found, "base_rate_log_loss": 0.35, **more})
    assert said.endswith(words)
    assert bool(said) == bool(words)
