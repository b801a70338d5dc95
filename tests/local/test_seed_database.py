"""scripts/seed_database.py as people run it: what it prints, where, and with which status it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import termios

import psycopg
import pytest

from riskscore.local.edge_cases import FAULTY, SOUND
from tests import programs
from tests.scoring_examples import ROOT

SCRIPT = ROOT / "scripts" / "seed_database.py"
SMALL = ("--customers", "3", "--training", "4")
COUNTS = """SELECT (SELECT count(*) FROM bank_transactions), (SELECT count(*) FROM bank_transactions_scoring)"""


def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"} | environ
    return programs.run("seed_database.py", *arguments, environ=environment)


def counts(url: str) -> tuple[int, int]:
    with psycopg.connect(url) as connection:
        return connection.execute(COUNTS).fetchone()


def test_it_ends_with_one_line_of_rows_seconds_and_speed(database):
    done = run("--database", database, *SMALL)
    assert done.returncode == 0, done.stderr
    rows = f"bank_transactions 4, bank_transactions_scoring {3 + len(SOUND)}"
    assert re.fullmatch(rf"seeded simulated rows: {rows}; \d+\.\d s, [\d,]+ rows/s\n", done.stdout)


def test_the_database_may_come_from_the_environment(database):
    assert run(*SMALL, "--edge-cases", "none", DATABASE_URL=database).returncode == 0
    assert counts(database) == (4, 3)


@pytest.mark.parametrize(
    ("choice", "edge_cases"), [("all", len(SOUND) + len(FAULTY)), ("sound", len(SOUND)), ("none", 0)]
)
def test_edge_cases_are_a_choice(database, choice, edge_cases):
    assert run("--database", database, *SMALL, "--edge-cases", choice).returncode == 0
    assert counts(database) == (4, 3 + edge_cases)


def test_existing_tables_are_refused_in_one_sentence_and_replaced_when_asked(database):
    assert run("--database", database, *SMALL).returncode == 0
    refused = run("--database", database, "--customers", "9", "--training", "9")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == (
        "seed_database.py: refused: bank_transactions and bank_transactions_scoring exist in this database already; "
        "--replace drops and rebuilds\n"
    )
    assert counts(database) == (4, 3 + len(SOUND))
    assert run("--database", database, "--customers", "9", "--training", "8", "--replace").returncode == 0
    assert counts(database) == (8, 9 + len(SOUND))


def _rest_of(shown):
    """What a terminal shows next; nothing once the program that wrote to it has ended."""
    try:
        return shown.read(4096).decode(errors="replace")
    except OSError:
        return ""


@pytest.mark.parametrize("kill", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_killed_seed_leaves_the_old_tables(database, kill):
    assert run("--database", database, *SMALL).returncode == 0
    command = [sys.executable, SCRIPT, "--database", database, "--training", "1000000", "--replace"]
    ours, terminal = os.openpty()
    termios.tcsetwinsize(terminal, (24, 80))
    with subprocess.Popen(command, stderr=terminal) as process, os.fdopen(ours, "rb", 0) as shown:
        os.close(terminal)
        shown.read(1)  # the bar shows once rows are on their way
        process.send_signal(kill)
        errors = "".join(iter(lambda: _rest_of(shown), ""))
    assert process.returncode != 0
    assert "Traceback" not in errors
    assert counts(database) == (4, 3 + len(SOUND))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://jane:hunter2@127.0.0.1:1/bank",
        "postgresql://jane:hunter2@no-such-host.invalid/bank",
        "postgresql://jane:hunter2@127.0.0.1:port/bank",
        "host=127.0.0.1 port=1 password=hunter2 user=jane",
        "jane hunter2",
    ],
)
def test_a_database_that_cannot_be_reached_gets_a_sentence_without_secrets(url):
    done = run("--database", url)
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("seed_database.py: no connection: check")
    assert not re.search("hunter2|jane|127|invalid|bank", done.stderr)


def test_a_database_that_refuses_gets_its_own_words(database):
    read_only = f"{database}{'&' if '?' in database else '?'}options=-cdefault_transaction_read_only%3Don"
    done = run("--database", read_only, *SMALL)
    assert done.returncode == 1
    assert done.stderr == (
        "seed_database.py: the database refused and is unchanged: "
        "cannot execute CREATE TABLE in a read-only transaction\n"
    )


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((), "--database"),
        (("--database", "x", "--customers", "-1"), "--customers"),
        (("--database", "x", "--training", "many"), "--training"),
        (("--database", "x", "--seed", "a"), "--seed"),
        (("--database", "x", "--edge-cases", "some"), "--edge-cases"),
    ],
)
def test_bad_arguments_are_named(arguments, named):
    done = run(*arguments)
    assert done.returncode == 2
    assert named in done.stderr.splitlines()[-1]


def test_help_says_simulated():
    assert "simulated" in run("--help").stdout
