"""A model so small that tests can train it many times: three features, twelve trees."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MODEL_TOML = """
ids = ["customer_id"]
seed = 3
threshold = 0.5
[source]
target = "label"
[estimator]
family = "xgboost"
[estimator.parameters]
n_estimators = 12
max_depth = 3
learning_rate = 0.3
[validation]
folds = 2
repeats = 2
[constraints]
late = "up"
[[features]]
name = "inflow"
minimum = 0
[[features]]
name = "late"
type = "integer"
minimum = 0
[[features]]
name = "share"
nullable = true
"""
REASONS_TOML = "".join(f'[{name}]\nhigh = "High"\nlow = "Low"\n' for name in ("inflow", "late", "share"))

NOW = datetime(2025, 9, 1, tzinfo=UTC)
COLUMNS = ("customer_id", "inflow", "late", "share", "label")


def write_model(root: Path, name: str = "small", toml: str = MODEL_TOML) -> Path:
    """The folder root/model/<name> with its two files."""
    folder = root / "model" / name
    folder.mkdir(parents=True)
    (folder / "model.toml").write_text(toml)
    (folder / "reasons.toml").write_text(REASONS_TOML)
    return folder


def rows(count: int = 80) -> list[list[object]]:
    """Rows in the order of COLUMNS; more late fees and less inflow make a 1 likelier; now and then no share."""
    rng = Random(5)
    found: list[list[object]] = []
    for k in range(count):
        inflow, late = round(rng.gammavariate(2, 1000), 2), rng.randrange(5)
        share: object = "" if rng.random() < 0.2 else round(rng.random(), 3)
        found.append([f"C{k}", inflow, late, share, int(rng.random() < (0.1 + 0.2 * late) * 1500 / (1500 + inflow))])
    return found


def write_csv(path: Path, lines: list[list[object]], columns: tuple[str, ...] = COLUMNS) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([list(columns), *lines])
    return path
