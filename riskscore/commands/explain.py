"""Explains the score of an event: its answer, reasons with codes, contributions, and what would have changed it."""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riskscore.cli import DATA_FAULTS, DONE, ROOT, parsed, require_model
from riskscore.errors import InvalidFile
from riskscore.scoring.engine import Engine
from riskscore.scoring.events import OPTIONS, rows_of
from riskscore.scoring.pipeline import CHANGE
from riskscore.serving.deployment import Deployment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from riskscore.scoring.model import Model
    from riskscore.scoring.pipeline import Batch

MOST_ROWS = 100  # a person reads them


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Print the explanation; 3 where a row can't be scored."""
    options = parsed(_parser(), arguments)
    deployment = Deployment(environ, str(ROOT))
    if options.model:
        require_model(options.model, deployment.names(), "the model folder", environ)
    engine = Engine(deployment.find, deployment.default_model, deployment.look_up, fields=deployment.fields)
    items, shared, _ = rows_of(_event(options.event))
    if len(items) > MOST_ROWS:
        raise InvalidFile(f"the event has {len(items):,} rows; at most {MOST_ROWS} are explained at once")
    shared |= {"model": options.model} if options.model else {}
    items = [_without_options(item, options) for item in items]
    found = engine.score_batches(items, {**shared, OPTIONS[0]: True, CHANGE: options.change}, row_by_row=True)
    answers = found.answers()
    explained = {place: lines for batch in found.batches for place, lines in _explained(batch)}
    for place, answer in enumerate(answers):
        title = [f"row {place + 1}"] if len(answers) > 1 else []
        print("\n".join([*title, *(explained[place] if place in explained else _refused(answer))]))
    return DATA_FAULTS if any(answer["outcome"] == "invalid" for answer in answers) else DONE


def _event(path: Path) -> Any:
    text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8-sig")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidFile(f"{path} is not JSON") from None


def _without_options(item: Any, options: argparse.Namespace) -> Any:
    """A row whose own model and options give way to the command's, where it brings its features in an object."""
    if not isinstance(item, dict):
        return item
    dropped = {"reasons", *(OPTIONS if "features" in item else ()), *(("model",) if options.model else ())}
    return {key: value for key, value in item.items() if key not in dropped}


def _refused(answer: Mapping[str, Any]) -> list[str]:
    return [f"invalid    {answer['error']['message']}"]


def _explained(batch: Batch) -> Iterator[tuple[int, list[str]]]:
    """(place in the event, lines) of each row that was scored."""
    scored = iter(zip(batch.vectors, batch.margins, strict=True))
    for k, place in enumerate(batch.places):
        if k not in batch.refused:
            vector, margin = next(scored)
            yield place, [*_lines(batch.model, vector, margin, batch.answers[k])]


def _lines(model: Model, vector: list[float], margin: float, answer: Mapping[str, Any]) -> Iterator[str]:
    yield f"model      {model.name} {model.artefact.version}, by the {answer['engine']}"
    yield (
        f"answer     {answer['outcome']}, probability {answer['probability']:.6g}, prediction {answer['prediction']}"
        f" (1 from {model.threshold:g} on), {answer['points']} points"
    )
    for warning in answer["warnings"]:
        yield f"warning    {warning['text']}"
    (parts,) = model.contributions([vector], [margin])
    if not parts:
        yield "reasons    none: nothing explains this model's scores"
    else:
        yield from _reasons(model, vector, parts)
        yield from _contributions(model, parts, margin)
    if CHANGE in answer:
        yield from _changes(model, vector, answer[CHANGE])


def _reasons(model: Model, vector: list[float], parts: Sequence[float]) -> Iterator[str]:
    said, other = model.reasons.split(vector, parts)
    yield "reasons" if said else "reasons    none: nothing raised the score in a direction that can be a reason"
    for total, k, text in said:
        wording = model.reasons.wordings[k]
        yield f"  {wording.code:<8} {total:+.4f}  {text} ({wording.name})"
    if other:
        yield f"  other    {other:+.4f}  raised the score and is no reason: against its direction, or too small a share"


def _contributions(model: Model, parts: Sequence[float], margin: float) -> Iterator[str]:
    width = max(map(len, model.contract.names))
    yield "contributions, in log-odds; with the base value they add up to the margin"
    yield f"  {'base value':<{width}}  {margin - math.fsum(parts):+.4f}"
    ranked = sorted(zip(parts, model.contract.names, strict=True), key=lambda pair: -abs(pair[0]))
    yield from (f"  {name:<{width}}  {part:+.4f}" for part, name in ranked if part)
    yield f"  {'margin':<{width}}  {margin:+.4f}"


def _changes(model: Model, vector: list[float], change: Mapping[str, Any]) -> Iterator[str]:
    yield f"change     {change['text']}"
    features = dict(zip(model.contract.names, zip(model.contract.features, vector, strict=True), strict=True))
    for number, option in enumerate(change["alternatives"], 1):
        entries = [*option["features"], *option["follows"]]
        to = {entry["feature"]: float(entry["to"]) for entry in entries}
        (margin,) = model.margins([[to.get(name, old) for name, (_, old) in features.items()]], "joblib")
        agree = "both engines agree" if margin < model.changes().limit else "the joblib engine DISAGREES"
        yield f"  {number}. probability {option['probability']:.6g}, distance {option['distance']:.4f}; {agree}"
        for entry in entries:
            feature, old = features[entry["feature"]]
            follows = "  (follows)" if entry in option["follows"] else ""
            yield f"     {feature.name} {_shown(feature.value(old))} -> {_shown(entry['to'])}{follows}"


def _shown(value: Any) -> str:
    return f"{value:,.10g}" if type(value) is float else str(value)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("event", type=Path, metavar="EVENT", help="a JSON file as the function takes it, or -")
    parser.add_argument("--model", metavar="NAME", help="explain by this model (default: the event's)")
    parser.add_argument("--change", action="store_true", help="also say what would have changed an adverse answer")
    return parser
