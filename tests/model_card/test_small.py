"""A card of next to nothing: few rows, one score for all, columns that are empty or constant."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from riskscore.model_card.aggregates import Evidence, aggregates, document
from riskscore.model_card.writing import FORMS, rendered
from riskscore.model_toml.settings import read_settings
from tests.training_examples import write_model

if TYPE_CHECKING:
    from pathlib import Path

NAN = np.nan
CASES = {
    "two rows": ([[1, 0, NAN], [2, 1, NAN]], [0, 1], [0.2, 0.7]),
    "one score for all": ([[k, k % 3, 0.5] for k in range(40)], [k % 2 for k in range(40)], [0.3] * 40),
    "scores of 0 and 1": ([[k, 0, NAN] for k in range(60)], [k % 2 for k in range(60)], [k % 2 for k in range(60)]),
    "one row of label 1": (
        [[k, k, k / 9] for k in range(90)],
        [int(k == 5) for k in range(90)],
        [k / 99 for k in range(90)],
    ),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("points", [True, False])
def test_a_card_of_next_to_nothing_is_written(tmp_path: Path, case: str, points: bool) -> None:
    matrix, labels, scores = (np.array(values, dtype=float) for values in CASES[case])
    settings = read_settings(write_model(tmp_path))
    segments = settings.card | {"segments": ["late", "region"]}
    settings = replace(settings, card=segments, page={"points": points})
    others = {"region": [""] * len(labels)}
    evidence = Evidence(matrix, labels.astype(np.int8), scores, others, lambda rows: np.full(len(rows), 0.3), "made up")
    card = aggregates(settings, evidence) | {"version": "1", "warnings": [], "data": []}
    auc = {"auc": {"mean": 0.5, "low": None, "high": None}}
    card |= {"performance": {"gini": auc["auc"], "ks": card["ks"], **auc}}
    card = json.loads(document(card))
    manifest = {"model": "small", "version": "1", "description": "", "features": []}
    for form in FORMS:
        assert rendered(form, card, manifest)
    assert sum(card["distribution"]["goods"]) + sum(card["distribution"]["bads"]) == len(labels)
    assert sum(row["rows"] for row in card["bands"]["table"]) == len(labels)
