"""What the rows of transactions say: every usual spelling of an amount, a type and a time, and nothing by guess."""

from __future__ import annotations

from contextlib import closing

import duckdb
import pytest

from tests.scoring_examples import ROOT

READINGS = (ROOT / "sql" / "default_90d" / "readings.sql").read_text()
NO_NUMBER, TWO_NUMBERS = "amount is no number", "amount can be read in two ways"
NO_TIME, TWO_TIMES = "timestamp is no time", "timestamp can be read in two ways"
UNDIRECTED = "type is empty, and the sign says nothing"


@pytest.fixture
def read():
    """The readings of transactions (customer, id, amount, type, description, timestamp), by column name."""
    with closing(duckdb.connect()) as connection:

        def of(*transactions, type="varchar"):
            connection.execute(
                f"CREATE OR REPLACE TABLE transactions (customer_id varchar, transaction_id varchar, amount {type}, "
                '"type" varchar, description varchar, "timestamp" varchar)'
            )
            connection.executemany("INSERT INTO transactions VALUES (?, ?, ?, ?, ?, ?)", transactions)
            cursor = connection.execute(READINGS)
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

        yield of


def transaction(amount="5", kind="debit", moment="2025-02-01", description="TESCO", number=None, customer="C"):
    return (customer, number, amount, kind, description, moment)


@pytest.mark.parametrize(
    ("text", "spent"),
    [
        ("1234.50", 1234.5),
        (" 1234.5 ", 1234.5),
        ("1,234.50", 1234.5),
        ("1,234,567.89", 1234567.89),
        ("12,34,567.89", 1234567.89),
        ("1'234.50", 1234.5),
        ("1\u2019234.50", 1234.5),
        ("1 234.50", 1234.5),
        ("1\u00a0234,50", 1234.5),
        ("1\u202f234,50", 1234.5),
        ("1\u2009234\u2009567,5", 1234567.5),
        ("1.234,50", 1234.5),
        ("1.234.567", 1234567),
        ("1,234,567", 1234567),
        ("12,5", 12.5),
        ("12,50", 12.5),
        ("0,125", 0.125),
        ("0.125", 0.125),
        ("1234,500", 1234.5),
        (".50", 0.5),
        ("5.", 5),
        ("5", 5),
        ("1e3", 1000),
        ("-1,234.50", 1234.5),
        ("\u22121,234.50", 1234.5),
        ("- 45.50", 45.5),
        ("1,234.50-", 1234.5),
        ("1.234,50-", 1234.5),
        ("45.50 -", 45.5),
        ("(1,234.50)", 1234.5),
        ("( 45.50 )", 45.5),
        ("+45.50", 45.5),
        ("\u00a31,234.50", 1234.5),
        ("-\u00a31,234.50", 1234.5),
        ("\u00a3-1,234.50", 1234.5),
        ("(\u00a345.50)", 45.5),
        ("\u00a3(45.50)", 45.5),
        ("1.234,50 \u20ac", 1234.5),
        ("EUR 1.234,50", 1234.5),
        ("1,234.50gbp", 1234.5),
        ("US$ 12.00", 12),
        ("R$ 1.234,56", 1234.56),
        ("12,50 kr", 12.5),
        ("CHF 1'234.50", 1234.5),
    ],
)
def test_usual_spellings_of_an_amount_are_read(read, text, spent):
    (row,) = read(transaction(text))
    assert (row["unread"], float(row["amount"])) == (None, -spent)


@pytest.mark.parametrize(
    "text",
    [
        *("ten", "n/a", "null", "nan", "inf", "1e30", "--5", "-5-", "(-5)", "12,-", "12 34", "1,23.4.5", "12.345.6"),
        *("5%", "1_000", "0x10", "ABC 5", "5 pieces", "1.5.", "-", ".", "1234567890123456", "\u0661\u0662", "1,2,3"),
    ],
)
def test_an_amount_that_is_none_is_unread(read, text):
    (row,) = read(transaction(text))
    assert (row["unread"], row["amount"], row["left_out"]) == (NO_NUMBER, None, None)


@pytest.mark.parametrize(
    ("texts", "amounts"),
    [
        (["1,234", "5.50"], [1234, 5.5]),
        (["1.234", "5.50"], [1.234, 5.5]),
        (["1.234", "5,50"], [1234, 5.5]),
        (["1,234", "5,50"], [1.234, 5.5]),
        (["1.234", "1.234,50"], [1234, 1234.5]),
        (["1,234", "1,234.50", "7"], [1234, 1234.5, 7]),
        (["1,234", "7"], [None, 7]),
        (["1.234", "7"], [None, 7]),
        (["$1,234", "1234"], [None, 1234]),
        (["1,234", "5,50", "6.50"], [None, 5.5, 6.5]),
        (["1.234,50", "1,234.50", "12"], [1234.5, 1234.5, 12]),
    ],
    ids=lambda values: " ".join(map(str, values)),
)
def test_the_whole_file_tells_what_a_comma_means(read, texts, amounts):
    rows = read(*(transaction(text, "credit") for text in texts))
    assert [row["amount"] and float(row["amount"]) for row in rows] == amounts
    assert [row["unread"] for row in rows] == [TWO_NUMBERS if amount is None else None for amount in amounts]


@pytest.mark.parametrize("type", ["double", "decimal(18, 3)"])
def test_a_column_of_numbers_needs_no_telling(read, type):
    (row,) = read(transaction(1.234, "credit"), type=type)
    assert (row["unread"], float(row["amount"])) == (None, 1.234)


def test_nothing_and_not_a_number_in_a_column_of_numbers_are_gaps_and_infinity_is_unread(read):
    rows = read(*(transaction(number) for number in (None, float("nan"), float("inf"))), type="double")
    assert [row["left_out"] for row in rows] == ["without amount", "without amount", None]
    assert rows[2]["unread"] == NO_NUMBER


def test_amounts_of_several_currencies_have_no_sum(read):
    rows = read(*(transaction(text) for text in ("\u00a35", "\u20ac6", "GBP 7", "8")))
    other = "amount is in another currency than most"
    assert [row["unread"] for row in rows] == [None, other, None, None]


@pytest.mark.parametrize(
    ("amount", "kinds"),
    [
        (-5, ["debit", "DEBIT", " Debit ", "dr", "DR.", "D", "db", "DBIT", "dbt", "Debits", "débit"]),
        (5, ["credit", "Credit\u00a0", "CR", "cr.", "C", "CRDT", "cdt", "Credits", "crédit"]),
    ],
)
def test_words_for_debit_and_credit(read, amount, kinds):
    rows = read(*(transaction("5", kind) for kind in kinds))
    assert {kind: row["amount"] for kind, row in zip(kinds, rows, strict=True)} == dict.fromkeys(kinds, amount)


def test_a_type_that_is_neither_is_unread_whatever_the_sign(read):
    kinds = ["fee", "transfer", "reversal", "x", "DC", "credit note", "debit/credit", "1", "-"]
    rows = read(*(transaction(amount, kind) for amount in ("5", "-5") for kind in kinds))
    assert {row["unread"] for row in rows} == {"type is neither debit nor credit"}


@pytest.mark.parametrize(
    ("amounts", "directions"),
    [
        (["-5", "7"], ["debit", "credit"]),
        (["+7"], ["credit"]),
        (["-5", "0"], ["debit", None]),
        (["0"], [None]),
    ],
)
def test_without_a_type_the_sign_decides(read, amounts, directions):
    rows = read(*(transaction(amount, "") for amount in amounts))
    assert [(row["direction"], row["unread"]) for row in rows] == [(direction, None) for direction in directions]


def test_without_a_type_an_amount_without_a_sign_says_nothing_where_debits_have_none(read):
    assert [row["unread"] for row in read(transaction("5", ""))] == [UNDIRECTED]
    assert [
        row["unread"] for row in read(transaction("5"), transaction("6"), transaction("-1"), transaction("7", ""))
    ] == [
        *(None, None, None),
        UNDIRECTED,
    ]


@pytest.mark.parametrize(
    ("transactions", "against"),
    [
        ([("-5", "debit"), ("5", "credit")], [False, False]),
        ([("5", "debit"), ("5", "credit")], [False, False]),
        ([("-5", "debit"), ("-6", "debit"), ("7", "debit")], [False, False, True]),
        ([("5", "debit"), ("6", "debit"), ("-7", "debit")], [False, False, True]),
        ([("-5", "credit")], [True]),
    ],
)
def test_where_sign_and_type_differ_the_type_decides_and_it_is_counted(read, transactions, against):
    rows = read(*(transaction(*given) for given in transactions))
    assert [row["is_against_type"] for row in rows] == against
    assert [row["amount"] > 0 for row in rows] == [kind == "credit" for _, kind in transactions]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-02-01", "2025-02-01 00:00:00"),
        ("2025-02-01 10:23:45", "2025-02-01 10:23:45"),
        ("2025-02-01T10:23:45Z", "2025-02-01 10:23:45"),
        ("2025-02-01T10:23:00+02:00", "2025-02-01 08:23:00"),
        ("2025-02-01 10:23:00.5-0530", "2025-02-01 15:53:00.500000"),
        ("2025/02/01 10:23", "2025-02-01 10:23:00"),
        ("31/01/2025 10:23", "2025-01-31 10:23:00"),
        ("01/31/2025", "2025-01-31 00:00:00"),
        ("31.01.2025", "2025-01-31 00:00:00"),
        ("31-01-2025", "2025-01-31 00:00:00"),
        ("02/02/2025", "2025-02-02 00:00:00"),
        ("31-Jan-2025", "2025-01-31 00:00:00"),
        ("31 January 2025 10:23", "2025-01-31 10:23:00"),
        ("20250131", "2025-01-31 00:00:00"),
    ],
)
def test_usual_spellings_of_a_time_are_read(read, text, moment):
    (row,) = read(transaction(moment=text))
    assert (row["unread"], str(row["moment"])) == (None, moment)


@pytest.mark.parametrize(
    "text",
    ["2025-02-30", "31/02/2025 25:00", "soon", "1700000000", "15/01/24", "2025-02-01 10:00 Europe/London", "10:23"],
)
def test_a_time_that_is_none_is_unread(read, text):
    (row,) = read(transaction(moment=text))
    assert (row["unread"], row["moment"]) == (NO_TIME, None)


@pytest.mark.parametrize(
    ("texts", "days"),
    [
        (["03/04/2025", "31/01/2025"], [(4, 3), (1, 31)]),
        (["03/04/2025", "01/31/2025"], [(3, 4), (1, 31)]),
        (["03/04/2025"], [None]),
        (["03/04/2025", "31/01/2025", "01/31/2025"], [None, (1, 31), (1, 31)]),
    ],
)
def test_the_whole_file_tells_whether_the_day_comes_first(read, texts, days):
    rows = read(*(transaction(moment=text) for text in texts))
    assert [row["moment"] and (row["moment"].month, row["moment"].day) for row in rows] == days
    assert [row["unread"] for row in rows] == [TWO_TIMES if day is None else None for day in days]


def test_what_is_left_out_says_why(read):
    given = {"number": "1", "moment": "2025-02-01"}
    rows = read(
        transaction("5", **given),
        transaction("5.00", **given),
        transaction("6", **given),
        transaction("", number="2"),
        transaction("", None, " ", "\u00a0", customer=None),
        transaction("5"),
        transaction("5"),
    )
    left_out = ["contradicting", "repeated", None, "without amount", "blank", None, None]
    assert sorted(map(str, (row["left_out"] for row in rows))) == sorted(map(str, left_out))
    assert [row["left_out"] for row in rows[3:]] == left_out[3:]
    assert [row["place"] for row in rows] == [1, 2, 3, 4, 5, 6, 7]


def test_a_transaction_of_nobody_is_unread(read):
    (row,) = read(transaction(customer=" "))
    assert row["unread"] == "customer_id is empty"


def test_one_that_cannot_be_read_does_not_stand_for_its_id(read):
    rows = read(transaction("n/a", number="1", moment="2025-02-01"), transaction("5", number="1", moment="2025-02-02"))
    assert [(row["unread"], row["left_out"]) for row in rows] == [(NO_NUMBER, None), (None, None)]
