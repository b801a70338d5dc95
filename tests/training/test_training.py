"""Training: what it writes, what it proves before, and that it writes all or nothing."""

from __future__ import annotations

import hashlib
import json
import math
import re
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv

from riskscore.artefact.artefact import open_artefact
from riskscore.contract.encoding import Encoding
from riskscore.contract.feature import Feature
from riskscore.errors import ArtefactRefused, InvalidFile
from riskscore.local.seed import seed
from riskscore.model_toml.settings import read_settings
from riskscore.scoring.engine import Engine
from riskscore.scoring.estimators import contributions, family_of, margins
from riskscore.scoring.model import Model
from riskscore.sources.sources import rows_at, spec_of_settings
from riskscore.training.comparison import sentence, verdict
from riskscore.training.fitting import fit, with_missing
from riskscore.training.proofs import check_directions, check_pickle, prove_twin
from riskscore.training.support import draw_rows, support_of
from riskscore.training.training import build, train, write
from riskscore.training.training_data import from_source
from riskscore.twin import trees
from tests.programs import run
from tests.scoring_examples import ROOT
from tests.training_examples import COLUMNS, MODEL_TOML, NOW, rows, write_csv, write_model

if TYPE_CHECKING:
    from pathlib import Path

    from riskscore.model_toml.settings import Settings
    from riskscore.training.training import Trained
    from riskscore.training.training_data import TrainingData

EVERY_MODEL = sorted(path.parent.name for path in (ROOT / "model").glob("*/manifest.json"))
LOGISTIC = (
    MODEL_TOML.replace('"xgboost"', '"logistic"')
    .replace("n_estimators = 12\nmax_depth = 3\nlearning_rate = 0.3", "C = 0.5")
    .replace("nullable = true", "")
)


def prepared(root: Path, toml: str = MODEL_TOML, count: int = 80) -> tuple[Settings, TrainingData, Path]:
    """The small model's settings, its rows read from a CSV file, and its folder."""
    folder = write_model(root, toml=toml)
    settings = read_settings(folder)
    lines = [[0.5 if cell == "" and "nullable" not in toml else cell for cell in line] for line in rows(count)]
    return settings, from_source(settings, write_csv(root / "rows.csv", lines)), folder


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The small model, trained and not yet written."""
    settings, data, folder = prepared(tmp_path_factory.mktemp("small"))
    return build(settings, data, folder.parent.parent, NOW)


@pytest.fixture
def trained(tmp_path: Path, built: Trained) -> Path:
    """The folder of the small model, trained."""
    folder = prepared(tmp_path)[2]
    write(folder, built)
    return folder


def manifest_of(folder: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return manifest


# What is written


def test_the_folder_opens_and_both_engines_serve_it(trained: Path) -> None:
    artefact = open_artefact(str(trained))
    assert sorted(artefact.contents) == ["contributions.bin", "model.joblib", "model.json", "trees.bin"]
    vectors = [[1200.0, 2.0, math.nan], [90.5, 0.0, 0.25]]
    twin, estimator = Model(artefact, "twin"), Model(artefact, "joblib")
    assert twin.margins(vectors, "twin") == estimator.margins(vectors, "joblib")


def test_the_same_rows_in_another_order_give_the_same_bytes(tmp_path: Path, built: Trained) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    settings, _, folder = prepared(first)
    write(folder, built)
    columns = ("label", "extra", "share", "inflow", "late")
    shuffled = [[label, "x", share, inflow, late] for _, inflow, late, share, label in reversed(rows())]
    other = from_source(settings, write_csv(tmp_path / "shuffled.csv", shuffled, columns))
    train(settings, other, write_model(second), second, NOW)
    for name in ("model.json", "model.joblib", "contributions.bin"):
        assert (folder / name).read_bytes() == (second / "model" / "small" / name).read_bytes()
    assert (
        manifest_of(folder)["training"]["data_sha256"] == manifest_of(second / "model/small")["training"]["data_sha256"]
    )


def test_another_seed_gives_another_model(tmp_path: Path) -> None:
    toml = MODEL_TOML.replace("[estimator.parameters]", "[estimator.parameters]\nsubsample = 0.5")
    settings, data, _ = prepared(tmp_path, toml)
    one, two = (fit(replace(settings, seed=seed), data.matrix, data.labels) for seed in (1, 2))
    assert margins("xgboost", one, data.matrix) != margins("xgboost", two, data.matrix)


def test_the_version_is_the_day_and_a_hash_of_what_decides(trained: Path) -> None:
    assert re.fullmatch(r"2025\.09\.01\+[0-9a-f]{6}", manifest_of(trained)["version"])


def test_the_manifest_has_the_hash_of_every_file(trained: Path) -> None:
    for name, entry in manifest_of(trained)["files"].items():
        data = (trained / name).read_bytes()
        assert entry == {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def test_the_manifest_keeps_the_contract_with_its_limits_at_zero(trained: Path) -> None:
    contract, settings = open_artefact(str(trained)).contract, read_settings(trained)
    assert contract.names == ("inflow", "late", "share")
    for served, wanted in zip(contract.features, settings.contract.features, strict=True):
        assert (served.type, served.nullable) == (wanted.type, wanted.nullable)
        assert (served.minimum, served.maximum) == (wanted.minimum, wanted.maximum)


def test_golden_margins_are_the_estimators_to_the_bit(trained: Path) -> None:
    estimator, golden = joblib.load(trained / "model.joblib"), manifest_of(trained)["golden"]
    vectors = [[math.nan if value is None else value for value in row["vector"]] for row in golden]
    assert len(golden) == 12
    assert margins("xgboost", estimator, vectors) == [row["margin"] for row in golden]
    assert any(value is None for row in golden for value in row["vector"])


def test_no_golden_row_is_a_training_row(tmp_path: Path, built: Trained) -> None:
    _, data, folder = prepared(tmp_path)
    write(folder, built)
    known = {tuple(map(str, row)) for row in data.matrix.tolist()}
    assert not known & {
        tuple("nan" if value is None else str(value) for value in row["vector"])
        for row in manifest_of(folder)["golden"]
    }


def test_a_drawn_row_that_somebody_has_is_left_out() -> None:
    features = [Feature("ever", "boolean"), Feature("late", "integer")]
    support = [support_of(np.array([0.0, 1.0])), support_of(np.array([0.0, 2.0]))]
    somebodys = np.array([[1.0, 1.0], [0.0, 0.0]])
    drawn = draw_rows(features, support, 200, np.random.default_rng(1), never=somebodys).tolist()
    assert {(0.0, 1.0), (1.0, 2.0)} <= set(map(tuple, drawn)) - {(1.0, 1.0), (0.0, 0.0)} == set(map(tuple, drawn))


def test_where_every_row_that_can_be_drawn_is_somebodys_each_comes_out_once() -> None:
    features, support = [Feature("ever", "boolean", nullable=True)], [support_of(np.array([0.0, 1.0, np.nan]))]
    drawn = draw_rows(features, support, 50, np.random.default_rng(1), never=np.array([[0.0], [1.0], [np.nan]]))
    assert sorted(map(str, drawn.ravel().tolist())) == ["0.0", "1.0", "nan"]


@pytest.mark.parametrize("toml", [MODEL_TOML, LOGISTIC], ids=["xgboost", "logistic"])
def test_a_table_of_two_truths_serves(tmp_path: Path, toml: str) -> None:
    head = toml.partition("[constraints]")[0]
    truths = "".join(f'[[features]]\nname = "{name}"\ntype = "boolean"\n' for name in ("paid", "named"))
    folder = write_model(tmp_path, toml=head + truths)
    (folder / "reasons.toml").unlink()
    lines: list[list[object]] = [[f"C{k}", k % 2 == 0, k % 3 == 0, int(k % 5 < 2)] for k in range(60)]
    settings = read_settings(folder)
    data = from_source(settings, write_csv(tmp_path / "rows.csv", lines, ("customer_id", "paid", "named", "label")))
    train(settings, data, folder, tmp_path, NOW)
    assert len(Model(open_artefact(str(folder))).margins([[1.0, 0.0]], "twin")) == 1


def test_the_in_sample_figures_are_named_so_and_stand_beside_the_cross_validated(trained: Path) -> None:
    metrics = manifest_of(trained)["metrics"]
    assert set(metrics["in_sample"]) == set(metrics["cross_validated"]) == {"auc", "pr_auc", "brier", "log_loss"}
    for figure in metrics["cross_validated"].values():
        assert figure["low"] < figure["mean"] < figure["high"]
    assert metrics["in_sample"]["auc"] > metrics["cross_validated"]["auc"]["mean"]


def test_versions_recorded_are_those_the_pickle_depends_on(trained: Path) -> None:
    assert sorted(manifest_of(trained)["versions"]) == ["joblib", "numpy", "python", "xgboost"]


def test_the_estimator_knows_its_features_by_name(trained: Path) -> None:
    assert list(joblib.load(trained / "model.joblib").feature_names_in_) == ["inflow", "late", "share"]
    assert json.loads((trained / "model.json").read_text())["learner"]["feature_names"] == ["inflow", "late", "share"]


def test_a_script_that_knows_nothing_of_the_project_scores_without_scikit_learn(trained: Path, tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['sklearn'] = None\n"
        "import joblib; print(joblib.load('model.joblib').predict_proba([[1200.0, 2.0, 0.5]])[0, 1])\n"
        "assert 'riskscore' not in sys.modules\n"
    )
    shown = subprocess.run([sys.executable, "-c", script], cwd=trained, capture_output=True, text=True, check=True)
    expected = trees.logistic(margins("xgboost", joblib.load(trained / "model.joblib"), [[1200.0, 2.0, 0.5]])[0])
    assert float(shown.stdout) == pytest.approx(expected, rel=1e-6)


def test_training_again_replaces_the_artefact_and_leaves_peoples_files(tmp_path: Path, built: Trained) -> None:
    settings, data, folder = prepared(tmp_path)
    (folder / "contributions.bin").write_bytes(b"of an earlier model")
    (folder / "notes.txt").write_text("by a person")
    write(folder, built)
    dart = replace(settings, parameters={**settings.parameters, "booster": "dart"})
    train(dart, data, folder, tmp_path, NOW)
    assert not (folder / "contributions.bin").exists()
    assert (folder / "notes.txt").read_text() == "by a person"
    assert (folder / "model.toml").read_text() == MODEL_TOML
    assert open_artefact(str(folder)).manifest["engines"] == ["joblib"]


# Families


def test_a_logistic_model_is_trained_and_served_alike(tmp_path: Path) -> None:
    settings, data, folder = prepared(tmp_path, LOGISTIC.replace('[constraints]\nlate = "up"\n', ""))
    result = train(settings, data, folder, tmp_path, NOW)
    assert result.manifest["engines"] == ["twin", "joblib"]
    assert sorted(result.manifest["versions"]) == ["joblib", "numpy", "python"]
    estimator = joblib.load(folder / "model.joblib")
    theirs = family_of(settings).build(settings).fit(data.matrix, data.labels)
    assert estimator.decision_function(data.matrix) == pytest.approx(theirs.decision_function(data.matrix))
    assert estimator.predict_proba(data.matrix) == pytest.approx(theirs.predict_proba(data.matrix))
    model = Model(open_artefact(str(folder)), "twin")
    assert [model.margins([row], "twin")[0] for row in data.matrix.tolist()] == margins(
        "logistic", estimator, data.matrix
    )


def test_a_logistic_model_is_loaded_without_the_library_that_fitted_it(tmp_path: Path) -> None:
    settings, data, folder = prepared(tmp_path, LOGISTIC.replace('[constraints]\nlate = "up"\n', ""))
    train(settings, data, folder, tmp_path, NOW)
    load = f"import sys, joblib; joblib.load({str(folder / 'model.joblib')!r}); print('sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", load], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("toml", [MODEL_TOML, LOGISTIC], ids=["xgboost", "logistic"])
def test_contributions_and_base_value_add_up_to_the_margin(tmp_path: Path, toml: str) -> None:
    settings, data, _ = prepared(tmp_path, toml)
    estimator = fit(settings, data.matrix, data.labels)
    base, parts = contributions(settings.family, estimator, data.matrix)
    assert [base + math.fsum(row) for row in parts] == pytest.approx(
        margins(settings.family, estimator, data.matrix), abs=1e-5
    )


def test_a_model_beyond_the_twin_is_served_by_joblib_alone_and_says_why(tmp_path: Path) -> None:
    settings, data, folder = prepared(tmp_path)
    dart = replace(settings, parameters={**settings.parameters, "booster": "dart"})
    result = train(dart, data, folder, tmp_path, NOW)
    assert result.manifest["engines"] == ["joblib"]
    assert "dart" in result.twin_lacks


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('"xgboost"', '"forest"', "unknown estimator.family 'forest'; known: xgboost, logistic"),
        ("max_depth", "max_dept", "estimator.parameters.max_dept isn't a parameter of the family xgboost"),
        ("max_depth", "n_jobs", "estimator.parameters.n_jobs is set by training"),
        ("max_depth = 3", 'max_depth = "deep"', "the estimator refuses its parameters"),
        ('"xgboost"', '"logistic"', "n_estimators isn't a parameter of the family logistic"),
    ],
)
def test_an_estimator_that_cant_be_built_is_refused(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    settings, data, _ = prepared(tmp_path, MODEL_TOML.replace(old, new))
    with pytest.raises(InvalidFile, match=r"^small/model.toml: ") as refused:
        fit(settings, data.matrix, data.labels)
    assert sentence in refused.value.message
    assert "\n" not in refused.value.message


def test_logistic_refuses_a_nullable_feature(tmp_path: Path) -> None:
    settings, data, _ = prepared(tmp_path)
    with pytest.raises(InvalidFile, match="logistic takes no missing value, but share has no indicator"):
        fit(replace(settings, family="logistic", parameters={}), data.matrix, data.labels)


# What is proven


def test_a_twin_that_disagrees_is_refused(tmp_path: Path) -> None:
    settings, data, _ = prepared(tmp_path)
    estimator = fit(settings, data.matrix, data.labels)
    other = fit(replace(settings, parameters={**settings.parameters, "max_depth": 2}), data.matrix, data.labels)
    document = bytes(other.get_booster().save_raw("json"))
    with pytest.raises(ArtefactRefused, match=r"small/model.json: the twin differs from the estimator in \d+ of 80"):
        prove_twin(settings, estimator, {"model.json": document}, data.matrix, np.random.default_rng(1))


def test_values_at_the_limits_of_a_float_are_named_as_what_is_the_matter(tmp_path: Path) -> None:
    settings, data, folder = prepared(tmp_path)
    data.matrix[:, 0] = np.where(data.labels == 1, 3e38, np.nan)
    sentence = "small: a threshold of inflow is infinite, because the feature's values reach the limits of a 32-bit"
    with pytest.raises(ArtefactRefused, match=sentence):
        train(settings, data, folder, tmp_path, NOW)
    assert not (folder / "manifest.json").exists()


def test_a_pickle_of_another_estimator_is_refused(tmp_path: Path, built: Trained) -> None:
    settings, data, folder = prepared(tmp_path)
    write(folder, built)
    other = fit(replace(settings, parameters={**settings.parameters, "max_depth": 2}), data.matrix, data.labels)
    with pytest.raises(ArtefactRefused, match=r"small/model.joblib doesn't give the margins"):
        check_pickle(settings, other, (folder / "model.joblib").read_bytes(), data.matrix)


def test_a_direction_that_doesnt_hold_is_refused(tmp_path: Path) -> None:
    settings, data, _ = prepared(tmp_path)
    free = fit(replace(settings, directions={}), data.matrix, data.labels)
    support = [support_of(column) for column in data.matrix.T]
    trial = draw_rows(settings.contract.features, support, 200, np.random.default_rng(1))
    with pytest.raises(ArtefactRefused, match=r"small: late breaks its direction in model.toml"):
        check_directions(replace(settings, directions={"late": -1}), free, trial, np.random.default_rng(1))


@pytest.mark.parametrize("direction", [1, -1])
def test_directions_hold_on_random_rows_once_constrained(tmp_path: Path, direction: int) -> None:
    settings, data, _ = prepared(tmp_path)
    settings = replace(settings, directions={"late": direction})
    estimator = fit(settings, data.matrix, data.labels)
    support = [support_of(column) for column in data.matrix.T]
    trial = draw_rows(settings.contract.features, support, 500, np.random.default_rng(2))
    check_directions(settings, estimator, trial, np.random.default_rng(2))


# Support


def test_support_is_range_quantiles_and_values_where_few() -> None:
    support = support_of(np.array([0.0, 1.0, 1.0, 2.0, np.nan]))
    assert (support["minimum"], support["maximum"], support["quantiles"]["0.5"]) == (0.0, 2.0, 1.0)
    assert (support["values"], support["missing"]) == ([0.0, 1.0, 2.0], 0.2)
    assert "values" not in support_of(np.arange(11.0))


@pytest.mark.parametrize(
    ("seen", "minimum", "maximum"),
    [
        ([58234.17, 1001.0], 1000.0, 58300.0),
        ([-1234.5, 0.12345], -1240.0, 0.124),
        ([29.0, 999.0], 29.0, 999.0),
        ([0.3, 0.7], 0.3, 0.7),
    ],
)
def test_limits_are_rounded_outwards_so_that_nobodys_value_is_published(
    seen: list[float], minimum: float, maximum: float
) -> None:
    support = support_of(np.array(seen))
    assert (support["minimum"], support["maximum"]) == (minimum, maximum)


def test_a_feature_that_is_always_missing_has_a_support() -> None:
    assert support_of(np.array([np.nan, np.nan]))["missing"] == 1.0


def test_drawn_rows_keep_to_the_contract(tmp_path: Path) -> None:
    settings, data, _ = prepared(tmp_path)
    support = [support_of(column) for column in data.matrix.T]
    for row in draw_rows(settings.contract.features, support, 100, np.random.default_rng(3)).tolist():
        named = zip(settings.contract.names, (None if math.isnan(value) else value for value in row), strict=True)
        settings.contract.vector(dict(named))


# CSV files from outside


def csv_error(tmp_path: Path, text: bytes) -> str:
    settings = read_settings(write_model(tmp_path))
    (tmp_path / "some.csv").write_bytes(text)
    with pytest.raises(InvalidFile) as refused:
        from_source(settings, tmp_path / "some.csv")
    return refused.value.message


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (b"", ["some.csv is empty"]),
        (b"inflow,late,share,label\n", ["no rows to train on"]),
        (b"inflow,share,label\n1,1,1\n", ["some.csv, line 1", "late"]),
        (b"inflow,late,share\n1,1,1\n", ["some.csv, line 1", "label"]),
        (b"inflow,late,late,share,label\n1,1,1,1,1\n", ["some.csv, line 1", "late"]),
        (b"inflow,late,share,label\n1,1,1,1\n1,many,1,0\n", ["some.csv, line 3", "late"]),
        (b"inflow,late,share,label\n1_000,1,1,1\n", ["some.csv, line 2", "inflow"]),
        (b"inflow,late,share,label\nnan,1,1,1\n", ["some.csv, line 2", "inflow"]),
        (b"inflow,late,share,label\n1e999,1,1,1\n", ["some.csv, line 2", "inflow"]),
        (b"inflow,late,share,label\n-1,1,1,1\n", ["some.csv, line 2: inflow must be at least 0"]),
        (b"inflow,late,share,label\n,1,1,1\n", ["some.csv, line 2: inflow is null"]),
        (b"inflow,late,share,label\n1,1.5,1,1\n", ["some.csv, line 2: late must be a whole number"]),
        (b"inflow,late,share,label\n1,1,1,2\n", ["some.csv, line 2", "label must be 0 or 1"]),
        (b"inflow,late,share,label\n1,1,1,\n", ["some.csv has no rows to train on: 1 row without label left out"]),
        (b"inflow,late,share,label\n1,1,1\n", ["some.csv, line 2"]),
        (b"inflow,late,share,label\n1,1,1,1\n1,1,1,1\n", ["every row has label 1; training needs both"]),
        (b"inflow,late,share,label\n1,1,1,1\n1,1,1,0\n", ["1 of 2 rows have label 1", "2 folds"]),
        (b"\xff\xfei\x00", ["some.csv is not UTF-8 text"]),
    ],
)
def test_a_broken_csv_file_is_refused_with_its_line_and_column(tmp_path: Path, text: bytes, parts: list[str]) -> None:
    message = csv_error(tmp_path, text)
    assert all(part in message for part in parts), message


def test_rows_of_a_csv_file_keep_their_customer_for_the_folds(tmp_path: Path) -> None:
    settings = read_settings(write_model(tmp_path, toml=MODEL_TOML.replace('"customer_id"', '"customer_id", "day"')))
    days = [["A", 9, 1, 0, 1, "1st"], ["B", 7, 1, 0, 0, "1st"], ["A", 8, 1, 0, 0, "2nd"], ["C", 6, 1, 0, 1, "1st"]]
    data = from_source(settings, write_csv(tmp_path / "some.csv", days, (*COLUMNS, "day")))
    assert data.customers == ["C", "B", "A", "A"]


def test_a_csv_file_from_a_spreadsheet_is_read(tmp_path: Path) -> None:
    settings = read_settings(write_model(tmp_path))
    text = "\ufeff" + '"label","share","note","late","inflow"\r\n' + "1,,x,2,10\r\n0,.5,y,0,7.5\r\n" * 2 + "\r\n"
    (tmp_path / "some.csv").write_text(text, newline="")
    data = from_source(settings, tmp_path / "some.csv")
    assert data.labels.tolist() == [0, 0, 1, 1]
    np.testing.assert_array_equal(data.matrix, [[7.5, 0, 0.5]] * 2 + [[10, 2, np.nan]] * 2)
    assert any("note" in note for note in data.notes)


# All or nothing

KILLED_EVERYWHERE = """
import sys
from datetime import datetime, UTC
from pathlib import Path
from riskscore.artefact.artefact import find_model, open_artefact
from riskscore.model_toml.settings import read_settings
from riskscore.training.training import build, write
from riskscore.training.training_data import from_source
from tests.killed import at_each_file_event

root = Path(sys.argv[1])
settings = read_settings(root / "model" / "small")
trained = build(settings, from_source(settings, root / "rows.csv"), root, datetime(2026, 1, 1, tzinfo=UTC))

def look():
    print(open_artefact(find_model(str(root / "model"), "small")).version[:4])

at_each_file_event(root, lambda: write(root / "model" / "small", trained), look)
"""


def test_writing_killed_at_any_moment_leaves_an_artefact_that_opens(tmp_path: Path, built: Trained) -> None:
    write(prepared(tmp_path)[2], built)
    run = subprocess.run(
        [sys.executable, "-c", KILLED_EVERYWHERE, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    years = run.stdout.split()
    assert len(years) > 20
    assert years == sorted(years)
    assert (years[0], years[-1]) == ("2025", "2026")


def test_a_training_that_fails_leaves_the_folder_as_it_was(tmp_path: Path, built: Trained) -> None:
    settings, data, folder = prepared(tmp_path)
    write(folder, built)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(InvalidFile):
        train(replace(settings, parameters={"max_depth": -1}), data, folder, tmp_path, NOW)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in folder.parent.iterdir()] == ["small"]


# The script


def run_script(*arguments: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return run("train.py", *arguments, environ=environ)


def test_the_script_trains_from_a_csv_file_and_says_what_came_of_it(tmp_path: Path) -> None:
    _, _, folder = prepared(tmp_path)
    places = ("--data", tmp_path / "rows.csv", "--models", tmp_path / "model", "--out", tmp_path / "out")
    shown = run_script("small", *places, "--even-so", SOURCE_DATE_EPOCH="1756684800")
    assert shown.returncode == 0, shown.stderr
    artefact = open_artefact(str(tmp_path / "out" / "small"))
    assert artefact.version.startswith("2025.09.01+")
    words = ("base rate", "AUC", "in-sample", "bit for bit", "beside the logistic regression on signed logarithms")
    for word in (artefact.version, *words, artefact.manifest_sha256):
        assert word in shown.stdout
    for entry in artefact.manifest["files"].values():
        assert entry["sha256"] in shown.stdout
    assert sorted(path.name for path in folder.iterdir()) == ["model.toml", "reasons.toml"]


def test_the_script_refuses_in_one_sentence_and_writes_nothing(tmp_path: Path) -> None:
    _, _, folder = prepared(tmp_path)
    shown = run_script("small", "--data", "nothing.csv", "--models", tmp_path / "model")
    assert (shown.returncode, shown.stdout) == (2, "")
    assert shown.stderr == "train.py: nothing.csv: No such file or directory\n"
    assert sorted(path.name for path in folder.iterdir()) == ["model.toml", "reasons.toml"]


def test_a_model_no_better_than_chance_is_not_written_unless_asked_for(tmp_path: Path) -> None:
    drawn = np.random.default_rng(3).uniform(size=(80, 4)).round(3).tolist()
    lines: list[list[object]] = [[f"C{k}", a, int(5 * b), c, int(d > 0.5)] for k, (a, b, c, d) in enumerate(drawn)]
    _, _, folder = prepared(tmp_path)
    places = ("--data", write_csv(tmp_path / "chance.csv", lines), "--models", tmp_path / "model")
    shown = run_script("small", *places)
    assert (shown.returncode, shown.stdout) == (4, "")
    assert "any better than chance, 0.5; nothing is written; --even-so writes the model" in shown.stderr
    assert sorted(path.name for path in folder.iterdir()) == ["model.toml", "reasons.toml"]
    shown = run_script("small", *places, "--even-so")
    assert (shown.returncode, "was written nevertheless" in shown.stderr) == (0, True)
    assert open_artefact(str(folder)).name == "small"


# The models that are committed


@pytest.mark.parametrize("name", EVERY_MODEL)
def test_a_committed_model_is_of_the_committed_settings_and_query(name: str) -> None:
    settings, artefact = read_settings(ROOT / "model" / name), open_artefact(str(ROOT / "model" / name))
    manifest = artefact.manifest
    assert artefact.contract.names == settings.contract.names
    assert manifest["threshold"] == settings.threshold
    assert manifest["estimator"]["parameters"] == settings.parameters | manifest.get("search", {}).get("best", {})
    for key in ("identities", "limits", "observations", "refer", "points", "response", "reasons"):
        assert manifest[key] == getattr(settings, key)
    if settings.source["sql"]:
        query = (ROOT / settings.source["sql"]).read_bytes()
        assert manifest["source"]["sha256"] == hashlib.sha256(query).hexdigest(), "train again: the query has changed"


@pytest.mark.parametrize("name", EVERY_MODEL)
def test_a_committed_model_is_at_least_equal_to_the_logistic_regression(name: str) -> None:
    metrics = manifest_of(ROOT / "model" / name)["metrics"]
    assert verdict(metrics) >= 0
    assert f"**{sentence(metrics)}.**" in (ROOT / "model" / name / "MODEL_CARD.md").read_text()


def test_the_committed_probabilities_of_credit_risk_can_be_taken_at_their_word() -> None:
    assert manifest_of(ROOT / "model" / "credit_risk")["metrics"]["reliability"]["ece"] <= 0.01


@pytest.mark.parametrize("name", EVERY_MODEL)
def test_a_committed_models_files_stay_small(name: str) -> None:
    largest = max((ROOT / "model" / name).iterdir(), key=lambda path: path.stat().st_size)
    assert largest.stat().st_size < 4_000_000, largest.name  # the tables of reasons grow with features and trees


def test_the_committed_model_comes_out_of_the_documented_commands(database: str) -> None:
    settings, manifest = read_settings(ROOT / "model/credit_risk"), manifest_of(ROOT / "model/credit_risk")
    with psycopg.connect(database) as connection:
        seed(connection, customers=0, training=3000, seed=7)
    data = from_source(settings, database, ROOT, {})
    assert data.sha256 == manifest["training"]["data_sha256"]
    golden = [[math.nan if value is None else value for value in row["vector"]] for row in manifest["golden"]]
    again = margins(settings.family, fit(settings, data.matrix, data.labels), golden)
    # Equal to the bit on one machine; another CPU's logarithm may differ in its last bit, and a split with it.
    assert again == pytest.approx([row["margin"] for row in manifest["golden"]], abs=0.05)


OPTIONAL_SHARE = MODEL_TOML.replace("nullable = true", "nullable = true\noptional = true")


def test_rows_without_their_optional_features_are_learnt_too(tmp_path: Path) -> None:
    settings, data, _ = prepared(tmp_path, OPTIONAL_SHARE)
    matrix, labels = with_missing(settings, data.matrix, data.labels)
    whole, without, some = np.split(matrix, 3)
    assert np.array_equal(whole, data.matrix, equal_nan=True)
    assert all(np.array_equal(part[:, :2], data.matrix[:, :2]) for part in (without, some))
    assert np.isnan(without[:, 2]).all()
    assert 0.3 < np.isnan(some[:, 2]).mean() < 0.8
    assert np.array_equal(labels, np.tile(data.labels, 3))


def test_without_optional_features_rows_are_learnt_as_they_are(tmp_path: Path) -> None:
    settings, data, _ = prepared(tmp_path)
    assert with_missing(settings, data.matrix, data.labels)[0] is data.matrix


def test_the_gaps_of_a_category_are_those_of_its_columns(tmp_path: Path) -> None:
    toml = OPTIONAL_SHARE + 'type = "category"\nvalues = ["a", "b"]\nencoding = "one_hot"\n'
    settings = read_settings(write_model(tmp_path, toml=toml))
    columns = Encoding(settings.contract)
    matrix = columns.matrix([[1.0, 2.0, 0.0]] * 4)
    without = with_missing(settings, matrix, np.zeros(4, np.int8))[0][4:8]
    assert without.tolist() == columns.matrix([[1.0, 2.0, math.nan]] * 4).tolist()


def test_a_model_with_an_optional_feature_scores_a_row_that_lacks_it(tmp_path: Path) -> None:
    settings, data, folder = prepared(tmp_path, OPTIONAL_SHARE)
    train(settings, data, folder, tmp_path, NOW)
    model = Model(open_artefact(str(folder)))
    engine = Engine(lambda _: model, "small", lambda _model, _keys: [])
    row: dict[str, Any] = {"inflow": 1.0, "late": 1}
    lacking: Any = engine.answer({"features": row})
    null: Any = engine.answer({"features": row | {"share": None}})
    assert lacking == null
    assert lacking["outcome"] == "scored"


def test_a_table_may_lack_the_column_of_an_optional_feature(tmp_path: Path) -> None:
    settings = read_settings(write_model(tmp_path, toml=OPTIONAL_SHARE))
    names = [name for name in COLUMNS if name != "share"]
    for path in (tmp_path / "lacks.csv", tmp_path / "lacks.parquet"):
        table = pa.table({name: ["A"] if name == "customer_id" else [1] for name in names})
        csv.write_csv(table, path) if path.suffix == ".csv" else pq.write_table(table, path)
        (row,) = rows_at(path, spec_of_settings(settings))
        assert not isinstance(row, Exception)
        assert math.isnan(settings.contract.vector(row.features)[2])
