"""The page for people: a form made from a model's contract, its answer, a file to score. It needs no JavaScript."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from riskscore.errors import CallerFault
from riskscore.openapi import limits, plain, served
from riskscore.tables import NUMBER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from riskscore.contract import Feature
    from riskscore.describe import Describe
    from riskscore.model import Model

FOLDER = Path(__file__).resolve().parent / "page"
SECURITY = {
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}
LONGEST = 64  # characters of a number
TRUTHS = {"true": True, "false": False}
BAR = 100.0  # width of the longest bar


class Field(NamedTuple):
    """One control of the form. name: of the form; choices: (value, label) where it is a list; error: what is wrong."""

    name: str
    label: str
    hint: str
    value: str
    unit: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    numeric: bool = False
    required: bool = False
    error: str = ""


class Bar(NamedTuple):
    """One reason: its sentence, its part of the log-odds, and its bar's width of 100."""

    text: str
    feature: str
    contribution: str
    width: str


class Page:
    """Renders the page. recent: the last scores of the ledger, newest first; none where there is no ledger."""

    def __init__(self, describe: Describe, recent: Callable[[], Sequence[Mapping[str, Any]]]) -> None:
        self._describe = describe
        self._recent = recent
        self._templates = Environment(
            loader=FileSystemLoader(FOLDER),
            autoescape=select_autoescape(["html"]),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters["plain"] = plain

    def model(self, name: str | None) -> Model:
        """The model that the page shows. Raises UnknownModel."""
        return self._describe.find(name or self._describe.default_model)

    def empty(self, model: Model) -> str:
        """The form with an example filled in."""
        example = next(iter(self._describe.examples(model).values()))
        texts = {name: example.get(name, "") for name in model.artefact.manifest["ids"]}
        texts |= {name: written(value) for name, value in example.get("features", {}).items()}
        return self.rendered(model, fields(model, texts, {}))

    def answered(self, model: Model, form: Mapping[str, str], answer: Callable[[Any], Any]) -> tuple[int, str]:
        """The status and the page for a form that was sent. answer: scores an event."""
        event, errors = event_of(model, form)
        found = None if errors else answer(event)
        if isinstance(found, list):  # as the model's clients want it
            found = found[0]
        if found is not None and found.get("outcome") == "invalid":
            errors[found["error"]["field"] or ""] = found["error"]["message"]
            found = None
        shown = None if found is None else result(model, found)
        page = self.rendered(model, fields(model, form, errors), shown, errors.get("", ""))
        return (422 if errors else 200), page

    def rendered(
        self,
        model: Model,
        entries: tuple[list[Field], list[Field]],
        shown: Mapping[str, Any] | None = None,
        error: str = "",
        upload_error: str = "",
    ) -> str:
        """The page. entries: fields of the row's ids, and of its features."""
        faulty = [field for group in entries for field in group if field.error]
        return self._templates.get_template("page.html").render(
            model=model,
            description=model.artefact.manifest.get("description", ""),
            models=[other.name for other in served(self._describe)],
            ids=entries[0],
            features=entries[1],
            result=shown,
            error=error,
            upload_error=upload_error,
            faulty=faulty,
            recent=self._recent(),
        )

    def docs(self, document: Mapping[str, Any], tried: Mapping[str, str] | None = None) -> str:
        """The OpenAPI document for people, with a form to try each model."""
        return self._templates.get_template("docs.html").render(document=document, tried=tried or {})

    def message(self, title: str, text: str) -> str:
        """A page that says one thing."""
        return self._templates.get_template("message.html").render(title=title, text=text)


def written(value: Any) -> str:
    """A JSON value as the form shows it: null as nothing, true as true."""
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def fields(model: Model, texts: Mapping[str, str], errors: Mapping[str, str]) -> tuple[list[Field], list[Field]]:
    """The fields of the ids and of the features, with what was typed and what is wrong with it."""
    ids = [
        Field(
            name,
            name.replace("_", " ").capitalize(),
            "Optional. A date as in 2025-09-01." if name == "snapshot_date" else "Optional. The answer repeats it.",
            texts.get(name, ""),
            error=errors.get(name, ""),
        )
        for name in model.artefact.manifest["ids"]
    ]
    features = [field(feature, texts.get(feature.name, ""), errors) for feature in model.contract.features]
    return ids, features


def field(feature: Feature, text: str, errors: Mapping[str, str]) -> Field:
    """The control of one feature, made from the contract."""
    numeric = feature.type != "boolean"
    kind = {"integer": "a whole number", "number": "a number"}.get(feature.type, "")
    saw = ""
    if feature.support and numeric:
        saw = f"training saw {plain(feature.support['minimum'])} to {plain(feature.support['maximum'])}"
    hint = "; ".join(filter(None, [kind, limits(feature), saw, "may be left empty" if feature.nullable else ""]))
    label = (feature.description or feature.name.replace("_", " ")).strip()
    return Field(
        feature.name,
        label[:1].upper() + label[1:],
        hint[:1].upper() + hint[1:] + ("." if hint else ""),
        text,
        unit=feature.unit,
        choices=() if numeric else (("", "Choose"), ("true", "Yes"), ("false", "No")),
        numeric=numeric,
        required=not feature.nullable,
        error=errors.get(feature.name, ""),
    )


def event_of(model: Model, form: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """The event that a form says, and the message for each field that the contract refuses."""
    errors: dict[str, str] = {}
    features: dict[str, Any] = {}
    for feature in model.contract.features:
        try:
            features[feature.name] = value_of(feature, form.get(feature.name, "").strip())
            feature.number(features[feature.name])
        except CallerFault as error:
            errors[feature.name] = error.message
    ids = {name: form[name].strip() for name in model.artefact.manifest["ids"] if form.get(name, "").strip()}
    return {**ids, "features": features, "model": model.name}, errors


def value_of(feature: Feature, text: str) -> Any:
    """The JSON value that a text of the form stands for; what is no number stays a text, for the contract to refuse."""
    if not text:
        return None
    if feature.type == "boolean":
        return TRUTHS.get(text, text)
    if len(text) > LONGEST or not NUMBER.fullmatch(text):
        return text
    return float(text) if set(text) & set(".eE") else int(text)


def result(model: Model, answer: Mapping[str, Any]) -> dict[str, Any]:
    """What the page says of an answer. Our fields are taken by name, whatever a model's clients call them."""
    ours: Mapping[str, str] = model.artefact.manifest["response"].get("fields") or {}
    said = {ours.get(name, name): value for name, value in answer.items()}
    points = model.artefact.manifest["points"]
    share = (said.get("points", points["minimum"]) - points["minimum"]) / (points["maximum"] - points["minimum"])
    return {
        "outcome": said.get("outcome", "scored"),
        "points": said.get("points"),
        "percent": _percent(said["probability"]) if "probability" in said else "",
        "share": f"{100 * min(max(share, 0.0), 1.0):.2f}",
        "scale": points,
        "above": bool(said.get("prediction", said.get("probability", 0.0) >= model.threshold)),
        "threshold": _percent(model.threshold),
        "warnings": said.get("warnings", []),
        "bars": bars(said.get("reasons", [])),
        "ids": {name: said[name] for name in model.artefact.manifest["ids"] if name in said},
        "version": model.artefact.version,
        "engine": said.get("engine", ""),
    }


def _percent(probability: float) -> str:
    """A probability in per cent with three digits that count: 2.54 %, 0.0312 %."""
    if not 0 < probability < 1:
        return f"{100 * probability:g} %"
    digits = max(0, 2 - math.floor(math.log10(100 * probability)))
    return f"{100 * probability:.{min(digits, 6)}f} %"


def bars(reasons: Sequence[Mapping[str, Any]]) -> list[Bar]:
    """The reasons with their bars, the longest first."""
    longest = max((reason["contribution"] for reason in reasons), default=0.0) or 1.0
    return [
        Bar(
            reason["text"],
            reason["feature"],
            f"+{reason['contribution']:.3f}",
            f"{max(BAR * reason['contribution'] / longest, 0.5):.1f}",
        )
        for reason in reasons
    ]
