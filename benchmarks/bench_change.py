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
from riskscore.scoring.engine import Engine
from riskscore.serving.deployment import Deployment
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
    plain, change = zip(*found, strict=True)
    more = [max(longer - shorter, 0.0) for shorter, longer in found]
    figures = {"4 reasons": plain, "4 reasons and change": change, "change alone": more}
    for name, seconds in {**figures, "its processor time": _processor(rows)}.items():
        shown = ", ".join(f"p{share * 100:g} {duration(percentile(seconds, share))}" for share in SHARES)
        print(f"{name:<22} {shown}; {len(rows):,} adverse rows, one at a time")
    return DONE


def _processor(rows: Sequence[dict[str, Any]]) -> list[float]:
    """Processor time of the same in this process, which a busy machine affects least."""
    deployment = Deployment({}, str(ROOT))
    engine = Engine(deployment.find, deployment.default_model, deployment.look_up)
    deployment.find(deployment.default_model).prepare()

    def seconds(row: dict[str, Any], *, change: bool) -> float:
        started = time.process_time()
        engine.answer({**row, "change": change})
        return time.process_time() - started

    seconds(rows[0], change=True)
    return [max(seconds(row, change=True) - seconds(row, change=False), 0.0) for row in rows]


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
