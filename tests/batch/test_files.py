"""Files scored in batches: the same numbers as one by one, faults reported in their place, whole files only."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from riskscore.artefact.artefact import open_artefact
from riskscore.batch.files import BATCH_ROWS, items_of_file, items_to_score, score_file
from riskscore.database.dump import FaultReport
from riskscore.errors import InvalidFile
from riskscore.model_toml.settings import read_settings
from riskscore.scoring.engine import Engine
from riskscore.scoring.model import Model
from riskscore.serving.deployment import Deployment
from riskscore.sources.sources import spec_of_model
from riskscore.training.training import train
from riskscore.training.training_data import from_source
from tests.scoring_examples import ROOT
from tests.training_examples import MODEL_TOML, NOW, rows, write_csv, write_model

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
    assert (report, counts) == ([], (1, 0, 0))


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
    assert report[1].startswith('line 3,S3,,"missing: income_inflow_30d, ')
    assert counts == (2, 1, 0)


def test_the_table_that_is_shipped_scores_as_the_shipped_events(score, engine):
    folder = ROOT / "events" / "credit_risk"
    text, _, counts = score("in.csv", (folder / "rows.csv").read_text(), "out.jsonl")
    events = [json.loads((folder / f"S000{k}.json").read_text()) for k in (1, 2, 3, 4)]
    assert [json.loads(line) for line in text.splitlines()] == engine.answer(events)
    assert counts == (4, 0, 0)


def test_rows_that_can_not_be_scored_are_left_out_and_reported_by_line(score):
    rows = [{"customer_id": "S1", **FEATURES}, {"customer_id": "S2", **FEATURES, "income_inflow_30d": "much"}]
    rows += [{"customer_id": "S3", **FEATURES, "pct_gambling_spend_90d": 7}, {"customer_id": "S4", **FEATURES}]
    text, report, counts = score("in.csv", csv_text(rows), "out.csv")
    assert [line.split(",")[0] for line in text.splitlines()] == ["customer_id", "S1", "S4"]
    assert report == [
        "row,customer_id,snapshot_date,reason",
        'line 3,S2,,"in.csv, line 3, column income_inflow_30d: expected a number"',
        "line 4,S3,,pct_gambling_spend_90d must be between 0 and 1",
    ]
    assert counts == (2, 2, 0)


def test_a_line_that_can_not_be_read_keeps_its_ids_as_far_as_an_event_may_have_them(score):
    wrong = {**FEATURES, "income_inflow_30d": "much"}
    rows = [{"customer_id": "S1", "snapshot_date": "2025-09-01", **wrong}, {"customer_id": "S2" * 101, **wrong}]
    rows += [{"customer_id": "S3", "snapshot_date": "no day", **wrong}]
    text, report, _ = score("in.csv", csv_text(rows), "out.jsonl")
    ids = [{key: answer[key] for key in answer if "_" in key} for answer in map(json.loads, text.splitlines())]
    assert ids == [{"customer_id": "S1", "snapshot_date": "2025-09-01"}, {}, {"customer_id": "S3"}]
    assert [line[: line.index('"')] for line in report[1:]] == ["line 2,S1,2025-09-01,", "line 3,,,", "line 4,S3,,"]


@pytest.mark.parametrize(
    ("cell", "outcome"), [("", "scored"), ("0", "scored"), ("3", "refer"), ("3.0", "refer"), ("-1", None), ("x", None)]
)
def test_what_was_noticed_of_a_row_refers_it_or_is_refused_and_never_dropped(score, tmp_path, cell, outcome):
    row = {"customer_id": "S1", **FEATURES, "transactions_after_snapshot": cell}
    ids = ("customer_id", "snapshot_date", "transactions_after_snapshot")
    text, report, counts = score("in.csv", csv_text([row], ids), "out.jsonl")
    assert json.loads(text)["outcome"] == (outcome or "invalid")
    assert counts == ((1, 0, outcome == "refer") if outcome else (0, 1, 0))
    if not outcome:
        assert "line 2, column transactions_after_snapshot: expected a whole number, 0 or more" in report[1]


def test_batches_change_no_digit(score, engine):
    rows = [{"customer_id": f"S{n}", **FEATURES, "cash_withdrawal_90d": n} for n in range(BATCH_ROWS + 3)]
    text, _, counts = score("in.csv", csv_text(rows), "out.csv")
    found = [(line["customer_id"], float(line["probability"])) for line in csv.DictReader(text.splitlines())]
    alone = [0, 1, BATCH_ROWS - 1, BATCH_ROWS, BATCH_ROWS + 2]
    assert [found[n] for n in alone] == [(f"S{n}", engine.answer(rows[n])["probability"]) for n in alone]
    assert counts[:2] == (BATCH_ROWS + 3, 0)


def test_every_answer_of_a_jsonl_has_its_reasons_however_long_the_file(score):
    row = FEATURES | {"late_fee_count_90d": 6, "pct_gambling_spend_90d": 0.3, "cash_withdrawal_90d": 4e4}
    row |= {"merchant_diversity_90d": 11}
    text = "".join(json.dumps({"features": row}) + "\n" for _ in range(BATCH_ROWS + 1))
    answers = [json.loads(line) for line in score("in.jsonl", text, "out.jsonl")[0].splitlines()]
    assert {len(answer["reasons"]) for answer in answers} == {4}


# Tables that hold the target


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model of three features whose clients want files of two columns."""
    root = tmp_path_factory.mktemp("root")
    columns = '[response.columns]\nwho = "customer_id"\npd = "probability"\n'
    folder = write_model(root, toml=MODEL_TOML + columns)
    settings = read_settings(folder)
    train(settings, from_source(settings, write_csv(root / "rows.csv", rows())), folder, root, NOW)
    return Model(open_artefact(str(folder)))


@pytest.fixture
def offered(tmp_path, trained):
    """What a table's rows become: the file's lines, the notes and the counts."""

    def run(text, name="in.csv", write=Path.write_text):
        write(tmp_path / name, text)
        notes = []
        items = items_to_score(tmp_path / name, spec_of_model(trained), notes.append)
        with FaultReport(tmp_path / "faults.csv") as faults:
            counts = score_file(Engine(lambda _: trained, "small", None), trained, items, tmp_path / "out.csv", faults)
        return (tmp_path / "out.csv").read_text().splitlines(), notes, counts

    return run


HEADER = "label;late;inflow;share;customer_id\n"


def test_of_a_table_with_the_target_the_rows_without_it_are_scored_into_the_columns_asked_for(offered):
    lines, notes, counts = offered(HEADER + "1;1;900;;A\n;1;900;;B\n0;1;900;;C\n;2;900;.5;D\n")
    assert [line.split(",")[0] for line in lines] == ["who", "B", "D"]
    assert lines[0] == "who,pd"
    assert all(0 < float(line.split(",")[1]) < 1 for line in lines[1:])
    assert (notes, counts) == (["2 rows have no `label` and are scored; 2 have one and are not"], (2, 0, 0))


def test_where_every_row_has_the_target_all_are_scored_and_it_is_ignored(offered):
    lines, notes, _ = offered(HEADER + "1;1;900;;A\nodd;1;900;;B\n")
    assert [line.split(",")[0] for line in lines] == ["who", "A", "B"]
    assert notes == ["every row has label, so all rows are scored and label is ignored"]


def test_a_table_without_the_target_is_scored_without_a_word(offered):
    lines, notes, counts = offered("late,inflow,share,customer_id\n1,900,,A\n1,900,,B\n")
    assert ([line.split(",")[0] for line in lines], notes, counts) == (["who", "A", "B"], [], (2, 0, 0))


@pytest.mark.parametrize(("first", "last", "scored"), [("1", "", 1), ("1", "0", 2), ("", "", 2)])
def test_a_row_that_can_not_be_read_is_reported_once(offered, first, last, scored):
    _, _, counts = offered(HEADER + f"{first};1;900;;A\n;1;much;;B\n{last};1;900;;C\n")
    assert counts == (scored, 1, 0)


def test_a_parquet_file_is_scored_as_the_same_csv(offered):
    table = pa.table(
        {"label": [None, 1], "late": [1, 1], "inflow": [9.5, 1], "share": [None, 2.5], "customer_id": ["A", "B"]}
    )
    from_parquet = offered(table, "in.parquet", lambda path, rows: pq.write_table(rows, path))
    assert from_parquet == offered(HEADER + ";1;9.5;;A\n1;1;1;2.5;B\n")


@pytest.mark.parametrize(("source", "output"), [("in.xlsx", "out.csv"), ("in.csv", "out.xlsx")])
def test_a_file_of_another_kind_is_refused(score, tmp_path, source, output):
    with pytest.raises(InvalidFile, match=r"expected a file ending in \.csv(, \.parquet)? or \.jsonl"):
        score(source, csv_text([]), output)
    assert not (tmp_path / output).exists()
