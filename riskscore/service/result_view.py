"""What the page says of one answer: the score, what raised and what lowered it, and where it stands among others."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from riskscore.scoring.events import Row
from riskscore.scoring.pipeline import REASONS, score_again
from riskscore.service.card_files import band_of
from riskscore.service.forms import label_of, with_label
from riskscore.service.openapi import plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from riskscore.scoring.model import Model

BAR = 100.0  # width of the longest bar
TRY = "riskscore:try"  # the button that scores without recording; no feature has a colon in its name
BEFORE = "riskscore:before"  # the probability that the page showed when the form was sent


class Bar(NamedTuple):
    """One sentence, its part of the log-odds, and its bar's width of 100."""

    text: str
    feature: str
    contribution: str
    width: str


def has_points(model: Model) -> bool:
    """Whether the lenders' scale means something for a model's scores, and the page shows it."""
    return bool(model.artefact.manifest.get("page", {}).get("points", True))


def before_of(form: Mapping[str, str]) -> float | None:
    """The probability that the page showed before; None for none, or for what is no probability."""
    try:
        before = float(form.get(BEFORE, ""))
    except ValueError:
        return None
    return before if 0 < before < 1 else None


def result(model: Model, event: Mapping[str, Any], recorded: bool, before: float | None = None) -> dict[str, Any]:
    """What the page says of a form's event, which the contract takes. recorded: whether it was scored for good.

    Clients may be answered in fields that leave out what a person has to see: it is scored once more here.
    """
    ids = {name: event[name] for name in model.artefact.manifest["ids"] if name in event}
    row = Row(model.name, ids, event["features"], {}, min(REASONS, len(model.contract.names)))
    margin, answer, _ = score_again(model, row, None)
    points = model.artefact.manifest["points"]
    share = (answer["points"] - points["minimum"]) / (points["maximum"] - points["minimum"])
    shown = answer["points"] if has_points(model) else None
    return {
        "outcome": answer["outcome"],
        "points": shown,
        "percent": percent(answer["probability"]),
        "probability": repr(answer["probability"]),
        "share": f"{100 * min(max(share, 0.0), 1.0):.2f}",
        "scale": points,
        "above": bool(answer["prediction"]),
        "threshold": percent(model.threshold),
        "warnings": [_warning(model, warning) for warning in answer["warnings"]],
        "bars": bars([(reason["text"], reason["feature"], reason["contribution"]) for reason in answer["reasons"]]),
        "lowering": bars(lowering(model, event["features"], margin)),
        "band": band_of(model.artefact, answer["probability"] if shown is None else shown),
        "before": None if before is None else _moved(model, before, answer),
        "recorded": recorded,
        "request_id": "",
        "ids": {name: answer[name] for name in ids if name in answer},
        "version": model.artefact.version,
        "engine": answer["engine"],
    }


def lowering(model: Model, features: Mapping[str, Any], margin: float | None) -> list[tuple[str, str, float]]:
    """(sentence, feature, part of the log-odds) of what lowered the probability most.

    The sentences of reasons.toml are about what raises it; here stand the feature and its value.
    """
    if margin is None:
        return []
    vector = model.contract.vector(features)
    (parts,) = model.contributions([vector], [margin])
    found = sorted(zip(parts, model.contract.features, strict=False), key=lambda part: part[0])[:REASONS]
    return [
        (f"{label_of(feature).partition(';')[0]}: {_value(features.get(feature.name))}", feature.name, part)
        for part, feature in found
        if round(part, 3) < 0
    ]


def _value(value: Any) -> str:
    if value is None or value == "":
        return "not given"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return plain(value) if isinstance(value, (int, float)) else str(value)


def _moved(model: Model, before: float, answer: Mapping[str, Any]) -> str:
    """What a change of the form did, in a sentence."""
    was = model.scale.points(math.log(before / (1 - before)))
    moved = answer["points"] - was
    points = f"{was} points, now {answer['points']} ({moved:+d}); " if has_points(model) else ""
    return f"{points}{percent(before)}, now {percent(answer['probability'])}"


def _warning(model: Model, warning: Mapping[str, str]) -> str:
    """A warning as the page says it."""
    feature = next((feature for feature in model.contract.features if feature.name == warning["feature"]), None)
    return with_label(warning["text"], feature.name, label_of(feature), feature) if feature else warning["text"]


def percent(probability: float) -> str:
    """A probability in per cent with three digits that count: 2.54 %, 0.0312 %."""
    if not 0 < probability < 1:
        return f"{100 * probability:g} %"
    digits = max(0, 2 - math.floor(math.log10(100 * probability)))
    return f"{100 * probability:.{min(digits, 6)}f} %"


def bars(parts: Sequence[tuple[str, str, float]]) -> list[Bar]:
    """(sentence, feature, part of the log-odds) with their bars, the longest first."""
    longest = max((abs(part) for *_, part in parts), default=0.0) or 1.0
    return [
        Bar(text, feature, f"{part:+.3f}".replace("-", "\N{MINUS SIGN}"), f"{max(BAR * abs(part) / longest, 0.5):.1f}")
        for text, feature, part in parts
    ]
