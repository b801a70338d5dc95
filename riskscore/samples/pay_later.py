"""Simulated pay-later customers and their defaults: dataset.csv, in the form of the model's real files.

Two hidden traits shape a customer, how much he buys and how badly he pays; history, account and open bills follow
from them, and the default from what can be seen of them. The names of columns, merchants and codes are those of the
real files, their shares and values are not: no real row was used.
"""

from __future__ import annotations

import math
from random import Random
from typing import TYPE_CHECKING, Any
from uuid import UUID

from riskscore.samples.sample_files import write_csv

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    Row = dict[str, Any]

TARGET = "default"
COLUMNS = (
    "uuid", TARGET, "account_amount_added_12_24m", "account_days_in_dc_12_24m", "account_days_in_rem_12_24m",
    "account_days_in_term_12_24m", "account_incoming_debt_vs_paid_0_24m", "account_status",
    "account_worst_status_0_3m", "account_worst_status_12_24m", "account_worst_status_3_6m",
    "account_worst_status_6_12m", "age", "avg_payment_span_0_12m", "avg_payment_span_0_3m", "merchant_category",
    "merchant_group", "has_paid", "max_paid_inv_0_12m", "max_paid_inv_0_24m", "name_in_email",
    "num_active_div_by_paid_inv_0_12m", "num_active_inv", "num_arch_dc_0_12m", "num_arch_dc_12_24m",
    "num_arch_ok_0_12m", "num_arch_ok_12_24m", "num_arch_rem_0_12m", "num_arch_written_off_0_12m",
    "num_arch_written_off_12_24m", "num_unpaid_bills", "status_last_archived_0_24m",
    "status_2nd_last_archived_0_24m", "status_3rd_last_archived_0_24m", "status_max_archived_0_6_months",
    "status_max_archived_0_12_months", "status_max_archived_0_24_months", "recovery_debt",
    "sum_capital_paid_account_0_12m", "sum_capital_paid_account_12_24m", "sum_paid_inv_0_12m", "time_hours",
    "worst_status_active_inv",
)  # fmt: skip

# From the most to the least frequent; the shares fall as 1 / place ** DECAY, group by group and within each.
MERCHANTS = {
    "Entertainment": ("Diversified entertainment", "Books & Magazines", "Video Games & Related accessories",
                      "Music & Movies"),
    "Clothing & Shoes": ("Youthful Shoes & Clothing", "General Shoes & Clothing", "Adult Shoes & Clothing",
                         "Underwear"),
    "Leisure, Sport & Hobby": ("Concept stores & Miscellaneous", "Sports gear & Outdoor", "Prints & Photos",
                               "Hobby articles", "Collectibles", "Costumes & Party supplies",
                               "Musical Instruments & Equipment"),
    "Health & Beauty": ("Dietary supplements", "Body & Hair Care", "Prescription optics",
                        "Diversified Health & Beauty products", "Cosmetics", "Fragrances",
                        "Personal care & Body improvement", "Pharmaceutical products"),
    "Children Products": ("Diversified children products", "Children Clothes & Nurturing products", "Children toys"),
    "Home & Garden": ("Pet supplies", "Decoration & Art", "Diversified Home & Garden products",
                      "Tools & Home improvement", "Furniture", "Kitchenware", "Safety products", "Plants & Flowers",
                      "Cleaning & Sanitary"),
    "Electronics": ("Diversified electronics", "Electronic equipment & Related accessories",
                    "Household electronics (whitegoods/appliances)", "Car electronics",
                    "Office machines & Related accessories (excl. computers)"),
    "Jewelry & Accessories": ("Jewelry & Watches", "Diversified Jewelry & Accessories", "Bags & Wallets", "Non"),
    "Intangible products": ("Dating services", "Digital services", "Travel services"),
    "Automotive Products": ("Automotive Parts & Accessories", "Wheels & Tires"),
    "Erotic Materials": ("Diversified erotic material", "Erotic Clothing & Accessories", "Sex toys"),
    "Food & Beverage": ("Food & Beverage", "Tobacco"),
}  # fmt: skip
DECAY = 1.2
RISKY_GROUPS = {"Intangible products": 1.0, "Electronics": 0.7, "Food & Beverage": 0.7, "Jewelry & Accessories": 0.5,
                "Children Products": -0.4, "Health & Beauty": 0.3}  # fmt: skip
NAMES = {"F+L": 8, "no_match": 4, "L1+F": 3, "F": 2, "Nick": 2, "F1+L": 1.5, "L": 0.4}  # code: how often
RISKY_NAMES = {"F+L": -0.4, "no_match": 0.5, "Nick": 0.5}

UNLABELLED = 0.1  # of the rows have no label: those are the ones to score
OK, REMINDED, COLLECTED, WRITTEN_OFF = 1, 2, 3, 5  # how a bill ended
INTERCEPT = -8.2


def write(folder: Path, rows: int, seed: int, separator: str = ";") -> list[Path]:
    """dataset.csv with so many customers, one in ten of them without a label."""
    table = (tuple(customer[name] for name in COLUMNS) for customer in customers(rows, seed))
    return [write_csv(folder / "dataset.csv", COLUMNS, table, separator)]


def customers(count: int, seed: int) -> Iterator[Row]:
    """Simulated customers as rows of the file; None is a missing value."""
    for k in range(count):
        yield _customer(Random(f"pay_later/{seed}/{k}"))  # noqa: S311 - simulation, no secret


def _customer(rng: Random) -> Row:
    stress, buys = rng.gauss(0, 1), 0.0 if rng.random() < 0.15 else rng.lognormvariate(1.6, 1.2)
    row: Row = {"uuid": str(UUID(int=rng.getrandbits(128), version=4))}
    row |= _person(rng, stress)
    recent = _bills(rng, buys, stress)
    older = _bills(rng, buys, stress) if rng.random() < 0.8 else []
    row |= _history(rng, recent, older) | _payments(rng, recent, older, stress)
    row |= _open_bills(rng, recent, buys, stress)
    row |= _account(rng, stress) if rng.random() < (0.55 if buys else 0.05) else _no_account(rng)
    row["num_unpaid_bills"] += _whole(rng, 2.0) if row["account_status"] else 0
    risk = _risk(row) + 0.4 * stress + rng.gauss(0, 1)
    defaulted = int(rng.random() < 1 / (1 + math.exp(-risk)))
    return row | {TARGET: None if rng.random() < UNLABELLED else defaulted}


def _person(rng: Random, stress: float) -> Row:
    groups = list(MERCHANTS)
    group = _ranked(rng, groups)
    evening = 16.5 + rng.gauss(0, 4.5) + 0.5 * stress
    return {
        "age": 18 + min(int(rng.gammavariate(1.7, max(5.0, 11.0 - 2 * stress))), 80),
        "merchant_group": group,
        "merchant_category": _ranked(rng, MERCHANTS[group]),
        "name_in_email": rng.choices(list(NAMES), list(NAMES.values()))[0],
        "time_hours": round(evening % 24, 6),
    }


def _ranked(rng: Random, names: Sequence[str]) -> str:
    return rng.choices(names, [1 / place**DECAY for place in range(1, len(names) + 1)])[0]


def _whole(rng: Random, mean: float) -> int:
    return int(rng.expovariate(1 / mean) + 0.3)


def _bills(rng: Random, buys: float, stress: float) -> list[int]:
    """How the bills of twelve months ended, the latest first."""
    late, lost = min(0.7, 0.06 * math.exp(0.8 * stress)), min(0.3, 0.008 * math.exp(1.2 * stress))
    count = min(_whole(rng, buys), 250) if buys else 0
    ends = rng.choices((OK, REMINDED, COLLECTED), (1 - late - lost, late, lost), k=count)
    return [WRITTEN_OFF if end == COLLECTED and rng.random() < 0.01 else end for end in ends]


def _history(rng: Random, recent: list[int], older: list[int]) -> Row:
    both, half = recent + older, len(recent) - len(recent) // 2
    last = [*both, 0, 0, 0]
    gap = rng.random() < 0.18
    return {
        "num_arch_ok_0_12m": recent.count(OK),
        "num_arch_ok_12_24m": older.count(OK),
        "num_arch_rem_0_12m": recent.count(REMINDED),
        "num_arch_dc_0_12m": recent.count(COLLECTED),
        "num_arch_dc_12_24m": older.count(COLLECTED),
        "num_arch_written_off_0_12m": None if gap else float(recent.count(WRITTEN_OFF)),
        "num_arch_written_off_12_24m": None if gap else float(older.count(WRITTEN_OFF)),
        "status_last_archived_0_24m": last[0],
        "status_2nd_last_archived_0_24m": last[1],
        "status_3rd_last_archived_0_24m": last[2],
        "status_max_archived_0_6_months": max(recent[:half], default=0),
        "status_max_archived_0_12_months": max(recent, default=0),
        "status_max_archived_0_24_months": max(both, default=0),
        "recovery_debt": rng.randint(4, 60) * 50 if WRITTEN_OFF in both or rng.random() < 0.001 else 0,
    }


def _payments(rng: Random, recent: list[int], older: list[int], stress: float) -> Row:
    level = rng.lognormvariate(8.2, 0.6)
    paid = [round(level * rng.lognormvariate(0, 0.6)) + 0 for _ in recent]
    before = [round(level * rng.lognormvariate(0, 0.6)) for _ in older]
    usual = max(1.0, 14 + 5 * stress + rng.gauss(0, 5))
    days = [min(140, int(rng.gammavariate(2, usual / 2)) + 18 * (end != OK)) for end in recent]
    newest = days[: (len(days) + 2) // 4]
    return {
        "has_paid": bool(paid or before) and rng.random() > 0.005,
        "max_paid_inv_0_12m": float(max(paid, default=0)),
        "max_paid_inv_0_24m": float(max(paid + before, default=0)),
        "sum_paid_inv_0_12m": sum(paid),
        "avg_payment_span_0_12m": _mean(days),
        "avg_payment_span_0_3m": _mean(newest),
    }


def _mean(days: list[int]) -> float | None:
    return round(sum(days) / len(days), 9) if days else None


def _open_bills(rng: Random, recent: list[int], buys: float, stress: float) -> Row:
    active = 1 + _whole(rng, 0.1 + 0.05 * min(buys, 40)) if rng.random() < 0.31 + 0.06 * stress else 0
    late = rng.random() < min(0.8, 0.1 * math.exp(0.8 * stress))
    return {
        "num_active_inv": active,
        "num_active_div_by_paid_inv_0_12m": round(active / len(recent), 9) if recent else None,
        "worst_status_active_inv": (1.0 + late + (late and rng.random() < 0.08)) if active else None,
        "num_unpaid_bills": active + (_whole(rng, 1.0) if rng.random() < 0.2 + 0.08 * stress else 0),
    }


def _account(rng: Random, stress: float) -> Row:
    """An account that is paid off in parts; its times of lateness."""
    old, used = rng.random() < 0.75, rng.lognormvariate(9.2, 1.1) if rng.random() < 0.75 else 0.0
    worst = [_status(rng, stress) for _ in range(4)]
    late_days = rng.randint(1, 40) * (worst[3] - 1) if old and worst[3] > 1 else 0
    owed = rng.expovariate(1.2) * math.exp(0.8 * stress) if rng.random() < 0.66 else 0.0
    return {
        "account_amount_added_12_24m": round(used * rng.uniform(0.5, 2)) if old else 0,
        "account_days_in_dc_12_24m": float(rng.randint(10, 60)) if worst[3] == 4 and old else 0.0,
        "account_days_in_rem_12_24m": float(late_days),
        "account_days_in_term_12_24m": float(rng.randint(1, 40)) if worst[3] > 2 and old else 0.0,
        "account_incoming_debt_vs_paid_0_24m": round(owed, 9) if rng.random() < 0.88 else None,
        "account_status": 1.0 if rng.random() > 0.03 * math.exp(0.6 * stress) else 2.0,
        "account_worst_status_0_3m": float(worst[0]),
        "account_worst_status_3_6m": float(worst[1]) if rng.random() < 0.93 else None,
        "account_worst_status_6_12m": float(worst[2]) if rng.random() < 0.87 else None,
        "account_worst_status_12_24m": float(worst[3]) if old else None,
        "sum_capital_paid_account_0_12m": round(used * rng.uniform(0.3, 1.5)),
        "sum_capital_paid_account_12_24m": round(used * rng.uniform(0.2, 1.2)) if old else 0,
    }


def _status(rng: Random, stress: float) -> int:
    late, worse = min(0.8, 0.13 * math.exp(0.7 * stress)), min(0.3, 0.008 * math.exp(1.0 * stress))
    return rng.choices((1, 2, 3, 4), (1, late, worse, worse / 4))[0]


def _no_account(rng: Random) -> Row:
    days = None if rng.random() < 0.2 else 0.0
    missing = [name for name in COLUMNS if name.startswith(("account_worst", "account_status", "account_incoming"))]
    return {
        **dict.fromkeys(missing),
        **dict.fromkeys((f"account_days_in_{kind}_12_24m" for kind in ("dc", "rem", "term")), days),
        **dict.fromkeys(("sum_capital_paid_account_0_12m", "sum_capital_paid_account_12_24m"), 0),
        "account_amount_added_12_24m": 0,
    }


def _risk(row: Row) -> float:
    """Log-odds of a default, from what can be seen: history, open bills, person, and how these come together."""
    few = math.exp(-row["num_arch_ok_0_12m"] / 4)
    bad = row["status_max_archived_0_12_months"] >= COLLECTED
    late = (row["worst_status_active_inv"] or 1.0) > 1
    owed = row["account_incoming_debt_vs_paid_0_24m"] or 0.0
    young, night = max(0.0, (32 - row["age"]) / 14), row["time_hours"] < 5
    risk: float = (
        INTERCEPT
        + 2.0 * few
        + 1.7 * bad
        + 1.2 * late * (2.0 if row["num_active_inv"] > 2 else 1.0)
        + 1.5 * young * few
        + 1.2 * night * (1.5 if few > 0.5 else 0.5)
        + 0.4 * min(row["num_unpaid_bills"], 8) * (1 if few > 0.4 else 0.35)
        + 0.7 * min(owed, 3.0)
        + 0.8 * ((row["account_worst_status_0_3m"] or 1.0) - 1)
        + 1.3 * (row["account_status"] == 2.0)
        + RISKY_GROUPS.get(row["merchant_group"], 0.0)
        + RISKY_NAMES.get(row["name_in_email"], 0.0)
        - 0.6 * row["has_paid"]
    )
    return risk
