"""The service as run_api.sh starts it: a process of its own on a free port, with a ledger of its own."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx

from tests.conftest import ROOT, without_database
from tests.programs import run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

START_SECONDS = 60
PROGRAM = (sys.executable, str(ROOT / "scripts" / "serve_http.py"))


class Service(NamedTuple):
    """A running service. log: the file of its stderr; ledger: the file of its rows."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path
    ledger: Path


@contextmanager
def running_service(
    folder: Path, program: Sequence[str] = PROGRAM, place: Path = ROOT, **environ: str
) -> Iterator[Service]:
    """The service once it is ready, ended at the end. place: where it starts; environ adds to its environment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ledger, log = folder / "ledger.db", folder / "log"
    given = {"PORT": str(port), "RISKSCORE_WORKERS": "1", "RISKSCORE_LEDGER": f"sqlite:///{ledger}", **environ}
    with log.open("ab") as stderr:
        process = subprocess.Popen(
            program,
            cwd=place,
            env={**without_database(), **given},
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,
        )
    try:
        service = Service(f"http://127.0.0.1:{port}", process, log, ledger)
        _wait(service)
        yield service
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.wait()


def stored(service: Service, columns: str = "count(*)") -> list[Any]:
    with closing(sqlite3.connect(service.ledger)) as ledger:
        return ledger.execute(f"SELECT {columns} FROM riskscore_ledger").fetchall()


def assert_ledger(service: Service, said: str, *arguments: str) -> None:
    """What scripts/ledger.py says of the service's ledger, all being well."""
    done = run("ledger.py", "--ledger", f"sqlite:///{service.ledger}", *arguments)
    assert (done.returncode, done.stdout[: len(said)]) == (0, said), done.stdout + done.stderr


def _wait(service: Service) -> None:
    limit = time.monotonic() + START_SECONDS
    while time.monotonic() < limit and service.process.poll() is None:
        try:
            if httpx.get(f"{service.url}/ready", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(f"the service did not start:\n{service.log.read_text()}")
