"""A form made from a model's contract, and the event that a form says."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from riskscore.contract.assumed import assumed
from riskscore.errors import CallerFault, NullFeature, WrongType
from riskscore.service.openapi import NUMERIC, limits, plain
from riskscore.sources.tables import NUMBER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from riskscore.contract.feature import Feature
    from riskscore.scoring.model import Model

NEEDED_HERE = {"number": "a number", "integer": "a whole number", "boolean": "yes or no"}
LONGEST = 64  # characters of a number
TRUTHS = {"true": True, "false": False}


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
    assumed: bool = False  # asked for apart: something is taken for it where it is left empty

    @property
    def complaint(self) -> str:
        """What is wrong, as it stands below the label."""
        said = self.error.removeprefix(f"“{self.label}” ")
        return said[:1].upper() + said[1:]


def label_of(feature: Feature) -> str:
    """What people read above a feature's control."""
    label = (feature.description or feature.name.replace("_", " ")).strip()
    return label[:1].upper() + label[1:]


def with_label(message: str, name: str, label: str, feature: Feature | None = None) -> str:
    """A message about one field as the page says it: with the label for the name, and numbers as in the hints."""
    if not message.startswith(f"{name} "):
        return message
    said = message.removeprefix(f"{name} ")
    if feature is not None and feature.type in NUMERIC:
        seen = (feature.support["minimum"], feature.support["maximum"]) if feature.support else ()
        known = {f"{number:g}": plain(number) for number in (feature.minimum, feature.maximum, *seen)}
        said = " ".join(known.get(word, word) for word in said.split(" "))
    return f"“{label}” {said}"


def written(feature: Feature, value: Any) -> str:
    """A feature's JSON value as the form shows and takes it: null as nothing, true as true, 0.5 as 0,5 if need be."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if _has_comma(feature) and isinstance(value, (int, float)):
        return f"{Decimal(repr(value)):f}".replace(".", ",")
    return str(value)


def _has_comma(feature: Feature) -> bool:
    """Whether a text of this feature has a decimal comma: "1.965" is 1965 there."""
    return feature.parse == "text" and feature.unit == "decimal_comma"


def fields(model: Model, texts: Mapping[str, str], errors: Mapping[str, str]) -> tuple[list[Field], list[Field]]:
    """The fields of the ids and of the features, with what was typed and what is wrong with it."""
    named = {name: name.replace("_", " ").capitalize() for name in model.artefact.manifest["ids"]}
    ids = [
        Field(
            name,
            label,
            "Optional. A date as in 2025-09-01." if name == "snapshot_date" else "Optional. The answer repeats it.",
            texts.get(name, ""),
            error=with_label(errors.get(name, ""), name, label),
        )
        for name, label in named.items()
    ]
    rules = rules_of(model)
    features = [
        field(feature, texts.get(feature.name, ""), errors, rules.get(feature.name))
        for feature in model.contract.features
    ]
    return ids, features


def rules_of(model: Model) -> Mapping[str, Any]:
    """What is taken for features that are left empty."""
    rules: Mapping[str, Any] = model.artefact.manifest.get("page", {}).get("assumed", {})
    return rules


def field(feature: Feature, text: str, errors: Mapping[str, str], rule: Any = None) -> Field:
    """The control of one feature, made from the contract. rule: what is taken for it where it is left empty."""
    numeric = feature.type in NUMERIC
    kind = NEEDED_HERE.get(feature.type, "")
    saw = ""
    if feature.support and numeric:
        saw = f"training range {plain(feature.support['minimum'])} to {plain(feature.support['maximum'])}"
    comma = "with a decimal comma" if _has_comma(feature) else ""
    empty = "may be left empty" if feature.nullable else ""
    if rule is not None:
        empty = f"if left empty: {rule if isinstance(rule, str) else plain(rule)}"
    hint = "; ".join(filter(None, [kind, comma, limits(feature), saw, empty]))
    text = _chosen(feature, text)
    label = label_of(feature)
    return Field(
        feature.name,
        label,
        hint[:1].upper() + hint[1:] + ("." if hint else ""),
        text,
        unit="" if _has_comma(feature) else feature.unit,
        choices=_choices(feature, text),
        numeric=numeric,
        required=not feature.nullable and rule is None,
        assumed=rule is not None,
        error=with_label(errors.get(feature.name, ""), feature.name, label, feature),
    )


def _chosen(feature: Feature, text: str) -> str:
    """The entry of the list that a text stands for; the text itself where there is no list, or no such entry."""
    if feature.type == "boolean":
        return text.lower()
    place = feature.codes.get(text.strip().casefold() if feature.parse == "text" else text)
    return text if place is None else feature.values[int(place)]


def _choices(feature: Feature, text: str) -> tuple[tuple[str, str], ...]:
    """(value, label) of a list to choose from; none where a number is typed. What was sent is kept, known or not."""
    if feature.type in NUMERIC:
        return ()
    listed = {"true": "Yes", "false": "No"} if feature.type == "boolean" else {value: value for value in feature.values}
    return (("", "Choose"), *({**listed, **({} if text in ("", *listed) else {text: text})}.items()))


def event_of(model: Model, form: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """The event that a form says, and the message for each field that the contract refuses."""
    errors: dict[str, str] = {}
    features: dict[str, Any] = {}
    rules = rules_of(model)
    for feature in sorted(model.contract.features, key=lambda feature: feature.name in rules):
        try:
            text = form.get(feature.name, "").strip()
            given = text or feature.name not in rules
            features[feature.name] = value_of(feature, text) if given else assumed(rules[feature.name], features)
            feature.number(features[feature.name])
        except NullFeature:
            errors[feature.name] = f"{feature.name} must not be empty"
        except CallerFault as error:
            errors[feature.name] = error.message
    ids = {name: form[name].strip() for name in model.artefact.manifest["ids"] if form.get(name, "").strip()}
    return {**ids, "features": features, "model": model.name}, errors


def value_of(feature: Feature, text: str) -> Any:
    """The JSON value that a text of the form stands for. Raises WrongType."""
    if not text:
        return None
    if feature.type == "category" or (feature.parse == "text" and feature.type in NUMERIC):
        return text  # the contract reads it
    if feature.type == "boolean" and text in TRUTHS:
        return TRUTHS[text]
    if feature.type == "boolean" or len(text) > LONGEST or not NUMBER.fullmatch(text):
        raise WrongType(f"{feature.name} must be {NEEDED_HERE[feature.type]}", feature.name)
    return float(text) if set(text) & set(".eE") else int(text)
