"""Simulated bank transactions of three months and who defaulted after: transactions.csv and labels.csv.

A hidden trait, financial stress, shapes a customer's income, spending, gambling, borrowing and fees, and with noise
the default. The files have the faults that such files have (FAULTS and STRAYS say how many), for the data-quality
report to find. No real person is in them; shops and firms are named as statements name them, or made up.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from riskscore.samples.sample_files import write_csv

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CUSTOMERS = 1500
FIRST_DAY, DAYS = datetime(2025, 1, 1), 90  # noqa: DTZ001 - statements are in local time, and say no zone
PAY_DAYS, MONTHS = (28, 58, 88), ("JAN", "FEB", "MAR")
DEFAULT_NOISE, DEFAULT_FROM = 0.75, 1.25  # about 16 % of customers

# How the columns of the two files are called.
SPELLINGS = {
    "plain": (("customer_id", "transaction_id", "amount", "type", "description", "timestamp"), "defaulted"),
    "txn": (
        ("transaction_id", "customer_id", "txn_timestamp", "amount", "txn_type", "description"),
        "defaulted_within_90d",
    ),
}
OURS = {"txn_timestamp": "timestamp", "txn_type": "type"}

SHOPS = {
    "groceries": ("TESCO STORES {n} LONDON", "SAINSBURY'S S/MKT", "Aldi {n}", "LIDL GB {n}", "ASDA SUPERSTORE {n}",
                  "CO-OP GROUP {n}"),
    "other": ("AMAZON.CO.UK*{n}", "UBER TRIP {n}", "PRET A MANGER {n}", "SHELL {n}", "TFL TRAVEL CH", "BOOTS {n}",
              "The Copper Pot", "IKEA LTD {n}", "Primark {n}", "GREGGS PLC {n}", "CURRENT CAFE", "CAR RENTAL {n}"),
    "gambling": ("BET365 {n}", "SKY BET {n}", "PADDY POWER {n}", "LUCKY STAR CASINO", "NATIONAL LOTTERY {n}"),
    "cash": ("ATM WITHDRAWAL {n}", "CASHPOINT HIGH ST {n}"),
    "transfer": ("TRANSFER TO J SMITH", "FASTER PAYMENT {n}", "PAYPAL *PAYMENT {n}"),
}  # fmt: skip
SUBSCRIPTIONS = (
    ("NETFLIX.COM", 10.99),
    ("SPOTIFY P{n}", 11.99),
    ("DISNEY PLUS", 7.99),
    ("PureGym Membership", 24.99),
    ("APPLE.COM/BILL", 2.99),
)
BILLS = (
    ("DD BRITISH GAS {n}", 85.0),
    ("THAMES WATER {n}", 38.0),
    ("COUNCIL TAX {n}", 140.0),
    ("Vodafone Ltd {n}", 29.0),
)
RENTS = ("RENT {month}", "ELM STREET LETTINGS", "Harbour Housing Association {n}")
EMPLOYERS = ("ACME LTD PAYROLL {month}", "SALARY NORTHWIND LOGISTICS", "BACS PAY City Council {n}", "WAGES {month} {n}")
PAYOUTS = ("UPWORK PAYOUT {n}", "ETSY SALES {n}", "CARD TAKINGS {n}")


class Transaction(NamedTuple):
    """One line of the file, as texts."""

    customer_id: str
    transaction_id: str
    amount: str
    type: str
    description: str
    timestamp: str


# Share of transactions -> what happens to one of them.
FAULTS: tuple[tuple[float, Callable[[Transaction], Transaction]], ...] = (
    (0.010, lambda t: t._replace(amount=t.amount.removeprefix("-") if t.amount[0] == "-" else f"-{t.amount}")),
    (0.004, lambda t: t._replace(description="")),
    (0.002, lambda t: t._replace(amount="")),
    (0.0001, lambda t: t._replace(timestamp="31/02/2025 25:00")),
    (0.002, lambda t: t._replace(type="")),
    (0.001, lambda t: t._replace(amount="0.00")),
    (0.0005, lambda t: t._replace(amount=f"{t.amount.partition('.')[0]}000.00")),
)
TWICE = 0.003  # share of transactions that the file has twice
STRAYS = 6  # customers with a label and no transactions, and as many the other way round


def write(
    folder: Path, rows: int = CUSTOMERS, seed: int = 7, separator: str = ",", spelling: str = "plain"
) -> list[Path]:
    """transactions.csv and labels.csv of so many customers. spelling: of the headers, a key of SPELLINGS."""
    columns, target = SPELLINGS[spelling]
    drawn = [_customer(Random(f"default_90d/{seed}/{k}"), k) for k in range(1, rows + 1)]  # noqa: S311 - no secret
    places = [Transaction._fields.index(OURS.get(name, name)) for name in columns]
    lines = ([transaction[place] for place in places] for _, own in drawn for transaction in own)
    labels = [(f"CUST{k:05d}", label) for k, (label, _) in enumerate(drawn, start=1)]
    strays = [(f"CUST{k:05d}", 0) for k in range(rows + 1, rows + 1 + min(STRAYS, rows))]
    return [
        write_csv(folder / "transactions.csv", columns, lines, separator),
        write_csv(folder / "labels.csv", ("customer_id", target), [*labels[len(strays) :], *strays], separator),
    ]


def _customer(rng: Random, number: int) -> tuple[int, list[Transaction]]:
    """The label, and the transactions in the order of time with their faults."""
    stress = rng.gauss(0, 1)
    label = int(stress + rng.gauss(0, DEFAULT_NOISE) > DEFAULT_FROM)
    moved = sorted(_movements(rng, stress), key=lambda movement: movement[0])
    whole = [_transaction(rng, number, k, *movement) for k, movement in enumerate(moved, start=1)]
    return label, [faulty for transaction in whole for faulty in _with_faults(rng, transaction)]


def _movements(rng: Random, stress: float) -> Iterator[tuple[datetime, float, str]]:
    """(when, signed amount, description), in no order."""
    income = rng.lognormvariate(7.7 - 0.1 * stress, 0.3)
    yield from _income(rng, stress, income)
    yield from _monthly(rng, income)
    spend = income * rng.uniform(0.55, 0.75) * (1 + 0.12 * stress) / 30  # a day
    yield from _shopping(rng, "groceries", 14, 0.30 * spend * DAYS)
    yield from _shopping(rng, "other", 20, 0.55 * spend * DAYS)
    yield from _shopping(rng, "cash", 3, 0.10 * spend * DAYS)
    yield from _shopping(rng, "transfer", 3, 0.15 * spend * DAYS)
    if rng.random() < _share(0.18 + 0.14 * stress):
        yield from _shopping(rng, "gambling", 8 + 6 * max(stress, 0), 0.06 * income * 3 * (1 + max(stress, 0)))
    yield from _trouble(rng, stress)


def _income(rng: Random, stress: float, income: float) -> Iterator[tuple[datetime, float, str]]:
    employed, text = rng.random() < _share(0.85 - 0.08 * stress), rng.choice(EMPLOYERS)
    for month, day in enumerate(PAY_DAYS):
        if employed and rng.random() < _share(0.97 - 0.08 * stress):
            yield _at(rng, day, 9), income, _text(rng, text, month)
        for _ in range(0 if employed else rng.randint(1, 4)):
            yield _at(rng, rng.randrange(DAYS), 12), income * rng.uniform(0.15, 0.5), _text(rng, rng.choice(PAYOUTS))


def _monthly(rng: Random, income: float) -> Iterator[tuple[datetime, float, str]]:
    rent = income * rng.uniform(0.22, 0.4) if rng.random() < 0.6 else 0.0
    landlord = rng.choice(RENTS)
    due = [*rng.sample(BILLS, rng.randint(1, 4)), *rng.sample(SUBSCRIPTIONS, rng.randint(0, 4))]
    for month, pay_day in enumerate(PAY_DAYS):
        if rent:
            yield _at(rng, pay_day - 26, 8), -rent, _text(rng, landlord, month)
        for text, amount in due:
            yield _at(rng, pay_day - rng.randint(5, 25), 7), -amount * rng.uniform(0.98, 1.02), _text(rng, text)


def _shopping(rng: Random, kind: str, visits: float, total: float) -> Iterator[tuple[datetime, float, str]]:
    """About so many visits that take about the total."""
    for _ in range(max(1, round(rng.gauss(visits, visits / 4)))):
        amount = total / visits * rng.lognormvariate(-0.08, 0.4)
        yield _at(rng, rng.randrange(DAYS), rng.randint(8, 22)), -amount, _text(rng, rng.choice(SHOPS[kind]))


def _trouble(rng: Random, stress: float) -> Iterator[tuple[datetime, float, str]]:
    """Payday loans and the bank's fees."""
    for _ in range(3):
        if rng.random() < _share(0.04 + 0.12 * stress):
            day, amount = rng.randrange(DAYS - 31), rng.choice((150.0, 200.0, 300.0, 500.0))
            yield _at(rng, day, 15), amount, _text(rng, "QUICKQUID {n}")
            yield _at(rng, day + 30, 6), -1.3 * amount, _text(rng, "PAYDAY LOAN REPAYMENT {n}")
        if rng.random() < _share(0.10 + 0.16 * stress):
            yield _at(rng, rng.randrange(DAYS), 3), -rng.choice((12.0, 25.0, 35.0)), "UNPAID ITEM FEE"


def _transaction(rng: Random, customer: int, number: int, moment: datetime, amount: float, text: str) -> Transaction:
    kind = "credit" if amount > 0 else "debit"
    when = moment.isoformat(timespec="seconds")
    return Transaction(f"CUST{customer:05d}", f"T{customer:05d}{number:04d}", f"{amount:.2f}", kind, text, when)


def _with_faults(rng: Random, transaction: Transaction) -> Iterator[Transaction]:
    for share, fault in FAULTS:
        if rng.random() < share:
            transaction = fault(transaction)
    yield transaction
    if rng.random() < TWICE:
        yield transaction


def _at(rng: Random, day: int, hour: int) -> datetime:
    return FIRST_DAY + timedelta(days=min(day, DAYS - 1), hours=hour, seconds=rng.randrange(3600))


def _text(rng: Random, text: str, month: int = 0) -> str:
    return text.format(n=rng.randint(1000, 99999), month=MONTHS[month])


def _share(number: float) -> float:
    return min(max(number, 0.0), 1.0)
