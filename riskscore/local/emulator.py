"""The real Lambda Runtime Interface Emulator around the function, without Docker: for demo, tests and measurements.

Source of the emulator: the wheel of aws-sam-cli carries it; github.com/aws/aws-lambda-runtime-interface-emulator.
"""

from __future__ import annotations

import contextlib
import ctypes
import http.client
import importlib.util
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from riskscore.cli import require_free
from riskscore.errors import OurFault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Process = subprocess.Popen[bytes]

ROOT = Path(__file__).resolve().parents[2]
HANDLER = "lambda_function.lambda_handler"
INVOCATIONS = "/2015-03-31/functions/function/invocations"
ARCHITECTURES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}
FUNCTION_SECONDS = 30
START_SECONDS = 20
STOP_SECONDS = 5
PR_SET_PDEATHSIG = 1
# As in the Dockerfile: Lambda has no /dev/shm, and one row is slower with more threads.
FUNCTION_ENVIRONMENT = {"JOBLIB_MULTIPROCESSING": "0", "OMP_NUM_THREADS": "1"}


class EmulatorFailed(OurFault):
    """The emulator did not start or went away."""

    type = "emulator_failed"


class FunctionFailed(OurFault):
    """The function raised, timed out or died; the emulator answers 200 to some of these all the same."""

    type = "function_failed"


class Emulator:
    """A running emulator; `invoke` is safe from several threads, since the emulator itself is not."""

    def __init__(self, port: int, process: Process) -> None:
        self.port = port
        self._process = process
        self.url = f"http://localhost:{port}{INVOCATIONS}"
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=FUNCTION_SECONDS + STOP_SECONDS)
        self._one_at_a_time = threading.Lock()

    def invoke(self, event: object) -> Any:
        """The function's answer. Raises FunctionFailed with the function's own words."""
        return answer_in(self.send(json.dumps(event).encode()))

    def send(self, body: bytes) -> bytes:
        """The answer's bytes as they came, be it an error or not. Raises EmulatorFailed without any."""
        with self._one_at_a_time:
            try:
                self._connection.request("POST", INVOCATIONS, body, {"Content-Type": "application/json"})
                return self._connection.getresponse().read()
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                raise EmulatorFailed(f"the emulator on port {self.port} did not answer: {error!r}") from error

    def wait(self) -> None:
        """Stay until the emulator ends."""
        self._process.wait()
        raise EmulatorFailed(f"the emulator on port {self.port} ended with status {self._process.returncode}")

    def close(self) -> None:
        self._connection.close()


def answer_in(body: bytes) -> Any:
    """The answer in an emulator's body; an error's body is told apart by what it holds, not by the HTTP status."""
    try:
        answer = json.loads(body)
    except ValueError:
        words = body.decode(errors="replace").strip()
        raise FunctionFailed(words or "the function ended without an answer") from None
    if isinstance(answer, dict) and "errorMessage" in answer:
        raise FunctionFailed(f"{answer.get('errorType', 'Error')}: {answer['errorMessage']}")
    return answer


@contextlib.contextmanager
def running_emulator(
    directory: Path = ROOT,
    handler: str = HANDLER,
    *,
    port: int = 0,
    environ: Mapping[str, str] | None = None,
    log: IO[bytes] | None = None,
    python: str | Path = sys.executable,
) -> Iterator[Emulator]:
    """Serve the handler found in `directory` while the context lasts; port 0 takes any free one.

    `environ` is the function's environment (default: the caller's), `log` gets what the function prints.
    `python` runs it, with the packages of its environment. Raises EmulatorFailed when it does not start.
    """
    if port:
        require_free("127.0.0.1", port, f"PORT={port + 1} make serve")
    with contextlib.ExitStack() as cleanup:
        log = log or cleanup.enter_context(tempfile.TemporaryFile())
        process, port = _started(
            [str(python), "-m", "awslambdaric", handler],
            directory,
            port,
            dict(os.environ if environ is None else environ),
            log,
        )
        cleanup.callback(_stop, process)
        emulator = Emulator(port, process)
        cleanup.callback(emulator.close)
        yield emulator


def program(cache: Path = ROOT / ".cache") -> Path:
    """The emulator's binary for this machine, copied into `cache` where the wheel's file may not be run."""
    architecture = ARCHITECTURES.get(platform.machine().lower())
    spec = importlib.util.find_spec("samcli")
    if architecture is None or sys.platform != "linux":
        raise EmulatorFailed(f"no Lambda emulator for {sys.platform} on {platform.machine()}: use the Docker image")
    if spec is None or spec.origin is None:
        raise EmulatorFailed("the wheel aws-sam-cli is not installed: run `make setup`")
    original = Path(spec.origin).parent / "local" / "rapid" / f"aws-lambda-rie-{architecture}"
    return original if os.access(original, os.X_OK) else _executable_copy(original, cache)


def _executable_copy(original: Path, cache: Path) -> Path:
    cache.mkdir(parents=True, exist_ok=True)
    copy = cache / original.name
    if not copy.exists():
        draft = cache / f"{original.name}.{os.getpid()}"
        shutil.copyfile(original, draft)
        draft.chmod(0o755)
        draft.rename(copy)
    return copy


def _started(
    runtime: list[str], directory: Path, port: int, environ: dict[str, str], log: IO[bytes]
) -> tuple[Process, int]:
    """A listening emulator. Its ports are found free a moment before it takes them, hence a few attempts."""
    for _ in range(3):
        chosen = port or _free_port()
        process = _start(runtime, directory, chosen, environ, log)
        try:
            if _listens(process, chosen):
                return process, chosen
        except BaseException:  # Ctrl-C while it starts
            _stop(process)
            raise
        _stop(process)
    raise EmulatorFailed(f"the Lambda emulator did not start on port {chosen}")


def _start(runtime: list[str], directory: Path, port: int, environ: dict[str, str], log: IO[bytes]) -> Process:
    command = [
        *(str(program()), "--log-level", "error"),
        *("--runtime-interface-emulator-address", f"127.0.0.1:{port}"),
        *("--runtime-api-address", f"127.0.0.1:{_free_port()}"),
        *runtime,
    ]
    return subprocess.Popen(
        command,
        cwd=directory,
        env={"AWS_LAMBDA_FUNCTION_TIMEOUT": str(FUNCTION_SECONDS), **FUNCTION_ENVIRONMENT, **environ},
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,  # Ctrl-C reaches the parent alone, which then stops the emulator in good order
        preexec_fn=_end_with_parent,  # noqa: PLW1509 - one system call, and nothing else outlives a killed parent
    )


def _end_with_parent() -> None:
    """Have the kernel end this process when its parent dies, however it dies."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _listens(process: Process, port: int) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        time.sleep(0.001)
    return False


def _stop(process: Process) -> None:
    """End the emulator, which ends the function; killed, it takes the function's API along, and that ends it too."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
