"""Adopts a model that somebody else trained: a file and a contract in, a model folder like any other out.

Nothing is written before it is proven: the estimator gives the probabilities that it gave as it came, the twin gives
its margins bit for bit where there is one, and what is about to be written has been opened and has scored.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from riskscore.adopting.card import card_of
from riskscore.adopting.card_figures import adopted_figures
from riskscore.adopting.contract_check import read_contract, with_family, word_codes
from riskscore.adopting.estimator_facts import check_categories, check_columns
from riskscore.adopting.loaders import read_estimator
from riskscore.adopting.mlflow_folders import model_file
from riskscore.adopting.owner import compare, missing_doubts
from riskscore.adopting.pickle_imports import is_expected, list_imports
from riskscore.adopting.proofs import (
    is_explained,
    own_probabilities,
    prove_served,
    require_same_probabilities,
    thresholds_of,
    write_twin,
)
from riskscore.adopting.reference_rows import (
    ReferenceRows,
    assumed_support,
    golden_rows,
    metrics_of,
    read_reference_rows,
)
from riskscore.artefact.artefact import installed_versions, save_artefact
from riskscore.artefact.versions import PAPERS, WRITTEN, write_version
from riskscore.contract.encoding import Encoding
from riskscore.errors import ArtefactRefused, InvalidFile
from riskscore.model_card.writing import written
from riskscore.model_toml.changes import check_steps
from riskscore.scoring.estimators import FAMILIES, margins
from riskscore.training.manifest_sections import (
    GOLDEN_ROWS,
    check_model_name,
    estimator_entry,
    golden_of,
    pickled,
    referral_notes,
    rules_of,
    source_of,
    version_of,
)
from riskscore.training.proofs import check_directions
from riskscore.training.support import draw_rows
from riskscore.twin.trees import logistic

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from numpy.typing import NDArray

    from riskscore.adopting.estimator_facts import ForeignEstimator
    from riskscore.adopting.pickle_opcodes import Listing
    from riskscore.contract.feature import Feature
    from riskscore.model_toml.settings import Settings

    Floats = NDArray[np.float64]

TRIAL_ROWS = 1000  # synthetic rows on which it is compared with itself
PACKAGES = {"sklearn": "scikit-learn", "xgboost": "xgboost"}  # by the module that a pickle imports


@dataclass(frozen=True)
class Adopted:
    """What an adoption came to. contents: the files that serve; documents: model.toml, reasons.toml and the card;

    twin_lacks: why the twin can't serve it, or ""; notes: what a person should know; folder: where it was written."""

    contents: dict[str, bytes]
    manifest: dict[str, Any]
    documents: dict[str, bytes]
    twin_lacks: str
    notes: list[str]
    folder: Path | None = None


def adopt(
    name: str,
    file: Path,
    contract: Path,
    models: Path,
    now: datetime,
    trusted: Callable[[str, Listing], bool],
    data: Path | None = None,
    expected: str = "",
    rounds: str = "",
) -> Adopted:
    """Write models/name/ from somebody's file or MLflow folder.

    trusted: asked with a pickle's imports before it is loaded. data: rows to judge it by; expected: the column with its
    owner's own probabilities. rounds: "best" or "all", where XGBoost stopped early and the file can't say which count.
    """
    check_model_name(name)
    file = model_file(file)
    if expected and data is None:
        raise InvalidFile("--expected names a column of --data, which is missing")
    try:
        adopted = build(name, file, contract, models, now, trusted, data, expected, rounds)
    except ArtefactRefused as error:  # somebody's file is at fault here, and not an artefact of ours
        raise InvalidFile(f"{file.name} is not adopted: {error.message.partition('; the model')[0]}") from None
    return replace(adopted, folder=write(models / name, adopted))


def build(
    name: str,
    file: Path,
    contract: Path,
    models: Path,
    now: datetime,
    trusted: Callable[[str, Listing], bool],
    data: Path | None = None,
    expected: str = "",
    rounds: str = "",
) -> Adopted:
    """Read, check and prove; nothing is written."""
    settings, documents, answered = read_contract(name, contract, models / name)
    source = source_of(settings, models.resolve().parent)
    given = read_reference_rows(settings, data, expected) if data else None
    found, raw = read_estimator(file, trusted, rounds)
    features = settings.contract.features
    check_columns(file.name, found, settings.contract)
    check_categories(file.name, found, features)
    settings = word_codes(settings, documents, found.categories)
    encoding = Encoding(settings.contract)
    FAMILIES[found.family].name(found.estimator, encoding.names)
    rng = np.random.default_rng(settings.seed)
    support = given.support if given else assumed_support(features, thresholds_of(found))
    ranges = dict(zip(settings.contract.names, support, strict=True))
    check_steps(contract.name, settings.changes, ranges if given else {})
    drawn = draw_rows(features, support, TRIAL_ROWS, rng)
    trial = encoding.matrix(np.vstack([given.matrix, drawn]) if given else drawn)
    require_same_probabilities(found, trial, own_probabilities(file.name, found, trial, features))
    settings = with_family(settings, documents, found.family, contract.name)
    served = _served(settings, found, given)
    doubts = missing_doubts(file.name, found, settings.contract, answered, given)
    held = _held(file.name, given, served, doubts)
    check_directions(settings, found.estimator, drawn, rng)
    contents = {"model.joblib": _pickled(file.name, found.estimator)}
    lacks = write_twin(settings, found, contents, trial, rng)
    manifest = {
        "model": name,
        "description": settings.description,
        "ids": list(settings.ids),
        "features": [_feature_entry(*pair, given) for pair in zip(features, support, strict=True)],
        "threshold": settings.threshold,
        "engines": ["joblib"] if lacks else ["twin", "joblib"],
        "explains": is_explained(found, trial),
        "estimator": estimator_entry(settings, found.estimator),
        "versions": _versions(found.family, contents["model.joblib"], found.imports),
        "source": source,
        **rules_of(settings),
        "calibration": {},
        "golden": golden_of(settings, found.estimator, golden_rows(features, support, GOLDEN_ROWS, rng, given)),
        "adopted": _adopted_entry(file.name, raw, found, given, held),
        "metrics": metrics_of(given, served),
    }
    manifest["version"] = version_of(manifest, contents, now)
    prove_served(name, contents, manifest)
    figures = adopted_figures(settings, manifest, given, served, found.estimator)
    documents["MODEL_CARD.md"] = card_of(manifest, lacks, figures).encode()
    documents |= written(figures, manifest) if figures else {}
    return Adopted(contents, manifest, documents, lacks, [*found.notes, *referral_notes(manifest)])


def _held(file: str, given: ReferenceRows | None, served: Floats, doubts: list[str]) -> dict[str, Any] | None:
    """How the owner's probabilities agree, None without them; without agreement a doubt is refused."""
    if given is not None and given.expected is not None:
        return compare(file, given, given.expected, served)
    if doubts:
        raise InvalidFile(doubts[0])
    return None


def _pickled(file: str, estimator: Any) -> bytes:
    """The estimator as it will be loaded, written by the packages that are installed here."""
    try:
        return pickled(estimator)
    except Exception as error:  # noqa: BLE001 - a class from outside pickles as it pleases
        raise InvalidFile(f"what {file} has can't be pickled again ({type(error).__name__})") from None


def _feature_entry(feature: Feature, support: dict[str, Any], given: ReferenceRows | None) -> dict[str, Any]:
    """Support is what somebody's rows have shown; what was assumed for drawing rows is none."""
    return {**feature.to_dict(), "support": support} if given else feature.to_dict()


def _versions(family: str, pickled: bytes, listed: list[str]) -> dict[str, str]:
    """Of the packages that the pickle imports; those that Python, numpy and joblib need go without saying.

    listed: what the file that was adopted would import. What is served asks for nothing unusual beside that.
    """
    imports = list_imports("model.joblib", pickled).imports
    strange = [str(entry) for entry in imports if not is_expected(entry) and str(entry) not in listed]
    if strange:
        raise ArtefactRefused(f"what would be served imports {strange[0]}, which the file did not list")
    modules = {entry.module.partition(".")[0] for entry in imports}
    packages = [package for module, package in PACKAGES.items() if module in modules]
    return installed_versions(dict.fromkeys(("python", "numpy", "joblib", *FAMILIES[family].packages, *packages)))


def _adopted_entry(
    file: str, raw: bytes, found: ForeignEstimator, given: ReferenceRows | None, held: dict[str, Any] | None
) -> dict[str, Any]:
    """Where the model came from."""
    return {
        "file": file,
        "sha256": hashlib.sha256(raw).hexdigest(),
        "written_with": found.versions,
        "imports": found.imports,
        "data": given.entry() if given else None,
        "expected": held,
        "notes": found.notes,
    }


def _served(settings: Settings, found: ForeignEstimator, given: ReferenceRows | None) -> Floats:
    """The probabilities of the given rows as they will be answered."""
    columns = None if given is None else Encoding(settings.contract).matrix(given.matrix)
    rows = [] if columns is None else margins(settings.family, found.estimator, columns)
    return np.array([logistic(value) for value in rows])


def write(folder: Path, adopted: Adopted) -> Path:
    """Put the new artefact in the old one's place, or beside it where that was promoted; returns its folder.

    In one step; what only the old one had goes with it.
    """

    def fill(fresh: Path) -> None:
        for name in (*WRITTEN, *PAPERS):
            (fresh / name).unlink(missing_ok=True)
        save_artefact(str(fresh), adopted.contents, adopted.manifest)
        for name, paper in adopted.documents.items():
            (fresh / name).write_bytes(paper)

    return write_version(folder, folder.resolve().parent.parent, fill)
