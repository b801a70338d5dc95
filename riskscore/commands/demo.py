"""Shows a model step by step, from its data and SQL to the answer of the function under the Lambda emulator."""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import textwrap
import time
from typing import TYPE_CHECKING

from riskscore.cli import DATA_FAULTS, DONE, ROOT, model_argument, parsed, progress
from riskscore.errors import OurFault, UnknownModel
from riskscore.local.emulator import INVOCATIONS, Emulator, running_emulator
from riskscore.local.sample_database import CUSTOMERS, FOLDER, TRAINING, sample_database
from riskscore.model_toml.settings import read_settings
from riskscore.samples.commands import FILES, WITH_LEDGERS, process_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

DEMO = ROOT / ".cache" / "demo"
EVENTS = DEMO / "events"
SAMPLE_TABLE = "bank_transactions_scoring"
WARM = 50
SHOWN = 3  # lines of a file


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Show every step of one score; 0 where the function gave one."""
    model = parsed(_parser(), arguments).model
    if not (ROOT / "model" / model / "model.toml").is_file():
        raise UnknownModel(f"there is no model {model}; known: {', '.join(_models())}")
    from_sql = read_settings(ROOT / "model" / model).source["table"] == SAMPLE_TABLE
    with _ledgers() if from_sql else contextlib.nullcontext() as url:
        event_file = _dumped(model, url, environ) if url else _from_files(model)
        _score(event_file, {**environ, "DATABASE_URL": url} if url else environ)
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    model_argument(parser, nargs="?", default="credit_risk", help="a folder of model/ (%(default)s)")
    return parser


def _models() -> list[str]:
    return sorted(folder.parent.name for folder in (ROOT / "model").glob("*/model.toml"))


@contextlib.contextmanager
def _ledgers() -> Iterator[str]:
    _heading("Bank ledgers in a PostgreSQL")
    started = time.perf_counter()
    with (
        progress(total=CUSTOMERS + TRAINING, unit=" customers", desc="  simulating") as bar,
        sample_database(progress=bar.update) as url,
    ):
        bar.close()
        _say(
            f"An embedded server holds {CUSTOMERS:,} customers to score and {TRAINING:,} with known outcomes, all "
            f"simulated ({_since(started)}). Its data stay in {FOLDER.relative_to(ROOT)} for the next time. "
            "From here on everything uses a role that may only read."
        )
        yield url


def _dumped(model: str, url: str, environ: Mapping[str, str]) -> Path:
    """The first event that the model's SQL yields, dumped as a user would."""
    _heading("Features, by SQL, into event files")
    sql = read_settings(ROOT / "model" / model).source["sql"]
    _say(f"{sql} turns each ledger (JSONB) into one row of features; `riskscore dump` writes a JSON file per row.")
    command = f"riskscore dump {model} --out {EVENTS.relative_to(ROOT)} --limit 5"
    print(f"  $ {WITH_LEDGERS} {command}\n")
    # DATABASE_URL rather than --database, since a process list shows arguments and a real URL holds a password.
    done = subprocess.run(process_of(command), cwd=ROOT, env={**environ, "DATABASE_URL": url}, check=False)
    if done.returncode:
        raise OurFault(f"riskscore dump ended with status {done.returncode}")
    return _first(EVENTS / model)


def _from_files(model: str) -> Path:
    """Score a simulated sample, where the project ships one, then take an event of the model's."""
    if model in FILES:
        files = FILES[model]
        folder = (DEMO / files.sample).relative_to(ROOT)
        _heading("Files, simulated")
        for command in files.commands(str(folder)):
            _run(command)
        _heading("Their rows, scored")
        output = f"{DEMO.relative_to(ROOT)}/{model}.csv"
        _run(f"riskscore score {model} --data {files.url(str(folder))} --output {output}")
        lines = (ROOT / output).read_text(encoding="utf-8").splitlines()[: 1 + SHOWN]
        print(textwrap.indent("\n".join([output, *lines, "..."]), "  "))
    return _first(ROOT / "events" / model)


def _run(command: str) -> None:
    """One of our programs, as a person would call it; rows that it leaves out are no failure here."""
    print(textwrap.indent(f"$ {command}", "  "), flush=True)
    done = subprocess.run(process_of(command), cwd=ROOT, check=False)
    if done.returncode not in (DONE, DATA_FAULTS):
        raise OurFault(f"{' '.join(command.split()[:2])} ended with status {done.returncode}")


def _first(folder: Path) -> Path:
    files = sorted(folder.glob("ordinary.json")) or sorted(folder.glob("*.json"))
    if not files:
        raise OurFault(f"{folder.relative_to(ROOT)} holds no event files")
    return files[0]


def _score(event_file: Path, environ: Mapping[str, str]) -> None:
    event = json.loads(event_file.read_text())
    shown = event_file.relative_to(ROOT)
    _heading(f"The event: {shown}")
    print(textwrap.indent(json.dumps(event, indent=2), "  "))
    with running_emulator(environ=environ) as emulator:
        _heading("The function, under the real Lambda Runtime Interface Emulator")
        _say("lambda_function.lambda_handler runs in awslambdaric, the runtime client of the real images.")
        cold, answer = _timed(emulator, event)
        warm = sorted(_timed(emulator, event)[0] for _ in range(WARM))[WARM // 2]
        print(textwrap.indent(json.dumps(answer, indent=2, ensure_ascii=False), "  "))
        print(f"\n  first answer {cold * 1000:.0f} ms, the start included; then {warm * 1000:.1f} ms (median)")
    if '"error":' in json.dumps(answer):
        raise OurFault("the function answered with an error instead of a score")
    _heading("Do it again")
    _say("Nothing is left running. `make serve` in one terminal starts it until Ctrl-C; in another:")
    print(f"  curl -d @{shown} http://localhost:9000{INVOCATIONS}\n")


def _timed(emulator: Emulator, event: object) -> tuple[float, dict[str, object]]:
    """Seconds and the answer."""
    started = time.perf_counter()
    answer = emulator.invoke(event)
    return time.perf_counter() - started, answer


def _heading(text: str) -> None:
    bold, plain = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")
    print(f"\n{bold}{text}{plain}", flush=True)


def _say(text: str) -> None:
    print(textwrap.indent(textwrap.fill(text, 100), "  "), flush=True)


def _since(started: float) -> str:
    return f"{time.perf_counter() - started:.1f} s"
