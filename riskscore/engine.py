"""Score rows: fetch, check, predict, explain, answer.

The engine opens nothing itself: it is given how to find a model, and how to look features up. A row ends as
`scored`, `refer` or `invalid`, in its place; a fault of ours is raised and becomes no outcome at all.
"""

from __future__ import annotations

from riskscore.errors import CallerFault, DataFault, OutOfRange
from riskscore.events import Refused, Row, parse_row, rows_of
from riskscore.trees import logistic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from riskscore.features import FeatureRow
    from riskscore.model import Model

    LookUp = Callable[[Model, Sequence[Mapping[str, str]]], Sequence[FeatureRow | CallerFault]]

REASONS = 4  # given where the event doesn't say how many
MANY_ROWS = 1_000  # a longer list gets reasons only when it asks: they would outgrow what Lambda can answer


class Engine:
    """Answers events. find: the model of a name, or UnknownModel; look_up: rows of features by their keys."""

    def __init__(self, find: Callable[[str], Model], default_model: str, look_up: LookUp) -> None:
        self._find = find
        self._default_model = default_model
        self._look_up = look_up

    def answer(self, event: Any) -> Any:
        """The answer to one event: an object for one row, a list of the same length and order for a list."""
        try:
            items, shared, many = rows_of(event)
        except CallerFault as error:
            return Refused(error).answer()
        answers = self.score(items, shared)
        return answers if many else answers[0]

    def score(self, items: Sequence[Any], shared: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """One answer per item, in order. shared: model and reasons where they hold for all items."""
        rows = [parse_row(item, shared or {}, self._default_model, self._artefact) for item in items]
        answers: list[Any] = [row.answer() if isinstance(row, Refused) else None for row in rows]
        for name in dict.fromkeys(row.model for row in rows if isinstance(row, Row)):
            places = [k for k, row in enumerate(rows) if isinstance(row, Row) and row.model == name]
            scored = self._score_model(self._find(name), [rows[k] for k in places])  # type: ignore[misc]
            for k, answer in zip(places, scored, strict=True):
                answers[k] = answer
        return answers

    def _artefact(self, name: str) -> Any:
        return self._find(name).artefact

    def _score_model(self, model: Model, rows: Sequence[Row]) -> list[dict[str, Any]]:
        checked = self._check(model, self._fetch(model, rows))
        good = [entry for entry in checked if not isinstance(entry, Refused)]
        engine = model.engine_for(len(good))
        vectors = [vector for _, vector in good]
        margins = model.margins(vectors, engine) if good else []
        counts = [self._reasons(row, len(rows)) for row, _ in good]
        parts: Sequence[Sequence[float]] = [()] * len(good)
        if any(counts):
            parts = model.contributions(vectors, margins)
        answers = (
            _scored(model, engine, row, vector, margin, contributions, count)
            for (row, vector), margin, contributions, count in zip(good, margins, parts, counts, strict=True)
        )
        return [entry.answer() if isinstance(entry, Refused) else next(answers) for entry in checked]

    def _fetch(self, model: Model, rows: Sequence[Row]) -> list[Row | Refused]:
        """The rows with their features, those that name only keys looked up at once."""
        wanted = [row for row in rows if row.features is None]
        if not wanted:
            return list(rows)
        found = iter(self._look_up(model, [row.ids for row in wanted]))
        return [_fetched(row, next(found)) if row.features is None else row for row in rows]

    def _check(self, model: Model, rows: Sequence[Row | Refused]) -> list[tuple[Row, list[float]] | Refused]:
        return [row if isinstance(row, Refused) else _checked(model, row) for row in rows]

    def _reasons(self, row: Row, rows: int) -> int:
        if row.reasons is not None:
            return row.reasons
        return REASONS if rows <= MANY_ROWS else 0


def _fetched(row: Row, found: FeatureRow | CallerFault) -> Row | Refused:
    if isinstance(found, CallerFault):
        return Refused(found, row.ids, row.model)
    if found.fault:
        return Refused(DataFault(f"the stored transactions can't be read: {found.fault}"), found.ids, row.model)
    return Row(row.model, found.ids, found.features, found.observations, row.reasons)


def _checked(model: Model, row: Row) -> tuple[Row, list[float]] | Refused:
    try:
        if row.reasons is not None and row.reasons > len(model.contract.names):
            raise OutOfRange(f"reasons must be at most {len(model.contract.names)}", "reasons")
        return row, model.contract.vector(row.features or {})
    except CallerFault as error:
        return Refused(error, row.ids, row.model)


def _scored(
    model: Model,
    engine: str,
    row: Row,
    vector: Sequence[float],
    margin: float,
    contributions: Sequence[float],
    reasons: int,
) -> dict[str, Any]:
    warnings = model.rules.warnings(vector, row.observations)
    probability = logistic(margin)
    return {
        **row.ids,
        "outcome": "refer" if model.rules.refers(warnings) else "scored",
        "probability": probability,
        "prediction": int(probability >= model.threshold),
        "points": model.rules.points(margin),
        "reasons": model.reasons.top(vector, contributions, reasons) if reasons else [],
        "warnings": warnings,
        "model": model.name,
        "model_version": model.artefact.version,
        "engine": engine,
    }
