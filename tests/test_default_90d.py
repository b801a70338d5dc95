"""default_90d: transactions in files in, a probability of default out, in the words of its endpoint."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from riskscore.errors import DataFault
from riskscore.model_toml.settings import read_settings
from riskscore.samples import default_90d
from riskscore.sources.sources import rows_at, wanted_by
from tests.model_examples import ROOT, SHARED, engine_for, events, needs, train_small

if TYPE_CHECKING:
    from pathlib import Path

PUBLISHED = SHARED / "default_90d"
ENGINE = engine_for("default_90d")
HEADER = "customer_id,transaction_id,amount,type,description,timestamp\n"


def run(script: str, *arguments: str, status: int = 0) -> str:
    command = [sys.executable, f"scripts/{script}", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


@pytest.mark.parametrize("event", events("default_90d").values(), ids=events("default_90d"))
def test_the_answer_has_three_fields(event: Any) -> None:
    answer: Any = ENGINE.answer(event)
    assert list(answer) == ["customer_id", "probability", "prediction"]
    assert answer["customer_id"] == event["customer_id"]
    assert answer["prediction"] == int(answer["probability"] >= 0.1667)


def test_the_risky_one_is_flagged_and_the_ordinary_one_not() -> None:
    answers: Any = [ENGINE.answer(events("default_90d")[name]) for name in ("risky", "ordinary")]
    assert [answer["prediction"] for answer in answers] == [1, 0]


def test_a_label_beside_the_features_changes_nothing() -> None:
    event = events("default_90d")["label-beside"]
    assert "defaulted" in event
    assert ENGINE.answer(event) == ENGINE.answer({key: value for key, value in event.items() if key != "defaulted"})


@pytest.mark.parametrize(
    ("feature", "low", "high", "rises"),
    [
        ("gambling_share", 0.0, 0.5, True),
        ("fees_count", 0, 3, True),
        ("loans_count", 0, 3, True),
        ("has_salary", 0, 1, False),
        ("lowest_balance", -9000.0, 0.0, False),
    ],
)
def test_the_risk_moves_one_way(feature: str, low: float, high: float, rises: bool) -> None:
    for event in events("default_90d").values():
        if "features" in event:
            rows = [{**event, "features": event["features"] | {feature: value}} for value in (low, high)]
            answers: Any = ENGINE.answer(rows)
            first, second = (answer["probability"] for answer in answers)
            assert first <= second if rises else first >= second


def test_a_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    first, again, other = (
        [path.read_bytes() for path in default_90d.write(tmp_path / name, 20, seed)]
        for name, seed in (("a", 7), ("b", 7), ("c", 8))
    )
    assert first == again != other


def test_more_customers_of_a_seed_begin_with_the_fewer(tmp_path: Path) -> None:
    few, many = (default_90d.write(tmp_path / str(rows), rows)[0].read_bytes() for rows in (20, 30))
    assert many.startswith(few)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data/, simulated, and model/, with a default_90d of few trees trained from it."""
    folder = tmp_path_factory.mktemp("default_90d")
    default_90d.write(folder / "data", 120)
    shutil.copytree(ROOT / "sql", folder / "sql")
    train_small("default_90d", f"duckdb:{folder / 'data'}", folder / "model")  # type: ignore[arg-type]
    return folder


def test_it_trains_from_a_folder_of_files(small: Path) -> None:
    manifest = json.loads((small / "model" / "default_90d" / "manifest.json").read_bytes())
    assert manifest["training"]["rows"] == 120 - default_90d.STRAYS
    assert "6 rows without defaulted left out" in manifest["training"]["notes"]
    assert any(note.startswith("6 labels of ") for note in manifest["training"]["notes"])


def test_a_folder_is_scored_with_labels_and_without(small: Path, tmp_path: Path) -> None:
    run("score.py", "default_90d", "--data", f"duckdb:{small / 'data'}", "--output", str(tmp_path / "all.csv"))
    (tmp_path / "new").mkdir()
    shutil.copy(small / "data" / "transactions.csv", tmp_path / "new")
    run("score.py", "default_90d", "--data", f"duckdb:{tmp_path / 'new'}", "--output", str(tmp_path / "new.csv"))
    assert len(table(tmp_path / "new.csv")) == 120
    assert table(tmp_path / "new.csv") == table(tmp_path / "all.csv")


def test_a_customer_of_whom_nothing_can_be_read_is_reported_and_the_others_are_scored(tmp_path: Path) -> None:
    rows = "A,1,-5,debit,TESCO,2025-02-01\nB,2,n/a,debit,TESCO,2025-02-01\n"
    (tmp_path / "transactions.csv").write_text(HEADER + rows)
    output = ["--data", f"duckdb:{tmp_path}", "--output", str(tmp_path / "scores.csv")]
    run("score.py", "default_90d", *output, status=3)
    assert [row["customer_id"] for row in table(tmp_path / "scores.csv")] == ["A"]
    assert "no transaction has an amount that can be read" in (tmp_path / "scores.faults.csv").read_text()


def test_training_goes_on_without_a_customer_of_whom_nothing_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "transactions.csv").write_text(f"{HEADER}A,1,-5,debit,,2025-02-01\nB,2,,debit,,2025-02-01\n")
    (tmp_path / "labels.csv").write_text("customer_id,defaulted\nA,0\nB,1\n")
    wanted = wanted_by(read_settings(ROOT / "model" / "default_90d"), ROOT)
    first, second = rows_at(f"duckdb:{tmp_path}", wanted)
    assert not isinstance(first, Exception)
    assert isinstance(second, DataFault)


@needs("default_90d")
@pytest.mark.parametrize("spelling", default_90d.SPELLINGS)
def test_the_published_customers_in_either_spelling(tmp_path: Path, spelling: str) -> None:
    columns, target = default_90d.SPELLINGS[spelling]
    given = table(PUBLISHED / "transactions.csv")
    with (tmp_path / "transactions.csv").open("w", newline="") as file:
        theirs = {ours: name for name, ours in default_90d.OURS.items()}
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        for row in given:
            writer.writerow({name: row.get(name, row.get(theirs.get(name, ""), "")) for name in columns})
    labels = (PUBLISHED / "labels.csv").read_text()
    (tmp_path / "labels.csv").write_text(labels.replace("defaulted_within_90d", target))
    wanted = wanted_by(read_settings(ROOT / "model" / "default_90d"), ROOT)
    rows: list[Any] = list(rows_at(f"duckdb:{tmp_path}", wanted))
    assert [(row.ids["customer_id"], int(row.label)) for row in rows] == [
        ("CUST_0001", 0),
        ("CUST_0002", 1),
        ("CUST_0003", 0),
        ("CUST_0004", 1),
        ("CUST_0005", 0),
    ]
    assert [row.features["has_salary"] for row in rows] == [1, 1, 0, 1, 0]
    assert [row.features["has_rent"] for row in rows] == [0, 1, 0, 1, 0]
    run("score.py", "default_90d", "--data", f"duckdb:{tmp_path}", "--output", str(tmp_path / "scores.csv"))
    assert len(table(tmp_path / "scores.csv")) == 5
