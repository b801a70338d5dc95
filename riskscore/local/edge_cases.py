"""One simulated customer per trap of the thirteen features, named after it; for demos, dumps and tests.

Every ledger is read as of SNAPSHOT: W30 begins at 2025-08-02T00:00:00Z, W90 at 2025-06-03T00:00:00Z.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

SNAPSHOT = date(2025, 9, 1)

Transaction = dict[str, Any]


def _transaction(
    ts: str, kind: str, amount: object, category: str, merchant: str | None = "Corner Pantry"
) -> Transaction:
    return {"ts": ts, "amount": amount, "type": kind, "category": category, "merchant": merchant, "status": "success"}


def _credit(ts: str, amount: object, category: str = "transfer", merchant: str | None = "Peer Payment") -> Transaction:
    return _transaction(ts, "credit", amount, category, merchant)


def _debit(ts: str, amount: object, category: str = "groceries", merchant: str | None = "Corner Pantry") -> Transaction:
    return _transaction(ts, "debit", amount, category, merchant)


def _without(key: str, transaction: Transaction) -> Transaction:
    return {name: value for name, value in transaction.items() if name != key}


SALARY = _credit("2025-08-25T05:30:00Z", 21500.0, "salary", "Halden Foods")
RENT = _debit("2025-08-05T05:30:00Z", 6200.0, "rent", "Elm Street Lettings")
FOOD = _debit("2025-08-30T14:05:00Z", 312.45)
BET = _debit("2025-07-12T21:40:00Z", 150.0, "gambling", "Lucky Star Bets")
ORDINARY = [BET, RENT, SALARY, FOOD]


def _with(*extra: Transaction) -> list[Transaction]:
    return [*ORDINARY, *extra]


SOUND: dict[str, list[Transaction] | None] = {
    # 1: windows closed below, open above
    "edge-window-30-days": _with(
        _debit("2025-08-01T23:59:59Z", 900.0, merchant="One Second Early"),
        _debit("2025-08-02T00:00:00Z", 700.0, merchant="To The Second"),
    ),
    "edge-window-90-days": _with(
        _debit("2025-06-02T23:59:59Z", 90.0, "fees", "One Second Early"),
        _debit("2025-06-03T00:00:00Z", 70.0, "fees", "To The Second"),
    ),
    "edge-at-snapshot": _with(_debit("2025-09-01T00:00:00Z", 810.0, merchant="At Midnight")),
    "edge-after-snapshot": _with(
        _debit("2025-09-01T00:00:01Z", 820.0, merchant="One Second Late"),
        _credit("2025-09-15T10:00:00Z", 4000.0),
        _debit("2026-03-01T10:00:00Z", 55.0, "gambling", "Royal Spin Casino"),
    ),
    # 2: midnight UTC, whatever zone a timestamp or a session is in
    "edge-time-zone-offset": _with(
        _debit("2025-08-02T05:29:59+05:30", 901.0, merchant="One Second Early"),
        _debit("2025-08-02T05:30:00+05:30", 701.0, merchant="To The Second"),
        _debit("2025-06-02T19:59:59-04:00", 91.0, "fees", "Early In New York"),
        _debit("2025-06-02T20:00:00-04:00", 71.0, "fees", "New York To The Second"),
    ),
    "edge-fractional-seconds": [
        _debit("2025-08-01T23:59:59.999999Z", 902.0, merchant="A Microsecond Early"),
        _debit("2025-08-02T00:00:00.000Z", 702.0, merchant="To The Millisecond"),
        _credit("2025-08-21T00:00:00.25Z", 21500.0, "salary", "Halden Foods"),
        FOOD,
    ],
    # 3: any status counts
    "edge-reversed": [{**transaction, "status": "reversed"} for transaction in ORDINARY],
    # 4: zero denominators
    "edge-no-credits": [BET, RENT, FOOD],
    "edge-no-debits": [SALARY, _credit("2025-07-03T09:00:00Z", 480.0)],
    "edge-zero-amounts": [{**transaction, "amount": 0} for transaction in ORDINARY],
    # 5: no transactions, still a row
    "edge-empty": [],
    "edge-null": None,
    "edge-only-old-transactions": [
        _credit("2025-03-25T05:30:00Z", 21500.0, "salary", "Halden Foods"),
        _debit("2025-03-27T12:00:00Z", 640.0),
    ],
    # 6: which merchants are distinct
    "edge-blank-merchants": _with(
        *(
            _debit(f"2025-08-1{day}T12:00:00Z", 20.0, merchant=merchant)
            for day, merchant in enumerate(("", " ", "  ", "corner pantry", "CORNER PANTRY", "Corner Pantry "))
        )
    ),
    "edge-missing-merchants": [
        _credit("2025-08-25T05:30:00Z", 21500.0, "salary", None),
        _debit("2025-08-28T12:00:00Z", 45.0, merchant=None),
        _without("merchant", FOOD),
        _without("merchant", BET),
    ],
    "edge-unicode-merchants": _with(
        _debit("2025-08-11T12:00:00Z", 30.0, merchant="Café Zoë"),
        _debit("2025-08-12T12:00:00Z", 30.0, merchant="Cafe\u0301 Zoë"),
        _debit("2025-08-13T12:00:00Z", 30.0, merchant='The "Old" Mill \\ 北京'),
    ),
    # 7: amounts as numeric strings
    "edge-numeric-string": [{**transaction, "amount": str(transaction["amount"])} for transaction in ORDINARY],
    # feature by feature
    "edge-big-boundary": [
        _debit("2025-08-10T12:00:00Z", 500),
        _debit("2025-08-11T12:00:00Z", 499.99),
        _credit("2025-08-12T12:00:00Z", 500.00),
        _credit("2025-08-13T12:00:00Z", "500.01"),
    ],
    "edge-salary-never": [BET, RENT, FOOD, _credit("2025-08-20T09:00:00Z", 15000.0, "business_income", "Card Takings")],
    "edge-salary-after-snapshot": _with(_credit("2025-09-01T12:00:00Z", 21500.0, "salary", "Halden Foods")),
    "edge-salary-long-ago": [BET, RENT, FOOD, _credit("2023-05-25T05:30:00Z", 19800.0, "salary", "Halden Foods")],
    "edge-salary-part-day": [RENT, FOOD, {**SALARY, "ts": "2025-08-29T00:00:01Z"}],  # two whole days, not three
    "edge-salary-debit": [RENT, FOOD, SALARY, _debit("2025-08-28T08:00:00Z", 900.0, "salary", "Halden Foods")],
    "edge-any-type": _with(
        _credit("2025-08-14T12:00:00Z", 35.0, "fees", None),  # a fee given back counts as a fee
        _credit("2025-08-15T12:00:00Z", 400.0, "cash_withdrawal", "ATM Riverside"),
        _debit("2025-08-16T12:00:00Z", 300.0, "cash_withdrawal", "ATM Riverside"),
    ),
    "edge-gambling-winnings": _with(_credit("2025-08-14T12:00:00Z", 5000.0, "gambling", "Lucky Star Bets")),
    "edge-unsorted": ORDINARY[::-1],
    # 8: words without capitals and blanks; unknown ones are counted
    "edge-word-spelling": [
        {**transaction, "type": kind, "category": category, "status": status}
        for transaction, kind, category, status in zip(
            ORDINARY,
            ("DR", "Debit ", "CRDT", "d"),
            ("Gambling", "\u00a0RENT", "Salary\t", "Groceries "),
            ("SUCCESS", "Posted", " success", ""),
            strict=True,
        )
    ],
    "edge-foreign-words": [{**transaction, "category": "0042", "status": "OK"} for transaction in ORDINARY],
    "edge-one-unknown-word": [*[FOOD] * 99, _debit("2025-08-12T12:00:00Z", 40.0, "betting", "Lucky Star Bets")],
    "edge-missing-category": _with(_without("category", FOOD)),
}

# 7: data that break their format, amounts before all; nothing of these customers may be scored as 0
FAULTY: dict[str, object] = {
    "edge-missing-amount": _with(_without("amount", _debit("2025-08-18T12:00:00Z", 0))),
    "edge-null-amount": _with(_debit("2025-08-18T12:00:00Z", None)),
    "edge-non-numeric-amount": _with(_debit("2025-08-18T12:00:00Z", "twelve")),
    "edge-blank-amount": _with(_debit("2025-08-18T12:00:00Z", "")),
    "edge-boolean-amount": _with(_debit("2025-08-18T12:00:00Z", True)),
    "edge-nan-amount": _with(_debit("2025-08-18T12:00:00Z", "NaN")),  # PostgreSQL's numeric would take it
    "edge-negative-amount": _with(_debit("2025-08-18T12:00:00Z", -45.0)),
    "edge-unknown-type": _with(_transaction("2025-08-18T12:00:00Z", "refund", 45.0, "shopping")),
    "edge-missing-type": _with(_without("type", _debit("2025-08-18T12:00:00Z", 45.0))),
    "edge-missing-ts": _with(_without("ts", _debit("2025-08-18T12:00:00Z", 45.0))),
    "edge-impossible-ts": _with(_debit("2025-02-30T12:00:00Z", 45.0)),
    "edge-not-an-array": {"transactions": ORDINARY},
}

EDGE_LEDGERS: dict[str, Mapping[str, object]] = {"all": {**SOUND, **FAULTY}, "sound": SOUND, "none": {}}


def edge_ledgers(which: str) -> Mapping[str, object]:
    """The ledgers by customer_id: `all`, the `sound` ones (without faults in their data) or `none`."""
    return EDGE_LEDGERS[which]
