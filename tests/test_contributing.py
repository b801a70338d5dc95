"""CONTRIBUTING.md holds: what its recipes name exists, and their commands run."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from riskscore.scoring.pipeline import STEPS
from tests.scoring_examples import ROOT
from tests.sql.test_sql_files import psql

PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
SECTIONS = dict(zip(*[iter(re.split(r"^## (.*)\n", PAGE, flags=re.MULTILINE)[1:])] * 2, strict=True))
RECIPES = {name: text for name, text in SECTIONS.items() if name.startswith("Add ")}
MADE = ("tests/", "out/", "sql/NAME/", "sql/my_model/", "events/my_model/")  # by whoever follows a recipe


def names_in(path: Path) -> set[str]:
    """What a module defines at its top level."""
    nodes = ast.parse(path.read_text(encoding="utf-8")).body
    defined = {node.name for node in nodes if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    targets = [
        node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for node in nodes
        if isinstance(node, (ast.Assign, ast.AnnAssign))
    ]
    return defined | {target.id for group in targets for target in group if isinstance(target, ast.Name)}


def test_the_steps_are_those_of_the_pipeline():
    told = re.findall(r"^\| `(\w+)` \|", SECTIONS["How an event is scored"], re.MULTILINE)
    assert told == ["parse", *(step.__name__ for step in STEPS), "respond", "record"]


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
    """In a folder that looks like the project's, so that nothing is written into it."""
    for name in ("events", "lambda_function.py", "model", "riskscore", "sql"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "bin").mkdir()
    for name, words in {"riskscore": "-m riskscore", "python": ""}.items():
        (tmp_path / "bin" / name).write_text(f'#!/bin/sh\nexec {sys.executable} {words} "$@"\n')
        (tmp_path / "bin" / name).chmod(0o755)
    path = f"{tmp_path / 'bin'}:{Path(psql()).parent}:{os.environ['PATH']}"
    commands = "\n".join(re.findall(r"```sh\n(.*?)```", RECIPES[recipe], re.DOTALL))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=tmp_path,
        env={**os.environ, "PATH": path, "DATABASE_URL": database},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, commands != "") == (0, True), done.stderr
