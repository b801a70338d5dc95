"""Save and load a model folder: manifest, hashes, versions, and only then joblib.

Every file is read once; the bytes that were hashed are the bytes that are loaded, so nothing can be
swapped in between. A mismatch is refused in one sentence that names the file and both values; no flag
loads anyway.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from time import monotonic

from riskscore.artefact.manifest import FORMAT, MANIFEST, VERSION_PARTS, parse_manifest
from riskscore.contract.contract import Contract
from riskscore.errors import ArtefactRefused, UnknownModel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

SIGNATURE = "manifest.sig"
LISTED_SECONDS = 0.1  # ten thousand unknown names in one event are one look at the folder
_LISTED: dict[str, tuple[list[str], float]] = {}


class Artefact:
    """A model folder whose every file agreed with its manifest. `contents` holds the checked bytes by file name."""

    __slots__ = ("contents", "contract", "folder", "manifest", "manifest_sha256", "name", "version")

    def __init__(self, folder: str, manifest: dict[str, Any], manifest_sha256: str, contents: dict[str, bytes]) -> None:
        self.folder = folder
        self.manifest = manifest
        self.manifest_sha256 = manifest_sha256
        self.contents = contents
        self.name: str = manifest["model"]
        self.version: str = manifest["version"]
        self.contract = Contract.from_dicts(manifest["features"], manifest.get("parse", "strict"))

    @property
    def looks_up(self) -> bool:
        """Whether the function itself can run the model's feature query: PostgreSQL's, and no file's."""
        source = self.manifest["source"]
        return "sql" in source and "dialect" not in source

    def load_estimator(self) -> Any:
        """Unpickle model.joblib, once the packages that wrote it agree with the ones here."""
        recorded = self.manifest["versions"]
        installed = installed_versions(recorded)
        for package, version in recorded.items():
            parts = VERSION_PARTS[package]
            if version.split(".")[:parts] != installed[package].split(".")[:parts]:
                raise ArtefactRefused(
                    f"{self.name}/model.joblib was written with {package} {version}, but {installed[package]} is"
                    " installed; train again with this version or install that one"
                )
        return self._unpickled()

    def _unpickled(self) -> Any:
        import io

        import joblib

        try:
            estimator = joblib.load(io.BytesIO(self.contents["model.joblib"]))
        except Exception as error:  # noqa: BLE001 - a pickle can raise whatever it likes
            raise ArtefactRefused(f"{self.name}/model.joblib can't be loaded: {type(error).__name__}") from None
        found, expected = _class_name(estimator), self.manifest["estimator"]["class"]
        if found != expected:
            raise ArtefactRefused(f"{self.name}/model.joblib holds a {found}, but its manifest says {expected}")
        return estimator


def _class_name(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


def installed_versions(packages: Mapping[str, Any]) -> dict[str, str]:
    """The versions of Python and of the packages named, as they are installed here."""
    import importlib

    modules = {"scikit-learn": "sklearn"}
    versions = {"python": ".".join(map(str, sys.version_info[:3]))}
    for package in packages:
        if package != "python":
            try:
                versions[package] = importlib.import_module(modules.get(package, package)).__version__
            except ImportError:
                versions[package] = "no version"
    return versions


def open_artefact(folder: str, manifest_sha256: str | None = None, public_key: str | None = None) -> Artefact:
    """Check a model folder and return it; loads nothing that could run code.

    manifest_sha256, public_key: what the manifest must hash to and who must have signed it, where the deployment
    says so.
    """
    manifest, digest = open_manifest(folder, manifest_sha256, public_key)
    contents = {file: _checked(folder, file, entry) for file, entry in manifest["files"].items()}
    try:
        return Artefact(folder, manifest, digest, contents)
    except ArtefactRefused as error:
        raise ArtefactRefused(f"{manifest['model']}/{MANIFEST}: {error.message}", error.field) from None


def open_manifest(
    folder: str, manifest_sha256: str | None = None, public_key: str | None = None
) -> tuple[dict[str, Any], str]:
    """The checked manifest of a model folder and its SHA-256; nothing else there is read but its signature."""
    name = os.path.basename(os.path.normpath(folder))
    document = _read(folder, MANIFEST)
    digest = hashlib.sha256(document).hexdigest()
    if manifest_sha256 and digest != manifest_sha256.lower():
        raise ArtefactRefused(f"{name}/{MANIFEST} has SHA-256 {digest}, but {manifest_sha256} was configured")
    if public_key:
        from riskscore.artefact.signature import check_signature

        if not os.path.exists(os.path.join(folder, SIGNATURE)):
            raise ArtefactRefused(f"{name} is not signed: it has no {SIGNATURE}, but RISKSCORE_PUBLIC_KEY asks for it")
        check_signature(public_key, document, _read(folder, SIGNATURE), name)
    return parse_manifest(name, document), digest


def list_models(root: str) -> list[str]:
    """The names of the trained models in a folder of models; names with a dot are unfinished ones."""
    return sorted(
        name
        for name in os.listdir(root)
        if not name.startswith(".") and os.path.isfile(os.path.join(root, name, MANIFEST))
    )


def find_model(root: str, name: str) -> str:
    """The folder of a model by its name. The name comes from outside: it is looked up, never joined to a path."""
    known, moment = _LISTED.get(root, ([], -LISTED_SECONDS))
    if monotonic() - moment >= LISTED_SECONDS:
        known = list_models(root)
        _LISTED[root] = known, monotonic()
    if name not in known:
        raise unknown_model(known)
    return os.path.join(root, name)


def unknown_model(known: Sequence[str]) -> UnknownModel:
    """The answer to a name that no model has; the name itself is not repeated."""
    return UnknownModel(f"unknown model; this function serves {', '.join(known) or 'none'}", "model")


def save_artefact(folder: str, contents: Mapping[str, bytes], manifest: Mapping[str, Any]) -> None:
    """Write a model folder all at once; files in it that people wrote (model.toml, ...) stay as they are.

    contents: file name -> bytes. The manifest gets their hashes and its serial, and is written last.
    """
    from pathlib import Path

    from riskscore.atomic import replacing_folder

    files = {name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)} for name, data in contents.items()}
    document = {"format": FORMAT, **manifest, "files": files}
    document.setdefault("serial", _serial(document, folder))
    with replacing_folder(Path(folder)) as fresh:
        (fresh / SIGNATURE).unlink(missing_ok=True)  # it was the old manifest's
        for name, data in contents.items():
            (fresh / name).write_bytes(data)
        (fresh / MANIFEST).write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _serial(manifest: Mapping[str, Any], folder: str) -> int:
    """The serial of a model that is written: that of the one in its place if it is the same, else a higher one."""
    try:
        with open(os.path.join(folder, MANIFEST), "rb") as file:
            before = json.load(file)
        known = before.pop("serial", 0)
    except (OSError, ValueError, AttributeError):  # what is replaced may be anything
        before, known = None, 0
    same = before == json.loads(json.dumps(dict(manifest)))
    return int(known) if same else next_serial(known, str(manifest["version"]))


def next_serial(known: int, version: str) -> int:
    """A serial beyond the known one: the day of the version (2026.11.28+...) and a number within the day."""
    day = version.partition("+")[0].replace(".", "")
    return max(known + 1, int(day) * 1_000 if len(day) == 8 and day.isdecimal() else 0)


def _read(folder: str, file: str) -> bytes:
    path, name = os.path.join(folder, file), os.path.basename(os.path.normpath(folder))
    try:
        if os.path.exists(path) and not os.path.isfile(path):  # a pipe or a device would never end
            raise ArtefactRefused(f"{name}/{file} is not a file")
        with open(path, "rb") as stream:
            return stream.read()
    except OSError as error:
        raise ArtefactRefused(f"{name}/{file} can't be read: {error.strerror or 'unknown reason'}") from None


def _checked(folder: str, file: str, entry: Mapping[str, Any]) -> bytes:
    """The bytes of one file of the manifest, once their hash agrees."""
    data = _read(folder, file)
    digest = hashlib.sha256(data).hexdigest()
    if digest != entry["sha256"]:
        name = os.path.basename(os.path.normpath(folder))
        raise ArtefactRefused(f"{name}/{file} has SHA-256 {digest}, but its manifest says {entry['sha256']}")
    return data
