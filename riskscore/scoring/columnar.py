"""Many rows of one shape, read a column at a time: what each would be read as alone, in a third of the time.

Where any of them needs a closer look (a text where a number stands, a missing value, a key more), all are read one by
one instead, by events.py and the contract: here nothing is refused and nothing explained.
"""

from __future__ import annotations

from riskscore.errors import CallerFault
from riskscore.scoring.events import MAX_ID, Shape, is_date

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from riskscore.artefact.artefact import Artefact

    Columns = tuple[dict[str, list[str]], Any]  # the rows' ids by name; float64 (n, features)


def columns_of(
    items: Sequence[Any], artefact: Artefact, on_matrix: Callable[[Any], object] = lambda _: None
) -> Columns | None:
    """The rows' ids and their features' matrix; None where they aren't alike, or not all of them plainly sound.

    on_matrix: given the matrix before it is known for certain whether that is so, for what may be done in vain.
    """
    if set(map(type, items)) != {dict} or len(set(map(tuple, items))) != 1:
        return None
    try:
        shape = Shape(items[0], artefact)
    except CallerFault:
        return None
    if shape.observed or shape.options or "model" in items[0] or "reasons" in items[0]:
        return None
    features: Sequence[Any] = [item["features"] for item in items] if shape.nested else []
    if set(map(type, features)) != {dict} or any(map(shape.holds_label, items[:1])):
        return None
    matrix = artefact.contract.matrix(features, on_matrix)
    ids = {name: [item[name] for item in items] for name in shape.ids}
    return None if matrix is None or not all(map(_are_ids, ids, ids.values())) else (ids, matrix)


def ids_of_rows(ids: Mapping[str, list[str]], count: int) -> list[dict[str, str]]:
    """Each row's ids by name."""
    if not ids:
        return [{} for _ in range(count)]
    names = tuple(ids)
    return [dict(zip(names, values)) for values in zip(*ids.values())]  # noqa: B905 - a third slower if strict


def _are_ids(name: str, values: list[Any]) -> bool:
    """Whether each is a short printable text, and the day one of the calendar."""
    if set(map(type, values)) != {str} or not all(map(str.isprintable, values)):
        return False
    lengths = set(map(len, values))
    return min(lengths) > 0 and max(lengths) <= MAX_ID and (name != "snapshot_date" or all(map(is_date, set(values))))
