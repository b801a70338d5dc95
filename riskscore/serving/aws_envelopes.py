"""What AWS wraps an event in, recognised strictly, and the answer in the same shape.

    API Gateway REST (v1), HTTP (v2), function URL, load balancer    a request for riskscore/serving/http_routes.py
    Step Functions               {"Items": [...], "BatchInput": {...}}: the items' answers, in their order
    SQS, SNS, EventBridge, and what brings no rows                   riskscore/serving/messages.py

Over HTTP a fault of ours is answered with its status, not raised: gateways turn a raise into a bare 502 that says
nothing. So that it still shows, it is logged as one line that CloudWatch counts as the metric `faults`.
"""

from __future__ import annotations

import json
import os
from binascii import a2b_base64
from functools import cache

from riskscore.errors import AnswerTooLarge, BrokenJson, CallerFault, InvalidEvent, UnsupportedMediaType
from riskscore.scoring.events import CONTROLS, LAMBDA_BYTES, SURELY_FITS, require_fit
from riskscore.serving.fault_metric import report
from riskscore.serving.http_routes import JSON, Answer, Routes, encode
from riskscore.serving.model_info import ModelInfo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from riskscore.scoring.engine import Engine, Fits
    from riskscore.serving.deployment import Deployment

    Envelope = Mapping[str, Any]
    Handler = Callable[[Any, "Function", str | None], Any]
    Wrap = Callable[[Answer], dict[str, Any]]

BALANCER_BYTES = 1_000_000  # what a load balancer passes on of a function's answer
ESCAPED = 6  # bytes at most that a byte of a body takes in JSON of ASCII


def handler_of(event: Any) -> Handler | None:
    """What answers this event, None where it is a plain one."""
    found = isinstance(event, dict) and next((handler for recognises, handler in ENVELOPES if recognises(event)), None)
    if found:
        return found
    from riskscore.serving import messages  # no request has to wait for them

    return next((_message(answer) for recognises, answer in messages.MESSAGES if recognises(event)), None)


def _message(answer: Callable[[Any, Engine, Deployment], Any]) -> Handler:
    return lambda event, function, _: answer(event, function.engine, function.deployment)


class Function:
    """What a function answers with: its engine, the routes of requests, and where the answers to messages are kept."""

    __slots__ = ("deployment", "engine", "routes")

    def __init__(self, deployment: Deployment, engine: Engine, routes: Routes) -> None:
        self.deployment = deployment
        self.engine = engine
        self.routes = routes


@cache
def function_of(deployment: Deployment, engine: Engine, root: str) -> Function:
    """The function of a deployment. root: the folder that holds events/."""
    described = ModelInfo(deployment.find, deployment.names, deployment.default_model, os.path.join(root, "events"))
    return Function(deployment, engine, Routes(engine, described, LAMBDA_BYTES, report))


def _is_http_api(event: Any) -> bool:
    """API Gateway's HTTP API in format 2.0, or a function URL."""
    http = _context(event).get("http")
    return (
        event.get("version") == "2.0"
        and isinstance(event.get("rawPath"), str)
        and isinstance(http, dict)
        and isinstance(http.get("method"), str)
    )


def _is_balancer(event: Any) -> bool:
    return _is_request(event) and isinstance(_context(event).get("elb"), dict)


def _is_rest_api(event: Any) -> bool:
    """API Gateway's REST API, or its HTTP API in format 1.0."""
    return _is_request(event) and bool(_context(event))


def _is_request(event: Any) -> bool:
    return isinstance(event.get("httpMethod"), str) and isinstance(event.get("path"), str)


def _context(event: Envelope) -> Mapping[str, Any]:
    context = event.get("requestContext")
    return context if isinstance(context, dict) else {}


def _is_item_batch(event: Any) -> bool:
    return isinstance(event.get("Items"), list) and event.keys() <= {"Items", "BatchInput"}


def _http_api(event: Envelope, function: Function, _: str | None) -> dict[str, Any]:
    context = _context(event)
    path = _without_stage(event["rawPath"], context.get("stage"))
    return _answered(event, context["http"]["method"], path, function.routes, _plain, LAMBDA_BYTES)


def _rest_api(event: Envelope, function: Function, _: str | None) -> dict[str, Any]:
    path = _filled(event) or _without_stage(event["path"], _context(event).get("stage"))
    return _answered(event, event["httpMethod"], path, function.routes, _plain, LAMBDA_BYTES)


def _balancer(event: Envelope, function: Function, _: str | None) -> dict[str, Any]:
    wrap = _described_many if isinstance(event.get("multiValueHeaders"), dict) else _described
    return _answered(event, event["httpMethod"], event["path"], function.routes, wrap, BALANCER_BYTES)


def _answered(event: Envelope, method: str, path: str, routes: Routes, wrap: Wrap, limit: int) -> dict[str, Any]:
    """The answer in its envelope; an error in its place where AWS would refuse its size."""

    def fits(answer: Any) -> None:
        if isinstance(answer, list) and len(answer) * LAMBDA_BYTES > limit * SURELY_FITS:
            _fitting(Answer(200, JSON, encode(answer)), wrap, limit)

    answer = _handled(event, method, path, routes, fits)
    try:
        return _fitting(answer, wrap, limit)
    except AnswerTooLarge as error:
        return wrap(routes.refusal(error))


def _handled(event: Envelope, method: str, path: str, routes: Routes, fits: Fits) -> Answer:
    headers = _headers(event)
    request_id = headers.get("x-request-id") or _context(event).get("requestId")
    try:
        _require_plain(headers)
        body = _body(event)
    except CallerFault as error:
        return routes.refusal(error)
    named = request_id if isinstance(request_id, str) and request_id else None
    return routes.handle(method.upper(), path, headers, body, named, fits=fits)


def _headers(event: Envelope) -> dict[str, str]:
    """The headers by their names in lower case; of several values the last."""
    many, single = event.get("multiValueHeaders"), event.get("headers")
    found = {name: values[-1] for name, values in _items(many) if isinstance(values, list) and values}
    found |= dict(_items(single))
    return {name.lower(): value for name, value in found.items() if isinstance(value, str)}


def _items(headers: Any) -> Iterator[tuple[str, Any]]:
    yield from headers.items() if isinstance(headers, dict) else ()


def _require_plain(headers: Mapping[str, str]) -> None:
    """Raise UnsupportedMediaType for a compressed body."""
    if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise UnsupportedMediaType("the body is compressed: send it as it is, without content-encoding")


def _body(event: Envelope) -> bytes:
    """The body as it was sent. Raises BrokenJson or InvalidEvent."""
    body = event.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise InvalidEvent("the body of an envelope must be a string")
    try:
        return a2b_base64(body, strict_mode=True) if event.get("isBase64Encoded") is True else body.encode()
    except ValueError:
        raise BrokenJson("the body can't be read: it is neither base64 nor UTF-8") from None


def _without_stage(path: str, stage: Any) -> str:
    """The path below the stage, which stands before it unless it is the default one."""
    if not isinstance(stage, str) or not path.startswith(f"/{stage}/"):
        return path
    return path.removeprefix(f"/{stage}")


def _filled(event: Envelope) -> str | None:
    """The path below stage and base path: the resource with its parameters filled in, None where that can't be done."""
    resource, parameters = event.get("resource"), event.get("pathParameters") or {}
    if not isinstance(resource, str) or not resource.startswith("/") or not isinstance(parameters, dict):
        return None
    for name, value in parameters.items():
        if isinstance(value, str):
            resource = resource.replace(f"{{{name}+}}", value.lstrip("/")).replace(f"{{{name}}}", value)
    return None if "{" in resource else resource


def _plain(answer: Answer) -> dict[str, Any]:
    return {
        "statusCode": answer.status,
        "headers": answer.headers,
        "body": answer.body.decode(),
        "isBase64Encoded": False,
    }


def _described(answer: Answer) -> dict[str, Any]:
    from http import HTTPStatus

    return {"statusDescription": f"{answer.status} {HTTPStatus(answer.status).phrase}", **_plain(answer)}


def _described_many(answer: Answer) -> dict[str, Any]:
    wrapped = _described(answer)
    headers = wrapped.pop("headers")
    return {**wrapped, "multiValueHeaders": {name: [value] for name, value in headers.items()}}


def _fitting(answer: Answer, wrap: Wrap, limit: int) -> dict[str, Any]:
    """The answer in its envelope. Raises AnswerTooLarge."""
    wrapped = wrap(answer)
    if len(answer.body) * ESCAPED > limit:
        size = len(json.dumps(wrapped))
        if size > limit:
            raise AnswerTooLarge(
                f"the answer has {size:,} bytes, {limit:,} can be returned; ask for fewer rows or reasons"
            )
    return wrapped


def _item_batch(event: Envelope, function: Function, request_id: str | None) -> Any:
    shared = event.get("BatchInput")
    controls = {name: shared[name] for name in CONTROLS if name in shared} if isinstance(shared, dict) else {}
    return function.engine.answer({"instances": event["Items"], **controls}, request_id, fits=require_fit)


ENVELOPES: tuple[tuple[Callable[[Any], bool], Handler], ...] = (
    (_is_http_api, _http_api),
    (_is_balancer, _balancer),
    (_is_rest_api, _rest_api),
    (_is_item_batch, _item_batch),
)
