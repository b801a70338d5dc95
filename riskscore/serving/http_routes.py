"""The paths, methods and statuses that the function and the service share, without any framework.

    POST /predict, POST /models/{name}/predict    one event as lambda_handler takes it
    GET /models, GET /models/{name}               what is served; one model's contract
    GET /health                                   alive

One row that can't be scored answers with the status of its error; a list answers 200 with such rows in their places.
What is refused as a whole, or is our fault, answers {"error": {...}}.
"""

from __future__ import annotations

import json

from riskscore.errors import (
    BodyTooLarge,
    BrokenJson,
    CallerFault,
    InternalError,
    InvalidEvent,
    MethodNotAllowed,
    RiskscoreError,
    UnknownPath,
    UnsupportedMediaType,
    status,
    status_of,
)
from riskscore.fault_log import report
from riskscore.scoring.events import LAMBDA_BYTES
from riskscore.scoring.gc_pause import Paused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from riskscore.scoring.engine import Engine, Fits
    from riskscore.serving.model_info import ModelInfo

    Handler = Callable[["Routes", "Request"], Any]

LARGE_BYTES = 100_000  # of a body: some hundred rows
JSON = {"content-type": "application/json"}
BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # some editors begin a file with it; the codec that takes it off is Python, and slow
ENCODER = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":"))


def encode(answer: Any) -> bytes:
    """The one way in which an answer becomes bytes, whichever interface it leaves by."""
    return ENCODER.encode(answer).encode("utf-8")


class Answer:
    """An HTTP answer. Header names are in lower case.

    spent: what it was made of, so that a large request is let go of when its client has the answer, and not before.
    """

    __slots__ = ("body", "headers", "spent", "status")

    def __init__(self, status: int, headers: dict[str, str], body: bytes, spent: Any = None) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.spent = spent


class Request:
    """An HTTP request. name: the model that its path names; header names are in lower case."""

    __slots__ = ("body", "caller", "event", "fits", "headers", "name", "request_id")

    def __init__(
        self,
        headers: Mapping[str, str],
        body: bytes,
        request_id: str | None,
        caller: str | None,
        fits: Fits | None = None,
    ) -> None:
        self.name = ""
        self.event: Any = None
        self.headers = headers
        self.body = body
        self.request_id = request_id
        self.caller = caller
        self.fits = fits


def parse(body: bytes | str) -> Any:
    """The JSON of a body. Raises BrokenJson."""
    try:
        return json.loads(body.removeprefix(BYTE_ORDER_MARK).decode() if isinstance(body, bytes) else body)
    except UnicodeDecodeError:
        raise BrokenJson("the body is not JSON: it is not in UTF-8") from None
    except RecursionError:
        raise BrokenJson("the body is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise BrokenJson(f"the body is not JSON: line {error.lineno}, column {error.colno}") from None
    except ValueError:  # a whole number of thousands of digits
        raise BrokenJson("the body holds a number that is too long") from None


class Routes:
    """Answers HTTP requests.

    limit: bytes of a body; report: told of every fault of ours, since it is answered here; parse, encode: as those
    above, byte for byte, if sooner.
    """

    def __init__(
        self,
        engine: Engine,
        model_info: ModelInfo,
        limit: int = LAMBDA_BYTES,
        report: Callable[[Exception], None] = report,
        parse: Callable[[bytes], Any] = parse,
        encode: Callable[[Any], bytes] = encode,
    ) -> None:
        self._engine = engine
        self._describe = model_info
        self._limit = limit
        self._report = report
        self._parse = parse
        self._encode = encode

    def handle(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        request_id: str | None = None,
        caller: str | None = None,
        fits: Fits | None = None,
    ) -> Answer:
        """The answer to one request; never raises. headers: names in lower case; fits: as the engine takes it."""
        try:
            with Paused(len(body) > LARGE_BYTES):
                answer = self._answered(method, path, Request(headers, body, request_id, caller, fits))
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer and we get told
            answer = self.refusal(error)
        return Answer(answer.status, answer.headers, b"") if method == "HEAD" else answer

    def _answered(self, method: str, path: str, request: Request) -> Answer:
        handlers, request.name = _resolved(path)
        if method == "OPTIONS":
            return Answer(204, {"allow": _allowed(handlers)}, b"")
        handler = handlers.get("GET" if method == "HEAD" else method)
        if handler is None:
            raise MethodNotAllowed(_allowed(handlers))
        code, answer = handler(self, request)
        return Answer(code, {**JSON}, self._encode(answer), (request.event, answer))

    def instead(self, answer: Answer, known: Any) -> Answer:
        """The answer that a request got before, in the place of the one that it would get now."""
        event, _ = answer.spent
        return Answer(_status(event, known), {**JSON}, self._encode(known))

    def refusal(self, error: Exception) -> Answer:
        """The answer that an error is; told of where it is our fault."""
        if not isinstance(error, CallerFault):
            self._report(error)
        known = error if isinstance(error, RiskscoreError) else InternalError("the request could not be answered")
        headers = {**JSON, "allow": known.allowed} if isinstance(known, MethodNotAllowed) else {**JSON}
        return Answer(status(known), headers, encode({"error": known.answer()}))

    def predict(self, request: Request) -> tuple[int, Any]:
        return self._scored(self._event(request), request)

    def predict_with(self, request: Request) -> tuple[int, Any]:
        self._describe.find(request.name)
        return self._scored(_for_model(self._event(request), request.name), request)

    def models(self, _: Request) -> tuple[int, Any]:
        return 200, self._describe.models()

    def model(self, request: Request) -> tuple[int, Any]:
        return 200, self._describe.model(request.name)

    def health(self, _: Request) -> tuple[int, Any]:
        return 200, {"status": "ok"}

    def _event(self, request: Request) -> Any:
        if not _is_json(request.headers.get("content-type")):
            raise UnsupportedMediaType(
                "the body must be JSON: send it with content-type application/json "
                "(curl: -H 'content-type: application/json')"
            )
        if len(request.body) > self._limit:
            raise BodyTooLarge(
                f"the body has {len(request.body):,} bytes; at most {self._limit:,} are accepted at once"
            )
        return self._parse(request.body)

    def _scored(self, event: Any, request: Request) -> tuple[int, Any]:
        request.event = event
        options: dict[str, Any] = {"request_id": request.request_id, "caller": request.caller, "fits": request.fits}
        answer = self._engine.answer(event, **{name: said for name, said in options.items() if said is not None})
        return _status(event, answer), answer


ROUTES: dict[str, dict[str, Handler]] = {
    "/predict": {"POST": Routes.predict},
    "/models": {"GET": Routes.models},
    "/models/*": {"GET": Routes.model},
    "/models/*/predict": {"POST": Routes.predict_with},
    "/health": {"GET": Routes.health},
}


def _resolved(path: str) -> tuple[dict[str, Handler], str]:
    """The handlers of a path by method, and the model's name in it."""
    if path in ROUTES and "*" not in path:
        return ROUTES[path], ""
    match path.split("/"):
        case ["", start, name] if name:
            pattern = f"/{start}/*"
        case ["", start, name, end] if name:
            pattern = f"/{start}/*/{end}"
        case _:
            pattern = name = ""
    if pattern not in ROUTES:
        raise UnknownPath(f"no such path; there are {', '.join(ROUTES).replace('*', '{name}')}")
    if "%" in name:
        from urllib.parse import unquote

        name = unquote(name)
    return ROUTES[pattern], name


def _allowed(handlers: Mapping[str, Handler]) -> str:
    return ", ".join([*handlers, *(["HEAD"] if "GET" in handlers else []), "OPTIONS"])


def _is_json(content_type: str | None) -> bool:
    """Whether a content-type says JSON, or nothing."""
    if not content_type:
        return True
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def _for_model(event: Any, name: str) -> Any:
    """The event, for the model of its path: a list where it holds many rows, so that its answer is one."""
    many = isinstance(event, dict) and "instances" in event
    rows = event["instances"] if many else event
    said = [*(rows if isinstance(rows, list) else []), event]
    if any(isinstance(item, dict) and item.get("model", name) != name for item in said):
        raise InvalidEvent(f"the path names {name}, the event another model", "model")
    if isinstance(event, list):
        return {"instances": event, "model": name}
    return event | {"model": name} if isinstance(event, dict) else event


def _status(event: Any, answer: Any) -> int:
    """200, or the status of the error where what was asked for can't be scored as a whole."""
    many = isinstance(event, list) or (isinstance(event, dict) and "instances" in event)
    row = answer[0] if isinstance(answer, list) and not many else answer
    refused = isinstance(row, dict) and row.get("outcome") == "invalid" and isinstance(row.get("error"), dict)
    return status_of(row["error"]["type"]) if refused else 200
