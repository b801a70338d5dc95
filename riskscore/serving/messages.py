"""Events that nobody waits for the answer of: messages of SQS, of SNS, and EventBridge's.

A message is done with when its answer was kept, in the ledger or at RISKSCORE_OUTPUT, under the message's id: one that
comes twice is kept once. A row that can't be scored has an answer too, `invalid`. A message that holds no event, and
one that failed by a fault of ours, stays: SQS is told its id, SNS and EventBridge get the error raised, so that each
sends it again and then puts it into its dead-letter queue.
"""

from __future__ import annotations

import json

from riskscore.errors import NotConfigured, UnsupportedSource
from riskscore.fault_log import log
from riskscore.serving.fault_metric import report
from riskscore.serving.message_bodies import event_in, is_bus_event, refusal_of, sns_message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from riskscore.scoring.engine import Engine
    from riskscore.serving.deployment import Deployment
    from riskscore.serving.output import Output

QUEUE = "aws:sqs"
NOWHERE = (
    "answers to messages have no place to be stored: set RISKSCORE_OUTPUT to s3://bucket/prefix"
    " or a folder, or RISKSCORE_LEDGER"
)


def is_queue(event: Any) -> bool:
    """Messages of SQS: as Lambda passes them on, or an EventBridge pipe."""
    records = event.get("Records") if isinstance(event, dict) else event
    return isinstance(records, list) and bool(records) and all(map(_is_message, records))


def is_topic(event: Any) -> bool:
    """Notifications of SNS."""
    records = event.get("Records") if isinstance(event, dict) else None
    return isinstance(records, list) and bool(records) and all(map(sns_message, records))


def _is_message(record: Any) -> bool:
    return (
        isinstance(record, dict)
        and record.get("eventSource") == QUEUE
        and isinstance(record.get("messageId"), str)
        and bool(record["messageId"])  # Lambda takes an empty one as the failure of them all
    )


def queue(event: Any, engine: Engine, deployment: Deployment) -> dict[str, Any]:
    """Each message by itself, first-in-first-out queues too: no score depends on another."""
    output = _place(engine, deployment)
    records = event["Records"] if isinstance(event, dict) else event
    failed = [record["messageId"] for record in records if not _is_done(record, engine, output)]
    return {"batchItemFailures": [{"itemIdentifier": name} for name in dict.fromkeys(failed)]}


def topic(event: Any, engine: Engine, deployment: Deployment) -> dict[str, int]:
    """How many answers were kept. Raises why one wasn't."""
    found = [(sns["MessageId"], event_in(sns["Message"])) for sns in map(sns_message, event["Records"]) if sns]
    output = _place(engine, deployment)
    for name, inner in found:
        _keep(name, inner, engine, output)
    return {"kept": len(found)}


def bus(event: Any, engine: Engine, deployment: Deployment) -> dict[str, int]:
    """As of a topic."""
    inner = event_in(event)
    if not isinstance(event.get("id"), str):
        raise UnsupportedSource("an event of EventBridge needs its id: pass it on as EventBridge sends it")
    _keep(event["id"], inner, engine, _place(engine, deployment))
    return {"kept": 1}


def refuse(event: Any, _: Engine, __: Deployment) -> None:
    """Raise what has to change about an event that brings no rows: nobody would read an answer."""
    raise UnsupportedSource(refusal_of(event) or "")


def _place(engine: Engine, deployment: Deployment) -> Output | None:
    """Where answers are kept beside the engine's ledger. Raises NotConfigured where there is neither."""
    output = deployment.output()
    if output is None and not engine.has_ledger:
        raise NotConfigured(NOWHERE, "RISKSCORE_OUTPUT")
    return output


def _is_done(record: Mapping[str, Any], engine: Engine, output: Output | None) -> bool:
    """Whether a message needs not come again: its answer is kept."""
    name = record["messageId"]
    try:
        _keep(name, event_in(record.get("body")), engine, output)
    except Exception as error:  # noqa: BLE001 - the other messages are to be scored all the same
        report(error, messageId=name)
        return False
    return True


def _keep(name: str, event: Any, engine: Engine, output: Output | None) -> None:
    """Score an event and keep its answer. Raises why that can't be done."""
    answer = engine.answer_or_raise(event, name)
    if output is not None:
        output.keep(name, event, answer)
    rows = answer if isinstance(answer, list) else [answer]
    refused = [row["error"]["type"] for row in rows if row.get("outcome") == "invalid" and "error" in row]
    if refused:
        _log_refused(name, refused)


def _log_refused(message_id: str, errors: list[str]) -> None:
    counts = {name: errors.count(name) for name in sorted(set(errors))}
    said = {"level": "WARNING", "message": "not every row can be scored", "messageId": message_id, "errors": counts}
    log(json.dumps(said))


MESSAGES: tuple[tuple[Callable[[Any], bool], Callable[[Any, Engine, Deployment], Any]], ...] = (
    (is_queue, queue),
    (is_topic, topic),
    (is_bus_event, bus),
    (lambda event: refusal_of(event) is not None, refuse),
)
