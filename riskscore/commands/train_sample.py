"""Trains a shipped model on its simulated sample: a PostgreSQL database, or files."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
from typing import TYPE_CHECKING

from riskscore.cli import DONE, ROOT, model_argument, parsed
from riskscore.errors import InvalidFile
from riskscore.local.sample_database import sample_database
from riskscore.samples.commands import FILES, WITH_LEDGERS, process_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SAMPLES = ".cache/samples"
LEDGERS = "credit_risk"  # its sample lies in PostgreSQL, that of all others in FILES


def main(arguments: Sequence[str], _: Mapping[str, str]) -> int:
    """Train; the status of the first program that fails, 0 where the model was written."""
    parser = argparse.ArgumentParser(description=__doc__)
    model_argument(parser, help=f"{LEDGERS}, {', '.join(FILES)}")
    parser.add_argument("--out", default="", metavar="DIR", help="write to DIR/MODEL (default: model/)")
    options = parsed(parser, arguments)
    if options.model not in (LEDGERS, *FILES):
        raise InvalidFile(
            f"there are no simulated samples of {options.model}, only of {LEDGERS}, {', '.join(FILES)};"
            f" train a model of your own with riskscore train {options.model} --data FILE"
        )
    out = f" --out {shlex.quote(os.path.relpath(options.out, ROOT))}" if options.out else ""  # the programs run in ROOT
    if options.model not in FILES:
        with sample_database() as url:  # an embedded server's: it holds no password
            command = f"riskscore train {options.model} --database $DATABASE_URL{out}"
            print(f"$ {WITH_LEDGERS} bash -c {shlex.quote(command)}", flush=True)
            return _run([url if word == "$DATABASE_URL" else word for word in process_of(command)])
    files, folder = FILES[options.model], f"{SAMPLES}/{FILES[options.model].sample}"
    for command in (*files.commands(folder), f"riskscore train {options.model} --data {files.url(folder)}{out}"):
        print(f"$ {command}", flush=True)
        if status := _run(process_of(command)):
            return status
    return DONE


def _run(words: Sequence[str]) -> int:
    """The status of one of our programs."""
    return subprocess.run(words, cwd=ROOT, check=False).returncode
