"""The versions of a model side by side: the one that is served, and those that wait or were served before.

    model/<name>/                             the served version, as any program reads it
    model/<name>/approvals.jsonl              who made which version the served one, when and why (approvals.py)
    model/<name>/versions/<SHA-256>/<name>/   every other version, by the hash of its manifest, whole

A version's folder is itself a folder of models, so that whatever takes one takes a version too. It brings its query,
and model.toml as people left it when another version took its place. Promotion exchanges the whole of model/<name>/ in
one step, the record of its approval with it: whoever is killed leaves the old version or the new one.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from riskscore.artefact.approvals import APPROVALS, Approval, add_approval, is_promoted
from riskscore.artefact.artefact import SIGNATURE, Artefact, next_serial, open_artefact
from riskscore.artefact.manifest import MANIFEST
from riskscore.artefact.remote import QUERY, SHA256
from riskscore.atomic import alone, replacing_folder
from riskscore.cli import ROOT
from riskscore.errors import ArtefactRefused, InvalidFile, shown

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

VERSIONS = "versions"
WRITTEN = ("model.joblib", "model.json", "trees.bin", "contributions.bin")  # beside the manifest, by training
PAPERS = ("MODEL_CARD.md", "curves.png", "calibration.png", "drivers.png", "card.json", "card.html", "card.pdf")
BY_PEOPLE = ("model.toml", "reasons.toml")
FILES = (*WRITTEN, *PAPERS, *BY_PEOPLE, MANIFEST, SIGNATURE, QUERY)
SHORT = 12  # digits of a hash, as people are shown it
FEWEST = 4  # digits of a hash that may name a version
DIGITS = re.compile(rf"[0-9a-f]{{{FEWEST},64}}")


class Version(NamedTuple):
    """One version of a model. digest: the SHA-256 of its manifest; folder: where its files are."""

    digest: str
    folder: Path
    served: bool

    @property
    def short(self) -> str:
        return self.digest[:SHORT]

    @property
    def manifest(self) -> dict[str, Any]:
        """What its manifest says, unchecked; {} where that can't be read."""
        try:
            found = json.loads((self.folder / MANIFEST).read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def name(self) -> str:
        """What its answers call it (2026.11.20+3f9c1a); "" where its manifest can't be read."""
        return str(self.manifest.get("version", ""))

    @property
    def serial(self) -> int:
        """0 where its manifest names none."""
        serial = self.manifest.get("serial", 0)
        return serial if type(serial) is int else 0


def versions_of(folder: Path) -> list[Version]:
    """The served version of a model's folder, then the others by name and hash."""
    try:
        served = [Version(hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest(), folder, served=True)]
    except OSError:
        served = []
    places = (folder / VERSIONS).glob("*") if (folder / VERSIONS).is_dir() else ()
    kept = [Version(place.name, place / folder.name, served=False) for place in places if SHA256.fullmatch(place.name)]
    return [*served, *sorted(kept, key=lambda version: (version.name, version.digest))]


def find_version(place: Path | str, named: str) -> Version:
    """The version of this name, or whose hash starts so. Raises InvalidFile where none does, or several."""
    folder = Path(place)
    known = versions_of(folder)
    digits = named.lower() if DIGITS.fullmatch(named.lower()) else "nothing"
    found = [version for version in known if version.name == named or version.digest.startswith(digits)]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(f"{v.short} ({v.name or 'unreadable'})" for v in (found or known)) or "none"
    if found:
        raise InvalidFile(f"{shown(named)!r} names several versions of {folder.name}: {listed}; give more digits")
    short = f"; a version is named by its name or by {FEWEST} digits of its hash" if len(named) < FEWEST else ""
    raise InvalidFile(f"{folder.name} has no version {shown(named)!r}; it has {listed}{short}")


def open_version(version: Version, public_key: str | None = None) -> Artefact:
    """A version, every file checked. Raises ArtefactRefused that says which version is damaged."""
    try:
        return open_artefact(str(version.folder), version.digest, public_key)
    except ArtefactRefused as error:
        reason = error.message.replace("was configured", "is what it is kept by")
        raise ArtefactRefused(f"version {version.short} can't be used: {reason}", error.field) from None


def version_by_hash(place: Path | str, digest: str, public_key: str | None = None) -> Artefact:
    """The version with this whole hash, checked; ArtefactRefused where the folder hasn't it."""
    folder = Path(place)
    found = next((version for version in versions_of(folder) if version.digest == digest.lower()), None)
    if found is None:
        raise ArtefactRefused(f"{folder.name}: the model folder has no version {digest[:SHORT]}")
    return open_version(found, public_key)


def write_version(folder: Path, root: Path, fill: Callable[[Path], object], renewed: bool = False) -> Path:
    """Write a model, and return the folder that it is in: the model's own until a version there was promoted.

    From then on the served version stays, and the new one is kept beside it until somebody promotes it. fill: writes
    the files into a folder that has those that people wrote. root: where the path of its query starts. renewed: the
    same model with another serial is a version of its own.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with alone(folder.parent):
        if not is_promoted(folder):
            with replacing_folder(folder) as fresh:
                fill(fresh)
            return folder
        with tempfile.TemporaryDirectory() as aside:
            made = Path(aside) / folder.name
            made.mkdir()
            for name in BY_PEOPLE:
                if (folder / name).exists():
                    shutil.copyfile(folder / name, made / name)
            fill(made)
            if not renewed:
                _raise_serial(folder, made)
            _bring_query(made, root)
            return _kept(folder, made)


def waiting(place: Path, models: Path) -> str:
    """What a person is told of a version that was written beside the served one."""
    digest, elsewhere = place.parent.name, "" if models.resolve() == ROOT / "model" else f" --models {models}"
    command = f"riskscore versions {place.name} promote {digest[:SHORT]} --by NAME --why TEXT{elsewhere}"
    return f"candidate  {digest[:SHORT]}: the promoted version stays the served one, until\n  {command}"


def _raise_serial(folder: Path, made: Path) -> None:
    """Give a new version a serial beyond all others; to one that is there already, made again, its own."""
    manifest = json.loads((made / MANIFEST).read_bytes())
    others = versions_of(folder)
    same = [other for other in others if {**other.manifest, "serial": 0} == {**manifest, "serial": 0}]
    known = max((other.serial for other in others), default=0)
    manifest["serial"] = same[0].serial if same else next_serial(known, manifest["version"])
    (made / MANIFEST).write_text(json.dumps(manifest, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _kept(folder: Path, made: Path) -> Path:
    """Put a whole version beside the served one, unless it is there; returns where it is."""
    digest = hashlib.sha256((made / MANIFEST).read_bytes()).hexdigest()
    for version in versions_of(folder):
        if version.digest == digest:
            return version.folder
    with replacing_folder(folder / VERSIONS / digest) as fresh:
        shutil.copytree(made, fresh / folder.name)
    return folder / VERSIONS / digest / folder.name


def _bring_query(place: Path, root: Path) -> bool:
    """Put the query that a version was made with beside it; False where that is nowhere any more."""
    manifest = Version("", place, served=False).manifest
    sql = manifest.get("source", {}).get("sql")
    if not sql:
        return True
    for path in (place / QUERY, root / sql):
        if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == manifest["source"].get("sha256"):
            if path != place / QUERY:
                shutil.copyfile(path, place / QUERY)
            return True
    return False


def promote(folder: Path, version: Version, approval: Approval, root: Path) -> list[str]:
    """Serve a version, and keep the one that was served; in one step, with the record of the approval.

    The caller holds alone(folder.parent) and has opened the version. Returns what a person should know.
    """
    notes = []
    with replacing_folder(folder) as fresh:
        for rest in (fresh / VERSIONS).glob(".*"):  # of a writer that was killed
            shutil.rmtree(rest)
        if not version.served:
            notes += _put_away(fresh, folder, root)
            _put_in_place(fresh, folder.name, version.digest)
        if not _bring_query(fresh, root):
            notes.append("its query is neither with it nor in sql/ as it was: it scores rows of features alone")
        add_approval(fresh / APPROVALS, approval)
    return notes


def _put_away(fresh: Path, folder: Path, root: Path) -> list[str]:
    """Move the served version's files to where versions are kept; people's files stay until others replace them."""
    served = next((version for version in versions_of(folder) if version.served), None)
    if served is None:
        return []
    place = fresh / VERSIONS / served.digest / folder.name
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    for name in dict.fromkeys((*FILES, *served.manifest.get("files", ()))):
        if (fresh / name).is_file():
            (shutil.copyfile if name in BY_PEOPLE else shutil.move)(fresh / name, place / name)
    lost = not _bring_query(place, root)
    return [f"the query of {served.short} has changed in sql/ and isn't kept with it"] if lost else []


def _put_in_place(fresh: Path, name: str, digest: str) -> None:
    for path in (fresh / VERSIONS / digest / name).iterdir():
        path.replace(fresh / path.name)
    shutil.rmtree(fresh / VERSIONS / digest)
