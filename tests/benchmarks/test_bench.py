from __future__ import annotations

import pytest

from benchmarks import bench
from benchmarks.table import Line, Section, duration, rendered, write_page
from benchmarks.turns import in_turns, middle_half, percentile
from riskscore.errors import InvalidFile

EVERY_LINE = (
    "features.sql",
    "two connections",
    "textbook",
    "bare expansion",
    "twin engine, 4 reasons",
    "joblib engine, 4 reasons",
    "echo: the answer is the event",
    "usual: joblib.load, predict_proba",
    "lean: Booster, no scikit-learn",
    "p50, twin engine, 4 reasons",
    "p99, twin engine, 4 reasons",
    "lambda_handler(event)",
    "json to json",
    "through the emulator",
    "Booster.inplace_predict, rows prepared",
    "an unknown model, each row another",
    "json decoding, lambda_handler(event)",
    "joblib, 1 row, no reasons",
    "joblib, 10 rows, 4 reasons",
    "once loaded, joblib is the faster from",
    "the event that loads the estimator is answered faster by joblib from",
    "score.py, .csv",
    "score.py, .jsonl",
)


def test_a_quick_run_prints_every_line_of_the_table(capsys):
    assert bench.main(["--quick", "--this-environment"], {}) == bench.DONE
    printed = capsys.readouterr().out
    assert [line for line in EVERY_LINE if line not in printed] == []


def test_contenders_take_turns_and_the_first_round_does_not_count():
    order = []
    contenders = {name: lambda name=name: order.append(name) or float(len(order)) for name in "AB"}
    assert in_turns(contenders, rounds=2) == {"A": [3.0, 5.0], "B": [4.0, 6.0]}
    assert "".join(order) == "ABABAB"


@pytest.mark.parametrize(
    ("line", "ratio", "met"),
    [
        (Line("ours", [2.0, 6.0, 9.0], "theirs", [1.0, 3.0, 1.0], asked=2), 2.0, True),
        (Line("ours", [2.1], "theirs", [1.0], asked=2), 2.1, False),
        (Line("ours", [1.0], "theirs", [8.0], gain=True, asked=8), 8.0, True),
        (Line("ours", [1.0], "theirs", [7.9], gain=True, asked=8), 7.9, False),
        (Line("ours", [1.0], "theirs", [4.0]), 0.25, True),
    ],
)
def test_the_ratio_is_the_median_of_the_rounds_and_met_within_what_was_asked(line, ratio, met):
    assert (line.ratio(), line.met()) == (pytest.approx(ratio), met)


def test_an_unmet_ratio_says_so_and_is_named():
    section = Section("title", [Line("ours", [3.0], "theirs", [1.0], asked=2)], ["a note"])
    assert section.unmet() == ["ours against theirs"]
    table = rendered([section]).splitlines()
    assert table[-1] == "  a note"
    assert table[-2].split() == [
        *("ours", "3.00", "s", "theirs", "1.00", "s"),
        *("3.00", "x", "the", "time", "3.00", "to", "3.00", "at", "most", "2", "NOT", "MET"),
    ]


def test_columns_stay_aligned_whatever_they_hold():
    lines = [Line("a", [1e-4], "short", [2.0]), Line("a longer name", [3.0], "a longer yardstick", [123.0])]
    head, *_, first, second = rendered([Section("title", lines)]).splitlines()
    assert head.index("compared with") == first.index("short") == second.index("a longer yardstick")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(4.1e-4, "410 us"), (0.0351, "35.1 ms"), (0.6401, "640 ms"), (3.62, "3.62 s"), (75, "75.0 s")],
)
def test_durations_have_three_digits(seconds, words):
    assert duration(seconds) == words


def test_percentiles_and_quartiles():
    assert percentile(list(range(1, 201)), 0.99) == 198
    assert percentile([7.0], 0.5) == 7.0
    assert middle_half([1.0, 2.0, 3.0, 4.0, 5.0]) == (2.0, 4.0)
    assert middle_half([2.0]) == (2.0, 2.0)


def test_a_page_gets_the_table_between_its_marks_and_nothing_else_changes(tmp_path):
    page = tmp_path / "page.md"
    begin, end = "<!-- printed by make bench: begin -->", "<!-- printed by make bench: end -->"
    page.write_text(f"before\n{begin}\nold\n{end}\nafter\n")
    write_page(page, "make bench", "new")
    assert page.read_text() == f"before\n{begin}\n```\nnew\n```\n{end}\nafter\n"


def test_a_page_without_marks_is_refused(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("no marks")
    with pytest.raises(InvalidFile, match=r"page\.md lacks the two marks"):
        write_page(page, "make bench", "new")
