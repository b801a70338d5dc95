"""HTTP as uvicorn speaks it, with limits on what a client holds before its request has reached the application.

Whoever can connect can send half a header and wait, or one header without end: nobody has been asked for a key by
then. So the head of a request has a size and a time, an answer has to be taken, and the connections of a process are
numbered; where they are all in use, the one that has waited longest for a head makes room. What is refused here has
the shape that every refusal has.
"""

from __future__ import annotations

import functools
import resource
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from riskscore.errors import Busy, HeadersTooLarge, InvalidEvent, RequestTooSlow, RiskscoreError, status
from riskscore.service.settings import CONNECTIONS
from riskscore.serving.http_routes import encode

if TYPE_CHECKING:
    import asyncio

    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

HEAD_BYTES = 32_768  # of the first line and the headers
HEAD_SECONDS = 10.0  # from the connection, or from the answer before, until the head is whole
SLASH = ord("/")
LINGER_SECONDS = 2.0  # that a refused client may go on sending: closed at once, it would never read why


class GuardedProtocol(HttpToolsProtocol):
    """One connection. seconds: HEAD_SECONDS unless a request has less; most: connections of this process."""

    def __init__(self, *arguments: Any, seconds: float = HEAD_SECONDS, most: int = CONNECTIONS, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._seconds = seconds
        self._most = most
        self.since: float | None = self.loop.time()  # the client has been awaited; None while we are
        self._quiet = 0  # bytes that came since a head or a part of a body was whole
        self._unsent = 0
        self._refused = False
        self._wrong: RiskscoreError | None = None
        self._clock: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()
        if len(self.connections) > self._most:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._clock:
            self._clock.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._quiet += len(data)
        super().data_received(data)
        if self._quiet > HEAD_BYTES and not self._refused:
            self._refuse(_too_large())

    def on_headers_complete(self) -> None:
        came, self._quiet, self.since = self._quiet, 0, None
        if came > HEAD_BYTES and _size(self.url, self.headers) > HEAD_BYTES:  # a body may have come along
            self._wrong = _too_large()
            raise self._wrong  # uvicorn, whose parser calls this, then sends a 400
        if self.url[0] != SLASH:
            self._take_host_of_url()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._quiet = 0
        super().on_body(body)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete:  # no other was waiting behind it
            self._quiet = 0
            self.since = self.loop.time()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's text, of another shape
        self._refuse(self._wrong or InvalidEvent("this is not an HTTP/1.1 request"))

    def _take_host_of_url(self) -> None:
        """Of `GET http://host/path` the host counts, whatever the header says (RFC 9112, 3.2.2)."""
        url = httptools.parse_url(self.url)
        if url.host is None:
            raise ValueError
        name = b"[%b]" % url.host if b":" in url.host else url.host
        host = b"%b:%d" % (name, url.port) if url.port else name
        self.headers[:] = [(name, value) for name, value in self.headers if name != b"host"] + [(b"host", host)]

    def _make_room(self) -> None:
        """Close the connection that has been awaited longest; this one where none is."""
        others = (other for other in self.connections if isinstance(other, GuardedProtocol) and other is not self)
        waiting = [(other.since, id(other), other) for other in others if other.since is not None]
        if waiting:
            min(waiting)[2].transport.abort()
        else:
            self._refuse(Busy("all connections of this process are in use; try again"))

    def _watch(self) -> None:
        """Look, several times in the time that a head has, whether the client is overdue."""
        now, unsent = self.loop.time(), self.transport.get_write_buffer_size()
        if unsent != self._unsent:  # it is taking its answer
            self._unsent = unsent
            self.since = now if self.since is not None else None
        if self.since is None or now - self.since < self._seconds:
            self._clock = self.loop.call_later(self._seconds / 4, self._watch)
        elif unsent or self._refused:
            self.transport.abort()
        elif self._quiet:
            self._refuse(RequestTooSlow(f"the headers of the request took longer than {self._seconds:g} s"))
        else:
            self.transport.close()

    def _refuse(self, error: RiskscoreError) -> None:
        """Answer in the application's place, and end the connection."""
        self._refused = True
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_complete:
            if not cycle.more_body:  # the request before this one is answered first, and the last to be
                cycle.keep_alive = False
                return
            cycle.disconnected = True
            cycle.message_event.set()
        self.logger.warning(error.message)
        self.transport.write(_written(error))
        self.loop.call_later(LINGER_SECONDS, self.transport.close)


def guarded(seconds: float, most: int) -> functools.partial[GuardedProtocol]:
    """What uvicorn makes connections with. seconds: of a request; most: connections of a process, as files allow."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return functools.partial(GuardedProtocol, seconds=min(seconds, HEAD_SECONDS), most=min(most, max(files // 2, 1)))


def _size(url: bytes, headers: list[tuple[bytes, bytes]]) -> int:
    return len(url) + sum(len(name) + len(value) for name, value in headers)


def _too_large() -> HeadersTooLarge:
    return HeadersTooLarge(f"the headers of the request have more than {HEAD_BYTES:,} bytes")


def _written(error: RiskscoreError) -> bytes:
    """An error as a whole HTTP answer."""
    code, body = HTTPStatus(status(error)), encode({"error": error.answer()})
    head = (
        f"HTTP/1.1 {code.value} {code.phrase}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
        "cache-control: no-store\r\nx-content-type-options: nosniff\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body
