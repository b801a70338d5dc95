"""CONTRIBUTING.md holds: what its recipes name exists, and their commands run."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import pytest

from riskscore.scoring.pipeline import STEPS
from tests.scoring_examples import ROOT
from tests.shell import run_shell

if TYPE_CHECKING:
    from pathlib import Path

PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
SECTIONS = dict(zip(*[iter(re.split(r"^## (.*)\n", PAGE, flags=re.MULTILINE)[1:])] * 2, strict=True))
RECIPES = {name: text for name, text in SECTIONS.items() if name.startswith("Add ")}


def names_in(path: Path) -> set[str]:
    """What a module defines at its top level."""
    nodes = ast.parse(path.read_text(encoding="utf-8")).body
    named = {node.name for node in nodes if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    assigned = [name for node in nodes if isinstance(node, (ast.Assign, ast.AnnAssign)) for name in ast.walk(node)]
    return named | {name.id for name in assigned if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)}


def test_the_steps_are_those_of_the_pipeline():
    listed = re.findall(r"^\| `(\w+)` \|", SECTIONS["How an event is scored"], re.MULTILINE)
    assert listed == ["parse", *(step.__name__ for step in STEPS), "respond", "record"]


@pytest.mark.parametrize("section", SECTIONS)
def test_every_file_named_exists(section):
    paths = set(re.findall(r"`([\w.-]+/[\w./-]*)`", SECTIONS[section]))
    made = {path for path in paths if re.search(r"NAME|my_model|^out/", path)}
    assert [path for path in sorted(paths - made) if not exists(path)] == []


def exists(path: str) -> bool:
    """From the project's folder, from riskscore/, or below the folder of published data, which the project lacks."""
    return (ROOT / path).exists() or (ROOT / "riskscore" / path).exists() or path in SECTIONS["Published data"]


@pytest.mark.parametrize(
    ("name", "path"), re.findall(r"`(\w+)` in\s+`([\w/]+\.py)`", PAGE), ids=lambda value: value.replace("/", ".")
)
def test_every_function_and_table_named_is_defined_there(name, path):
    assert name in names_in(ROOT / path)


@pytest.mark.parametrize("module", re.findall(r"`(\w+\.py)`", SECTIONS["The privacy rule and its boundary"]))
def test_every_module_that_keeps_rows_exists(module):
    assert [*(ROOT / "riskscore").rglob(module)]


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_commands_of_a_recipe_run(recipe, tmp_path, database):
    commands = "\n".join(re.findall(r"```sh\n(.*?)```", RECIPES[recipe], re.DOTALL))
    assert commands
    run_shell(tmp_path, commands, DATABASE_URL=database)
