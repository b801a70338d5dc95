"""At training: tables that turn the exact contributions of a row into a sum of integers (see `contributions`).

A row's contributions depend on nothing but the outcomes of the splits: left or right. A *group* is a subtree and the
splits above it, at most 8 splits in all. For each of its 2^splits patterns of outcomes the sum of its leaves'
contributions is one *entry* of the table: an unsigned 32-bit number per feature, in fixed point, so that a row adds
one entry per group, all features at once. A full tree of depth 4 makes 4 groups of 32 entries.
"""

from __future__ import annotations

import json
import struct
from array import array

from riskscore.twin.contributions import MAGIC
from riskscore.twin.scorecard import Scorecard
from riskscore.twin.trees import LinearTwin, load, pack
from riskscore.twin.treeshap import Forest, forest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from riskscore.twin.treeshap import Leaf, Path

MAX_SPLITS = 8  # a pattern of outcomes has to fit in a byte
MAX_TABLE = 8 * 2**20  # bytes; every cold start reads and hashes them
FULL_SCALE = 2**32 - 1


class Group:
    """Some leaves of a tree, and the splits whose outcomes decide on their contributions."""

    def __init__(self, trees: Forest, node: int, path: Path) -> None:
        below = [n for n, _ in trees.walk(node, path) if trees.left[n]]
        self.splits = [split for split, _, _, _ in path] + below
        self.leaves: list[Leaf] = trees.leaves(node, path)

    def entries(self, fields: dict[int, int]) -> list[list[float]]:
        """Contributions per pattern of outcomes (bit k: split k goes right) and field, log-odds."""
        return [self._entry(pattern, fields) for pattern in range(2 ** len(self.splits))]

    def _entry(self, pattern: int, fields: dict[int, int]) -> list[float]:
        outcomes = {split: bool(pattern >> bit & 1) for bit, split in enumerate(self.splits)}
        entry = [0.0] * len(fields)
        for leaf in self.leaves:
            for feature, value in zip(leaf.features, leaf.contributions(leaf.agreement(outcomes)), strict=True):
                entry[fields[feature]] += value
        return entry


def prepare(document: dict[str, Any], max_table: int = MAX_TABLE) -> bytes:
    """The contributions file of a model's open file; tables of up to so many bytes, or else `leaves`."""
    twin = load(document)
    if isinstance(twin, LinearTwin):
        return _linear(document, twin)
    if isinstance(twin, Scorecard):
        return _file({"kind": "scorecard", "card": document}, b"")
    trees = forest(document)
    cut = _cheapest_cut(trees)
    used = sorted({key % twin.n_features for key, left in zip(trees.keys, trees.left, strict=True) if left})
    if cut is None or 4 * len(used) * cut[0] > max_table:
        packed = pack(twin)
        return _file({"kind": "leaves", "twin": len(packed)}, packed, trees.covers.tobytes())
    return _tables(trees, [Group(trees, node, path) for node, path in _subtrees(trees, cut[1])], used)


def kind(table: bytes) -> str:
    """What `prepare` chose: "tables", "leaves" (trees too deep for tables: exact too, but slower) or "linear"."""
    size = struct.unpack_from("<I", table, len(MAGIC))[0]
    return str(json.loads(table[len(MAGIC) + 4 :][:size])["kind"])


def _cheapest_cut(trees: Forest) -> tuple[int, set[int]] | None:
    """(entries in all, nodes whose subtree is one group), or None where a leaf lies below more than 8 splits."""
    size = len(trees.left)
    depth, inner, cost, whole = [0] * size, [0] * size, [0.0] * size, set()
    for node in range(size):
        for child in (trees.left[node], trees.right[node]):
            depth[child] = depth[node] + 1 if child else 0
    for node in reversed(range(size)):
        left, right = trees.left[node], trees.right[node]
        inner[node] = 1 + inner[left] + inner[right] if left else 0
        splits = depth[node] + inner[node]
        together = 2.0**splits if splits <= MAX_SPLITS else float("inf")
        apart = cost[left] + cost[right] if left else float("inf")
        cost[node] = min(together, apart)
        if together <= apart:
            whole.add(node)
    total = sum(cost[root] for root in trees.twin.roots)
    return None if total == float("inf") else (int(total), whole)


def _subtrees(trees: Forest, whole: set[int]) -> list[tuple[int, Path]]:
    """The topmost nodes that are one group; trees without a split contribute nothing to any feature."""
    found: list[tuple[int, Path]] = []
    open_nodes: list[tuple[int, Path]] = [(root, ()) for root in trees.twin.roots if trees.left[root]]
    while open_nodes:
        node, path = open_nodes.pop()
        if node in whole:
            found.append((node, path))
        else:
            open_nodes += trees.step(node, path)
    return found


def _tables(trees: Forest, groups: list[Group], used: list[int]) -> bytes:
    fields = {feature: field for field, feature in enumerate(used)}
    entries = [group.entries(fields) for group in groups]
    lows = [[min(column) for column in zip(*group, strict=True)] for group in entries]
    highs = [[max(column) for column in zip(*group, strict=True)] for group in entries]
    ranges = [sum(high[k] - low[k] for high, low in zip(highs, lows, strict=True)) for k in range(len(used))]
    # No sum over all groups leaves its 32 bits, roundings included, so that no field runs over into the next.
    step = max(ranges, default=0.0) / (FULL_SCALE - 2 * len(groups)) or 1.0
    table = array("I")
    for group, low in zip(entries, lows, strict=True):
        for entry in group:
            table.extend(round((value - least) / step) for value, least in zip(entry, low, strict=True))
    header = {
        "kind": "tables",
        "features": trees.twin.n_features,
        "fields": used,
        "base_value": trees.base_value(),
        "step": step,
        "offsets": [sum(low[k] for low in lows) for k in range(len(used))],
        "entries": [len(group) for group in entries],
    }
    outcomes = _outcomes(trees, groups)
    header["outcomes"] = [len(outcomes[feature]) for feature in used]
    columns = list(zip(*(record for feature in used for record in outcomes[feature]), strict=True)) or [(), (), (), ()]
    packed = [array(code, column).tobytes() for code, column in zip("fIBB", columns, strict=True)]
    return _file(header, *packed, table.tobytes())


def _outcomes(trees: Forest, groups: list[Group]) -> dict[int, list[tuple[float, int, int, int]]]:
    """Per feature, by rising threshold: (threshold, group, bit where >= threshold, bit where missing)."""
    records: dict[int, list[tuple[float, int, int, int]]] = {}
    for index, group in enumerate(groups):
        for bit, split in enumerate(group.splits):
            goes_left, feature = divmod(trees.keys[split], trees.twin.n_features)
            record = (trees.thresholds[split], index, 1 << bit, 0 if goes_left else 1 << bit)
            records.setdefault(feature, []).append(record)
    return {feature: sorted(found) for feature, found in records.items()}


def _linear(document: dict[str, Any], twin: LinearTwin) -> bytes:
    """Coefficient times distance from the training mean, `reference`; by default the mean of the standardisation."""
    reference = [float(x) for x in document.get("reference", twin.mean)]
    slopes = [c / s for c, s in zip(twin.coefficients, twin.scale, strict=True)]
    if len(reference) != twin.n_features:
        raise ValueError("reference has another length than coefficients")
    header = {"kind": "linear", "base_value": twin.margin(reference), "slopes": slopes, "reference": reference}
    return _file(header)


def _file(header: dict[str, Any], *parts: bytes) -> bytes:
    text = json.dumps(header, allow_nan=False).encode()
    text += b" " * (-(len(MAGIC) + 4 + len(text)) % 4)
    return b"".join([MAGIC, struct.pack("<I", len(text)), text, *parts])
