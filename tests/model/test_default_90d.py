"""default_90d: transactions in files in, a probability of default out, in the words of its endpoint."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from riskscore.errors import ArtefactRefused, DataFault
from riskscore.model_toml.settings import read_settings
from riskscore.samples import default_90d
from riskscore.sources.sources import rows_at, spec_of_model, spec_of_settings
from tests import programs
from tests.model_examples import ROOT, SHARED, deployed, engine_for, events, needs, train_small

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PUBLISHED = SHARED / "default_90d"
ENGINE = engine_for("default_90d")
HEADER = "customer_id,transaction_id,amount,type,description,timestamp\n"


def run(script: str, *arguments: str, status: int = 0) -> str:
    done = programs.run(script, *arguments)
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


UNREAD = 1  # of the 120 customers whom the seed draws: a timestamp is no time


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data/, simulated, and model/, with a default_90d of few trees trained from it."""
    folder = tmp_path_factory.mktemp("default_90d")
    default_90d.write(folder / "data", 120)
    shutil.copytree(ROOT / "sql", folder / "sql")
    train_small("default_90d", f"duckdb:{folder / 'data'}", folder / "model")  # type: ignore[arg-type]
    return folder


def test_it_trains_from_a_folder_of_files(trained: Path) -> None:
    manifest = json.loads((trained / "model" / "default_90d" / "manifest.json").read_bytes())
    assert manifest["training"]["rows"] == 120 - default_90d.STRAYS - UNREAD
    assert (
        "1 row rejected, because their transactions can't be read: timestamp is no time"
        in manifest["training"]["notes"]
    )
    assert "6 rows without defaulted left out" in manifest["training"]["notes"]
    assert any(note.startswith("6 labels of ") for note in manifest["training"]["notes"])


def test_a_folder_is_scored_with_labels_and_without(trained: Path, tmp_path: Path) -> None:
    run(
        "score.py",
        "default_90d",
        "--data",
        f"duckdb:{trained / 'data'}",
        "--output",
        str(tmp_path / "all.csv"),
        status=3,
    )
    (tmp_path / "new").mkdir()
    shutil.copy(trained / "data" / "transactions.csv", tmp_path / "new")
    new = ["--data", f"duckdb:{tmp_path / 'new'}", "--output", str(tmp_path / "new.csv")]
    run("score.py", "default_90d", *new, status=3)
    assert len(table(tmp_path / "new.csv")) == 120 - UNREAD
    assert table(tmp_path / "new.csv") == table(tmp_path / "all.csv")


SOUND = "A,1,-5,debit,TESCO,2025-02-01\n"
TOLD = "{} transactions, {} unread, {} without amount, {} repeated, 0 contradicting, {} blank"


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("B,2,n/a,debit,TESCO,2025-02-01", "amount is no number"),
        ('B,2,"1,234,5",debit,TESCO,2025-02-01', "amount is no number"),
        ("B,2,-5,fee,TESCO,2025-02-01", "type is neither debit nor credit"),
        ("B,2,-5,transfer,TESCO,2025-02-01", "type is neither debit nor credit"),
        ("B,2,-5,debit,TESCO,2025-02-31", "timestamp is no time"),
        (",2,-5,debit,TESCO,2025-02-01", "customer_id is empty"),
    ],
)
def test_what_cannot_be_read_is_reported_and_the_others_are_scored(tmp_path: Path, row: str, why: str) -> None:
    (tmp_path / "transactions.csv").write_text(f"{HEADER}{SOUND}{row}\nB,3,-5,debit,TESCO,2025-02-01\n")
    output = ["--data", f"duckdb:{tmp_path}", "--output", str(tmp_path / "scores.csv")]
    said = run("score.py", "default_90d", *output, status=3)
    nobodys = row.startswith(",")
    assert [line["customer_id"] for line in table(tmp_path / "scores.csv")] == (["A", "B"] if nobodys else ["A"])
    (fault,) = table(tmp_path / "scores.faults.csv")
    assert fault["customer_id"] == ("" if nobodys else "B")
    assert fault["reason"].endswith(f"can't be read, the first in row 2 of the file: {why}")
    assert TOLD.format(3, 1, 0, 0, 0) in said


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    (tmp_path / "transactions.csv").write_text(HEADER + SOUND + SOUND + ",,,,,\nA,2,,debit,TESCO,2025-02-01\n")
    output = ["--data", f"duckdb:{tmp_path}", "--output", str(tmp_path / "scores.csv")]
    assert TOLD.format(3, 0, 1, 1, 1) in run("score.py", "default_90d", *output)


LEDGER = [
    ("C1", "rent", -1250.0, "debit", "RENT PAYMENT", "2025-01-01"),
    ("C1", "shop", -64.1, "debit", "TESCO STORES", "2025-01-03"),
    ("C1", "pay", 2600.0, "credit", "SALARY ACME LTD", "2025-01-25"),
    ("C1", "fee", -35.0, "debit", "OVERDRAFT FEE", "2025-01-27"),
]
SPELLINGS: dict[str, tuple[Callable[[float], str], str, str, str]] = {
    "unsigned": (lambda amount: f"{abs(amount):.2f}", "debit", "credit", ","),
    "letters": (lambda amount: f"{abs(amount):.2f}", "DR", "CR", ","),
    "short": (lambda amount: f"{abs(amount):.2f}", " d ", "c", ","),
    "iso 20022": (lambda amount: f"{abs(amount):.2f}", "DBIT", "CRDT", ","),
    "grouped": (lambda amount: f'"{amount:,.2f}"', "debit", "credit", ","),
    "german": (lambda amount: f"{amount:,.2f}".translate({44: ".", 46: ","}), "debit", "credit", ";"),
    "french": (lambda amount: f"{amount:,.2f}".translate({44: "\u202f", 46: ","}), "debit", "credit", ";"),
    "swiss": (lambda amount: f"CHF {amount:,.2f}".replace(",", "'"), "debit", "credit", "\t"),
    "behind": (lambda amount: f'"{abs(amount):,.2f}{"-" if amount < 0 else ""}"', "debit", "credit", ","),
    "brackets": (lambda amount: f'"({abs(amount):,.2f})"' if amount < 0 else f'"{amount:,.2f}"', "", "", ","),
    "pounds": (lambda amount: f'"{"-" if amount < 0 else "+"}\u00a3{abs(amount):,.2f}"', "", "", ","),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_ledger_has_the_same_features_in_every_spelling(tmp_path: Path, spelling: str) -> None:
    write, debit, credit, separator = SPELLINGS[spelling]
    lines = [
        separator.join([customer, number, write(amount), debit if kind == "debit" else credit, text, day])
        for customer, number, amount, kind, text, day in LEDGER
    ]
    (tmp_path / "transactions.csv").write_text(HEADER.replace(",", separator) + "\n".join(lines) + "\n")
    settings = read_settings(ROOT / "model" / "default_90d")
    (row,) = rows_at(f"duckdb:{tmp_path}", replace(spec_of_settings(settings, ROOT), labelled=False))
    assert not isinstance(row, Exception)
    features = row.features
    assert (features["num_transactions"], features["total_debit"], features["total_credit"]) == (4, -1349.1, 2600.0)
    assert [features[name] for name in ("has_rent", "has_salary", "fees_count")] == [1, 1, 1]


@pytest.mark.parametrize(("tolerance", "is_scored"), [(0, False), (0.2, False), (0.25, True)])
def test_a_tolerance_of_model_toml_lets_a_share_pass_and_a_person_look(
    tmp_path: Path, tolerance: float, is_scored: bool
) -> None:
    rows = "".join(f"A,{k},-5,debit,TESCO,2025-02-01\n" for k in range(3))
    (tmp_path / "transactions.csv").write_text(HEADER + rows + "A,4,-5,fee,TESCO,2025-02-01\n")
    settings = read_settings(ROOT / "model" / "default_90d")
    wanted = replace(
        spec_of_settings(settings, ROOT), source=settings.source | {"tolerance": tolerance}, labelled=False
    )
    (row,) = rows_at(f"duckdb:{tmp_path}", wanted)
    assert isinstance(row, DataFault) != is_scored
    if not isinstance(row, Exception):
        assert (row.features["num_transactions"], row.observations["unread_transactions"]) == (3, 1)
        (answer,) = ENGINE.score([row.event()], {"model": "default_90d"})
        assert answer["outcome"] == "refer"
        assert "unread_transactions" in [warning["rule"] for warning in answer["warnings"]]


def test_training_goes_on_without_a_customer_of_whom_something_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "transactions.csv").write_text(f"{HEADER}{SOUND}B,2,n/a,debit,,2025-02-01\n")
    (tmp_path / "labels.csv").write_text("customer_id,defaulted\nA,0\nB,1\n")
    wanted, notes = spec_of_settings(read_settings(ROOT / "model" / "default_90d"), ROOT), list[str]()
    first, second = rows_at(f"duckdb:{tmp_path}", wanted, notes.append)
    assert not isinstance(first, Exception)
    assert isinstance(second, DataFault)
    assert [note for note in notes if note.startswith(TOLD.format(2, 1, 0, 0, 0))]


def test_the_views_are_those_that_the_model_was_trained_with(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "sql", tmp_path / "sql")
    with (tmp_path / "sql" / "default_90d" / "readings.sql").open("a") as file:
        file.write("-- changed\n")
    (tmp_path / "transactions.csv").write_text(HEADER + SOUND)
    model = deployed().find("default_90d")
    with pytest.raises(ArtefactRefused, match=r"readings.sql beside .* isn't the one that the model was trained with"):
        list(rows_at(f"duckdb:{tmp_path}", spec_of_model(model, tmp_path)))


PUBLISHED_BODY = {
    "customer_id": "CUST001",
    "num_transactions": 15,
    "total_debit": -1250.50,
    "total_credit": 3500.00,
    "avg_amount": 150.03,
    "has_rent": 1,
    "has_salary": 1,
}


def test_the_body_of_seven_fields_is_enough_and_names_the_model_by_itself() -> None:
    answer: Any = deployed().engine().answer(PUBLISHED_BODY)
    assert list(answer) == ["customer_id", "probability", "prediction"]
    assert answer == ENGINE.answer({**PUBLISHED_BODY, "lowest_balance": None})
    assert 0 < answer["probability"] < 1


@pytest.mark.parametrize("name", ["num_transactions", "total_debit", "has_salary"])
def test_the_features_of_that_body_are_needed(name: str) -> None:
    body = {key: value for key, value in PUBLISHED_BODY.items() if key != name}
    answer: Any = ENGINE.answer(body)
    assert answer["error"]["message"] == f"missing: {name}; this model needs 6 of its 18 features"


def test_what_was_spent_is_not_positive() -> None:
    answer: Any = ENGINE.answer({**PUBLISHED_BODY, "total_debit": 1250.50})
    assert answer["error"]["message"] == "total_debit must be at most 0"


@pytest.mark.slow
def test_without_the_optional_features_the_default_rate_is_still_met(tmp_path: Path) -> None:
    default_90d.write(tmp_path, 400, seed=8)
    wanted = spec_of_settings(read_settings(ROOT / "model" / "default_90d"), ROOT)
    rows = [row for row in rows_at(f"duckdb:{tmp_path}", wanted) if not isinstance(row, Exception)]
    needed = wanted.contract.required
    events = [{"features": {name: row.features[name] for name in needed}} for row in rows if row.label is not None]
    answers: Any = ENGINE.answer({"instances": events, "model": "default_90d"})
    rate = sum(int(row.label) for row in rows if row.label is not None) / len(events)
    assert abs(sum(answer["probability"] for answer in answers) / len(events) - rate) < 0.05


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
    wanted = spec_of_settings(read_settings(ROOT / "model" / "default_90d"), ROOT)
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
