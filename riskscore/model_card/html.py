"""card.html: one file that stands alone, readable on a phone and on paper. No script, nothing from outside."""

from __future__ import annotations

import base64
import re
from html import escape
from string import Template
from typing import TYPE_CHECKING

from riskscore.model_card.document import Picture, Section, Table
from riskscore.model_card.drawing import svg

if TYPE_CHECKING:
    from collections.abc import Sequence

STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.45 system-ui, "DejaVu Sans", sans-serif; color: #111; background: #fff;
  margin: 0 auto; padding: 1rem; max-width: 60rem; }
h1 { font-size: 1.6rem; margin: 0 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2rem 0 .4rem; border-bottom: 2px solid #1f3b57; }
nav { font-size: .9rem; columns: 14rem; margin: 1rem 0; }
nav a { color: #1f3b57; display: block; padding: .15rem 0; }
p { overflow-wrap: anywhere; }
code { font-size: .92em; }
.wide { overflow-x: auto; margin: .8rem 0; }
table { border-collapse: collapse; font-size: .88rem; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid #bbb; text-align: right; vertical-align: top; }
th { border-bottom: 2px solid #1f3b57; }
td { white-space: nowrap; }
th.w, td.w { text-align: left; white-space: normal; }
tr.strong td { font-weight: 700; background: #eee; }
.wide img { width: max(100%, 34rem); max-width: 44rem; height: auto; display: block; }
@media print {
  body { max-width: none; font-size: 11px; }
  nav { display: none; }
  img, tr { break-inside: avoid; }
  h2 { break-after: avoid; }
  .wide { overflow: visible; }
}
"""
PAGE = Template("""\
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title><style>$style</style></head>
<body><h1>$title</h1>
<nav aria-label="Sections">$links</nav>
<main>
$body</main></body></html>
""")


def page(title: str, sections: Sequence[Section]) -> bytes:
    """The whole card."""
    links = "".join(f'<a href="#s{k}">{escape(section.title)}</a>' for k, section in enumerate(sections))
    body = "".join(_section(k, section) for k, section in enumerate(sections))
    return PAGE.substitute(title=escape(title), style=STYLE, links=links, body=body).encode()


def _section(place: int, section: Section) -> str:
    blocks = "\n".join(map(_block, section.blocks))
    return f'<section id="s{place}"><h2>{escape(section.title)}</h2>\n{blocks}\n</section>\n'


def _block(block: str | Table | Picture) -> str:
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Picture):
        data = base64.b64encode(svg(block.draw())).decode()
        source = f"data:image/svg+xml;base64,{data}"
        return f'<div class="wide"><img alt="{escape(block.words)}" src="{source}"></div>'
    return f"<p>{_words(block)}</p>"


def _table(table: Table) -> str:
    head = _row("th", table.header, table.words, "")
    rows = "\n".join(
        _row("td", row, table.words, ' class="strong"' * (k in table.strong)) for k, row in enumerate(table.rows)
    )
    return f'<div class="wide"><table><thead>{head}</thead>\n<tbody>{rows}</tbody></table></div>'


def _row(kind: str, cells: Sequence[str], words: int, attributes: str) -> str:
    marks = [' class="w"' if k < words else "" for k in range(len(cells))]
    inner = "".join(f"<{kind}{mark}>{_words(cell)}</{kind}>" for mark, cell in zip(marks, cells, strict=True))
    return f"<tr{attributes}>{inner}</tr>"


def _words(text: str) -> str:
    """Plain text with the marks of Markdown for code and for what is strong."""
    escaped = escape(text)
    marked = re.sub(r"`([^`]+)`", r"<code>\1</code>", escaped)
    return re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", marked)
