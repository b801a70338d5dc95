"""A request as the service meets it: its id, its key, its body, and how its answer is sent."""

from __future__ import annotations

import os
import re
import time
from io import BytesIO
from typing import TYPE_CHECKING, Any

from riskscore.errors import BodyTooLarge, Busy, InvalidEvent, KeyNeeded
from riskscore.service import origins
from riskscore.service.settings import holder

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from riskscore.service.settings import ServiceSettings
    from riskscore.serving.http_routes import Answer

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]

FORMS = frozenset({"/", "/upload", "/download", "/decide", "/docs"})
PEOPLE = FORMS | {"/card", "/openapi.json", "/style.css", "/icon.svg", "/ready", "/metrics"}
KNOWN = PEOPLE | {"/predict", "/models", "/health"}
OPEN = frozenset({"/health", "/ready"})  # asked by machines that watch, which have no key and know no name of ours
SAFE = {"cache-control": "no-store", "x-content-type-options": "nosniff"}  # of every answer that doesn't say otherwise
PLAIN_ID = re.compile(r"[\x21-\x7e]{1,200}")


class ClientDisconnected(Exception):
    """The client hung up before its request was whole; there is nobody to answer."""


class Request:
    """One request under way. headers: by lower-case name; whole: its body is there; held: its bytes that take room."""

    __slots__ = ("body", "caller", "headers", "held", "id", "method", "path", "scope", "started", "whole")

    def __init__(self, scope: Message) -> None:
        self.started = time.perf_counter()
        self.scope = scope
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        self.id = self.headers.get("x-request-id") or os.urandom(16).hex()
        self.caller: str | None = None
        self.body = b""
        self.whole = False
        self.held = 0

    def admit(self, settings: ServiceSettings) -> None:
        """Refuse what doesn't deserve to be read."""
        if not PLAIN_ID.fullmatch(self.id):
            self.id = os.urandom(16).hex()
            raise InvalidEvent("X-Request-Id must be 1 to 200 visible ASCII characters")
        if len(self.headers) < len(self.scope["headers"]):
            origins.require_single(self.scope["headers"])
        if self.path not in OPEN:
            origins.require_host(settings.hosts, self.headers)
        if self.method not in origins.READING:
            origins.require_own_origin(self.headers)
        if settings.keys:
            self.caller = holder(settings.keys, self.headers)
            if self.caller is None and self.path not in OPEN:
                raise KeyNeeded("an API key is required: send it as X-API-Key")
        if self.method == "POST":
            self._require_media_type()

    def _require_media_type(self) -> None:
        if self.path in FORMS:
            origins.require_form(self.headers)
        elif self.path.endswith("/predict"):
            origins.require_declared(self.headers)

    def route(self) -> str:
        """The path's pattern, for logs and counters: what stands in the path itself may be anything."""
        if self.path in KNOWN:
            return self.path
        if self.path.startswith("/models/"):
            return "/models/{name}/predict" if self.path.endswith("/predict") else "/models/{name}"
        return "other"

    def is_table(self) -> bool:
        return (
            self.method == "POST" and self.path.endswith("/predict") and origins.media_type(self.headers) == "text/csv"
        )


class BodyBudget:
    """The bytes of large bodies that a process holds at once: what many clients send together has an end too."""

    def __init__(self, most: int) -> None:
        self._left = most

    def take(self, size: int) -> None:
        """Raises Busy where so much isn't left."""
        if size > self._left:
            raise Busy("this process is already handling as many large bodies as it can; try again")
        self._left -= size

    def give_back(self, size: int) -> None:
        self._left += size


async def read_body(request: Request, receive: Receive, limit: int, room: BodyBudget) -> bytes:
    """The request's body; one that is or grows too large is refused without being kept."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise BodyTooLarge(f"the body has {int(declared):,} bytes; at most {limit:,} are accepted at once")
    message = await receive()
    first: bytes = message.get("body", b"")
    if not message.get("more_body", False) and message["type"] != "http.disconnect" and len(first) <= limit:
        return first  # nearly all
    whole = BytesIO()  # gives what it was given without a copy of it
    while True:
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        size = whole.write(message.get("body", b""))
        if whole.tell() > limit:
            raise BodyTooLarge(f"the body has more than {limit:,} bytes, which is the maximum")
        room.take(size)
        request.held += size
        if not message.get("more_body", False):
            return whole.getvalue()
        message = await receive()


async def send_answer(send: Send, request: Request, answer: Answer) -> None:
    headers = {"content-length": str(len(answer.body)), **SAFE, **answer.headers, "x-request-id": request.id}
    if answer.status == 401:
        headers["www-authenticate"] = 'Basic realm="riskscore", charset="UTF-8"'  # browsers then ask for it
    if answer.status == 408:
        headers["connection"] = "close"  # the rest of the request may still come
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
    await send({"type": "http.response.body", "body": answer.body})
