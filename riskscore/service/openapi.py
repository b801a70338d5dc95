"""The service's OpenAPI document, made from the models' contracts, with examples that score."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from riskscore.contract.fast_path import FLOAT32_MAX
from riskscore.errors import ArtefactRefused
from riskscore.scoring.events import MAX_ID, MAX_ROWS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from riskscore.artefact.artefact import Artefact
    from riskscore.contract.feature import Feature
    from riskscore.scoring.model import Model
    from riskscore.serving.model_info import ModelInfo

KINDS = {"number": "number", "integer": "integer", "boolean": "boolean", "category": "string"}
NUMERIC = ("number", "integer")

ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["type", "message"],
            "properties": {
                "type": {"type": "string", "description": "stable, for programs"},
                "message": {"type": "string", "description": "one sentence for people"},
                "field": {"type": ["string", "null"], "description": "the field that it is about"},
            },
        }
    },
}

REFUSALS = {
    "400": "not JSON, or not an event",
    "401": "an API key is required, and no known key was sent",
    "403": "sent by another site's page",
    "404": "unknown model, customer or path",
    "405": "this path takes another method",
    "408": "the body didn't come in time",
    "409": "this request id was used for other content",
    "413": f"the body is too large, or it has more than {MAX_ROWS:,} rows",
    "415": "the body is neither application/json nor text/csv",
    "421": "the request names a host that this service doesn't serve",
    "422": "the row breaks the contract; `error` says where",
    "431": "the headers are too large",
    "500": "an internal error",
    "503": "not ready, too busy, the database or the ledger is out of reach, or the request took too long",
}
READING = ("401", "404", "421", "431", "503")
WRITING = tuple(code for code in REFUSALS if code != "405")


def document(model_info: ModelInfo) -> dict[str, Any]:
    """The whole document: /predict as the default model takes it, and a path of its own for each model."""
    schemas = {"Error": ERROR, "Answer": ANSWER}
    paths: dict[str, Any] = {}
    for model in served(model_info):
        schemas[model.name] = row_schema(model.artefact)
        examples = model_info.examples(model)
        if model.name == model_info.default_model:
            paths["/predict"] = {"post": _predict(model.artefact, examples, "predict")}
        paths[f"/models/{model.name}/predict"] = {"post": _predict(model.artefact, examples, f"predict_{model.name}")}
        contract = _get(f"The contract of {model.name}", f"contract_{model.name}", READING)
        paths[f"/models/{model.name}"] = {"get": contract}
    paths["/models"] = {"get": _get("The models", "models", READING)}
    paths["/health"] = {"get": _get("Whether the process answers", "health", ())}
    paths["/ready"] = {"get": _get("Whether the models are verified and loaded", "ready", ("503",))}
    paths["/metrics"] = {"get": _get("Counters for Prometheus", "metrics", ("401",), "text/plain")}
    return {
        "openapi": "3.1.0",
        "info": {"title": "riskscore", "version": "1", "description": "Scores, with their reasons, by checked models."},
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": SECURITY},
        "security": [{}, {"key": []}, {"bearer": []}],
    }


def served(model_info: ModelInfo) -> list[Model]:
    """The models that can be used, the default one first; a refused one is named by /models, with the reason."""
    found = []
    for name in sorted(model_info.names(), key=lambda name: name != model_info.default_model):
        try:
            found.append(model_info.find(name))
        except ArtefactRefused:
            continue
    return found


SECURITY = {
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "bearer": {"type": "http", "scheme": "bearer"},
}

ANSWER: dict[str, Any] = {
    "type": "object",
    "description": "One row's answer. Clients of a model may have asked for other names of the fields.",
    "properties": {
        "outcome": {"enum": ["scored", "refer", "invalid"]},
        "probability": {"type": "number", "minimum": 0, "maximum": 1},
        "prediction": {"enum": [0, 1]},
        "points": {"type": "integer"},
        "reasons": {"type": "array", "items": {"type": "object"}},
        "warnings": {"type": "array", "items": {"type": "object"}},
        "change": {"type": "object", "description": "where it was asked for: what would have changed the answer"},
        "model": {"type": "string"},
        "model_version": {"type": "string"},
        "engine": {"enum": ["twin", "joblib"]},
    },
}


def feature_schema(feature: Feature) -> dict[str, Any]:
    """One feature as JSON Schema: type, limits, values, unit and training range in words."""
    if feature.type == "category" and feature.parse == "strict" and feature.unknown == "refuse":
        known = [*feature.values, *feature.aliases, *feature.missing, *([None] if feature.nullable else [])]
        return {"enum": list(dict.fromkeys(known)), "description": described(feature)}
    texts = feature.parse == "text" or any(isinstance(code, str) for code in feature.missing)
    kinds = [KINDS[feature.type], *(["string"] if texts else []), *(["null"] if feature.nullable else [])]
    kinds = list(dict.fromkeys(kinds))
    schema: dict[str, Any] = {"type": kinds if len(kinds) > 1 else kinds[0], "description": described(feature)}
    if feature.type in NUMERIC and not feature.missing:
        schema |= {"minimum": feature.minimum, "maximum": feature.maximum}
    return schema


def described(feature: Feature) -> str:
    """The feature's description, unit, limits and training range in one sentence."""
    values = f"one of {', '.join(feature.values)}" if feature.values else ""
    parts = [feature.description, feature.unit, limits(feature), values]
    if feature.support and feature.type in NUMERIC:
        low, high = feature.support["minimum"], feature.support["maximum"]
        parts.append(f"training range {plain(low)} to {plain(high)}")
    return "; ".join(part for part in parts if part)


def limits(feature: Feature) -> str:
    """The hard limits in a few words, "" where any number is taken."""
    low = feature.minimum > -FLOAT32_MAX and feature.type in NUMERIC
    high = feature.maximum < FLOAT32_MAX and feature.type in NUMERIC
    if low and high:
        return f"{plain(feature.minimum)} to {plain(feature.maximum)}"
    return f"{plain(feature.minimum)} or more" if low else f"{plain(feature.maximum)} or less" if high else ""


def plain(number: float) -> str:
    """A number as people write it: 116,000, 0.05 and 0.0000883."""
    return f"{number:,.0f}" if float(number).is_integer() else f"{Decimal(f'{number:.6g}'):,f}"


def row_schema(artefact: Artefact) -> dict[str, Any]:
    """A row with its features in an object; flat rows and rows of keys only are for those who read the README."""
    features = artefact.contract.features
    manifest = artefact.manifest
    counts = {name: {"type": "integer", "minimum": 0, "description": text} for name, text in _observed(manifest)}
    return {
        "type": "object",
        "description": manifest.get("description", artefact.name),
        "required": ["features"],
        "additionalProperties": False,
        "properties": {
            **{name: _id_schema(name) for name in manifest["ids"]},
            "features": {
                "type": "object",
                "required": list(artefact.contract.required),
                "additionalProperties": False,
                "properties": {feature.name: feature_schema(feature) for feature in features},
            },
            **counts,
            "model": {"const": artefact.name},
            "reasons": {"type": "integer", "minimum": 0, "maximum": len(features), "description": "how many at most"},
            "reason_codes": {"type": "boolean", "description": "whether each reason has its code"},
            "change": {"type": "boolean", "description": "whether to say what would have changed an adverse answer"},
        },
    }


def _observed(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    observations: Mapping[str, str] = manifest["observations"]
    return list(observations.items())


def _id_schema(name: str) -> dict[str, Any]:
    dated = {"format": "date"} if name == "snapshot_date" else {}
    return {"type": "string", "minLength": 1, "maxLength": MAX_ID, **dated}


def _predict(artefact: Artefact, events: Mapping[str, Any], operation: str) -> dict[str, Any]:
    row = {"$ref": f"#/components/schemas/{artefact.name}"}
    rows = {"type": "array", "items": row, "minItems": 1, "maxItems": MAX_ROWS}
    examples = {name: {"value": event} for name, event in events.items()}
    examples["several rows"] = {"value": list(events.values())}
    header = ",".join([*artefact.manifest["ids"], *artefact.contract.names])
    return {
        "operationId": operation,
        "summary": f"Score one row, or 1 to {MAX_ROWS:,}, by {artefact.name}",
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"anyOf": [row, rows]}, "examples": examples},
                "text/csv": {"schema": {"type": "string", "description": f"columns {header}, in any order"}},
            },
        },
        "responses": {"200": _scored(), **_refused(WRITING)},
    }


def _scored() -> dict[str, Any]:
    answer = {"$ref": "#/components/schemas/Answer"}
    content = {
        "application/json": {"schema": {"anyOf": [answer, {"type": "array", "items": answer}]}},
        "text/csv": {"schema": {"type": "string"}},
    }
    return {"description": "the answer, or the answers in the rows' order", "content": content}


def _get(summary: str, operation: str, refusals: Sequence[str], media: str = "application/json") -> dict[str, Any]:
    schema = {"type": "string"} if media == "text/plain" else {}
    found = {"description": summary, "content": {media: {"schema": schema}}}
    return {"operationId": operation, "summary": summary, "responses": {"200": found, **_refused(refusals)}}


def _refused(codes: Sequence[str]) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {code: {"description": REFUSALS[code], "content": content} for code in codes}
