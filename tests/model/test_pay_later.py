"""pay_later: one table of customers in, a probability of default out, in the words of its endpoint."""

from __future__ import annotations

import csv
import json
import math
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from riskscore.errors import UnknownField
from riskscore.model_toml.settings import read_settings
from riskscore.samples import pay_later
from tests.model_examples import ROOT, SHARED, deployed, engine_for, events, needs, train_small
from tests.programs import run

if TYPE_CHECKING:
    from pathlib import Path

    from riskscore.contract.contract import Contract

REAL = SHARED / "pay_later" / "unlabelled_5000.csv"
EVENTS = events("pay_later")
ORDINARY: dict[str, Any] = EVENTS["ordinary"]["features"]


@cache
def contract() -> Contract:
    return read_settings(ROOT / "model" / "pay_later").contract


def number(name: str, value: Any) -> float:
    return contract().vector(ORDINARY | {name: value})[contract().names.index(name)]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("account_status", 2.0, 2.0),
        ("account_status", 2, 2.0),
        ("account_status", None, math.nan),
        ("has_paid", True, 1.0),
        ("merchant_group", "Entertainment", 0.0),
        ("merchant_group", None, math.nan),
        ("merchant_group", "Space Travel", -1.0),  # none of the declared ones
        ("merchant_category", "entertainment", -1.0),  # this contract is strict, in capitals too
    ],
)
def test_what_a_value_becomes(name: str, value: Any, expected: float) -> None:
    assert number(name, value) == pytest.approx(expected, nan_ok=True)


def test_it_has_the_41_inputs_of_the_file_in_its_order() -> None:
    assert list(contract().names) == [name for name in pay_later.COLUMNS if name not in {"uuid", "default"}]
    assert len(contract().names) == 41


def test_the_declared_merchants_are_those_of_the_sample() -> None:
    assert contract().feature("merchant_group").values == tuple(pay_later.MERCHANTS)
    declared = contract().feature("merchant_category").values
    assert declared == tuple(category for group in pay_later.MERCHANTS.values() for category in group)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    [path] = pay_later.write(tmp_path_factory.mktemp("sample"), 2500, 3, ";")
    return path


@pytest.fixture(scope="module")
def trained(sample: Path) -> Path:
    """A folder of models with a pay_later of few trees."""
    folder = sample.parent / "model"
    train_small("pay_later", sample, folder)
    return folder


def labels(path: Path) -> dict[str, str]:
    with path.open(newline="") as file:
        return {row["uuid"]: row["default"] for row in csv.DictReader(file, delimiter=";")}


def test_it_trains_on_the_labelled_rows_whatever_separates_them(sample: Path, trained: Path, tmp_path: Path) -> None:
    [comma] = pay_later.write(tmp_path, 2500, 3, ",")
    again = train_small("pay_later", comma, tmp_path / "model")
    first = json.loads((trained / "pay_later" / "manifest.json").read_bytes())
    assert (
        first["training"]["rows"] == again["training"]["rows"] == sum(label != "" for label in labels(sample).values())
    )
    assert first["training"]["data_sha256"] == again["training"]["data_sha256"]
    assert first["files"]["model.json"] == again["files"]["model.json"]


def test_predictions_hold_uuid_and_pd_of_the_rows_without_a_label(sample: Path, trained: Path, tmp_path: Path) -> None:
    output = tmp_path / "predictions.csv"
    environ = {"RISKSCORE_MODEL_URI": str(trained)}
    done = run("score.py", "pay_later", "--data", sample, "--output", output, environ=environ)
    assert done.returncode == 0, done.stderr
    header, *lines = output.read_text().splitlines()
    assert header == "uuid,pd"
    assert [line.split(",")[0] for line in lines] == [uuid for uuid, label in labels(sample).items() if label == ""]
    assert all(0 < float(line.split(",")[1]) < 1 for line in lines)
    assert (
        trained.parent / "out" / "pay_later" / "predictions.csv"
    ).read_text() == output.read_text()  # the training's


def test_scores_go_beside_the_folder_of_models_and_say_which_model_it_was(sample: Path, trained: Path) -> None:
    predictions = trained.parent / "out" / "pay_later" / "predictions.csv"
    by_training = predictions.read_text()
    predictions.unlink()
    done = run("score.py", "pay_later", "--data", sample, "--models", trained)
    assert (done.returncode, predictions.read_text()) == (0, by_training), done.stderr
    version = json.loads((trained / "pay_later" / "manifest.json").read_bytes())["version"]
    ended, scorer = done.stdout.splitlines()
    assert ended.endswith(f" rows/s: {predictions}")
    assert scorer == f"scored by pay_later {version} in {trained}; trained on: file dataset.csv"


@pytest.mark.parametrize("name", EVENTS)
def test_both_engines_answer_an_event_alike(name: str) -> None:
    twin, joblib = (engine_for("pay_later", engine).answer(EVENTS[name]) for engine in ("twin", "joblib"))
    assert twin == joblib
    assert set(twin) == {"default_probability", "status"}
    assert twin["status"] == "success"


def test_the_engines_margins_are_the_same_to_the_bit() -> None:
    rows = [{name: customer[name] for name in contract().names} for customer in pay_later.customers(300, 99)]
    vectors = [contract().vector(row) for row in rows]
    model = deployed().find("pay_later")
    assert model.margins(vectors, "twin") == model.margins(vectors, "joblib")


def test_the_risky_event_scores_above_the_ordinary_one() -> None:
    found = {name: engine_for("pay_later").answer(given)["default_probability"] for name, given in EVENTS.items()}
    assert found["risky"] > 10 * found["ordinary"]


def test_a_merchant_that_nobody_declared_is_a_warning_and_a_score() -> None:
    [found] = engine_for("pay_later").score([EVENTS["unknown-category"]])
    assert found["outcome"] == "scored"
    assert {(warning["rule"], warning["feature"]) for warning in found["warnings"]} >= {
        ("outside_support", "merchant_category"),
        ("outside_support", "name_in_email"),
    }


def test_a_column_too_many_is_refused_by_name() -> None:
    with pytest.raises(UnknownField) as raised:
        contract().vector(ORDINARY | {"num_active_invoices": 1})
    assert raised.value.field == "num_active_invoices"


@needs("pay_later/unlabelled_5000.csv")
def test_every_real_row_is_scored(tmp_path: Path) -> None:
    output = tmp_path / "predictions.csv"
    done = run("score.py", "pay_later", "--data", REAL, "--output", output)
    assert done.returncode == 0, done.stderr
    header, *lines = output.read_text().splitlines()
    assert (header, len(lines)) == ("uuid,pd", 5000)
