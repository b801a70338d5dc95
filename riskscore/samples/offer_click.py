"""Simulated loan offers: leads, the offers each got, and the clicks. No real person or lender is in them.

The shape follows a marketplace of small loans: most leads have poor credit and consolidate debts, a lead gets several
offers, and a lender's own level makes most of an APR. A lead rather clicks what is cheap for it, from a lender it has
heard of, with little income; `offers_for` makes offers so for any leads and clicks, so that they join to both.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from riskscore.atomic import replacing_file
from riskscore.errors import InvalidFile

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SEED = 4
LEADS = 6000
CLICKS_PER_LEAD = 0.0932
MISSING = 0.003  # of a column
MOST_OFFERS = 8

# Shares of leads, in a thousand and in a hundred.
PURPOSES = {
    "debt_consolidation": 772, "other": 111, "home_improvement": 21, "auto": 16, "medical_dental": 15,
    "credit_card_refi": 13, "large_purchases": 9.5, "business": 7.4, "moving_relocation": 7, "vacation": 4,
    "wedding": 3, "household_expenses": 3, "taxes": 2.5, "student_loan": 2.5, "special_occasion": 2, "baby": 1.5,
    "unknown": 1.5, "boat": 1.5, "auto_refinance": 1.2, "auto_purchase": 1, "emergency": 1, "life_event": 1,
    "car_repair": 1, "green": 0.5, "cosmetic": 0.5, "student_loan_refi": 0.4, "motorcycle": 0.3, "home_purchase": 0.2,
}  # fmt: skip
CREDITS = {"poor": 50.8, "fair": 31.8, "good": 14.2, "excellent": 3, "limited": 0.1, "unknown": 0.1}
GRADES = {"excellent": 3, "good": 2, "fair": 1, "limited": 1}  # of the credit, for lenders; anything else is 0
ASKED = (1000, 500, 2000, 800, 999, 5000, 2500, 3000, 10000, 15000, 20000, 1500, 700)
ASKED_SHARES = (38, 18, 10, 7, 6, 4, 4, 3, 3, 2, 2, 2, 1)
ODD_INCOMES = (0.0, 0.0, 0.0, 12.0, 1000000.0, 11111111.0)

# lender_id -> its APR in percent for the worst credit it takes, what a grade takes off, the least grade, how well known
LENDERS = {
    101: (9.9, 1.5, 3, 0.9), 102: (14.9, 2.5, 2, 0.8), 103: (19.9, 3.0, 2, 0.2), 104: (25.9, 4.0, 1, 0.7),
    105: (29.9, 4.5, 1, 0.0), 106: (35.99, 3.0, 0, 0.9), 107: (59.0, 6.0, 0, 0.3), 108: (89.0, 8.0, 0, 0.0),
    109: (129.0, 9.0, 0, 0.5), 110: (159.0, 9.0, 0, -0.2), 111: (199.0, 9.0, 0, -0.4), 112: (449.0, 20.0, 0, -0.6),
}  # fmt: skip
LEADS_SCHEMA = pa.schema(
    [
        ("lead_uuid", pa.string()),
        ("requested", pa.float64()),
        ("loan_purpose", pa.string()),
        ("credit", pa.string()),
        ("annual_income", pa.float64()),
    ]
)
OFFERS_SCHEMA = pa.schema(
    [("lead_uuid", pa.string()), ("offer_id", pa.int64()), ("apr", pa.decimal128(10, 5)), ("lender_id", pa.int64())]
)
CLICKS_SCHEMA = pa.schema([("offer_id", pa.int64()), ("clicked_at", pa.timestamp("us"))])
FIRST_OFFER, FIRST_CLICK, CLICK_DAYS = 800_000_000, np.datetime64("2025-03-23T00:00:00", "us"), 8


def write(folder: Path, rows: int = LEADS, seed: int = SEED, separator: str = "") -> list[Path]:
    """leads.parquet with so many leads, offers.parquet and clicks.parquet into the folder."""
    leads = simulated_leads(rows, seed)
    clicks = simulated_clicks(round(rows * CLICKS_PER_LEAD), seed)
    tables = {"leads": leads, "offers": offers_for(leads, clicks, seed), "clicks": clicks}
    return [_write_parquet(folder / f"{name}.parquet", table) for name, table in tables.items()]


def _write_parquet(path: Path, table: pa.Table) -> Path:
    with replacing_file(path) as file:
        pq.write_table(table, file.buffer)  # type: ignore[attr-defined]
    return path


def simulated_leads(count: int, seed: int = SEED) -> pa.Table:
    """Leads; a few of each column are missing."""
    rng = np.random.default_rng([seed, 1])
    credit = _drawn(rng, list(CREDITS), list(CREDITS.values()), count)
    grade = _grades(credit)
    asked = _drawn(rng, list(ASKED), list(ASKED_SHARES), count).astype(float) * np.where(
        rng.random(count) < 0.2, grade + 1, 1
    )
    income = 12 * np.round(np.exp(rng.normal(8.0 + 0.17 * grade, 0.5, count)) / 100) * 100
    odd = rng.random(count) < 0.004
    income[odd] = rng.choice(ODD_INCOMES, odd.sum())
    columns = [
        [str(uuid.UUID(bytes=rng.bytes(16), version=4)) for _ in range(count)],
        *(
            pa.array(values, mask=rng.random(count) < MISSING)
            for values in (asked, _drawn(rng, list(PURPOSES), list(PURPOSES.values()), count), credit, income)
        ),
    ]
    return pa.Table.from_arrays([pa.array(column) for column in columns], schema=LEADS_SCHEMA)


def simulated_clicks(count: int, seed: int = SEED) -> pa.Table:
    """Clicks on offers that `offers_for` will make, in the order of their ids."""
    rng = np.random.default_rng([seed, 2])
    ids = FIRST_OFFER + np.sort(rng.choice(200 * count, count, replace=False))
    moments = FIRST_CLICK + np.sort(rng.integers(0, CLICK_DAYS * 86_400_000, count)) * 1000
    return pa.Table.from_arrays([pa.array(ids), pa.array(moments)], schema=CLICKS_SCHEMA)


def offers_for(leads: pa.Table, clicks: pa.Table, seed: int = SEED) -> pa.Table:
    """Simulated offers, 1 to 8 a lead, that the leads got and the clicks are of."""
    rng = np.random.default_rng([seed, 3])
    count = rng.binomial(MOST_OFFERS - 1, 0.45, leads.num_rows) + 1
    lead = np.repeat(np.arange(leads.num_rows), count)
    grade = _grades(np.array(leads["credit"].to_pylist(), dtype=object))[lead]
    place = np.arange(len(lead)) - np.repeat(np.cumsum(count) - count, count)
    lender = _lenders(rng, grade, place)
    table = np.array(list(LENDERS.values()))[lender]
    apr = np.round(table[:, 0] - table[:, 1] * (grade - table[:, 2]) + rng.normal(0, 0.02, len(lead)) * table[:, 0], 2)
    cheapest = np.minimum.reduceat(apr, np.cumsum(count) - count)[lead]
    income = np.nan_to_num(leads["annual_income"].to_numpy(zero_copy_only=False).astype(float), nan=0.0)[lead]
    taste = 1.6 * table[:, 3] - 1.1 * np.log(apr / cheapest) - 0.5 * np.log(apr / 30)
    taste += 0.25 * np.log1p(150_000 / (np.clip(income, 0, None) + 20_000)) - 0.12 * count[lead]
    ids = _offer_ids(rng, taste, np.array(clicks["offer_id"].to_pylist(), dtype=np.int64))
    columns = [
        leads["lead_uuid"].combine_chunks().take(pa.array(lead)),
        pa.array(ids),
        pa.array(np.char.mod("%.2f", apr).tolist()).cast(pa.decimal128(10, 5)),
        pa.array(np.array(list(LENDERS))[lender]),
    ]
    return pa.Table.from_arrays(columns, schema=OFFERS_SCHEMA)


def _drawn(rng: np.random.Generator, values: list[Any], shares: list[float], count: int) -> NDArray[Any]:
    weights = np.array(shares, dtype=float)
    return rng.choice(np.array(values), count, p=weights / weights.sum())


def _grades(credit: NDArray[Any]) -> NDArray[np.int64]:
    return np.array([GRADES.get(name, 0) for name in credit], dtype=np.int64)


def _lenders(rng: np.random.Generator, grade: NDArray[np.int64], place: NDArray[np.int64]) -> NDArray[np.int64]:
    """A lender that takes the credit, as its place in LENDERS; no lender twice for a lead."""
    least = np.array([lender[2] for lender in LENDERS.values()])
    starts = np.flatnonzero(place == 0)
    order = rng.random((len(starts), len(LENDERS)))
    order[least[None, :] > grade[starts][:, None]] = 2.0  # behind those that take it
    ranked = np.argsort(order, axis=1, kind="stable")
    return np.asarray(ranked[np.cumsum(place == 0) - 1, place], dtype=np.int64)


def _offer_ids(rng: np.random.Generator, taste: NDArray[np.float64], clicked: NDArray[np.int64]) -> NDArray[np.int64]:
    """An id for each offer: those that were clicked for the offers that the leads liked best, with chance."""
    if len(clicked) > len(taste):
        raise InvalidFile(
            f"clicks: {len(clicked):,} of them, more than the {len(taste):,} offers simulated for the leads"
        )
    liked = np.argsort(-(taste + rng.gumbel(0.0, 1.0, len(taste))), kind="stable")[: len(clicked)]
    first = int(clicked.min()) if len(clicked) else FIRST_OFFER
    free = np.setdiff1d(np.arange(first, first + 4 * len(taste) + len(clicked)), clicked)
    ids = rng.choice(free, len(taste), replace=False)
    ids[liked] = rng.permutation(clicked)
    return np.asarray(ids, dtype=np.int64)
