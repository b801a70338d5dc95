"""Closed-loop load on one address of this machine: each connection sends its next request when it has its answer.

A process of its own (`python -m benchmarks.load`), so that it shares no interpreter with what it measures. It reads
answers as they are framed by content-length, which both services do, and nothing of their contents but the status.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import uvloop


def request_bytes(path: str, body: bytes, host: str) -> bytes:
    """A POST of JSON over a kept connection."""
    head = (
        f"POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def connection(port: int, requests: list[bytes], until: float, first: int, seconds: list[float]) -> None:
    """Send requests in turn until the time is over, and note how long each answer took."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**26)
    k = first
    while time.perf_counter() < until:
        started = time.perf_counter()
        writer.write(requests[k % len(requests)])
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"an answer was {head.partition(b' ')[2][:20]!r}")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length))
        seconds.append(time.perf_counter() - started)
        k += 1
    writer.close()


async def load(port: int, path: str, bodies: list[str], connections: int, duration: float) -> dict[str, Any]:
    """Requests a second, and the times of all answers."""
    requests = [request_bytes(path, body.encode(), f"127.0.0.1:{port}") for body in bodies]
    seconds: list[float] = []
    started = time.perf_counter()
    tasks = (connection(port, requests, started + duration, 97 * k, seconds) for k in range(connections))
    await asyncio.gather(*tasks)
    return {"rate": len(seconds) / (time.perf_counter() - started), "seconds": sorted(seconds)}


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    json.dump(uvloop.run(load(**asked)), sys.stdout)
