"""What the tests stand on: a real PostgreSQL, the real Lambda emulator, the real runtime client."""

from __future__ import annotations

import ast
import os
import secrets
import signal
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import hypothesis
import psycopg
import pytest

from riskscore.artefact.artefact import open_artefact
from riskscore.local.emulator import FUNCTION_ENVIRONMENT, running_emulator
from riskscore.local.postgres import temporary_postgres
from riskscore.scoring.model import Model
from tests.scoring_examples import ROOT, write_small

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from riskscore.local.emulator import Emulator

# Fixtures that start a server or train a model, and the files whose tests, nearly all of them, start programs or train.
SLOW_FIXTURES = {"database", "emulator", "postgres_url", "run_locally", "service", "trained"}
SLOW_FILES = {
    *("adopting/test_adoption", "adopting/test_owner", "artefact/test_remote", "benchmarks/test_bench"),
    *("benchmarks/test_bench_http", "drafting/test_new_model", "ledger/test_heads", "local/test_emulator"),
    *("local/test_postgres", "local/test_sample_database", "local/test_seed_database", "local/test_simulated_ledgers"),
    *("service/test_app", "service/test_ledger_writer", "service/test_page", "service/test_protocol"),
    *("serving/test_deployment", "soak/test_kills", "soak/test_soak", "sql/test_sql_files", "test_atomic"),
    *("test_cold_path", "test_conformance", "test_container", "test_lambda_function", "test_makefile"),
    *("test_programs", "test_site", "test_template", "training/test_card", "training/test_categories"),
    *("training/test_training", "training/test_training_data"),
}

TESTS = ROOT / "tests"
# How long an example takes says what else the machine does: speed is measured by make bench, never asserted.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")

LOCAL_RUNNER = "import sys, lambda_local; lambda_local.main()"
LOCAL_SECONDS = 60


def pytest_configure() -> None:
    """Let signals reach the programs that tests start: they would inherit that a run in the background ignores some."""
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave a file of slow tests unread where they are left out: its imports would cost more than many a test."""
    return True if "not slow" in config.getoption("markexpr") and is_slow(collection_path) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the slow tests, so that `make test-fast` can leave them out; others carry the mark themselves."""
    for item in items:
        on_postgres = "postgresql" in getattr(getattr(item, "callspec", None), "id", "").split("-")
        if is_slow(item.path) or on_postgres or SLOW_FIXTURES & {*getattr(item, "fixturenames", ())}:
            item.add_marker(pytest.mark.slow)


def is_slow(path: Path) -> bool:
    return path.is_relative_to(TESTS) and path.relative_to(TESTS).with_suffix("").as_posix() in SLOW_FILES


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a real PostgreSQL with an empty database; RISKSCORE_TEST_POSTGRES_URL names another server."""
    elsewhere = os.environ.get("RISKSCORE_TEST_POSTGRES_URL")
    if elsewhere:
        yield elsewhere
    else:
        with temporary_postgres() as url:
            yield url


@pytest.fixture
def database(postgres_url: str) -> Iterator[str]:
    """The URL of a fresh, empty database, dropped afterwards."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
        try:
            yield urlunsplit(urlsplit(postgres_url)._replace(path=f"/{name}"))
        finally:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
                (name,),
            )
            connection.execute(f"DROP DATABASE IF EXISTS {name}")


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """The function as `make serve` runs it: the real emulator, the real runtime client."""
    kept = {"RISKSCORE_OUTPUT": str(tmp_path_factory.mktemp("answers"))}
    with running_emulator(environ={**without_database(), **kept}) as running:
        yield running


@pytest.fixture
def run_locally(tmp_path: Path) -> Callable[[Path, Path], object]:
    """What python-lambda-local makes of lambda_handler in a file, for an event in a file."""
    return partial(_run_locally, answers=tmp_path / "answers")


def _run_locally(
    event_file: Path, code: Path = ROOT / "lambda_function.py", seconds: int = LOCAL_SECONDS, answers: Path | str = ""
) -> object:
    """It hangs for ever where the code cannot be imported, hence the limit; TimeoutExpired then.

    What it prints is a Python repr: it says what the handler returned, not that this is JSON.
    """
    done = subprocess.run(
        # its library pkg_resources warns about its own end on every start
        [sys.executable, "-W", "ignore", "-c", LOCAL_RUNNER, "-t", "30", "-f", "lambda_handler", code, event_file],
        cwd=code.parent,
        env={**without_database(), **FUNCTION_ENVIRONMENT, "RISKSCORE_OUTPUT": str(answers)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    if done.returncode:
        raise AssertionError(f"python-lambda-local ended with status {done.returncode}:\n{done.stdout}{done.stderr}")
    return ast.literal_eval((done.stdout + done.stderr).rpartition("RESULT:\n")[2].strip())


def without_database() -> dict[str, str]:
    """The environment, less what would lead the function to some database of whoever runs the tests."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("PG", "DATABASE_URL", "RISKSCORE_"))
    }


@pytest.fixture(scope="session")
def small_loans(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A second model beside credit_risk: linear, and without a feature query."""
    return Model(open_artefact(str(write_small(tmp_path_factory.mktemp("models") / "small_loans"))))
