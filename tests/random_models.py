"""Random XGBoost models, and rows that sit where evaluators disagree: on thresholds, beside them, at the extremes."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xgboost as xgb
from hypothesis import strategies as st

N_FEATURES = 5
EXTREMES = np.array([0.0, -0.0, 1e-45, -1e-45, 1.1754942e-38, 3.4e38, -3.4e38], dtype=np.float32)


def training_data(seed: int, rows: int, missing: float) -> tuple[Any, Any]:
    """Continuous, rounded, two-valued, huge and denormal columns; labels of both classes."""
    random = np.random.default_rng(seed)
    columns = random.normal(size=(rows, N_FEATURES))
    columns[:, 1] = np.round(columns[:, 1] * 2)
    columns[:, 2] = np.where(columns[:, 2] > 0, 29, 999)
    columns[:, 3] *= 1e10
    columns[:, 4] *= 1e-40 if seed % 3 == 0 else 1.0
    score = columns[:, 0] * columns[:, 1] + (columns[:, 2] > 500) + random.normal(size=rows)
    label = (score > np.median(score)).astype(int)
    columns[random.random(columns.shape) < missing] = np.nan
    return columns.astype(np.float32), label


@st.composite
def boosters(draw: st.DrawFn, max_depth: int = 8, max_trees: int = 60) -> tuple[xgb.Booster, int]:
    """A trained booster and the seed of its data."""
    seed = draw(st.integers(0, 2**31))
    method = draw(st.sampled_from([("hist", "depthwise"), ("hist", "lossguide"), ("exact", "depthwise")]))
    parameters = {
        "n_estimators": draw(st.integers(1, max_trees)),
        "max_depth": draw(st.integers(1, max_depth)),
        "tree_method": method[0],
        "grow_policy": method[1],
        "learning_rate": draw(st.sampled_from([0.05, 0.3, 1.0])),
        "gamma": draw(st.sampled_from([0.0, 0.0, 1.0, 1e6])),
        "min_child_weight": draw(st.sampled_from([0.1, 1.0, 5.0])),
        "scale_pos_weight": draw(st.sampled_from([1.0, 7.5])),
        "subsample": draw(st.sampled_from([1.0, 0.6])),
        "num_parallel_tree": draw(st.sampled_from([1, 1, 3])),
        "base_score": draw(st.none() | st.floats(0.001, 0.999) | st.sampled_from([0.5, 1e-9, 0.33721378445625305])),
        "monotone_constraints": draw(st.sampled_from([None, (1, 0, -1, 0, 0)])),
    }
    data, label = training_data(seed, draw(st.sampled_from([30, 300])), draw(st.sampled_from([0.0, 0.05, 0.5])))
    model = xgb.XGBClassifier(n_jobs=1, random_state=seed, **parameters).fit(data, label)
    return model.get_booster(), seed


def document(booster: xgb.Booster) -> dict[str, Any]:
    """The model's own JSON."""
    found: dict[str, Any] = json.loads(booster.save_raw("json"))
    return found


def hard_rows(booster: xgb.Booster, seed: int, *, infinite: bool) -> Any:
    """Rows of data with missing values, and of the model's thresholds, their float32 neighbours and extremes."""
    random = np.random.default_rng(seed + 1)
    trees = document(booster)["learner"]["gradient_booster"]["model"]["trees"]
    at = np.concatenate([np.array(tree["split_conditions"], dtype=np.float32) for tree in trees])
    up, down = np.nextafter(at, np.float32(np.inf)), np.nextafter(at, np.float32(-np.inf))
    values = np.concatenate([at, up, down, EXTREMES, [np.nan] * 9, [np.inf, -np.inf] if infinite else []])
    edges = random.choice(values.astype(np.float32), size=(60, N_FEATURES))
    return np.concatenate([training_data(seed + 2, 40, 0.1)[0], edges])
