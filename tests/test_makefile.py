"""The commands: every target has its help, and what stops one is a sentence."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE)


def make(*arguments: str, folder: Path = ROOT, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", *arguments],
        cwd=folder,
        env={**{name: value for name, value in os.environ.items() if not name.startswith("MAKE")}, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_make_alone_lists_every_target_with_its_help() -> None:
    listed = re.findall(r"^make (\S+) +\S.*$", make().stdout, re.MULTILINE)
    assert listed == TARGETS


def test_every_target_is_phony() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert phony
    assert sorted(phony[1].split()) == sorted(TARGETS)


def test_without_a_python_setup_says_which_is_needed(tmp_path: Path) -> None:
    for name in ("Makefile", "requirements.txt", "requirements-dev.txt"):
        shutil.copy(ROOT / name, tmp_path)
    done = make("setup", "PYTHON=", folder=tmp_path)
    assert done.returncode == 2
    assert "Python 3.11, 3.12 or 3.13 is needed, and none is on the PATH." in done.stderr
    assert not (tmp_path / ".venv").exists()


@pytest.mark.parametrize("target", ["demo", "test", "serve", "lint", "train", "bench", "lock"])
def test_every_command_sets_itself_up(target: str) -> None:
    assert re.search(rf"^{target}: \$\(READY\)", MAKEFILE, re.MULTILINE)


def test_a_second_run_installs_nothing(tmp_path: Path) -> None:
    (tmp_path / ".venv").mkdir()
    for name in ("Makefile", "requirements.txt", "requirements-dev.txt", ".venv/.ready"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    assert make("--question", ".venv/.ready", folder=tmp_path).returncode == 0
    os.utime(tmp_path / "requirements-dev.txt", (2**32, 2**32))  # a lock newer than the environment
    assert make("--question", ".venv/.ready", folder=tmp_path).returncode == 1


def test_the_demo_of_an_unknown_model_names_the_known_ones() -> None:
    done = make("demo", "MODEL=nonsense")
    assert done.returncode == 2
    assert "demo.py: there is no model nonsense; known: " in done.stderr
    assert "credit_risk" in done.stderr
