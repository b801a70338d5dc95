"""What is found in a stranger's table: types, codes for missing, ids, twins and leaks; and what is refused."""

from __future__ import annotations

import csv
import random
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from riskscore.drafting.leakage import alone, suspected
from riskscore.drafting.profiling import profile_table
from riskscore.drafting.raw_table import read_table
from riskscore.errors import InvalidFile

if TYPE_CHECKING:
    from pathlib import Path

    from riskscore.drafting.column_profile import Profile
    from riskscore.drafting.profiling import TableProfile

LABELS = random.Random(2).sample([0, 1], 80, counts=[60, 20])


def profiled(
    path: Path, columns: dict[str, list[Any]], labels: list[Any] | None = None, **options: Any
) -> TableProfile:
    """The columns beside the target y, as a CSV holds them."""
    table = {**columns, "y": LABELS if labels is None else labels}
    with (path / "t.csv").open("w", newline="") as file:
        csv.writer(file).writerows([table, *zip(*table.values(), strict=True)])
    return look(path / "t.csv", **options)


def look(file: Path, **options: Any) -> TableProfile:
    return profile_table(read_table(file, "y"), "y", **options)


def only(path: Path, values: list[Any], **options: Any) -> Profile:
    """The profile of a column of these values, repeated over 80 rows, beside an honest one."""
    repeated = (values * 80)[:80]
    found = profiled(path, {"x": repeated, "z": noise()}, **options)
    return next(column for column in found.columns if column.name == "x")


def noise(seed: int = 1) -> list[float]:
    rng = random.Random(seed)
    return [round(rng.random(), 2) for _ in LABELS]


TYPES: list[tuple[list[Any], str, str]] = [
    ([1, 2, 3], "integer", ""),
    ([0, 36, 1000], "integer", ""),
    ([18_500, 42_000, 61_250], "number", ""),  # whole by chance
    (["\uff11\uff12", "\uff13"], "integer", ""),
    (["+1", "-2", "3"], "integer", ""),
    (["1.0", 2, 3], "number", ""),
    (["1e3", "2.5E-4", ".5"], "number", ""),
    (["$1,200.50", "-$3", "($4)", "5"], "number", "money"),
    (["1,200", "3,400"], "number", "money"),
    (["36.29%", "4 %", "5"], "number", "percent"),
    (["1.234,56", "3,5", "7"], "number", "decimal_comma"),
    (["12,5 €", "0,125 €"], "number", "decimal_comma"),
    (["1'234.50", "12\u2019345.00", "5"], "number", "money"),
    (["1 234.50", "12\u202f345", "7"], "number", "money"),
    (["1,234.50-", "12.00"], "number", "money"),
    (["1,234.50 USD", "12 usd", "$3"], "number", "money"),
    (["12,34,567.00", "1,200"], "number", "money"),
    (["\uff11\uff12\uff0c\uff13\uff14\uff15\uff0e\uff15", "\uffe5\uff13"], "number", "money"),
    (["1 234,50", "1\u00a0234", "7,5-"], "number", "decimal_comma"),
    (["EUR 1.234,50", "12,5 €"], "number", "decimal_comma"),
    (["(5.2%)", "1,234.5 %"], "number", "percent"),
    (["True", "FALSE"], "boolean", ""),
    (["yes", "no"], "category", ""),
    (["red", "green", "blue"], "category", ""),
    (["01067", "20095"], "category", ""),
    (["1e99", "2e99"], "category", ""),
]


@pytest.mark.parametrize(("values", "kind", "unit"), TYPES)
def test_a_type_for_each_column(tmp_path, values, kind, unit):
    column = only(tmp_path, values)
    assert (column.kind, column.unit, column.left_out) == (kind, unit, "")


VALUES: list[tuple[list[Any], list[float]]] = [
    (["$1,200.50", "-$3", "($4)", "5"], [1200.5, -3, -4, 5]),
    (["36.29%", "4 %", "5"], [36.29, 4, 5]),
    (["1.234,56", "3,5", "-7"], [1234.56, 3.5, -7]),
    (["true", "False"], [1, 0]),
    (["1'234.50", "12\u2019345.00-", "(5)", "\u22127"], [1234.5, -12345, -5, -7]),
    (["Rs. 12,34,567.50", "Rs.3-", "₹ -4"], [1234567.5, -3, -4]),
    (["1\u202f234,50 EUR", "(1.234,5)", "-7,25 €"], [1234.5, -1234.5, -7.25]),
    (["\uff11\uff0c\uff12\uff13\uff14\uff0e\uff15", "\uff17"], [1234.5, 7]),
]


@pytest.mark.parametrize(("values", "numbers"), VALUES)
def test_texts_are_read_as_the_numbers_that_they_mean(tmp_path, values, numbers):
    assert only(tmp_path, values).rows[: len(values)].tolist() == numbers


LEFT_OUT: list[tuple[list[Any], str]] = [
    ([""], "it is empty in every row"),
    (["NA", "", "null"], "it is empty in every row"),
    ([7], "it has the same value in every row"),
    (["Straße", "STRASSE", "straße"], "it has the same value in every row, in several spellings"),
    (["2024-01-31", "2024-02-01T10:00:00Z"], "it holds dates"),
    (["31.12.2024", "1.1.2025"], "it holds dates"),
    ([20240131, 20240201], "it holds dates; a number of days"),
    (["2024-12-01", "2024-12-24", ""], "it holds dates, and not in every row: is the event known"),
    (["Dec-2011", "Jan-2012"], "it holds dates"),  # months to come would be values that training never saw
    (["December 2011", "1 Sept 2012", "Dec 24, 2011"], "it holds dates"),
    (["2011-12", "2012-01"], "it holds dates"),
    (["Jan", "Feb", "December"], ""),
    (["May 5", "mar-a-lago 2012", "2011-13"], ""),
    ([f"some words, no {k} of them alike" for k in range(80)], "it is free text: 80 different values"),
    ([f"city {k // 2}" for k in range(80)], ""),
]


@pytest.mark.parametrize(("values", "reason"), LEFT_OUT)
def test_what_is_left_out_has_its_reason(tmp_path, values, reason):
    found = only(tmp_path, values).left_out
    assert found.startswith(reason)
    assert bool(found) == bool(reason)


UNREAD = {
    "it may be numbers in a spelling that isn't known: 40 of 80 cells look like 9*9 (9": [
        f"{k}*{k + 234}*50" if k % 2 else f"{k}*00" for k in range(80)
    ],
    "its amounts are in several currencies (EUR, USD): convert": ["1,200 USD", "3,400 EUR", "12 €"],
}


@pytest.mark.parametrize("reason", UNREAD)
def test_amounts_that_can_not_be_read_are_left_out_for_the_true_reason(tmp_path, reason):
    values = UNREAD[reason]
    assert only(tmp_path, values).left_out.startswith(reason)


COMMAS = ["0,5", "1,25", "3,0"]
SIGNS = {
    "1,234 is read as 1234;": ({"x": ["1,234", "5,600", "12,000"]}, [1234, 5600, 12000]),
    "1,234 is read as 1.234, as other": ({"x": ["1,234", "5,600", "12,000"], "w": COMMAS}, [1.234, 5.6, 12]),
    "1.234 is read with a decimal point": ({"x": ["1.234", "5.600", "12.000"]}, [1.234, 5.6, 12]),
    "1.234 is read as 1234, as other": ({"x": ["1.234", "5.600", "12.000"], "w": COMMAS}, [1234, 5600, 12000]),
    "": ({"x": ["1,234", "5,600.5", "12"]}, [1234, 5600.5, 12]),
}  # fmt: skip


@pytest.mark.parametrize("said", SIGNS)
def test_a_separator_that_could_be_either_is_never_settled_in_silence(tmp_path, said):
    columns, numbers = SIGNS[said]
    found = profiled(tmp_path, {name: (values * 80)[:80] for name, values in columns.items()} | {"z": noise()})
    column = next(column for column in found.columns if column.name == "x")
    assert column.rows[:3].tolist() == numbers
    assert column.reading.startswith(said)
    assert bool(column.reading) == bool(said)


MISSING: list[tuple[list[Any], dict[str | float, int], int]] = [
    (["1.5", "NA", "2.5", ""], {"NA": 20}, 20),
    (["red", "N/A", "None", "blue"], {"N/A": 20, "None": 20}, 0),
    ([1, 2, 3, 4, 5, 6, 7, -999], {-999: 10}, 0),
    ([1, 2, 3, 4, 5, 6, 999999, -99], {999999: 10, -99: 10}, 0),
    ([18, 40, 98, 99], {}, 0),  # an age
    ([300, 850, 999], {}, 0),  # no farther from the others than they are from each other, and not on more rows
    ([300, *range(790, 850), *[999] * 19], {999: 19}, 0),  # a spike
    ([*range(79), 999], {}, 0),  # on one row alone
    ([*range(37), "unknown", "refused", "refused"], {"unknown": 2, "refused": 4}, 0),
]


@pytest.mark.parametrize(("values", "codes", "empty"), MISSING)
def test_codes_for_missing_with_their_rows(tmp_path, values, codes, empty):
    column = only(tmp_path, values)
    assert (column.missing, column.empty) == (codes, empty)
    assert int(np.isnan(column.rows).sum()) == sum(codes.values()) + empty


def test_a_lone_minus_one_is_left_to_a_person(tmp_path):
    column = only(tmp_path, [-1, 0, 1, 2])
    assert column.missing == {}
    assert column.notes == ["-1 occurs in 20 rows and is the only value below 0: if it is a code, add it to missing"]


def test_values_of_a_category_come_by_their_rows_spelled_as_most_rows_have_them(tmp_path):
    column = only(tmp_path, [*["blue"] * 30, *["Red"] * 4, *["red"] * 40, *["green"] * 4, "once", "seldom"])
    assert column.categories == {"red": 44, "blue": 30, "green": 4}
    assert (column.rare, column.folded) == ((2, 2), True)
    assert column.rows[[0, 30, 34, 74, 78]].tolist() == [1, 0, 0, 2, -1]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("monthly_fee", "number"), ("average_balance", "number"), ("late_fee_count", "integer"), ("age", "integer")],
)
def test_whole_amounts_are_no_counts_as_the_columns_name_says(tmp_path, name, kind):
    found = profiled(tmp_path, {name: [5, 12, 30, 45] * 20, "z": noise()})
    assert found.columns[0].kind == kind


def test_whole_numbers_are_names_where_the_column_says_so(tmp_path):
    found = profiled(tmp_path, {"lender_id": [101, 7] * 40, "paid": [101, 7] * 40, "z": noise()})
    assert [(column.name, column.kind) for column in found.columns[:2]] == [
        ("lender_id", "category"),
        ("paid", "integer"),
    ]


def test_decimal_commas_of_one_column_settle_what_is_doubtful_in_others(tmp_path):
    table = {"sure": ["1,5", "2,25"] * 40, "groups": ["1.234", "12.500"] * 40, "point": ["1.5", "2.25"] * 40}
    found = {column.name: column for column in profiled(tmp_path, table).columns}
    assert found["groups"].rows[:2].tolist() == [1234, 12500]
    assert found["point"].rows[:2].tolist() == [1.5, 2.25]


# Ids

IDS: list[tuple[dict[str, list[Any]], tuple[str, ...]]] = [
    ({"uuid": [f"u-{k}" for k in range(80)]}, ("uuid",)),
    ({"who": [f"u-{k}" for k in range(80)]}, ("who",)),
    ({"CustomerId": [k * k for k in range(80)]}, ("CustomerId",)),
    ({"n": [*range(1000, 1080)]}, ("n",)),
    ({"who": [f"u-{k}" for k in range(80)], "loan_id": [*range(80)]}, ("loan_id",)),
    ({"income": [k * k * 37 for k in range(80)]}, ()),
    ({"share": [k / 80 for k in range(80)]}, ()),
    ({"words": [f"all of them differ, {k}" for k in range(80)]}, ()),
    ({"customer_id": [k * 3 // 4 for k in range(80)]}, ()),
]


@pytest.mark.parametrize(("columns", "ids"), IDS)
def test_an_id_is_proposed_where_a_column_tells_every_row_apart(tmp_path, columns, ids):
    assert profiled(tmp_path, {**columns, "z": noise()}).ids == ids


def test_whose_rows_they_are_stands_before_which_row_it_is(tmp_path):
    table = {"loan_id": [*range(80)], "customer_id": [k * 3 // 4 for k in range(80)], "z": noise()}
    assert profiled(tmp_path, table).ids == ("customer_id", "loan_id")


def test_what_else_names_rows_is_no_feature(tmp_path):
    table = {"a_id": [*range(80)], "b_id": [*range(1, 81)], "customer_id": ["", *(k * 3 // 4 for k in range(79))]}
    found = profiled(tmp_path, {**table, "z": noise()})
    assert {column.name: column.left_out for column in found.left_out} == {
        "b_id": "it identifies rows and says nothing else: 80 different values",
        "customer_id": "it identifies rows and says nothing else: 59 different values",
    }
    kept = profiled(tmp_path, {**table, "z": noise()}, keep=["customer_id"])
    assert [column.name for column in kept.features] == ["customer_id", "z"]


def test_numbers_that_name_somebody_are_no_quantity_however_often_they_stand_there(tmp_path):
    labels = random.Random(1).choices([0, 1], k=1000)
    rng = random.Random(2)
    table = {"customer_id": [rng.randrange(60) for _ in labels], "paid": [rng.randrange(60) for _ in labels]}
    assert [column.name for column in profiled(tmp_path, table, labels).features] == ["paid"]


# Twins


def test_of_columns_that_say_the_same_the_first_stays(tmp_path):
    numbers, words = noise(), random.Random(3).sample(["a", "b"], 80, counts=[40, 40])
    table = {
        "amount": numbers,
        "again": [f"{number}0" for number in numbers],
        "kind": words,
        "sort": [{"a": "an apple", "b": "some bread"}[word] for word in words],
        "other": noise(4),
    }
    found = profiled(tmp_path, table)
    assert {column.name: column.left_out for column in found.left_out} == {
        "again": "it duplicates amount in every row",
        "sort": "it duplicates kind in every row",
    }


# Leaks


def big(positives: int = 200) -> list[int]:
    return random.Random(6).sample([0, 1], 2000, counts=[2000 - positives, positives])


def leak(path: Path, values: list[Any], labels: list[int], **options: Any) -> TableProfile:
    rng = random.Random(7)
    honest = [round(rng.gauss(label, 2), 3) for label in labels]
    return profiled(path, {"x": values, "honest": honest}, labels, **options)


def known_afterwards(label: int, rng: random.Random) -> float:
    return round(rng.gauss(4 * label, 1), 3)


LEAKS = {
    "the label itself": lambda label, _: 5 * label,
    "next to the label": known_afterwards,
    "in words": lambda label, rng: rng.choice(["closed", "sold"]) if label else rng.choice(["open", "new"]),
    "not in order": lambda label, rng: rng.choice([1, 9]) if label else rng.choice([4, 5]),
    "filled afterwards": lambda label, rng: rng.randrange(100) if label and rng.random() < 0.4 else "",
    "not zero afterwards": lambda label, rng: rng.randrange(1, 100) if label and rng.random() < 0.4 else 0,
    "one of the words": lambda label, rng: "written off" if label and rng.random() < 0.4 else rng.choice("abc"),
}


@pytest.mark.parametrize("kind", LEAKS)
def test_a_column_that_knows_the_label_is_left_out(tmp_path, kind):
    labels, rng = big(), random.Random(8)
    found = leak(tmp_path, [LEAKS[kind](label, rng) for label in labels], labels)
    assert [column.name for column in found.features] == ["honest"]
    assert found.left_out[0].left_out.startswith("it may contain the label: ")


def test_the_figure_of_a_suspicion_stands_beside_it(tmp_path):
    labels, rng = big(), random.Random(8)
    values = [LEAKS["filled afterwards"](label, rng) for label in labels]
    found = leak(tmp_path, values, labels)
    filled = sum(value != "" for value in values)
    assert found.left_out[0].suspicion == f"of the {filled} rows where it is filled, 100% have label 1 (10.0% of all)"


def test_a_suspected_column_can_be_taken_all_the_same(tmp_path):
    labels = big()
    found = leak(tmp_path, [5 * label for label in labels], labels, keep=["x"])
    assert [column.name for column in found.features] == ["x", "honest"]
    assert found.columns[0].suspicion.startswith("alone it separates the labels with an AUC of 1.000")


@pytest.mark.parametrize(
    "make",
    [
        lambda _, rng: f"city {rng.randrange(60)}",  # many values: each one's rate is mostly chance
        lambda _, rng: rng.choice(["", 1, 2]),
        lambda label, rng: round(rng.gauss(1.5 * label, 1), 3),  # strong, and no more
    ],
)
def test_what_only_predicts_well_stays(tmp_path, make):
    labels, rng = big(), random.Random(9)
    assert leak(tmp_path, [make(label, rng) for label in labels], labels).left_out == []


def test_where_all_columns_separate_well_none_stands_out():
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 1], 300).astype(np.int8)
    strong = {f"x{k}": alone(rng.normal(labels * (2.2 + k / 20)), labels, True) for k in range(6)}
    assert max(one.auc for one in strong.values()) > 0.95
    assert suspected(strong) == {}


def test_what_many_names_separate_by_chance_is_none_of_their_merit():
    labels = np.array(random.Random(1).sample([0, 1], 200, counts=[180, 20]), dtype=np.int8)
    assert alone(np.arange(200) // 2 * 1.0, labels, False).auc < 0.6  # in-sample it would be 0.98


def test_with_few_rows_of_a_label_nothing_is_suspected():
    labels = np.repeat([0, 1], [90, 9]).astype(np.int8)
    assert alone(labels.astype(float), labels, True) is None


# Labels

MEANT: list[tuple[list[Any], str, int]] = [
    (["0", "1"], "", 40),
    (["0.0", "1.0"], "", 40),
    (["False", "True"], "", 40),
    (["good", "bad"], "bad", 40),
    (["paid", "open", "lost", "paid"], "lost", 20),
    (["1", "2"], "2", 40),
    (["0", "", "1", "1"], "", 40),
]


@pytest.mark.parametrize(("labels", "positive", "positives"), MEANT)
def test_what_a_label_means(tmp_path, labels, positive, positives):
    found = profiled(tmp_path, {"z": noise()}, labels * (80 // len(labels)), positive=[positive] if positive else [])
    assert (found.positives, found.labelled) == (positives, 80 - 20 * ("" in labels))


STATUS = ["Charged Off", "charged off ", "Default", "Paid", "Current", "NA", "", "PAID"]
WORDS: list[tuple[list[Any], dict[str, Any], list[list[str]]]] = [
    (STATUS, {"positive": ["CHARGED  OFF"]},
     [["Charged Off", "charged off"], ["Current", "Default", "PAID", "Paid"], ["", "NA"]]),
    (STATUS, {"positive": ["Default", "Charged Off"], "negative": ["paid"]},
     [["Charged Off", "Default", "charged off"], ["PAID", "Paid"], ["", "Current", "NA"]]),
    ([1, 2, 3, 2], {"positive": ["2"], "negative": ["1"]}, [["2"], ["1"], ["3"]]),
    (["1.0", "2.0", ""], {"positive": ["2"]}, [["2.0"], ["1.0"], [""]]),
    (["y", "Y", "n"], {"positive": ["Y"], "negative": ["y"]}, [["Y"], ["y"], ["n"]]),
    ([0, 1, "NA", "n/a"], {}, [["1"], ["0"], ["NA", "n/a"]]),
]  # fmt: skip


@pytest.mark.parametrize(("labels", "options", "words"), WORDS)
def test_every_word_of_a_label_is_one_or_zero_or_none(tmp_path, labels, options, words):
    labels = (labels * 80)[:80]
    found = profiled(tmp_path, {"z": noise()}, labels, **options).labels
    assert [sorted(found.words[meaning]) for meaning in (1, 0, -1)] == words
    assert sum(sum(rows.values()) for rows in found.words.values()) == 80


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("", {}, "t.csv is empty; expected a header line with column names"),
    ("a,y\n", {}, "t.csv has a header and no rows"),
    ("y\n0\n1\n0\n1\n", {}, "t.csv has no column beside y that can be a feature (no other)"),
    ("a,b\n1,0\n", {}, "t.csv, line 1: column y is missing; columns are separated by comma, semicolon or tab"),
    ("a|y\n1|0\n", {}, "t.csv, line 1: column y is missing; columns are separated by comma, semicolon or tab"),
    ("y;a\n0;1\n1;2,5\n1;x;y\n", {}, "t.csv, line 4: 3 cells, but the header has 2"),
    ("a,a,y\n1,1,0\n", {}, "t.csv, line 1: column a appears twice"),
    (",,y\n1,1,0\n2,2,1\n3,3,0\n4,4,1\n", {}, "t.csv has no column beside y that can be a feature (no other)"),
    ('a,y\n"x\ny",0\n1,2,3\n', {}, "t.csv, line 4: 3 cells, but the header has 2"),
    ('a,y\n1,0\n"x,1\n2,0\n', {}, "t.csv, line 3: broken quoting"),
    (
        "a,y\n1,0\n",
        {},
        "t.csv: 0 of 1 labelled rows have a y that means 1; a model needs rows of both labels, 2 of each at",
    ),
    ("a,y\n1,0\n2,0\n3,\n", {}, "t.csv: 0 of 2 labelled rows have a y that means 1;"),
    ("a,y\n1,0\n2,1\n3,2\n", {}, "t.csv, line 4: y must be 0 or 1, or empty, but the column has 3 different values"),
    ("a,y\n1,good\n2,bad\n", {}, "t.csv, line 2: y must be 0 or 1, or empty, but the column has 2 different values"),
    (
        "a,y\n1,good\n2,bad\n3,bad\n4,good\n",
        {},
        "t.csv, line 2: y must be 0 or 1, but it is 'bad' or 'good' here; --positive 'bad' or --positive 'good'",
    ),
    (
        "a,y\n1,good\n2,bad\n",
        {"positive": ["worse"]},
        "t.csv: no row has 'worse' as its y; the column has 2 different",
    ),
    (
        "a,y\n1,good\n2,bad\n",
        {"negative": ["good"]},
        "--negative needs --positive: name the labels that mean 1",
    ),
    ("a,y\n1,b\n2,c\n", {"positive": ["b"], "negative": ["b"]}, "'b' is given as --positive and as --negative"),
    ("a,b,y\n" + "1,2025-01-01,0\n2,2025-01-02,1\n" * 2, {"keep": ["b"]}, "t.csv: column b can't be kept, since it"),
    ("a,y\n1,0\n2,1\n", {"ids": ["b"]}, "t.csv: column b is missing"),
    ("a,y\n1,0\n2,1\n", {"ids": ["y"]}, "column y is the target, so it can be neither an id nor a feature"),
    ("a,y\n1,0\n2,1\n2,1\n3,0\n", {"ids": ["a"]}, "t.csv, line 4: the same a as in line 3; 1 row in all"),
    ("a,y\n1,0\n,1\n2,1\n3,0\n", {"ids": ["a"]}, "t.csv, line 3, column a: an id is missing"),
    ("a,y\n" + "7,0\n" * 5 + "7,1\n" * 5, {}, "t.csv has no column beside y that can be a feature (a: it has the same"),
    (
        "a,y\n" + "".join(f"{k}.5,{k % 2}\n" for k in range(200)) + "12 cm,1\n",
        {},
        "t.csv, line 202, column a: no number, nor in 1 of the 201 filled rows; correct that, or leave the column out",
    ),
]


@pytest.mark.parametrize(("text", "options", "sentence"), REFUSED)
def test_a_table_that_no_model_comes_of_is_one_sentence(tmp_path, text, options, sentence):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InvalidFile) as refused:
        look(tmp_path / "t.csv", **options)
    assert refused.value.message.startswith(sentence)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("name,y\nM\u00fcller,0\n".encode("latin-1"), "t.csv is not UTF-8 text, first in line 2"),
        ("name,y\nMueller,0\n".encode("utf-16"), "t.csv is not UTF-8 text, first in line 1"),
    ],
)
def test_another_encoding_is_refused_with_its_first_line(tmp_path, content, sentence):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(InvalidFile) as refused:
        look(tmp_path / "t.csv")
    assert refused.value.message.startswith(sentence)


# Files

ROWS = [
    [k / 7, word, label] for k, (word, label) in enumerate(zip(["a", "b; c", 'd"e', "f\ng"] * 20, LABELS, strict=True))
]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_any_usual_csv_is_read_alike(tmp_path, delimiter, encoding, end):
    with (tmp_path / "t.csv").open("w", newline="", encoding=encoding) as file:
        csv.writer(file, delimiter=delimiter, lineterminator=end).writerows([["\u00fc x", "word", "y"], *ROWS])
    found = look(tmp_path / "t.csv")
    assert [(column.name, column.kind) for column in found.columns] == [("\u00fc x", "number"), ("word", "category")]
    assert found.columns[0].rows.tolist() == [row[0] for row in ROWS]
    assert sorted(found.columns[1].categories) == ["a", "b; c", 'd"e', "f\ng"]


def test_a_parquet_is_read_as_the_csv_would_be(tmp_path):
    gaps = [None if k % 3 else k for k in range(80)]
    table = pa.table(
        {
            "whole": gaps,
            "share": [k / 7 for k in range(80)],
            "truth": [k % 2 == 0 for k in range(80)],
            "word": pa.array(["a", None, "b", "c"] * 20).dictionary_encode(),
            "day": [datetime(2025, 1, 1 + k % 28, tzinfo=UTC) for k in range(80)],
            "y": LABELS,
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    found = {column.name: column for column in look(tmp_path / "t.parquet").columns}
    kinds = {name: column.kind or column.left_out[:14] for name, column in found.items()}
    assert kinds == {
        "whole": "integer",
        "share": "number",
        "truth": "boolean",
        "word": "category",
        "day": "it holds dates",
    }
    assert (found["whole"].empty, found["word"].empty) == (53, 20)
    assert found["share"].rows.tolist() == table["share"].to_pylist()


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (
            {"x": [[1, 2], [3]], "y": [0, 1]},
            "t.parquet: column x holds list<element: int64>, which isn't a single value",
        ),
        ({"x": [1, 2], "z": [0, 1]}, "t.parquet: column y is missing"),
        ({"x": [], "y": []}, "t.parquet has a header and no rows"),
    ],
)
def test_a_parquet_that_no_model_comes_of_is_one_sentence(tmp_path, table, sentence):
    pq.write_table(pa.table(table), tmp_path / "t.parquet")
    with pytest.raises(InvalidFile) as refused:
        look(tmp_path / "t.parquet")
    assert refused.value.message == sentence


def test_a_typed_table_is_looked_at_as_it_is_read(tmp_path):
    texts = {
        "money": pa.array(["1234.5 ", "7", None, ""] * 20, pa.large_string()),
        "decimal": pa.array([Decimal("1.50"), Decimal("20.25"), None, None] * 20, pa.decimal128(12, 2)),
        "word": pa.array(["a  ", "b  ", "", None] * 20).dictionary_encode(),
        "truth": pa.array(["true", "False", "TRUE", ""] * 20),
        "bytes": pa.array([b"x", b"y ", b"x", b"z"] * 20, pa.binary()),
        "share": [float("nan"), 0.5, 0.25, 0.125] * 20,
        "y": LABELS,
    }
    table = pa.table(texts)
    blank = pa.table({name: pa.nulls(2, table[name].type) for name in texts})
    pq.write_table(pa.concat_tables([table, blank]), tmp_path / "t.parquet")
    found = look(tmp_path / "t.parquet")
    assert {column.name: (column.kind, column.as_text, column.empty) for column in found.columns} == {
        "money": ("number", True, 40),
        "decimal": ("number", False, 40),
        "word": ("category", True, 40),
        "truth": ("boolean", True, 20),
        "bytes": ("category", True, 0),
        "share": ("number", False, 20),
    }
    assert found.notes == ["t.parquet: 2 empty rows skipped, the first is row 81"]


def test_a_file_that_only_is_called_parquet(tmp_path):
    (tmp_path / "t.parquet").write_text("a,y\n1,0\n")
    with pytest.raises(InvalidFile, match=r"t\.parquet can't be read as a parquet file"):
        look(tmp_path / "t.parquet")
