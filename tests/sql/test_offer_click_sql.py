"""The features of an offer: a few leads and offers, and what the SQL makes of them."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from riskscore.sources.offers import INDEXES, TABLES
from tests.scoring_examples import ROOT

SQL = ROOT / "sql" / "offer_click"
FEATURES, LABELS = ((SQL / f"{name}.sql").read_text() for name in ("features", "labels"))

LEADS = [
    ("a", 1000.0, "auto", "poor", 20_000.0),
    ("b", None, None, None, None),
    ("c", 500.0, "boat", "fair", 0.0),
    ("d", 500.0, "boat", "fair", -12.0),
    ("e", 1.0, "unknown", "limited", 11_111_111.0),
]
OFFERS = [
    (813_068_980, "a", 35.99, 106),
    (2, "a", 9.9, 101),
    (3, "a", 9.9, 102),
    (4, "a", 199.0, 111),
    (5, "b", 35.99, 106),
    (6, "c", 35.99, 106),
    (7, "d", 35.99, 106),
    (8, "e", 35.99, 106),
]
CLICKS = [(2, "2025-03-23 10:00:00"), (2, "2025-03-23 11:00:00"), (8, "2025-03-24 00:00:00")]


@pytest.fixture
def offers():
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in (*TABLES, *INDEXES):
            connection.execute(statement)
        for table, content in (("leads", LEADS), ("offers", OFFERS), ("clicks", CLICKS)):
            marks = ", ".join("?" * len(content[0]))
            connection.executemany(f"INSERT INTO {table} VALUES ({marks})", content)
        connection.execute("ANALYZE")
        yield connection


def values(connection, *columns):
    """offer_id -> these features."""
    rows = connection.execute(f"SELECT offer_id, {', '.join(columns)} FROM ({FEATURES}) AS f")
    return {offer: tuple(found) for offer, *found in rows}


def test_what_the_lead_asked_for_stays_as_it_is_missing_too(offers):
    found = values(offers, "lead_uuid", "requested", "loan_purpose", "credit", "annual_income", "apr", "lender_id")
    assert found["813068980"] == ("a", 1000.0, "auto", "poor", 20_000.0, 35.99, 106)
    assert found["5"] == ("b", None, None, None, None, 35.99, 106)
    assert found["7"] == ("d", 500.0, "boat", "fair", -12.0, 35.99, 106)


def test_an_offer_among_those_of_its_lead(offers):
    found = values(offers, "apr_rank", "round(apr_above_lowest, 9)", "offers_of_lead")
    assert [found[offer] for offer in ("2", "3", "813068980", "4", "5")] == [
        (1, 0.0, 4),
        (1, 0.0, 4),
        (3, 26.09, 4),
        (4, 189.1, 4),
        (1, 0.0, 1),
    ]


@pytest.mark.parametrize(
    ("offer", "share"), [("2", 0.05), ("5", None), ("6", None), ("7", None), ("8", 1 / 11_111_111)]
)
def test_a_share_of_the_income_where_there_is_one(offers, offer, share):
    assert values(offers, "requested_to_income")[offer] == (share,)


def test_clicking_twice_is_clicking(offers):
    labels = dict(offers.execute(f"SELECT offer_id, clicked FROM ({LABELS}) AS l").fetchall())
    assert labels == {"813068980": 0, "2": 1, "3": 0, "4": 0, "5": 0, "6": 0, "7": 0, "8": 1}


def test_a_lead_alone_by_a_cte_in_front(offers):
    narrowed = f"WITH offers AS (SELECT * FROM main.offers WHERE lead_uuid = 'a') SELECT * FROM ({FEATURES}) AS f"
    assert {row[1] for row in offers.execute(narrowed)} == {"a"}


@pytest.mark.parametrize("query", [FEATURES, LABELS], ids=["features", "labels"])
def test_the_indexes_do_the_work(offers, query):
    plan = " ".join(step for *_, step in offers.execute(f"EXPLAIN QUERY PLAN {query}"))
    assert "TEMP B-TREE" not in plan
    assert "AUTOMATIC" not in plan
    assert ("offers_of_lead" in plan and "SEARCH leads USING PRIMARY KEY" in plan) or "FOR IN-OPERATOR" in plan
