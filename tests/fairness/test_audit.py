"""The audit of scores by group: figures as by hand, planted biases found, bad input in one sentence."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.stats import norm
from scipy.stats.contingency import relative_risk

from riskscore.fairness.audit import verdict
from riskscore.fairness.grouping import AGES, groups_of
from riskscore.fairness.intervals import Estimate, difference, rate, ratio
from tests.fairness_examples import simulated, write
from tests.programs import run
from tests.scoring_examples import ROOT

# Figures by hand: who, group, probability, outcome. Approved is below 0.5.
HAND = [
    *(("A", 0.1, 0) for _ in range(24)),
    *(("A", 0.2, 1) for _ in range(6)),
    *(("A", 0.8, 1) for _ in range(6)),
    *(("A", 0.7, 0) for _ in range(4)),
    *(("B", 0.1, 0) for _ in range(12)),
    *(("B", 0.3, 1) for _ in range(3)),
    *(("B", 0.9, 1) for _ in range(9)),
    *(("B", 0.6, 0) for _ in range(6)),
]


def by_hand(folder, group=("group",)):
    write(
        folder / "scores.csv",
        ["id", "probability", "model_version"],
        [[f"P{k}", probability, "1"] for k, (_, probability, _) in enumerate(HAND)],
    )
    write(
        folder / "groups.csv",
        ["id", *group, "bad"],
        [[f"P{k}", *(name for _ in group), bad] for k, (name, _, bad) in enumerate(HAND)],
    )
    return ("--scores", folder / "scores.csv", "--groups", folder / "groups.csv", "--cutoff", 0.5, "--smallest", 10)


def audited(folder, *arguments):
    """report.json of an audit."""
    done = run("fairness", *arguments, "--out", folder / "out")
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "out" / "report.json").read_bytes())


def test_the_figures_are_those_by_hand(tmp_path):
    found = audited(tmp_path, *by_hand(tmp_path), "--outcome", "bad")["columns"]["group"]
    assert found["reference"] == "A"
    a, b = found["groups"]["A"], found["groups"]["B"]
    assert (a["rows"], b["rows"]) == (40, 30)
    assert (a["selection"]["value"], b["selection"]["value"]) == (30 / 40, 15 / 30)
    assert b["ratio"]["value"] == pytest.approx(float(Fraction(15, 30) / Fraction(30, 40)), abs=1e-6)
    assert a["equal_opportunity"]["rate"]["value"] == pytest.approx(24 / 28, abs=1e-6)
    assert b["equal_opportunity"]["difference"]["value"] == pytest.approx(12 / 18 - 24 / 28, abs=1e-6)
    assert b["calibration"]["mean_probability"] == pytest.approx((12 * 0.1 + 3 * 0.3 + 9 * 0.9 + 6 * 0.6) / 30)
    assert b["calibration"]["observed"]["value"] == pytest.approx(12 / 30)


def test_every_cut_off_is_that_of_a_brute_force(tmp_path):
    found = audited(tmp_path, *by_hand(tmp_path), "--outcome", "bad")["columns"]["group"]
    for row in found["cutoffs"]:
        rates = {
            name: Fraction(sum(p < row["cutoff"] for g, p, _ in HAND if g == name), sum(g == name for g, *_ in HAND))
            for name in "AB"
        }
        assert row["groups"]["A"]["selection"]["value"] == pytest.approx(float(rates["A"]), abs=1e-6)
        shown = row["groups"]["B"]["ratio"]
        assert (shown and shown["value"]) == (
            pytest.approx(float(rates["B"] / rates["A"]), abs=1e-6) if rates["A"] else None
        )


def test_intervals_are_those_of_scipy():
    found = relative_risk(15, 30, 30, 40).confidence_interval(0.95)
    ours = ratio(15, 30, 30, 40)
    assert (ours.low, ours.high) == pytest.approx((found.low, found.high), abs=1e-6)
    z = norm.ppf(0.975)
    for k, n in ((0, 10), (3, 10), (10, 10), (500, 900)):
        one = rate(k, n)
        for edge in (one.low, one.high):
            if 1e-9 < edge < 1 - 1e-9:  # where the score test is just significant
                assert abs(k / n - edge) / np.sqrt(edge * (1 - edge) / n) == pytest.approx(z, abs=1e-4)


def test_newcombe_s_own_example():
    found = difference(rate(56, 70), rate(48, 80))  # Newcombe 1998, table II, method 10
    assert (round(found.low, 4), round(found.high, 4)) == (0.0524, 0.3339)


@pytest.mark.parametrize("counts", [(0, 30, 10, 40), (30, 30, 40, 40), (30, 30, 10, 40), (0, 30, 40, 40)])
def test_nobody_or_everybody_has_an_interval_too(counts):
    found = ratio(*counts)
    assert 0 <= found.low <= found.high
    assert np.isfinite([found.low, found.high]).all()


def test_without_anybody_approved_in_the_reference_there_is_no_ratio():
    assert ratio(5, 30, 0, 40) is None
    assert verdict(None) == "nobody of the reference group is approved: there is no ratio"


# Simulated: a bias that was planted is found, and none where there is none

SEEDS = range(40)


@pytest.mark.parametrize("impact", [1.0, 0.9, 0.7])
def test_intervals_hold_what_was_planted_19_times_in_20(tmp_path, impact):
    held = 0
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        sizes = 1200, 800
        approved = rng.binomial(sizes, (0.6, 0.6 * impact))
        found = ratio(int(approved[1]), sizes[1], int(approved[0]), sizes[0])
        held += found.holds(impact)
    assert held >= 0.85 * len(SEEDS)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_planted_bias_lies_in_the_interval_and_equal_rates_do_not(tmp_path, seed):
    found = audited(tmp_path, *simulated(tmp_path, seed, impact=0.7))["columns"]["group"]["groups"]["B"]
    assert found["ratio"]["low"] <= 0.7 <= found["ratio"]["high"] < 1
    assert found["verdict"].startswith("below four fifths")
    assert found["equal_opportunity"]["difference"]["high"] < 0
    calibrated = found["calibration"]["difference"]
    assert calibrated["low"] <= 0 <= calibrated["high"]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_without_a_bias_equal_rates_lie_in_the_interval(tmp_path, seed):
    found = audited(tmp_path, *simulated(tmp_path, seed))["columns"]["group"]["groups"]["B"]
    assert found["ratio"]["low"] <= 1 <= found["ratio"]["high"]
    assert found["verdict"] == "at least four fifths; equal rates are within the interval"
    apart = found["equal_opportunity"]["difference"]
    assert apart["low"] <= 0 <= apart["high"]


@pytest.mark.parametrize(
    ("figure", "said"),
    [
        ((0.70, 0.65, 0.75), "below four fifths"),
        ((0.75, 0.65, 0.85), "below four fifths; the interval reaches across that line, too few rows to tell"),
        ((0.85, 0.75, 0.95), "at least four fifths; the interval reaches across that line, too few rows to tell"),
        ((0.95, 0.90, 1.05), "at least four fifths; equal rates are within the interval"),
        ((1.40, 1.30, 1.50), "the reference group's rate is below four fifths of this group's"),
    ],
)
def test_the_verdict_knows_its_noise(figure, said):
    assert verdict(Estimate(*figure, 100)) == said


def test_the_figures_are_those_of_fairlearn(tmp_path):
    """What fairlearn 0.15.0 gives for these rows: selection_rate, true_positive_rate, demographic_parity_ratio."""
    found = audited(tmp_path, *simulated(tmp_path, 5, impact=0.75))["columns"]["group"]["groups"]
    for group, selected, opportunity in (("A", 0.639662, 0.813636), ("B", 0.433129, 0.636829)):
        assert found[group]["selection"]["value"] == selected
        assert found[group]["equal_opportunity"]["rate"]["value"] == opportunity
    assert found["B"]["ratio"]["value"] == 0.677121


# Groups


def test_ages_are_banded_with_62_and_over_as_one():
    texts = [*(["18", "24", "24.9", "25", "34", "35", "44", "45", "54", "55", "61", "62", "90"] * 3), ""]
    found = groups_of("age", texts, 3, AGES)
    assert list(found.large) == [
        *("under 25", "25 to under 35", "35 to under 45", "45 to under 55", "55 to under 62", "62 and over"),
    ]
    assert (found.large["under 25"], found.large["62 and over"], found.unknown) == (9, 6, 1)


def test_spellings_of_a_word_are_one_group():
    assert groups_of("sex", ["male", "Male", "male", " MALE", "f", "F", "F"], 2).large == {"male": 4, "F": 3}


def test_a_group_below_the_cell_size_is_in_no_output(tmp_path):
    rows = [*HAND, *(("tiny", 0.123457, 0) for _ in range(7))]
    write(tmp_path / "scores.csv", ["id", "probability"], [[f"P{k}", row[1]] for k, row in enumerate(rows)])
    write(tmp_path / "groups.csv", ["id", "group"], [[f"P{k}", row[0]] for k, row in enumerate(rows)])
    places = ("--scores", tmp_path / "scores.csv", "--groups", tmp_path / "groups.csv", "--cutoff", 0.5)
    done = run("fairness", *places, "--smallest", 10, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out" / "report.json").read_bytes())
    assert (found["rows"], found["columns"]["group"]["too_small"]) == ("about 100", ["tiny"])
    assert found["columns"]["group"]["too_small_or_unknown"] == "fewer than 10"
    assert [*found["columns"]["group"]["groups"]] == ["A", "B"]
    assert "too small to be shown: tiny" in done.stdout
    assert "P0" not in (tmp_path / "out" / "report.html").read_text()


def test_the_report_stands_alone(tmp_path):
    audited(tmp_path, *by_hand(tmp_path), "--outcome", "bad")
    text = (tmp_path / "out" / "report.html").read_text()
    assert "no legal advice" in text or "legal advice" in text
    assert "data:image/svg+xml;base64," in text
    assert not [word for word in ("<script", "http://", "https://", "<link") if word in text]


# Scores as score.py writes them


def test_answers_of_a_jsonl_bring_their_cut_off_and_what_was_not_scored_is_said(tmp_path):
    arguments = by_hand(tmp_path)
    lines = [
        json.dumps({"id": f"P{k}", "outcome": "scored", "probability": p, "prediction": int(p >= 0.5), "reasons": []})
        for k, (_, p, _) in enumerate(HAND)
    ]
    lines.append(json.dumps({"id": "P999", "outcome": "invalid", "error": {"type": "x"}}))
    (tmp_path / "scores.jsonl").write_text("\n".join(lines))
    found = audited(tmp_path, "--scores", tmp_path / "scores.jsonl", *arguments[2:4], *arguments[6:])
    assert (found["cutoff"], found["columns"]["group"]["groups"]["B"]["selection"]["value"]) == (0.6, 0.5)
    assert "1 row left out: scores.jsonl has no probability for them." in found["notes"]


def test_ids_are_joined_whatever_form_a_table_gives_them(tmp_path):
    write(
        tmp_path / "scores.csv",
        ["id", "probability"],
        [[f"'=P{k}" if k % 2 else k, p] for k, (_, p, _) in enumerate(HAND)],
    )
    write(
        tmp_path / "groups.csv",
        ["id", "group"],
        [[f"=P{k}" if k % 2 else f"{k}.0", g] for k, (g, *_) in enumerate(HAND)],
    )
    places = (
        "--scores",
        tmp_path / "scores.csv",
        "--groups",
        tmp_path / "groups.csv",
        "--cutoff",
        0.5,
        "--smallest",
        10,
    )
    assert audited(tmp_path, *places)["rows"] == "70"


def test_scores_of_something_good_approve_above(tmp_path):
    found = audited(tmp_path, *by_hand(tmp_path), "--approve", "above", "--reference", "group=b")["columns"]["group"]
    assert (found["reference"], found["groups"]["A"]["selection"]["value"]) == ("B", 10 / 40)


def test_the_cut_off_of_a_model(tmp_path):
    arguments = by_hand(tmp_path)
    found = audited(tmp_path, *arguments[:4], *arguments[6:], "--model", "pay_later")
    assert found["cutoff"] == json.loads((ROOT / "model" / "pay_later" / "manifest.json").read_bytes())["threshold"]


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_groups_in_any_kind_of_table(tmp_path, kind):
    arguments = by_hand(tmp_path)
    rows = [{"id": f"P{k}", "group": group, "bad": bad} for k, (group, _, bad) in enumerate(HAND)]
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "groups.parquet")
    else:
        (tmp_path / "groups.jsonl").write_text("\n".join(map(json.dumps, rows)))
    given = (*arguments[:3], tmp_path / f"groups.{kind}", *arguments[4:], "--outcome", "bad")
    assert audited(tmp_path, *given)["columns"]["group"]["groups"]["B"]["equal_opportunity"]["rate"]["rows"] == 18


# Bad input


def changed(folder, name, change):
    lines = (folder / name).read_text().splitlines()
    (folder / name).write_text("\n".join(change(lines)) + "\n")


@pytest.mark.parametrize(
    ("file", "change", "more", "said"),
    [
        (
            "groups.csv",
            lambda lines: [lines[0], *(f"X{line}" for line in lines[1:])],
            (),
            "no row of scores.csv has its id",
        ),
        (
            "groups.csv",
            lambda lines: lines[:30],
            (),
            "only 29 of 70 rows of scores.csv have",
        ),
        (
            "groups.csv",
            lambda lines: [*lines, lines[1]],
            (),
            "line 72: the same id as in line 2; 1 row in all",
        ),
        ("scores.csv", lambda lines: [*lines, lines[1]], (), "line 72: the same id as in line 2"),
        ("groups.csv", lambda lines: [*lines, ",A,0"], (), "groups.csv, line 72: column id: an id is missing"),
        ("scores.csv", lambda lines: [*lines, "P99,1.5,1"], (), "line 72: expected a probability between"),
        ("scores.csv", lambda lines: [*lines, "P99,high,1"], (), "line 72: expected a probability between"),
        (
            "scores.csv",
            lambda lines: ["id,score,v", *lines[1:]],
            (),
            "scores.csv has no column probability",
        ),
        ("scores.csv", lambda lines: ["who,probability,v", *lines[1:]], (), "have no id column in common"),
        (
            "groups.csv",
            lambda lines: [line.replace(",B,", ",A,") for line in lines],
            (),
            "group has one group only",
        ),
        (
            "groups.csv",
            lambda lines: [*lines[:-1], "P69,B,perhaps"],
            ("--outcome", "bad"),
            "line 71, column bad: exp",
        ),
        (
            "scores.csv",
            list,
            ("--outcome", "default"),
            "groups.csv has no column default for the outcome",
        ),
        ("scores.csv", list, ("--group", "sex"), "groups.csv has no column sex for a group; there is id, group"),
        ("scores.csv", list, ("--cutoff", "1.5"), "--cutoff: expected a number between 0 and 1"),
        ("scores.csv", list, ("--cutoff", "nan"), "--cutoff: expected a number between 0 and 1"),
        ("scores.csv", list, ("--group", "group", "--reference", "C"), "group has no group 'C'; it has A, B"),
        (
            "scores.csv",
            list,
            ("--group", "group", "--smallest", "35"),
            "group has fewer than two groups of at least 35",
        ),
        ("scores.csv", list, ("--smallest", "2"), "--smallest: expected 5 rows or more"),
        ("scores.csv", list, ("--bands", "bad=3,1"), "--bands: expected COLUMN=NUMBER,NUMBER with rising numbers"),
        ("scores.csv", list, ("--age", "age"), "age has bands and is no column of groups; there is group, bad"),
        ("scores.csv", list, ("--group", "group", "--age", "group"), "column group: expected a number in each row"),
        ("scores.csv", list, ("--model", "nothing", "--cutoff", "2"), "--cutoff: expected a number between 0 and 1"),
    ],
)
def test_bad_input_is_one_sentence_and_writes_nothing(tmp_path, file, change, more, said):
    arguments = by_hand(tmp_path)
    changed(tmp_path, file, change)
    done = run("fairness", *arguments, *more, "--out", tmp_path / "out")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert said in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kept", [["id", "probability"], ["id", "probability", "prediction"]])
def test_scores_that_say_no_cut_off_need_one(tmp_path, kept):
    arguments = by_hand(tmp_path)
    write(tmp_path / "scores.csv", kept, [[f"P{k}", p, 0][: len(kept)] for k, (_, p, _) in enumerate(HAND)])
    done = run("fairness", *arguments[:4], *arguments[6:])
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "scores.csv doesn't say where its predictions become 1: give --cutoff, or --model NAME" in done.stderr


def test_too_many_values_are_no_groups(tmp_path):
    arguments = by_hand(tmp_path)
    write(tmp_path / "groups.csv", ["id", "age"], [[f"P{k}", k] for k in range(len(HAND))])
    done = run("fairness", *arguments)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "age has 70 different values: group them first (--age age bands ages in years," in done.stderr
