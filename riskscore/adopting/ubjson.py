"""XGBoost's binary model files: as much of Universal Binary JSON (ubjson.org) as XGBoost writes.

XGBoost's own reader believes every length in the file, and crashes on a broken one or never ends. This one refuses it.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

DEEPEST = 50
NUMBERS = {b"i": "b", b"U": "B", b"I": "h", b"l": "i", b"L": "q", b"d": "f", b"D": "d"}  # all of them big-endian
CONSTANTS = {b"T": True, b"F": False, b"Z": None}


def loads(data: bytes) -> Any:
    """The value in a file; ValueError where it is broken."""
    reader = _Reader(data)
    value = reader.value(reader.take(1), 0)
    if reader.place != len(data):
        raise ValueError("there are bytes after its end")
    return value


def _shortest(value: float) -> float:
    """The double with the fewest digits that is nearest to this float32, as XGBoost would write it in JSON."""
    return float(str(np.float32(value)))


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.place = data, 0

    def take(self, size: int) -> bytes:
        if not 0 <= size <= len(self.data) - self.place:
            raise ValueError("it ends too early")
        self.place += size
        return self.data[self.place - size : self.place]

    def value(self, kind: bytes, depth: int) -> Any:
        if depth > DEEPEST:
            raise ValueError("it is nested too deeply")
        if kind in CONSTANTS:
            return CONSTANTS[kind]
        if kind in NUMBERS:
            return self.numbers(kind, 1)[0]
        if kind not in _CONTAINERS:
            raise ValueError("it holds a value of no known kind")
        return _CONTAINERS[kind](self, depth)

    def numbers(self, kind: bytes, count: int) -> list[Any]:
        size = struct.calcsize(f">{NUMBERS[kind]}")
        found = list(struct.unpack(f">{count}{NUMBERS[kind]}", self.take(count * size)))
        return list(map(_shortest, found)) if kind == b"d" else found

    def length(self) -> int:
        kind = self.take(1)
        length = self.numbers(kind, 1)[0] if kind in (b"i", b"U", b"I", b"l", b"L") else -1
        if not 0 <= length <= len(self.data):
            raise ValueError("it has a length that can't be")
        return int(length)

    def text(self, _depth: int = 0) -> str:
        return self.take(self.length()).decode()

    def table(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while self.data[self.place : self.place + 1] != b"}":
            key = self.text()
            found[key] = self.value(self.take(1), depth + 1)
        self.take(1)
        return found

    def series(self, depth: int) -> list[Any]:
        """An array: of one kind of number, of so many values, or up to its end."""
        kind = self.take(1)
        if kind == b"$":
            kind, mark = self.take(1), self.take(1)
            if kind not in NUMBERS or mark != b"#":
                raise ValueError("it has an array of no known kind")
            return self.numbers(kind, self.length())
        if kind == b"#":
            return [self.value(self.take(1), depth + 1) for _ in range(self.length())]
        found = []
        while kind != b"]":
            found.append(self.value(kind, depth + 1))
            kind = self.take(1)
        return found


_CONTAINERS: dict[bytes, Callable[[_Reader, int], Any]] = {
    b"{": _Reader.table,
    b"[": _Reader.series,
    b"S": _Reader.text,
}
