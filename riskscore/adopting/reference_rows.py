"""Rows to judge an adopted model by: those that somebody gave at adoption, or synthetic ones drawn without any."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from riskscore.contract.fast_path import FLOAT32_MAX
from riskscore.errors import CallerFault, InvalidFile
from riskscore.model_toml.labels import label_meaning
from riskscore.sources.tables import NUMBER, read_csv
from riskscore.training.support import QUANTILES, draw_rows, support_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from riskscore.contract.feature import Feature
    from riskscore.model_toml.settings import Settings

    Floats = NDArray[np.float64]

PLAIN_SPAN = 1000.0  # of a feature of which nothing is known but a limit
ABOUT_METRICS = "on the data given at adoption, which may be what the model was trained on; not cross-validated"


@dataclass(frozen=True)
class ReferenceRows:
    """matrix: float64 (n, features), NaN where missing. labels: int8 (n,), or None where the file has none.

    lines: where each row stands. expected: the owner's own probabilities (n,), of `column`, or None.
    """

    matrix: Floats
    labels: NDArray[np.int8] | None
    origin: str
    notes: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    expected: Floats | None = None
    column: str = ""
    kinds: list[str] = field(default_factory=list)  # of the features
    others: dict[str, list[str]] = field(default_factory=dict)  # columns beside the features, as texts

    @property
    def support(self) -> list[dict[str, Any]]:
        return [support_of(column, kind) for column, kind in zip(self.matrix.T, self.kinds, strict=True)]

    def entry(self) -> dict[str, Any]:
        """What the manifest says of them."""
        found = {"origin": self.origin, "rows": len(self.matrix), "notes": self.notes}
        found["data_sha256"] = hashlib.sha256(self.matrix.astype("<f8").tobytes()).hexdigest()
        return found if self.labels is None else {**found, "positives": int(self.labels.sum())}


def read_reference_rows(settings: Settings, path: Path, expected: str = "") -> ReferenceRows:
    """The contract's columns of a CSV file, and the label where there is one; InvalidFile names line and column.

    expected: a column of probabilities, or "".
    """
    target, contract = settings.source["target"], settings.contract
    if expected in (target, *settings.ids, *contract.names):
        raise InvalidFile(f"{expected} is a feature, an id or the label, and so no column of probabilities", expected)
    meaning, known = label_meaning(settings.source)
    rows, labels, lines, probabilities = [], [], [], []
    notes: list[str] = []
    segments = [name for name in settings.card["segments"] if name not in contract]
    others = []
    required = [*[expected][: bool(expected)], *segments]
    for line, row in read_csv(path, contract, required, (target, *settings.ids), notes.append):
        if isinstance(row, InvalidFile):
            raise row
        where = f"{path.name}, line {line}"
        try:
            rows.append(contract.vector({name: row[name] for name in contract.names}))
        except CallerFault as error:
            raise InvalidFile(f"{where}: {error.message}", error.field) from None
        lines.append(line)
        others.append([row[name].strip() for name in segments])
        if target in row:
            labels.append(_label(where, target, meaning(row[target]), known))
        if expected:
            probabilities.append(_probability(where, expected, row[expected]))
    if not rows:
        raise InvalidFile(f"{path.name} has no rows")
    return ReferenceRows(
        matrix=np.array(rows) + 0.0,
        labels=np.array(labels, dtype=np.int8) if labels else None,
        origin=f"file {path.name}",
        notes=notes,
        lines=lines,
        expected=np.array(probabilities) if expected else None,
        column=expected,
        kinds=[feature.type for feature in contract.features],
        others={name: [*column] for name, column in zip(segments, zip(*others, strict=True), strict=True)},
    )


def _probability(where: str, column: str, cell: str) -> float:
    value = float(cell) if NUMBER.fullmatch(cell.strip()) else -1.0
    if not 0.0 <= value <= 1.0:
        raise InvalidFile(f"{where}: {column} must be a probability, a number between 0 and 1", column)
    return value


def _label(where: str, target: str, meaning: int | None, known: str) -> int:
    if meaning not in (0, 1):
        raise InvalidFile(f"{where}: {target} must be {known}", target)
    return meaning


def metrics_of(given: ReferenceRows | None, probabilities: Floats) -> dict[str, Any]:
    """Figures of the given rows, named for what they are; {} where they have no labels, or one label alone."""
    if given is None or given.labels is None or len(set(given.labels.tolist())) < 2:
        return {}
    from riskscore.training.validation import reliability, scores_of

    figures = {name: round(value, 6) for name, value in scores_of(given.labels, probabilities).items()}
    ece = round(reliability(given.labels, probabilities)["ece"], 6)
    return {"method": ABOUT_METRICS, "on_given_data": {**figures, "ece": ece}}


def assumed_support(features: Sequence[Feature], thresholds: Mapping[int, Sequence[float]]) -> list[dict[str, Any]]:
    """Quantiles to draw synthetic rows from where no data are given: around a feature's splits, or within its limits.

    thresholds: by the feature's place, where the model is made of trees.
    """
    found = []
    for place, feature in enumerate(features):
        splits = thresholds.get(place)
        points = np.quantile(splits, QUANTILES) if splits else np.interp(QUANTILES, (0, 1), _span(feature))
        found.append({"quantiles": dict(zip(map(str, QUANTILES), points.tolist(), strict=True))})
    return found


def _span(feature: Feature) -> tuple[float, float]:
    if feature.type == "boolean":
        return 0.0, 1.0
    low, high = feature.minimum, feature.maximum
    if low > -FLOAT32_MAX and high < FLOAT32_MAX:
        return low, high
    if low > -FLOAT32_MAX:
        return low, low + PLAIN_SPAN
    return (high - PLAIN_SPAN, high) if high < FLOAT32_MAX else (-PLAIN_SPAN, PLAIN_SPAN)


def golden_rows(
    features: Sequence[Feature],
    support: Sequence[dict[str, Any]],
    count: int,
    rng: np.random.Generator,
    given: ReferenceRows | None,
) -> Floats:
    """Synthetic rows to publish, none of them anybody's; of a few yes-or-no features every row may be somebody's."""
    drawn = draw_rows(features, support, count, rng, never=None if given is None else given.matrix)
    return drawn if len(drawn) else draw_rows(features, support, count, rng)
