"""The programs as a person runs them, by `riskscore` and by scripts/: their words, files and exit statuses."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import tomllib

import psycopg
import pytest

from riskscore import __main__
from riskscore.__main__ import COMMANDS, GROUPS
from riskscore.cli import progress
from riskscore.local.seed import seed
from riskscore.samples.commands import WITH_LEDGERS
from tests import programs
from tests.scoring_examples import FEATURES, ROOT

EVENTS = sorted((ROOT / "events" / "credit_risk").glob("*.json"))


@pytest.fixture
def ledgers(database):
    """The first sample customers, and every edge case, the faulty ones too."""
    with psycopg.connect(database) as connection:
        seed(connection, customers=5, training=0, seed=7, edge_cases="all")
    return database


def run(program, *arguments, database=None):
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "DATABASE"))}
    if database:
        environ["DATABASE_URL"] = database
    return programs.run(program, *arguments, environ=environ)


def call(monkeypatch, capsys, *arguments):
    """The status, stdout and stderr of `riskscore` with these arguments."""
    monkeypatch.setattr(sys, "argv", ["riskscore", *arguments])
    with pytest.raises(SystemExit) as ended:
        __main__.command()
    return (ended.value.code, *capsys.readouterr())


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"], ["help", "--help"]])
def test_riskscore_alone_shows_every_command_in_its_group(monkeypatch, capsys, arguments):
    status, shown, _ = call(monkeypatch, capsys, *arguments)
    assert (status, shown.splitlines()[0]) == (0, "usage: riskscore COMMAND [ARGUMENT ...]")
    listed = [re.findall(r"^  (\S+) ", group, re.MULTILINE) for group in shown.split("\n\n")[1:-1]]
    assert listed == [[*commands] for commands in GROUPS.values()]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_shows_its_usage_under_its_own_name(monkeypatch, capsys, name):
    status, shown, _ = call(monkeypatch, capsys, name, "--help")
    assert (status, shown.startswith(f"usage: riskscore {name} ")) == (0, True)
    assert call(monkeypatch, capsys, "help", name) == call(monkeypatch, capsys, "--help", name) == (0, shown, "")


@pytest.mark.parametrize("module", [module for module, _ in COMMANDS.values()])
def test_a_file_of_scripts_shows_its_usage_under_its_own_name(module):
    done = run(f"{module}.py", "--help")
    assert (done.returncode, done.stdout.startswith(f"usage: {module}.py "), done.stderr) == (0, True, "")


def test_every_program_has_a_command_and_a_file_in_scripts():
    modules = {module for module, _ in COMMANDS.values()}
    assert modules == {path.stem for path in ROOT.glob("riskscore/commands/*.py")} - {"__init__"}
    assert modules == {path.stem for path in ROOT.glob("scripts/*.py")} - {"update_docs"}


@pytest.mark.parametrize(
    ("typed", "nearest"),
    [
        ("trian", "; the nearest: train"),
        ("scor", "; the nearest: score"),
        ("SCORE", "; the nearest: score"),
        ("sample_data", "; the nearest: sample-data"),
        ("scripts/serve_http.py", "; the nearest: serve"),
        ("new_modle", "; the nearest: new"),
        ("zzzz", ""),
        ("", ""),
        ("--modles", ""),
    ],
)
def test_an_unknown_command_is_answered_with_the_nearest(monkeypatch, capsys, typed, nearest):
    sentence = f"riskscore: there is no command {typed!r}{nearest}"
    status, shown, error = call(monkeypatch, capsys, typed, "credit_risk")
    assert (status, shown, error.count("\n")) == (2, "", 1)
    assert error.startswith(sentence)
    assert error.endswith("; riskscore --help shows them all\n")


def test_the_version_is_that_of_the_checkout_or_else_of_the_package(monkeypatch, capsys, tmp_path):
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert call(monkeypatch, capsys, "--version") == (0, f"riskscore {declared['version']}\n", "")
    metadata = tmp_path / "riskscore-9.8.7.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Name: riskscore\nVersion: 9.8.7\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(__main__, "ROOT", tmp_path)
    assert call(monkeypatch, capsys, "--version") == (0, "riskscore 9.8.7\n", "")


def test_an_installed_riskscore_starts_where_the_project_says():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())
    module, _, function = declared["project"]["scripts"]["riskscore"].partition(":")
    assert getattr(sys.modules[module], function) is __main__.command
    assert f"\n{declared['build-system']['requires'][0]} " in (ROOT / "requirements-dev.txt").read_text()


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["trian"]])
def test_what_runs_no_command_imports_none(arguments):
    """A `riskscore --help` takes no longer than Python and argparse; `train` needs nothing that `score` does."""
    code = "import sys; from riskscore import __main__\ntry: __main__.command()\nfinally: print(*sys.modules)"
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    ours = {name for name in done.stdout.split() if name.startswith("riskscore")}
    assert ours == {"riskscore", "riskscore.__main__", "riskscore.cli", "riskscore.errors"}
    assert {"numpy", "importlib.metadata", "tqdm"} & {*done.stdout.split()} == set()


def test_help_waits_for_no_library_of_training():
    code = (
        "import sys; from importlib import import_module\n"
        f"for name in {[module for module, _ in COMMANDS.values()]}: import_module(f'riskscore.commands.{{name}}')\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {"sklearn", "scipy.stats", "xgboost", "uvicorn"} & {*done.stdout.split()} == set()


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("riskscore le", ["ledger"]),
        ("riskscore serve", ["serve", "serve-lambda"]),
        ("riskscore train credit", ["credit_risk"]),
        ("riskscore score default", ["default_90d"]),
        ("riskscore sample-data x", ["x100"]),
        ("riskscore ledger p", ["purge"]),
        ("riskscore ledger purge --be", ["--before"]),
        ("riskscore seed --edge-cases s", ["sound"]),
        ("riskscore sample-database --h", ["--help"]),
        ("riskscore nonsense cr", []),
        ("riskscore --ver", ["--version"]),
        ("python -m riskscore publish credit", ["credit_risk"]),
        ("python scripts/sign_model.py --key k credit", ["credit_risk"]),
    ],
)
def test_a_shell_completes_commands_options_and_models(tmp_path, typed, offered):
    """As argcomplete's line in a shell's start-up file asks: by variables, the answer in a file."""
    start = typed.split().index("publish") if "-m" in typed else 1 + typed.startswith("python")
    asked = {"_ARGCOMPLETE": str(start), "COMP_LINE": typed, "COMP_POINT": str(len(typed)), "_ARGCOMPLETE_IFS": " "}
    answer = {"_ARGCOMPLETE_STDOUT_FILENAME": str(tmp_path / "offered"), "_ARGCOMPLETE_SUPPRESS_SPACE": "1"}
    program = ["scripts/sign_model.py"] if "scripts" in typed else ["-m", "riskscore"]
    done = subprocess.run([sys.executable, *program], cwd=ROOT, env={**os.environ, **asked, **answer}, check=False)
    assert (done.returncode, (tmp_path / "offered").read_text().split()) == (0, offered)


def test_the_committed_events_are_what_the_sql_dumps(ledgers, tmp_path):
    ids = ",".join(path.stem for path in EVENTS)
    done = run("dump_events.py", "credit_risk", "--out", tmp_path, "--ids", ids, database=ledgers)
    assert (done.returncode, done.stdout.split(",")[:2]) == (0, [f"{len(EVENTS)} rows", " 0 rejected"]), done.stderr
    dumped = {path.name: path.read_text() for path in (tmp_path / "credit_risk").iterdir()}
    assert dumped == {path.name: path.read_text() for path in EVENTS}


def test_faulty_ledgers_are_reported_and_all_others_dumped(ledgers, tmp_path):
    done = run("dump_events.py", "credit_risk", "--jsonl", tmp_path / "all.jsonl", database=ledgers)
    assert done.returncode == 3, done.stderr
    report = csv.DictReader((tmp_path / "all.faults.csv").read_text().splitlines())
    dumped = {json.loads(line)["customer_id"] for line in (tmp_path / "all.jsonl").read_text().splitlines()}
    reported = {row["customer_id"]: row["reason"] for row in report}
    assert reported["edge-missing-amount"].endswith("amount is missing")
    assert reported["edge-non-numeric-amount"].endswith("amount is not a number")
    assert {"S0001", "S0005", "edge-empty"} <= dumped
    assert not dumped & set(reported)
    assert done.stdout.startswith(f"{len(dumped)} rows, {len(reported)} rejected, ")
    assert str(tmp_path / "all.faults.csv") in done.stderr


def test_the_first_rows(ledgers, tmp_path):
    assert run("dump_events.py", "credit_risk", "--out", tmp_path, "--limit", 2, database=ledgers).returncode == 0
    assert sorted(path.name for path in (tmp_path / "credit_risk").iterdir()) == ["S0001.json", "S0002.json"]


@pytest.mark.parametrize(("output", "columns"), [("out.csv", 4), ("out.jsonl", 0)])
def test_the_database_is_scored_into_a_file(ledgers, tmp_path, output, columns):
    done = run("score.py", "credit_risk", "--database", ledgers, "--output", tmp_path / output)
    assert done.returncode == 3, done.stderr
    lines = (tmp_path / output).read_text().splitlines()
    if columns:
        header, *rows = csv.reader(lines)
        assert header == ["customer_id", "snapshot_date", "probability", "model_version"]
        assert [row[0] for row in rows][:5] == ["S0001", "S0002", "S0003", "S0004", "S0005"]
        assert all(0 < float(row[2]) < 1 for row in rows)
    else:
        outcomes = {answer.get("customer_id"): answer["outcome"] for answer in map(json.loads, lines)}
        assert (outcomes["S0001"], outcomes["edge-no-credits"]) == ("scored", "refer")
    assert "edge-missing-amount" in (tmp_path / "out.faults.csv").read_text()


def test_dumped_lines_score_as_the_database_does(ledgers, tmp_path):
    run("dump_events.py", "credit_risk", "--jsonl", tmp_path / "all.jsonl", database=ledgers)
    from_file = run("score.py", "credit_risk", "--input", tmp_path / "all.jsonl", "--output", tmp_path / "a.csv")
    run("score.py", "credit_risk", "--output", tmp_path / "b.csv", database=ledgers)
    assert from_file.returncode == 0, from_file.stderr
    assert (tmp_path / "a.csv").read_text() == (tmp_path / "b.csv").read_text()


@pytest.mark.parametrize(
    ("program", "arguments", "status", "sentence"),
    [
        ("dump", ["nothing"], 2, "riskscore dump: nothing/model.toml can't be read"),
        (
            "dump",
            ["credit_risk", "--limit", "-1"],
            2,
            "riskscore dump: error: argument --limit: expected a",
        ),
        ("score", ["nothing", "--output", "o.csv"], 2, "riskscore score: there is no trained model 'nothing' in "),
        ("score", ["credit_risk", "--outptu", "o.csv"], 2, "riskscore score: error: unrecognized arguments: --outptu"),
        ("publish", ["mine", "s3://bucket/models"], 2, "riskscore publish: there is no trained model 'mine' in "),
        ("train", ["nothing", "--data", "o.csv"], 2, "riskscore train: nothing/model.toml can't be read"),
        ("train-sample", ["mine"], 2, "riskscore train-sample: there are no simulated samples of mine, only of "),
        ("demo", ["nothing"], 2, "riskscore demo: there is no model nothing; known: credit_risk"),
        ("dump_events.py", ["nothing"], 2, "nothing/model.toml can't be read"),
        ("dump_events.py", ["credit_risk"], 1, "no database is configured; set DATABASE_URL"),
        ("dump_events.py", ["credit_risk", "--limit", "few"], 2, "expected a whole number from 0 up"),
        ("dump_events.py", ["credit_risk", "--limit", "-1"], 2, "expected a whole number from 0 up"),
        ("score.py", ["nothing", "--output", "o.csv"], 2, "there is no trained model 'nothing' in "),
        ("score.py", ["x100", "--models", "nowhere", "--output", "o.csv"], 2, "--models: no such folder nowhere"),
        (
            "score.py",
            ["x100", "--models", "sql", "--output", "o.csv"],
            2,
            "model 'x100' in sql; there is none",
        ),
        ("publish_model.py", ["mine", "s3://bucket/models"], 2, "there is no trained model 'mine' in "),
        ("score.py", ["credit_risk", "--input", "none.csv", "--output", "o.csv"], 2, "none.csv: No such file"),
        ("score.py", ["credit_risk", "--input", "README.md", "--output", "o.csv"], 2, "expected a file ending in .csv"),
        ("score.py", ["credit_risk", "--output", "o.csv"], 1, "no database is configured"),
        ("score.py", ["credit_risk", "--input", "README.csv", "--output", "/"], 2, "--output names no file"),
        ("train_sample.py", ["mine"], 2, "there are no simulated samples of mine, only of credit_risk, pay_later"),
        ("score.py", ["x100", "--output", "o.csv"], 2, "name its rows with --data or --input"),
    ],
)
def test_what_can_not_be_done_is_one_sentence(program, arguments, status, sentence, tmp_path):
    done = run(program, *(tmp_path / word if word == "o.csv" else word for word in arguments))
    assert (done.returncode, sentence in done.stderr) == (status, True), done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_service_without_its_packages_says_what_installs_them():
    command = [sys.executable, "-S", "scripts/serve_http.py"]  # -S: none that was installed is found
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == (
        "serve_http.py: the package uvicorn isn't installed; `pip install -r requirements-service.txt` runs the"
        " service, requirements-dev.txt all programs\n"
    )


@pytest.mark.parametrize(("given", "output"), [("o.csv", "o.csv"), ("o.faults.csv", "o.csv"), ("o.csv", "link.csv")])
def test_no_score_and_no_report_takes_the_place_of_what_is_scored(given, output, tmp_path):
    values = ",".join(map(str, FEATURES.values()))
    content = f"{','.join(FEATURES)}\n{values}\n"
    (tmp_path / given).write_text(content)
    (tmp_path / "link.csv").symlink_to(tmp_path / given)
    done = run("score.py", "credit_risk", "--input", tmp_path / given, "--output", tmp_path / output)
    assert done.returncode == 2, done.stderr
    assert done.stderr.endswith("has the rows to score and would be overwritten; name another --output\n")
    assert (tmp_path / given).read_text() == content


def test_a_note_on_a_scored_file_is_a_line_of_its_own(tmp_path):
    values = ",".join(map(str, FEATURES.values()))
    (tmp_path / "rows.csv").write_text(f"{','.join(FEATURES)},label\n{values},0\n")
    done = run("score.py", "credit_risk", "--input", tmp_path / "rows.csv", "--output", tmp_path / "o.csv")
    assert "\r" not in done.stderr
    assert done.stderr.splitlines()[0] == "every row has label, so all rows are scored and label is ignored"


def test_a_bar_is_for_terminals_alone(capfd):
    """A person at one sees it in tests/local/test_seed_database.py."""
    with progress(range(3), desc="counting") as bar:
        assert list(bar) == [0, 1, 2]
    assert (bar.disable, capfd.readouterr().err) == (True, "")


def test_the_commands_that_the_demo_shows_work_when_they_are_pasted():
    shown = run("demo.py", "pay_later")
    assert shown.returncode == 0, shown.stderr
    commands = [line.removeprefix("  $ ") for line in shown.stdout.splitlines() if line.startswith("  $ ")]
    assert [command.split()[:2] for command in commands] == [["riskscore", "sample-data"], ["riskscore", "score"]]
    for command in (f"{commands[0]} --rows 300", commands[1]):
        assert subprocess.run(pasted(command), shell=True, cwd=ROOT, capture_output=True, check=False).returncode == 0


def pasted(command):
    """A shell's line, with the `riskscore` of this checkout, whichever is installed."""
    return f'riskscore() {{ "{sys.executable}" -m riskscore "$@"; }}; {command}'


def test_the_sample_ledgers_give_a_command_its_database(tmp_path):
    """As `make demo` shows it: the dump needs DATABASE_URL, and this runs a command with it."""
    dump = f"{sys.executable} -m riskscore dump credit_risk --limit 1 --out {tmp_path}"
    done = subprocess.run(
        pasted(f"{WITH_LEDGERS} {dump}"), shell=True, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, [path.name for path in tmp_path.glob("*/*")]) == (0, ["S0001.json"]), done.stderr


def test_a_database_that_is_down_gives_no_secret_away(tmp_path):
    url = "postgresql://anna:hunter2@127.0.0.1:1/bank"
    done = run("score.py", "credit_risk", "--database", url, "--output", tmp_path / "o.csv")
    assert done.returncode == 1
    assert done.stderr == ("score.py: the database can't be reached, refuses this login, or closed the connection\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_program_that_is_stopped_leaves_nothing_half_written(tmp_path, number):
    """Its rows come through a pipe that never ends, so that it is stopped amid the writing."""
    folder, pipe = tmp_path / "out", tmp_path / "rows.jsonl"
    folder.mkdir()
    (folder / "scores.csv").write_text("old")
    os.mkfifo(pipe)
    command = [sys.executable, "scripts/score.py", "credit_risk", "--input", pipe, "--output", folder / "scores.csv"]
    restored = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.default_int_handler)}
    with (
        subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, **restored) as program,
        pipe.open("w") as rows,
    ):
        while len(list(folder.iterdir())) == 1:
            rows.write(EVENTS[0].read_text().replace("\n", "") + "\n")
            rows.flush()
        program.send_signal(number)
        assert "interrupted; existing files are intact" in program.communicate(timeout=60)[1]
    assert program.returncode == 130
    assert [path.name for path in folder.iterdir()] == ["scores.csv"]
    assert (folder / "scores.csv").read_text() == "old"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_stop_ends_the_wait_of_the_sample_ledgers(number):
    restored = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.default_int_handler)}
    command = [sys.executable, "scripts/sample_database.py"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, **restored) as program:
        assert "until Ctrl-C" in program.stdout.readline()
        program.stdout.readline()
        program.send_signal(number)
        try:
            assert program.wait(timeout=60) == 0
        finally:
            program.kill()
