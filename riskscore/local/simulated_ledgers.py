"""Simulated bank ledgers: no real person, bank or merchant is in them.

A hidden trait, financial stress, shapes each ledger (income, spending, gambling, fees, missed salaries) and, with
noise, the label. Only `random.Random`, sums, products and tables rounded once at import are used, so a random stream
gives the same bytes under every Python, platform and hash seed. The distributions follow the published sets of such
features (30-day inflow about 23,500 +- 12,000, 24 +- 10 merchants, debits / credits about 1.35, gambling share about
0.06), with a lender's base rate of about 12 % in place of theirs.
"""

from __future__ import annotations

import functools
import json
import math
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

# The label: default where stress + LABEL_NOISE x a normal draw reaches the threshold (about 12 % of customers).
LABEL_NOISE = 0.55
LABEL_THRESHOLD = 1.36

CREDITS = {
    "salary": ("Northwind Logistics", "Halden Foods", "City Council Payroll", "Brightside Care", "Orbit Retail Group"),
    "transfer": ("Family Transfer", "Savings Pot", "Peer Payment", "Tax Office", "Old Account"),
    "business_income": ("Card Takings", "Invoice Settlement", "Market Sales", "Delivery Platform"),
}
BILLS = {
    "rent": ("Elm Street Lettings", "Harbour Homes", "Kestrel Property", "Mrs Adler"),
    "utilities": ("Grid Electric", "Clearwater", "Valley Gas", "Metro Energy"),
    "telecom": ("Wavelength Mobile", "Fibrenet", "Talkline", "Bluecell"),
    "insurance": ("Shield Mutual", "Anchor Insurance", "Safehands"),
    "loan_repayment": ("Fairlend", "Autocredit", "Student Loans Office"),
}
# Per category: the level of a payment relative to the customer's mean, and the merchants.
SHOPS = {
    "groceries": (0.8, ("Green Basket", "Corner Pantry", "Harvest Hall", "Freshway", "Daily Bread", "Market Square",
                        "Good Larder", "Sunrise Foods", "The Grocer's Yard", "Mill Lane Store", "Fruit & Root")),
    "restaurants": (0.6, ("Noodle Bar", "Casa Lima", "The Copper Pot", "Spice Route", "Blue Door Cafe", "Pier Grill",
                          "Two Olives", "Bean There", "Dragon Garden", "Slice House", "Taqueria Sol")),
    "transport": (0.4, ("City Metro", "Swift Cabs", "Rail Link", "Parkwell", "Bikeshare", "Coastal Buses")),
    "fuel": (1.0, ("Summit Fuel", "Roadside Energy", "Eastgate Service", "Pump & Go")),
    "shopping": (1.7, ("Thread & Co", "Homeware Hub", "Volt Electronics", "Paper Lantern", "Big Shed", "Shoe Loft",
                       "Online Bazaar", "Garden World", "Toy Attic", "Second Chapter", "Sport Depot")),
    "health": (1.1, ("Well Pharmacy", "Bright Dental", "Park Clinic", "Clear Optics", "Gym Republic")),
    "entertainment": (0.7, ("Streamly", "Tunebox", "Grand Cinema", "Game Vault", "Ticket Window", "Pixel Arcade")),
}  # fmt: skip
GAMBLING = ("Lucky Star Bets", "Royal Spin Casino", "Goal Line Sportsbook", "Jackpot Lane")
CASH = ("ATM Main Street", "ATM Central Station", "ATM Riverside")


def _tail(kind: str, category: str, merchant: str | None) -> str:
    """The end of a transaction's JSON, up to its amount; a merchant of None is left out."""
    named = "" if merchant is None else f'"merchant": {json.dumps(merchant)}, '
    return f'"type": "{kind}", "category": "{category}", {named}"status": "success", "amount": '


CREDIT_TAILS = {category: [_tail("credit", category, name) for name in names] for category, names in CREDITS.items()}
BILL_TAILS = {category: [_tail("debit", category, name) for name in names] for category, names in BILLS.items()}
SHOP_TAILS = [(_tail("debit", c, name), level) for c, (level, names) in SHOPS.items() for name in names]
GAMBLING_TAILS = [_tail("debit", "gambling", name) for name in GAMBLING]
CASH_TAILS = [_tail("debit", "cash_withdrawal", name) for name in CASH]
FEE_TAIL = _tail("debit", "fees", None)

# A random byte picks from each: a log-normal factor of mean 1 in 1/1024, a time of the day, the cents.
SPREAD = [round(1024 * math.exp(0.8 * NormalDist().inv_cdf((i + 0.5) / 256) - 0.32)) for i in range(256)]
CLOCK = [f'{7 + i // 16:02d}:{i * 37 % 60:02d}:{i * 23 % 60:02d}Z", ' for i in range(256)]
CENTS = [f".{i * 100 // 256:02d}}}" for i in range(256)]
EARLY = '05:30:00Z", '


@dataclass(frozen=True, slots=True)
class Customer:
    """What the ledger and the label are drawn from; money per month."""

    stress: float
    income: float
    outflow: float
    payments: int
    salaried: bool
    gambling_share: float
    cash_share: float
    merchants: int


def _bell(rng: Random) -> float:
    """About standard normal, by sums alone: libm's logarithm may differ in the last bit between platforms."""
    return (rng.random() + rng.random() + rng.random() + rng.random() - 2.0) * 1.7320508075688772


def _between(low: float, value: float, high: float) -> float:
    return min(max(value, low), high)


def draw_customer(rng: Random) -> Customer:
    """Stress lowers income, raises spending, gambling and cash, and narrows where a customer shops."""
    stress, earning = _bell(rng), _bell(rng)
    gambles = rng.random() < _between(0.08, 0.36 + 0.17 * stress, 0.9)
    appetite = rng.random() * (0.9 + 0.3 * rng.random())
    return Customer(
        stress=stress,
        income=max(4500.0, 23000 + 10500 * earning - 4200 * stress),
        outflow=max(4500.0, 20500 + 3000 * earning + 9500 * _bell(rng) + 3600 * stress),
        payments=20 + int(40 * rng.random()),
        salaried=rng.random() > _between(0.03, 0.11 + 0.05 * stress, 0.5),
        gambling_share=_between(0.01, 0.02 + 0.26 * appetite + 0.03 * stress, 0.5) if gambles else 0.0,
        cash_share=_between(0.0, 0.08 + 0.05 * _bell(rng) + 0.03 * stress, 0.4),
        merchants=int(_between(4, 14 + 10.5 * _bell(rng) - 2 * stress, 45)),
    )


def draw_label(rng: Random, customer: Customer) -> int:
    """1 where the customer defaults: stress and what no ledger shows (illness, divorce, luck)."""
    return int(customer.stress + LABEL_NOISE * _bell(rng) >= LABEL_THRESHOLD)


@functools.lru_cache(maxsize=256)
def _days(snapshot: date, history: int) -> list[str]:
    """For each byte a day of the `history` days before the snapshot, as the beginning of a transaction's JSON."""
    return [f'{{"ts": "{snapshot - timedelta(days=1 + i * history // 256)}T' for i in range(256)]


@functools.lru_cache(maxsize=256)
def _monthly(snapshot: date, day: int) -> list[str]:
    """That day of the four months before the snapshot, latest first, as `_days` writes it."""
    months = [snapshot.year * 12 + snapshot.month - 1 - back for back in range(1, 5)]
    return [f'{{"ts": "{date(month // 12, month % 12 + 1, day)}T' for month in months]


def _payments(rng: Random, count: int, days: list[str], tails: list[str], levels: list[int]) -> list[str]:
    """`count` payments on random days; tails[i] is paid levels[i] on average."""
    size, draws = len(tails), rng.randbytes(5 * count)
    rows = []
    for pick, day, clock, spread, cents in zip(*(draws[i::5] for i in range(5)), strict=True):
        which = pick * size >> 8
        rows.append(f"{days[day]}{CLOCK[clock]}{tails[which]}{levels[which] * SPREAD[spread] >> 10}{CENTS[cents]}")
    return rows


def _income(rng: Random, customer: Customer, snapshot: date, days: list[str]) -> list[str]:
    """A monthly salary, at times missed, or takings spread over the month; and transfers beside either."""
    extra = int(4 * rng.random() * rng.random() * 4)
    rows = _payments(rng, extra, days, CREDIT_TAILS["transfer"], [int(customer.income * 0.06)] * 5)
    if not customer.salaried:
        level = [int(customer.income * 0.27)] * 4
        return rows + _payments(rng, 12, days, CREDIT_TAILS["business_income"], level)
    employer, payday = rng.choice(CREDIT_TAILS["salary"]), rng.choice((3, 3, 3, 15, 20, 25, 25, 25, 27, 28))
    missed = _between(0.01, 0.05 + 0.06 * customer.stress, 0.4)
    cents = CENTS[rng.getrandbits(8)]
    for month, day in enumerate(_monthly(snapshot, payday)):
        # The third one back, the first of the 90 days, is paid: without any credit debits / credits is a cliff
        # (about 1e10), and no ordinary customer may teach a model that it is within the range it knows.
        if rng.random() >= missed or month == 2:
            rows.append(f"{day}{EARLY}{employer}{int(customer.income)}{cents}")
    return rows


def _bills(rng: Random, customer: Customer, snapshot: date) -> list[str]:
    """Rent and the bills of each month; under stress some bounce, are reversed and cost a fee."""
    shares = (0.2 + 0.1 * rng.random(), 0.05, 0.03, 0.03, 0.09 if rng.random() < 0.4 else 0.0)
    bounce = _between(0.0, 0.015 + 0.02 * customer.stress, 0.2)
    rows = []
    for share, tails in zip(shares, BILL_TAILS.values(), strict=True):
        if share:
            tail, due, cents = rng.choice(tails), 2 + int(20 * rng.random()), CENTS[rng.getrandbits(8)]
            for day in _monthly(snapshot, due):
                row = f"{day}{EARLY}{tail}{int(share * customer.outflow)}{cents}"
                if rng.random() < bounce:
                    rows.append(f"{day}{EARLY}{FEE_TAIL}{35}{CENTS[0]}")
                    row = _reversed(row)
                rows.append(row)
    return rows


def _reversed(row: str) -> str:
    return row.replace('"success"', '"reversed"')


def _spending(rng: Random, customer: Customer, days: list[str], months: float) -> list[str]:
    """Shops, gambling, cash and fees: what is left of the payments and of the outflow after the bills."""
    bets = int(months * (1 + 5 * rng.random())) if customer.gambling_share else 0
    draws = int(months * (1 + 2 * rng.random()))
    buys = max(int(months * customer.payments) - bets - draws - int(4.5 * months), 12)
    money = customer.outflow * months
    left = max(0.62 - customer.gambling_share - customer.cash_share, 0.1)
    shops = rng.sample(SHOP_TAILS, customer.merchants)
    mean = left * money / buys / (sum(level for _, level in shops) / len(shops))
    rows = _payments(rng, buys, days, [tail for tail, _ in shops], [int(mean * level) for _, level in shops])
    for index in rng.sample(range(buys), int(4 * rng.random())):
        rows[index] = _reversed(rows[index])
    if bets:
        sites = rng.sample(GAMBLING_TAILS, 2)
        rows += _payments(rng, bets, days, sites, [int(customer.gambling_share * money / bets)] * 2)
    rows += _payments(rng, draws, days, CASH_TAILS, [int(customer.cash_share * money / draws)] * 3)
    fees = int(_between(0.0, 1.0 + 0.8 * customer.stress + 1.2 * _bell(rng), 12.0))
    return rows + _payments(rng, fees, days, [FEE_TAIL], [40])


def draw_ledger(rng: Random, customer: Customer, snapshot: date) -> str:
    """The customer's transactions before the snapshot as a JSON array in order of time."""
    history = 96 + 4 * int(8 * rng.random())
    days = _days(snapshot, history)
    rows = _income(rng, customer, snapshot, days)
    rows += _bills(rng, customer, snapshot)
    rows += _spending(rng, customer, days, history / 30.4)
    rows.sort()  # each begins with its time
    return f"[{', '.join(rows)}]"
