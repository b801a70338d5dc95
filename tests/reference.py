"""The thirteen features once more, in plain Python, from their definitions and not from the SQL.

Slow and obvious on purpose: exact fractions, aware datetimes, one line per feature. Returns the columns of
sql/credit_risk/features.sql after the two ids, in their order.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

FEATURES = (
    "income_inflow_30d",
    "spend_outflow_30d",
    "pct_gambling_spend_90d",
    "merchant_diversity_90d",
    "avg_debit_amt_30d",
    "num_big_txn_30d",
    "days_since_last_salary",
    "debit_credit_ratio_90d",
    "late_fee_count_90d",
    "debit_txn_count_30d",
    "credit_txn_count_30d",
    "net_cash_flow_30d",
    "cash_withdrawal_90d",
)
OBSERVATIONS = (
    "transactions_after_snapshot",
    "transactions_of_unknown_category",
    "transactions_of_unknown_status",
    "unknown_categories_per_thousand",
    "unknown_statuses_per_thousand",
)
COLUMNS = (*FEATURES, *OBSERVATIONS, "data_fault")
TYPES = {
    **dict.fromkeys(("credit", "cr", "c", "crdt"), "credit"),
    **dict.fromkeys(("debit", "dr", "d", "dbit"), "debit"),
}
NAMED_CATEGORIES = ("salary", "fees", "gambling", "cash_withdrawal")
OTHER_CATEGORIES = (
    "groceries restaurants dining transport fuel travel shopping health entertainment education subscriptions rent"
    " mortgage utilities telecom insurance loan_repayment investment savings tax charity transfer business_income"
    " pension refund other"
)
CATEGORIES = {*NAMED_CATEGORIES, *OTHER_CATEGORIES.split()}
STATUSES = {
    *("", "success", "completed", "posted", "booked", "settled", "pending", "reversed", "refunded"),
    *("failed", "declined", "cancelled"),
}
INVISIBLE = ("\u200b", "\ufeff")  # stripped like blanks, though they aren't any to Python
EPSILON = Fraction(1, 1_000_000)
LARGEST_AMOUNT = 10**15
SECONDS_PER_DAY = 86_400
TIMESTAMP = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)[Tt ](?P<time>\d\d:\d\d:\d\d)(?P<fraction>\.\d+)?(?P<offset>[Zz]|[+-]\d\d(:?\d\d)?)?",
    re.ASCII,
)


class DataFault(Exception):
    """A transaction that cannot be read; the message is the reason."""


def row(snapshot: date | None, transactions: Any) -> dict[str, Any]:
    """All columns of one customer; every one but data_fault is None where there is a fault."""
    try:
        values = features(snapshot, transactions)
    except DataFault as fault:
        return dict.fromkeys(COLUMNS) | {"data_fault": str(fault)}
    return values | {"data_fault": None}


def features(snapshot: date | None, transactions: Any) -> dict[str, Any]:
    """The thirteen features and the observations. Raises DataFault."""
    if snapshot is None:
        raise DataFault("snapshot_date is missing")
    ledger = read_ledger(transactions)
    midnight = exact_seconds(datetime(snapshot.year, snapshot.month, snapshot.day, tzinfo=UTC))
    recent = [t for t in ledger if t["ts"] >= midnight - 30 * SECONDS_PER_DAY]
    quarter = [t for t in ledger if t["ts"] >= midnight - 90 * SECONDS_PER_DAY]
    credits_30, debits_30 = of_type(recent, "credit"), of_type(recent, "debit")
    credits_90, debits_90 = of_type(quarter, "credit"), of_type(quarter, "debit")
    salaries = [t["ts"] for t in in_category(ledger, "salary")]
    values = {
        "income_inflow_30d": total(credits_30),
        "spend_outflow_30d": total(debits_30),
        "pct_gambling_spend_90d": share(total(in_category(debits_90, "gambling")), total(debits_90)),
        "merchant_diversity_90d": len({t["merchant"] for t in quarter if t["merchant"] is not None}),
        "avg_debit_amt_30d": share(total(debits_30), Fraction(len(debits_30))),
        "num_big_txn_30d": sum(t["amount"] >= 500 for t in recent),
        "days_since_last_salary": (midnight - max(salaries)) // SECONDS_PER_DAY if salaries else 999,
        "debit_credit_ratio_90d": total(debits_90) / (total(credits_90) or EPSILON),
        "late_fee_count_90d": len(in_category(quarter, "fees")),
        "debit_txn_count_30d": len(debits_30),
        "credit_txn_count_30d": len(credits_30),
        "net_cash_flow_30d": total(credits_30) - total(debits_30),
        "cash_withdrawal_90d": total(in_category(quarter, "cash_withdrawal")),
        "transactions_after_snapshot": sum(t["ts"] > midnight for t in ledger),
        "transactions_of_unknown_category": unknown(ledger, "category", CATEGORIES),
        "transactions_of_unknown_status": unknown(ledger, "status", STATUSES),
        "unknown_categories_per_thousand": max(
            per_thousand(part, "category", CATEGORIES) for part in (ledger, quarter)
        ),
        "unknown_statuses_per_thousand": max(per_thousand(part, "status", STATUSES) for part in (ledger, quarter)),
    }
    return {name: float(value) if isinstance(value, Fraction) else value for name, value in values.items()}


def of_type(ledger: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [t for t in ledger if t["type"] == kind]


def in_category(ledger: list[dict[str, Any]], category: str) -> list[dict[str, Any]]:
    return [t for t in ledger if t["category"] == category]


def unknown(ledger: list[dict[str, Any]], key: str, words: set[str]) -> int:
    return sum(t[key] not in words for t in ledger)


def per_thousand(ledger: list[dict[str, Any]], key: str, words: set[str]) -> int:
    """Rounded up; 0 of nothing."""
    return -(-1000 * unknown(ledger, key, words) // len(ledger)) if ledger else 0


def total(ledger: list[dict[str, Any]]) -> Fraction:
    return sum((t["amount"] for t in ledger), Fraction(0))


def share(part: Fraction, whole: Fraction) -> Fraction:
    """0 where there is no whole."""
    return part / whole if whole else Fraction(0)


def read_ledger(transactions: Any) -> list[dict[str, Any]]:
    """The transactions with ts in seconds and amount exact. Raises DataFault, naming the first that is faulty."""
    if transactions is None:
        return []
    if not isinstance(transactions, list):
        raise DataFault("transactions is not an array")
    ledger = []
    for position, transaction in enumerate(transactions, start=1):
        try:
            ledger.append(read_transaction(transaction))
        except DataFault as fault:
            raise DataFault(f"transaction {position}: {fault}") from None
    return ledger


def read_transaction(transaction: Any) -> dict[str, Any]:
    if not isinstance(transaction, dict):
        raise DataFault("is not an object")
    read = {
        "ts": read_timestamp(transaction.get("ts")),
        "amount": read_amount(transaction.get("amount")),
        "type": TYPES.get(read_word(transaction.get("type"))),
        "category": read_word(transaction.get("category")),
        "status": read_word(transaction.get("status")),
        "merchant": transaction.get("merchant"),
    }
    if read["type"] is None:
        raise DataFault("type is neither credit nor debit")
    return read


def read_word(word: Any) -> str:
    """Without blanks around it and without capitals, of which only those of ASCII count; "" where there is none."""
    if word is None:
        return ""
    text = word if isinstance(word, str) else json.dumps(word)
    while text != (text := text.strip().strip("".join(INVISIBLE))):
        pass
    return "".join(letter.lower() if letter.isascii() else letter for letter in text)


def read_timestamp(ts: Any) -> Fraction:
    """Seconds since 1970 in UTC, every digit of the fraction kept; no offset means UTC."""
    if ts is None:
        raise DataFault("ts is missing")
    match = TIMESTAMP.fullmatch(str(ts))
    if match is None:
        raise DataFault("ts is not a date and time")
    try:
        moment = datetime.fromisoformat(f"{match['day']}T{match['time']}+00:00")
        return exact_seconds(moment - offset(match["offset"])) + Fraction(match["fraction"] or 0)
    except (ValueError, OverflowError):
        raise DataFault("ts is not a date and time") from None


def offset(text: str | None) -> timedelta:
    if text is None or text in "Zz":
        return timedelta(0)
    hours, minutes = int(text[1:3]), int(text[3:].lstrip(":") or 0)
    if hours > 14 or minutes > 59:
        raise ValueError("no zone is that far from UTC")
    return timedelta(hours=hours, minutes=minutes) * (-1 if text[0] == "-" else 1)


def exact_seconds(moment: datetime) -> Fraction:
    if moment.year < 1000:
        raise ValueError("years have four digits")
    return Fraction((moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1))


def read_amount(amount: Any) -> Fraction:
    """The exact amount of a JSON number or a numeric string."""
    if amount is None:
        raise DataFault("amount is missing")
    if isinstance(amount, bool) or not isinstance(amount, int | float | Decimal | str):
        raise DataFault("amount is not a number")
    text = str(amount).strip(" ")
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise DataFault("amount is not a number") from None
    if not number.is_finite() or not text.isascii() or "_" in text:  # Decimal reads more than the definition
        raise DataFault("amount is not a number")
    if number < 0:
        raise DataFault("amount is negative")
    if number >= LARGEST_AMOUNT:
        raise DataFault("amount is not below 1e15")
    return Fraction(number)
