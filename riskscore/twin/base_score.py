"""The base margin that XGBoost derives from a model's `base_score`, to the last bit.

XGBoost computes -logf(1/p - 1) in float32, and glibc's `logf` isn't correctly rounded: rounding the double
logarithm instead gives another base margin for one p in two hundred, and then every score of that model is off.
So `logf` is evaluated here step by step as glibc >= 2.27 does it (a table of 16 intervals and a cubic), on every
CPU alike; method and constants are those of Arm's optimized-routines (MIT licence), from which glibc has them.
"""

from __future__ import annotations

import json
import struct

_LN2 = float.fromhex("0x1.62e42fefa39efp-1")
_CUBIC = tuple(map(float.fromhex, ("-0x1.00ea348b88334p-2", "0x1.5575b0be00b6ap-2", "-0x1.ffffef20a4123p-2")))
# 1/c and log(c) for a c near the middle of each of 16 intervals of [0.7, 1.4)
_INVERSE_AND_LOG = tuple(
    (float.fromhex(inverse), float.fromhex(log))
    for inverse, log in (
        ("0x1.661ec79f8f3bep+0", "-0x1.57bf7808caadep-2"),
        ("0x1.571ed4aaf883dp+0", "-0x1.2bef0a7c06ddbp-2"),
        ("0x1.49539f0f010bp+0", "-0x1.01eae7f513a67p-2"),
        ("0x1.3c995b0b80385p+0", "-0x1.b31d8a68224e9p-3"),
        ("0x1.30d190c8864a5p+0", "-0x1.6574f0ac07758p-3"),
        ("0x1.25e227b0b8eap+0", "-0x1.1aa2bc79c81p-3"),
        ("0x1.1bb4a4a1a343fp+0", "-0x1.a4e76ce8c0e5ep-4"),
        ("0x1.12358f08ae5bap+0", "-0x1.1973c5a611cccp-4"),
        ("0x1.0953f419900a7p+0", "-0x1.252f438e10c1ep-5"),
        ("0x1p+0", "0x0p+0"),
        ("0x1.e608cfd9a47acp-1", "0x1.aa5aa5df25984p-5"),
        ("0x1.ca4b31f026aap-1", "0x1.c5e53aa362eb4p-4"),
        ("0x1.b2036576afce6p-1", "0x1.526e57720db08p-3"),
        ("0x1.9c2d163a1aa2dp-1", "0x1.bc2860d22477p-3"),
        ("0x1.886e6037841edp-1", "0x1.1058bc8a07ee1p-2"),
        ("0x1.767dcf5534862p-1", "0x1.4043057b6ee09p-2"),
    )
)


def float32(value: float) -> float:
    """The nearest float32 of a finite value."""
    return float(struct.unpack("<f", struct.pack("<f", value))[0])


def logf(x: float) -> float:
    """glibc's float32 logarithm of a positive, normal float32."""
    bits = struct.unpack("<i", struct.pack("<f", x))[0]
    offset = bits - 0x3F330000
    exponent = offset >> 23
    z = struct.unpack("<f", struct.pack("<i", bits - (exponent << 23)))[0]
    inverse, log = _INVERSE_AND_LOG[(offset >> 19) % 16]
    a, b, c = _CUBIC
    r = z * inverse - 1.0
    square = r * r
    return float32((a * square + (b * r + c)) * square + ((log + exponent * _LN2) + r))


def base_margin(base_score: str) -> float:
    """Log-odds of `base_score` as the file gives it: "5E-1", or "[5E-1]" since XGBoost 3.1; ValueError otherwise."""
    value = json.loads(base_score)
    p = value[0] if isinstance(value, list) and len(value) == 1 else value
    if type(p) not in (int, float) or not 0.0 <= p <= 1.0:
        raise ValueError("base_score must be one probability")
    clamped = min(max(float32(p), float32(1e-6)), float32(float32(1.0) - float32(1e-6)))
    return -logf(float32(float32(1.0 / clamped) - 1.0))
