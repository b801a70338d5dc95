"""What make bench-http prints and judges, and its load: requests that come whether others are answered or not."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING

import pytest

from benchmarks import bench_http
from benchmarks.bench_http import ASKED, BULK, Figures
from benchmarks.http_services import OTHERS, SAME, require_agreement, spent
from benchmarks.load import SEED, load

if TYPE_CHECKING:
    from collections.abc import Mapping

PLAIN = Figures(1_000.0, 1e-3, 8e-3, 16e-3)
GOOD = {"ours, no reasons": Figures(3_000.0, 3e-4, 2e-3, 4e-3), "ours, 4 reasons": Figures(1_500.0, 6e-4, 4e-3, 4e-3)}


def measured(**changes: float) -> Mapping[int, Mapping[str, list[Figures]]]:
    """Figures that keep every promise, but for what is changed of the service without reasons."""
    ours = GOOD | {"ours, no reasons": GOOD["ours, no reasons"]._replace(**changes)}
    return {8: {name: [figures] for name, figures in {"plain": PLAIN, **ours}.items()}}


PACED = {name: [0.002] * 99 + [0.019] for name in ("plain", *ASKED)}
LATE = PACED | {"ours, 4 reasons": [0.002] * 98 + [0.021] * 2}


@pytest.mark.parametrize(
    ("found", "paced", "bulk", "unmet"),
    [
        (measured(), PACED, 0.08, []),
        (measured(rate=2_990.0), PACED, 0.08, ["ours, no reasons: 2.99 times plain, asked for 3"]),
        (measured(p99=6e-3), PACED, 0.08, ["ours, no reasons: p99 of 6.00 ms at 8 connections, asked for 5.00 ms"]),
        (
            *(measured(), LATE, 0.08),
            ["ours, 4 reasons: p99 of 21.0 ms at 1,000 requests a minute, asked for 20.0 ms"],
        ),
        (measured(), PACED, 0.09, ["10,000 rows in one call: 90.0 ms, asked for 80.0 ms"]),
    ],
)
def test_each_promise_that_is_not_kept_is_named(found, paced, bulk, unmet):
    assert bench_http._unmet(found, paced, [bulk]) == unmet


def test_the_table_has_every_service_at_every_load():
    lines = bench_http._report(measured(), PACED, [0.2]).splitlines()
    assert [line.split("  ")[0] for line in lines[1:4]] == ["8"] * 3
    assert lines[2].split()[1:4] == ["ours,", "no", "reasons"]
    assert lines[2].split()[-5:] == ["3.00", "3.00", "to", "3.00", "3.33"]
    assert "1,000 requests a minute, coming at random (100 of each service):" in lines
    assert any(line.split() == ["ours,", "4", "reasons", "2.00", "ms", "2.00", "ms"] for line in lines)
    assert f"in {BULK:,} calls by 8 connections, at the rate above: 3.33 s," in lines


async def asked_of_a_slow_service(**loop: float) -> int:
    """How many requests a load sends in half a second to a service that takes a fifth of it for each."""
    serving = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append(asyncio.current_task())
        with suppress(asyncio.IncompleteReadError):  # the load has hung up
            while head := await reader.readuntil(b"\r\n\r\n"):
                await reader.readexactly(int(head.partition(b"content-length: ")[2].split()[0]))
                await asyncio.sleep(0.1)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        sent = len((await load(port, "/", ["{}"], 0.5, **loop))["seconds"])
        await asyncio.gather(*serving)
    return sent


def test_an_open_loop_waits_for_no_answer():
    gaps, at, coming = Random(SEED), 0.0, 0
    while (at := at + gaps.expovariate(60)) < 0.5:
        coming += 1
    assert asyncio.run(asked_of_a_slow_service(rate=60)) == coming > 20


def test_a_closed_loop_does():
    assert 2 <= asyncio.run(asked_of_a_slow_service(connections=2)) <= 2 * 5


def test_the_services_of_others_are_pinned_to_the_same_estimator():
    assert all(set(SAME) < set(other.packages) for other in OTHERS.values())
    pins = [pin for other in OTHERS.values() for pin in other.packages]
    assert all("==" in pin for pin in pins)
    assert [name.split() for name in OTHERS] == [["MLflow", "3.17.2"], ["BentoML", "1.4.39"]]
    assert {f"{name.lower()}=={number}" for name, number in map(str.split, OTHERS)} <= set(pins)


def test_services_that_disagree_are_not_compared():
    require_agreement({"plain": 0.25, "other": 0.25 + 1e-8})  # a float of four bytes
    with pytest.raises(SystemExit, match=r"^the services disagree about a row: plain 0\.25, other 0\.3$"):
        require_agreement({"plain": 0.25, "other": 0.3})


def test_the_processor_time_of_a_service_is_that_of_its_processes_too():
    burn = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\nimport sys; sys.stdin.read()"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}])"
    process = subprocess.Popen([sys.executable, "-c", parent], stdin=-1, stdout=-1)
    process.stdout.readline()
    assert spent(process.pid) >= 0.29
    assert spent(os.getpid()) >= spent(process.pid)
    process.communicate()
