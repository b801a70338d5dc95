"""Simulated applicants for the tests of the audit, in whose scores a bias is planted, or none."""

from __future__ import annotations

import csv
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

APPROVED = 0.6  # the true approval rate of the reference group


def simulated(folder: Path, seed: int, impact: float = 1.0, rows: int = 2000) -> list[object]:
    """Write scores.csv and groups.csv, and return what names them. Approved is below 0.5.

    impact: the true impact ratio of the group B. Outcomes are drawn with the scores' own probabilities.
    """
    rng, scores, groups = Random(seed), [], []
    for k in range(rows):
        group = "A" if rng.random() < 0.6 else "B"
        approved = rng.random() < APPROVED * (impact if group == "B" else 1)
        probability = rng.uniform(0.05, 0.5) if approved else rng.uniform(0.5, 0.95)
        scores.append([f"C{k}", round(probability, 6), "1"])
        groups.append([f"C{k}", group, int(rng.random() < probability)])
    rng.shuffle(groups)
    write(folder / "scores.csv", ["customer_id", "probability", "model_version"], scores)
    write(folder / "groups.csv", ["customer_id", "group", "bad"], groups)
    return ["--scores", folder / "scores.csv", "--groups", folder / "groups.csv", "--outcome", "bad", "--cutoff", 0.5]


def write(path: Path, header: list[str], rows: list[list[object]]) -> Path:
    """A CSV of these rows."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path
