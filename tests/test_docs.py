"""The papers are kept true: figures, hashes and answers, and every command, target, variable, file and layer named."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAPERS = {path.name: path.read_text(encoding="utf-8") for path in ROOT.glob("*.md")}
READ_FIRST = PAPERS["README.md"] + PAPERS["SUBMISSION_TEMPLATE.md"]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z][a-z-]*):.*  ## ", MAKEFILE, re.MULTILINE))
PROGRAMS = sorted(path.name for path in (ROOT / "scripts").glob("*.py"))
LIBRARY = sorted((ROOT / "riskscore").rglob("*.py"))
CODE = "\n".join(path.read_text() for path in LIBRARY)


def test_the_figures_hashes_and_answers_are_those_of_the_files():
    done = subprocess.run(
        [sys.executable, "scripts/papers.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


@pytest.mark.parametrize("paper", PAPERS)
def test_every_target_named_exists(paper):
    assert set(re.findall(r"`make ([a-z][a-z-]+)", PAPERS[paper])) <= TARGETS
    assert set(re.findall(r"^make ([a-z][a-z-]+)", PAPERS[paper], re.MULTILINE)) <= TARGETS


def test_the_two_commands_come_first():
    assert READ_FIRST.index("make demo") < READ_FIRST.index("make test") < READ_FIRST.index("make serve")


@pytest.mark.parametrize("paper", PAPERS)
def test_every_program_named_exists(paper):
    assert set(re.findall(r"scripts/(\w+\.py)", PAPERS[paper])) <= set(PROGRAMS)


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_is_named_and_explains_itself(program):
    assert program in "".join(PAPERS.values())
    shown = subprocess.run(
        [sys.executable, f"scripts/{program}", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert shown.stdout.startswith(f"usage: {program}")
    for line in re.findall(rf"scripts/{re.escape(program)}[^\n`|#]*", READ_FIRST):
        assert set(re.findall(r"(?<=\s)--[a-z-]+", line)) <= set(re.findall(r"--[a-z-]+", shown.stdout)), line


def test_every_variable_of_the_code_is_documented_and_the_other_way_round():
    pattern = r"RISKSCORE_[A-Z0-9_]+"
    inner = {"RISKSCORE_POSTGRES_PROGRAMS", "RISKSCORE_READER_PASSWORD", "RISKSCORE_TEST_POSTGRES_URL"}
    assert set(re.findall(pattern, CODE)) - inner == set(re.findall(pattern, PAPERS["README.md"]))


@pytest.mark.parametrize("paper", PAPERS)
def test_every_link_to_a_file_leads_somewhere(paper):
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", PAPERS[paper]) if "://" not in link]
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_imports_run_down_the_drawing_of_the_layers():
    rank = layers()
    modules = {path.stem: path for path in LIBRARY if path.stem != "__init__"}
    assert sorted(rank) == sorted(modules)
    upward = [
        f"{name} imports {other}"
        for name, path in modules.items()
        for other in imports(ast.parse(path.read_text()))
        if rank[other] <= rank[name]
    ]
    assert upward == []


def layers():
    """Module -> its line in CONTRIBUTING.md's drawing."""
    drawing = PAPERS["CONTRIBUTING.md"].split("```")[1].splitlines()
    lines = [re.findall(r"[a-z_0-9]+", line[:50]) for line in drawing if re.match(r"[a-z_0-9]+ ", line)]
    return {module: k for k, line in enumerate(lines) for module in line}


def imports(node):
    """The modules of riskscore that the code below this node imports, at once or when first needed."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and getattr(child.test, "id", "") == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.ImportFrom) and re.fullmatch(
            r"riskscore(\.(service|adopting|ledger|samples))?", child.module or ""
        ):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom) and (child.module or "").startswith("riskscore."):
            yield child.module.rpartition(".")[2]
        else:
            yield from imports(child)


def test_the_layout_names_what_is_there():
    for name in re.findall(r"[\w./-]+", PAPERS["SUBMISSION_TEMPLATE.md"].split("## Layout")[1].split("```")[1]):
        assert (ROOT / name).exists(), name
