"""CSV that is written for people: no cell, header or fault of it is run by a spreadsheet that opens it."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import pytest

from riskscore.artefact.artefact import open_artefact
from riskscore.batch.files import WRITERS
from riskscore.commands import score
from riskscore.contract.spreadsheets import cell
from riskscore.scoring.model import Model
from tests.scoring_examples import FEATURES, IDS, ROOT, write_small

if TYPE_CHECKING:
    from pathlib import Path

HEADER = ",".join([*IDS, *FEATURES])
VALUES = ",".join(map(str, FEATURES.values()))


@pytest.mark.parametrize(
    "begins",
    [
        *"=+-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b",
        "\t",
        "\r",
        "\n",
        " =",
        "\u3000\uff1d",
        "\ufeff=",
        "\t =",
    ],
)
def test_a_text_that_a_spreadsheet_would_run_gets_an_apostrophe(begins: str) -> None:
    assert cell(f"{begins}1+1") == f"'{begins}1+1"


@pytest.mark.parametrize("value", ["", "S0001", "a=b", " S1", "_x", "(1)", "日本", -1, -0.5, None, 12, True])
def test_anything_else_stays_as_it_is(value: object) -> None:
    assert cell(value) is value


@pytest.mark.parametrize("given", ["=cmd|calc", "\uff1d1+1", "@SUM(A1)", "+1", "-1"])
def test_files_of_scores_and_of_faults_have_such_ids_as_text_and_jsonl_as_they_are(tmp_path: Path, given: str) -> None:
    table = tmp_path / "rows.csv"
    broken = VALUES.replace(str(FEATURES["days_since_last_salary"]), "never", 1)
    table.write_text(f'{HEADER}\n"{given}",2025-09-01,{VALUES}\n"{given}",2025-09-02,{broken}\n', encoding="utf-8")
    for kind in ("csv", "jsonl"):
        output = tmp_path / f"out.{kind}"
        arguments = ["credit_risk", "--data", str(table), "--output", str(output)]
        assert score.main(arguments, {"RISKSCORE_ENGINE": "twin"}) == 3
        with (tmp_path / "out.faults.csv").open(encoding="utf-8") as file:
            assert [row["customer_id"] for row in csv.DictReader(file)] == [f"'{given}"]
    with (tmp_path / "out.csv").open(encoding="utf-8") as file:
        assert [row["customer_id"] for row in csv.DictReader(file)] == [f"'{given}"]
    lines = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["customer_id"] for line in lines] == [given] * 2


def test_the_names_of_columns_are_cells_too(tmp_path: Path) -> None:
    response = {"columns": {"=1+1": "loan_id", "p": "probability"}}
    model = Model(open_artefact(str(write_small(tmp_path / "small_loans", response=response))))
    with WRITERS[".csv"](tmp_path / "out.csv", model) as (write, _):
        write({}, {"outcome": "scored", "loan_id": "\uff20L1", "probability": 0.25})
    assert (tmp_path / "out.csv").read_text(encoding="utf-8") == "'=1+1,p\n'\uff20L1,0.25\n"


def test_the_shipped_rows_are_not_touched() -> None:
    assert all(cell(text) == text for text in (ROOT / "events/credit_risk/rows.csv").read_text().split(","))
