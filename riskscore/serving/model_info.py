"""Models as people and programs see them: what is served, and the contract of each, with examples to send.

Everything comes from the manifest; the examples are the model's event files, or else one of its golden rows, which
are synthetic.
"""

from __future__ import annotations

import json
import os

from riskscore.errors import ArtefactRefused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from riskscore.contract.feature import Feature
    from riskscore.scoring.model import Model

EXAMPLES = 4  # of a model's event files
ORDINARY = "ordinary.json"  # the event file to show first, where there is one


class ModelInfo:
    """find: the model of a name, or UnknownModel; names: those served; events: the folder with <model>/*.json."""

    def __init__(
        self, find: Callable[[str], Model], names: Callable[[], list[str]], default_model: str, events: str
    ) -> None:
        self.find = find
        self.names = names
        self.default_model = default_model
        self._events = events
        self._examples: dict[str, dict[str, Any]] = {}

    def models(self) -> dict[str, Any]:
        """Every model that is served; in place of one that is refused, why."""
        return {"models": [self._entry(name) for name in self.names()]}

    def _entry(self, name: str) -> dict[str, Any]:
        default = {"name": name, "default": name == self.default_model}
        try:
            artefact = self.find(name).artefact
        except ArtefactRefused as error:
            return default | {"error": error.answer()}
        return default | {"version": artefact.version, "description": artefact.manifest.get("description", "")}

    def model(self, name: str) -> dict[str, Any]:
        """The contract of one model: what to send, what its limits are, and how its score is read."""
        model = self.find(name)
        manifest = model.artefact.manifest
        return {
            "name": name,
            "default": name == self.default_model,
            "version": model.artefact.version,
            "manifest_sha256": model.artefact.manifest_sha256,
            "description": manifest.get("description", ""),
            "ids": manifest["ids"],
            "features": [feature_of(feature) for feature in model.contract.features],
            "observations": manifest["observations"],
            "keys_only": model.artefact.looks_up,
            "threshold": model.threshold,
            "points": manifest["points"],
            "refer": manifest["refer"],
            "response": manifest["response"],
            "engines": manifest["engines"],
            "examples": self.examples(model),
        }

    def examples(self, model: Model) -> dict[str, Any]:
        """Events that the model scores, by name."""
        if model.name not in self._examples:
            self._examples[model.name] = self._event_files(model.name) or {"golden": golden_event(model)}
        return self._examples[model.name]

    def _event_files(self, name: str) -> dict[str, Any]:
        folder = os.path.join(self._events, name)
        files = sorted(file for file in os.listdir(folder) if file.endswith(".json")) if os.path.isdir(folder) else []
        found = {}
        files.sort(key=lambda file: file != ORDINARY)
        for file in files[:EXAMPLES]:
            with open(os.path.join(folder, file), encoding="utf-8") as stream:
                found[file.removesuffix(".json")] = {**json.load(stream), "model": name}
        return found


def feature_of(feature: Feature) -> dict[str, Any]:
    """One feature with every key, null where the model sets no limit."""
    kept = feature.to_dict()
    return {
        "name": feature.name,
        "type": feature.type,
        "nullable": feature.nullable,
        "optional": feature.optional,
        "unit": feature.unit,
        "description": feature.description,
        "minimum": kept.get("minimum"),
        "maximum": kept.get("maximum"),
        "support": kept.get("support"),
        "missing": list(feature.missing),
        "values": list(feature.values),
        "aliases": feature.aliases,
        "unknown": feature.unknown,
        "parse": feature.parse,
    }


def golden_event(model: Model, place: int = 0) -> dict[str, Any]:
    """One of the model's golden rows as an event, the first where no place is given."""
    vector = model.artefact.manifest["golden"][place]["vector"]
    features = zip(model.contract.features, vector, strict=True)
    values = {feature.name: None if value is None else feature.value(value) for feature, value in features}
    return {"model": model.name, "features": values}
