"""Which model a row is for that names none: the one whose fields the row has.

That is the model which gets all of its features and nothing that it doesn't know; or else the one that knows most of
the row's names, which then says what is wrong with the row. Among several the default model is taken, or else none:
they are named, and the client has to say which.
"""

from __future__ import annotations

from riskscore.errors import AmbiguousModel, remembered
from riskscore.scoring.events import CONTROLS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

MOSTLY = 0.5  # of a row's names: a model that knows no more of them than that isn't meant


class Fields:
    """The names in a model's rows. features: those that each row has to have; known: whatever may be there."""

    __slots__ = ("features", "known")

    def __init__(self, manifest: Mapping[str, Any]) -> None:
        target = manifest["source"].get("target", "")  # the label may be there; it isn't looked at
        beside = {*manifest["ids"], *manifest["observations"], "features", *CONTROLS, *([target] if target else [])}
        self.features = frozenset(feature["name"] for feature in manifest["features"] if not feature.get("optional"))
        self.known = beside.union(feature["name"] for feature in manifest["features"])


class Dispatch:
    """Tells the models of a request's rows. Those that have the same of the names known to any model share a search."""

    __slots__ = ("_default", "_known", "_memo", "_models")

    def __init__(self, default: str, models: Mapping[str, Fields]) -> None:
        self._default = default
        self._models = models
        self._known = frozenset().union(*(fields.known for fields in models.values()))
        self._memo: dict[Any, Any] = {}

    def model_of(self, names: Iterable[str]) -> str:
        """The model of a row with these names. Raises AmbiguousModel."""
        given = frozenset(names)
        key = given & self._known, len(given)  # all that the search depends on
        found: str = remembered(self._memo, key, model_for, given, self._default, self._models)
        return found


def model_for(names: Iterable[str], default: str, models: Mapping[str, Fields]) -> str:
    """The model of a row with these names. models: those served, the default one among them. Raises AmbiguousModel."""
    given = frozenset(names)
    counts = [len(fields.known & given) for fields in models.values()]
    most = max(counts)
    nearest = [name for name, count in zip(models, counts, strict=True) if count == most > MOSTLY * len(given)]
    whole = [name for name in nearest if most == len(given) and models[name].features <= given]
    meant = whole or nearest
    if default in meant or not meant:
        return default
    if len(meant) > 1:
        listed = f"{', '.join(meant[:-1])} and {meant[-1]}"
        raise AmbiguousModel(
            f'the row names no model, and its fields are those of {listed}: name one as "model"', "model"
        )
    return meant[0]
