"""The simulated sample files: the same bytes for a seed, in the form of the files that they stand for."""

from __future__ import annotations

import csv
import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from riskscore.model_toml.settings import read_settings
from riskscore.samples import pay_later, x100
from riskscore.samples.commands import LOAD_OFFERS
from riskscore.sources.sources import files_of, spec_of_settings
from riskscore.sources.sqlite_output import about_of
from riskscore.training.training_data import about_files, from_source
from tests.model_examples import SHARED, needs
from tests.programs import run
from tests.scoring_examples import ROOT

if TYPE_CHECKING:
    from types import ModuleType

REAL = SHARED / "pay_later" / "unlabelled_5000.csv"
MODULES: dict[str, ModuleType] = {"pay_later": pay_later, "x100": x100}


def written(folder: Path, model: str, seed: int = 7, rows: int = 50, separator: str = ",") -> Path:
    [path] = MODULES[model].write(folder, rows, seed, separator)
    assert isinstance(path, Path)
    return path


def table(path: Path, separator: str = ",") -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter=separator))


@pytest.mark.parametrize("model", MODULES)
def test_a_seed_gives_the_same_bytes_and_another_seed_others(model: str, tmp_path: Path) -> None:
    first, again, other = (written(tmp_path / name, model, seed) for name, seed in (("a", 7), ("b", 7), ("c", 8)))
    assert first.read_bytes() == again.read_bytes() != other.read_bytes()


@pytest.mark.parametrize("model", MODULES)
def test_more_rows_of_a_seed_begin_with_the_fewer(model: str, tmp_path: Path) -> None:
    few, many = written(tmp_path / "few", model), written(tmp_path / "many", model, rows=60)
    assert many.read_bytes().startswith(few.read_bytes())
    assert len(table(many)) == 60


@pytest.mark.parametrize("model", MODULES)
def test_the_columns_are_the_contracts_with_the_target(model: str, tmp_path: Path) -> None:
    settings = read_settings(ROOT / "model" / model)
    columns = {*settings.contract.names, settings.source["target"], *(settings.ids if model == "pay_later" else ())}
    assert set(table(written(tmp_path, model))[0]) == columns


@pytest.mark.parametrize("model", MODULES)
def test_a_semicolon_separates_the_same_cells(model: str, tmp_path: Path) -> None:
    comma, semicolon = written(tmp_path / "a", model), written(tmp_path / "b", model, separator=";")
    assert table(semicolon, ";") == table(comma)
    assert ";" in semicolon.read_text().splitlines()[0]


def test_the_program_writes_what_is_asked_for(tmp_path: Path) -> None:
    done = run("sample_data.py", "pay_later", "--out", tmp_path, "--rows", 3)
    assert done.stdout == f"{tmp_path}/dataset.csv: simulated, seed 7\n"
    assert len(table(tmp_path / "dataset.csv", ";")) == 3  # the original's separator


def ran(*words: Any) -> None:
    assert run(*words).returncode == 0


def test_what_is_said_of_a_sample_is_said_of_what_is_loaded_from_it_and_of_nobodys_own_file(
    tmp_path: Path,
) -> None:
    """In one folder: the samples of two models, and a table of a person's."""
    (tmp_path / "mine.csv").write_text("a,label\n1,0\n")
    for model in ("offer_click", "default_90d"):
        ran("sample-data", model, "--out", tmp_path, "--rows", "60")
    ran(*shlex.split(LOAD_OFFERS.format(folder=tmp_path))[1:])
    folder = f"duckdb:{tmp_path}"
    wanted = spec_of_settings(read_settings(ROOT / "model" / "default_90d"), ROOT)
    said = "Simulated by riskscore sample-data {} --seed 7: nobody's data.".format
    assert about_of(tmp_path / "offers.db") == said("offer_click")
    assert about_files(files_of(folder, wanted)) == said("default_90d")
    assert about_files([tmp_path / "mine.csv"]) == ""
    (tmp_path / "labels.csv").write_text("a person's")
    assert about_files(files_of(folder, wanted)) == ""


CUSTOMERS = list(pay_later.customers(4000, 7))
LABELS = [customer["default"] for customer in CUSTOMERS]


def share(values: list[Any]) -> float:
    return sum(map(bool, values)) / len(values)


def test_one_pay_later_customer_in_ten_has_no_label_and_few_default() -> None:
    assert share([label is None for label in LABELS]) == pytest.approx(0.1, abs=0.02)
    assert share([label for label in LABELS if label is not None]) == pytest.approx(0.015, abs=0.006)


@pytest.mark.parametrize(
    ("column", "missing"),
    [
        ("worst_status_active_inv", 0.69),
        ("account_worst_status_12_24m", 0.66),
        ("account_status", 0.54),
        ("account_days_in_dc_12_24m", 0.11),
        ("num_arch_written_off_0_12m", 0.18),
        ("num_arch_ok_0_12m", 0.0),
    ],
)
def test_pay_later_lacks_about_what_the_real_file_lacks(column: str, missing: float) -> None:
    assert share([customer[column] is None for customer in CUSTOMERS]) == pytest.approx(missing, abs=0.05)


@pytest.mark.parametrize(
    "holds",
    [
        lambda c: c["max_paid_inv_0_12m"] <= c["max_paid_inv_0_24m"],
        lambda c: c["sum_paid_inv_0_12m"] >= c["max_paid_inv_0_12m"],
        lambda c: (c["worst_status_active_inv"] is None) == (c["num_active_inv"] == 0),
        lambda c: c["status_max_archived_0_6_months"] <= c["status_max_archived_0_12_months"],
        lambda c: c["status_max_archived_0_12_months"] <= c["status_max_archived_0_24_months"],
        lambda c: c["status_last_archived_0_24m"] <= c["status_max_archived_0_24_months"],
        lambda c: c["merchant_category"] in pay_later.MERCHANTS[c["merchant_group"]],
        lambda c: c["account_status"] is not None or c["sum_capital_paid_account_0_12m"] == 0,
    ],
)
def test_the_columns_of_a_pay_later_customer_agree(holds: Any) -> None:
    assert all(map(holds, CUSTOMERS))


@needs("pay_later/unlabelled_5000.csv")
def test_no_real_pay_later_customer_is_in_the_sample() -> None:
    def key(row: dict[str, str]) -> tuple[str, ...]:
        return row["age"], row["time_hours"], row["merchant_category"], row["sum_paid_inv_0_12m"]

    simulated = [{name: str(value) for name, value in customer.items()} for customer in CUSTOMERS]
    real = table(REAL)
    assert set(real[0]) < set(simulated[0])
    assert {*map(key, real)} & {*map(key, simulated)} == set()


ROWS = list(x100.labelled(2000, 7))


def test_x100_spells_its_words_money_and_percentages_in_every_way() -> None:
    assert {"wed", "Wednesday", "wednesday", "thur"} <= {row["x5"] for row in ROWS}
    assert {"Sep", "sept", "September"} <= {row["x81"] for row in ROWS}
    assert {row["x12"][:2] for row in ROWS} >= {"$1", "$-", "($"}
    assert all(0 <= float(row["x63"].removesuffix("%")) <= 100 for row in ROWS)


def test_x100_has_gaps_in_93_columns_and_none_in_the_target() -> None:
    gaps = {name: share([row[name] is None for row in ROWS]) for name in x100.COLUMNS}
    assert sum(gap > 0 for gap in gaps.values()) == 93
    assert max(gaps.values()) < 0.07
    assert share([row["y"] for row in ROWS]) == pytest.approx(0.23, abs=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("model", MODULES)
def test_the_shipped_model_was_trained_from_its_whole_sample(model: str, tmp_path: Path) -> None:
    rows = {"pay_later": 20_000, "x100": 8_000}[model]
    settings = read_settings(ROOT / "model" / model)
    data = from_source(settings, written(tmp_path, model, rows=rows), ROOT)
    shipped = json.loads((ROOT / "model" / model / "manifest.json").read_bytes())["training"]
    assert (shipped["rows"], shipped["data_sha256"]) == (len(data.labels), data.sha256)
    assert shipped["about"].startswith("Simulated")
