"""What AWS wraps events in: each recognised strictly, opened, and answered in the shape that AWS documents."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any

import pytest
from awslambdaric.lambda_runtime_marshaller import LambdaMarshaller
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lambda_function
from lambda_function import lambda_handler
from riskscore.errors import DatabaseTimeout, UnsupportedSource
from riskscore.serving.aws_envelopes import function_of, handler_of
from riskscore.serving.http_routes import encode
from tests.envelope_examples import BALANCERS, HTTP, MANY_VALUES, SAMPLES, asking, sample
from tests.scoring_examples import EVENT, IDS, ROOT, answer, engine, event
from tests.test_cold_path import OURS, SLOW, first_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COMMITTED = [json.loads(path.read_bytes()) for path in sorted((ROOT / "events" / "credit_risk").glob("*.json"))]
DOCUMENTED = {200, 204, 400, 404, 405, 413, 415, 422}


@pytest.fixture(autouse=True, scope="module")
def no_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An environment that names no database, so that keys alone are a fault of ours, and keeps answers to messages."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RISKSCORE_OUTPUT", str(tmp_path_factory.mktemp("answers")))
        patch.setattr(lambda_function.DEPLOYMENT, "_output", None)
        for name in ("DATABASE_URL", "PGURL", "PGHOST", "PGDATABASE", "PGSERVICE"):
            patch.delenv(name, raising=False)
        yield


def opened(found: Any, name: str) -> tuple[int, dict[str, str], str]:
    """Status, headers and body of an HTTP answer, once its shape is that which AWS documents for its service."""
    headers = "multiValueHeaders" if name == MANY_VALUES else "headers"
    described = {"statusDescription"} if name in BALANCERS else set()
    assert set(found) == {"statusCode", headers, "body", "isBase64Encoded"} | described
    assert type(found["statusCode"]) is int
    assert type(found["body"]) is str
    assert found["isBase64Encoded"] is False
    if described:
        assert found["statusDescription"].startswith(f"{found['statusCode']} ")
    values = {key: value[0] if name == MANY_VALUES else value for key, value in found[headers].items()}
    assert all(type(value) is str for value in values.values())
    return found["statusCode"], values, found["body"]


def asked(name: str, *arguments: Any, **more: Any) -> tuple[int, Any]:
    code, _, body = opened(lambda_handler(asking(name, *arguments, **more), None), name)
    return code, json.loads(body) if body else None


def body_of(envelope: dict[str, Any]) -> Any:
    return json.loads(b64decode(envelope["body"]) if envelope["isBase64Encoded"] else envelope["body"])


def test_the_samples_carry_the_committed_events() -> None:
    bodies = [body_of(SAMPLES[name]) for name in HTTP]
    carried = [item for body in bodies for item in (body if isinstance(body, list) else [body])]
    carried += [json.loads(record["body"]) for record in SAMPLES["sqs"]["Records"]] + SAMPLES["step-functions"]["Items"]
    assert [item for item in carried if item not in COMMITTED] == []


@pytest.mark.parametrize("name", HTTP)
def test_a_documented_request_gets_the_functions_answer_in_its_doors_shape(name: str) -> None:
    code, headers, body = opened(lambda_handler(SAMPLES[name], None), name)
    assert (code, headers) == (200, {"content-type": "application/json"})
    assert body.encode() == encode(lambda_handler(body_of(SAMPLES[name]), None))


@pytest.mark.parametrize("name", HTTP)
@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("GET", "/health", None, 200),
        ("GET", "/models", None, 200),
        ("GET", "/models/credit_risk", "", 200),
        ("HEAD", "/health", None, 200),
        ("OPTIONS", "/predict", None, 204),
        ("POST", "/predict", "", 400),
        ("POST", "/predict", None, 400),
        ("POST", "/predict", "{", 400),
        ("POST", "/predict", "\ud800", 400),
        ("POST", "/predict", "{}", 400),
        ("POST", "/predict", "[{}]", 200),
        ("GET", "/nowhere", None, 404),
        ("GET", "/models/nobody", None, 404),
        ("POST", "/models/nobody/predict", "{}", 404),
        ("GET", "/predict", None, 405),
        ("DELETE", "/models", None, 405),
        ("post", "/predict", "[{}]", 200),
        ("POST", "/predict", json.dumps(event(late_fee_count_90d=None)), 422),
    ],
)
def test_every_route_is_reached_through_every_door(
    name: str, method: str, path: str, body: str | None, code: int
) -> None:
    found, content = asked(name, method, path, body)
    assert found == code
    assert (content is None) == (method in ("HEAD", "OPTIONS"))


@pytest.mark.parametrize("name", HTTP)
def test_another_content_type_than_json_is_refused(name: str) -> None:
    code, found = asked(name, "POST", "/predict", json.dumps(EVENT), content_type="text/csv")
    assert (code, found["error"]["type"]) == (415, "unsupported_media_type")
    assert asked(name, "POST", "/predict", json.dumps(EVENT), content_type="application/json; charset=utf-8")[0] == 200


@pytest.mark.parametrize("name", HTTP)
def test_a_405_says_what_is_allowed(name: str) -> None:
    headers = opened(lambda_handler(asking(name, "GET", "/predict"), None), name)[1]
    assert headers["allow"] == "POST, OPTIONS"


@pytest.mark.parametrize("name", HTTP)
@pytest.mark.parametrize(
    "text", [b64encode(encode(EVENT)).decode(), b64encode(encode(EVENT)).decode() + "!", "YQ", "é", 7, ["{}"], {"a": 1}]
)
def test_a_base64_body_is_decoded_or_refused(name: str, text: Any) -> None:
    code, _, body = opened(lambda_handler(sample(name, body=text) | {"isBase64Encoded": True}, None), name)
    good = text == b64encode(encode(EVENT)).decode()
    assert code == (200 if good else 400)
    if good:
        assert body.encode() == encode(answer(EVENT))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, 200),
        ({"path": "/predict", "resource": "/predict", "pathParameters": None}, 200),
        ({"path": "/risk/predict", "resource": "/{proxy+}"}, 200),  # a custom domain's base path stands in path alone
        ({"path": "/risk/predict", "resource": "/predict", "pathParameters": None}, 200),
        ({"resource": "/models/{name}/predict", "pathParameters": {"name": "credit_risk"}}, 200),
        ({"path": "/prod/predict", "resource": "$default", "pathParameters": None}, 200),  # an HTTP API in format 1.0
        ({"path": "/prod/predict", "resource": None, "pathParameters": None}, 200),
        ({"path": "/prodigal/predict", "resource": None, "pathParameters": None}, 404),
        ({"path": "/prod", "resource": None, "pathParameters": None}, 404),
        ({"path": "/predict", "resource": "/{proxy+}", "pathParameters": 7}, 200),
        ({"path": "/predict", "resource": "/{proxy+}", "pathParameters": {"proxy": None}}, 200),
    ],
)
def test_the_stage_is_no_part_of_the_path(changes: dict[str, Any], code: int) -> None:
    assert lambda_handler(sample("api-gateway-v1") | changes, None)["statusCode"] == code


@pytest.mark.parametrize(
    ("stage", "path", "code"),
    [
        ("prod", "/prod/predict", 200),
        ("$default", "/predict", 200),
        ("models", "/models/predict", 200),
        ("$default", "/prod/predict", 404),
        (None, "/predict", 200),
        (7, "/predict", 200),
    ],
)
def test_an_http_api_has_its_stage_before_the_path(stage: Any, path: str, code: int) -> None:
    asked = sample("api-gateway-v2", rawPath=path)
    asked["requestContext"]["stage"] = stage
    assert lambda_handler(asked, None)["statusCode"] == code


@pytest.mark.parametrize("name", HTTP)
@pytest.mark.parametrize("headers", [None, {}, [], "x", {"Content-Type": None}, {"content-type": ["a", 7]}, {"a": []}])
def test_headers_may_lack_or_be_anything(name: str, headers: Any) -> None:
    key = "multiValueHeaders" if name == MANY_VALUES else "headers"
    others = {} if name in BALANCERS else {"multiValueHeaders": None}
    assert lambda_handler(sample(name) | others | {key: headers}, None)["statusCode"] == 200


def test_a_balancer_answers_in_the_headers_that_it_asked_with() -> None:
    one, many = (lambda_handler(sample(name), None) for name in BALANCERS)
    assert (one["statusDescription"], one["headers"]) == ("200 OK", {"content-type": "application/json"})
    assert many["multiValueHeaders"] == {"content-type": ["application/json"]}


WORDY = event(late_fee_count_90d=6, pct_gambling_spend_90d=0.3, cash_withdrawal_90d=60_000.0)  # many reasons


@pytest.mark.slow
@pytest.mark.parametrize(("name", "rows"), [("function-url", 10_000), ("load-balancer", 2_000), (MANY_VALUES, 2_000)])
def test_an_answer_too_large_for_its_door_is_an_error_of_its_own(name: str, rows: int) -> None:
    code, found = asked(name, "POST", "/predict", json.dumps({"instances": [WORDY] * rows, "reasons": 13}))
    assert (code, found["error"]["type"]) == (413, "answer_too_large")


def test_a_fault_of_ours_is_answered_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    code, found = asked("function-url", "POST", "/predict", json.dumps(IDS))
    assert (code, set(found), found["error"]["type"]) == (503, {"error"}, "not_configured")
    (line,) = capsys.readouterr().err.splitlines()
    logged = json.loads(line)
    assert (logged["level"], logged["type"], logged["faults"]) == ("ERROR", "not_configured", 1)
    (metric,) = logged["_aws"]["CloudWatchMetrics"]
    assert (metric["Namespace"], metric["Dimensions"]) == ("riskscore", [["function"]])
    assert metric["Metrics"] == [{"Name": "faults", "Unit": "Count"}]
    assert IDS["customer_id"] not in line


# --- queues


def messages(*bodies: Any) -> dict[str, Any]:
    """A batch of messages 0, 1, ... as SQS sends them."""
    record = SAMPLES["sqs"]["Records"][0]
    return {"Records": [record | {"messageId": str(k), "body": body} for k, body in enumerate(bodies)]}


def times_out_for_s2(_: Any, keys: Any) -> Any:
    if any(key["customer_id"] == "S2" for key in keys):
        raise DatabaseTimeout("the database took too long")
    return []


def unforeseen(*_: Any) -> Any:
    raise ValueError("S2 has 28862.99")


def queued(batch: Any, look_up: Callable[..., Any] = times_out_for_s2) -> Any:
    handle = handler_of(batch)
    assert handle
    return handle(batch, function_of(lambda_function.DEPLOYMENT, engine(look_up=look_up), str(ROOT)), None)


@pytest.mark.parametrize("look_up", [times_out_for_s2, unforeseen])
def test_what_holds_no_event_or_failed_by_our_fault_stays_in_the_queue(
    look_up: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = json.dumps({"customer_id": "S2"})
    partly = json.dumps([EVENT, {}])
    batch = messages(json.dumps(EVENT), ours, "{", "", None, 7, json.dumps({"features": {}}), partly, ours)
    failed = [failure["itemIdentifier"] for failure in queued(batch, look_up)["batchItemFailures"]]
    assert failed == ["1", "2", "3", "4", "5", "8"]
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["messageId"] for line in lines if line["level"] == "ERROR"] == failed
    refused = {line["messageId"]: line["errors"] for line in lines if line["level"] == "WARNING"}
    assert refused == {"6": {"missing_feature": 1}, "7": {"invalid_event": 1}}
    assert "S2" not in json.dumps(lines)


def test_a_batch_of_good_messages_leaves_the_queue_and_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert lambda_handler(SAMPLES["sqs"], None) == {"batchItemFailures": []}
    assert capsys.readouterr().err == ""


class Context:
    aws_request_id = "from Lambda"


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the function's ledger is given."""
    entries: list[Any] = []
    monkeypatch.setattr(lambda_function.ENGINE, "_record", entries.extend)
    return entries


def test_each_message_reaches_the_ledger_under_its_own_id(kept: list[Any]) -> None:
    lambda_handler(SAMPLES["sqs"], Context())
    assert [entry.request.id for entry in kept] == [record["messageId"] for record in SAMPLES["sqs"]["Records"]]


@pytest.mark.parametrize(
    ("given", "request_id"),
    [
        (EVENT, "from Lambda"),
        ({"Items": [EVENT]}, "from Lambda"),
        (SAMPLES["api-gateway-v1"], SAMPLES["api-gateway-v1"]["requestContext"]["requestId"]),
        (SAMPLES["function-url"], "id"),
        (sample("function-url", headers={"X-Request-Id": "the client's"}), "the client's"),
        (sample("load-balancer", headers={"x-request-id": "the client's"}), "the client's"),
    ],
)
def test_a_request_reaches_the_ledger_under_the_id_of_its_door(kept: list[Any], given: Any, request_id: str) -> None:
    lambda_handler(given, Context())
    assert [entry.request.id for entry in kept] == [request_id]


@pytest.mark.parametrize("named", [7, "", None, ["id"]])
def test_an_id_that_is_no_text_is_none(kept: list[Any], named: Any) -> None:
    given = sample("function-url")
    given["requestContext"]["requestId"] = named
    assert lambda_handler(given, Context())["statusCode"] == 200
    assert len(kept[0].request.id) == 32


# --- Step Functions


def test_items_are_answered_in_their_order() -> None:
    items = [EVENT, {}, event(late_fee_count_90d=3)]
    assert lambda_handler({"Items": items}, None) == answer(items)


def test_a_batchs_input_holds_for_all_items() -> None:
    given = {"BatchInput": {"reasons": 0, "model": "credit_risk", "run": 7}, "Items": [EVENT]}
    assert lambda_handler(given, None) == answer([EVENT | {"reasons": 0}])
    assert lambda_handler(given | {"BatchInput": {"model": "nobody"}}, None)[0]["error"]["type"] == "unknown_model"


# --- the cold path


def without_engine(found: Any) -> Any:
    """A list may be scored by the estimator once that is loaded, as it is here and not in a first answer."""
    return [row | {"engine": ""} for row in found] if isinstance(found, list) else found


@pytest.mark.parametrize("name", SAMPLES)
def test_a_first_envelope_is_answered_by_the_quick_half_of_the_standard_library(name: str) -> None:
    found = first_answer(SAMPLES[name])
    assert without_engine(found["answer"]) == without_engine(lambda_handler(SAMPLES[name], None))
    modules = set(found["modules"])
    opening = {
        "fault_log",
        *(f"serving.{module}" for module in ("model_info", "aws_envelopes", "fault_metric", "http_routes")),
    }
    queued = ("serving.messages", "serving.message_bodies", "serving.output", "scoring.records")
    opening |= set(queued) if name == "sqs" else set()
    assert {module for module in modules if module.startswith("riskscore.")} - OURS == {
        f"riskscore.{n}" for n in opening
    }
    assert modules & SLOW == set()


# --- what only looks like one


@pytest.mark.parametrize(
    "given",
    [
        {"Records": []},
        {"Records": SAMPLES["sqs"]["Records"][0]},
        {"Records": [{}]},
        {"Records": ["aws:sqs"]},
        {"detail-type": "Score", "source": "app"},
        {"eventSource": "elsewhere"},
        [{"eventSource": "aws:sqs"}],
        {"Items": {}},
        {"Items": [EVENT], "customer_id": "S0001"},
        {"requestContext": {}},
        {"requestContext": {"http": {"method": "GET"}}, "rawPath": "/health"},
        {"version": "2.0", "requestContext": {"http": "GET"}, "rawPath": "/health"},
        {"version": "2.0", "requestContext": {"http": {"method": 1}}, "rawPath": "/health"},
        {"version": "2.0", "requestContext": {"http": {"method": "GET"}}},
        {"httpMethod": "GET", "path": "/health"},
        {"httpMethod": "GET", "path": "/health", "requestContext": {}},
        {"httpMethod": "GET", "path": None, "requestContext": {"stage": "x"}},
        EVENT | {"requestContext": {"elb": {}}},
        EVENT | {"Items": [EVENT]},
    ],
)
def test_what_only_looks_like_an_envelope_is_a_plain_event(given: Any) -> None:
    assert handler_of(given) is None
    assert lambda_handler(given, None) == answer(given)
    found = lambda_handler(given, None)
    assert (found[0] if isinstance(given, list) else found)["outcome"] == "invalid"


# --- anything at all


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
BODIES = JSON.map(json.dumps) | st.text(max_size=9) | JSON | st.just(json.dumps(EVENT))
KEYS = sorted({key for envelope in SAMPLES.values() for key in envelope})
CONTEXT = st.dictionaries(st.sampled_from(["http", "elb", "stage", "requestId", "path"]), JSON, max_size=3)
CHANGES = st.dictionaries(st.sampled_from(KEYS), JSON, max_size=3)


@st.composite
def mangled(draw: Callable[..., Any]) -> dict[str, Any]:
    """A documented envelope with another body, and some of its keys lost or turned into something else."""
    envelope = sample(draw(st.sampled_from(sorted(SAMPLES))))
    if "Records" in envelope:
        envelope["Records"] = [record | {"body": draw(BODIES)} | draw(CHANGES) for record in envelope["Records"]]
    elif "Items" in envelope:
        envelope["Items"] = draw(st.lists(JSON | st.just(EVENT), max_size=3))
    else:
        envelope["body"] = draw(BODIES)
        envelope["requestContext"] |= draw(CONTEXT)
    for key in draw(st.sets(st.sampled_from(sorted(envelope)), max_size=2)):
        del envelope[key]
    return envelope | draw(CHANGES)


@pytest.fixture(params=["AWS_Lambda_python3.13", ""], ids=["on Lambda", "elsewhere"])
def marshaller(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> LambdaMarshaller:
    monkeypatch.setenv("AWS_EXECUTION_ENV", request.param)
    return LambdaMarshaller()


def assert_documented(found: Any) -> None:
    """The shape of one of the interfaces: HTTP, queue, plain."""
    if isinstance(found, list):
        assert all(row["outcome"] in ("scored", "refer", "invalid") for row in found)
    elif "statusCode" in found:
        headers = "multiValueHeaders" if "multiValueHeaders" in found else "headers"
        shape = {"statusCode", headers, "body", "isBase64Encoded"}
        assert set(found) in (shape, shape | {"statusDescription"})
        assert found["statusCode"] in DOCUMENTED
        assert not found["body"] or json.loads(found["body"]) is not None
    elif "batchItemFailures" in found:
        assert set(found) == {"batchItemFailures"}
    else:
        assert found["outcome"] in ("scored", "refer", "invalid")


@pytest.mark.slow
@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given=mangled())
def test_a_mangled_envelope_gets_a_documented_answer_through_lambdas_encoder(
    marshaller: LambdaMarshaller, given: Any
) -> None:
    try:
        found = lambda_handler(given, None)
    except UnsupportedSource:  # records that lost their messageId, and the like: nobody would read an answer
        return
    assert_documented(found)
    text, _ = marshaller.marshal_response(found)
    assert json.loads(text.encode("utf-8")) == found
    json.dumps(found, allow_nan=False)
