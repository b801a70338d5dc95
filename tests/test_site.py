"""docs/ as a site: every link and anchor leads somewhere, and every folder of the library has its docstrings there."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.scoring_examples import ROOT

if TYPE_CHECKING:
    from pathlib import Path

FOLDERS = sorted(path.parent.name for path in ROOT.glob("riskscore/*/__init__.py"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_page_has_its_place_and_can_be_searched(site: Path) -> None:
    there = {path.relative_to(site).as_posix() for path in site.rglob("*.html")}
    pages = {path.name for path in ROOT.glob("docs/*.md")} | {"CONTRIBUTING.md", "CHANGELOG.md", "index.md"}
    assert {page.replace(".md", ".html") for page in pages} <= there
    assert {f"cards/{path.parent.name}.html" for path in ROOT.glob("model/*/MODEL_CARD.md")} <= there
    assert "read_only_role.sql" in (site / "search" / "search_index.json").read_text()


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_of_the_library_has_its_docstrings(site: Path, folder: str) -> None:
    page = (site / "api" / f"{folder}.html").read_text()
    modules = [path.stem for path in (ROOT / "riskscore" / folder).glob("*.py") if path.stem != "__init__"]
    assert [name for name in modules if f"riskscore.{folder}.{name}" not in page] == []


def test_a_link_to_a_file_of_the_repository_leads_to_its_copy(site: Path) -> None:
    page = (site / "DATA.html").read_text()
    assert 'href="files/sql/credit_risk/features.sql"' in page
    assert (site / "files/sql/credit_risk/features.sql").read_bytes() == (
        ROOT / "sql/credit_risk/features.sql"
    ).read_bytes()
