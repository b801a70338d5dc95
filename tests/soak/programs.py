"""The programs that write, killed with SIGKILL at random moments, run twice at once, and on a full disk.

python -m tests.soak.programs                      # 40 kills of each
python -m tests.soak.programs --kills 5 --only train

What stands in a program's place afterwards is what stood there before, or all of what it writes; never a part. The
next run leaves the same as a run that nobody disturbed, and nothing beside it. The full disk is a file system of 2 MB
in memory, which only root can make; elsewhere that part is left out, and said.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import xgboost as xgb

from riskscore.artefact.artefact import open_artefact
from riskscore.errors import ArtefactRefused
from riskscore.local.sample_database import sample_database
from tests.conftest import without_database
from tests.scoring_examples import ROOT
from tests.training_examples import rows, write_csv, write_model

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    State = str | None  # what stands in a program's place: None where nothing does
    Job = Callable[[Path, Path], tuple[list[str], Callable[[], State]]]

TRIES = 3  # pairs of runs at once
FULL_DISK = "2m"


def model_state(folder: Path) -> State:
    """The manifest's hash of a model that opens; ArtefactRefused where half of one stands there."""
    return open_artefact(str(folder)).manifest_sha256 if (folder / "manifest.json").exists() else None


def file_state(path: Path) -> State:
    return path.read_text() if path.exists() else None


def tables_state(path: Path) -> State:
    if not path.exists():
        return None
    with closing(sqlite3.connect(path)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return str(sorted((name, *connection.execute(f"SELECT count(*) FROM {name}").fetchone()) for name in names))


def train(given: Path, place: Path) -> tuple[list[str], Callable[[], State]]:
    command = ["train.py", "small", "--data", f"{given}/rows.csv", "--models", f"{given}/model", "--out", f"{place}"]
    return command, lambda: model_state(place / "small")


def new_model(given: Path, place: Path) -> tuple[list[str], Callable[[], State]]:
    where = ["--models", f"{place}/model", "--events", f"{place}/events", "--force"]
    command = ["new_model.py", "drafted", "--data", f"{given}/rows.csv", "--target", "label", *where]
    return command, lambda: model_state(place / "model" / "drafted")


def adopt(given: Path, place: Path) -> tuple[list[str], Callable[[], State]]:
    contract = ["--contract", f"{given}/contract.toml"]
    command = ["adopt_model.py", "adopted", "--joblib", f"{given}/owner.json", *contract, "--models", f"{place}"]
    return command, lambda: model_state(place / "adopted")


def dump(_: Path, place: Path) -> tuple[list[str], Callable[[], State]]:
    command = ["dump_events.py", "credit_risk", "--jsonl", f"{place}/events.jsonl"]
    return command, lambda: file_state(place / "events.jsonl")


def load_offers(given: Path, place: Path) -> tuple[list[str], Callable[[], State]]:
    files = [f"--{name}={given}/offers/{name}.parquet" for name in ("leads", "offers", "clicks")]
    command = ["load_offers.py", *files, "--database", f"sqlite:///{place}/offers.db", "--replace"]
    return command, lambda: tables_state(place / "offers.db")


def score(_: Path, place: Path) -> tuple[list[str], Callable[[], State]]:
    output = ["--data", f"{ROOT}/events/credit_risk/rows.csv", "--output", f"{place}/scores.csv"]
    return ["score.py", "credit_risk", *output], lambda: file_state(place / "scores.csv")


JOBS: dict[str, Job] = {
    "train": train,
    "new_model": new_model,
    "adopt": adopt,
    "dump": dump,
    "load_offers": load_offers,
    "score": score,
}


class Soaked(NamedTuple):
    """How often what stood in the place afterwards, and each thing that should not be."""

    kills: int
    before: int
    whole: int
    at_once: int
    full: str
    faults: list[str]


def prepare(given: Path) -> None:
    """The inputs of all programs."""
    write_model(given)
    write_csv(given / "rows.csv", rows(200))
    chance = np.random.default_rng(1)
    data = chance.normal(size=(200, 2))
    booster = xgb.train({"objective": "binary:logistic"}, xgb.DMatrix(data, label=data[:, 0] > 0), 5)
    booster.save_model(given / "owner.json")
    features = 'features = [{ name = "a" }, { name = "b" }]'
    (given / "contract.toml").write_text(f'description = "d"\nids = ["id"]\nthreshold = 0.3\n{features}\n')
    sample = ["sample_data.py", "offer_click", "--rows", "500", "--out", f"{given}/offers"]
    process = started(sample, without_database())
    said = process.communicate()[1]
    assert process.returncode == 0, said


def started(command: Sequence[str], environ: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, f"{ROOT}/scripts/{command[0]}", *command[1:]],
        cwd=ROOT,
        env={**environ, "SOURCE_DATE_EPOCH": "1756684800"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def soak(job: Job, given: Path, environ: dict[str, str], kills: int, chance: random.Random) -> Soaked:
    """One program: killed, at once, on a full disk."""
    faults: list[str] = []
    with tempfile.TemporaryDirectory(dir=given) as home:
        command, state = job(given, Path(home, "undisturbed"))
        clock = time.monotonic()
        process = started(command, environ)
        said = process.communicate()[1]
        assert process.returncode == 0, said
        seconds, whole = time.monotonic() - clock, state()
        listed = listing(Path(home, "undisturbed"))
        place = Path(home, "killed")
        command, state = job(given, place)
        ends = [killed(command, environ, state, chance.uniform(0, seconds), whole, faults) for _ in range(kills)]
        place_is_clean(started(command, environ), state, whole, listed, place, faults)
        at_once(job, given, Path(home, "at once"), environ, whole, listed, faults)
        full = full_disk(job, given, environ, faults)
    return Soaked(kills, ends.count(False), ends.count(True), 2 * TRIES, full, faults)


def killed(
    command: Sequence[str],
    environ: dict[str, str],
    state: Callable[[], State],
    seconds: float,
    whole: State,
    faults: list[str],
) -> bool:
    """Start the program, kill it, and look: whether its whole output stands there."""
    process = started(command, environ)
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    try:
        found = state()
    except (ArtefactRefused, sqlite3.DatabaseError) as error:
        faults.append(f"after a kill: {error}")
        return False
    if found not in (None, whole):
        faults.append("after a kill: neither nothing nor the whole")
    return found == whole


def place_is_clean(
    process: subprocess.Popen[str],
    state: Callable[[], State],
    whole: State,
    listed: list[str],
    place: Path,
    faults: list[str],
) -> None:
    """After an undisturbed run: the same output as ever, and no file beside it."""
    said = process.communicate()[1]
    if process.returncode or state() != whole:
        faults.append(f"a run after others ends otherwise: {said.strip()[-200:]}")
    beside = sorted({*listing(place)} - {*listed})
    if beside:
        faults.append(f"left behind: {', '.join(beside)}")


def listing(place: Path) -> list[str]:
    return sorted(path.relative_to(place).as_posix() for path in place.rglob("*"))


def at_once(
    job: Job, given: Path, place: Path, environ: dict[str, str], whole: State, listed: list[str], faults: list[str]
) -> None:
    """Two runs into one place: one of them may be refused, and the output is whole."""
    command, state = job(given, place)
    for _ in range(TRIES):
        pair = [started(command, environ) for _ in range(2)]
        said = [process.communicate()[1] for process in pair]
        if all(process.returncode for process in pair):
            faults.append(f"both of two at once failed: {said[0].strip()[-200:]}")
        if any("Traceback" in text for text in said):
            faults.append("one of two at once ended in a traceback")
        if state() != whole:
            faults.append("two at once left something else than the whole")
    place_is_clean(started(command, environ), state, whole, listed, place, faults)


def full_disk(job: Job, given: Path, environ: dict[str, str], faults: list[str]) -> str:
    """The program on a file system with no room left: one sentence, and nothing half written."""
    with tempfile.TemporaryDirectory() as place:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={FULL_DISK}", "tmpfs", place]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            return "not tried, since only root can make a full disk"
        try:
            with contextlib.suppress(OSError), Path(place, "ballast").open("wb", buffering=0) as ballast:
                while ballast.write(b"0" * 4096):
                    pass
            command, state = job(given, Path(place, "out"))
            process = started(command, environ)
            said = process.communicate()[1]
            if process.returncode == 0 or "Traceback" in said or len(said.strip().splitlines()) != 1:
                faults.append(f"on a full disk: status {process.returncode}, {said.strip()[-300:]}")
            if state() is not None:
                faults.append("on a full disk: something was written")
        finally:
            subprocess.run(["umount", place], check=False)
    return "full disk told"


def main(arguments: Sequence[str]) -> int:
    """Print the counts of each program; 1 where anything is half written, left behind or untold."""
    parser = argparse.ArgumentParser(prog="programs.py", description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=40, help="of each program (default: %(default)s)")
    parser.add_argument("--only", choices=JOBS, help="one program")
    parser.add_argument("--seed", type=int, default=1, help="of the moments (default: %(default)s)")
    options = parser.parse_args(arguments)
    failed = False
    with ExitStack() as stack:
        given = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="riskscore-programs-")))
        prepare(given)
        environ = without_database()
        if options.only in (None, "dump"):
            environ["DATABASE_URL"] = stack.enter_context(sample_database(given / "database"))
        for name in [options.only] if options.only else JOBS:
            seen = soak(JOBS[name], given, environ, options.kills, random.Random(options.seed))
            counts = f"{seen.kills} kills ({seen.before} before the output stood, {seen.whole} after)"
            print(
                f"{name}: {counts}, {seen.at_once} runs two at once, {seen.full}; {len(seen.faults)} faults", flush=True
            )
            print("".join(f"  {fault}\n" for fault in dict.fromkeys(seen.faults)), end="", flush=True)
            failed = failed or bool(seen.faults)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
