"""scripts/score.py on files, beside a bare loop that reads, predicts and writes, and checks nothing."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.places import ENVIRON, ROOT
from benchmarks.rows import MODEL, draw_events
from benchmarks.table import Line, Section
from benchmarks.turns import in_turns, timed

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.places import Places

KINDS = (".csv", ".jsonl")


def files(places: Places, rows: int, rounds: int) -> Section:
    """Whole programs, their start included."""
    with tempfile.TemporaryDirectory(prefix="riskscore-bench-") as name:
        folder = Path(name)
        _write_rows(places.task, folder, rows)
        contenders: dict[str, Callable[[], float]] = {}
        for kind in KINDS:
            contenders[f"score.py {kind}"] = timed(partial(_score, folder, kind))
            contenders[f"plain {kind}"] = timed(partial(_plain, places.task, folder, kind))
        found = in_turns(contenders, rounds, warm_up=0)
    return Section(
        f"scripts/score.py, a file of {rows:,} rows into another of its kind ({rounds} rounds)",
        [
            Line(
                f"score.py, {kind}",
                found[f"score.py {kind}"],
                "bare loop around inplace_predict",
                found[f"plain {kind}"],
                shown=lambda seconds: f"{rows / seconds:,.0f} rows/s",
            )
            for kind in KINDS
        ],
    )


def _write_rows(task: Path, folder: Path, rows: int) -> None:
    events = draw_events(task, rows)
    with (folder / "rows.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(event) + "\n" for event in events)
    flat = [{**event, **event["features"]} for event in events]
    with (folder / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [name for name in flat[0] if name != "features"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(flat)


def _score(folder: Path, kind: str) -> None:
    files = ("--input", str(folder / f"rows{kind}"), "--output", str(folder / f"scores{kind}"))
    _run(str(ROOT / "scripts" / "score.py"), MODEL, *files)


def _plain(task: Path, folder: Path, kind: str) -> None:
    model = task / "model" / MODEL / "model.json"
    _run(
        str(ROOT / "benchmarks" / "plain_scoring.py"),
        *map(str, (model, folder / f"rows{kind}", folder / f"plain{kind}")),
    )


def _run(*command: str) -> None:
    done = subprocess.run(
        [sys.executable, *command], env={**os.environ, **ENVIRON}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{Path(command[0]).name} ended with status {done.returncode}: {done.stderr[-500:]}")
