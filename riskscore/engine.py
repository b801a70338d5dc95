"""Score rows: fetch, check, predict, explain, answer.

The engine opens nothing itself: it is given how to find a model, and how to look features up. A row ends as
`scored`, `refer` or `invalid`, in its place; a fault of ours is raised and becomes no outcome at all.
"""

from __future__ import annotations

from riskscore.errors import CallerFault, DataFault, OutOfRange, UnknownModel
from riskscore.events import Refused, Row, parse_rows, rows_of
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
        responses = [self._response(answer) for answer in answers]
        worded = [_worded(answer, response) for answer, response in zip(answers, responses, strict=True)]
        return worded if many or responses[0].get("always_list") else worded[0]

    def score(self, items: Sequence[Any], shared: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """One answer per item, in order. shared: model and reasons where they hold for all items."""
        rows = parse_rows(items, shared or {}, self._default_model, self._artefact)
        answers: list[Any] = [row.answer() if isinstance(row, Refused) else None for row in rows]
        for name in dict.fromkeys(row.model for row in rows if isinstance(row, Row)):
            places = [k for k, row in enumerate(rows) if isinstance(row, Row) and row.model == name]
            scored = self._score_model(self._find(name), [rows[k] for k in places])  # type: ignore[misc]
            for k, answer in zip(places, scored, strict=True):
                answers[k] = answer
        return answers

    def _response(self, answer: Mapping[str, Any]) -> Mapping[str, Any]:
        """How the clients of the answer's model want it: the [response] table of its model.toml."""
        name = answer.get("model")
        try:
            response: Mapping[str, Any] = self._find(name).artefact.manifest["response"] if name else {}
        except UnknownModel:
            response = {}
        return response

    def _artefact(self, name: str) -> Any:
        return self._find(name).artefact

    def _score_model(self, model: Model, rows: Sequence[Row]) -> list[dict[str, Any]]:
        checked = self._check(model, self._fetch(model, rows))
        good = [entry for entry in checked if not isinstance(entry, Refused)]
        answers = iter(_scored(model, good, REASONS if len(rows) <= MANY_ROWS else 0))
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


def _worded(answer: dict[str, Any], response: Mapping[str, Any]) -> dict[str, Any]:
    """A score in the fields that its clients are bound to; an invalid row says what is wrong in ours."""
    fields = response.get("fields")
    if not fields or answer["outcome"] == "invalid":
        return answer
    return {theirs: answer[ours] for theirs, ours in fields.items() if ours in answer}


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


def _scored(model: Model, rows: Sequence[tuple[Row, list[float]]], reasons: int) -> list[dict[str, Any]]:
    """The answers of checked rows. reasons: how many, where a row doesn't say."""
    if not rows:
        return []
    engine = model.engine_for(len(rows))
    vectors = [vector for _, vector in rows]
    margins = model.margins(vectors, engine)
    judged = model.rules.judge(vectors, [row.observations for row, _ in rows])
    counts = [reasons if row.reasons is None else row.reasons for row, _ in rows]
    parts = model.contributions(vectors, margins) if any(counts) else [[]] * len(rows)
    explained = map(model.reasons.top, vectors, parts, counts)
    return [
        _answer(model, row, margin, engine, outcome, warnings, why)
        for (row, _), margin, (outcome, warnings), why in zip(rows, margins, judged, explained, strict=True)
    ]


def _answer(
    model: Model, row: Row, margin: float, engine: str, outcome: str, warnings: list[Any], reasons: list[Any]
) -> dict[str, Any]:
    log_odds = model.log_odds(margin)
    probability = logistic(log_odds)
    return {
        **row.ids,
        "outcome": outcome,
        "probability": probability,
        "prediction": int(probability >= model.threshold),
        "points": model.scale.points(log_odds),
        "reasons": reasons,
        "warnings": warnings,
        "model": model.name,
        "model_version": model.artefact.version,
        "engine": engine,
    }
