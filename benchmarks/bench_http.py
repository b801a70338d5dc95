"""Measure the HTTP service beside the usual one, on loopback, all in one run, and print one table.

The services take turns, so that a busy machine is unjust to none; one process each, and the load from another one.
`plain` is benchmarks/plain_service.py: a pydantic model, joblib.load, predict_proba. Only the ratios mean something.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import httpx

from benchmarks.places import ENVIRON, ROOT
from benchmarks.rows import draw_events
from benchmarks.table import duration, machine, write_page
from benchmarks.turns import in_turns, middle_half, percentile
from riskscore.program import DONE, OUR_FAULT, run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PAGE = ROOT / "docs" / "BENCHMARKS.md"
CONNECTIONS = (1, 8, 32)
ASKED = {"no reasons": 3.0, "4 reasons": 1.5}  # times the plain service's requests a second, at 8 connections
BODIES = 500  # different rows, because the same row again and again would only show caches
BULK = 10_000
START_SECONDS = 60
PLAIN = [sys.executable, "-m", "uvicorn", "benchmarks.plain_service:app", "--no-access-log", "--log-level", "error"]
OURS = [sys.executable, str(ROOT / "scripts" / "serve_http.py"), "--workers", "1"]


class Contender(NamedTuple):
    """port, process: of its service; extra: what its events say beside the row."""

    port: int
    process: int
    extra: Mapping[str, Any]


class Figures(NamedTuple):
    """One round: requests a second, the service's processor time for each, two percentiles of the time to an answer.

    Processor time is what a request costs however busy the machine is; seconds, but for the rate.
    """

    rate: float
    cost: float
    p50: float
    p99: float


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Print the table; 1 where a promised ratio was not met. --quick never judges."""
    options = _parser().parse_args(arguments)
    described = machine()
    rounds, seconds = (1, 0.3) if options.quick else (options.rounds, options.seconds)
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        contenders = _started(stack, folder, environ)
        rows = draw_events(ROOT, BODIES)
        found = {count: _measured(contenders, rows, count, rounds, seconds) for count in CONNECTIONS}
        bulk = [_bulk(contenders["ours, no reasons"]) for _ in range(rounds)]
    text, unmet = _report(found, bulk)
    report = f"{described}\n\n{text}"
    print(report)
    if options.page:
        write_page(PAGE, "make bench-http", report)
    for line in unmet:
        print(f"not met: {line}", file=sys.stderr)
    return OUR_FAULT if unmet and not options.quick else DONE


def _started(stack: ExitStack, folder: str, environ: Mapping[str, str]) -> dict[str, Contender]:
    """Three services on ports of their own: the plain one, ours, and ours with a ledger on this disk."""
    inherited = {
        name: value for name, value in environ.items() if not name.startswith(("RISKSCORE_", "PG", "DATABASE"))
    }
    plain = stack.enter_context(_running(5081, [*PLAIN, "--port", "5081"], inherited, "/docs"))
    without = {**inherited, "RISKSCORE_LEDGER": ""}
    ours = stack.enter_context(_running(5082, [*OURS, "--port", "5082"], without, "/ready"))
    kept = {**inherited, "RISKSCORE_LEDGER": f"sqlite:///{folder}/ledger.db"}
    ledger = stack.enter_context(_running(5083, [*OURS, "--port", "5083"], kept, "/ready"))
    return {
        "plain": Contender(*plain, {}),
        "ours, no reasons": Contender(*ours, {"reasons": 0}),
        "ours, 4 reasons": Contender(*ours, {"reasons": 4}),
        "ours, 4 reasons, ledger": Contender(*ledger, {"reasons": 4}),
    }


@contextmanager
def _running(port: int, command: Sequence[str], environ: Mapping[str, str], path: str) -> Iterator[tuple[int, int]]:
    process = subprocess.Popen(
        command, cwd=ROOT, env={**environ, **ENVIRON}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        limit = time.monotonic() + START_SECONDS
        while process.poll() is None and time.monotonic() < limit:
            try:
                httpx.get(f"http://127.0.0.1:{port}{path}").raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.1)
        else:
            raise SystemExit(f"{' '.join(command[1:3])} did not start on port {port}")
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(40)


def _measured(
    contenders: Mapping[str, Contender], rows: list[dict[str, Any]], connections: int, rounds: int, seconds: float
) -> dict[str, list[Figures]]:
    def turn(contender: Contender) -> Figures:
        bodies = [json.dumps({**row, **contender.extra}) for row in rows]
        asked = {"port": contender.port, "path": "/predict", "bodies": bodies, "connections": connections}
        before = _spent(contender.process)
        said = _load({**asked, "duration": seconds})
        cost = (_spent(contender.process) - before) / len(said["seconds"])
        return Figures(said["rate"], cost, percentile(said["seconds"], 0.5), percentile(said["seconds"], 0.99))

    turns = {name: (lambda contender=contender: turn(contender)) for name, contender in contenders.items()}
    return in_turns(turns, rounds)


def _spent(process: int) -> float:
    """Processor time of a process so far, as the kernel counts it."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _load(asked: Mapping[str, Any]) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"], cwd=ROOT, input=json.dumps(asked).encode(), stdout=-1, check=True
    )
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def _bulk(ours: Contender) -> float:
    """Seconds of one call of many rows; the second of two, since the first loads what only many rows need."""
    body = json.dumps(draw_events(ROOT, BULK))
    said = _load({"port": ours.port, "path": "/predict", "bodies": [body], "connections": 1, "duration": 1.0})
    return median(said["seconds"])


def _report(found: Mapping[int, Mapping[str, Sequence[Figures]]], bulk: Sequence[float]) -> tuple[str, list[str]]:
    """The table, and the promises that were not kept."""
    head = ("connections", "service", "requests/s", "cpu each", "p50", "p99", "times plain", "middle half", "by cpu")
    lines, unmet = [head], []
    for connections, services in found.items():
        for name, figures in services.items():
            ratios = [ours.rate / plain.rate for ours, plain in zip(figures, services["plain"], strict=True)]
            low, high = middle_half(ratios)
            by_cpu = median(plain.cost / ours.cost for ours, plain in zip(figures, services["plain"], strict=True))
            times = (f"{median(ratios):.2f}", f"{low:.2f} to {high:.2f}", f"{by_cpu:.2f}")
            shown = [median(column) for column in zip(*figures, strict=True)]
            lines.append((str(connections), name, f"{shown[0]:,.0f}", *map(duration, shown[1:]), *times))
            asked = ASKED.get(name.removeprefix("ours, "), 0.0)
            if connections == 8 and median(ratios) < asked:
                unmet.append(f"{name}: {median(ratios):.2f} times plain, asked for {asked:g}")
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    calls = {name: BULK / median(figure.rate for figure in found[8][name]) for name in ("ours, no reasons", "plain")}
    text += ["", f"{BULK:,} rows in one call of ours: {duration(median(bulk))};"]
    text += [f"in {BULK:,} calls by 8 connections, at the rate above: {duration(calls['ours, no reasons'])},"]
    text += [f"plain {duration(calls['plain'])}"]
    return "\n".join(text), unmet


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench_http.py", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round: to see that it works")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each service (%(default)s)")
    parser.add_argument("--seconds", type=float, default=1.0, help="of a turn (%(default)s)")
    parser.add_argument("--page", action="store_true", help="also renew the table of docs/BENCHMARKS.md")
    return parser


if __name__ == "__main__":
    run(main)
