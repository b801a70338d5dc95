"""What a message holds: the event, taken out of whatever it was wrapped in on its way to the queue.

SNS (without raw delivery) and EventBridge wrap what they pass on, some senders encode twice, some send an HTTP request
whole. Each is recognised strictly. What brings no rows is refused, in a sentence that says what has to change.
"""

from __future__ import annotations

import re
from binascii import a2b_base64

from riskscore.errors import BrokenJson, InvalidEvent, UnsupportedSource, shown
from riskscore.serving.http_routes import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

WRAPPINGS = 8  # at most, around an event: nobody wraps so often on purpose
BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4}){2,}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
GZIP = ("H4sI", "\x1f\x8b", "\x1f\ufffd")  # how it begins in base64, and as what is left of it in a text
REQUEST_KEYS = frozenset(("requestContext", "httpMethod", "isBase64Encoded", "headers"))
NO_EVENT = "a message must contain an event: a JSON object, or a list of objects"

S3 = "an S3 notification names a file and brings no rows: score files with riskscore score, or send the rows themselves"
STREAM = "a record of {} isn't supported: let a consumer, or an EventBridge pipe to SQS, send each event as a message"
SCHEDULE = (
    "a scheduled event brings no rows: give its rule an event as constant input, or warm by provisioned concurrency"
)
LOGS = "a CloudWatch Logs subscription brings log lines and no rows: remove the subscription"
MESSAGE_ID = "a record of SQS needs its messageId: pass the records on as SQS sends them"
OTHER = "events of {} bring no rows to score: send the rows as an event"

SOURCES = {
    "aws:s3": S3,
    "aws:sqs": MESSAGE_ID,
    "aws.s3": S3,
    "aws.events": SCHEDULE,
    "aws.scheduler": SCHEDULE,
    **{
        source: STREAM.format(name)
        for source, name in {
            "aws:kinesis": "Kinesis",
            "aws:dynamodb": "DynamoDB",
            "aws:kafka": "Kafka",
            "SelfManagedKafka": "Kafka",
            "aws:mq": "ActiveMQ",
            "aws:rmq": "RabbitMQ",
            "aws:lambda:events": "Firehose",
        }.items()
    },
}


def event_in(body: Any) -> Any:
    """The event in a message's body. Raises BrokenJson, InvalidEvent or UnsupportedSource where there is none."""
    for _ in range(WRAPPINGS):
        opened = _opened(body)
        if opened is body:
            break
        body = opened
    if not isinstance(body, (dict, list)):
        raise InvalidEvent(NO_EVENT)
    if refusal := refusal_of(body):
        raise UnsupportedSource(refusal)
    return body


def refusal_of(event: Any) -> str | None:
    """What has to change where an event is one that AWS sends about other things; None for any other."""
    if isinstance(event, list):
        return MESSAGE_ID if any(map(_is_record, event)) else None
    return next((refusal for refusal in (look(event) for look in LOOKS) if refusal), None)


def is_bus_event(event: Any) -> bool:
    """Whether EventBridge wraps it."""
    return (
        isinstance(event, dict)
        and "detail" in event
        and all(isinstance(event.get(key), str) for key in ("detail-type", "source"))
    )


def sns_message(record: Any) -> Mapping[str, Any] | None:
    """The notification in a record that SNS gives to a function; None where it is none."""
    sns = record.get("Sns") if isinstance(record, dict) and record.get("EventSource") == "aws:sns" else None
    sound = isinstance(sns, dict) and isinstance(sns.get("Message"), str) and isinstance(sns.get("MessageId"), str)
    return sns if sound else None


def _is_record(record: Any) -> bool:
    """Whether SQS made it, or EventBridge's pipes of it."""
    return isinstance(record, dict) and record.get("eventSource") == "aws:sqs" and "body" in record


def _source_of(event: Mapping[str, Any]) -> str:
    """Where AWS says that an event comes from, "" where it doesn't."""
    records = event.get("Records")
    first = records[0] if isinstance(records, list) and records else event
    found = (first.get("eventSource") or first.get("EventSource")) if isinstance(first, dict) else None
    return found if isinstance(found, str) else ""


def _opened(body: Any) -> Any:
    """What is inside; the body itself where nothing wraps it, or nothing that is opened."""
    if isinstance(body, (str, bytes)):
        return _read(body)
    return _taken_out(body) if isinstance(body, dict) else body


def _taken_out(body: Mapping[str, Any]) -> Any:
    if (
        body.get("Type") == "Notification"
        and isinstance(body.get("Message"), str)
        and ("TopicArn" in body or "MessageId" in body)
    ):
        return body["Message"]
    if is_bus_event(body) and not _is_of_aws(body["source"]):
        return body["detail"]
    if _is_record(body):  # an EventBridge pipe from a queue to a bus
        return body["body"]
    records = body.get("Records")
    if isinstance(records, list) and len(records) == 1 and (sns := sns_message(records[0])):
        return sns["Message"]
    return _request_body(body) if isinstance(body.get("body"), str) else body


def _read(text: str | bytes) -> Any:
    try:
        return parse(text)
    except BrokenJson as error:
        if isinstance(text, str) and text.startswith(GZIP):
            message = "the message is compressed with gzip: send its JSON as it is"
        elif isinstance(text, str) and BASE64.fullmatch(text.strip()):
            message = "the message is in base64: send its JSON as it is"
        elif isinstance(text, str) and not text.strip():
            message = f"the message is empty; {NO_EVENT}"
        else:
            message = f"{error.message.replace('the body', 'the message', 1)}; {NO_EVENT}"
        raise BrokenJson(message) from None


def _request_body(request: Mapping[str, Any]) -> Any:
    """The body of an HTTP request that was sent on whole; the request itself where it only looks like one."""
    if request.keys() != {"body"} and REQUEST_KEYS.isdisjoint(request):
        return request
    context = request.get("requestContext")
    http = context.get("http") if isinstance(context, dict) else None
    path = request.get("rawPath") or request.get("path") or (http.get("path") if isinstance(http, dict) else None)
    if isinstance(path, str) and ("/models/" in path or not path.endswith("/predict")):
        raise InvalidEvent("of HTTP requests a message may hold those to /predict; name another model in the event")
    if request.get("isBase64Encoded") is not True:
        return request["body"]
    try:
        return a2b_base64(request["body"], strict_mode=True)
    except ValueError:
        raise BrokenJson("the body of the request in the message is marked as base64 and isn't") from None


def _is_of_aws(source: str) -> bool:
    return source.startswith("aws.") and not source.startswith("aws.partner/")


def _of_bus(event: Mapping[str, Any]) -> str | None:
    if not is_bus_event(event) or not _is_of_aws(event["source"]):
        return None
    return SOURCES.get(event["source"]) or OTHER.format(shown(event["source"]))


def _of_records(event: Mapping[str, Any]) -> str | None:
    source = _source_of(event)
    if not source or not (isinstance(event.get("Records"), list) or source in SOURCES):
        return None
    return SOURCES.get(source) or OTHER.format(shown(source))


def _of_others(event: Mapping[str, Any]) -> str | None:
    if isinstance(event.get("awslogs"), dict):
        return LOGS
    if event.get("Event") == "s3:TestEvent":
        return S3
    if event.get("Type") in ("SubscriptionConfirmation", "UnsubscribeConfirmation") and "TopicArn" in event:
        return "SNS asks whether to subscribe: confirm the subscription; it brings no rows"
    return SOURCES["aws:lambda:events"] if "deliveryStreamArn" in event and "records" in event else None


LOOKS: tuple[Callable[[Mapping[str, Any]], str | None], ...] = (_of_bus, _of_records, _of_others)
