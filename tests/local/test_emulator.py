"""Every example event through every local runtime: the same answer, and errors that look like errors."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from awslambdaric.lambda_runtime_marshaller import to_json

from lambda_function import lambda_handler
from riskscore.cli import PortTaken
from riskscore.local.emulator import EmulatorFailed, FunctionFailed, _executable_copy, answer_in, running_emulator
from tests.scoring_examples import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from riskscore.local.emulator import Emulator

EVENTS = [file for file in sorted((ROOT / "events").glob("*/*.json")) if file.parent.name != "envelopes"]
ENVELOPES = sorted((ROOT / "events" / "envelopes").glob("*.json"))

HANDLERS = """
import os, time

def lambda_handler(event, context):
    if event == "raise":
        raise ValueError("no such thing")
    if event == "exit":
        os._exit(3)
    if event == "sleep":
        time.sleep(30)
    if event == "environment":
        return dict(os.environ)
    return event
"""


def strict(document: str | bytes) -> Any:
    """JSON and nothing but JSON: NaN and Infinity are refused."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(document, parse_constant=refuse)


@pytest.fixture
def handlers(tmp_path: Path) -> Path:
    (tmp_path / "handlers.py").write_text(HANDLERS)
    (tmp_path / "broken.py").write_text("import a_module_that_is_nowhere")
    (tmp_path / "leaves.py").write_text("raise SystemExit(4)")
    return tmp_path


def test_there_are_example_events() -> None:
    assert ROOT / "events" / "credit_risk" / "S0001.json" in EVENTS


@pytest.mark.parametrize("file", EVENTS, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_every_runtime_gives_the_same_answer(
    file: Path, emulator: Emulator, run_locally: Callable[[Path], object]
) -> None:
    direct = lambda_handler(json.loads(file.read_bytes()), None)
    assert '"error":' not in json.dumps(direct)
    assert strict(to_json(direct)) == direct
    assert strict(emulator.send(file.read_bytes())) == direct
    assert run_locally(file) == direct


@pytest.mark.parametrize("file", ENVELOPES, ids=lambda file: file.stem)
def test_every_envelope_is_answered_in_its_shape_by_every_runtime(
    file: Path,
    emulator: Emulator,
    run_locally: Callable[[Path], object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RISKSCORE_OUTPUT", str(tmp_path))
    direct = lambda_handler(json.loads(file.read_bytes()), None)
    assert strict(to_json(direct)) == direct
    assert strict(emulator.send(file.read_bytes())) == direct
    assert run_locally(file) == direct


@pytest.mark.parametrize("event", [[], {}, {"model": "unheard_of"}, {"features": {}}, "text", None])
def test_a_bad_event_is_answered_rather_than_raised(event: object, emulator: Emulator) -> None:
    answer = emulator.invoke(event)
    assert answer == lambda_handler(event, None)
    assert set(answer["error"]) == {"type", "message", "field"}


def test_a_fault_of_ours_is_raised(emulator: Emulator) -> None:
    with pytest.raises(FunctionFailed, match="NotConfigured: no database is configured"):
        emulator.invoke({"customer_id": "S0001", "snapshot_date": "2025-09-01"})


@pytest.mark.parametrize(
    ("event", "words"),
    [("raise", "^ValueError: no such thing$"), ("exit", "Runtime.ExitError: .* exit status 3"), ("sleep", "timed out")],
)
def test_errors_of_the_function_are_told_apart_from_answers(event: str, words: str, handlers: Path) -> None:
    environ = {**os.environ, "AWS_LAMBDA_FUNCTION_TIMEOUT": "1"}
    with running_emulator(handlers, "handlers.lambda_handler", environ=environ) as emulator:
        with pytest.raises(FunctionFailed, match=words):
            emulator.invoke(event)
        assert emulator.invoke({"still": "here"}) == {"still": "here"}


@pytest.mark.parametrize(("module", "words"), [("broken", "a_module_that_is_nowhere"), ("leaves", "without an answer")])
def test_a_handler_that_cannot_be_imported_fails_at_once(module: str, words: str, handlers: Path) -> None:
    with (
        running_emulator(handlers, f"{module}.lambda_handler") as emulator,
        pytest.raises(FunctionFailed, match=words),
    ):
        emulator.invoke({})


def test_the_limit_ends_what_python_lambda_local_hangs_on(
    handlers: Path, run_locally: Callable[[Path, Path, int], object]
) -> None:
    event_file = handlers / "event.json"
    event_file.write_text("{}")
    assert run_locally(event_file, handlers / "handlers.py", 60) == {}
    with pytest.raises(subprocess.TimeoutExpired):
        run_locally(event_file, handlers / "broken.py", 3)


def test_the_function_gets_the_environment_and_lambdas_limits(handlers: Path) -> None:
    environ = {**os.environ, "DATABASE_URL": "postgresql://somewhere"}
    with running_emulator(handlers, "handlers.lambda_handler", environ=environ) as emulator:
        seen = emulator.invoke("environment")
    expected = {"DATABASE_URL": "postgresql://somewhere", "JOBLIB_MULTIPROCESSING": "0", "OMP_NUM_THREADS": "1"}
    assert expected.items() <= seen.items()


def test_emulators_run_side_by_side_and_each_takes_one_event_at_a_time(handlers: Path) -> None:
    with (
        running_emulator(handlers, "handlers.lambda_handler") as one,
        running_emulator(handlers, "handlers.lambda_handler") as other,
        ThreadPoolExecutor(8) as threads,
    ):
        assert one.port != other.port
        assert list(threads.map(one.invoke, range(50))) == list(range(50))
        assert list(threads.map(other.invoke, range(50))) == list(range(50))


def test_a_port_in_use_is_one_sentence(handlers: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(PortTaken, match=f"^port {port} can't be used .*; another: PORT={port + 1} make serve$"),
            running_emulator(handlers, "handlers.lambda_handler", port=port),
        ):
            pass


def test_an_emulator_that_went_away_is_named(handlers: Path) -> None:
    with running_emulator(handlers, "handlers.lambda_handler") as emulator:
        assert emulator.invoke(1) == 1
    with pytest.raises(EmulatorFailed, match=f"port {emulator.port} did not answer"):
        emulator.invoke(2)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_a_stopped_server_leaves_no_process_behind(number: signal.Signals, handlers: Path) -> None:
    script = ROOT / "scripts" / "serve_lambda.py"
    command = [sys.executable, script, "--port", "0", "--directory", handlers, "--handler", "handlers.lambda_handler"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout
        port = int(server.stdout.readline().partition("port ")[2].partition(".")[0])
        with socket.create_connection(("127.0.0.1", port)):
            family = psutil.Process(server.pid).children(recursive=True)
        server.send_signal(number)
        assert server.wait(20) == (-signal.SIGKILL if number == signal.SIGKILL else 0)
    assert family
    assert not survivors(family)


def survivors(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those of the processes that are still alive after a moment."""
    deadline = time.monotonic() + 10
    while any(process.is_running() for process in processes) and time.monotonic() < deadline:
        time.sleep(0.05)
    return [process for process in processes if process.is_running()]


def test_the_wheels_binary_is_copied_where_it_may_not_be_run(tmp_path: Path) -> None:
    original = tmp_path / "aws-lambda-rie"
    original.write_bytes(b"#!/bin/sh\nexit 7\n")
    copies = {_executable_copy(original, tmp_path / "cache") for _ in range(2)}
    assert [subprocess.run([copy], check=False).returncode for copy in copies] == [7]


@pytest.mark.parametrize(
    ("body", "answer"), [(b"[]", []), (b'{"error": {}}', {"error": {}}), (b'"errorMessage"', "errorMessage")]
)
def test_an_answer_is_no_error(body: bytes, answer: object) -> None:
    assert answer_in(body) == answer
