"""A scorecard by hand: which attribute a value has, and what its points make of the margin."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskscore.errors import ArtefactRefused
from riskscore.scoring.outcome import Scale
from riskscore.training import contribution_tables
from riskscore.twin import contributions, trees
from riskscore.twin.scorecard import Attributes, Scorecard

SETTINGS = {"base": 600, "odds": 30, "pdo": 20, "minimum": 300, "maximum": 850}
FACTOR = 20 / math.log(2)
OFFSET = 600 - FACTOR * math.log(30)
INFLOW = Attributes([1000.0, 2000.0], [-20, 0, 15], 3, {999.0: -7})
LATE = Attributes([1.0], [9, -12], 0, {})
CARD = Scorecard(540, OFFSET, FACTOR, [INFLOW, LATE], [4.5, -1.25])
DOCUMENT = json.loads(json.dumps(CARD.document(["inflow", "late"])))


@pytest.mark.parametrize(
    ("value", "points"),
    [(-5.0, -20), (998.9, -20), (999.0, -7), (1000.0, 0), (1999.9, 0), (2000.0, 15), (1e300, 15), (math.nan, 3)],
)
def test_an_edge_belongs_to_the_attribute_above_it_and_a_code_or_a_gap_has_its_own(value: float, points: int) -> None:
    assert INFLOW.of(value) == points


@given(st.lists(st.tuples(*[st.floats(width=32, allow_infinity=False) | st.sampled_from([999.0, 1000.0])] * 2)))
def test_points_add_up_to_the_answers_points_in_either_engine(rows: list[tuple[float, float]]) -> None:
    twin, scale = trees.load(DOCUMENT), Scale(SETTINGS)
    totals = [540 + sum(CARD.points(row)) for row in rows]
    margins = [twin.margin(row) for row in rows]
    assert scale.points_of(margins) == totals
    assert margins == (CARD.margins(np.array(rows).reshape(-1, 2)) if rows else [])


def test_contributions_are_the_distance_from_the_mean_points_and_add_up_to_the_margin() -> None:
    found = contributions.load(contribution_tables.prepare(DOCUMENT))
    parts = found.of([500.0, 0.0])
    assert parts == [(4.5 + 20) / FACTOR, (-1.25 - 9) / FACTOR]
    assert found.base_value + math.fsum(parts) == pytest.approx(CARD.margin([500.0, 0.0]), abs=1e-12)


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="takes 2 features, the row has 3"):
        CARD.margin([1.0, 2.0, 3.0])


BROKEN: list[dict[str, Any]] = [
    {"attributes": None},
    {"attributes": []},
    {"factor": 0.0},
    {"factor": "28"},
    {"base": 540.5},
    {"base": True},
    {"means": [1.0]},
    {"attributes": [{"edges": [2, 1], "points": [1, 2, 3], "missing": 0, "codes": []}] * 2},
    {"attributes": [{"edges": [1], "points": [1], "missing": 0, "codes": []}] * 2},
    {"attributes": [{"edges": [1], "points": [1, 0.5], "missing": 0, "codes": []}] * 2},
    {"attributes": [{"edges": [1], "points": [1, 2], "missing": 0, "codes": [[1]]}] * 2},
    {"attributes": [{"edges": ["1"], "points": [1, 2], "missing": 0, "codes": []}] * 2},
]


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_file_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(ArtefactRefused, match="the model file is broken"):
        trees.load(DOCUMENT | broken)
