"""The services that are measured: each a process of its own on a port of its own, and what its requests look like."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx

from benchmarks.places import CACHE, ENVIRON, ROOT, environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import ExitStack

START_SECONDS = 120
TICK = 1 / os.sysconf("SC_CLK_TCK")  # seconds: finer the kernel doesn't count processor time
STOP_SECONDS = 40
PLAIN = (sys.executable, "-m", "uvicorn", "benchmarks.plain_service:app", "--no-access-log", "--log-level", "error")
OURS = (sys.executable, str(ROOT / "scripts" / "serve_http.py"), "--workers", "1")

# The same versions of what computes the score as here, so that every service scores with the very same estimator.
SAME = tuple(f"{name}=={version(name)}" for name in ("xgboost-cpu", "scikit-learn", "joblib", "numpy"))
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "BENTOML_DO_NOT_TRACK": "true",
    "BENTOML_HOME": str(CACHE / "bentoml_home"),
}
MLFLOW_MODEL = CACHE / "mlflow_model"


class Contender(NamedTuple):
    """port, process: of its service; path, said: where a row goes and as what; probability: in its answer."""

    port: int
    process: int
    said: Callable[[dict[str, Any]], Any] = dict
    path: str = "/predict"
    probability: Callable[[Any], float] = lambda answer: float(answer["probability"])


class Other(NamedTuple):
    """A service of somebody else: its packages, what prepares it, how it starts, and how it is asked."""

    packages: tuple[str, ...]
    prepare: tuple[str, ...]
    start: tuple[str, ...]
    ready: str
    said: Callable[[dict[str, Any]], Any]
    path: str
    probability: Callable[[Any], float]


OTHERS = {
    "MLflow 3.17.2": Other(
        ("mlflow==3.17.2", *SAME),
        (str(ROOT / "benchmarks" / "mlflow_model.py"), str(MLFLOW_MODEL)),
        ("-m", "mlflow", "models", "serve", "-m", str(MLFLOW_MODEL), "--env-manager", "local", "--workers", "1"),
        "/ping",
        lambda row: {"inputs": [list(row["features"].values())]},  # the form that costs it least
        "/invocations",
        lambda answer: float(answer["predictions"][0][1]),
    ),
    "BentoML 1.4.39": Other(
        ("bentoml==1.4.39", *SAME),
        (),
        ("-m", "bentoml", "serve", "benchmarks.bento_service:Scoring"),
        "/readyz",
        lambda row: {"event": row},
        "/predict",
        lambda answer: float(answer["probability"]),
    ),
}


def started(stack: ExitStack, folder: str, environ: Mapping[str, str]) -> dict[str, Contender]:
    """Three services on ports of their own: the plain one, ours, and ours with a ledger on this disk."""
    clean = _clean(environ)
    plain = stack.enter_context(running(PLAIN, clean, "/docs"))
    ours = stack.enter_context(running(OURS, {**clean, "RISKSCORE_LEDGER": ""}, "/ready"))
    kept = {**clean, "RISKSCORE_LEDGER": f"sqlite:///{folder}/ledger.db"}
    ledger = stack.enter_context(running(OURS, kept, "/ready"))
    return {
        "plain": Contender(*plain),
        "ours, no reasons": Contender(*ours, lambda row: {**row, "reasons": 0}),
        "ours, 4 reasons": Contender(*ours, lambda row: {**row, "reasons": 4}),
        "ours, 4 reasons, ledger": Contender(*ledger, lambda row: {**row, "reasons": 4}),
    }


def others_started(stack: ExitStack, environ: Mapping[str, str]) -> dict[str, Contender]:
    """The services of others, each in an environment of its own; one that can't be installed is left out, and named."""
    found = {}
    for name, other in OTHERS.items():
        folder = CACHE / name.partition(" ")[0].lower()
        try:
            python = environment(folder, other.packages, pins=())
            paths = f"{folder / 'bin'}{os.pathsep}{environ.get('PATH', '')}"  # its programs start others by name
            clean = {**_clean(environ), **QUIET, "PATH": paths}
            if other.prepare:
                subprocess.run(
                    [python, *other.prepare], check=True, env={**clean, **ENVIRON}, cwd=ROOT, stderr=subprocess.DEVNULL
                )
        except subprocess.CalledProcessError:
            print(f"{name} is left out: it can't be installed here", file=sys.stderr)
            continue
        service = stack.enter_context(running((str(python), *other.start), clean, other.ready))
        found[name] = Contender(*service, other.said, other.path, other.probability)
    return found


def _clean(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if not name.startswith(("RISKSCORE_", "PG", "DATABASE"))}


@contextmanager
def running(command: Sequence[str], environ: Mapping[str, str], ready: str) -> Iterator[tuple[int, int]]:
    """The port and the id of a service's process, once it answers on a path; ended at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        (*command, "--port", str(port)),
        cwd=ROOT,
        env={**environ, **ENVIRON},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(process, port, ready)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def _wait(process: subprocess.Popen[bytes], port: int, ready: str) -> None:
    limit = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < limit:
        try:
            httpx.get(f"http://127.0.0.1:{port}{ready}").raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise SystemExit(f"{' '.join(map(str, process.args[1:4]))} did not start")


def probabilities(contenders: Mapping[str, Contender], row: dict[str, Any]) -> dict[str, float]:
    """What each service answers to a row."""
    return {
        name: contender.probability(
            httpx.post(f"http://127.0.0.1:{contender.port}{contender.path}", json=contender.said(row)).json()
        )
        for name, contender in contenders.items()
    }


def require_agreement(found: Mapping[str, float]) -> None:
    """End the run where the services don't give a row the same probability: they would not do the same work."""
    if max(found.values()) - min(found.values()) > 1e-6:  # some compute with floats of four bytes
        said = ", ".join(f"{name} {probability:g}" for name, probability in found.items())
        raise SystemExit(f"the services disagree about a row: {said}")


def spent(process: int) -> float:
    """Processor time of a process and those that it started, so far, as the kernel counts it."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and (fields := _stat(folder)):
            parents[int(folder.name)] = (int(fields[1]), int(fields[11]) + int(fields[12]))
    family = {process}
    while grown := {child for child, (parent, _) in parents.items() if parent in family} - family:
        family |= grown
    return sum(parents[member][1] for member in family) * TICK


def _stat(folder: Path) -> list[str]:
    """The fields of a process's stat after its name; none of one that has ended meanwhile."""
    try:
        return (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return []
