"""A request as the service meets it: its id, its key, its body, and how its answer is sent."""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING, Any

from riskscore.errors import BodyTooLarge, CrossSite, InvalidEvent, KeyNeeded
from riskscore.service.settings import holder

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, MutableMapping

    from riskscore.serving.http_routes import Answer

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]

PEOPLE = frozenset({"/", "/upload", "/docs", "/openapi.json", "/style.css", "/icon.svg", "/ready", "/metrics"})
KNOWN = PEOPLE | {"/predict", "/models", "/health"}
OPEN = frozenset({"/health", "/ready"})  # asked by machines that watch, which have no key
PLAIN_ID = re.compile(r"[\x21-\x7e]{1,200}")


class Gone(Exception):
    """The client hung up before its request was whole; there is nobody to answer."""


class Request:
    """One request under way. headers: by lower-case name."""

    __slots__ = ("body", "caller", "headers", "id", "method", "path", "scope", "started")

    def __init__(self, scope: Message) -> None:
        self.started = time.perf_counter()
        self.scope = scope
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        self.id = self.headers.get("x-request-id") or os.urandom(16).hex()
        self.caller: str | None = None
        self.body = b""

    def admit(self, keys: Mapping[bytes, str]) -> None:
        """Refuse what doesn't deserve to be read."""
        if not PLAIN_ID.fullmatch(self.id):
            self.id = os.urandom(16).hex()
            raise InvalidEvent("X-Request-Id must be 1 to 200 visible ASCII characters")
        if keys:
            self.caller = holder(keys, self.headers)
            if self.caller is None and self.path not in OPEN:
                raise KeyNeeded("a key is needed: send it as X-API-Key")
        if self.method == "POST" and self.path in PEOPLE and self.headers.get("sec-fetch-site") == "cross-site":
            raise CrossSite("this form was sent from the page of another site")

    def route(self) -> str:
        """The path's pattern, for logs and counters: what stands in the path itself may be anything."""
        if self.path in KNOWN:
            return self.path
        if self.path.startswith("/models/"):
            return "/models/{name}/predict" if self.path.endswith("/predict") else "/models/{name}"
        return "other"

    def is_table(self) -> bool:
        media = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        return media == "text/csv" and self.method == "POST" and self.path.endswith("/predict")


async def read_body(headers: Mapping[str, str], receive: Receive, limit: int) -> bytes:
    """The request's body; one that is or grows too large is refused without being kept."""
    declared = headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise BodyTooLarge(f"the body has {int(declared):,} bytes; at most {limit:,} are taken at once")
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise BodyTooLarge(f"the body has more than {limit:,} bytes, which is what is taken at once")
        parts.append(part)
        more = message.get("more_body", False)
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def send_answer(send: Send, request: Request, answer: Answer) -> None:
    headers = {"content-length": str(len(answer.body))} | answer.headers | {"x-request-id": request.id}
    if answer.status == 401:
        headers["www-authenticate"] = 'Basic realm="riskscore", charset="UTF-8"'  # browsers then ask for it
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
    await send({"type": "http.response.body", "body": answer.body})
