"""Every figure of a card is that of another computation: by brute force, by scikit-learn or by SciPy."""

from __future__ import annotations

import math
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, ks_2samp, spearmanr
from sklearn.metrics import roc_auc_score, roc_curve

from riskscore.contract.feature import Feature
from riskscore.errors import InvalidFile
from riskscore.model_card import bands, cutoffs, dependence, discrimination, drift, segments
from riskscore.model_card.aggregates import ks_interval

RNG = np.random.default_rng(4)
ROWS = 400
LABELS = (RNG.uniform(size=ROWS) < 0.3).astype(np.int8)
SCORES = np.round(np.clip(RNG.normal(0.3 + 0.2 * LABELS, 0.15), 0.01, 0.99), 2)  # with ties
NAN = math.nan

scored = st.lists(st.tuples(st.sampled_from((0, 1)), st.integers(1, 99)), min_size=2, max_size=60).filter(
    lambda rows: 0 < sum(label for label, _ in rows) < len(rows)
)


def arrays(rows):
    labels, scores = zip(*rows, strict=True)
    return np.array(labels, dtype=np.int8), np.array(scores) / 100


@given(scored)
def test_auc_and_ks_are_those_of_scikit_learn(rows):
    labels, scores = arrays(rows)
    assert discrimination.auc_of(labels, scores) == pytest.approx(roc_auc_score(labels, scores))
    assert discrimination.auc_interval(labels, scores)["mean"] == pytest.approx(roc_auc_score(labels, scores))
    wrong, caught, _ = roc_curve(labels, scores)
    assert discrimination.ks_of(labels, scores) == pytest.approx(np.abs(caught - wrong).max())


def test_the_interval_of_an_auc_is_delong_s_by_the_sum_over_all_pairs():
    bad, good = SCORES[LABELS == 1], SCORES[LABELS == 0]
    wins = (bad[:, None] > good) + 0.5 * (bad[:, None] == good)
    error = math.sqrt(np.var(wins.mean(axis=1), ddof=1) / len(bad) + np.var(wins.mean(axis=0), ddof=1) / len(good))
    found = discrimination.auc_interval(LABELS, SCORES)
    assert (found["high"] - found["low"]) / 2 == pytest.approx(1.959964 * error)


def test_ks_is_scipy_s():
    expected = ks_2samp(SCORES[LABELS == 1], SCORES[LABELS == 0]).statistic
    assert discrimination.ks_of(LABELS, SCORES) == pytest.approx(expected)


def test_the_interval_of_ks_holds_it_and_comes_out_the_same_again():
    found = ks_interval(LABELS, SCORES, 1)
    assert found == ks_interval(LABELS, SCORES, 1)
    assert found["low"] < found["mean"] < found["high"]


@pytest.mark.parametrize(("count", "rows"), [(0, 5), (3, 10), (50, 1000), (7, 7)])
def test_wilson_is_scipy_s(count, rows):
    expected = binomtest(count, rows).proportion_ci(method="wilson")
    assert discrimination.wilson(count, rows) == pytest.approx((expected.low, expected.high))


def test_deciles_hold_each_row_once_the_riskiest_first():
    found = discrimination.deciles(LABELS, SCORES)
    assert sum(row["rows"] for row in found) == ROWS
    assert sum(row["bads"] for row in found) == LABELS.sum()
    assert found[-1]["captured"] == found[-1]["cumulative_lift"] == 1
    ranked = sorted(zip(-SCORES, range(ROWS), strict=True))[:40]
    bads = sum(LABELS[k] for _, k in ranked)
    assert (found[0]["bads"], found[0]["lift"]) == (bads, pytest.approx(bads / 40 / LABELS.mean()))
    assert all(one["lowest"] >= other["highest"] for one, other in pairwise(found))


@given(scored, st.floats(0.05, 50))
@settings(max_examples=200)
def test_the_best_cut_off_earns_what_the_best_of_all_earns(rows, ratio):
    labels, scores = arrays(rows)

    def profit(cutoff):
        approved = scores < cutoff
        return (labels[approved] == 0).sum() - ratio * (labels[approved] == 1).sum()

    best = cutoffs.best_cutoff(labels, scores, ratio)
    assert profit(best) == pytest.approx(max(map(profit, [*scores, 1.0])))


@given(scored, st.lists(st.integers(1, 99).map(lambda k: k / 100), max_size=3))
def test_the_figures_at_a_cut_off_are_those_of_the_rows_below_it(rows, wanted):
    labels, scores = arrays(rows)
    held = cutoffs.distribution(labels, scores, wanted)
    assert {*wanted} <= {*held["cutoffs"]}
    for cutoff in (0.0, *held["cutoffs"], 1.0):
        approved, found = scores < cutoff, cutoffs.figures_at(held, cutoff, 3.0)
        goods, bads = (int((labels[approved] == label).sum()) for label in (0, 1))
        assert (found["approved"], found["bads"]) == (goods + bads, bads)
        assert found["approval_rate"] == pytest.approx((goods + bads) / len(labels))
        assert found["bad_rate"] == (pytest.approx(bads / (goods + bads)) if goods + bads else None)
        assert found["profit"] == pytest.approx(100 * (goods - 3 * bads) / len(labels))


def test_no_cut_off_but_those_asked_for_sets_few_rows_apart():
    held = cutoffs.distribution(LABELS, SCORES, [])
    assert min(map(sum, zip(held["goods"], held["bads"], strict=True))) >= cutoffs.FEWEST
    assert len(held["cutoffs"]) > 20


@pytest.mark.parametrize("asked", [-0.1, 0.0, 1.0, 2.0, NAN])
def test_a_cut_off_outside_of_the_scores_is_refused(asked):
    held = cutoffs.distribution(LABELS, SCORES, [0.3])
    with pytest.raises(
        InvalidFile, match=r"--cutoff must be a probability within the range of the card's cut-offs, 0\."
    ):
        cutoffs.held_cutoff(held, asked)


@pytest.mark.parametrize(("ratio", "given"), [(19.0, None), (4.0, 4)])
def test_what_a_bad_row_costs_is_given_or_what_the_threshold_implies(ratio, given):
    assert cutoffs.ratio_of(0.05, given) == pytest.approx(ratio)


def psi_by_hand(reference, column):
    edges = [-math.inf, *np.quantile(reference, np.arange(1, 10) / 10), math.inf]
    parts = list(pairwise(edges))
    p, q = (
        [np.mean([low <= value < high for value in values]) for low, high in parts] for values in (reference, column)
    )
    return sum((a - b) * math.log(a / b) for a, b in zip(p, q, strict=True))


def test_psi_is_the_sum_over_the_deciles_of_the_reference():
    reference, column = RNG.normal(size=2000), RNG.normal(0.2, 1, size=3000)
    assert drift.psi(reference, column) == pytest.approx(psi_by_hand(reference, column))
    assert drift.psi(reference, reference) == 0


def test_a_bin_without_rows_counts_as_half_a_row():
    column = np.array([0.0] * 50 + [1.0] * 50)
    p, q = 50 / 100.0, 0.5 / 100.5
    expected = (p - q) * math.log(p / q) + (p - 100 / 100.5) * math.log(p / (100 / 100.5))
    assert drift.psi(column, np.zeros(100)) == pytest.approx(expected)


def test_without_a_change_psi_stays_below_its_noise_in_nineteen_of_twenty_samples():
    samples = [(RNG.normal(size=300), RNG.normal(size=200)) for _ in range(400)]
    below = np.mean([drift.psi(one, other) <= drift.psi_noise(one, other) for one, other in samples])
    assert 0.9 < below < 0.99


def test_the_information_value_is_the_weight_of_evidence_over_the_values():
    column = np.array([0.0] * 60 + [1.0] * 30 + [NAN] * 10)
    labels = np.array([0] * 50 + [1] * 10 + [0] * 10 + [1] * 20 + [0] * 5 + [1] * 5, dtype=np.int8)
    bads, goods = np.array([10, 20, 5]) / 35, np.array([50, 10, 5]) / 65
    assert drift.information_value(column, labels) == pytest.approx(
        float(((bads - goods) * np.log(bads / goods)).sum())
    )


def test_correlations_are_spearman_s_over_the_rows_that_have_both():
    matrix = RNG.normal(size=(100, 3))
    matrix[:, 1] += matrix[:, 0]
    matrix[RNG.uniform(size=100) < 0.3, 2] = NAN
    found = {tuple(row["features"]): row["correlation"] for row in drift.correlations("abc", matrix)}
    for a, b in combinations(range(3), 2):
        expected = spearmanr(matrix[:, a], matrix[:, b], nan_policy="omit").statistic
        assert found["abc"[a], "abc"[b]] == pytest.approx(expected)


def test_a_constant_column_correlates_with_none():
    assert drift.correlations("ab", np.column_stack([np.ones(9), np.arange(9.0)])) == []


def test_partial_dependence_is_the_mean_over_the_rows_with_the_feature_put_there():
    rows = RNG.normal(size=(30, 2))
    found = dependence.dependence(lambda matrix: matrix[:, 0] * matrix[:, 1], rows, 0, [1.0, 3.0])
    assert found.mean(axis=1) == pytest.approx([rows[:, 1].mean(), 3 * rows[:, 1].mean()])


@pytest.mark.parametrize(
    ("means", "direction"), [([1, 2, 2, 3], 1), ([3, 1], -1), ([1, 2, 1], 0), ([1, 1], 0)], ids=str
)
def test_a_direction_is_of_steps_that_all_go_one_way(means, direction):
    assert dependence.direction_of(np.array(means, dtype=float)) == direction


def test_bands_hold_each_row_once_and_few_rows_go_with_the_next():
    points = np.rint(RNG.normal(600, 40, size=ROWS))
    edges = bands.point_edges(points)
    found = bands.bands(points, edges, LABELS, SCORES)
    assert [row["rows"] for row in found] == np.histogram(points, [-np.inf, *edges, np.inf])[0].tolist()
    assert min(row["rows"] for row in found) >= bands.FEWEST
    assert 1 < len(found) <= bands.MOST + 1
    assert all(edge % 5 == 0 for edge in edges)
    inside = points < edges[0]
    assert found[0]["mean"] == pytest.approx(SCORES[inside].mean())
    assert found[0]["bads"] == LABELS[inside].sum()


@pytest.mark.parametrize(
    ("values", "order"),
    [
        ([9.0, 10.0] * 60, ["9", "10"]),
        (
            [float(k) for k in range(1, 241)] + [NAN] * 60,
            ["below 60.8", "60.8 to 120", "120 to 180", "from 180", "missing"],
        ),
    ],
)
def test_segments_of_numbers_stand_in_their_order(values, order):
    column = np.array(values)
    labels = np.arange(len(column)) % 2
    names, given_order = segments.names_of(Feature("x", nullable=True), column)
    found = segments.segments(names, labels.astype(np.int8), labels / 2, 0.4, given_order)
    assert [row["segment"] for row in found] == order


def test_small_segments_are_merged_and_an_auc_of_few_rows_is_none():
    names = ["a"] * 200 + ["b"] * 150 + ["c"] * 30 + [""] * 20
    a, b, others = segments.segments(names, LABELS, SCORES, 0.4)
    assert (a["segment"], b["segment"], others["segment"]) == ("a", "b", "others (2)")
    assert (a["rows"], others["rows"], others["small"]) == (200, 50, False)
    assert a["auc"] == discrimination.auc_interval(LABELS[:200], SCORES[:200])
    assert a["flagged"] == (SCORES[:200] >= 0.4).mean()
    (few,) = segments.segments(["x"] * 30, LABELS[:30], SCORES[:30], 0.4)
    assert (few["segment"], few["small"], few["auc"]) == ("others (1)", True, None)
