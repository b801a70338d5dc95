"""What goes into the image, and the proof that its build demands."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from riskscore.errors import ArtefactRefused
from riskscore.selfcheck import SelfcheckFailed, check, unwanted

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()
FUNCTION_PACKAGES = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements.txt").read_text(), re.MULTILINE))


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """The folders that the image holds, to be broken."""
    for folder in ("model", "sql", "events"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


def edit(file: Path, change: dict[str, Any]) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | change))


def test_every_model_scores_on_each_of_its_engines(image: Path) -> None:
    models = sorted(file.parent.name for file in ROOT.glob("model/*/manifest.json"))
    assert [line.partition(":")[0] for line in check(image)] == models


def test_an_image_without_events_proves_nothing(image: Path) -> None:
    shutil.rmtree(image / "events" / "credit_risk")
    with pytest.raises(SelfcheckFailed, match="events/credit_risk holds no example events"):
        check(image)


def test_an_image_without_models_proves_nothing(image: Path) -> None:
    shutil.rmtree(image / "model")
    (image / "model").mkdir()
    with pytest.raises(SelfcheckFailed, match="no model in"):
        check(image)


def test_an_event_that_cannot_be_scored_stops_the_build(image: Path) -> None:
    edit(image / "events" / "credit_risk" / "S0001.json", {"features": {}})
    with pytest.raises(SelfcheckFailed, match=r"credit_risk on .* gave no score"):
        check(image)


def test_a_model_that_was_touched_stops_the_build(image: Path) -> None:
    with (image / "model" / "credit_risk" / "model.json").open("a") as file:
        file.write(" ")
    with pytest.raises(ArtefactRefused, match=r"model\.json"):
        check(image)


@pytest.mark.parametrize("package", ["nvidia-nccl-cu12", "scikit-learn", "pytest-cov"])
def test_packages_that_an_image_must_not_carry_are_found(package: str) -> None:
    assert unwanted(["numpy", package]) == [package]


def test_the_functions_lock_is_fit_for_the_image() -> None:
    assert {"numpy", "joblib", "xgboost-cpu", "psycopg"} <= FUNCTION_PACKAGES
    assert not unwanted(sorted(FUNCTION_PACKAGES))
    assert "xgboost" not in FUNCTION_PACKAGES  # the one with 400 MB of CUDA


def test_everything_that_the_dockerfile_copies_passes_dockerignore() -> None:
    copied = re.findall(r"^COPY (\S+) ", DOCKERFILE, re.MULTILINE)
    let_in = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert copied
    assert sorted(copied) == sorted(let_in)
    assert (ROOT / ".dockerignore").read_text().splitlines()[1] == "*"


def test_the_packages_come_before_the_code() -> None:
    assert DOCKERFILE.index("--require-hashes") < DOCKERFILE.index("COPY riskscore")


def test_compose_gives_the_function_the_reader_and_no_more() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    assert "//riskscore_reader:" in services["function"]["environment"]["DATABASE_URL"]
    assert services["function"]["read_only"] is True
    assert all("healthcheck" in services[name] for name in ("database", "function"))
