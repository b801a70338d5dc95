"""The features of a customer's transactions: a few of them, and what the SQL makes of them."""

from __future__ import annotations

import re
from contextlib import closing

import duckdb
import pytest

from tests.scoring_examples import ROOT

SQL = ROOT / "sql" / "default_90d"
FEATURES, LABELS, READINGS, TOLD = (
    (SQL / f"{name}.sql").read_text() for name in ("features", "labels", "readings", "counts")
)
COUNTS = re.findall(r"^    summed\.(\w+_count),$", FEATURES, re.MULTILINE)
DAY = "2025-02-0"


@pytest.fixture
def features():
    """Features by name, of transactions (customer, id, amount, type, description, timestamp), one customer's."""
    with closing(duckdb.connect()) as connection:
        connection.execute(f"CREATE VIEW merchant_words AS FROM read_csv('{SQL / 'merchant_words.csv'}')")

        def of(*transactions, type="varchar", query=FEATURES):
            connection.execute(
                f"CREATE OR REPLACE TABLE transactions (customer_id varchar, transaction_id varchar, amount {type}, "
                '"type" varchar, description varchar, "timestamp" varchar)'
            )
            if transactions:
                connection.executemany("INSERT INTO transactions VALUES (?, ?, ?, ?, ?, ?)", transactions)
            connection.execute(f"CREATE OR REPLACE TABLE readings AS {READINGS}")
            cursor = connection.execute(query)
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

        yield of


def paid(amount, description="", number=None, kind="debit", day=1, customer="C"):
    moment = f"{DAY}{day}T12:00:00" if isinstance(day, int) else day
    return (customer, number or f"{amount} {description} {day}", amount, kind, description, moment)


def test_an_account_added_up(features):
    (row,) = features(
        paid("2500.00", "ACME LTD PAYROLL FEB", kind="credit"),
        paid("-650", "RENT FEB", day=2),
        paid("-45.99", "TESCO 1234 LONDON", day=3),
        paid("-54.01", "BET365 0001", day=4),
    )
    assert {name: value for name, value in row.items() if value} == {
        "customer_id": "C",
        "num_transactions": 4,
        "total_debit": -750.0,
        "total_credit": 2500.0,
        "avg_amount": 437.5,
        "has_rent": 1,
        "has_salary": 1,
        "rent_count": 1,
        "salary_count": 1,
        "groceries_count": 1,
        "gambling_count": 1,
        "gambling_share": pytest.approx(54.01 / 750, abs=1e-15),
    }


@pytest.mark.parametrize(
    ("description", "category"),
    [
        ("RENT FEB", "rent"),
        ("rent-04/25", "rent"),
        ("  ReNt  ", "rent"),
        ("1234RENT5678", "rent"),
        ("Sainsbury's S/mkt", "groceries"),
        ("Sainsbury\u2019s", "groceries"),
        ("CO-OP GROUP 77", "groceries"),
        ("NETFLIX.COM", "subscriptions"),
        ("APPLE.COM/BILL", "subscriptions"),
        ("*BET*365*", "gambling"),
        ("Paddy  Power 99", "gambling"),
        ("Élèctric Ltd", "utilities"),
        ("TRANSFER TO J SMITH", "transfer"),
        ("PAYDAY UK", "loans"),
        ("UNPAID ITEM FEE", "fees"),
        ("ATM 00012", "cash"),
    ],
)
def test_a_description_is_compared_by_its_whole_words(features, description, category):
    (row,) = features(paid("-10", description))
    assert {name for name in COUNTS if row[name]} == {f"{category}_count"}


@pytest.mark.parametrize("description", ["", None, "12345", "!!!", "RENTAL CAR", "CURRENT CAFE", "ALPHABET", "BETTER"])
def test_what_names_no_merchant_is_of_no_category(features, description):
    (row,) = features(("C", "1", "-10", "debit", description, f"{DAY}1"))
    assert (row["num_transactions"], [name for name in COUNTS if row[name]]) == (1, [])


def test_a_description_may_be_of_two_categories_and_counts_once_in_each(features):
    (row,) = features(paid("-10", "PAYPAL *SKY BET BET BETTING"))
    assert [name for name in COUNTS if row[name]] == ["transfer_count", "gambling_count"]
    assert row["gambling_count"] == 1


@pytest.mark.parametrize(
    ("kind", "description", "counted"),
    [
        ("credit", "SALARY", ["salary_count"]),
        ("debit", "SALARY ADVANCE", []),
        ("debit", "TESCO", ["groceries_count"]),
        ("credit", "TESCO REFUND", []),
        ("credit", "TRANSFER", ["transfer_count"]),
        ("debit", "TRANSFER", ["transfer_count"]),
    ],
)
def test_a_word_counts_for_its_direction(features, kind, description, counted):
    (row,) = features(paid("10", description, kind=kind))
    assert [name for name in COUNTS if row[name]] == counted


@pytest.mark.parametrize(
    ("amount", "kind", "debit", "credit", "average"),
    [
        ("-45.99", "debit", -45.99, 0, -45.99),
        ("45.99", "DR", -45.99, 0, -45.99),
        ("-45.99", "credit", 0, 45.99, 45.99),
        ("45.99", " Credit ", 0, 45.99, 45.99),
        ("+45.99", "", 0, 45.99, 45.99),
        ("-45.99", None, -45.99, 0, -45.99),
        ("-1,045.99", "D", -1045.99, 0, -1045.99),
        ("0.00", "debit", 0, 0, 0),
        ("0", None, 0, 0, 0),
    ],
)
def test_what_was_spent_is_negative_by_its_type_whatever_its_sign(features, amount, kind, debit, credit, average):
    (row,) = features(paid(amount, kind=kind))
    assert (row["total_debit"], row["total_credit"], row["avg_amount"]) == (debit, credit, average)
    assert row["data_fault"] is None


@pytest.mark.parametrize("description", ["RENT", "TRANSFER"])
def test_an_amount_of_nothing_pays_nothing(features, description):
    (row,) = features(paid("0", description))
    assert (row["num_transactions"], [name for name in COUNTS if row[name]]) == (1, [])


def test_a_transaction_id_counts_once_as_its_earliest(features):
    (row,) = features(
        paid("-5", "TESCO", number="1", day=2), paid("-5", "TESCO", number="1", day=2), paid("-4", number="1", day=1)
    )
    assert (row["contradicting_transactions"], row["data_fault"]) == (1, None)
    assert (row["num_transactions"], row["total_debit"], row["groceries_count"]) == (1, -4, 0)


def test_two_customers_may_use_one_id_and_transactions_without_id_all_count(features):
    ours = [paid("-5", number="1"), ("C", None, "-1", "debit", "", f"{DAY}1"), ("C", " ", "-1", "debit", "", f"{DAY}1")]
    rows = features(*ours, paid("-7", number="1", customer="D"))
    assert [(row["customer_id"], row["num_transactions"], row["total_debit"]) for row in rows] == [
        ("C", 3, -7),
        ("D", 1, -7),
    ]


@pytest.mark.parametrize("amount", ["", None, " "])
def test_a_transaction_without_an_amount_does_not_count(features, amount):
    (row,) = features(("C", "1", amount, "debit", "RENT", f"{DAY}1"), paid("-10", number="2"))
    assert (row["num_transactions"], row["total_debit"], row["has_rent"]) == (1, -10, 0)
    assert (row["unread_transactions"], row["data_fault"]) == (0, None)


@pytest.mark.parametrize(
    ("faulty", "why"),
    [
        (paid("n/a"), "amount is no number"),
        (paid("1,000"), "amount can be read in two ways"),
        (paid("5", kind="transfer"), "type is neither debit nor credit"),
        (paid("5", kind=""), "type is empty, and the sign says nothing"),
        (paid("5", day="soon"), "timestamp is no time"),
        (paid("5", day="03/04/2025"), "timestamp can be read in two ways"),
    ],
)
def test_what_cannot_be_read_is_a_fault_of_its_customer_alone(features, faulty, why):
    other, row = features(
        paid("5", customer="A"), paid("7", number="1"), paid("8", number="2"), faulty, paid("n/a", number="4")
    )
    assert (other["data_fault"], other["unread_share"]) == (None, 0)
    assert row["data_fault"] == f"2 of 4 transactions can't be read, the first in row 4 of the file: {why}"
    assert (row["unread_transactions"], row["unread_share"], row["num_transactions"]) == (2, 0.5, 2)


def test_a_customer_of_whom_nothing_counts_is_a_fault_that_nothing_tolerates(features):
    read, unread, without = features(paid("-1"), paid("n/a", customer="D"), paid("", customer="E"))
    assert read["data_fault"] is None
    assert (
        unread["data_fault"] == "1 of 1 transactions can't be read, the first in row 2 of the file: amount is no number"
    )
    assert without["data_fault"] == "no transaction has an amount"
    assert (unread["unread_share"], without["unread_share"]) == (None, None)


def test_transactions_of_nobody_are_a_fault_without_an_id_and_blank_rows_are_none(features):
    blank = (None, None, "", " ", None, "")
    assert features() == features(blank) == []
    sound, nobody = features(blank, paid("-1"), paid("-1", customer=""), paid("-1", customer=None, number="2"))
    assert (sound["customer_id"], nobody["customer_id"], nobody["unread_share"]) == ("C", None, None)
    assert (
        nobody["data_fault"]
        == "2 of 2 transactions can't be read, the first in row 3 of the file: customer_id is empty"
    )


def test_the_counts_of_the_files(features):
    (counts,) = features(
        *(paid("-5", number="1"), paid("-5", number="1"), paid("-6", number="1"), paid("", number="2")),
        *((None,) * 6, paid("n/a"), paid("-7", kind=""), paid("8", day=""), paid("-9", kind="credit")),
        query=TOLD,
    )
    assert counts == {
        "transactions": 8,
        "unread": 1,
        "without_amount": 1,
        "repeated": 1,
        "contradicting": 1,
        "blank": 1,
        "without_type": 1,
        "against_their_type": 2,
        "without_time": 1,
    }


@pytest.mark.parametrize(
    ("transactions", "lowest"),
    [
        ([("100", 1), ("-30", 2)], 0),
        ([("-30", 1), ("100", 2)], -30),
        ([("-30", 1), ("-40", 2), ("100", 3), ("-50", 4)], -70),
        ([("-30", 1), ("100", 1)], 0),
        ([("-30", ""), ("20", 2)], -10),
    ],
    ids=["never below", "below at first", "deepest counts", "credits first at one time", "no date comes last"],
)
def test_the_lowest_balance_counts_from_where_the_file_begins(features, transactions, lowest):
    kinds = [paid(amount, kind="credit" if float(amount) > 0 else "debit", day=day) for amount, day in transactions]
    assert features(*kinds)[0]["lowest_balance"] == lowest
    assert features(*reversed(kinds))[0]["lowest_balance"] == lowest


def test_numbers_give_what_texts_give(features):
    texts = [paid("-0.1", number=str(k)) for k in range(10)]
    assert features(*texts) == features(*texts, type="double")
    assert features(*texts)[0]["total_debit"] == -1.0  # sums of floats would miss it


def test_a_label_by_its_customer():
    with closing(duckdb.connect()) as connection:
        connection.execute("CREATE TABLE labels (customer_id varchar, defaulted integer)")
        connection.execute("INSERT INTO labels VALUES (' C ' || chr(160), 1), ('D', NULL)")
        assert connection.execute(LABELS).fetchall() == [("C", 1), ("D", None)]


def test_every_category_of_the_words_is_a_feature():
    lines = (SQL / "merchant_words.csv").read_text().splitlines()
    assert lines[0] == "word,category,direction"
    words, categories, directions = zip(*(line.split(",") for line in lines[1:]), strict=True)
    assert {f"{category}_count" for category in categories} == set(COUNTS)
    assert set(directions) == {"debit", "credit", "any"}
    assert len(set(words)) == len(words)
    assert all(re.fullmatch("[a-z]+( [a-z]+)*", word) for word in words)  # as a cleaned description has them
