"""From a row to its answer, once a model is at hand: check, predict, judge, explain, word.

Nothing is fetched and nothing kept here; the engine does that around it (riskscore/scoring/engine.py).
"""

from __future__ import annotations

from riskscore.contract.contract import PREDICTED
from riskscore.errors import CallerFault, OutOfRange
from riskscore.scoring.events import Refused
from riskscore.scoring.outcome import SCREEN_ROWS, matrix_of
from riskscore.twin.trees import logistic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from concurrent.futures import Future
    from typing import Any

    from riskscore.scoring.events import Row
    from riskscore.scoring.model import Model

    Checked = tuple[Row, list[float]]


def check(model: Model, row: Row, memo: dict[Any, Any] | None = None) -> Checked | Refused:
    """The row with its vector, or why it has none. memo: shared by the rows of a request."""
    try:
        if row.reasons is not None and row.reasons > len(model.contract.names):
            raise OutOfRange(f"reasons must be at most {len(model.contract.names)}", "reasons")
        return row, model.contract.vector(row.features or {}, memo)
    except CallerFault as error:
        return Refused(error, row.ids, row.model)


def score_checked(
    model: Model, rows: Sequence[Checked], counts: Sequence[int], engine: str
) -> tuple[list[float], list[dict[str, Any]]]:
    """The margins and answers of checked rows by one of the model's engines. counts: how many reasons each gets."""
    if not rows:
        return [], []
    vectors = [vector for _, vector in rows]
    table = matrix_of(vectors) if engine == "joblib" and len(rows) >= SCREEN_ROWS else vectors
    margins = model.margins(table, engine)
    judged = model.rules.judge(vectors, [row.observations for row, _ in rows], table)
    parts = model.contributions(vectors, margins) if any(counts) else [[]] * len(rows)
    explained = map(model.reasons.top, vectors, parts, counts)
    return margins, answers_of(model, [row.ids for row, _ in rows], margins, engine, judged, explained)


def score_alike(model: Model, items: Sequence[Any], engine: str) -> list[dict[str, Any]]:
    """The answers to many rows of one shape without reasons; [] where they have to be read one by one."""
    from concurrent.futures import ThreadPoolExecutor

    from riskscore.scoring.columnar import columns_of, ids_of_rows

    margins: list[Future[list[float]]] = []
    with ThreadPoolExecutor(1) as beside:  # XGBoost lets go of the interpreter while it predicts
        found = columns_of(
            items, model.artefact, lambda matrix: margins.append(beside.submit(model.margins, matrix, engine))
        )
        if found is None:
            return []
        ids, matrix = found
        judged = model.rules.judge(matrix, [{}] * len(items), matrix)
        whose = ids_of_rows(ids, len(items))
    return answers_of(model, whose, margins[0].result(), engine, judged, ([] for _ in items))


def answers_of(
    model: Model,
    ids: Iterable[Mapping[str, str]],
    margins: Iterable[float],
    engine: str,
    judged: Iterable[tuple[str, list[Any]]],
    reasons: Iterable[list[Any]],
) -> list[dict[str, Any]]:
    """An answer for each row, from its ids, its margin, its outcome with the warnings, and its reasons."""
    threshold, name, version = model.threshold, model.name, model.artefact.version
    log_odds = [*map(model.log_odds, margins)]
    probabilities = [*map(logistic, log_odds)]
    points = model.scale.points_of(log_odds)
    return [
        {
            **whose,
            "outcome": outcome,
            "probability": probability,
            "prediction": int(probability >= threshold),
            "points": scaled,
            "reasons": why,
            "warnings": warnings,
            "model": name,
            "model_version": version,
            "engine": engine,
        }
        for whose, probability, scaled, (outcome, warnings), why in zip(
            ids, probabilities, points, judged, reasons, strict=True
        )
    ]


def score_again(model: Model, row: Row, engine: str | None) -> tuple[float | None, dict[str, Any], dict[str, Any]]:
    """The margin, the answer in our fields and as it is sent, of a row that brings its features.

    engine: the one to score by, where the row was scored.
    """
    found = check(model, row)
    margin = None
    if isinstance(found, Refused):
        answer = found.answer()
    else:
        (margin,), (answer,) = score_checked(model, [found], [row.reasons or 0], engine or model.engine_for(1))
    return margin, answer, worded(answer, model.artefact.manifest["response"])


def with_predicted(answer: Mapping[str, Any]) -> dict[str, Any]:
    """A score and the probability of the class that it predicts; `probability` itself is always that of class 1."""
    probability = answer["probability"]
    return {**answer, PREDICTED: probability if answer["prediction"] else 1.0 - probability}


def worded(answer: dict[str, Any], response: Mapping[str, Any]) -> dict[str, Any]:
    """A score in the fields that its clients are bound to; an invalid row says what is wrong in ours."""
    if not response or answer["outcome"] == "invalid":
        return answer
    fields = response.get("fields")
    if fields and PREDICTED in fields.values():
        answer = with_predicted(answer)
    said = {theirs: answer[ours] for theirs, ours in fields.items() if ours in answer} if fields else answer
    return {**said, **response["constants"]} if "constants" in response else said
