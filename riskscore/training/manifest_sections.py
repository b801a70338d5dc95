"""Parts of a manifest that training and adoption write alike."""

from __future__ import annotations

import hashlib
import io
import json
import math
from typing import TYPE_CHECKING, Any

import joblib

from riskscore.artefact.remote import NAME
from riskscore.contract.encoding import Encoding
from riskscore.errors import InvalidFile
from riskscore.model_toml.keys import DIALECTS
from riskscore.scoring.estimators import margins
from riskscore.sources.file_databases import hashes_of_tables

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from riskscore.model_toml.settings import Settings

    Floats = NDArray[np.float64]

GOLDEN_ROWS = 12

# What decides an answer beside model.json: two manifests that differ here never share a version.
DECIDING = (
    *("features", "parse", "threshold", "source", "identities", "limits", "observations"),
    *("refer", "points", "response", "reasons", "least_share", "change", "calibration"),
)


def check_model_name(name: str) -> None:
    """Refuse a name that no model can have; it becomes a folder, a path and a table."""
    if not NAME.fullmatch(name):
        raise InvalidFile("the name of a model is letters, digits, _ and -, at most 64 of them")


def version_of(manifest: dict[str, Any], contents: dict[str, bytes], now: datetime) -> str:
    """The date, and a hash over all that decides an answer: the model, its calibration and its rules."""
    digest = hashlib.sha256(contents.get("model.json", contents["model.joblib"]))
    digest.update(json.dumps({key: manifest[key] for key in DECIDING}, sort_keys=True).encode())
    return f"{now:%Y.%m.%d}+{digest.hexdigest()[:6]}"


def source_of(settings: Settings, root: Path) -> dict[str, Any]:
    """Where the features come from when an event doesn't bring them, with the query's hash."""
    source = {key: value for key, value in settings.source.items() if value and value != DIALECTS[0]}
    if "sql" in source:
        path = root / source["sql"]
        if not path.is_file():
            raise InvalidFile(f"{settings.name}/model.toml: source.sql names {source['sql']}, which isn't there")
        source["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
        views = [root / name for name in source.get("views", ())]
        if source.get("dialect") == "duckdb" and (tables := hashes_of_tables(path.parent, views)):
            source["tables"] = tables
    return source


def pickled(estimator: Any) -> bytes:
    stream = io.BytesIO()
    joblib.dump(estimator, stream)
    return stream.getvalue()


def estimator_entry(settings: Settings, estimator: Any) -> dict[str, Any]:
    kind = type(estimator)
    return {
        "family": settings.family,
        "class": f"{kind.__module__}.{kind.__qualname__}",
        "parameters": settings.parameters,
        "seed": settings.seed,
        "directions": settings.directions,
    }


def rules_of(settings: Settings) -> dict[str, Any]:
    """What serving takes from model.toml and reasons.toml as it stands there."""
    return {
        "parse": settings.contract.parse,
        "identities": settings.identities,
        "limits": settings.limits,
        "observations": settings.observations,
        "refer": settings.refer,
        "points": settings.points,
        "response": settings.response,
        "reasons": settings.reasons,
        "least_share": settings.least_share,
        "change": settings.changes,
        **({"page": settings.page} if settings.page else {}),
    }


def hidden_of(response: Mapping[str, Any]) -> list[str]:
    """Which fields that ask for a person's look [response] keeps from the model's clients."""
    shown = response.get("fields") or {"outcome": "outcome", "warnings": "warnings"}
    return [name for name in ("outcome", "warnings") if name not in shown.values()]


def referral_notes(rules: Mapping[str, Any]) -> list[str]:
    """What to think of where model.toml sends rows to a person, and doesn't let its clients know. rules: `rules_of`."""
    if not rules["refer"] or "outcome" not in hidden_of(rules["response"]):
        return []
    return [
        "refer.warnings refer rows to manual review, but response.fields leave out outcome: clients can't tell which"
    ]


def golden_of(settings: Settings, estimator: Any, rows: Floats) -> list[dict[str, Any]]:
    vectors = [[None if math.isnan(value) else value for value in row] for row in rows.tolist()]
    values = margins(settings.family, estimator, Encoding(settings.contract).matrix(rows))
    return [{"vector": vector, "margin": value} for vector, value in zip(vectors, values, strict=True)]
