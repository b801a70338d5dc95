"""Check, then load: nothing of a model folder runs unless each of its bytes is the one that training wrote."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import joblib
import pytest

from riskscore.artefact.artefact import (
    Artefact,
    find_model,
    installed_versions,
    list_models,
    open_artefact,
    save_artefact,
)
from riskscore.errors import ArtefactRefused, UnknownModel
from riskscore.serving.deployment import engine_from
from tests.scoring_examples import FOLDER, SMALL, artefact, features, write_small

if TYPE_CHECKING:
    from collections.abc import Callable

NEEDED = ("model.joblib", "model.json", "contributions.bin")
FILES = (*json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))["files"], "manifest.json")


class Bomb:
    """A pickle that creates a file when it is loaded."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return Path.touch, (self.target,)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the trained credit_risk, to be tampered with."""
    return Path(shutil.copytree(FOLDER, tmp_path / "model" / "credit_risk"))


def refusal(folder: Path, sha256: str | None = None) -> str:
    """The sentence by which the folder is refused, its estimator included."""
    with pytest.raises(ArtefactRefused) as raised:
        open_artefact(str(folder), sha256).load_estimator()
    assert "\n" not in raised.value.message
    return raised.value.message


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def edit_manifest(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest, and give it the hashes of the files as they are: an attacker who can write the folder."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    for name in manifest["files"]:
        manifest["files"][name]["sha256"] = digest(folder / name)
    change(manifest)
    path.write_text(json.dumps(manifest), encoding="utf-8")


def test_an_untouched_folder_opens_and_its_estimator_predicts() -> None:
    found = artefact()
    assert (found.name, found.version) == ("credit_risk", found.manifest["version"])
    assert found.manifest_sha256 == digest(FOLDER / "manifest.json")
    assert set(found.contents) == set(found.manifest["files"]) >= set(NEEDED)
    assert found.load_estimator().predict_proba([list(features().values())]).shape == (1, 2)


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("place", [0, 0.25, 0.5, 0.75, 1])
def test_a_flipped_byte_anywhere_is_refused(folder: Path, file: str, place: float) -> None:
    path = folder / file
    data = bytearray(path.read_bytes())
    data[int(place * (len(data) - 1))] ^= 1
    path.write_bytes(data)
    found = refusal(folder, digest(FOLDER / "manifest.json"))
    assert f"credit_risk/{file} has SHA-256 {digest(path)}, but " in found
    assert digest(FOLDER / file) in found


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("length", [0, 1, 1000])
def test_a_truncated_file_is_refused_by_name(folder: Path, file: str, length: int) -> None:
    path = folder / file
    path.write_bytes(path.read_bytes()[:length])
    assert refusal(folder).startswith(f"credit_risk/{file} ")


@pytest.mark.parametrize("file", FILES)
def test_a_missing_file_is_refused_by_name(folder: Path, file: str) -> None:
    (folder / file).unlink()
    assert refusal(folder) == f"credit_risk/{file} can't be read: No such file or directory"


@pytest.mark.parametrize("file", FILES)
def test_what_is_no_file_is_refused_and_not_waited_for(folder: Path, file: str) -> None:
    (folder / file).unlink()
    os.mkfifo(folder / file)
    assert refusal(folder) == f"credit_risk/{file} is not a file"


def test_a_link_is_as_good_as_what_it_leads_to(folder: Path, tmp_path: Path) -> None:
    (folder / "model.json").rename(tmp_path / "elsewhere")
    (folder / "model.json").symlink_to(tmp_path / "elsewhere")
    assert open_artefact(str(folder)).contents["model.json"] == (FOLDER / "model.json").read_bytes()
    (tmp_path / "elsewhere").write_bytes(b"{}")
    assert refusal(folder).startswith("credit_risk/model.json has SHA-256 ")


@pytest.mark.parametrize("file", [*NEEDED, "manifest.json"])
def test_a_file_of_another_model_is_refused(folder: Path, tmp_path: Path, file: str) -> None:
    other = write_small(tmp_path / "small_loans")
    shutil.copy(other / file, folder / file)
    expected = {"manifest.json": "credit_risk/manifest.json belongs to model 'small_loans', not to 'credit_risk'"}
    assert refusal(folder).startswith(expected.get(file, f"credit_risk/{file} has SHA-256 {digest(other / file)}, but"))


def test_files_swapped_within_the_folder_are_refused(folder: Path, tmp_path: Path) -> None:
    shutil.move(folder / "model.json", tmp_path / "kept")
    shutil.move(folder / "contributions.bin", folder / "model.json")
    shutil.move(tmp_path / "kept", folder / "contributions.bin")
    assert refusal(folder).startswith("credit_risk/model.json has SHA-256 ")


def test_a_whole_model_under_another_name_is_refused(tmp_path: Path) -> None:
    renamed = shutil.copytree(FOLDER, tmp_path / "mortgages")
    assert refusal(renamed) == "mortgages/manifest.json belongs to model 'credit_risk', not to 'mortgages'"


@pytest.mark.parametrize("engine", ["auto", "joblib", "twin"])
def test_nothing_of_a_pickle_bomb_runs(folder: Path, tmp_path: Path, engine: str) -> None:
    (folder / "model.joblib").write_bytes(pickle.dumps(Bomb(tmp_path / "exploded")))
    with pytest.raises(ArtefactRefused, match=r"^credit_risk/model.joblib has SHA-256 [0-9a-f]{64}, but its manifest"):
        engine_from({"RISKSCORE_ENGINE": engine}, str(tmp_path))
    assert not (tmp_path / "exploded").exists()


def test_a_bomb_with_a_manifest_made_to_fit_is_stopped_by_the_deployments_hash(folder: Path, tmp_path: Path) -> None:
    (folder / "model.joblib").write_bytes(pickle.dumps(Bomb(tmp_path / "exploded")))
    edit_manifest(folder, dict)
    configured = digest(FOLDER / "manifest.json")
    with pytest.raises(ArtefactRefused) as raised:
        engine_from({"RISKSCORE_MANIFEST_SHA256": configured, "RISKSCORE_ENGINE": "joblib"}, str(tmp_path))
    found = digest(folder / "manifest.json")
    assert raised.value.message == f"credit_risk/manifest.json has SHA-256 {found}, but {configured} was configured"
    assert not (tmp_path / "exploded").exists()


def test_the_bomb_would_explode_if_it_were_loaded(tmp_path: Path) -> None:
    joblib.dump(Bomb(tmp_path / "exploded"), tmp_path / "bomb")
    joblib.load(tmp_path / "bomb")
    assert (tmp_path / "exploded").exists()


def test_what_was_hashed_is_what_is_loaded(folder: Path, tmp_path: Path) -> None:
    opened = open_artefact(str(folder))
    for file in FILES:
        (folder / file).write_bytes(pickle.dumps(Bomb(tmp_path / "exploded")))
    assert opened.load_estimator().get_params()["n_estimators"] > 0
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("case", [str.lower, str.upper])
def test_the_configured_hash_lets_its_manifest_through(folder: Path, case: Callable[[str], str]) -> None:
    assert open_artefact(str(folder), case(digest(folder / "manifest.json"))).name == "credit_risk"


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "..", ".", "", "a/b", "a\\b", "a\x00b", "\ud800", ".x"])
def test_a_manifest_cannot_lead_out_of_its_folder(folder: Path, name: str) -> None:
    (folder.parent / "secret").write_text("secret")
    edit_manifest(folder, lambda manifest: manifest["files"].update({name: {"sha256": "0"}}))
    assert refusal(folder) == f"credit_risk/manifest.json: files names {name!r}, which isn't a file name"


@pytest.mark.parametrize(
    ("package", "written", "refused"),
    [
        ("python", "2.7.18", True),
        ("python", "3.99.0", False),
        ("numpy", "1.26.4", True),
        ("numpy", "2.99.0", False),
        ("joblib", "0.17.0", True),
        ("xgboost", "3.99.0", True),
        ("xgboost", "2.2.0", True),
        ("xgboost", "3", True),
    ],
)
def test_a_pickle_of_other_versions_is_refused_with_both(
    folder: Path, package: str, written: str, refused: bool
) -> None:
    edit_manifest(folder, lambda manifest: manifest["versions"].update({package: written}))
    if not refused:
        assert open_artefact(str(folder)).load_estimator() is not None
        return
    here = installed_versions([package])[package]
    assert refusal(folder) == (
        f"credit_risk/model.joblib was written with {package} {written}, but {here} is installed;"
        " train again with this version or install that one"
    )


def test_a_package_that_is_not_installed_has_no_version() -> None:
    assert installed_versions(["python", "no_such_package"])["no_such_package"] == "no version"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"no pickle", "credit_risk/model.joblib can't be loaded: "),
        (b"", "credit_risk/model.joblib can't be loaded: EOFError"),
        (pickle.dumps({"a": 1}), "credit_risk/model.joblib holds a builtins.dict, but its manifest says xgboost."),
    ],
)
def test_a_file_that_holds_no_such_estimator_is_refused(folder: Path, content: bytes, sentence: str) -> None:
    (folder / "model.joblib").write_bytes(content)
    edit_manifest(folder, dict)
    assert refusal(folder).startswith(sentence)


def test_models_are_found_by_name_alone(tmp_path: Path) -> None:
    for name in ("b", "a", ".b.unfinished"):
        write_small(tmp_path / name)
    (tmp_path / "untrained").mkdir()
    (tmp_path / "file").touch()
    assert list_models(str(tmp_path)) == ["a", "b"]
    assert find_model(str(tmp_path), "b") == str(tmp_path / "b")


@pytest.mark.parametrize("name", ["c", "", ".", "..", "a/../a", "/", "a\x00", "\ud800", "untrained", ".b.unfinished"])
def test_another_name_leads_nowhere(tmp_path: Path, name: str) -> None:
    write_small(tmp_path / "a")
    write_small(tmp_path / ".b.unfinished")
    (tmp_path / "untrained").mkdir()
    with pytest.raises(UnknownModel, match=r"^unknown model; this function serves a$"):
        find_model(str(tmp_path), name)


def test_saving_keeps_what_people_wrote_and_writes_every_hash(tmp_path: Path) -> None:
    (tmp_path / "small_loans").mkdir()
    (tmp_path / "small_loans" / "model.toml").write_text("seed = 1")
    folder = write_small(tmp_path / "small_loans")
    assert (folder / "model.toml").read_text() == "seed = 1"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["format"] == 1
    assert manifest["files"] == {
        name: {"sha256": digest(folder / name), "bytes": (folder / name).stat().st_size} for name in NEEDED
    }
    assert isinstance(open_artefact(str(folder)), Artefact)


def test_saving_what_is_no_json_leaves_the_old_model(tmp_path: Path) -> None:
    folder = write_small(tmp_path / "small_loans")
    before = (folder / "manifest.json").read_bytes()
    with pytest.raises(ValueError, match="not JSON compliant"):
        save_artefact(str(folder), {"model.json": b"{}"}, SMALL | {"threshold": float("nan")})
    assert (folder / "manifest.json").read_bytes() == before
    assert open_artefact(str(folder)).name == "small_loans"
