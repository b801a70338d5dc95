"""Shell lines of the docs, run in a folder that looks like the project's, so that none of them writes into it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.scoring_examples import ROOT
from tests.sql.test_sql_files import psql

LINKED = ("events", "lambda_function.py", "model", "riskscore", "scripts", "sql")
PROGRAMS = {"python": "", "riskscore": "-m riskscore"}  # as in an environment that is activated


def run_shell(folder: Path, commands: str, **environ: str) -> None:
    """Run the commands in the folder; raises AssertionError with their stderr where one fails."""
    for name in LINKED:
        (folder / name).symlink_to(ROOT / name)
    (folder / "bin").mkdir()
    for name, words in PROGRAMS.items():
        (folder / "bin" / name).write_text(f'#!/bin/sh\nexec {sys.executable} {words} "$@"\n')
        (folder / "bin" / name).chmod(0o755)
    path = f"{folder / 'bin'}:{Path(psql()).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=folder,
        env={**os.environ, "PATH": path, **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
