"""sql/credit_risk/features.sql against tests/reference.py: every trap of the definition by name, and random ledgers."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, timedelta, timezone

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.rows import dict_row

from riskscore.local.edge_cases import FAULTY, SOUND
from riskscore.local.edge_cases import SNAPSHOT as EDGE_SNAPSHOT
from tests import reference
from tests.scoring_examples import ROOT

FEATURES_SQL = (ROOT / "sql" / "credit_risk" / "features.sql").read_text()
SNAPSHOT = date(2025, 9, 1)
TIME_ZONES = ("UTC", "Asia/Kolkata", "America/New_York")

# The ledgers of a test reach the query as a CTE that bears the table's name: no table is needed.
GIVEN_LEDGERS = f"""
    WITH bank_transactions_scoring AS (
        SELECT * FROM jsonb_to_recordset(%s::jsonb) AS t (customer_id text, snapshot_date date, transactions jsonb)
    )
    SELECT * FROM ({FEATURES_SQL}) AS f ORDER BY customer_id
"""


@pytest.fixture(scope="module", params=TIME_ZONES)
def session(request, postgres_url):
    with connect(postgres_url, TimeZone=request.param) as connection:
        yield connection


@pytest.fixture(scope="module")
def one_session(postgres_url):
    with connect(postgres_url, TimeZone="Asia/Kolkata") as connection:
        yield connection


def connect(url, **settings_):
    options = " ".join(f"-c {name}={value}".replace(", ", ",") for name, value in settings_.items())
    return psycopg.connect(url, autocommit=True, options=options, row_factory=dict_row)


def answers(connection, ledgers, snapshot=SNAPSHOT):
    """The query's row of each ledger, in their order, less the ids."""
    day = snapshot and snapshot.isoformat()
    rows = [
        {"customer_id": f"{k:06d}", "snapshot_date": day, "transactions": ledger} for k, ledger in enumerate(ledgers)
    ]
    found = connection.execute(GIVEN_LEDGERS, [json.dumps(rows)]).fetchall()
    assert [row.pop("customer_id") for row in found] == [row["customer_id"] for row in rows]
    assert {row.pop("snapshot_date") for row in found} <= {snapshot}
    return found


def answer(connection, *transactions, snapshot=SNAPSHOT):
    return answers(connection, [list(transactions)], snapshot)[0]


def txn(ts="2025-08-20T12:00:00Z", amount=100, type="debit", category="groceries", merchant="Corner Shop", **others):
    return {
        "ts": ts,
        "amount": amount,
        "type": type,
        "category": category,
        "merchant": merchant,
        "status": "success",
    } | others


def without(key):
    return {name: value for name, value in txn().items() if name != key}


def assert_same(found, expected):
    """Counts exactly; money and ratios within 1e-9, stricter than the 1e-6 that is asked for."""
    assert list(found) == list(expected)
    for name, value in expected.items():
        if isinstance(value, float):
            assert math.isclose(found[name], value, rel_tol=1e-9), name
        else:
            assert found[name] == value, name


def assert_like_reference(connection, ledgers, snapshot=SNAPSHOT):
    for found, ledger in zip(answers(connection, ledgers, snapshot), ledgers, strict=True):
        assert_same(found, reference.row(snapshot, ledger))


# Trap 1: windows closed below, open above


@pytest.mark.parametrize(
    ("ts", "counted"),
    [
        ("2025-08-01T23:59:59Z", 0),
        ("2025-08-01T23:59:59.999999Z", 0),
        ("2025-08-02T00:00:00Z", 1),
        ("2025-08-31T23:59:59Z", 1),
        ("2025-09-01T00:00:00Z", 1),
        ("2031-01-01T00:00:00Z", 1),
    ],
)
def test_the_30_day_window_is_closed_below_and_open_above(session, ts, counted):
    assert answer(session, txn(ts))["debit_txn_count_30d"] == counted


@pytest.mark.parametrize(
    ("ts", "counted"),
    [("2025-06-02T23:59:59Z", 0), ("2025-06-03T00:00:00Z", 1), ("2025-06-03T00:00:00.000001Z", 1)],
)
def test_the_90_day_window_is_closed_below(session, ts, counted):
    assert answer(session, txn(ts, category="fees"))["late_fee_count_90d"] == counted


@pytest.mark.parametrize(
    ("ts", "after"),
    [("2025-09-01T00:00:00Z", 0), ("2025-09-01T00:00:00.000001Z", 1), ("2025-09-01T00:00:01Z", 1)],
)
def test_transactions_after_the_snapshot_are_counted(session, ts, after):
    assert answer(session, txn(), txn(ts))["transactions_after_snapshot"] == after


# Trap 2: midnight UTC


@pytest.mark.parametrize(
    ("ts", "counted"),
    [
        ("2025-08-02T05:29:59+05:30", 0),
        ("2025-08-02T05:30:00+05:30", 1),
        ("2025-08-02T05:30:00+0530", 1),
        ("2025-08-01T19:59:59-04", 0),
        ("2025-08-01T20:00:00-04", 1),
        ("2025-08-02T05:29:59.999+05:30", 0),
        ("2025-08-01T23:59:59.9999999Z", 0),  # seven digits must not be rounded up into the window
        ("2025-08-02t00:00:00z", 1),
        ("2025-08-02 00:00:00", 1),
        ("2025-08-02T00:00:00", 1),
        ("2025-08-01T23:59:59", 0),
    ],
)
def test_a_ts_is_utc_whatever_its_spelling(session, ts, counted):
    assert answer(session, txn(ts))["debit_txn_count_30d"] == counted


@pytest.mark.parametrize(
    "other",
    [
        {"DateStyle": "German"},
        {"DateStyle": "SQL,MDY"},
        {"IntervalStyle": "iso_8601"},
        {"standard_conforming_strings": "off"},
        {"enable_memoize": "off", "enable_hashagg": "off"},
        {"lc_numeric": "C", "TimeZone": "Pacific/Kiritimati"},
    ],
    ids=str,
)
def test_no_session_setting_changes_a_digit(postgres_url, one_session, other):
    known = one_session.execute("SELECT array_agg(name) AS names FROM pg_settings").fetchone()["names"]
    ledgers = [*SOUND.values(), *FAULTY.values()]
    with connect(postgres_url, **{name: value for name, value in other.items() if name in known}) as connection:
        assert answers(connection, ledgers) == answers(one_session, ledgers)


# Trap 3: any status


def test_reversed_transactions_count_like_any_other(one_session):
    assert answer(one_session, txn(status="reversed")) == answer(one_session, txn(status="success"))


# Trap 4: no credits


def test_without_credits_the_ratio_is_debits_over_a_millionth(one_session):
    assert answer(one_session, txn(amount=12_345.67))["debit_credit_ratio_90d"] == pytest.approx(12_345.67e6)


def test_credits_of_zero_are_no_denominator_either(one_session):
    assert answer(one_session, txn(amount=5), txn(amount=0, type="credit"))["debit_credit_ratio_90d"] == 5e6


# Trap 5: never lose a row


@pytest.mark.parametrize("transactions", ["'[]'", "'null'", "NULL"])
def test_an_empty_ledger_is_a_row_of_zeros_and_999(one_session, transactions):
    table = f"SELECT 'a' AS customer_id, date '2025-09-01' AS snapshot_date, {transactions}::jsonb AS transactions"
    found = one_session.execute(
        f"WITH bank_transactions_scoring AS ({table}) SELECT * FROM ({FEATURES_SQL}) AS f"
    ).fetchone()
    assert_same(
        found,
        {"customer_id": "a", "snapshot_date": SNAPSHOT}
        | dict.fromkeys(reference.FEATURES, 0)
        | {"days_since_last_salary": 999}
        | dict.fromkeys(reference.OBSERVATIONS, 0)
        | {"data_fault": None},
    )


# Trap 6: merchants


@pytest.mark.parametrize(
    ("merchants", "distinct"),
    [
        ([None, None], 0),
        (["A", "A", None], 1),
        (["", " ", "  "], 3),
        (["Shop", "shop", "Shop "], 3),
        (["Caf\u00e9", "Cafe\u0301"], 2),
    ],
)
def test_merchants_are_distinct_as_stored_and_null_is_none(one_session, merchants, distinct):
    found = answer(one_session, without("merchant"), *(txn(merchant=merchant) for merchant in merchants))
    assert found["merchant_diversity_90d"] == distinct


# Trap 7: amounts, and everything else that cannot be read


@pytest.mark.parametrize("amount", [12.5, "12.5", "12.50", " 12.5 ", "+12.5", "1.25e1", "125E-1", "012.5", "12.5000"])
def test_an_amount_is_a_number_or_a_numeric_string(one_session, amount):
    assert answer(one_session, txn(amount=amount))["spend_outflow_30d"] == 12.5


BAD_TIMESTAMPS = [
    *("", "yesterday", "2025-02-30T12:00:00Z", "2025-02-29T12:00:00Z", "1900-02-29T12:00:00Z", "2025-04-31T12:00:00Z"),
    *("2025-13-01T12:00:00Z", "2025-00-10T12:00:00Z", "2025-08-00T12:00:00Z", "2025-08-32T12:00:00Z"),
    *("2025-08-20T24:00:00Z", "2025-08-20T12:60:00Z", "2025-08-20T12:00:60Z", "2025-08-20", "0000-08-20T12:00:00Z"),
    *("2025-08-20T12:00:00+15:00", "2025-08-20T12:00:00+05:75", "2025-08-20T12:00:00.Z", "2025-08-20T12:00:00ZZ"),
    *("2025-08-20T12:00:00 Europe/Paris", "20250820T120000Z", "infinity", "now", 1755691200, True, [], {}),
    *("2025-08-20T12:00:00Z\n", "\u0662025-08-20T12:00:00Z", "----------T--:--:--Z", "9999-12-31T23:59:59-01:00"),
]
BAD_AMOUNTS = [
    *("", " ", ".", "-", "e5", "twelve", "12,50", "1 2", "1_000", "0x1F", "NaN", "nan", "Infinity", "-inf", "12.5\n"),
    *("9" * 140_000, "0." + "0" * 20_000 + "1"),  # more digits than numeric holds
    *("\u0661\u0662", "1.2.3", "--1", True, False, [], {}, [12.5]),
]


BAD_TYPES = (
    None,
    "",
    " ",
    "refund",
    "credit card",
    "de bit",
    "debit.",
    "\u0414\u0435\u0431\u0435\u0442",
    1,
    True,
    [],
    ["debit"],
    {},
)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        *(
            ((f"just {kind!r}", value), "is not an object")
            for kind, value in enumerate(["text", 5, None, True, [], [1]])
        ),
        (("ts", without("ts")), "ts is missing"),
        (("ts", txn(ts=None)), "ts is missing"),
        *((("ts", txn(ts=ts)), "ts is not a date and time") for ts in BAD_TIMESTAMPS),
        (("amount", without("amount")), "amount is missing"),
        (("amount", txn(amount=None)), "amount is missing"),
        *((("amount", txn(amount=amount)), "amount is not a number") for amount in BAD_AMOUNTS),
        *((("amount", txn(amount=amount)), "amount is negative") for amount in (-0.01, "-5", -1e300)),
        *((("amount", txn(amount=amount)), "amount is not below 1e15") for amount in (1e15, "1e15", "1e400", 1e300)),
        (("type", without("type")), "type is neither credit nor debit"),
        *((("type", txn(type=kind)), "type is neither credit nor debit") for kind in BAD_TYPES),
    ],
    ids=lambda value: repr(value[1])[:70] if isinstance(value, tuple) else value,
)
def test_a_fault_names_position_and_reason_and_leaves_the_others_alone(one_session, bad, reason):
    sound = [txn(), txn(type="credit")]
    before, faulty, after = answers(one_session, [sound, [txn(), txn(), bad[1], txn(amount="x")], sound])
    assert faulty == dict.fromkeys(reference.COLUMNS) | {"data_fault": f"transaction 3: {reason}"}
    assert before == after
    assert before["data_fault"] is None


@pytest.mark.parametrize("transactions", [{}, txn(), "[]", 5, True])
def test_transactions_that_are_no_array_are_a_fault(one_session, transactions):
    (found,) = answers(one_session, [transactions])
    assert found == dict.fromkeys(reference.COLUMNS) | {"data_fault": "transactions is not an array"}


@pytest.mark.parametrize(
    ("day", "reason"),
    [
        ("NULL", "snapshot_date is missing"),
        ("'infinity'", "snapshot_date is not between 1900 and 9999"),
        ("'-infinity'", "snapshot_date is not between 1900 and 9999"),
        ("'4713-01-01 BC'", "snapshot_date is not between 1900 and 9999"),
        ("'5874897-12-31'", "snapshot_date is not between 1900 and 9999"),
    ],
)
def test_a_snapshot_date_without_windows_is_a_fault(one_session, day, reason):
    ledger = json.dumps([txn()])
    table = f"SELECT 'a' AS customer_id, {day}::date AS snapshot_date, '{ledger}'::jsonb AS transactions"
    query = f"WITH bank_transactions_scoring AS ({table}) SELECT income_inflow_30d, data_fault FROM ({FEATURES_SQL}) f"
    assert one_session.execute(query).fetchone() == {"income_inflow_30d": None, "data_fault": reason}


@pytest.mark.parametrize(
    ("number", "outflow", "fault"),
    [
        ("1e-400", 0.0, None),
        ("0." + "0" * 900 + "1", 0.0, None),
        ("1" + "0" * 14 + "." + "9" * 300, 1e14 + 1, None),
        ("9e131000", None, "transaction 1: amount is not below 1e15"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_number_beyond_double_precision_aborts_nothing(one_session, number, outflow, fault):
    ledger = json.dumps([txn(amount=12345)]).replace("12345", number)
    table = f"SELECT 'a' AS customer_id, date '2025-09-01' AS snapshot_date, '{ledger}'::jsonb AS transactions"
    query = f"WITH bank_transactions_scoring AS ({table}) SELECT spend_outflow_30d, data_fault FROM ({FEATURES_SQL}) f"
    assert one_session.execute(query).fetchone() == {"spend_outflow_30d": outflow, "data_fault": fault}


@pytest.mark.parametrize("year", [1600, 1900, 1996, 2000, 2023, 2024, 2100])
@pytest.mark.parametrize("offset", ["Z", "+00:00"])
def test_exactly_the_days_of_the_calendar_are_days(one_session, year, offset):
    days = [f"{year}-{month:02d}-{day:02d}" for month in range(14) for day in range(33)]
    found = answers(one_session, [[txn(f"{day}T12:00:00{offset}")] for day in days])
    assert [day for day, row in zip(days, found, strict=True) if row["data_fault"] is None] == [
        str(date(year, 1, 1) + timedelta(days=k)) for k in range(date(year, 12, 31).timetuple().tm_yday)
    ]


@pytest.mark.parametrize("name", [*SOUND, *FAULTY])
def test_every_shipped_edge_case_is_as_the_reference_has_it(session, name):
    assert_like_reference(session, [{**SOUND, **FAULTY}[name]], EDGE_SNAPSHOT)
    (found,) = answers(session, [{**SOUND, **FAULTY}[name]], EDGE_SNAPSHOT)
    assert (found["data_fault"] is not None) == (name in FAULTY)


# Trap 8: words


@pytest.mark.parametrize(
    "blank", [chr(code) for code in range(1, 0x10000) if chr(code).isspace()] + ["\u200b", "\ufeff"]
)
def test_every_blank_around_a_word_is_stripped(one_session, blank):
    found = answer(one_session, txn(type=f"{blank}Debit", category=f"GAMBLING{blank}{blank}", status=f"{blank}Success"))
    assert (found["pct_gambling_spend_90d"], found["transactions_of_unknown_category"]) == (1, 0)
    assert found["transactions_of_unknown_status"] == 0


@pytest.mark.parametrize(
    "spell", [str.upper, str.title, lambda word: f" {word}\t", lambda word: f"\u00a0{word.title()}\n"]
)
@pytest.mark.parametrize("word", ["salary", "fees", "gambling", "cash_withdrawal"])
def test_a_category_in_another_spelling_counts_the_same(one_session, word, spell):
    assert answer(one_session, txn(category=spell(word))) == answer(one_session, txn(category=word))


@pytest.mark.parametrize(
    ("kind", "read"),
    [
        *((word, "credit") for word in ("credit", "Credit", "CREDIT ", "CR", "cr", "C", "c", "CRDT", "\u00a0Cr")),
        *((word, "debit") for word in ("debit", "Debit", " DEBIT", "DR", "dr", "D", "d", "DBIT", "Dbit\t")),
    ],
)
def test_the_usual_spellings_of_a_type_are_read(one_session, kind, read):
    assert answer(one_session, txn(type=kind)) == answer(one_session, txn(type=read))


UNKNOWN = [
    "betting",
    "GAMB",
    "0042",
    "gambling fees",
    "gamb\u0131ing",
    "cash withdrawal",
    "",
    " ",
    None,
    42,
    True,
    [],
    {},
]


@pytest.mark.parametrize("category", UNKNOWN, ids=repr)
def test_an_unknown_category_is_counted_and_counts_as_none(one_session, category):
    found = answer(one_session, txn(category=category), txn(category="fees"))
    assert (found["transactions_of_unknown_category"], found["unknown_categories_per_thousand"]) == (1, 500)
    assert (found["pct_gambling_spend_90d"], found["late_fee_count_90d"]) == (0, 1)


def test_a_transaction_without_category_has_an_unknown_one_and_without_status_none(one_session):
    found = answer(one_session, without("category"), without("status"), txn(status=None), txn(status=""))
    assert (found["transactions_of_unknown_category"], found["transactions_of_unknown_status"]) == (1, 0)


@pytest.mark.parametrize("status", ["VOID", "x", "0042", 7, False], ids=repr)
def test_an_unknown_status_is_counted_and_changes_nothing(one_session, status):
    found, sound = answer(one_session, txn(status=status), txn()), answer(one_session, txn(), txn())
    assert (found["transactions_of_unknown_status"], found["unknown_statuses_per_thousand"]) == (1, 500)
    assert [found[name] for name in reference.FEATURES] == [sound[name] for name in reference.FEATURES]


OLD, NEW = "2024-01-20T12:00:00Z", "2025-08-20T12:00:00Z"


@pytest.mark.parametrize(
    ("words", "per_thousand"),
    [
        ([(OLD, "rent")] * 3, 0),
        ([(NEW, "rent")] * 99 + [(NEW, "0042")], 10),
        ([(NEW, "rent")] * 999 + [(NEW, "0042")], 1),
        ([(NEW, "rent")] * 6 + [(NEW, "0042")], 143),  # rounded up
        ([(OLD, "rent")] * 90 + [(NEW, "rent")] * 5 + [(NEW, "0042")] * 5, 500),  # the words have lately changed
        ([(OLD, "0042")] * 50 + [(NEW, "rent")] * 50, 500),  # a salary may be among the old ones
        ([(OLD, "0042")] * 2, 1000),
        ([(NEW, "0042")] * 2, 1000),
    ],
)
def test_the_share_of_unknown_words_is_that_of_the_ledger_or_of_its_90_days(one_session, words, per_thousand):
    found = answer(one_session, *(txn(ts, category=word) for ts, word in words))
    assert found["unknown_categories_per_thousand"] == per_thousand
    found = answer(one_session, *(txn(ts, status="ok" if word == "0042" else "success") for ts, word in words))
    assert found["unknown_statuses_per_thousand"] == per_thousand


# The definitions, one by one


@pytest.mark.parametrize(
    ("transactions", "feature", "expected"),
    [
        ([txn(amount=499.99), txn(amount=500), txn(amount=500, type="credit")], "num_big_txn_30d", 2),
        ([txn(amount=10), txn(amount=30)], "avg_debit_amt_30d", 20),
        ([txn(type="credit", category="gambling"), txn()], "pct_gambling_spend_90d", 0),
        ([txn(category="gambling", amount=25), txn(amount=75)], "pct_gambling_spend_90d", 0.25),
        ([txn(type="credit", category="cash_withdrawal", amount=40)], "cash_withdrawal_90d", 40),
        ([txn(type="credit", category="fees")], "late_fee_count_90d", 1),
        ([txn("2025-08-29T00:00:00Z", category="salary")], "days_since_last_salary", 3),
        ([txn("2025-08-29T00:00:01Z", category="salary")], "days_since_last_salary", 2),
        ([txn("2025-08-29T00:00:00.0000001Z", category="salary")], "days_since_last_salary", 2),
        ([txn("2025-08-29T00:00:00.000Z", category="salary")], "days_since_last_salary", 3),
        ([txn("2025-09-01T00:00:00Z", category="salary")], "days_since_last_salary", 0),
        ([txn("2025-09-01T00:00:01Z", category="salary")], "days_since_last_salary", -1),
        ([txn("2020-09-01T00:00:00Z", category="salary")], "days_since_last_salary", 1826),
        ([txn(type="credit", amount=0.1), txn(type="credit", amount=0.2)], "income_inflow_30d", 0.3),
    ],
)
def test_the_definitions(session, transactions, feature, expected):
    assert answer(session, *transactions)[feature] == expected


# Random ledgers


def spelled(moment, spelling, microseconds):
    """The moment as one of the forms in which a ts may come."""
    zone = {"+05:30": 330, "-0400": -240, "+14": 840}.get(spelling, 0)
    local = moment.astimezone(timezone(timedelta(minutes=zone)))
    fraction = f".{microseconds:06d}" if microseconds is not None else ""
    text = f"{local:%Y-%m-%dT%H:%M:%S}{fraction}"
    return {"blank": text.replace("T", " "), "none": text, "lower": text.lower() + "z"}.get(spelling, text + spelling)


DAY = 86_400
SECONDS_BEFORE = st.one_of(
    st.integers(-5 * DAY, 120 * DAY),
    st.builds(lambda day, second: day * DAY + second, st.sampled_from([0, 1, 29, 30, 31, 90]), st.integers(-1, 1)),
)
TIMESTAMPS = st.builds(
    lambda before, spelling, fraction: spelled(
        datetime(SNAPSHOT.year, SNAPSHOT.month, SNAPSHOT.day, tzinfo=UTC) - timedelta(seconds=before),
        spelling,
        fraction,
    ),
    SECONDS_BEFORE,
    st.sampled_from(["Z", "Z", "Z", "Z", "+05:30", "-0400", "+14", "blank", "none", "lower"]),
    st.none() | st.sampled_from([0, 1, 250_000, 999_999]),
)
CENTS = st.decimals(0, 99_999, places=2)
AMOUNTS = st.one_of(CENTS.map(float), CENTS.map(str), st.integers(0, 10**6), st.sampled_from([500, 499.99, "5e2", 0]))
BLANKS = st.text(st.sampled_from(" \t\n\u00a0\u2003\u3000\u200b\ufeff"), max_size=2)
WORDS = st.builds(
    lambda before, word, write, after: before + write(word) + after,
    BLANKS,
    st.sampled_from(["salary", "fees", "gambling", "cash_withdrawal", "groceries", "betting", "0042"]),
    st.sampled_from([str, str.upper, str.title]),
    BLANKS,
)
TRANSACTIONS = st.fixed_dictionaries(
    {
        "ts": TIMESTAMPS,
        "amount": AMOUNTS,
        "type": st.sampled_from(["credit", "debit", "debit", "CR", "Dr", " DBIT "]),
        "category": WORDS | st.sampled_from(["salary", "fees", "gambling", "cash_withdrawal", "groceries", None, 7]),
    },
    optional={
        "merchant": st.none() | st.sampled_from(["A", "a", "A ", "", "\u5317\u4eac"]),
        "status": st.sampled_from(["success", "reversed", " Pending", "VOID", "", None]),
    },
)
LEDGERS = st.lists(TRANSACTIONS, max_size=12)
ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=8)
)
ROTTEN = st.builds(
    lambda ledger, transaction, key, value: [*ledger, transaction | {key: value}],
    LEDGERS,
    TRANSACTIONS,
    st.sampled_from(["ts", "amount", "type"]),
    ANYTHING,
)
# The session is shared by all examples on purpose: the query leaves nothing behind.
MANY = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@MANY
@given(ledgers=st.lists(LEDGERS | ROTTEN, min_size=20, max_size=40))
def test_random_ledgers_are_as_the_reference_has_them(session, ledgers):
    assert_like_reference(session, ledgers)


# Trap 9: identities


@MANY
@given(ledgers=st.lists(LEDGERS, min_size=20, max_size=40))
def test_the_identities_hold(one_session, ledgers):
    for row in answers(one_session, ledgers):
        inflow, outflow = row["income_inflow_30d"], row["spend_outflow_30d"]
        assert math.isclose(row["net_cash_flow_30d"], inflow - outflow, abs_tol=1e-9 * (inflow + outflow))
        assert math.isclose(row["avg_debit_amt_30d"] * row["debit_txn_count_30d"], outflow, rel_tol=1e-9)
        assert 0 <= row["pct_gambling_spend_90d"] <= 1
        assert row["debit_credit_ratio_90d"] >= 0


@MANY
@given(ledger=LEDGERS, data=st.data())
def test_the_order_of_transactions_changes_no_bit(one_session, ledger, data):
    shuffled = data.draw(st.permutations(ledger))
    first, second = answers(one_session, [ledger, shuffled])
    assert first == second


# One definition: the same file for the training table, for some customers, for all


@pytest.fixture
def tables(database):
    """Both tables with the same 2,000 ledgers, indexed and analysed."""
    with psycopg.connect(database, autocommit=True) as connection:
        for table, columns in (("bank_transactions", ", 0 AS label"), ("bank_transactions_scoring", "")):
            connection.execute(f"""
                CREATE TABLE {table} AS
                SELECT 'S' || k AS customer_id, date '2025-09-01' AS snapshot_date,
                    jsonb_build_array(jsonb_build_object('ts', '2025-08-20T12:00:00Z', 'amount', k, 'type', 'debit'))
                    AS transactions {columns}
                FROM generate_series(1, 2000) AS k
            """)
            connection.execute(f"CREATE INDEX ON {table} (customer_id, snapshot_date)")
            connection.execute(f"ANALYZE {table}")
        yield connection


ONE_CUSTOMER = "SELECT * FROM public.bank_transactions_scoring WHERE customer_id = 'S77'"


def test_a_cte_in_front_reads_the_training_table(tables):
    shadow = "SELECT customer_id, snapshot_date, transactions FROM bank_transactions WHERE customer_id IN ('S5', 'S6')"
    query = (
        f"WITH bank_transactions_scoring AS ({shadow}) SELECT customer_id, spend_outflow_30d FROM ({FEATURES_SQL}) f"
    )
    assert sorted(tables.execute(query)) == [("S5", 5.0), ("S6", 6.0)]


@pytest.mark.parametrize(
    "query",
    [
        f"WITH bank_transactions_scoring AS ({ONE_CUSTOMER}) SELECT * FROM ({FEATURES_SQL}) AS f",
        f"SELECT * FROM ({FEATURES_SQL}) AS f WHERE customer_id = 'S77' AND snapshot_date = '2025-09-01'",
    ],
    ids=["shadowing CTE", "condition behind"],
)
def test_narrowing_uses_the_index(tables, query):
    plan = "\n".join(line for (line,) in tables.execute(f"EXPLAIN {query}"))
    assert "bank_transactions_scoring_customer_id_snapshot_date_idx" in plan
    assert "Seq Scan" not in plan
    assert [row[:4] for row in tables.execute(query)] == [("S77", SNAPSHOT, 0.0, 77.0)]


def test_the_table_is_read_once_and_streams(tables):
    plan = "\n".join(line for (line,) in tables.execute(f"EXPLAIN (COSTS OFF) {FEATURES_SQL}"))
    assert plan.count("Scan on bank_transactions_scoring") == 1
    assert "Memoize" not in plan
    assert plan.startswith("Nested Loop")  # nothing gathers, sorts or hashes the rows of all customers
