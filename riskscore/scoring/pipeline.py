"""The line of an event: parse, fetch, check, predict, judge, explain, word, respond, record.

Parsing sorts an event's rows into a batch for each model. A batch goes through STEPS: a step works on all of its rows
at once, adds what it found out as a column beside them, and gives the batch on. Many rows of one shape come as columns
from the start and take the same steps. Nothing is opened or kept here: the engine brings what a step needs.
"""

from __future__ import annotations

from riskscore.contract.contract import PREDICTED
from riskscore.errors import CallerFault, DataFault, OutOfRange
from riskscore.scoring.events import OPTIONS, Refused, Row, model_name, parse_rows
from riskscore.scoring.outcome import SCREEN_ROWS, matrix_of
from riskscore.twin.trees import logistic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from concurrent.futures import Future
    from typing import Any

    from riskscore.database.features import FeatureRow
    from riskscore.scoring.model import Model

    Choose = Callable[[Mapping[str, Any]], str]  # the model of a row that names none
    LookUp = Callable[[Model, Sequence[Mapping[str, str]]], Sequence[FeatureRow | CallerFault]]

CHANGE = "change"  # the option, and the field that it adds to an answer
MOST_CHANGES = 100  # rows of an event that may ask for it: each takes milliseconds
REASONS = 4  # given where the event doesn't say how many
MANY_ROWS = 1_000  # a longer list gets reasons only when it asks: they would outgrow what Lambda can answer


class Batch:
    """Rows of one model under way, and a column for each thing that the steps found out about them.

    places: where the rows stand in the event. rows: as they were fetched, a Refused where there is nothing to score;
    empty where they came as columns. vectors, observations, ids, counts (of reasons), asked (options), margins,
    outcomes, explanations: of the rows that can be scored, in their order; vectors has shape (n, features), NaN for a
    missing value. table: the same as a matrix where that pays. answers: of all rows, in the engine's fields.
    """

    __slots__ = (
        *("answers", "asked", "counts", "engine", "explanations", "ids", "look_up", "margins", "model", "observations"),
        *("outcomes", "places", "predicting", "refused", "rows", "table", "vectors"),
    )

    def __init__(self, model: Model, places: Sequence[int], rows: Sequence[Row | Refused], look_up: LookUp) -> None:
        self.model = model
        self.places = places
        self.rows = rows
        self.look_up = look_up
        self.refused: dict[int, Refused] = {}
        self.vectors: Any = None
        self.table: Any = None
        self.observations: Sequence[Mapping[str, int]] = ()
        self.ids: Iterable[Mapping[str, str]] = ()
        self.counts: Sequence[int] = ()
        self.asked: Sequence[Collection[str]] = ()
        self.engine = ""
        self.predicting: Future[list[float]] | None = None  # where another thread computes the margins already
        self.margins: list[float] = []
        self.outcomes: Sequence[tuple[str, list[Any]]] = ()
        self.explanations: Iterable[list[Any]] = ()
        self.answers: list[dict[str, Any]] = []


class Parsed:
    """An event's rows, sorted into a batch for each model; refused: those that are for none, by their place."""

    __slots__ = ("batches", "refused", "size")

    def __init__(self, size: int, batches: list[Batch], refused: dict[int, Refused]) -> None:
        self.size = size
        self.batches = batches
        self.refused = refused

    def answers(self) -> list[dict[str, Any]]:
        """The answers in the order of the event's rows, once every batch has come through the steps."""
        if len(self.batches) == 1 and not self.refused:
            return self.batches[0].answers
        found: list[Any] = [None] * self.size
        for place, refused in self.refused.items():
            found[place] = refused.answer()
        for batch in self.batches:
            for place, answer in zip(batch.places, batch.answers, strict=True):
                found[place] = answer
        return found


def parse(
    items: Sequence[Any],
    shared: Mapping[str, Any],
    choose: Choose,
    find: Callable[[str], Model],
    look_up: LookUp,
    row_by_row: bool = False,
) -> Parsed:
    """Sort the rows into batches. shared: model and reasons where they hold for all rows.

    row_by_row: whoever keeps the rows wants each of them as it came, so that none may come as columns.
    """
    if len(items) > MANY_ROWS and not row_by_row and (columns := _columns(items, shared, choose, find, look_up)):
        return Parsed(len(items), [columns], {})
    rows = parse_rows(items, shared, choose, lambda name: find(name).artefact)
    places: dict[str, list[int]] = {}
    for k, row in enumerate(rows):
        if isinstance(row, Row):
            places.setdefault(row.model, []).append(k)
    batches = [Batch(find(name), found, [rows[k] for k in found], look_up) for name, found in places.items()]
    return Parsed(len(rows), batches, {k: row for k, row in enumerate(rows) if isinstance(row, Refused)})


def _columns(
    items: Sequence[Any], shared: Mapping[str, Any], choose: Choose, find: Callable[[str], Model], look_up: LookUp
) -> Batch | None:
    """The rows as columns where all are plainly sound, of one shape and without reasons; else None.

    The margins are begun before that is known for sure: XGBoost lets go of the interpreter meanwhile.
    """
    reasons = shared.get("reasons")
    plain = not reasons and type(reasons) in (int, type(None)) and not any(name in shared for name in OPTIONS)
    if not isinstance(items[0], dict) or not plain:
        return None
    try:
        model = find(model_name(shared["model"]) if "model" in shared else choose(items[0]))
    except CallerFault:
        return None
    engine = model.engine_for(len(items))
    if engine != "joblib":
        return None
    from concurrent.futures import ThreadPoolExecutor

    from riskscore.scoring.columnar import columns_of, ids_of_rows

    thread, begun = ThreadPoolExecutor(1), []
    found = columns_of(items, model.artefact, lambda matrix: begun.append(thread.submit(model.margins, matrix, engine)))
    thread.shutdown(wait=found is None)
    if found is None:
        return None
    batch = Batch(model, range(len(items)), (), look_up)
    batch.engine, batch.predicting = engine, begun[0]
    batch.vectors = batch.table = found[1]
    batch.observations = [{}] * len(items)
    batch.ids = ids_of_rows(found[0], len(items))
    return batch


def fetch(batch: Batch) -> Batch:
    """Give rows that name only keys their features, all of them looked up at once."""
    wanted = [row.ids for row in batch.rows if isinstance(row, Row) and row.features is None]
    if wanted:
        found = iter(batch.look_up(batch.model, wanted))
        batch.rows = [
            _fetched(row, next(found)) if isinstance(row, Row) and row.features is None else row for row in batch.rows
        ]
    return batch


def _fetched(row: Row, found: FeatureRow | CallerFault) -> Row | Refused:
    if isinstance(found, CallerFault):
        return Refused(found, row.ids, row.model)
    if found.fault:
        return Refused(DataFault(f"the stored transactions can't be read: {found.fault}"), found.ids, row.model)
    return Row(row.model, found.ids, found.features, found.observations, row.reasons, row.options)


def check(batch: Batch) -> Batch:
    """Hold the rows to the contract: a vector of each, or why it has none."""
    if batch.vectors is not None:  # columns were checked as they were read
        return batch
    vectors, sound = [], []
    memo: dict[Any, Any] = {}
    changes = sum(isinstance(row, Row) and CHANGE in row.options for row in batch.rows)
    for k, row in enumerate(batch.rows):
        found = row if isinstance(row, Refused) else _vector(batch.model, row, memo, changes)
        if isinstance(found, Refused):
            batch.refused[k] = found
        else:
            vectors.append(found)
            sound.append(row)
    default = min(REASONS, len(batch.model.contract.names)) if len(batch.rows) <= MANY_ROWS else 0
    batch.vectors, batch.ids = vectors, [row.ids for row in sound]
    batch.observations = [row.observations for row in sound]  # type: ignore[union-attr]
    batch.counts = [default if row.reasons is None else row.reasons for row in sound]  # type: ignore[union-attr]
    batch.asked = [row.options for row in sound]  # type: ignore[union-attr]
    return batch


def _vector(model: Model, row: Row, memo: dict[Any, Any], changes: int) -> list[float] | Refused:
    """memo: what the rows of a request share, so that a mistake of all of them is looked at once.

    changes: how many rows ask for what would have changed their answers.
    """
    try:
        if changes > MOST_CHANGES and CHANGE in row.options:
            raise OutOfRange(f"at most {MOST_CHANGES} rows of an event may ask for change", CHANGE)
        if row.reasons is not None and row.reasons > len(model.contract.names):
            raise OutOfRange(f"reasons must be at most {len(model.contract.names)}", "reasons")
        return model.contract.vector(row.features or {}, memo)
    except CallerFault as error:
        return Refused(error, row.ids, row.model)


def predict(batch: Batch) -> Batch:
    """Compute the margins (log-odds) by one of the model's engines, which the number of rows decides.

    Where another thread does so already, nothing waits before the margins are needed.
    """
    if batch.predicting is None and batch.vectors:
        batch.engine = batch.engine or batch.model.engine_for(len(batch.vectors))
        many = batch.engine == "joblib" and len(batch.vectors) >= SCREEN_ROWS
        batch.table = matrix_of(batch.vectors) if many else batch.vectors
        batch.margins = batch.model.margins(batch.table, batch.engine)
    return batch


def judge(batch: Batch) -> Batch:
    """Decide for each row whether its score stands or needs manual review, and which warnings say why."""
    if len(batch.vectors):
        batch.outcomes = batch.model.rules.judge(batch.vectors, batch.observations, batch.table)
    return batch


def explain(batch: Batch) -> Batch:
    """Find the reasons that raised each score, as many as its row asks for."""
    if batch.predicting is not None:
        batch.margins = batch.predicting.result()
    if any(batch.counts):
        parts = batch.model.contributions(batch.vectors, batch.margins)
        codes = ["reason_codes" in options for options in batch.asked]
        batch.explanations = map(batch.model.reasons.top, batch.vectors, parts, batch.counts, codes)
    else:
        batch.explanations = ([] for _ in batch.margins)
    return batch


def word(batch: Batch) -> Batch:
    """Put each row's answer together, in the engine's own fields."""
    answers = _answers(batch) if batch.margins else []
    if any(CHANGE in options for options in batch.asked):
        answers = _with_changes(batch, answers)
    if batch.refused:
        remaining = iter(answers)
        answers = [batch.refused[k].answer() if k in batch.refused else next(remaining) for k in range(len(batch.rows))]
    batch.answers = answers
    return batch


def _with_changes(batch: Batch, answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The answers, with what would have changed it where that was asked for."""
    rows = zip(answers, batch.asked, batch.vectors, batch.margins, batch.outcomes, strict=True)
    return [
        {**answer, CHANGE: batch.model.changes().of(vector, margin, outcome)} if CHANGE in options else answer
        for answer, options, vector, margin, (outcome, _) in rows
    ]


def _answers(batch: Batch) -> list[dict[str, Any]]:
    model, engine = batch.model, batch.engine
    threshold, name, version = model.threshold, model.name, model.artefact.version
    log_odds = [*map(model.log_odds, batch.margins)]
    probabilities = [*map(logistic, log_odds)]
    points = model.scale.points_of(log_odds)
    return [
        {
            **ids,
            "outcome": outcome,
            "probability": probability,
            "prediction": int(probability >= threshold),
            "points": scaled,
            "reasons": reasons,
            "warnings": warnings,
            "model": name,
            "model_version": version,
            "engine": engine,
        }
        for ids, probability, scaled, (outcome, warnings), reasons in zip(
            batch.ids, probabilities, points, batch.outcomes, batch.explanations, strict=True
        )
    ]


STEPS = (fetch, check, predict, judge, explain, word)


def run(batch: Batch) -> Batch:
    """Take a batch through all steps."""
    for step in STEPS:
        batch = step(batch)
    return batch


def with_predicted(answer: Mapping[str, Any]) -> dict[str, Any]:
    """A score and the probability of the class that it predicts; `probability` itself is always that of class 1."""
    probability = answer["probability"]
    return {**answer, PREDICTED: probability if answer["prediction"] else 1.0 - probability}


def respond(answer: dict[str, Any], response: Mapping[str, Any]) -> dict[str, Any]:
    """A score in the fields that its clients are bound to; an invalid row says what is wrong in the engine's."""
    if not response or answer["outcome"] == "invalid":
        return answer
    fields = response.get("fields")
    if fields and PREDICTED in fields.values():
        answer = with_predicted(answer)
    said = {theirs: answer[ours] for theirs, ours in fields.items() if ours in answer} if fields else answer
    if CHANGE in answer:  # whoever asks for it gets it
        said = {**said, CHANGE: answer[CHANGE]}
    return {**said, **response["constants"]} if "constants" in response else said


def score_again(model: Model, row: Row, engine: str | None) -> tuple[float | None, dict[str, Any], dict[str, Any]]:
    """The margin, the answer in the engine's fields and as it is sent, of a row that brings its features.

    engine: the one to score by, where the row was scored. A row that doesn't say how many reasons gets none.
    """
    asked = Row(row.model, row.ids, row.features, row.observations, row.reasons or 0, row.options)
    batch = Batch(model, [0], [asked], lambda _model, _keys: ())
    batch.engine = engine or ""
    (answer,) = run(batch).answers
    return next(iter(batch.margins), None), answer, respond(answer, model.artefact.manifest["response"])
