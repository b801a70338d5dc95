"""Load on one address of this machine, from a process of its own (`python -m benchmarks.load`).

Closed loop: each connection sends its next request when it has its answer. Open loop: requests come when they come, as
those of many people do, whether the ones before are answered or not. A process of its own shares no interpreter with
what it measures. It reads answers as they are framed by content-length, which all of the services do, and nothing of
their contents but the status.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from itertools import cycle
from typing import Any

import uvloop

SEED = 20251120
KEPT = 2.0  # seconds that a free connection is used again: servers end one that is idle for longer, uvicorn after 5
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def request_bytes(path: str, body: bytes, host: str) -> bytes:
    """A POST of JSON over a kept connection."""
    head = (
        f"POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def opened(port: int) -> Connection:
    return await asyncio.open_connection("127.0.0.1", port, limit=2**26)


async def answered(connection: Connection, request: bytes) -> None:
    """Send a request and read its answer to the end."""
    reader, writer = connection
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"an answer was {head.partition(b' ')[2][:20]!r}")
    length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    await reader.readexactly(int(length))


async def turns(port: int, requests: list[bytes], until: float, first: int, seconds: list[float]) -> None:
    """Send requests in turn until the time is over, and note how long each answer took."""
    connection = await opened(port)
    k = first
    while time.perf_counter() < until:
        started = time.perf_counter()
        await answered(connection, requests[k % len(requests)])
        seconds.append(time.perf_counter() - started)
        k += 1
    connection[1].close()


async def closed_loop(port: int, requests: list[bytes], connections: int, duration: float) -> list[float]:
    """Seconds to each answer, of so many connections."""
    seconds: list[float] = []
    until = time.perf_counter() + duration
    await asyncio.gather(*(turns(port, requests, until, 97 * k, seconds) for k in range(connections)))
    return seconds


async def open_loop(port: int, requests: list[bytes], rate: float, duration: float) -> list[float]:
    """Seconds to each answer where so many requests come a second, at random, each on a connection that is free."""
    seconds: list[float] = []
    free: list[tuple[float, Connection]] = []  # since when each is free, the last one last
    gaps, coming, under_way = random.Random(SEED), cycle(requests), []

    async def one(request: bytes) -> None:
        started = time.perf_counter()
        since, connection = free.pop() if free else (0.0, None)
        if connection and since < started - KEPT:
            connection[1].close()
            connection = None
        connection = connection or await opened(port)
        await answered(connection, request)
        seconds.append(time.perf_counter() - started)
        free.append((time.perf_counter(), connection))

    at = time.perf_counter()
    until = at + duration
    while (at := at + gaps.expovariate(rate)) < until:
        await asyncio.sleep(at - time.perf_counter())
        under_way.append(asyncio.create_task(one(next(coming))))
    await asyncio.gather(*under_way)
    for _, (_, writer) in free:
        writer.close()
    return seconds


async def load(
    port: int, path: str, bodies: list[str], duration: float, connections: int = 0, rate: float = 0.0
) -> dict[str, Any]:
    """Requests a second, and the times of all answers; open where a rate is given, closed by connections else."""
    requests = [request_bytes(path, body.encode(), f"127.0.0.1:{port}") for body in bodies]
    started = time.perf_counter()
    many = open_loop(port, requests, rate, duration) if rate else closed_loop(port, requests, connections, duration)
    seconds = await many
    return {"rate": len(seconds) / (time.perf_counter() - started), "seconds": sorted(seconds)}


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    json.dump(uvloop.run(load(**asked)), sys.stdout)
