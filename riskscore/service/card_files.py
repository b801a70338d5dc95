"""The card beside a served model, as far as it is of the version that is served."""

from __future__ import annotations

import json
import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from riskscore.artefact.artefact import Artefact

FIGURES, PAGE = "card.json", "card.html"


def has_card(artefact: Artefact) -> bool:
    """Whether there is one to show."""
    return bool(_figures(artefact)) and (Path(artefact.folder) / PAGE).is_file()


def card_page(artefact: Artefact) -> bytes | None:
    """card.html; None where there is none of this version."""
    return (Path(artefact.folder) / PAGE).read_bytes() if has_card(artefact) else None


def band_of(artefact: Artefact, value: float) -> dict[str, Any] | None:
    """The card's bands with the one that a score's points (or its probability) fall into; None without a card.

    rows: (its span in words, its rows, their rate of label 1, the rate's interval, whether it is the score's).
    """
    bands = _figures(artefact).get("bands")
    if not bands:
        return None
    by = bands["by"]
    rows = [
        {
            "span": _span(band, by),
            "rows": f"{band['rows']:,}",
            "rate": f"{100 * band['rate']:.1f} %",
            "interval": f"{100 * band['low']:.1f} to {100 * band['high']:.1f} %",
            "own": _above(band["begin"], value) and not _above(band["end"], value, other=False),
        }
        for band in bands["table"]
        if band["rows"]
    ]
    return {"by": by, "rows": rows, "own": next((row for row in rows if row["own"]), None)}


def _above(edge: float | None, value: float, other: bool = True) -> bool:
    """Whether a value reaches an edge; an open end is reached or not as `other` says."""
    return other if edge is None else value >= edge


def _span(band: dict[str, Any], by: str) -> str:
    words = [
        None if edge is None else f"{edge:g}" if by == "points" else f"{100 * edge:.3g} %"
        for edge in (band["begin"], band["end"])
    ]
    low, high = words
    if low is None or high is None:
        return f"below {high}" if low is None else f"{low} or more"
    return f"{low} to below {high}"


def _figures(artefact: Artefact) -> dict[str, Any]:
    try:
        path = os.path.join(artefact.folder, FIGURES)
        card = _read(path, os.stat(path).st_mtime_ns)
    except OSError:
        return {}
    return card if card.get("version") == artefact.version else {}


@lru_cache(maxsize=32)
def _read(path: str, _changed: int) -> dict[str, Any]:
    try:
        card = json.loads(Path(path).read_bytes())
    except ValueError:
        return {}
    return card if isinstance(card, dict) else {}
