"""Measure the HTTP service beside the usual one, on loopback, all in one run, and print one table.

The services take turns, so that a busy machine is unjust to none; one process each, and the load from another one.
`plain` is benchmarks/plain_service.py: a pydantic model, joblib.load, predict_proba. Only the ratios mean something.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.http_services import TICK, Contender, others_started, probabilities, require_agreement, spent, started
from benchmarks.places import ROOT
from benchmarks.rows import draw_events
from benchmarks.table import duration, machine, write_page
from benchmarks.turns import in_turns, middle_half, percentile
from riskscore.cli import DONE, OUR_FAULT, run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Lines = list[tuple[str, ...]]

PAGE = ROOT / "docs" / "BENCHMARKS.md"
CONNECTIONS = (1, 8, 32)
ASKED = {"ours, no reasons": 3.0, "ours, 4 reasons": 1.5}  # times the plain service's requests a second, at 8
ASKED_P99 = 0.005  # seconds, at 8 connections
ASKED_P99_OPEN = 0.020  # seconds, at 1,000 requests a minute
ASKED_BULK = 0.08  # seconds of one call of many rows
RATE = 1_000 / 60  # requests a second of the open loop
OPEN_TURNS, OPEN_SECONDS = 3, 10.0
BODIES = 500  # different rows, because the same row again and again would only show caches
BULK = 10_000
HEAD = ("connections", "service", "requests/s", "cpu each", "p50", "p99", "times plain", "middle half", "by cpu")


class Figures(NamedTuple):
    """One round: requests a second, the service's processor time for each, two percentiles of the time to an answer.

    Processor time is what a request costs however busy the machine is; seconds, but for the rate.
    """

    rate: float
    cost: float
    p50: float
    p99: float


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Print the table; 1 where a promised figure was not met. --quick never judges."""
    options = _parser().parse_args(arguments)
    described = machine()
    rounds, seconds = (1, 0.3) if options.quick else (options.rounds, options.seconds)
    turns, minute = (1, 1.0) if options.quick else (OPEN_TURNS, OPEN_SECONDS)
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        contenders = started(stack, folder, environ)
        contenders |= others_started(stack, environ) if options.others else {}
        rows = draw_events(ROOT, BODIES)
        require_agreement(probabilities(contenders, rows[0]))
        found = {count: _measured(contenders, rows, count, rounds, seconds) for count in CONNECTIONS}
        paced = _paced(contenders, rows, turns, minute)
        bulk = [_bulk(contenders["ours, no reasons"]) for _ in range(rounds)]
    report = f"{described}\n\n{_report(found, paced, bulk)}"
    print(report)
    if options.page:
        write_page(PAGE, "make bench-http", report)
    unmet = _unmet(found, paced, bulk)
    for line in unmet:
        print(f"not met: {line}", file=sys.stderr)
    return OUR_FAULT if unmet and not options.quick else DONE


def _measured(
    contenders: Mapping[str, Contender], rows: list[dict[str, Any]], connections: int, rounds: int, seconds: float
) -> dict[str, list[Figures]]:
    def turn(contender: Contender) -> Figures:
        before = spent(contender.process)
        said = _load(contender, rows, seconds, connections=connections)
        cost = max(spent(contender.process) - before, TICK) / len(said["seconds"])
        return Figures(said["rate"], cost, percentile(said["seconds"], 0.5), percentile(said["seconds"], 0.99))

    turns = {name: (lambda contender=contender: turn(contender)) for name, contender in contenders.items()}
    return in_turns(turns, rounds)


def _paced(
    contenders: Mapping[str, Contender], rows: list[dict[str, Any]], rounds: int, seconds: float
) -> dict[str, list[float]]:
    """The times of all answers at a pace that is the same for every service."""
    turns = {
        name: (lambda contender=contender: _load(contender, rows, seconds, rate=RATE)["seconds"])
        for name, contender in contenders.items()
    }
    return {name: list(chain.from_iterable(turns)) for name, turns in in_turns(turns, rounds, warm_up=0).items()}


def _load(contender: Contender, rows: Sequence[Any], seconds: float, **loop: float) -> dict[str, Any]:
    bodies = [json.dumps(contender.said(row)) for row in rows]
    asked = {"port": contender.port, "path": contender.path, "bodies": bodies, "duration": seconds, **loop}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"], cwd=ROOT, input=json.dumps(asked).encode(), stdout=-1, check=True
    )
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def _bulk(ours: Contender) -> float:
    """Seconds of one call of many rows; not the first, which loads what only many rows need."""
    whole = ours._replace(said=list)
    return median(_load(whole, [draw_events(ROOT, BULK)], 1.0, connections=1)["seconds"])


def _report(
    found: Mapping[int, Mapping[str, Sequence[Figures]]], paced: Mapping[str, Sequence[float]], bulk: Sequence[float]
) -> str:
    lines = [HEAD]
    for connections, services in found.items():
        lines += [_line(str(connections), name, figures, services["plain"]) for name, figures in services.items()]
    calls = {name: BULK / median(figure.rate for figure in found[8][name]) for name in ("ours, no reasons", "plain")}
    return "\n".join(
        [
            *_aligned(lines),
            "",
            f"1,000 requests a minute, coming at random ({len(paced['plain']):,} of each service):",
            *_aligned([("service", "p50", "p99"), *(_pace(name, times) for name, times in paced.items())]),
            "",
            f"{BULK:,} rows in one call of ours: {duration(median(bulk))};",
            f"in {BULK:,} calls by 8 connections, at the rate above: {duration(calls['ours, no reasons'])},",
            f"plain {duration(calls['plain'])}",
        ]
    )


def _line(connections: str, name: str, figures: Sequence[Figures], plain: Sequence[Figures]) -> tuple[str, ...]:
    ratios = _ratios(figures, plain)
    low, high = middle_half(ratios)
    by_cpu = median(theirs.cost / ours.cost for ours, theirs in zip(figures, plain, strict=True))
    rate, *times = (median(column) for column in zip(*figures, strict=True))
    compared = (f"{median(ratios):.2f}", f"{low:.2f} to {high:.2f}", f"{by_cpu:.2f}")
    return (connections, name, f"{rate:,.0f}", *map(duration, times), *compared)


def _pace(name: str, times: Sequence[float]) -> tuple[str, ...]:
    return (name, duration(percentile(times, 0.5)), duration(percentile(times, 0.99)))


def _ratios(figures: Sequence[Figures], plain: Sequence[Figures]) -> list[float]:
    return [ours.rate / theirs.rate for ours, theirs in zip(figures, plain, strict=True)]


def _aligned(lines: Lines) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def _unmet(
    found: Mapping[int, Mapping[str, Sequence[Figures]]], paced: Mapping[str, Sequence[float]], bulk: Sequence[float]
) -> list[str]:
    """The promises that were not kept."""
    unmet, services = [], found[8]
    for name, asked in ASKED.items():
        ratio = median(_ratios(services[name], services["plain"]))
        if ratio < asked:
            unmet.append(f"{name}: {ratio:.2f} times plain, asked for {asked:g}")
        p99 = median(figures.p99 for figures in services[name])
        slow = {"at 8 connections": (p99, ASKED_P99)}
        slow["at 1,000 requests a minute"] = (percentile(paced[name], 0.99), ASKED_P99_OPEN)
        unmet += [
            f"{name}: p99 of {duration(time)} {where}, asked for {duration(limit)}"
            for where, (time, limit) in slow.items()
            if time >= limit
        ]
    if median(bulk) > ASKED_BULK:
        unmet.append(f"{BULK:,} rows in one call: {duration(median(bulk))}, asked for {duration(ASKED_BULK)}")
    return unmet


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench_http.py", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round: to see that it works")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each service (%(default)s)")
    parser.add_argument("--seconds", type=float, default=1.0, help="of a turn (%(default)s)")
    parser.add_argument(
        "--others", action="store_true", help="also MLflow and BentoML, installed once into .cache/bench"
    )
    parser.add_argument("--page", action="store_true", help="also renew the table of docs/BENCHMARKS.md")
    return parser


if __name__ == "__main__":
    run(main)
