"""Events on disk: a safe name for every id, whole files only, faults reported and everything else written."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskscore.database.dump import FaultReport, dump_files, dump_lines, file_name
from riskscore.database.features import FeatureRow

SAFE = re.compile(r"[A-Za-z0-9_%@~-]{1,200}\.json")


def row(customer, fault=None, date="2025-09-01", **observations):
    return FeatureRow({"customer_id": customer, "snapshot_date": date}, {"total": 1.5}, observations, fault)


@pytest.mark.parametrize(
    ("ids", "name"),
    [
        (["S0001"], "S0001.json"),
        (["S0001", "2025-09-01"], "S0001@2025-09-01.json"),
        (["../x"], "%2E%2E%2Fx.json"),
        (["a/b"], "a%2Fb.json"),
        (["a\\b"], "a%5Cb.json"),
        ([".."], "%2E%2E.json"),
        ([".hidden"], "%2Ehidden.json"),
        ([""], "%.json"),
        (["J\u00fcrgen"], "J%C3%BCrgen.json"),
        (["a\x00b\n"], "a%00b%0A.json"),
        (["50%"], "50%25.json"),
        (["a~b@c d"], "a%7Eb%40c%20d.json"),
    ],
)
def test_a_file_name_for_any_id(ids, name):
    assert file_name(*ids) == name


def test_a_long_id_is_cut_and_stays_its_own():
    first, second = file_name("x" * 5000), file_name("x" * 4999 + "y")
    assert first != second
    assert SAFE.fullmatch(first)


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=300), min_size=2, max_size=2, unique=True))
def test_names_are_safe_and_never_shared(ids):
    first, second = map(file_name, ids)
    assert SAFE.fullmatch(first)
    assert first != second


def test_one_file_per_row_under_its_customers_name(tmp_path):
    with FaultReport(tmp_path / "faults.csv") as faults:
        assert dump_files([row("A"), row("a/b", late_rows=2)], tmp_path / "m", faults, with_dates=False) == (2, 0)
    assert json.loads((tmp_path / "m" / "A.json").read_text()) == {
        "customer_id": "A",
        "snapshot_date": "2025-09-01",
        "features": {"total": 1.5},
    }
    assert json.loads((tmp_path / "m" / "a%2Fb.json").read_text())["late_rows"] == 2
    assert not (tmp_path / "faults.csv").exists()


def test_customers_with_several_snapshots_have_the_date_in_the_name(tmp_path):
    rows = [row("A"), row("A", date="2025-08-01")]
    with FaultReport(tmp_path / "faults.csv") as faults:
        dump_files(rows, tmp_path / "m", faults, with_dates=True)
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == ["A@2025-08-01.json", "A@2025-09-01.json"]


def test_faulty_ledgers_go_to_the_report_and_the_others_are_written(tmp_path):
    rows = [row("A"), row("bad", fault="transaction 3: amount is not a number"), row("B")]
    with FaultReport(tmp_path / "faults.csv") as faults:
        assert dump_files(rows, tmp_path / "m", faults, with_dates=False) == (2, 1)
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == ["A.json", "B.json"]
    assert (tmp_path / "faults.csv").read_text() == (
        "customer_id,snapshot_date,reason\nbad,2025-09-01,transaction 3: amount is not a number\n"
    )


def test_a_report_of_an_earlier_run_is_gone(tmp_path):
    (tmp_path / "faults.csv").write_text("old")
    with FaultReport(tmp_path / "faults.csv") as faults:
        dump_lines([row("A")], tmp_path / "all.jsonl", faults)
    assert not (tmp_path / "faults.csv").exists()


def test_one_line_per_row(tmp_path):
    with FaultReport(tmp_path / "faults.csv") as faults:
        assert dump_lines([row("A"), row("bad", fault="x"), row("J\u00fc")], tmp_path / "all.jsonl", faults) == (2, 1)
    lines = (tmp_path / "all.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["customer_id"] for line in lines] == ["A", "J\u00fc"]


def test_an_interrupted_dump_leaves_the_old_file_and_no_trace(tmp_path):
    (tmp_path / "all.jsonl").write_text("old\n")

    def rows():
        yield row("A")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), FaultReport(tmp_path / "faults.csv") as faults:
        dump_lines(rows(), tmp_path / "all.jsonl", faults)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("all.jsonl", "old\n")]


def test_a_value_that_is_no_json_is_refused(tmp_path):
    broken = row("A")._replace(features={"total": float("nan")})
    with pytest.raises(ValueError, match="JSON"), FaultReport(tmp_path / "faults.csv") as faults:
        dump_lines([broken], tmp_path / "all.jsonl", faults)
    assert list(tmp_path.iterdir()) == []
