"""What has to be true of a fitted estimator and its files before they are written; else ArtefactRefused is raised."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np

from riskscore.contract.encoding import Encoding
from riskscore.errors import ArtefactRefused
from riskscore.scoring.estimators import contributions, family_of, margins
from riskscore.training import contribution_tables
from riskscore.twin import trees
from riskscore.twin.contributions import load as load_contributions
from riskscore.twin.treeshap import LeafContributions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from riskscore.model_toml.settings import Settings

    Floats = NDArray[np.float64]

EXPLAINED_ROWS = 1000  # on so many training rows the contributions are compared
SLOWLY_EXPLAINED_ROWS = 50  # where they come from leaves one by one, which takes deep trees a tenth of a second a row
CONTRIBUTION_TOLERANCE = 1e-4  # log-odds; XGBoost's own are float32 sums
MISSING_SHARE = 0.05  # of the values, taken out where the twin is compared


def check_directions(settings: Settings, estimator: Any, rows: Floats, rng: np.random.Generator) -> None:
    """Refuse an estimator that breaks a direction of model.toml on random rows (n, features)."""
    encode = Encoding(settings.contract).matrix
    for name, direction in settings.directions.items():
        k = settings.contract.names.index(name)
        pair = np.sort(np.stack([rows[:, k], rng.permutation(rows[:, k])]), axis=0)[::direction]
        pair[:, np.isnan(pair).any(axis=0)] = np.nan  # a missing value is neither more nor less than another
        lower, upper = rows.copy(), rows.copy()
        lower[:, k], upper[:, k] = pair
        before, after = (margins(settings.family, estimator, encode(changed)) for changed in (lower, upper))
        if any(a > b for a, b in zip(before, after, strict=True)):
            raise ArtefactRefused(
                f"{settings.name}: {name} breaks its direction in model.toml; the model was not written", name
            )


def check_pickle(settings: Settings, estimator: Any, pickled: bytes, matrix: Floats) -> None:
    """Refuse a pickle that doesn't give back the estimator's margins."""
    loaded = joblib.load(io.BytesIO(pickled))
    if margins(settings.family, loaded, matrix) != margins(settings.family, estimator, matrix):
        raise ArtefactRefused(f"{settings.name}/model.joblib doesn't give the margins of the estimator it holds")


def prove_twin(
    settings: Settings, estimator: Any, contents: dict[str, bytes], matrix: Floats, rng: np.random.Generator
) -> str:
    """Compare the twin with the estimator on every training row's columns, with and without gaps, bit for bit.

    Returns what the twin lacks to serve this model, "" where it serves it; adds it, packed for a
    quick start, and its contribution tables to `contents`. Raises ArtefactRefused where the two disagree.
    """
    document = json.loads(contents["model.json"])
    _check_thresholds(settings, document)
    try:
        twin = trees.load(document)
    except trees.UnsupportedModel as unsupported:
        return unsupported.message
    packed = trees.pack(twin) if isinstance(twin, trees.TreeTwin) else b""
    twin = trees.unpack(packed) if packed else twin  # what the function will read is what is proven
    tables = contribution_tables.prepare(document)
    for rows in _with_and_without_missing(settings, matrix, rng):
        expected = margins(settings.family, estimator, rows)
        differing = sum(twin.margin(row) != margin for row, margin in zip(rows.tolist(), expected, strict=True))
        if differing:
            raise ArtefactRefused(
                f"{settings.name}/model.json: the twin differs from the estimator in {differing} of {len(rows)}"
                " training rows; the model was not written"
            )
        _prove_contributions(settings, estimator, tables, rows[rng.permutation(len(rows))])
    contents |= {"trees.bin": packed} if packed else {}
    contents["contributions.bin"] = tables
    return ""


def _check_thresholds(settings: Settings, document: Mapping[str, Any]) -> None:
    """Refuse a tree that asks for less than infinity: XGBoost sets a threshold at twice a column's largest value."""
    booster = document.get("learner", {}).get("gradient_booster", {})
    columns = Encoding(settings.contract).names
    for tree in booster.get("model", {}).get("trees", ()):
        splits = zip(tree["split_indices"], tree["left_children"], tree["split_conditions"], strict=True)
        for column, left, threshold in splits:
            if left >= 0 and not np.isfinite(threshold):
                raise ArtefactRefused(
                    f"{settings.name}: a threshold of {columns[column]} is infinite, because the feature's values reach"
                    " the limits of a 32-bit float; the model was not written",
                    columns[column],
                )


def _prove_contributions(settings: Settings, estimator: Any, tables: bytes, rows: Floats) -> None:
    """Refuse tables that explain a score otherwise than the estimator does."""
    prepared = load_contributions(tables)
    slow = isinstance(prepared, LeafContributions)
    rows = rows[: SLOWLY_EXPLAINED_ROWS if slow else EXPLAINED_ROWS]
    base, expected = contributions(settings.family, estimator, rows)
    found = np.array([[prepared.base_value, *prepared.of(row)] for row in rows.tolist()])
    gap = float(np.abs(found - np.column_stack([np.full(len(rows), base), expected])).max())
    if not gap <= CONTRIBUTION_TOLERANCE:
        raise ArtefactRefused(
            f"{settings.name}/contributions.bin: contributions differ from the estimator's by {gap:.2g},"
            f" more than {CONTRIBUTION_TOLERANCE:g}; the model was not written"
        )


def _with_and_without_missing(settings: Settings, matrix: Floats, rng: np.random.Generator) -> Iterator[Floats]:
    yield matrix
    if family_of(settings).takes_missing:
        yield np.where(rng.uniform(size=matrix.shape) < MISSING_SHARE, np.nan, matrix)
