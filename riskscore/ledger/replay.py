"""Score the ledger's rows again, each with the artefact that it names; the same to the bit, or a difference."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import select

from riskscore.contract.contract import HINT
from riskscore.errors import ArtefactRefused, UnknownModel
from riskscore.ledger.hash_chain import BATCH, NOT_ANSWERS
from riskscore.ledger.schema import ledger
from riskscore.scoring.events import Row
from riskscore.scoring.pipeline import score_again
from riskscore.scoring.records import contract_sha256

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from sqlalchemy import Connection

    from riskscore.scoring.model import Model

    FindVersion = Callable[[str, str], Model]  # by name and manifest_sha256


# The columns that hold parts of an answer, and what they hold where it hasn't that part.
COLUMNS: dict[str, Any] = {
    "outcome": None,
    "probability": None,
    "points": None,
    "engine": None,
    "warnings": [],
    "reasons": [],
}


class Replayed(NamedTuple):
    """How a replay ended. missing: the artefacts that are nowhere, and the rows that wait for each."""

    matched: int
    differences: list[str]
    missing: dict[str, int]
    unscored: int  # rows that were refused before they had features, and rows that a purge erased


def stored_rows(connection: Connection, request_id: str | None = None, since: str | None = None) -> Iterator[Any]:
    """The rows of one request, or from a time on, or all, in the chain's order."""
    chosen = select(ledger).where(ledger.c.outcome.not_in(NOT_ANSWERS)).order_by(ledger.c.seq)
    if request_id is not None:
        chosen = chosen.where(ledger.c.request_id == request_id)
    if since is not None:
        chosen = chosen.where(ledger.c.time >= since)
    yield from connection.execution_options(yield_per=BATCH).execute(chosen).mappings()


def replay(rows: Iterable[Any], find: FindVersion) -> Replayed:
    """Score stored rows again and compare margin, contract, parts of the answer, and the answer as it was sent."""
    matched, unscored, differences, missing = 0, 0, [], dict[str, int]()
    for row in rows:
        if row["features"] is None or row["manifest_sha256"] is None:
            unscored += 1
            continue
        artefact = f"{row['model']} {row['model_version']} (manifest {row['manifest_sha256']})"
        model = None if artefact in missing else _found(find, row)
        if model is None:
            missing[artefact] = missing.get(artefact, 0) + 1
        elif different := compare(row, model):
            name = f"row {row['seq']} (request {row['request_id']}, its row {row['row']})"
            differences.append(f"{name}: {', '.join(different)}")
        else:
            matched += 1
    return Replayed(matched, differences, missing, unscored)


def _found(find: FindVersion, row: Any) -> Model | None:
    try:
        return find(row["model"], row["manifest_sha256"])
    except (ArtefactRefused, UnknownModel):
        return None


def compare(row: Any, model: Model) -> list[str]:
    """What a stored row says otherwise than its model does now: names of fields and features, never a value."""
    stored = _stored(row)
    margin, answer, sent = scored_again(row, model, row["reasons_asked"], _options(stored))
    again = {
        "margin": None if margin is None else margin + 0.0,
        "contract": contract_sha256(model.artefact),
        **{name: answer.get(name, default) for name, default in COLUMNS.items()},
        "answer": _unhinted(sent),
    }
    return [_named(name, stored[name], value) for name, value in again.items() if not _same(stored[name], value)]


def scored_again(
    row: Any, model: Model, reasons: int | None, options: Sequence[str]
) -> tuple[float | None, dict[str, Any], dict[str, Any]]:
    """A stored row's margin, its answer in the engine's fields and as it is sent, by a model; options: as of a Row."""
    ids, features, observations = (json.loads(row[name]) for name in ("ids", "features", "observations"))
    return score_again(model, Row(row["model"], ids, features, observations, reasons, options), row["engine"])


def _stored(row: Any) -> dict[str, Any]:
    texts = {name: json.loads(row[name]) for name in ("warnings", "reasons", "answer")}
    return {**row, **texts, "answer": _unhinted(texts["answer"]), "contract": row["contract_sha256"]}


def _options(stored: dict[str, Any]) -> list[str]:
    """What the row asked for beside its reasons: it stands in the answer that it got."""
    codes = any("code" in reason for reason in stored["reasons"])
    return ["reason_codes"] * codes + ["change"] * isinstance(stored["answer"].get("change"), dict)


def _unhinted(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer without the nearest name to a misspelt one, which of a large request only the first rows are told."""
    if answer.get("outcome") != "invalid" or "error" not in answer:
        return answer
    return {**answer, "error": {**answer["error"], "message": answer["error"]["message"].partition(HINT)[0]}}


def _same(stored: Any, again: Any) -> bool:
    """To the bit: the JSON of a float is its shortest exact spelling."""
    return json.dumps(stored) == json.dumps(again)


def _named(field: str, stored: Any, again: Any) -> str:
    """A field; of the answer, its fields; of reasons and warnings, the features that they differ about."""
    if isinstance(stored, dict) and isinstance(again, dict):
        names = dict.fromkeys([*stored, *again])
        about = [name for name in names if not _same(stored.get(name), again.get(name))]
    elif isinstance(stored, list) and isinstance(again, list):
        both = [json.dumps(entry) for entry in stored], [json.dumps(entry) for entry in again]
        changed = [
            entry for entry in [*stored, *again] if (json.dumps(entry) in both[0]) != (json.dumps(entry) in both[1])
        ]
        about = [str(entry.get("feature")) for entry in changed]
    else:
        return field
    return f"{field} ({', '.join(dict.fromkeys(about)) or 'their order'})"
