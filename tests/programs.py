"""The programs in the process of the tests: what they print and how they end, without a start of Python."""

from __future__ import annotations

import io
import os
import runpy
import signal
import sys
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from subprocess import CompletedProcess
from typing import TYPE_CHECKING
from unittest.mock import patch

from tests.scoring_examples import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


def run(
    program: str, *arguments: object, environ: Mapping[str, str] | None = None, folder: Path = ROOT
) -> CompletedProcess[str]:
    """What `python scripts/PROGRAM.py ARGUMENTS`, or `riskscore PROGRAM ARGUMENTS`, comes to, started in a folder.

    environ: instead of the environment.
    """
    of_scripts = program.endswith(".py")
    path = str(ROOT / "scripts" / program if of_scripts else ROOT / "riskscore" / "__main__.py")
    given = [*([] if of_scripts else [program]), *map(str, arguments)]
    output, errors = io.StringIO(), io.StringIO()
    with (
        _as_it_was(),
        patch.dict(os.environ, environ or {}, clear=environ is not None),
        patch.object(sys, "argv", [path, *given]),
        chdir(folder),
        redirect_stdout(output),
        redirect_stderr(errors),
    ):
        try:
            runpy.run_path(path, run_name="__main__")
            status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 0
    return CompletedProcess([path, *given], status, output.getvalue(), errors.getvalue())


@contextmanager
def _as_it_was() -> Iterator[None]:
    """What a program changes of its process, changed back."""
    places, handler = [*sys.path], signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        sys.path[:] = places
        signal.signal(signal.SIGTERM, handler)
