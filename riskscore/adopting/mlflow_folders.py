"""An MLflow model folder: which of its files is the estimator."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from riskscore.errors import InvalidFile

LARGEST = 2**20  # bytes of an MLmodel file
FLAVOURS = {"xgboost": "data", "sklearn": "pickled_model"}  # flavour -> the key of its file


def model_file(path: Path) -> Path:
    """The file to adopt: `path` itself, or of an MLflow folder the one that its MLmodel names."""
    if not path.is_dir():
        return path
    if not (path / "MLmodel").is_file():
        raise InvalidFile(f"{path.name} is a folder without the MLmodel file of MLflow: pass the model's file")
    flavours = _flavours(path)
    name = next((name for name in FLAVOURS if isinstance(flavours.get(name), dict)), None)
    if name is None:
        known = ", ".join(map(str, flavours))[:100] or "none"
        raise InvalidFile(f"{path.name} has MLflow's flavours {known}, but xgboost or sklearn can be adopted")
    stated = flavours[name].get(FLAVOURS[name])
    parts = PurePosixPath(stated).parts if isinstance(stated, str) else ()
    if not parts or PurePosixPath(*parts).is_absolute() or ".." in parts:
        raise InvalidFile(f"{path.name}/MLmodel: flavors.{name}.{FLAVOURS[name]} must name a file in the folder")
    return _present(path, path.joinpath(*parts))


def _present(folder: Path, file: Path) -> Path:
    if file.is_dir():
        raise InvalidFile(f"{folder.name}/MLmodel names a folder, {file.name}: pass the model's file itself")
    if not file.is_file():
        raise InvalidFile(f"{folder.name}/MLmodel names {file.name}, which isn't there")
    return file


def _flavours(folder: Path) -> dict[str, Any]:
    try:
        import yaml  # type: ignore[import-untyped]
    except ModuleNotFoundError:
        raise InvalidFile(
            f"{folder.name}: MLmodel is YAML, and PyYAML isn't installed: pass the model's file"
        ) from None
    file = folder / "MLmodel"
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8")) if file.stat().st_size <= LARGEST else None
    except (yaml.YAMLError, ValueError, RecursionError):
        document = None
    found = document.get("flavors") if isinstance(document, dict) else None
    if not isinstance(found, dict):
        raise InvalidFile(f"{folder.name}/MLmodel isn't what MLflow writes: it names no flavors")
    return found
