"""A real PgBouncer (Debian's package) before a test's database."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
START_SECONDS = 20


@contextlib.contextmanager
def running_pgbouncer(url: str, **settings: str) -> Iterator[str]:
    """The URL of the same database through a PgBouncer with a single connection to the server."""
    given = conninfo_to_dict(url)
    server = " ".join(f"{name}={given[name]}" for name in ("host", "port") if name in given)
    through = f"postgresql://{given['user']}@127.0.0.1:{(port := _free_port())}/{given['dbname']}"
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o755)  # PgBouncer refuses to run as root
        (folder / "users.txt").write_text(f'"{given["user"]}" "{given.get("password", "")}"\n')
        lines = {
            "listen_addr": "127.0.0.1",
            "listen_port": port,
            "unix_socket_dir": "",
            "auth_type": "trust",
            "auth_file": folder / "users.txt",
            "default_pool_size": 1,
            **settings,
        }
        listed = "".join(f"{name} = {value}\n" for name, value in lines.items())
        (folder / "pgbouncer.ini").write_text(f"[databases]\n* = {server}\n[pgbouncer]\n{listed}")
        user: dict[str, Any] = {"user": "nobody", "extra_groups": []} if os.geteuid() == 0 else {}
        command = [str(PROGRAM), "-q", str(folder / "pgbouncer.ini")]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **user) as process:
            try:
                _wait(through)
                yield through
            finally:
                process.terminate()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def _wait(url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(url, connect_timeout=5).close()
            return
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
