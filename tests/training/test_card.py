"""The model card says what training found, and is the same every time."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from riskscore.artefact.versions import PAPERS
from riskscore.model_card.writing import written
from riskscore.model_toml.settings import read_settings
from riskscore.training import card_sections
from riskscore.training.card import _calibration
from riskscore.training.comparison import sentence
from riskscore.training.manifest_sections import referral_notes
from riskscore.training.plots import calibration, curves, drivers
from riskscore.training.training import Trained, build, write
from riskscore.training.training_data import TrainingData, from_source
from tests.scoring_examples import ROOT
from tests.training_examples import NOW, rows, write_csv, write_model

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Example = Callable[..., tuple[Trained, TrainingData]]

EVERY_MODEL = sorted(path.parent.name for path in (ROOT / "model").glob("*/manifest.json"))

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Example:
    """Builds the small model, calibrated or not, on its training data with some of them changed; each such one once."""

    def build_anew(calibration: str = "", **changes: Any) -> tuple[Trained, TrainingData]:
        return built(tmp_path_factory.mktemp("card"), calibration, **changes)

    return cache(build_anew)


def built(root: Path, calibration: str = "", **changes: Any) -> tuple[Trained, TrainingData]:
    settings = replace(read_settings(write_model(root)), calibration=calibration)
    data = replace(from_source(settings, write_csv(root / "rows.csv", rows())), **changes)
    return build(settings, data, root, NOW), data


def card_of(trained: Trained) -> str:
    return trained.documents["MODEL_CARD.md"].decode()


def test_the_card_opens_with_where_the_data_come_from(example: Example) -> None:
    trained, _ = example(about="Simulated bank ledgers: no real person.")
    assert card_of(trained).splitlines()[2] == "**The data first: Simulated bank ledgers: no real person.**"


def test_a_card_of_a_file_says_that_nothing_is_recorded_of_its_rows(example: Example) -> None:
    trained, _ = example()
    assert "nothing is recorded of where the rows of file rows.csv come from" in card_of(trained).splitlines()[2]


def test_the_card_holds_the_figures_of_the_manifest(example: Example) -> None:
    trained, data = example(notes=("3 rows left out",))
    card, metrics = card_of(trained), trained.manifest["metrics"]
    for name, found in metrics["cross_validated"].items():
        figures = (
            f"{found['mean']:.3f} ({found['low']:.3f} to {found['high']:.3f}) | {metrics['in_sample'][name]:.3f} |"
        )
        assert figures in card
    assert f"80 rows from file rows.csv, {data.labels.sum()} of them with label 1" in card
    assert f"Expected calibration error {metrics['reliability']['ece']:.3f}" in card
    assert "- 3 rows left out\n" in card
    assert "| `late` | " in card
    assert "a larger value never lowers the risk" in card


def test_the_card_compares_with_an_honest_logistic_regression(example: Example) -> None:
    trained, _ = example()  # one feature has gaps
    plain = trained.manifest["metrics"]["logistic_regression"]["auc"]
    assert f"| {plain['mean']:.3f} ({plain['low']:.3f} to {plain['high']:.3f}) |" in card_of(trained)
    assert f"**{sentence(trained.manifest['metrics'])}.**" in card_of(trained)


def test_the_card_says_why_an_estimator_was_chosen_where_people_said_it(tmp_path: Path) -> None:
    settings = read_settings(write_model(tmp_path))
    data = from_source(settings, write_csv(tmp_path / "rows.csv", rows()))
    said, silent = (
        card_of(build(replace(settings, card=settings.card | {"choice": words}), data, tmp_path, NOW))
        for words in ("Trees bend.", "")
    )
    assert "## Why this estimator\nTrees bend.\n\n## Calibration" in said
    assert "Why this estimator" not in silent


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_the_card_says_what_a_calibration_gains(example: Example, method: str) -> None:
    trained, _ = example(calibration=method)
    found = trained.manifest["metrics"]["calibrated"]
    assert f"The function returns calibrated probabilities ({method})" in card_of(trained)
    assert f"the error is {found['reliability']['ece']:.3f}, the Brier score {found['brier']:.3f}" in card_of(trained)


@pytest.mark.parametrize(
    ("ece", "sentence"), [(0.04, "unchanged; model.toml can"), (0.06, "far from the observed rates")]
)
def test_the_card_says_what_uncalibrated_probabilities_are_worth(example: Example, ece: float, sentence: str) -> None:
    trained, _ = example()
    manifest = trained.manifest | {"training": trained.manifest["training"] | {"base_rate": 0.1}}
    manifest["metrics"] = manifest["metrics"] | {"reliability": manifest["metrics"]["reliability"] | {"ece": ece}}
    assert sentence in _calibration(manifest)


RESPONSE = {"fields": {"p": "probability", "why": "warnings"}}


def test_the_card_says_what_clients_are_not_told(tmp_path: Path) -> None:
    settings = replace(read_settings(write_model(tmp_path)), refer=["outside_support"], response=RESPONSE)
    trained = build(settings, from_source(settings, write_csv(tmp_path / "rows.csv", rows())), tmp_path, NOW)
    assert "`[response]` leaves `outcome` out of the answer" in card_of(trained)
    assert trained.manifest["training"]["notes"] == [
        "refer.warnings refer rows to manual review, but response.fields leave out outcome: clients can't tell which"
    ]


@pytest.mark.parametrize(
    ("refer", "response", "notes"),
    [
        (["outside_support"], RESPONSE, 1),
        ([], RESPONSE, 0),
        (["outside_support"], {}, 0),
        (["outside_support"], {"fields": {"status": "outcome"}}, 0),
    ],
)
def test_clients_who_would_not_know_whom_to_look_at_are_noted(refer: list[str], response: Any, notes: int) -> None:
    assert len(referral_notes({"refer": refer, "response": response})) == notes


def test_a_strange_name_stays_within_its_cell() -> None:
    assert card_sections.table(["name"], [["paid | owed\nnow"]]).splitlines()[-1] == r"| paid \| owed now |"


def test_the_card_holds_the_hash_of_every_file(example: Example) -> None:
    trained, _ = example()
    for name, data in trained.contents.items():
        assert f"| `{name}` | `{hashlib.sha256(data).hexdigest()}` |" in card_of(trained)


def test_every_placeholder_is_filled_and_every_picture_is_there(example: Example) -> None:
    trained, _ = example()
    assert "$" not in card_of(trained)
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", card_of(trained))
    beside = ["MODEL_CARD.md", "card.json", "card.html", "card.pdf"]
    assert sorted([*beside, *pictures]) == sorted(PAPERS) == sorted(trained.documents)
    assert "](card.html)" in card_of(trained)


def test_the_same_training_draws_the_same_bytes(tmp_path: Path) -> None:
    first, second = built(tmp_path / "first")[0], built(tmp_path / "second")[0]
    assert first.documents == second.documents


def test_the_papers_stand_beside_the_artefact_and_are_no_part_of_it(tmp_path: Path, example: Example) -> None:
    trained, _ = example()
    folder = tmp_path / "model" / "small"
    write(folder, trained)
    assert {name: (folder / name).read_bytes() for name in PAPERS} == trained.documents
    assert not set(json.loads((folder / "manifest.json").read_text())["files"]) & set(PAPERS)


def test_pictures_are_small_pngs_without_a_date() -> None:
    labels, predicted = np.array([0, 1, 0, 1], dtype=np.int8), np.array([[0.1, 0.8, 0.3, 0.4], [0.2, 0.7, 0.4, 0.3]])
    bins = [{"mean": 0.1, "observed": 0.2}, {"mean": 0.6, "observed": 0.5}]
    for picture in (curves(labels, predicted), calibration(bins), drivers({"inflow": 0.4, "late": 0.1})):
        assert picture.startswith(PNG)
        assert len(picture) < 100_000
        assert b"tEXt" not in picture


@pytest.mark.parametrize("name", EVERY_MODEL)
def test_the_committed_card_is_of_the_committed_artefact(name: str) -> None:
    folder = ROOT / "model" / name
    card, manifest = (folder / "MODEL_CARD.md").read_text(), json.loads((folder / "manifest.json").read_text())
    assert card.startswith(f"# Model card: {name} {manifest['version']}\n")
    for file, entry in manifest["files"].items():
        assert f"| `{file}` | `{entry['sha256']}` |" in card
    assert manifest["metrics"]["method"] in card


@pytest.mark.parametrize("name", EVERY_MODEL)
def test_the_committed_card_of_a_committee_is_what_its_figures_give(name: str) -> None:
    folder = ROOT / "model" / name
    card, manifest = (json.loads((folder / file).read_text()) for file in ("card.json", "manifest.json"))
    assert card["version"] == manifest["version"]
    for file, content in written(card, manifest).items():
        assert (folder / file).read_bytes() == content, f"{file}: riskscore card {name} --out model/{name}/{file}"
        assert len(content) < 500_000
