"""The embedded PostgreSQL: real, shared while somebody uses it, gone afterwards."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from riskscore.local.postgres import (
    EmbeddedPostgresFailed,
    _command,
    _reachable,
    running_postgres,
    take_care,
    temporary_postgres,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

STEPS_INTO = """
import pathlib, sys
from riskscore.local.postgres import running_postgres
with running_postgres(pathlib.Path(sys.argv[1])) as url:
    print(url)
"""

STAYS = """
import time
from riskscore.local.postgres import temporary_postgres
with temporary_postgres() as url:
    print(url, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Deep, with spaces, and, when root asks, out of the reach of the server's own user."""
    place = tmp_path / "a folder with spaces" / ("deep" * 30)  # a socket in there would exceed 107 bytes
    yield place
    shutil.rmtree(_reachable(place))


def ask(url: str, question: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(question).fetchone()
    return row and row[0]


def test_the_databases_of_two_tests_are_strangers(database: str) -> None:
    assert ask(database, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
    assert ask(database, "SHOW server_encoding") == "UTF8"


def test_data_outlives_the_server(folder: Path) -> None:
    with running_postgres(folder) as url, psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
    with running_postgres(folder) as url:
        assert ask(url, "SELECT answer FROM kept") == 42


def test_processes_share_a_server_and_the_last_one_stops_it(folder: Path) -> None:
    with running_postgres(folder) as url:
        other = subprocess.run(
            [sys.executable, "-c", STEPS_INTO, str(folder)], capture_output=True, text=True, check=True
        )
        assert other.stdout.strip() == url
        assert ask(url, "SELECT 1") == 1  # the one that left has not taken the server with it
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)


@pytest.mark.parametrize("discard", [False, True])
def test_a_server_in_use_is_never_taken_care_of(discard: bool) -> None:
    with temporary_postgres() as url:
        data = Path(str(ask(url, "SHOW data_directory")))
        take_care(data.parent, discard)
        assert ask(url, "SELECT 1") == 1
    assert not data.parent.exists()
    take_care(data.parent, discard)  # another one was faster


def test_an_error_stops_the_server_too(folder: Path) -> None:
    with pytest.raises(ZeroDivisionError), running_postgres(folder) as url:
        _ = 1 / 0
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)


def test_a_killed_process_leaves_neither_server_nor_data() -> None:
    with subprocess.Popen([sys.executable, "-c", STAYS], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        url = process.stdout.readline().strip()
        assert ask(url, "SELECT 1") == 1
        data = Path(str(ask(url, "SHOW data_directory")))
        process.kill()
    deadline = time.monotonic() + 20
    while data.parent.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not data.parent.exists()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)


def test_the_settings_of_the_caller_do_not_steer_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("PGDATA", "/nowhere")
    with temporary_postgres() as url:
        monkeypatch.undo()
        assert ask(url, "SHOW port") == "5432"


def test_what_a_program_said_becomes_the_error() -> None:
    with pytest.raises(EmbeddedPostgresFailed, match=r"^pg_ctl failed: .*--nonsense"):
        _command("pg_ctl", "--nonsense")
