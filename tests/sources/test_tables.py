"""Rows from files: any column order, separator and BOM; a broken row is told by file, line and column."""

from __future__ import annotations

import pytest

from riskscore.contract.contract import Contract
from riskscore.errors import InvalidFile
from riskscore.sources.tables import Layout, check_csv, read_csv, read_jsonl

CONTRACT = Contract.from_dicts(
    [{"name": "amount"}, {"name": "count", "type": "integer"}, {"name": "new", "type": "boolean"}]
)
GOOD = {"amount": 1.5, "count": 2.0, "new": True}


def rows(path, text, encoding="utf-8", **options):
    path = path / "rows.csv"
    path.write_bytes(text.encode(encoding))
    return [
        (line, row.message if isinstance(row, InvalidFile) else row)
        for line, row in read_csv(path, CONTRACT, **options)
    ]


@pytest.mark.parametrize(
    "text",
    [
        "amount,count,new\n1.5,2,true\n",
        "new;amount;count\nTRUE;1.5;2\n",
        "count\tnew\tamount\n2\t1\t1.5\n",
        "\ufeffamount,count,new\r\n1.5,2,true\r\n",
        ' amount , count ,"new"\n 1.5 ,"2", true\n',
        "amount,count,new\n\n1.5,2,true\n\n",
        "amount,count,new\n.15e1,+2.,1",
    ],
)
def test_one_row_however_it_is_written(tmp_path, text):
    assert [row for _, row in rows(tmp_path, text)] == [GOOD]


def test_a_row_has_the_line_that_it_begins_on(tmp_path):
    text = 'amount,count,new,name\n1.5,2,true,"two\nlines"\n1.5,2,true,x\n'
    assert [line for line, _ in rows(tmp_path, text, optional=["name"])] == [2, 4]


def test_an_empty_cell_is_a_missing_value(tmp_path):
    assert rows(tmp_path, "amount,count,new\n,,true\n") == [(2, {"amount": None, "count": None, "new": True})]


GAPS = "amount,count,new\n1.5,2,true\n,,\n\n , ,\n1.5,2,true\n"


@pytest.mark.parametrize(
    ("text", "lines", "said"),
    [
        (GAPS, [2, 6], ["rows.csv: 3 empty rows skipped, the first in line 3"]),
        (f"{GAPS},,\n", [2, 6], ["rows.csv: 4 empty rows skipped, the first in line 3"]),
        ("amount,count,new,,\n1.5,2,true,,\n1.5,2,true\n", [2, 3], ["2 columns without a name or a value skipped"]),
        ("amount,count,new\n1.5,2,true,,\n", [2], []),
        (
            ",amount,count,new\n0,1.5,2,true\n,1.5,2,true\n",
            [2, 3],
            ["column 1 has no name and isn't read; rows with a"],
        ),
        ("sep=,\namount,count,new\n1.5,2,true\n", [3], []),
        ("sep=\t\r\namount\tcount\tnew\r\n1.5\t2\ttrue\r\n", [3], []),
        ("sep=\\t\namount\tcount\tnew\n1.5\t2\ttrue\n", [3], []),
        ('\ufeff"SEP=|"\namount|count|new\n1.5|2|true\n', [3], []),
        ("sep=;;;\namount;count;new\n1.5;2;true\n;;\n", [3], ["1 empty row skipped, the first in line 4"]),
    ],
)
def test_what_a_spreadsheet_leaves_around_a_table_is_passed_over_and_told(tmp_path, text, lines, said):
    notes = []
    assert rows(tmp_path, text, note=notes.append) == [(line, GOOD) for line in lines]
    assert len(notes) == len(said)
    assert all(expected in note for expected, note in zip(said, notes, strict=True))


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("abc,2,true", "rows.csv, line 3, column amount: expected a number"),
        ("1_000,2,true", "rows.csv, line 3, column amount: expected a number"),
        ("NaN,2,true", "rows.csv, line 3, column amount: expected a number"),
        ("inf,2,true", "rows.csv, line 3, column amount: expected a number"),
        ("0x10,2,true", "rows.csv, line 3, column amount: expected a number"),
        ("1.5,two,true", "rows.csv, line 3, column count: expected a number"),
        ("1.5,2,perhaps", "rows.csv, line 3, column new: expected true or false"),
        ("1.5,2", "rows.csv, line 3: 2 cells, but the header has 3"),
        ("1.5,2,true,4", "rows.csv, line 3: 4 cells, but the header has 3"),
        ("1.5,2,true,,4", "rows.csv, line 3: 5 cells, but the header has 3"),
        ('1.5,"2"x,true', "rows.csv, line 3: broken quoting"),
        (
            f"1.5,{'2' * 200_000},true",
            "rows.csv, line 3: a cell of more than 131,072 characters; a quote in it may be unclosed",
        ),
    ],
)
def test_a_broken_row_is_told_in_its_place_and_the_next_is_read(tmp_path, line, sentence):
    good = "1.5,2,true"
    found = rows(tmp_path, f"amount,count,new\n{good}\n{line}\n{good}\n")
    assert found == [(2, GOOD), (3, sentence), (4, GOOD)]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "rows.csv is empty; expected a header line with column names"),
        ("\n", "rows.csv is empty; expected a header line with column names"),
        (" \n\n", "rows.csv is empty; expected a header line with column names"),
        ("\n\namount,count,new\n1,2,true\n", "rows.csv, line 1, is blank; expected a header line with column names"),
        (",,\namount,count,new\n1,2,true\n", "rows.csv, line 1, is blank; expected a header line with column names"),
        ("sep=;\n\n1;2\n", "rows.csv, line 2, is blank; expected a header line with column names"),
        ("sep=;\n", "rows.csv is empty; expected a header line with column names"),
        ("sep=;\namount;new\n1;true\n", "rows.csv, line 2: column count is missing"),
        ("amount,new\n1,true\n", "rows.csv, line 1: column count is missing"),
        ("amount,count,new,amount\n", "rows.csv, line 1: column amount appears twice"),
        ('amount,"count"x,new\n1,2,true\n', "rows.csv, line 1: broken quoting"),
        ('amount,count,"new\n1,2,true\n', "rows.csv, line 1: broken quoting"),
    ],
)
def test_a_file_that_can_not_be_read_at_all(tmp_path, text, sentence):
    with pytest.raises(InvalidFile) as caught:
        rows(tmp_path, text)
    assert caught.value.message == sentence


def test_another_encoding_is_refused_with_the_line_where_it_starts(tmp_path):
    good = "1,2,true,J\u00fcrgen\n".encode()
    (tmp_path / "rows.csv").write_bytes(b"amount,count,new,name\n" + 1000 * good + good.decode().encode("latin-1"))
    with pytest.raises(InvalidFile, match=r"rows.csv is not UTF-8 text, first in line 1002"):
        list(read_csv(tmp_path / "rows.csv", CONTRACT, optional=["name"]))


def test_other_columns_are_text_where_asked_for_and_noted_where_not(tmp_path):
    notes = []
    text = "id,amount,count,new,label,seen\n007,1.5,2,true,1,x\n"
    found = rows(tmp_path, text, required=["id"], optional=["seen"], note=notes.append)
    assert found == [(2, {"id": "007", **GOOD, "label": "1", "seen": "x"})]
    assert notes == ["rows.csv: columns not used: label"]


def test_a_required_column_that_lacks(tmp_path):
    with pytest.raises(InvalidFile, match="column id is missing"):
        rows(tmp_path, "amount,count,new\n1,2,true\n", required=["id"])


def test_another_spelling_of_the_header_is_ours(tmp_path):
    text = "betrag;anzahl;new\n1.5;2;true\n"
    assert rows(tmp_path, text, aliases={"betrag": "amount", "anzahl": "count"}) == [(2, GOOD)]


def test_two_spellings_of_one_column_are_refused(tmp_path):
    with pytest.raises(InvalidFile, match="line 1: column amount appears twice"):
        rows(tmp_path, "betrag,amount,count,new\n", aliases={"betrag": "amount"})


def one_cell(path, cell, parse="strict", **feature):
    """What a contract of one feature gets of a cell."""
    (path / "rows.csv").write_text(f"x,id\n{cell},7\n")
    contract = Contract.from_dicts([{"name": "x", **feature}], parse)
    ((_, row),) = read_csv(path / "rows.csv", contract, optional=["id"])
    return row.message if isinstance(row, InvalidFile) else row["x"]


@pytest.mark.parametrize(
    ("cell", "value"), [(" 101 ", "101"), ("Shoes & Co", "Shoes & Co"), ("True", "True"), ("", None)]
)
def test_a_categorys_cell_stays_text(tmp_path, cell, value):
    assert one_cell(tmp_path, cell, type="category", values=["101"]) == value


@pytest.mark.parametrize(("cell", "value"), [("NA", "NA"), ("-999", -999.0), ("1", 1.0), ("n/a", None)])
def test_a_missing_code_goes_to_the_contract_as_it_is(tmp_path, cell, value):
    expected = "rows.csv, line 2, column x: expected a number" if value is None else value
    assert one_cell(tmp_path, cell, nullable=True, missing=["NA", -999]) == expected


@pytest.mark.parametrize(("cell", "value"), [('"$-5,483.24"', "$-5,483.24"), ("36.29%", "36.29%"), (" ", None)])
def test_a_contract_that_takes_text_gets_text(tmp_path, cell, value):
    assert one_cell(tmp_path, cell, parse="text", unit="money") == value


@pytest.mark.parametrize("total", ["Total", "TOTALS:", " grand total ", "Summe"])
def test_a_last_row_that_adds_up_the_others_is_told_in_its_place(tmp_path, total):
    found = rows(tmp_path, f"id,amount,count,new\n1,1.5,2,true\n,,,\n{total},1.5,2,\n,,,\n", optional=["id"])
    assert found[1] == (4, "rows.csv, line 4, the last one, looks like a row of totals; remove it")


def test_a_row_that_is_called_so_among_others_is_one_of_them(tmp_path):
    text = "id,amount,count,new\nTotal,1.5,2,true\nShell,1.5,2,true\n"
    assert [row["id"] for _, row in rows(tmp_path, text, optional=["id"])] == ["Total", "Shell"]


def check(path, text):
    (path / "rows.csv").write_text(text)
    return check_csv(path / "rows.csv", {"betrag": "amount"})


def test_a_sound_file_has_a_separator_and_a_header(tmp_path):
    assert check(tmp_path, '\ufeffid;betrag\n1;"a;b"\n') == (Layout(";", 0, ["id", "betrag"]), ["id", "amount"])
    assert check(tmp_path, "sep=|\nid||betrag\n1||2\n") == (Layout("|", 1, ["id", "", "betrag"]), ["id", "amount"])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "rows.csv is empty; expected a header line with column names"),
        ("id,x\n1,2\n3\n", "rows.csv, line 3: 1 cells, but the header has 2"),
        ('id,x\n1,2\n3,"4\n5,6\n', "rows.csv, line 3: broken quoting"),
        ("id,amount,betrag\n", "rows.csv, line 1: column amount appears twice"),
    ],
)
def test_the_first_fault_of_a_file(tmp_path, text, sentence):
    with pytest.raises(InvalidFile) as caught:
        check(tmp_path, text)
    assert caught.value.message == sentence


def test_jsonl_gives_each_line_or_the_error_in_its_place(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text('\ufeff{"a": 1}\n\n{"a": \n[2]\n' + "[" * 100_000 + "\n")
    found = [(line, str(item) if isinstance(item, InvalidFile) else item) for line, item in read_jsonl(path)]
    assert found == [
        (1, {"a": 1}),
        (3, "events.jsonl, line 3: not a JSON value"),
        (4, [2]),
        (5, "events.jsonl, line 5: not a JSON value"),
    ]


def test_jsonl_of_another_encoding_is_refused(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_bytes('{"name": "J\u00fcrgen"}\n'.encode("latin-1"))
    with pytest.raises(InvalidFile, match=r"events.jsonl is not UTF-8 text"):
        list(read_jsonl(path))
