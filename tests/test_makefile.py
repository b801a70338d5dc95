"""The commands: every target has its help, and what stops one is a sentence."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.scoring_examples import ROOT

if TYPE_CHECKING:
    from pathlib import Path

MAKEFILE = (ROOT / "Makefile").read_text()
READY = ".venv/bin/riskscore"
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
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    for name in ("Makefile", "requirements.txt", "requirements-dev.txt"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / READY).touch()
    assert make("--question", READY, folder=tmp_path).returncode == 0
    os.utime(tmp_path / "requirements-dev.txt", (2**32, 2**32))  # a lock newer than the environment
    assert make("--question", READY, folder=tmp_path).returncode == 1


def test_the_demo_of_an_unknown_model_names_the_known_ones() -> None:
    done = make("demo", "MODEL=nonsense")
    assert done.returncode == 2
    assert "riskscore demo: there is no model nonsense; known: " in done.stderr
    assert "credit_risk" in done.stderr


# run_api.sh, and what needs Docker


def run_api(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    given = {**os.environ, **environ}
    return subprocess.run(
        ["./run_api.sh", *arguments], cwd=ROOT, env=given, capture_output=True, text=True, check=False
    )


def docker(folder: Path, script: str) -> str:
    """The PATH with a docker of ours, and without any podman."""
    folder.mkdir()
    for name in ("bash", "env", "dirname", "awk", "sed", "grep"):
        (folder / name).symlink_to(shutil.which(name) or "")
    (folder / "make").symlink_to(shutil.which("make") or "")
    (folder / "docker").write_text(f"#!/usr/bin/env bash\n{script}\n")
    (folder / "docker").chmod(0o755)
    return str(folder)


OLD = 'echo "unknown flag: --anything" >&2; exit 125'
NEW = 'echo "docker $*"'


def test_an_image_needs_buildx_or_podman_and_says_so(tmp_path: Path) -> None:
    done = make("image", PATH=docker(tmp_path / "old", OLD))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[0] == "make image needs docker with its plugin buildx, or podman."
    built = make("image", PATH=docker(tmp_path / "new", NEW))
    assert built.stdout == "docker build --platform linux/amd64 --provenance=false -t riskscore .\n"


def test_the_service_in_docker_needs_compose_and_says_so(tmp_path: Path) -> None:
    done = run_api("--docker", PATH=docker(tmp_path / "old", OLD))
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r"\./run_api\.sh --docker needs docker with its plugin compose; .*\n", done.stderr)
    assert run_api("--docker", PATH=docker(tmp_path / "new", NEW)).stdout == "docker compose up --build service\n"


def test_a_taken_port_is_one_sentence_with_a_way_out_and_no_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_api(PORT=str(port), RISKSCORE_LEDGER="", RISKSCORE_HOST="127.0.0.1")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"riskscore serve: port {port} can't be used (Address already in use); another: PORT={port + 1} ./run_api.sh\n"
    )
