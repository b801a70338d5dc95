"""What would have changed it: the cheapest changes within the limits, equal to trying all of them."""

from __future__ import annotations

import json
import math
from itertools import combinations, product
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xgboost as xgb

from riskscore.artefact.artefact import open_artefact, save_artefact
from riskscore.scoring.change import (
    CROSSES,
    NO_TWIN,
    NONE_CROSSES,
    NOT_DECLARED,
    NOTHING_TO_CHANGE,
    REVIEW,
    Changes,
)
from riskscore.scoring.model import Model
from riskscore.scoring.pipeline import MOST_CHANGES
from riskscore.training.contribution_tables import prepare
from riskscore.twin import trees
from riskscore.twin.scorecard import Attributes, Scorecard
from tests.model_examples import deployed, engine_for, events
from tests.scoring_examples import IDS, SMALL, answer, engine, event, write_small

if TYPE_CHECKING:
    from pathlib import Path

RISKY = event(late_fee_count_90d=5, cash_withdrawal_90d=9000.0, pct_gambling_spend_90d=0.2)
NAMES = ("a", "b", "c", "d", "sum", "whole")


def support(low: float, high: float, **more: Any) -> dict[str, Any]:
    quantiles = {"0.25": low + (high - low) / 4, "0.5": (low + high) / 2, "0.75": high - (high - low) / 4}
    return {"minimum": low, "maximum": high, "quantiles": quantiles, **more}


FEATURES = [
    {"name": "a", "support": support(0, 4)},
    {"name": "b", "support": support(0, 2), "encoding": "log"},
    {"name": "c", "support": support(-1, 1)},
    {"name": "d", "nullable": True, "support": support(0, 3, missing=0.1)},
    {"name": "sum", "unit": "money", "support": support(-1, 5)},
    {"name": "whole", "type": "integer", "support": support(0, 6, values=[0.0, 1.0, 2.0, 4.0, 6.0])},
]
CHANGE = {
    "a": {"direction": "down", "step": 0.5},
    "b": {"direction": "either", "step": 0.25, "maximum": 1.5},
    "c": {"direction": "up", "step": 0.25},
    "d": {"direction": "down", "step": 0.5, "minimum": 0.5},
    "sum": {"follows": "total"},
    "whole": {"direction": "down", "step": 1},
}
TOTAL = {"name": "total", "text": "sum is a and c", "terms": [[1, "a"], [1, "c"], [-1, "sum"]]}
OTHERS = {
    "features": FEATURES,
    "identities": [TOTAL],
    "limits": [],
    "change": CHANGE,
    "observations": {},
    "refer": ["total"],
    "reasons": {name: {"high": "high", "low": "low"} for name in NAMES},
    "threshold": 0.4,
}


def rows(count: int, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    found = np.column_stack([rng.uniform(f["support"]["minimum"], f["support"]["maximum"], count) for f in FEATURES])
    found[:, :4] = np.round(found[:, :4], 2)
    found[:, 4] = np.round(found[:, 0] + found[:, 2], 2)
    found[:, 5] = rng.choice([0, 1, 2, 4, 6], count)
    found[rng.random(count) < 0.1, 3] = np.nan
    return found


def encoded(found: Any) -> Any:
    return np.column_stack([found[:, :1], np.log1p(found[:, 1:2]), found[:, 2:]])


def trees_of(folder: Path, depth: int, seed: int, **changes: Any) -> Model:
    """Trees over six columns that act together, as a model with a table [change]."""
    found = rows(400, seed)
    score = found[:, 0] * found[:, 1] - found[:, 2] + np.nan_to_num(found[:, 3]) * found[:, 1] + 0.4 * found[:, 5]
    labels = score + np.random.default_rng(seed).normal(size=400) > np.median(score)
    model = xgb.XGBClassifier(n_estimators=25, max_depth=depth, learning_rate=0.3, random_state=seed, n_jobs=1)
    document = bytes(model.fit(encoded(found).astype(np.float32), labels).get_booster().save_raw("json"))
    twin = trees.load(json.loads(document))
    vector = rows(1, 1)[0].tolist()
    golden = [{"vector": vector, "margin": twin.margin([vector[0], math.log1p(vector[1]), *vector[2:]])}]
    manifest = SMALL | OTHERS | {"model": folder.name, "golden": golden} | changes
    contents = {"model.joblib": b"never read", "model.json": document}
    save_artefact(str(folder), contents | {"contributions.bin": prepare(json.loads(document))}, manifest)
    return Model(open_artefact(str(folder)))


def linear_of(folder: Path) -> Model:
    """A line over the same columns; nobody lacks d."""
    document = {"format": trees.LINEAR_FORMAT, "intercept": -2.5, "coefficients": [0.6, 1.1, -0.7, 0.5, 0.2, 0.13]}
    vector = [1.0, 1.0, 0.5, 1.0, 1.5, 2.0]
    golden = [{"vector": vector, "margin": trees.load(document).margin([1.0, math.log1p(1.0), *vector[2:]])}]
    manifest = SMALL | OTHERS | {"model": folder.name, "golden": golden}
    contents = {"model.joblib": b"never read", "model.json": json.dumps(document).encode()}
    save_artefact(str(folder), contents | {"contributions.bin": prepare(document)}, manifest)
    return Model(open_artefact(str(folder)))


def scorecard_of(folder: Path) -> Model:
    """A scorecard over the same columns, whose points don't all move in the directions of [change]."""
    columns = [
        Attributes([1.0, 2.5], [20, 5, -30], 0, {}),
        Attributes([0.3, 0.8], [10, -20, -5], 0, {}),
        Attributes([-0.5, 0.25], [-15, 0, 12], 0, {0.5: -40}),
        Attributes([1.0, 2.0], [14, 0, -18], 7, {}),
        Attributes([0.0, 3.0], [2, 0, -4], 0, {}),
        Attributes([3.0], [11, -25], 0, {}),
    ]
    card = Scorecard(500, 500.0, 20 / math.log(2), columns, [0.0] * 6)
    document = card.document(NAMES)
    vector = [1.0, 1.0, 0.5, 1.0, 1.5, 2.0]
    golden = [{"vector": vector, "margin": card.margin([1.0, math.log1p(1.0), *vector[2:]])}]
    manifest = SMALL | OTHERS | {"model": folder.name, "golden": golden}
    contents = {"model.joblib": b"never read", "model.json": json.dumps(document).encode()}
    save_artefact(str(folder), contents | {"contributions.bin": prepare(document)}, manifest)
    return Model(open_artefact(str(folder)))


GRIDS = {
    "a": (0, [k * 0.5 for k in range(9)], "down"),
    "b": (1, [k * 0.25 for k in range(7)], "either"),
    "c": (2, [k * 0.25 for k in range(-4, 5)], "up"),
    "d": (3, [k * 0.5 for k in range(1, 7)], "down"),
    "whole": (5, [0.0, 1.0, 2.0, 4.0, 6.0], "down"),
}
SPREAD = {"a": 2.0, "b": 1.0, "c": 1.0, "d": 1.5, "whole": 3.0}


def options(vector: list[float]) -> dict[str, list[float]]:
    ways = {"down": float.__lt__, "up": float.__gt__, "either": float.__ne__}
    return {name: [v for v in grid if ways[way](v, vector[k])] for name, (k, grid, way) in GRIDS.items()}


def changed(vector: list[float], values: dict[str, float]) -> list[float]:
    """The row with some values changed, and the sum with them."""
    row = list(vector)
    for name, value in values.items():
        row[GRIDS[name][0]] = value
    if {"a", "c"} & {*values}:
        row[4] = round(row[0] + row[2], 2)
    return row


def adverse(model: Model, row: list[float]) -> bool:
    return trees.logistic(model.log_odds(model.margins([row], "twin")[0])) >= model.threshold


def tried(model: Model, vector: list[float]) -> list[float]:
    """The distance of the cheapest one, two, three changes by trying all; only those cheaper than fewer changes."""
    best, found = math.inf, list[float]()
    given = options(vector)
    for size in (1, 2, 3):
        before = best
        sets = [names for names in combinations(GRIDS, size) if not {"a", "c"} <= {*names}]  # one of them at a time
        for moves in (dict(zip(names, to, strict=True)) for names in sets for to in product(*map(given.get, names))):
            cost = sum(abs(value - vector[GRIDS[name][0]]) / SPREAD[name] for name, value in moves.items())
            row = changed(vector, moves)
            if cost < best - 1e-9 and -1 <= row[4] <= 5 and not adverse(model, row):
                best = cost
        if best < before:
            found.append(best)
    return sorted(found)


def asked(model: Model, vector: list[float]) -> dict[str, Any]:
    (margin,) = model.margins([vector], "twin")
    found: dict[str, Any] = model.changes().of(vector, margin, "scored")
    return found


def after(model: Model, vector: list[float], alternative: dict[str, Any]) -> list[float]:
    said = {entry["feature"]: entry["to"] for entry in (*alternative["features"], *alternative["follows"])}
    return [float(said.get(name, value)) for name, value in zip(model.contract.names, vector, strict=True)]


def check(model: Model, vectors: list[list[float]]) -> int:
    """Every answer equals trying all; how many had to change."""
    adverse = 0
    for vector in vectors:
        (margin,) = model.margins([vector], "twin")
        found = asked(model, vector)
        if margin < model.changes().limit:
            assert found == {"alternatives": [], "text": NOTHING_TO_CHANGE}
            continue
        adverse += 1
        distances = [alternative["distance"] for alternative in found["alternatives"]]
        assert distances == pytest.approx(tried(model, vector), abs=1e-5)
        assert found["text"] == (CROSSES if distances else NONE_CROSSES)
        for alternative in found["alternatives"]:
            row = after(model, vector, alternative)
            assert model.margins([row], "twin")[0] < model.changes().limit
            assert model.rules.warnings(row, {}) == []
    return adverse


@pytest.mark.slow
@pytest.mark.parametrize(("depth", "seed"), [(1, 1), (2, 2), (3, 3), (4, 4), (6, 5)])
def test_the_changes_of_trees_are_those_that_trying_all_finds(tmp_path: Path, depth: int, seed: int) -> None:
    model = trees_of(tmp_path / "forest", depth, seed)
    assert check(model, rows(12, seed + 50).tolist()) > 2


@pytest.mark.slow
def test_a_calibrated_probability_is_what_crosses(tmp_path: Path) -> None:
    platt = {"method": "platt", "slope": 1.7, "intercept": 0.3}
    assert check(trees_of(tmp_path / "forest", 3, 6, calibration=platt), rows(12, 56).tolist()) > 2


@pytest.mark.slow
def test_the_changes_of_a_line_are_those_that_trying_all_finds(tmp_path: Path) -> None:
    model = linear_of(tmp_path / "line")
    vectors = [[1.0 if math.isnan(value) else value for value in row] for row in rows(16, 8).tolist()]
    assert check(model, vectors) > 2


@pytest.mark.slow
def test_the_changes_of_a_scorecard_are_those_that_trying_all_finds(tmp_path: Path) -> None:
    assert check(scorecard_of(tmp_path / "card"), rows(20, 3).tolist()) > 2


def test_a_missing_value_does_not_change(tmp_path: Path) -> None:
    model = trees_of(tmp_path / "forest", 3, 3)
    vector = [3.5, 1.9, -0.5, math.nan, 3.0, 6.0]
    features = [entry["feature"] for option in asked(model, vector)["alternatives"] for entry in option["features"]]
    assert features
    assert "d" not in features


# In answers


def test_an_answer_says_what_would_have_changed_it_where_it_is_asked() -> None:
    plain, found = answer(RISKY), answer(RISKY | {"change": True})
    assert {**plain, "change": found["change"]} == found
    assert found["prediction"] == 1
    first = found["change"]["alternatives"][0]
    assert list(first) == ["features", "follows", "distance", "probability"]
    changes = {entry["feature"]: entry["to"] for entry in (*first["features"], *first["follows"])}
    again = answer({"features": RISKY["features"] | changes})
    assert (again["outcome"], again["prediction"], again["probability"]) == ("scored", 0, first["probability"])


@pytest.mark.parametrize("choice", ["twin", "joblib"])
def test_both_engines_agree_that_the_changed_row_crosses(choice: str) -> None:
    found = engine_for("credit_risk", choice).answer(RISKY | {"change": True})["change"]["alternatives"]
    for option in found:
        changes = {entry["feature"]: entry["to"] for entry in (*option["features"], *option["follows"])}
        again = engine_for("credit_risk", choice).answer({"features": RISKY["features"] | changes})
        assert (again["prediction"], again["probability"], again["engine"]) == (0, option["probability"], choice)


def test_what_an_identity_ties_follows() -> None:
    features = RISKY["features"] | {"income_inflow_30d": 4000.0, "net_cash_flow_30d": -17000.0}
    found = answer({"features": features, "change": True})["change"]
    for option in found["alternatives"]:
        said = {entry["feature"]: entry["to"] for entry in (*option["features"], *option["follows"])}
        row = features | said
        assert row["net_cash_flow_30d"] == pytest.approx(row["income_inflow_30d"] - row["spend_outflow_30d"])
        assert row["avg_debit_amt_30d"] * row["debit_txn_count_30d"] == pytest.approx(row["spend_outflow_30d"], abs=1)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (event(), NOTHING_TO_CHANGE),
        (event(net_cash_flow_30d=1.0, late_fee_count_90d=7), REVIEW),
    ],
)
def test_where_there_is_nothing_to_change_the_answer_says_so(given: dict[str, Any], text: str) -> None:
    assert answer(given | {"change": True})["change"] == {"alternatives": [], "text": text}


@pytest.mark.parametrize("given", [{}, {"change": False}, {"change": None}])
def test_an_answer_that_is_not_asked_says_nothing_of_it(given: dict[str, Any]) -> None:
    assert answer(RISKY | given) == answer(RISKY)


def test_a_model_that_names_no_features_says_so(tmp_path: Path) -> None:
    small = Model(open_artefact(str(write_small(tmp_path / "small_loans"))))
    found = engine(small_loans=small).answer(
        {"model": "small_loans", "amount": 9000, "term": 90, "secured": False, "change": True}
    )
    assert (found["prediction"], found["change"]) == (1, {"alternatives": [], "text": NOT_DECLARED})


def test_a_model_without_a_twin_says_so() -> None:
    model = deployed().find("credit_risk")
    assert Changes(model, None).of([0.0] * 13, 9.0, "scored") == {"alternatives": [], "text": NO_TWIN}


def test_clients_who_ask_get_it_whatever_fields_they_are_bound_to() -> None:
    found = engine_for("default_90d").answer(events("default_90d")["risky"] | {"change": True})
    assert list(found) == ["customer_id", "probability", "prediction", "change"]


def test_each_row_of_a_list_may_ask_by_itself_or_all_together() -> None:
    alone = answer(RISKY | {"change": True})
    assert ["change" in row for row in answer([RISKY, RISKY | {"change": True}])] == [False, True]
    assert answer({"instances": [RISKY] * 3, "change": True}) == [alone] * 3


def test_a_flat_row_may_ask_too() -> None:
    flat = {**IDS, **RISKY["features"], "change": True, "reason_codes": True}
    assert answer(flat) == answer(RISKY | {"change": True, "reason_codes": True})


def test_no_more_rows_ask_at_once_than_can_be_waited_for() -> None:
    found = answer([RISKY | {"change": True, "reasons": 0}] * (MOST_CHANGES + 1) + [RISKY | {"reasons": 0}])
    assert {row["error"]["message"] for row in found[:-1]} == {"at most 100 rows of an event may ask for change"}
    assert found[-1]["outcome"] == "scored"


def test_a_feature_that_is_called_like_an_option_stays_a_feature(tmp_path: Path) -> None:
    names = {"amount": "change", "term": "reason_codes", "secured": "secured"}
    given = [{**entry, "name": names[entry["name"]]} for entry in SMALL["features"]]
    texts = {name: {"high": "high", "low": "low"} for name in names.values()}
    others = {"features": given, "identities": [], "limits": [], "reasons": texts}
    model = Model(open_artefact(str(write_small(tmp_path / "odd", **others))))
    served = engine(odd=model)
    flat = served.answer({"model": "odd", "change": 9000, "reason_codes": 90, "secured": False})
    assert (flat["outcome"], "change" in flat) == ("scored", False)
    nested = {"model": "odd", "features": {"change": 9000, "reason_codes": 90, "secured": False}}
    assert served.answer(nested | {"change": True})["change"]["text"] == NOT_DECLARED
    assert served.answer({"instances": [nested], "reason_codes": True})[0]["reasons"][0]["code"] == "R01"
