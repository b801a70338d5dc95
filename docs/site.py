"""Hooks of `make docs`: what the site has beside docs/, and links that hold both there and in the plain files.

The README becomes the front page; CONTRIBUTING, CHANGELOG, the submission and the model cards get a page each; every
folder of riskscore/ gets a page of its docstrings. A link to another file of the repository leads to a copy of it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.structure.files import File, Files

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"(!?\[(?:[^\[\]]|\[[^\]]*\])*\])\(([^)\s]+)\)")
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "SUBMISSION_TEMPLATE.md": "SUBMISSION_TEMPLATE.md",
    **{
        f"model/{card.parent.name}/MODEL_CARD.md": f"cards/{card.parent.name}.md"
        for card in ROOT.glob("model/*/MODEL_CARD.md")
    },
    **{f"docs/{page.name}": page.name for page in ROOT.glob("docs/*.md")},
}
SOURCES = {uri: path for path, uri in PAGES.items()}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie elsewhere, those of the docstrings, and the files that any page links to."""
    for path, uri in PAGES.items():
        if not path.startswith("docs/"):
            files.append(File.generated(config, uri, content=(ROOT / path).read_text(encoding="utf-8")))
    for folder in _folders():
        files.append(File.generated(config, f"api/{folder.name}.md", content=_reference(folder)))
    for path in sorted({target for page in PAGES for target in _linked_files(page)}):
        files.append(File.generated(config, f"files/{path}", abs_src_path=str(ROOT / path)))
    config.nav = [{"Start": "index.md"}, *(config.nav or []), *_sections()]
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Lead the links of a page to where their targets lie in the site."""
    source = SOURCES.get(page.file.src_uri)
    if source is None:
        return markdown
    return LINK.sub(lambda link: _relinked(link[1], link[2], source, page.file.src_uri), markdown)


def _relinked(text: str, link: str, source: str, uri: str) -> str:
    target, hash_mark, heading = link.partition("#")
    path = _path(source, target)
    if "://" in link or not target:
        return f"{text}({link})"
    if (ROOT / path).is_dir():
        return text.strip("[]")
    found = PAGES.get(path) or f"files/{path}"
    return f"{text}({os.path.relpath(found, Path(uri).parent)}{hash_mark}{heading})"


def _path(source: str, target: str) -> str:
    return os.path.normpath(Path(source).parent / target)


def _linked_files(source: str) -> list[str]:
    links = [link[1].partition("#")[0] for link in LINK.findall((ROOT / source).read_text(encoding="utf-8"))]
    paths = [_path(source, link) for link in links if link and "://" not in link]
    return [path for path in paths if path not in PAGES and (ROOT / path).is_file()]


def _folders() -> list[Path]:
    return sorted(path.parent for path in (ROOT / "riskscore").glob("*/__init__.py"))


def _reference(folder: Path) -> str:
    modules = [path.stem for path in sorted(folder.glob("*.py")) if path.stem != "__init__"]
    return "\n\n".join([f"# riskscore.{folder.name}", *(f"::: riskscore.{folder.name}.{name}" for name in modules)])


def _sections() -> list[dict[str, Any]]:
    cards = [{uri.removeprefix("cards/").removesuffix(".md"): uri} for uri in SOURCES if uri.startswith("cards/")]
    return [
        {"Model cards": sorted(cards, key=lambda entry: [*entry])},
        {"Working on it": ["CONTRIBUTING.md", "SUBMISSION_TEMPLATE.md", "CHANGELOG.md"]},
        {"API": [{folder.name: f"api/{folder.name}.md"} for folder in _folders()]},
    ]
