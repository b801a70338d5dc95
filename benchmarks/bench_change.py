"""How long the HTTP service takes to say what would have changed an adverse answer, beside the answer without it."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import httpx

from benchmarks.rows import draw_events
from benchmarks.table import duration, machine
from benchmarks.turns import percentile
from riskscore.cli import DONE, ROOT, run
from tests.running_service import running_service

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SHARES = (0.5, 0.99)


def main(arguments: Sequence[str], _: Mapping[str, str]) -> int:
    """Print p50 and p99 of single adverse rows, one at a time over loopback."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=300, help="adverse rows (%(default)s)")
    count = parser.parse_args(arguments).rows
    with (
        tempfile.TemporaryDirectory() as folder,
        running_service(Path(folder)) as service,
        httpx.Client(base_url=service.url) as client,
    ):
        rows = _adverse(client, count)
        for row in rows[:20]:
            _seconds(client, row, change=True)
        found = [(_seconds(client, row, change=False), _seconds(client, row, change=True)) for row in rows]
    print(machine())
    for name, seconds in zip(("4 reasons", "4 reasons and change"), zip(*found, strict=True), strict=True):
        shown = ", ".join(f"p{share * 100:g} {duration(percentile(seconds, share))}" for share in SHARES)
        print(f"{name:<22} {shown}; {len(rows):,} adverse rows, one at a time, ledger on")
    return DONE


def _adverse(client: httpx.Client, count: int) -> list[dict[str, Any]]:
    """Rows whose answer is the adverse one, the same ones every time."""
    found: list[dict[str, Any]] = []
    events = draw_events(ROOT, count * 10)
    for start in range(0, len(events), 500):
        part = events[start : start + 500]
        answers = client.post("/predict", json={"instances": part, "reasons": 0}, timeout=60).json()
        pairs = zip(part, answers, strict=True)
        found += [row for row, said in pairs if said["outcome"] == "scored" and said["prediction"]]
        if len(found) >= count:
            break
    return found[:count]


def _seconds(client: httpx.Client, row: dict[str, Any], *, change: bool) -> float:
    started = time.perf_counter()
    client.post("/predict", json={**row, "change": change}).raise_for_status()
    return time.perf_counter() - started


if __name__ == "__main__":
    run(main)
