"""XGBoost's binary files are read as XGBoost's JSON says the same model, and a broken one is refused."""

from __future__ import annotations

import contextlib
import json
import struct
from typing import Any

import numpy as np
import pytest
import xgboost as xgb
from hypothesis import given, settings
from hypothesis import strategies as st

from riskscore.adopting import ubjson
from tests.random_models import training_data

DATA, LABELS = training_data(3, 60, 0.1)  # seed 3: one column is denormal


def booster(**parameters: Any) -> Any:
    return xgb.XGBClassifier(n_estimators=3, n_jobs=1, **parameters).fit(DATA, LABELS).get_booster()


@pytest.mark.parametrize("parameters", [{}, {"booster": "dart"}, {"booster": "gblinear"}])
def test_both_formats_of_a_model_say_the_same(parameters: dict[str, Any]) -> None:
    model = booster(**parameters)
    model.set_attr(word="größe")
    assert ubjson.loads(bytes(model.save_raw("ubj"))) == json.loads(bytes(model.save_raw("json")))


@given(value=st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float32_keeps_its_value(value: float) -> None:
    found = ubjson.loads(b"d" + struct.pack(">f", value))
    assert np.float32(found) == value


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"{}", {}),
        (b"{U\1aT}", {"a": True}),
        (b"[]", []),
        (b"[FZi\xff]", [False, None, -1]),
        (b"[#i\2SU\1xl\0\0\1\0", ["x", 256]),
        (b"[$I#U\2\0\1\xff\xff", [1, -1]),
        (b"[$D#i\1\x3f\xf8\0\0\0\0\0\0", [1.5]),
    ],
)
def test_values(data: bytes, value: object) -> None:
    assert ubjson.loads(data) == value


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"{", b"[", b"{U\1a", b"x", b"{}}", b"[$S#i\1", b"[$i-"),
        *(b"[$L#L\x7f\xff\xff\xff\xff\xff\xff\xff", b"SL\xff\xff\xff\xff\xff\xff\xff\xff", b"SU\2\xff\xff", b"[" * 99),
    ],
)
def test_what_is_broken_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        ubjson.loads(data)


MODEL = bytes(booster().save_raw("ubj"))


@settings(max_examples=200, deadline=None)
@given(place=st.integers(0, len(MODEL) - 1), put=st.binary(min_size=1, max_size=8))
def test_a_damaged_model_is_read_or_refused(place: int, put: bytes) -> None:
    with contextlib.suppress(ValueError):
        ubjson.loads(MODEL[:place] + put + MODEL[place + len(put) :])
