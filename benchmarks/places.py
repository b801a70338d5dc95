"""Where the functions run: environments that hold a deployment's packages alone, and the task folder of an image.

A developer's environment would not be fair: XGBoost imports scikit-learn, pandas and others where it finds them.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "bench"
LOCK = ROOT / "requirements-dev.txt"  # pins every package of both environments
TASK = ("lambda_function.py", "riskscore", "model", "sql", "events")

# What is installed in an environment: a deployment of ours, and what tutorials of the usual function install.
FUNCTION = ("-r", str(ROOT / "requirements.txt"), "awslambdaric")
USUAL = ("xgboost-cpu", "scikit-learn", "joblib", "numpy", "awslambdaric")

# As in the Dockerfile; the usual function gets them too.
ENVIRON = {"JOBLIB_MULTIPROCESSING": "0", "OMP_NUM_THREADS": "1"}


class Places(NamedTuple):
    """function, usual: Python interpreters. task: the folder of all handlers, with bytecode, as in an image."""

    function: Path
    usual: Path
    task: Path


@contextlib.contextmanager
def prepared(*, own_environments: bool = True) -> Iterator[Places]:
    """The places, the task folder for this run alone. own_environments=False: this interpreter stands for both."""
    function = usual = Path(sys.executable)
    if own_environments:
        function, usual = environment(CACHE / "function", FUNCTION), environment(CACHE / "usual", USUAL)
    with tempfile.TemporaryDirectory(prefix="riskscore-task-") as task:
        _fill_task_folder(Path(task))
        yield Places(function, usual, Path(task))


def environment(folder: Path, packages: tuple[str, ...], pins: Sequence[str] | None = None) -> Path:
    """The interpreter of an environment with these packages, made anew when they or their pins have changed.

    pins: versions for whatever else they need (default: those of our own lock).
    """
    python = folder / "bin" / "python"
    pins = _pins() if pins is None else pins
    wanted = hashlib.sha256(f"{sys.version} {packages} {pins}".encode()).hexdigest()
    made = folder / "made-from"
    if python.exists() and made.exists() and made.read_text() == wanted:
        return python
    print(f"installing {folder.name} environment, once ...", file=sys.stderr)
    _uv("venv", "--quiet", "--clear", "--python", sys.executable, str(folder))
    # Constraints only: uv refuses hashes for some packages of an installation and none for others.
    constraints = folder / "constraints.txt"
    constraints.write_text("".join(f"{pin}\n" for pin in pins))
    _uv("pip", "install", "--quiet", "--compile-bytecode", "--python", str(python), "-c", str(constraints), *packages)
    made.write_text(wanted)
    return python


def _pins() -> list[str]:
    lines = LOCK.read_text(encoding="utf-8").splitlines()
    return [line.rstrip("\\ ") for line in lines if "==" in line and not line.startswith((" ", "#"))]


def _uv(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "uv", *arguments], check=True)


def _fill_task_folder(folder: Path) -> None:
    """What the image holds, and the other handlers, with bytecode that is never looked up again."""
    for name in TASK:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, folder / name)
    for handler in (ROOT / "benchmarks" / "handlers").glob("*.py"):
        shutil.copyfile(handler, folder / handler.name)
    command = [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(folder)]
    subprocess.run(command, check=True)


def worker(python: Path, script: str, *arguments: str, task: Path) -> bytes:
    """What a script beside this one prints, run by another interpreter on the task folder."""
    environ = {**os.environ, **ENVIRON, "PYTHONPATH": f"{task}{os.pathsep}{ROOT}"}
    command = [str(python), str(ROOT / "benchmarks" / script), *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environ, cwd=task).stdout
