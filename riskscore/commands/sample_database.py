"""Run a command with DATABASE_URL naming a local PostgreSQL that holds the sample ledgers; alone, show the URL."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from riskscore.cli import DONE, run
from riskscore.local.sample_database import sample_database

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    if arguments[:1] in (["-h"], ["--help"]):
        print(f"usage: sample_database.py [COMMAND ARGUMENT ...]\n\n{__doc__}")
        return DONE
    with sample_database(filling=lambda: print("simulating the sample ledgers ...", file=sys.stderr)) as url:
        if not arguments:
            return _stay(url)
        return _command(arguments, {**environ, "DATABASE_URL": url})


def _stay(url: str) -> int:
    with suppress(KeyboardInterrupt):  # which a stop from outside is too
        print(f"The sample ledgers, until Ctrl-C:\n  psql '{url}'", flush=True)
        Event().wait()
    return DONE


def _command(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """The command's exit status; a stop is passed on, and the database stays until the command has ended."""
    with subprocess.Popen(arguments, env=environ) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                process.terminate()


if __name__ == "__main__":
    run(main)
