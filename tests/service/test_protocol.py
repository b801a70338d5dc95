"""What a client may hold before anybody has looked at its key: heads, connections, bodies, answers; on real sockets."""

from __future__ import annotations

import json
import socket
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest

from riskscore.service.protocol import HEAD_BYTES
from tests.running_service import running_service
from tests.scoring_examples import EVENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.running_service import Service

HOST = b"Host: localhost\r\n"
JSON = b"Content-Type: application/json\r\n"
CONNECTIONS = 20
SECONDS = 2  # that a head, and a body, have here
A_MOMENT = 30  # after which a client that should have been answered wasn't


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    limits = {"RISKSCORE_TIMEOUT": str(SECONDS), "RISKSCORE_CONNECTIONS": str(CONNECTIONS)}
    only = {"RISKSCORE_MODELS": "credit_risk", "RISKSCORE_LEDGER": ""}
    with running_service(tmp_path_factory.mktemp("protocol"), **limits, **only) as running:
        yield running


def connected(service: Service) -> socket.socket:
    place = urlsplit(service.url)
    return socket.create_connection((place.hostname, place.port), A_MOMENT)


def said(client: socket.socket) -> bytes:
    """All that comes until the service ends the connection."""
    found = bytearray()
    try:
        while part := client.recv(65_536):
            found += part
    except ConnectionResetError:
        pass
    return bytes(found)


def refusal(answer: bytes) -> tuple[int, str]:
    """The status of an answer, and the type of the error in it; its shape is everybody's."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"\r\nconnection: close" in head
    assert b"\r\nx-content-type-options: nosniff" in head
    found: dict[str, Any] = json.loads(body)
    assert found.keys() == {"error"}
    assert found["error"].keys() == {"type", "message", "field"}
    return int(head.split()[1]), found["error"]["type"]


def healthy(service: Service) -> bool:
    return httpx.get(f"{service.url}/health", timeout=A_MOMENT).json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("start", "filler"),
    [
        (b"GET /health HTTP/1.1\r\n" + HOST + b"A: ", b"a" * 100_000),
        (b"GET /health HTTP/1.1\r\n" + HOST, b"A: b\r\n" * 20_000),
        (b"GET /", b"a" * 100_000),
        (b"GET /health HTTP/1.1\r\n" + HOST + b"a" * 100, b"a" * 100_000),
        (b"POST /predict HTTP/1.1\r\n" + HOST + JSON + b"Transfer-Encoding: chunked\r\n\r\n0\r\nA: ", b"a" * 100_000),
        (b"POST /predict HTTP/1.1\r\n" + HOST + JSON + b"Transfer-Encoding: chunked\r\n\r\n1;", b"a" * 100_000),
        (b"\r\n", b"\r\n" * 50_000),
    ],
    ids=["one header", "many headers", "the path", "a name", "a trailer", "an extension of a chunk", "empty lines"],
)
def test_what_has_no_end_is_refused_and_nobody_else_waits(service, start, filler) -> None:
    with connected(service) as client:
        client.sendall(start)
        for _ in range(20):
            client.sendall(filler)
        assert healthy(service)
        assert refusal(said(client)) in ((431, "headers_too_large"), (400, "invalid_event"))


@pytest.mark.parametrize(("size", "status"), [(HEAD_BYTES - 200, 200), (HEAD_BYTES + 1, 431)])
def test_a_head_that_comes_at_once_has_the_same_limit(service, size, status) -> None:
    with connected(service) as client:
        client.sendall(b"GET /health HTTP/1.1\r\n" + HOST + b"Connection: close\r\nA: " + b"a" * size + b"\r\n\r\n")
        assert int(said(client).split()[1]) == status


def test_a_large_body_right_behind_its_head_is_no_large_head(service) -> None:
    head = b"POST /predict HTTP/1.1\r\n" + HOST + JSON + b"Connection: close\r\nContent-Length: 200000\r\n\r\n"
    with connected(service) as client:
        client.sendall(head + json.dumps(EVENT).encode().ljust(200_000))
        assert said(client).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"", None),
        (b"\r\n", (408, "request_too_slow")),
        (b"GET /health HTT", (408, "request_too_slow")),
        (b"GET /health HTTP/1.1\r\n" + HOST + b"A: b", (408, "request_too_slow")),
        (b"POST /predict HTTP/1.1\r\n" + HOST + JSON + b"Content-Length: 100\r\n\r\n{", (408, "request_too_slow")),
    ],
    ids=["nothing", "an empty line", "half a line", "half a head", "half a body"],
)
def test_what_is_half_sent_is_not_waited_for_for_ever(service, sent, expected) -> None:
    with connected(service) as client:
        client.sendall(sent)
        found = said(client)
        assert (refusal(found) if found else None) == expected


def test_a_head_that_comes_drop_by_drop_has_one_time_for_all_of_it(service) -> None:
    begun = time.monotonic()
    with connected(service) as client:
        client.sendall(b"GET /health HTTP/1.1\r\n" + HOST)
        try:
            while time.monotonic() < begun + A_MOMENT:
                client.sendall(b"A: b\r\n")
                time.sleep(0.2)
        except OSError:
            return
    raise AssertionError("the service went on reading")


def test_a_connection_that_was_answered_serves_again_and_then_ends(service) -> None:
    with connected(service) as client:
        for _ in range(3):
            client.sendall(b"GET /health HTTP/1.1\r\n" + HOST + b"\r\n")
            answer = b""
            while not answer.endswith(b'{"status":"ok"}'):  # head and body may come in two pieces
                answer += client.recv(65_536)
            assert answer.startswith(b"HTTP/1.1 200 ")
        assert said(client) == b""


def test_more_half_sent_requests_than_connections_keep_nobody_out(service) -> None:
    waiting = [connected(service) for _ in range(300)]
    try:
        for client in waiting:
            client.sendall(b"POST /predict HTTP/1.1\r\n" + HOST + b"A: b")
            client.setblocking(False)
        assert healthy(service)
        assert httpx.post(f"{service.url}/predict", json=EVENT, timeout=A_MOMENT).status_code == 200
    finally:
        for client in waiting:
            client.close()


def test_where_every_connection_is_at_work_the_next_is_told_so(service) -> None:
    head = b"POST /predict HTTP/1.1\r\n" + HOST + JSON + b"Content-Length: 9\r\n\r\n"
    working = [connected(service) for _ in range(CONNECTIONS)]
    try:
        for client in working:
            client.sendall(head)
        time.sleep(0.3)
        with connected(service) as late:
            late.sendall(b"GET /health HTTP/1.1\r\n" + HOST + b"\r\n")
            assert refusal(said(late)) == (503, "busy")
    finally:
        for client in working:
            client.close()


def test_pipelined_requests_are_answered_and_what_is_wrong_behind_them_ends_the_connection(service) -> None:
    one = b"GET /health HTTP/1.1\r\n" + HOST + b"\r\n"
    with connected(service) as client:
        client.sendall(one + one + b"nonsense\r\n\r\n")
        assert said(client).count(b'{"status":"ok"}') >= 1
    assert healthy(service)


@pytest.mark.parametrize(
    ("target", "host", "status"),
    [
        (b"http://localhost:5001/models", b"Host: elsewhere.example\r\n", 200),
        (b"http://[::1]/models", b"Host: localhost\r\n", 200),
        (b"http://elsewhere.example/models", b"Host: localhost\r\n", 421),
        (b"http://localhost@elsewhere.example/models", b"Host: localhost\r\n", 421),
        (b"/models", b"Host: localhost\r\nHost: elsewhere.example\r\n", 400),
        (b"/models", b"Host: localhost\r\nhost: localhost\r\n", 400),
        (b"/models", b"", 421),
        (b"//elsewhere.example/models", b"Host: localhost\r\n", 404),
        (b"*", b"Host: localhost\r\n", 400),
        (b"localhost:80", b"Host: localhost\r\n", 400),
    ],
)
def test_the_host_is_that_of_the_request_line_where_it_has_one(service, target, host, status) -> None:
    with connected(service) as client:
        client.sendall(b"GET " + target + b" HTTP/1.1\r\nConnection: close\r\n" + host + b"\r\n")
        found = said(client)
    assert int(found.split()[1]) == status
    assert status == 200 or refusal(found)


def test_what_is_no_http_is_answered_like_the_rest(service) -> None:
    for sent in (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"hello\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"):
        with connected(service) as client:
            client.sendall(sent)
            assert refusal(said(client)) == (400, "invalid_event")
