"""Files scored in batches: the same numbers as one by one, faults reported in their place, whole files only."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from riskscore.batch import BATCH_ROWS, items_of_file, score_file
from riskscore.deployment import Deployment
from riskscore.dump import FaultReport
from riskscore.engine import Engine
from riskscore.errors import InvalidFile

ROOT = Path(__file__).resolve().parent.parent
FEATURES = {
    "income_inflow_30d": 21000.5,
    "spend_outflow_30d": 18000.0,
    "pct_gambling_spend_90d": 0.1,
    "merchant_diversity_90d": 20,
    "avg_debit_amt_30d": 600.0,
    "num_big_txn_30d": 3,
    "days_since_last_salary": 29,
    "debit_credit_ratio_90d": 1.1,
    "late_fee_count_90d": 1,
    "debit_txn_count_30d": 30,
    "credit_txn_count_30d": 3,
    "net_cash_flow_30d": 3000.5,
    "cash_withdrawal_90d": 2000.0,
}


@pytest.fixture(scope="module")
def model():
    return Deployment({}, str(ROOT)).find("credit_risk")


@pytest.fixture(scope="module")
def engine(model):
    return Engine(lambda _: model, "credit_risk", look_up=lambda _, __: [])


@pytest.fixture
def score(tmp_path, engine, model):
    """Score a file's text; the output's text, the report's lines and the counts."""

    def run(name, text, output):
        (tmp_path / name).write_text(text)
        with FaultReport(tmp_path / "faults.csv") as faults:
            items = items_of_file(tmp_path / name, model, note=lambda _: None)
            counts = score_file(engine, model, items, tmp_path / output, faults)
        report = tmp_path / "faults.csv"
        return (tmp_path / output).read_text(), report.read_text().splitlines() if report.exists() else [], counts

    return run


def csv_text(rows, ids=("customer_id", "snapshot_date")):
    names = [*ids, *reversed(FEATURES)]
    return "\n".join([",".join(names), *(",".join(str(row.get(name, "")) for name in names) for row in rows)]) + "\n"


def test_a_csv_gives_ids_probability_and_version(score, engine):
    row = {"customer_id": "S1", "snapshot_date": "2025-09-01", **FEATURES}
    text, report, counts = score("in.csv", csv_text([row]), "out.csv")
    answer = engine.answer(row)
    assert list(csv.reader(text.splitlines())) == [
        ["customer_id", "snapshot_date", "probability", "model_version"],
        ["S1", "2025-09-01", repr(answer["probability"]), answer["model_version"]],
    ]
    assert (report, counts) == ([], (1, 0))


def test_a_jsonl_gives_whole_answers_of_every_shape(score, engine):
    events = [
        {"customer_id": "S1", "features": FEATURES},
        {"customer_id": "S2", **FEATURES, "reasons": 1},
        {"customer_id": "S3", "features": {}},
    ]
    text, report, counts = score("in.jsonl", "".join(json.dumps(event) + "\n" for event in events), "out.jsonl")
    assert [json.loads(line) for line in text.splitlines()] == [
        answer | ({"model": "credit_risk"}) for answer in engine.answer(events)
    ]
    assert report[1].startswith('line 3,"missing: income_inflow_30d, ')
    assert counts == (2, 1)


def test_rows_that_can_not_be_scored_are_left_out_and_reported_by_line(score):
    rows = [{"customer_id": "S1", **FEATURES}, {"customer_id": "S2", **FEATURES, "income_inflow_30d": "much"}]
    rows += [{"customer_id": "S3", **FEATURES, "pct_gambling_spend_90d": 7}, {"customer_id": "S4", **FEATURES}]
    text, report, counts = score("in.csv", csv_text(rows), "out.csv")
    assert [line.split(",")[0] for line in text.splitlines()] == ["customer_id", "S1", "S4"]
    assert report == [
        "row,reason",
        'line 3,"in.csv, line 3, column income_inflow_30d: expected a number"',
        "line 4,pct_gambling_spend_90d must be between 0 and 1",
    ]
    assert counts == (2, 2)


@pytest.mark.parametrize(
    ("cell", "outcome"), [("", "scored"), ("0", "scored"), ("3", "refer"), ("3.0", "refer"), ("-1", None), ("x", None)]
)
def test_what_was_noticed_of_a_row_refers_it_or_is_refused_and_never_dropped(score, tmp_path, cell, outcome):
    row = {"customer_id": "S1", **FEATURES, "transactions_after_snapshot": cell}
    ids = ("customer_id", "snapshot_date", "transactions_after_snapshot")
    text, report, counts = score("in.csv", csv_text([row], ids), "out.jsonl")
    assert json.loads(text)["outcome"] == (outcome or "invalid")
    assert counts == ((1, 0) if outcome else (0, 1))
    if not outcome:
        assert "line 2, column transactions_after_snapshot: expected a whole number, 0 or more" in report[1]


def test_batches_change_no_digit(score, engine):
    rows = [{"customer_id": f"S{n}", **FEATURES, "cash_withdrawal_90d": n} for n in range(BATCH_ROWS + 3)]
    text, _, counts = score("in.csv", csv_text(rows), "out.csv")
    found = [(line["customer_id"], float(line["probability"])) for line in csv.DictReader(text.splitlines())]
    alone = [0, 1, BATCH_ROWS - 1, BATCH_ROWS, BATCH_ROWS + 2]
    assert [found[n] for n in alone] == [(f"S{n}", engine.answer(rows[n])["probability"]) for n in alone]
    assert counts == (BATCH_ROWS + 3, 0)


def test_every_answer_of_a_jsonl_has_its_reasons_however_long_the_file(score):
    text = "".join(json.dumps({"features": FEATURES}) + "\n" for _ in range(BATCH_ROWS + 1))
    answers = [json.loads(line) for line in score("in.jsonl", text, "out.jsonl")[0].splitlines()]
    assert {len(answer["reasons"]) for answer in answers} == {4}


@pytest.mark.parametrize(("source", "output"), [("in.xlsx", "out.csv"), ("in.csv", "out.xlsx")])
def test_a_file_of_another_kind_is_refused(score, tmp_path, source, output):
    with pytest.raises(InvalidFile, match=r"expected a file ending in \.csv(, \.parquet)? or \.jsonl"):
        score(source, csv_text([]), output)
    assert not (tmp_path / output).exists()
