"""Why a score is what it is: each feature's exact contribution, from a file that training prepared, in 0.1 ms.

Contributions are on the log-odds scale, in the contract's order, and with the base value they add up to the margin.
They are those of path-dependent TreeSHAP; `contribution_tables` says how the tables come about. Scoring a row:
1. one big integer holds a byte per group: the outcomes of the group's splits. It is the OR of one mask per feature,
   which depends only on how many of the feature's thresholds the value reaches, or on its absence;
2. each byte picks an entry of its group's table, itself a big integer with 32 bits per feature;
3. the sum of the entries is the sum of all features' contributions at once.
Masks and entries are read from the file when first needed.
"""

from __future__ import annotations

import json
import math
import struct
from array import array
from bisect import bisect_right
from itertools import accumulate
from operator import add

from riskscore.errors import ArtefactRefused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

MAGIC = b"riskscore-contributions-1\n"


class _Entries(dict[int, int]):
    """Entry number -> the entry as one integer."""

    def __init__(self, table: memoryview, width: int) -> None:
        super().__init__()
        self._table, self._width = table, width

    def __missing__(self, number: int) -> int:
        start = number * self._width
        self[number] = entry = int.from_bytes(self._table[start : start + self._width], "little")
        return entry


class _Masks(dict[int, int]):
    """One feature. Number of thresholds reached, or -1 for a missing value -> its outcomes, a byte per group."""

    def __init__(self, n_groups: int, thresholds: array[float], groups: array[int], *bits: array[int]) -> None:
        super().__init__({0: 0})
        self.thresholds = thresholds.tolist()
        self.groups = groups
        self.bits, self.missing_bits = bits
        self._n_groups = n_groups
        self._known = [0]

    def __missing__(self, reached: int) -> int:
        if reached < 0:
            return self._set_bits(-1, 0, self.groups, self.missing_bits)
        place = bisect_right(self._known, reached)
        nearest = self._known[place - 1]
        self._known.insert(place, reached)
        return self._set_bits(reached, self[nearest], self.groups[nearest:reached], self.bits[nearest:reached])

    def _set_bits(self, reached: int, known: int, groups: array[int], bits: array[int]) -> int:
        mask = bytearray(known.to_bytes(self._n_groups, "little"))
        for group, bit in zip(groups, bits, strict=True):
            mask[group] |= bit
        self[reached] = outcomes = int.from_bytes(mask, "little")
        return outcomes


class TableContributions:
    """Contributions of an ensemble of trees, from tables.

    fields: the features that have a part; masks, offsets: one for each of them, first: each group's first entry.
    """

    def __init__(self, header: dict[str, Any], body: memoryview) -> None:
        self.base_value = float(header["base_value"])
        self.n_features, self.fields = int(header["features"]), header["fields"]
        self.step, self.offsets = float(header["step"]), header["offsets"]
        ends = list(accumulate(header["entries"], initial=0))
        self.n_groups = len(ends) - 1
        self.first = ends[:-1]
        counts, table_size = header["outcomes"], 4 * len(self.fields) * ends[-1]
        total = sum(counts)
        if len(body) != 10 * total + table_size or not len(counts) == len(self.fields) == len(self.offsets):
            raise ValueError("its size isn't what its header says")
        self.masks = list(_read_masks(self.n_groups, counts, body[: 10 * total]))
        self.table = body[10 * total :]
        self._entries = _Entries(self.table, 4 * len(self.fields))

    def of(self, vector: Sequence[float]) -> list[float]:
        """Each feature's contribution to one row's margin; floats in the contract's order, NaN = missing."""
        if len(vector) != self.n_features:
            raise ValueError(f"the model takes {self.n_features} features, the row has {len(vector)}")
        row, outcomes = array("f", vector), 0
        for feature, masks in zip(self.fields, self.masks, strict=True):
            value = row[feature]
            outcomes |= masks[-1 if math.isnan(value) else bisect_right(masks.thresholds, value)]
        patterns = outcomes.to_bytes(self.n_groups, "little")
        total = sum(map(self._entries.__getitem__, map(add, self.first, patterns)))
        sums = array("I", total.to_bytes(4 * len(self.fields), "little"))
        found = [0.0] * self.n_features
        for feature, offset, units in zip(self.fields, self.offsets, sums, strict=True):
            found[feature] = offset + self.step * units
        return found


class LinearContributions:
    """Contributions of a linear model: coefficient times distance from the training mean."""

    def __init__(self, header: dict[str, Any], _body: memoryview) -> None:
        self.base_value = float(header["base_value"])
        self._slopes, self._reference = header["slopes"], header["reference"]

    def of(self, vector: Sequence[float]) -> list[float]:
        """Each feature's contribution to one row's margin; floats in the contract's order."""
        return [s * (x - r) for s, x, r in zip(self._slopes, vector, self._reference, strict=True)]


def _read_masks(n_groups: int, counts: Sequence[int], body: memoryview) -> Iterator[_Masks]:
    """The columns threshold, group, bit, bit where missing; cut by feature."""
    total = sum(counts)
    columns: tuple[array[Any], ...] = (array("f"), array("I"), array("B"), array("B"))
    for column, start, end in zip(columns, (0, 4, 8, 9), (4, 8, 9, 10), strict=True):
        column.frombytes(body[start * total : end * total])
    if max(columns[1], default=-1) >= n_groups:
        raise ValueError("an outcome belongs to no group")
    start = 0
    for count in counts:
        thresholds, groups, bits, missing_bits = (column[start : start + count] for column in columns)
        yield _Masks(n_groups, thresholds, groups, bits, missing_bits)
        start += count


def _leaves(header: dict[str, Any], body: memoryview) -> Any:
    from riskscore.twin.treeshap import LeafContributions, read

    return LeafContributions(read(header, body))


def _scorecard(header: dict[str, Any], _body: memoryview) -> Any:
    from riskscore.twin.scorecard import scorecard_of

    return scorecard_of(header["card"])


_KINDS = {"tables": TableContributions, "linear": LinearContributions, "leaves": _leaves, "scorecard": _scorecard}


def load(table: bytes) -> Any:
    """An object with `.base_value` and `.of(vector)` from what `contribution_tables.prepare` returned."""
    if not table.startswith(MAGIC):
        raise ArtefactRefused("the contributions file is broken: it doesn't begin as one of this version does")
    try:
        start = len(MAGIC) + 4
        (size,) = struct.unpack_from("<I", table, len(MAGIC))
        header = json.loads(table[start : start + size])
        return _KINDS[header["kind"]](header, memoryview(table)[start + size :])
    except (LookupError, TypeError, ValueError, OverflowError, struct.error) as error:
        raise ArtefactRefused(f"the contributions file is broken: {type(error).__name__}: {error}") from error
