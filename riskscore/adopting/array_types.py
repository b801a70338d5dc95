"""How joblib and numpy describe an array in a pickle, held to what they write themselves."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

KEYS = ("subclass", "shape", "order", "dtype", "allow_mmap", "numpy_array_alignment_bytes")  # the last since 1.2
DTYPE_CODE = re.compile(r"[biufcSUVO]\d{1,9}")
ALIGNED_STRUCT = 0x80  # of a dtype's flags


@dataclass(frozen=True)
class Import:
    """One thing that a pickle asks for by its module and its name there."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}".encode("unicode_escape").decode()[:200]


class Unlisted(Exception):
    """The walk can't tell what loading would do."""


@dataclass(eq=False)
class Made:
    """What a call of something imported gives, and the state that it is then given."""

    made: Import
    arguments: object
    built: bool = False
    state: object = None


DTYPE = Import("numpy", "dtype")
SUBCLASSES = (Import("numpy", "ndarray"), Import("numpy", "matrix"), Import("numpy", "memmap"))


def is_wrapped_array(state: object) -> bool:
    """Whether an array wrapper's state is what joblib writes: these keys in this order, and plain values."""
    if type(state) is not dict or tuple(state) not in (KEYS, KEYS[:-1]):
        return False
    shape, alignment = state["shape"], state.get(KEYS[-1])
    return (
        (state["subclass"] in SUBCLASSES or str(state["subclass"]) == "numpy.matrixlib.defmatrix.matrix")
        and type(shape) is tuple
        and all(type(length) is int and length >= 0 for length in shape)
        and state["order"] in ("C", "F")
        and type(state["allow_mmap"]) is bool
        and (alignment is None or (type(alignment) is int and alignment == 16))
    )


def rebuilt(dtype: object) -> np.dtype[Any]:
    """The numpy type of a pickled one, where it is in every part as numpy would write it; Unlisted otherwise."""
    try:
        found, written = _rebuilt(dtype)
        if found.__reduce__() == written:
            return found
    except (ValueError, TypeError, LookupError, OverflowError, AttributeError):
        pass
    raise Unlisted("the type of an array is none that numpy would write")


def _rebuilt(dtype: Any) -> tuple[np.dtype[Any], Any]:
    """The type that a pickled one describes, and what numpy would then have to write."""
    if dtype.made != DTYPE:
        raise ValueError
    code, *options = dtype.arguments
    version, order, subarray, names, fields, size, alignment, flags = dtype.state
    if not DTYPE_CODE.fullmatch(code):
        raise ValueError
    described: Any = order + code
    if names is not None:
        fields = {name: (rebuilt(kind), offset) for name, (kind, offset) in fields.items()}
        formats, offsets = zip(*(fields[name] for name in names), strict=True)
        described = {"names": list(names), "formats": formats, "offsets": offsets, "itemsize": size}
    found = np.dtype(described, align=names is not None and bool(flags & ALIGNED_STRUCT))
    state = (version, order, subarray, names, fields, size, alignment, flags)
    return found, (np.dtype, (code, *options), state)
