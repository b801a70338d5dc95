"""Runs a command with DATABASE_URL set to a local PostgreSQL with the sample data; without a command, shows the URL."""

from __future__ import annotations

import argparse
import subprocess
import sys
from contextlib import suppress
from threading import Event
from typing import TYPE_CHECKING

from riskscore.cli import DONE, parsed
from riskscore.local.sample_database import sample_database

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run it; the command's own status, 0 where there is none and the ledgers stay until a stop."""
    command = parsed(_parser(), arguments).command
    with sample_database(filling=lambda: print("simulating the sample ledgers ...", file=sys.stderr)) as url:
        if not command:
            return _stay(url)
        return _command(command, {**environ, "DATABASE_URL": url})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(usage="%(prog)s [-h] [COMMAND ARGUMENT ...]", description=__doc__)
    parser.add_argument("command", nargs=argparse.REMAINDER, help="what to run, with its arguments")
    return parser


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
