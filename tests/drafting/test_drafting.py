"""A drafted model.toml: valid TOML whatever names and values hold, and read as it was looked at."""

from __future__ import annotations

import csv
import math
import random
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from riskscore.contract.encoding import Encoding
from riskscore.drafting.drafting import comment, draft, folds_of, listed, threshold_of
from riskscore.drafting.profiling import profile_table
from riskscore.drafting.raw_table import read_table
from riskscore.model_toml.schema import quoted
from riskscore.model_toml.settings import read_settings
from riskscore.sources.sources import rows_at, spec_of_settings

if TYPE_CHECKING:
    from pathlib import Path

    from riskscore.drafting.profiling import TableProfile
    from riskscore.model_toml.settings import Settings

ROWS = 60
LABELS = random.Random(2).sample([0, 1], ROWS, counts=[42, 18])
ODD_NAMES = [
    "a[b",
    "a(b",
    'say "hi"',
    "a.b",
    "a b",
    "ü, ö; [x]",
    "# no comment",
    "a\nb",
    "'",
    "\\",
    "\u007f",
    "]",
    "features",
    "model",
]


def profiled(
    path: Path, columns: dict[str, list[Any]], labels: list[Any] | None = None, **options: Any
) -> TableProfile:
    table = {name: (values * ROWS)[:ROWS] for name, values in columns.items()} | {"y": labels or LABELS}
    with (path / "t.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([table, *zip(*table.values(), strict=True)])
    return profile_table(read_table(path / "t.csv", "y"), "y", **options)


def drafted(
    path: Path, columns: dict[str, list[Any]], labels: list[Any] | None = None, **options: Any
) -> dict[str, Any]:
    return tomllib.loads(draft("theirs", profiled(path, columns, labels, **options)))


def settled(path: Path, columns: dict[str, list[Any]], labels: list[Any] | None = None, **options: Any) -> Settings:
    """The draft as training reads it."""
    folder = path / "theirs"
    folder.mkdir()
    (folder / "model.toml").write_text(draft("theirs", profiled(path, columns, labels, **options)), encoding="utf-8")
    return read_settings(folder)


def test_a_plain_number_needs_nothing_but_its_name(tmp_path):
    assert drafted(tmp_path, {"x": [1.5, 2, 3]})["features"] == [{"name": "x"}]


FEATURES: list[tuple[list[Any], dict[str, Any]]] = [
    ([1, 2, 3], {"type": "integer"}),
    (["true", "false"], {"type": "boolean"}),
    ([1, 2, ""], {"type": "integer", "nullable": True}),
    (["1.5", "NA", "7.25"], {"nullable": True, "missing": ["NA"]}),
    ([1, 2, 3, 4, -999], {"type": "integer", "nullable": True, "missing": [-999]}),
    (["$5", "($1,000.50)"], {"unit": "money"}),
    (["5%", "1.5%"], {"unit": "percent"}),
    (["1,5", "2.000,25"], {"unit": "decimal_comma"}),
    (["5%", "1.5%", "3%", "-999"], {"unit": "percent", "nullable": True, "missing": [-999, "-999"]}),
    (["b", "a", "b"], {"type": "category", "values": ["b", "a"]}),
    (["b", "", "b", "a"], {"type": "category", "nullable": True, "values": ["b", "a"], "unknown": "missing"}),
    ([*"ab" * 25, *"cdefghijkl"], {"type": "category", "nullable": True, "values": ["a", "b"], "unknown": "missing"}),
    (
        [*"abcdefghijklmnopqrstu"],
        {"type": "category", "values": [*"abcdefghijklmnopqrstu"], "encoding": "ordinal"},
    ),
]


@pytest.mark.parametrize(("values", "entry"), FEATURES)
def test_a_feature_says_what_was_found_and_no_more(tmp_path, values, entry):
    assert drafted(tmp_path, {"x": values, "z": [0.5, 0.25, 1]})["features"][0] == {"name": "x", **entry}


def test_comments_say_how_many_rows_speak_for_it(tmp_path):
    text = draft("theirs", profiled(tmp_path, {"x": ["b", "NA", "a", "b"], "z": [1, 2, 3, 4, -999]}))
    for line in (
        '  "b",  # 30',
        '  "NA",  # 15 rows: nothing is there',
        "nullable = true  # 25.0% of the rows have no value",
    ):
        assert line in text
    assert "  -999,  # 12 rows, far from all other values" in text


def test_what_was_left_out_becomes_a_feature_by_taking_its_marks_away(tmp_path):
    text = draft("theirs", profiled(tmp_path, {"x": [1, 2, 3], "same": [1, 2, 3], "day": ["2025-01-01", "2025-02-01"]}))
    start = text.index('# Left out: "same", since it duplicates x in every row.')
    assert '# Left out: "day", since it holds dates' in text
    block = text[start : text.index('# Left out: "day"')].splitlines()[1:]
    uncommented = "\n".join(line.removeprefix("# ") if "mostly" not in line else line for line in block)
    assert tomllib.loads(text[:start] + uncommented)["features"][1:] == [{"name": "same", "type": "integer"}]


# The table as a whole


def test_the_target_the_ids_and_what_labels_mean(tmp_path):
    found = drafted(
        tmp_path, {"loan_id": [*range(ROWS)], "x": [1.5, 2]}, ["bad", "good", "worse"] * 20, positive=["bad"]
    )
    assert (found["ids"], found["source"]) == (
        ["loan_id"],
        {"target": "y", "positive": ["bad"], "negative": ["good", "worse"]},
    )
    assert found["description"] == 'Probability that y is "bad"'


def test_without_an_id_events_may_bring_one_of_a_free_name(tmp_path):
    assert drafted(tmp_path, {"x": [1.5, 2]})["ids"] == ["id"]
    assert drafted(tmp_path, {"x": [1.5, 2], "id": ["a", "b"]})["ids"] == ["row_id"]


@pytest.mark.parametrize(
    ("positives", "rows", "folds", "repeats", "threshold"),
    [
        (2, 60, 2, 3, 0.0333),
        (15, 60, 3, 3, 0.25),
        (200, 4_000, 5, 1, 0.05),
        (3, 60_000, 2, 1, 0.0001),
        (59_999, 60_002, 2, 1, 0.9999),
    ],
)
def test_folds_by_the_rarer_label_and_a_threshold_at_the_base_rate(positives, rows, folds, repeats, threshold):
    class Table:
        labelled, base_rate = rows, positives / rows

    Table.positives = positives
    assert (folds_of(Table), threshold_of(Table)) == ((folds, repeats), threshold)


def test_values_come_as_text_only_where_a_column_needs_it(tmp_path):
    assert "parse" not in drafted(tmp_path, {"x": [1.5, 2], "z": ["a", "b"]})
    assert drafted(tmp_path, {"x": [1.5, 2], "z": ["5%", "6%"]})["parse"] == "text"
    assert drafted(tmp_path, {"x": [1.5, 2], "z": ["Monday", "friday", "monday"]})["parse"] == "text"


# Any name, any value

NAMES = (
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12).map(str.strip).filter(bool)
)


@given(st.text(st.characters(codec="utf-8")))
def test_any_text_is_a_toml_string_and_a_comment(text):
    assert tomllib.loads(f"x = {quoted(text)}\ny = {listed([text, text])}") == {"x": text, "y": [text, text]}
    assert tomllib.loads("\n".join(comment(text))) == {}


def test_odd_names_and_values_reach_the_contract(tmp_path):
    values = [ODD_NAMES[k % len(ODD_NAMES)] for k in range(ROWS)]
    found = settled(tmp_path, {name: [k, k + 0.5, 7 * k] for k, name in enumerate(ODD_NAMES, 1)} | {"word": values})
    assert list(found.contract.names) == [*ODD_NAMES, "word"]
    assert sorted(found.contract.feature("word").values) == sorted(ODD_NAMES)
    columns = Encoding(found.contract).names
    assert len(set(columns)) == len(columns)  # XGBoost takes no [, and "a(b" would stand there twice


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    names=st.lists(NAMES, min_size=1, max_size=4, unique_by=str.casefold), words=st.lists(NAMES, min_size=2, max_size=4)
)
def test_whatever_a_table_holds_its_draft_is_one_that_training_reads(tmp_path_factory, names, words):
    columns = {name: words[k:] + words[:k] for k, name in enumerate(names) if name != "y"}
    found = settled(tmp_path_factory.mktemp("any"), {"x of ours": [1.5, 2.5, 4], **columns})
    assert "x of ours" in found.contract.names


# What was looked at is what training and scoring read

COLUMNS: dict[str, list[Any]] = {
    "plain": [1.5, 2, 3e2, -4],
    "holes": [1, "", "NA", 3],
    "code": [1, 2, 3, 4, -999],
    "money": ["$1,200.50", "-$3", "($4)", "5", "n/a"],
    "percent": ["36.29%", "4 %", "5", -999, 2, 3],
    "comma": ["1.234,56", "3,5 €", "-7", "€ 1,5"],
    "swiss": ["1'234.50", "12\u2019345", "(7)", "5.5-", "CHF 3"],
    "french": ["1\u202f234,50", "3,5-", "12 EUR", "(7,25)"],
    "lakhs": ["Rs. 12,34,567.00", "₹ 5", "- 7", "Rs.3"],
    "wide": ["\uff11\uff12", "\uff13", "4"],
    "wider": ["\uff11\uff0c\uff12\uff13\uff14\uff0e\uff15", "\uffe5\uff13", "4"],
    "shares": ["(5.2%)", "5.2%-", "1,234.5 %", "\uff15\uff05"],
    "truth": ["TRUE", "false", ""],
    "words": ["Mon", "mon ", "TUE", "tue", "null"],
    "rare": [*"ab" * 29, "c", "d"],
}


def test_the_contract_reads_every_row_as_it_was_looked_at(tmp_path):
    table = profiled(tmp_path, COLUMNS)
    found = settled(tmp_path, COLUMNS)
    vectors = [found.contract.vector(row.features) for row in rows_at(tmp_path / "t.csv", spec_of_settings(found))]
    for column, read in zip(table.features, zip(*vectors, strict=True), strict=True):
        expected = column.rows.tolist()
        assert [None if math.isnan(x) else x for x in read] == [None if math.isnan(x) else x for x in expected], (
            column.name
        )


def test_numbers_may_come_as_numbers_where_they_are_written_as_text(tmp_path):
    found = settled(tmp_path, {"comma": ["1.234,56", "3,5"]})
    feature = found.contract.feature("comma")
    assert [feature.number(value) for value in (3.5, "3,5", "1.234")] == [3.5, 3.5, 1234]
