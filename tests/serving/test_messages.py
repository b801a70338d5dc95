"""Messages that nobody waits for the answer of: opened, scored, and done with once their answer is kept."""

from __future__ import annotations

import base64
import gzip
import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from riskscore.errors import (
    Conflict,
    DatabaseTimeout,
    InvalidEvent,
    NotConfigured,
    OutputUnavailable,
    RiskscoreError,
    UnsupportedSource,
)
from riskscore.ledger.ledger import Ledger
from riskscore.scoring.engine import Engine
from riskscore.serving.aws_envelopes import function_of, handler_of
from riskscore.serving.deployment import Deployment
from riskscore.serving.message_bodies import NO_EVENT, event_in
from riskscore.serving.output import output_at
from tests.envelope_examples import SAMPLES
from tests.ledger_examples import sqlite_url
from tests.scoring_examples import EVENT, ROOT, answer, event

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROW = json.dumps(EVENT)
ACCOUNT = {"account": "1", "region": "eu-central-1", "time": "2025-09-01T00:00:00Z", "resources": []}
BUS = {"version": "0", "id": "e1", "detail-type": "Score", "source": "lender.app", **ACCOUNT, "detail": EVENT}
TOPIC = {"Type": "Notification", "MessageId": "n1", "TopicArn": "arn:aws:sns:eu-central-1:1:t", "Message": ROW}
SNS = {"Records": [{"EventSource": "aws:sns", "EventVersion": "1.0", "Sns": {**TOPIC, "Subject": None}}]}
S3 = {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {"object": {"key": "rows.csv"}}}]}
TEST = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b", "RequestId": "r", "HostId": "h"}
REQUEST = SAMPLES["function-url"] | {"body": base64.b64encode(ROW.encode()).decode(), "isBase64Encoded": True}


def records(*bodies: Any) -> list[Any]:
    """Messages m0, m1, ... as SQS sends them."""
    record = SAMPLES["sqs"]["Records"][0]
    return [record | {"messageId": f"m{k}", "body": body} for k, body in enumerate(bodies)]


def handled(given: Any, look_up: Any = None, **environ: str) -> Any:
    """What the function of an environment makes of an event."""
    deployment = Deployment(environ, str(ROOT))
    ledger = deployment.ledger()
    keeping = (ledger.record, ledger.recall) if ledger else (None, None)
    served = Engine(deployment.find, deployment.default_model, look_up or deployment.look_up, *keeping)
    handle = handler_of(given)
    assert handle
    try:
        return handle(given, function_of(deployment, served, str(ROOT)), "from Lambda")
    finally:
        if ledger:
            ledger.store.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "answers"


def kept(folder: Path) -> dict[str, Any]:
    """The answers that lie in a folder, by message id."""
    found = [json.loads(path.read_bytes()) for path in sorted(folder.glob("*"))]
    return {file["message_id"]: file["answer"] for file in found}


def failed(given: Any, folder: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """The messages that stay in the queue, with the sentence that the log has for each."""
    names = [entry["itemIdentifier"] for entry in handled(given, RISKSCORE_OUTPUT=str(folder))["batchItemFailures"]]
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    told = {line["messageId"]: line["message"] for line in lines if line["level"] == "ERROR" and line["faults"] == 1}
    assert sorted(told) == sorted(names)
    return told


WRAPPED: dict[str, Any] = {
    "as it is": ROW,
    "SNS with raw delivery": ROW,
    "SNS": json.dumps(TOPIC),
    "SNS without a topic": json.dumps({"Type": "Notification", "MessageId": "n", "Message": ROW}),
    "SNS, the API's body": json.dumps({**TOPIC, "Message": json.dumps({"instances": [EVENT]})}),
    "SNS, a request": json.dumps({**TOPIC, "Message": json.dumps({"body": ROW})}),
    "EventBridge": json.dumps(BUS),
    "EventBridge, the detail as a string": json.dumps({**BUS, "detail": ROW}),
    "EventBridge through SNS": json.dumps({**TOPIC, "Message": json.dumps(BUS)}),
    "EventBridge, from a partner": json.dumps({**BUS, "source": "aws.partner/lender.example/1"}),
    "a pipe's record on a bus": json.dumps({**BUS, "detail": records(ROW)[0]}),
    "SNS's event of a dead-letter queue": json.dumps(SNS),
    "encoded twice": json.dumps(ROW),
    "encoded three times": json.dumps(json.dumps(ROW)),
    "a request, its body in base64": json.dumps(REQUEST),
    "a request without a path": json.dumps({"headers": {}, "body": ROW}),
}


@pytest.mark.parametrize("body", WRAPPED.values(), ids=WRAPPED)
def test_a_message_is_opened_whatever_wraps_it(body: Any, folder: Path) -> None:
    inner = event_in(body)
    assert handled({"Records": records(body)}, RISKSCORE_OUTPUT=str(folder)) == {"batchItemFailures": []}
    assert kept(folder) == {"m0": answer(inner)}
    rows = inner.get("instances", [inner])
    assert rows[0]["features"] == EVENT["features"]


PACKED = gzip.compress(ROW.encode())
REFUSED: dict[str, tuple[Any, str]] = {
    "no JSON": ("customer_id=S0001", "the message is not JSON: line 1, column 1; a message must contain an event"),
    "nothing": ("", "the message is empty"),
    "no text": (None, NO_EVENT),
    "a number": ("7", NO_EVENT),
    "null": ("null", NO_EVENT),
    "a text in a text": (json.dumps("hello"), "the message is not JSON"),
    "an empty list": ("[]", "the list is empty"),
    "base64": (base64.b64encode(ROW.encode()).decode(), "the message is in base64: send its JSON as it is"),
    "gzip": (base64.b64encode(PACKED).decode(), "the message is compressed with gzip: send its JSON as it is"),
    "gzip as text": (PACKED.decode(errors="replace"), "the message is compressed with gzip"),
    "S3": (json.dumps(S3), "an S3 notification names a file and brings no rows"),
    "S3 through SNS": (json.dumps({**TOPIC, "Message": json.dumps(S3)}), "an S3 notification names a file"),
    "S3's test": (json.dumps(TEST), "an S3 notification names a file and brings no rows"),
    "S3 through EventBridge": (json.dumps({**BUS, "source": "aws.s3"}), "an S3 notification names a file"),
    "a schedule": (json.dumps({**BUS, "source": "aws.events", "detail": {}}), "a scheduled event brings no rows"),
    "EC2": (json.dumps({**BUS, "source": "aws.ec2"}), "events of aws.ec2 bring no rows to score"),
    "a queue's event": (json.dumps({"Records": records(ROW)}), "a record of SQS needs its messageId"),
    "a request to another path": (json.dumps({**REQUEST, "rawPath": "/models"}), "of HTTP requests a message may hold"),
    "a request with broken base64": (json.dumps({**REQUEST, "body": "?"}), "the body of the request in the message"),
    "wrapped without end": (json.dumps({**BUS, "detail": {**BUS, "detail": "[" * 9000}}), "the message is nested too"),
}


@pytest.mark.parametrize(("body", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_holds_no_event_stays_in_the_queue_and_is_told_what_to_change(
    body: Any, sentence: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = failed({"Records": records(ROW, body)}, folder, capsys)
    assert list(told) == ["m1"]
    assert told["m1"].startswith(sentence)
    assert list(kept(folder)) == ["m0"]


def test_a_row_that_cannot_be_scored_has_an_answer_that_is_kept(folder: Path) -> None:
    wrong = event(late_fee_count_90d=None)
    assert handled({"Records": records(json.dumps(wrong))}, RISKSCORE_OUTPUT=str(folder)) == {"batchItemFailures": []}
    assert kept(folder) == {"m0": answer(wrong)}
    assert kept(folder)["m0"]["outcome"] == "invalid"


def test_an_eventbridge_pipe_passes_on_a_list_of_messages(folder: Path) -> None:
    assert handled(records(ROW, "{"), RISKSCORE_OUTPUT=str(folder)) == {"batchItemFailures": [{"itemIdentifier": "m1"}]}
    assert kept(folder) == {"m0": answer(EVENT)}


def test_sns_and_eventbridge_themselves_are_kept_under_their_ids(folder: Path) -> None:
    assert handled(SNS, RISKSCORE_OUTPUT=str(folder)) == {"kept": 1}
    assert handled(BUS, RISKSCORE_OUTPUT=str(folder)) == {"kept": 1}
    assert kept(folder) == {"n1": answer(EVENT), "e1": answer(EVENT)}


UNHEARD: dict[str, tuple[Any, type[RiskscoreError], str]] = {
    "SNS without an event": (
        {"Records": [{"EventSource": "aws:sns", "Sns": {**TOPIC, "Message": "7"}}]},
        InvalidEvent,
        NO_EVENT,
    ),
    "EventBridge without an event": ({**BUS, "detail": 7}, InvalidEvent, NO_EVENT),
    "a schedule": (
        {**BUS, "source": "aws.events", "detail": {}},
        UnsupportedSource,
        "a scheduled event brings no rows",
    ),
    "EventBridge without an id": ({**BUS, "id": None}, UnsupportedSource, "an event of EventBridge needs its id"),
    "S3": (S3, UnsupportedSource, "an S3 notification names a file"),
    "S3's test": (TEST, UnsupportedSource, "an S3 notification names a file"),
    "Kinesis": (
        {"Records": [{"eventSource": "aws:kinesis", "kinesis": {"data": "e30="}}]},
        UnsupportedSource,
        "a record of Kinesis",
    ),
    "DynamoDB": (
        {"Records": [{"eventSource": "aws:dynamodb", "dynamodb": {}}]},
        UnsupportedSource,
        "a record of DynamoDB",
    ),
    "Kafka": ({"eventSource": "aws:kafka", "records": {"t-0": []}}, UnsupportedSource, "a record of Kafka"),
    "Kafka elsewhere": ({"eventSource": "SelfManagedKafka", "records": {}}, UnsupportedSource, "a record of Kafka"),
    "ActiveMQ": ({"eventSource": "aws:mq", "messages": []}, UnsupportedSource, "a record of ActiveMQ"),
    "RabbitMQ": ({"eventSource": "aws:rmq", "rmqMessagesByQueue": {}}, UnsupportedSource, "a record of RabbitMQ"),
    "Firehose": (
        {"invocationId": "1", "deliveryStreamArn": "a", "records": []},
        UnsupportedSource,
        "a record of Firehose",
    ),
    "log lines": ({"awslogs": {"data": "H4sI"}}, UnsupportedSource, "a CloudWatch Logs subscription"),
    "SES": ({"Records": [{"eventSource": "aws:ses", "ses": {}}]}, UnsupportedSource, "events of aws:ses bring no rows"),
    "SQS without ids": (
        {"Records": [{"eventSource": "aws:sqs", "body": ROW}]},
        UnsupportedSource,
        "a record of SQS needs its",
    ),
    "a pipe without ids": ([{"eventSource": "aws:sqs", "body": ROW}], UnsupportedSource, "a record of SQS needs its"),
}


@pytest.mark.parametrize(("given", "error", "sentence"), UNHEARD.values(), ids=UNHEARD)
def test_where_nobody_reads_an_answer_it_is_raised(
    given: Any, error: type[RiskscoreError], sentence: str, folder: Path
) -> None:
    with pytest.raises(error) as raised:
        handled(given, RISKSCORE_OUTPUT=str(folder))
    assert raised.value.message.startswith(sentence)
    assert not folder.exists()


@pytest.mark.parametrize(
    "given", [{"Records": records(ROW)}, records(ROW), SNS, BUS], ids=["SQS", "pipe", "SNS", "bus"]
)
def test_answers_that_would_be_kept_nowhere_are_not_made(given: Any) -> None:
    with pytest.raises(
        NotConfigured, match=r"no place to be stored: set RISKSCORE_OUTPUT to s3://bucket/prefix or a folder, or RI"
    ):
        handled(given)


def test_a_ledger_keeps_them_as_well(tmp_path: Path, folder: Path) -> None:
    environ = {"RISKSCORE_LEDGER": sqlite_url(tmp_path / "ledger.db")}
    given = {"Records": records(ROW, json.dumps(TOPIC), "[]", json.dumps({"features": {}}))}
    for _ in range(2):  # as if it came again
        assert handled(given, **environ) == {"batchItemFailures": [{"itemIdentifier": "m2"}]}
    ledger = Ledger(environ["RISKSCORE_LEDGER"], {})
    assert [row["outcome"] for row in ledger.recent(9)] == ["invalid", "scored", "scored"]
    ledger.store.close()
    handled(given, **environ, RISKSCORE_OUTPUT=str(folder))  # the output gets what the ledger has
    assert set(kept(folder)) == {"m0", "m1", "m3"}


def test_a_message_that_comes_twice_is_kept_once_and_its_first_answer_stays(folder: Path) -> None:
    output = output_at(str(folder))
    output.keep("m0", EVENT, {"outcome": "scored"})
    output.keep("m0", EVENT, {"outcome": "refer"})
    assert kept(folder) == {"m0": {"outcome": "scored"}}
    with pytest.raises(Conflict, match="this message id was used for other content"):
        output.keep("m0", {**EVENT, "reasons": 1}, {"outcome": "scored"})


@pytest.mark.parametrize("name", ["../m0", "a/b", "..", "x" * 200, "é\ud800"[:1], ".hidden", ""])
def test_an_id_is_never_a_path(name: str, folder: Path) -> None:
    if not name:
        with pytest.raises(InvalidEvent, match="a request id must be 1 to 200 characters"):
            output_at(str(folder)).keep(name, EVENT, {})
        return
    output_at(str(folder)).keep(name, EVENT, {"outcome": "scored"})
    assert [path.parent for path in folder.iterdir()] == [folder]
    assert kept(folder) == {name: {"outcome": "scored"}}


def test_a_fault_of_ours_leaves_its_own_message_alone_in_the_queue(folder: Path) -> None:
    def times_out(*_: Any) -> Any:
        raise DatabaseTimeout("the database took too long")

    given = {"Records": records(json.dumps({"customer_id": "S1"}), ROW)}
    found = handled(given, times_out, RISKSCORE_OUTPUT=str(folder))
    assert found == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
    assert set(kept(folder)) == {"m1"}


def test_an_answer_that_cannot_be_kept_leaves_its_message_in_the_queue(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    told = failed({"Records": records(ROW)}, tmp_path / "file", capsys)
    assert told == {"m0": "RISKSCORE_OUTPUT: the answer can't be kept (FileExistsError)"}


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An empty bucket named answers."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="answers")
        yield client


@pytest.mark.slow
def test_s3_keeps_each_answer_once(bucket: Any) -> None:
    environ = {"RISKSCORE_OUTPUT": "s3://answers/riskscore"}
    for _ in range(2):
        assert handled({"Records": records(ROW, json.dumps(TOPIC))}, **environ) == {"batchItemFailures": []}
    found = [entry["Key"] for entry in bucket.list_objects_v2(Bucket="answers")["Contents"]]
    assert found == ["riskscore/m0.json", "riskscore/m1.json"]
    file = json.loads(bucket.get_object(Bucket="answers", Key=found[0])["Body"].read())
    assert (file["message_id"], file["answer"]) == ("m0", answer(EVENT))
    other = {"Records": records(json.dumps(event(late_fee_count_90d=5)))}
    assert handled(other, **environ) == {"batchItemFailures": [{"itemIdentifier": "m0"}]}


@pytest.mark.slow
def test_a_bucket_that_is_missing_keeps_the_messages_in_the_queue(bucket: Any) -> None:
    given = {"Records": records(ROW)}
    assert handled(given, RISKSCORE_OUTPUT="s3://nowhere/x") == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
    with pytest.raises(
        OutputUnavailable, match=r"^RISKSCORE_OUTPUT: there is no such bucket, so n1.json can't be written$"
    ):
        handled(SNS, RISKSCORE_OUTPUT="s3://nowhere/x")


@pytest.mark.parametrize("uri", ["s3://", "s3://UPPER/x", "https://elsewhere", "sqs://queue"])
def test_an_output_that_is_no_place_is_refused_by_its_name(uri: str, bucket: Any) -> None:
    with pytest.raises(NotConfigured, match=r"^RISKSCORE_OUTPUT must be s3://bucket/prefix"):
        handled({"Records": records(ROW)}, RISKSCORE_OUTPUT=uri)
