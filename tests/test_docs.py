"""The docs are kept true: figures, hashes and answers, and every command, target, variable, file and layer named."""

from __future__ import annotations

import ast
import re
import subprocess
import sys

import pytest

from riskscore.__main__ import COMMANDS
from riskscore.model_toml import changes, keys, reasons, rules
from riskscore.model_toml.settings import read_settings
from riskscore.scoring.estimators import family_of
from scripts import update_docs
from tests.programs import run
from tests.scoring_examples import ROOT

DOCS = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"))
}
PAGES = [name for name in DOCS if name.startswith("docs/")]
READ_FIRST = DOCS["README.md"] + DOCS["SUBMISSION_TEMPLATE.md"]
FOR_USERS = READ_FIRST + "".join(DOCS[page] for page in PAGES)
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z][a-z-]*):.*  ## ", MAKEFILE, re.MULTILINE))
PROGRAMS = sorted(path.name for path in (ROOT / "scripts").glob("*.py"))
LIBRARY = sorted((ROOT / "riskscore").rglob("*.py"))
CODE = "\n".join(path.read_text() for path in LIBRARY)


@pytest.mark.slow
def test_the_figures_hashes_and_answers_are_those_of_the_files():
    done = subprocess.run(
        [sys.executable, "scripts/update_docs.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_a_picture_of_another_version_is_noticed(monkeypatch):
    assert update_docs.old_pictures() == []
    monkeypatch.setattr(update_docs, "_manifest", lambda: {"version": "another"})
    assert update_docs.old_pictures() == [*update_docs.PICTURES]


@pytest.mark.parametrize("name", update_docs.PICTURES)
def test_a_picture_is_small(name):
    assert (ROOT / name).stat().st_size < 200_000


def test_the_submission_s_command_prints_the_hashes_of_every_model_s_files():
    submission = DOCS["SUBMISSION_TEMPLATE.md"]
    command = re.search(r"```sh\n(.*sha256sum)\n```", submission)[1]
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, check=True)
    printed = {file: digest for digest, file in map(str.split, done.stdout.splitlines())}
    shown = dict(re.findall(r"^\| `(\S+)` \| `([0-9a-f]{64})` \|$", submission, re.MULTILINE))
    assert {file.split("/")[1] for file in shown} == {"credit_risk"}
    assert shown.items() <= printed.items()
    named = set(re.findall(r"\(model/(\w+)/MODEL_CARD\.md\)", submission)) | {"credit_risk"}
    assert len(named) == 6
    assert named <= {file.split("/")[1] for file in printed if file.endswith("/manifest.json")}


@pytest.mark.parametrize("page", DOCS)
def test_every_target_named_exists(page):
    assert set(re.findall(r"`make ([a-z][a-z-]+)", DOCS[page])) <= TARGETS
    assert set(re.findall(r"^make ([a-z][a-z-]+)", DOCS[page], re.MULTILINE)) <= TARGETS


def test_the_two_commands_come_first():
    assert READ_FIRST.index("make demo") < READ_FIRST.index("make test") < READ_FIRST.index("make serve")


@pytest.mark.parametrize("page", DOCS)
def test_every_program_named_exists(page):
    assert set(re.findall(r"scripts/(\w+\.py)", DOCS[page])) <= set(PROGRAMS)


def code_of(page):
    """The lines of a page's shell blocks, and its inline code."""
    blocks = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    inline = re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", page, flags=re.DOTALL))
    return [*"".join(blocks).replace("\\\n", " ").splitlines(), *(code.replace("\n", " ") for code in inline)]


def calls_in(page):
    """(command, its arguments) of each call of `riskscore` in a page."""
    return [call for code in code_of(page) for call in re.findall(r"\briskscore ([a-z][a-z-]+)([^|#]*)", code)]


@pytest.mark.parametrize("page", DOCS)
def test_every_command_named_exists(page):
    assert {name for name, _ in calls_in(DOCS[page])} <= COMMANDS.keys()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_documented_with_options_that_it_has(command):
    assert f"`riskscore {command}`" in DOCS["docs/LAYOUT.md"]
    shown = run(command, "--help")
    assert shown.stdout.startswith(f"usage: riskscore {command}")
    for arguments in (said for page in DOCS.values() for name, said in calls_in(page) if name == command):
        assert set(re.findall(r"(?<=\s)--[a-z-]+", arguments)) <= set(re.findall(r"--[a-z-]+", shown.stdout)), arguments


def test_every_variable_of_the_code_is_documented_and_the_other_way_round():
    pattern = r"RISKSCORE_[A-Z0-9_]+"
    inner = {"RISKSCORE_READER_PASSWORD", "RISKSCORE_TEST_POSTGRES_URL"}
    known = set(re.findall(pattern, CODE)) - inner
    assert known == set(re.findall(pattern, DOCS["docs/DEPLOY.md"].split("## Variables")[1]))
    assert set(re.findall(pattern, FOR_USERS)) <= known


@pytest.mark.parametrize("page", DOCS)
def test_every_link_leads_to_a_file_and_to_a_heading(page):
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", DOCS[page]) if "://" not in link]
    assert [link for link in links if not leads_somewhere(page, link)] == []


def leads_somewhere(page, link):
    name, _, heading = link.partition("#")
    path = ((ROOT / page).parent / name).resolve() if name else ROOT / page
    return path.exists() and (not heading or heading in anchors(path.read_text(encoding="utf-8")))


def anchors(text):
    """What a link after # may say: the headings as GitHub spells them."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_the_readme_leads_to_every_page(page):
    assert f"]({page})" in DOCS["README.md"]


def test_every_shipped_model_has_its_row():
    rows = re.findall(r"^\| \[`(\w+)`\]\(\.\./model/\1/MODEL_CARD\.md\)", DOCS["docs/SHIPPED_MODELS.md"], re.MULTILINE)
    assert {*rows} == {*re.findall(r"\(model/(\w+)/MODEL_CARD\.md\)", DOCS["SUBMISSION_TEMPLATE.md"])}


def test_the_readme_can_be_read_in_one_go():
    assert len(DOCS["README.md"].splitlines()) <= 150


def examples_of_settings(folder):
    """model.toml and reasons.toml as docs/MODELS.md shows them, piece by piece."""
    pieces = re.findall(r"```toml\n(.*?)```", DOCS["docs/MODELS.md"], re.DOTALL)
    is_reasons = [piece.startswith("# reasons.toml") for piece in pieces]
    for name, wanted in (("model.toml", False), ("reasons.toml", True)):
        text = "\n".join(piece for piece, found in zip(pieces, is_reasons, strict=True) if found == wanted)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_the_examples_of_settings_are_what_training_takes(tmp_path):
    examples = read_settings(examples_of_settings(tmp_path))
    assert family_of(examples).build(examples)
    assert set(examples.reasons) == set(examples.contract.names)


@pytest.mark.parametrize(
    "schema",
    [
        *(keys.MODEL, keys.SOURCE, keys.ESTIMATOR, keys.VALIDATION, keys.SEARCH, keys.POINTS),
        *(keys.CALIBRATION, keys.RESPONSE, keys.CARD, keys.GOVERNANCE, keys.FEATURE),
        *(rules.REFER, rules.IDENTITY, rules.LIMIT, reasons.REASON, reasons.SPECIAL, reasons.REASONS),
        changes.CHANGE,
    ],
)
def test_every_key_of_a_model_s_settings_is_shown(schema):
    pieces = "".join(re.findall(r"```toml\n(.*?)```", DOCS["docs/MODELS.md"], re.DOTALL))
    shown = set(re.findall(r"(?:^|[{,] )([a-z_]+) = ", pieces, re.MULTILINE))
    shown |= set(re.findall(r"^\[+([a-z_]+)[].]", pieces, re.MULTILINE))
    explained = set(re.findall(r"`([a-z_]+)`", DOCS["docs/MODELS.md"]))
    assert set(schema) <= shown | explained


def rooms():
    """Room (a folder, or a module beside the folders) -> its line in CONTRIBUTING.md's drawing, from the top."""
    drawing = DOCS["CONTRIBUTING.md"].split("## The map")[1].split("```")[1].strip().splitlines()
    return {room: k for k, line in enumerate(drawing) for room in re.findall(r"(?<![\w.])[a-z_]+(?![\w./])", line[:33])}


def room_of(module):
    return module.split(".")[1]


def graph():
    """Module -> the modules of riskscore that it imports, at once or when first needed."""
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in LIBRARY}
    modules = {name: path for name, path in modules.items() if path.stem != "__init__"}
    found = {name: {*imports(ast.parse(path.read_text()), modules)} for name, path in modules.items()}
    assert {other for others in found.values() for other in others} <= modules.keys()
    return found


def imports(node, modules):
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and getattr(child.test, "id", "") == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.ImportFrom) and (child.module or "").split(".")[0] == "riskscore":
            named = [f"{child.module}.{alias.name}" for alias in child.names]
            yield from (name if name in modules else child.module for name in named)
        else:
            yield from imports(child, modules)


def test_every_folder_and_module_of_the_library_stands_in_the_drawing():
    there = {path.relative_to(ROOT / "riskscore").parts[0].removesuffix(".py") for path in LIBRARY}
    assert rooms().keys() == there - {"__init__"}


def test_imports_run_down_the_drawing_from_folder_to_folder():
    line = rooms()
    upward = [
        f"{name} imports {other}"
        for name, others in graph().items()
        for other in others
        if room_of(name) != room_of(other) and line[room_of(name)] >= line[room_of(other)]
    ]
    assert upward == []


def test_no_import_runs_round():
    remaining = graph()
    while free := [name for name, others in remaining.items() if not others & remaining.keys()]:
        for name in free:
            del remaining[name]
    assert sorted(remaining) == []


@pytest.mark.parametrize(
    "path", [path for path in LIBRARY if path.stem == "__init__"], ids=lambda path: path.parent.name
)
def test_an_init_is_empty_but_for_a_docstring(path):
    assert all(isinstance(node, ast.Expr) for node in ast.parse(path.read_text()).body)


def test_the_layout_names_what_is_there():
    for name in re.findall(r"[\w./-]+", DOCS["SUBMISSION_TEMPLATE.md"].split("## Layout")[1].split("```")[1]):
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("page", DOCS)
def test_every_file_of_tests_named_exists(page):
    assert [name for name in re.findall(r"tests/[\w/]+\.py", DOCS[page]) if not (ROOT / name).exists()] == []


def test_the_folders_of_tests_are_called_after_what_they_test():
    folders = {path.parent.name for path in (ROOT / "tests").glob("*/**/test_*.py")} - {"soak"}
    assert {name for name in folders if not any((ROOT / place / name).is_dir() for place in ("riskscore", ""))} == set()
