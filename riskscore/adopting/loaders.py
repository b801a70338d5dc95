"""Files with an estimator that somebody else trained: read into one that can be served, or refused in one sentence.

XGBoost's own files hold data and are read as such. A pickle is a program: it is listed first, and loaded only once
somebody has trusted what it would import.
"""

from __future__ import annotations

import math
import stat
import warnings
from typing import TYPE_CHECKING, Any

from xgboost import Booster, XGBClassifier

from riskscore.adopting import xgboost_files
from riskscore.adopting.array_types import Unlisted
from riskscore.adopting.estimator_facts import ForeignEstimator, check_classes, positive
from riskscore.adopting.linear_numbers import is_linear_alone, rebuild
from riskscore.adopting.pickle_imports import MAX_BYTES, ListedAlone, list_imports, unpacked
from riskscore.artefact.artefact import installed_versions
from riskscore.artefact.manifest import VERSION_PARTS
from riskscore.errors import InvalidFile
from riskscore.scoring.estimators import LINEAR_STEPS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from riskscore.adopting.pickle_opcodes import Listing


def read_estimator(
    path: Path, trusted: Callable[[str, Listing], bool], rounds: str = ""
) -> tuple[ForeignEstimator, bytes]:
    """The estimator in a file and the file's bytes.

    trusted: asked with a pickle's imports before it is loaded. rounds: "best", "all" or "", where it stopped early.
    """
    data = _read(path)
    if data.lstrip()[:1] == b"{":
        return xgboost_files.from_file(path.name, data, rounds), data
    plain = unpacked(path.name, data)
    listing = list_imports(path.name, plain)
    if not trusted(path.name, listing):
        raise InvalidFile(f"{path.name} was not loaded: its imports were not confirmed")
    other = check_versions(path.name, listing)
    value = _loaded(path.name, plain, listing)
    found = _of(path.name, rebuild(path.name, value) if other else value, rounds)
    found.notes += other
    found.versions = listing.versions
    found.imports = list(map(str, listing.imports))
    return found, data


def _read(path: Path) -> bytes:
    with path.open("rb") as stream:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise InvalidFile(f"{path.name} is not a file")
        if status.st_size > MAX_BYTES:
            raise InvalidFile(f"{path.name} is larger than {MAX_BYTES // 2**20} MB")
        return stream.read()


def check_versions(file: str, listing: Listing) -> list[str]:
    """Refuse a pickle of another version of a package than is installed, before it is loaded.

    Of a logistic regression the numbers are enough, whichever scikit-learn wrote them: a note says so then.
    """
    recorded = listing.versions
    installed = installed_versions(recorded)
    for package, version in recorded.items():
        parts = VERSION_PARTS[package]
        if version.split(".")[:parts] == installed[package].split(".")[:parts]:
            continue
        if package == "scikit-learn" and is_linear_alone(listing):
            return [f"written with {package} {version}, and rebuilt from its coefficients for {installed[package]}"]
        raise InvalidFile(
            f"{file} was written with {package} {version}, but {installed[package]} is installed; adopt it where"
            f" {version} is" + (", or save it there with save_model as JSON" if package == "xgboost" else "")
        )
    return []


def _loaded(file: str, plain: bytes, listing: Listing) -> Any:
    """The object in a trusted pickle."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            value = ListedAlone(plain, listing).load()
        except Unlisted as reason:
            raise InvalidFile(f"{file} is not loaded: {reason}") from None
        except ModuleNotFoundError as error:
            raise InvalidFile(f"{file} needs the package {error.name}, which isn't installed here") from None
        except Exception as error:  # noqa: BLE001 - a pickle can raise whatever it likes
            raise InvalidFile(
                f"{file} can't be loaded ({type(error).__name__}): it is broken, or another version of"
                f" {_packages(listing)} wrote it"
            ) from None
    if "xgboost" not in listing.versions and any("older version of XGBoost" in str(entry.message) for entry in caught):
        here = installed_versions({"xgboost": ""})["xgboost"]
        raise InvalidFile(f"{file} was written with an older version of xgboost than {here}, which is installed")
    return value


def _packages(listing: Listing) -> str:
    return " or ".join(dict.fromkeys(entry.module.partition(".")[0] for entry in listing.imports)) or "something"


def _of(file: str, value: Any, rounds: str) -> ForeignEstimator:
    """What a pickle held, as a two-class estimator."""
    if isinstance(value, Booster):
        return xgboost_files.from_booster(file, value, None, rounds, wrapped=False)
    if not hasattr(value, "predict_proba"):
        kind = type(value).__name__
        raise InvalidFile(f"{file} holds a {kind}, which has no predict_proba: a score needs a fitted classifier")
    check_classes(file, value)
    if isinstance(value, XGBClassifier):
        missing = value.get_params()["missing"]
        missing = math.nan if missing is None else float(missing)
        found = xgboost_files.from_booster(file, value.get_booster(), missing, rounds, wrapped=True)
        if rounds != "all":
            found.original, found.own = value, positive(value)
        return found
    if rounds:
        raise InvalidFile(f"{file} holds a {type(value).__name__}: --rounds is for models of XGBoost")
    names = getattr(value, "feature_names_in_", None)
    return ForeignEstimator(
        estimator=value,
        original=value,
        family="logistic" if _is_linear(value) else "sklearn",
        own=positive(value),
        names=None if names is None else list(map(str, names)),
        width=getattr(value, "n_features_in_", None),
    )


def _is_linear(value: Any) -> bool:
    steps = [step for _, step in value.steps] if hasattr(value, "steps") else [value]
    ours = all(type(step).__module__.startswith("sklearn.") for step in steps)
    return ours and [type(step).__name__ for step in steps] in LINEAR_STEPS
