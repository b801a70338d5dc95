"""What the page says of a scored file: how its rows ended, where their scores lie, and which rows to look at."""

from __future__ import annotations

import base64
from collections import Counter
from typing import TYPE_CHECKING, Any

from riskscore.service.result_view import has_points, percent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from riskscore.scoring.model import Model

BINS = 20
SHOWN = 25  # rows to look at
PIECE = 900_000  # characters of a field of a form, below the one megabyte that is taken
WORDS = {"scored": "scored", "refer": "need manual review", "invalid": "could not be scored"}


def batch(model: Model, answers: Sequence[Mapping[str, Any]], rows: Sequence[Any], table: bytes) -> dict[str, Any]:
    """What batch.html shows. answers: in our fields, one for each row; table: the same as CSV."""
    counts = Counter(answer["outcome"] for answer in answers)
    scores = [answer for answer in answers if answer["outcome"] != "invalid"]
    flagged = sum(answer["prediction"] for answer in scores)
    looked_at = [(k, answer) for k, answer in enumerate(answers, 1) if answer["outcome"] != "scored"]
    encoded = base64.b64encode(table).decode()
    return {
        "rows": f"{len(answers):,}",
        "outcomes": [
            (name, WORDS[name], f"{counts[name]:,}", percent_of(counts[name], len(answers))) for name in WORDS
        ],
        "flagged": f"{flagged:,}",
        "flagged_share": percent_of(flagged, len(scores)),
        "threshold": percent(model.threshold),
        "histogram": histogram(model, scores),
        "to_look_at": [_line(model, k, answer, rows[k - 1]) for k, answer in looked_at[:SHOWN]],
        "more": f"{max(len(looked_at) - SHOWN, 0):,}",
        "pieces": [encoded[start : start + PIECE] for start in range(0, len(encoded), PIECE)],
    }


def percent_of(count: int, whole: int) -> str:
    """A share as people write it."""
    return f"{100 * count / whole:.1f} %" if whole else "-"


def histogram(model: Model, scores: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Bars of the points, or of the probabilities where the model shows no points; None without scores."""
    if not scores:
        return None
    by = "points" if has_points(model) else "probability"
    values = [score[by] for score in scores]
    low, high = min(values), max(values)
    width = (high - low) / BINS or 1.0
    counts = Counter(min(int((value - low) / width), BINS - 1) for value in values)
    tallest = max(counts.values())
    ends = (str(low), str(high)) if by == "points" else (percent(low), percent(high))
    return {
        "by": by,
        "low": ends[0],
        "high": ends[1],
        "tallest": f"{tallest:,}",
        "bars": [(100 * k / BINS, 100 / BINS - 0.6, 40 * counts[k] / tallest) for k in range(BINS)],
    }


def _line(model: Model, place: int, answer: Mapping[str, Any], row: Any) -> dict[str, str]:
    ids = [str(row[name]) for name in model.artefact.manifest["ids"] if isinstance(row, dict) and row.get(name)]
    said = answer["error"]["message"] if answer["outcome"] == "invalid" else _first(answer["warnings"])
    return {"place": f"{place:,}", "whose": ", ".join(ids) or "-", "outcome": answer["outcome"], "why": said}


def _first(warnings: Sequence[Mapping[str, str]]) -> str:
    more = f" (and {len(warnings) - 1} more)" if len(warnings) > 1 else ""
    return f"{warnings[0]['text']}{more}" if warnings else ""
