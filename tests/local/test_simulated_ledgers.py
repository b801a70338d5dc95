"""The simulated ledgers: believable, learnable, the same for a seed wherever and however many are drawn."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from statistics import fmean

import numpy as np
import psycopg
import pytest
from sklearn.model_selection import StratifiedKFold, cross_val_score
from xgboost import XGBClassifier

from riskscore.local.edge_cases import EDGE_LEDGERS, FAULTY, SNAPSHOT, SOUND
from riskscore.local.seed import (
    SCORING,
    TRAINING,
    TRAINING_SNAPSHOTS,
    TablesExist,
    customer_id,
    edge_rows,
    scoring_rows,
    seed,
    training_rows,
)
from riskscore.local.simulated_ledgers import draw_customer, draw_ledger
from tests.scoring_examples import ROOT

FEATURES = (ROOT / "sql" / "credit_risk" / "features.sql").read_text().rstrip().rstrip(";")
TRAINING_FEATURES = f"""
    WITH {SCORING} AS (SELECT customer_id, snapshot_date, transactions FROM {TRAINING})
    SELECT label, f.* FROM ({FEATURES}) AS f JOIN {TRAINING} USING (customer_id, snapshot_date) ORDER BY customer_id
"""
ROWS = {TRAINING: training_rows, SCORING: scoring_rows}
SAMPLE = list(training_rows(7, 600))
LEDGERS = [json.loads(transactions) for _, _, transactions, _ in SAMPLE]
CATEGORIES = {
    *("salary", "transfer", "business_income", "rent", "utilities", "telecom", "insurance", "loan_repayment"),
    *("groceries", "restaurants", "transport", "fuel", "shopping", "health", "entertainment"),
    *("gambling", "cash_withdrawal", "fees"),
}


def digest(rows) -> str:
    return hashlib.sha256(repr(list(rows)).encode()).hexdigest()


# What a seed stands for: models, example events and papers were made from these bytes.
@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (TRAINING, "2d9662656a17de9f4c5b1b7ca355507ae6383a218da814269ac7c0eba2052638"),
        (SCORING, "605b15c729bcabcd61443587bd9fdf58c456e7c6ddf1fe58e11d39e45cd6df0b"),
    ],
)
def test_a_seed_gives_these_bytes(table, expected):
    assert digest(ROWS[table](7, 50)) == expected


@pytest.mark.parametrize("table", ROWS)
def test_customer_k_is_the_same_however_many_there_are(table):
    assert list(ROWS[table](7, 40))[:9] == list(ROWS[table](7, 9))


@pytest.mark.parametrize("hash_seed", ["0", "1", "4294967295"])
def test_the_hash_seed_changes_nothing(hash_seed):
    program = "from riskscore.local.seed import *; print(list(training_rows(3, 5)), list(scoring_rows(3, 5)))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        check=True,
    )
    assert done.stdout.decode().strip() == f"{list(training_rows(3, 5))} {list(scoring_rows(3, 5))}"


def test_seeds_tables_and_customers_differ():
    ledgers = [row[2] for rows in ROWS.values() for which in (1, 2, -1) for row in rows(which, 20)]
    assert len(set(ledgers)) == 2 * 3 * 20


@pytest.mark.parametrize(("k", "expected"), [(1, "S0001"), (9999, "S9999"), (10000, "S10000"), (1000000, "S1000000")])
def test_names_have_four_digits_or_more(k, expected):
    assert customer_id("S", k) == expected


@pytest.mark.parametrize(
    ("rows", "expected"), [(training_rows, ["C0001", "C0002"]), (scoring_rows, ["S0001", "S0002"])]
)
def test_tables_count_from_one(rows, expected):
    assert [name for name, *_ in rows(7, 2)] == expected


def test_about_one_in_eight_defaults():
    labels = [label for *_, label in training_rows(11, 3000)]
    assert set(labels) == {0, 1}
    assert 0.10 < fmean(labels) < 0.14


def test_ledgers_hold_what_bank_ledgers_hold():
    transactions = list(itertools.chain.from_iterable(LEDGERS))
    assert {t["category"] for t in transactions} == CATEGORIES
    assert {t["type"] for t in transactions} == {"credit", "debit"}
    assert {t["status"] for t in transactions} == {"success", "reversed"}
    assert all(isinstance(t["amount"], (int, float)) and t["amount"] >= 0 for t in transactions)
    assert any("merchant" not in t for t in transactions)


def test_ledgers_lie_before_their_snapshot_in_order_of_time_and_reach_back_over_90_days():
    for (_, snapshot, *_), ledger in zip(SAMPLE, LEDGERS, strict=True):
        times = [datetime.fromisoformat(t["ts"]) for t in ledger]
        end = datetime.fromisoformat(f"{snapshot}T00:00:00Z")
        assert times == sorted(times)
        assert times[0] < end - timedelta(days=90)
        assert times[-1] < end


@pytest.mark.parametrize("kind", ["credit", "debit"])
@pytest.mark.parametrize("snapshot", [SNAPSHOT, *TRAINING_SNAPSHOTS])
def test_even_the_most_stressed_have_credits_and_debits_in_90_days(snapshot, kind):
    start = f"{snapshot - timedelta(days=90)}T00:00:00Z"
    for rng in map(Random, range(300)):
        stressed = replace(draw_customer(rng), stress=9.0, salaried=True)
        ledger = json.loads(draw_ledger(rng, stressed, snapshot))
        assert any(t["type"] == kind and t["ts"] >= start for t in ledger)


def test_ledgers_have_a_believable_length():
    lengths = sorted(map(len, LEDGERS))
    assert 70 <= lengths[30] <= 110
    assert 130 <= fmean(lengths) <= 170
    assert 180 <= lengths[-30] <= 250


def test_most_have_salaries_some_miss_them_some_never_had_one():
    salaries = [sum(t["category"] == "salary" for t in ledger) for ledger in LEDGERS]
    shares = [fmean(n == count for n in salaries) for count in range(5)]
    assert 0.05 < shares[0] < 0.2
    assert 0.1 < sum(shares[1:4]) < 0.4
    assert shares[4] > 0.5


def test_defaulters_live_beyond_their_means_more_than_others():
    def ratio(ledger) -> float:
        paid, received = (sum(t["amount"] for t in ledger if t["type"] == kind) for kind in ("debit", "credit"))
        return min(paid / max(received, 1), 5)

    def mean_by_label(which: int) -> float:
        return fmean(ratio(ledger) for ledger, row in zip(LEDGERS, SAMPLE, strict=True) if row[3] == which)

    assert mean_by_label(1) > 1.4 * mean_by_label(0)


@pytest.mark.parametrize(("which", "expected"), [("all", {*SOUND, *FAULTY}), ("sound", {*SOUND}), ("none", set())])
def test_edge_cases_are_chosen_by_name(which, expected):
    assert {name for name, *_ in edge_rows(which)} == expected


def fetch(url, query):
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


def fill(url, *arguments, **options):
    with psycopg.connect(url) as connection:
        return seed(connection, *arguments, **options)


def contents(url, table):
    return digest(fetch(url, f"SELECT * FROM {table} ORDER BY customer_id"))


def test_both_tables_hold_what_was_simulated(database):
    assert fill(database, 3, 4, 7, edge_cases="all") == {TRAINING: 4, SCORING: 3 + len(SOUND) + len(FAULTY)}
    assert fetch(database, f"SELECT customer_id, snapshot_date::text, transactions, label FROM {TRAINING}") == [
        (name, day, json.loads(transactions), label) for name, day, transactions, label in training_rows(7, 4)
    ]
    assert dict(fetch(database, f"SELECT customer_id, transactions FROM {SCORING}")) == {
        **{name: json.loads(transactions) for name, _, transactions in scoring_rows(7, 3)},
        **EDGE_LEDGERS["all"],
    }
    assert fetch(database, f"SELECT DISTINCT snapshot_date FROM {SCORING}") == [(SNAPSHOT,)]


def test_the_null_ledger_is_a_json_null(database):
    fill(database, 0, 0, 7)
    query = f"SELECT jsonb_typeof(transactions) FROM {SCORING} WHERE customer_id = 'edge-null'"
    assert fetch(database, query) == [("null",)]


@pytest.mark.parametrize("table", ROWS)
def test_tables_are_indexed_on_the_key_and_called_simulated(database, table):
    fill(database, 1, 1, 7)
    (definition,), *others = fetch(database, f"SELECT indexdef FROM pg_indexes WHERE tablename = '{table}'")
    assert definition.endswith("USING btree (customer_id, snapshot_date)")
    assert not others
    assert "Simulated" in fetch(database, f"SELECT obj_description('{table}'::regclass)")[0][0]


@pytest.mark.parametrize("table", ROWS)
def test_one_existing_table_is_enough_to_refuse(database, table):
    with psycopg.connect(database) as connection:
        connection.execute(f"CREATE TABLE {table} (kept int)")
    with pytest.raises(TablesExist, match=f"{table} exists"):
        fill(database, 1, 1, 7)
    assert fetch(database, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == [(table,)]


def test_replace_leaves_only_the_new_rows(database):
    fill(database, 5, 5, 1)
    fill(database, 2, 3, 2, replace=True)
    fresh = [(name, label) for name, _, _, label in training_rows(2, 3)]
    assert fetch(database, f"SELECT customer_id, label FROM {TRAINING}") == fresh
    assert fetch(database, f"SELECT count(*) FROM {SCORING}") == [(2 + len(SOUND),)]


@pytest.mark.parametrize("rows_until", [1, 300, 301, 500])  # in either table, at its beginning and at its end
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_seed_leaves_the_old_tables_whole(database, rows_until, error):
    fill(database, 5, 5, 1)
    before = [contents(database, table) for table in ROWS]
    seen = itertools.count(1)

    def interrupt(_: int) -> None:
        if next(seen) == rows_until:
            raise error

    with pytest.raises(error):
        fill(database, 200, 300, 2, edge_cases="none", replace=True, progress=interrupt)
    assert [contents(database, table) for table in ROWS] == before


def test_progress_is_told_of_every_row(database):
    told: list[int] = []
    rows = fill(database, 4, 6, 7, progress=told.append)
    assert sum(told) == sum(rows.values()) == 4 + 6 + len(SOUND)


def test_the_query_finds_the_faults_of_the_faulty_edge_cases_and_no_others(database):
    fill(database, 300, 0, 7, edge_cases="all")
    found = fetch(database, f"SELECT customer_id FROM ({FEATURES}) AS f WHERE data_fault IS NOT NULL")
    assert {name for (name,) in found} == {*FAULTY}


def test_the_label_is_learnable_but_noisy(database):
    fill(database, 0, 1500, 7, edge_cases="none")
    table = np.array([(label, *features[:13]) for label, _, _, *features in fetch(database, TRAINING_FEATURES)], float)
    model = XGBClassifier(
        n_estimators=300,
        max_depth=4,
        learning_rate=0.05,
        subsample=0.9,
        colsample_bytree=0.9,
        tree_method="hist",
        n_jobs=1,
    )
    folds = StratifiedKFold(5, shuffle=True, random_state=7)
    assert 0.75 < fmean(cross_val_score(model, table[:, 1:], table[:, 0], cv=folds, scoring="roc_auc")) < 0.90
