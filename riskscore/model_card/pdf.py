"""card.pdf: the same sections on paper, its pictures drawn as lines and texts; the same bytes every time."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from fpdf import FPDF
from fpdf.enums import TableBordersLayout
from fpdf.fonts import FontFace

from riskscore.model_card.document import Picture, Section, Table
from riskscore.model_card.drawing import Box, Line, Mark, Text, corners

if TYPE_CHECKING:
    from collections.abc import Sequence

    from riskscore.model_card.drawing import Drawing

PLAIN = "Helvetica"  # every reader has it, for the letters of western Europe
WIDE = "DejaVu"  # has many more, and comes with matplotlib
MADE = datetime(2000, 1, 1, tzinfo=UTC)  # the card says of when the model is; the file's own date would only differ
MARGIN = 15.0  # millimetres
SCALE = 0.26  # millimetres of a picture's point
POINTS = 72 / 25.4
LONGEST = 34  # characters that a column is made wide for


class _Paper(FPDF):
    """A4 with the card's title and the page below."""

    def __init__(self, title: str, family: str) -> None:
        super().__init__()
        self.family, self.name = family, title
        self.set_creation_date(MADE)
        self.set_title(title)
        self.set_lang("en")
        self.set_margin(MARGIN)
        self.set_auto_page_break(True, MARGIN + 5)
        if family == WIDE:
            for style, file in (("", "DejaVuSans.ttf"), ("B", "DejaVuSans-Bold.ttf")):
                self.add_font(WIDE, style, _fonts() / file)

    def footer(self) -> None:
        self.set_y(-MARGIN)
        self.set_font(self.family, size=8)
        self.cell(0, 6, f"{self.name}, page {self.page_no()} of {{nb}}", align="C")

    def write_line(self, text: str, size: float, bold: bool = False) -> None:
        self.set_font(self.family, "B" if bold else "", size)
        self.multi_cell(0, size * 0.5, text, new_x="LMARGIN", new_y="NEXT", align="L")


def page(title: str, sections: Sequence[Section]) -> bytes:
    """The whole card."""
    paper = _Paper(title, PLAIN if _is_plain(title, sections) else WIDE)
    paper.add_page()
    paper.write_line(title, 16, True)
    for section in sections:
        if paper.will_page_break(40):
            paper.add_page()
        paper.ln(4)
        paper.start_section(_words(section.title))
        paper.write_line(_words(section.title), 12, True)
        for block in section.blocks:
            paper.ln(1.5)
            _block(paper, block)
    try:
        return bytes(paper.output())
    finally:
        close_fonts(paper)


def close_fonts(document: FPDF) -> None:
    """Close the font files that a document has open; fpdf2 leaves that to the collector of garbage."""
    for font in document.fonts.values():
        if hasattr(font, "ttfont"):
            font.ttfont.close()


def _block(paper: _Paper, block: str | Table | Picture) -> None:
    if isinstance(block, Table):
        _table(paper, block)
    elif isinstance(block, Picture):
        _picture(paper, block.draw(), block.words)
    else:
        paper.write_line(_words(block), 9.5, block.startswith("**"))


def _table(paper: _Paper, table: Table) -> None:
    header, rows = [*map(_words, table.header)], [[*map(_words, row)] for row in table.rows]
    most = LONGEST * 2 if len(header) == 2 else LONGEST
    lengths = [min(max(map(len, column)), most) + 2 for column in zip(header, *rows, strict=True)]
    width = min(paper.epw, sum(lengths) * 2.0)
    align = tuple("LEFT" if k < table.words else "RIGHT" for k in range(len(header)))
    paper.set_font(paper.family, size=8)
    paper.set_line_width(0.15)
    head = any(header)
    with paper.table(
        borders_layout=TableBordersLayout.HORIZONTAL_LINES,
        col_widths=tuple(lengths),
        width=width,
        align="LEFT",
        text_align=align,
        line_height=4.2,
        first_row_as_headings=head,
    ) as grid:
        for k, cells in enumerate(([header] if head else []) + rows):
            strong = k - head in table.strong
            grid.row(cells, style=FontFace(emphasis="BOLD") if strong else None)


def _picture(paper: _Paper, drawing: Drawing, words: str) -> None:
    height = drawing.height * SCALE
    if paper.will_page_break(height):
        paper.add_page()
    left, top = paper.l_margin, paper.get_y()
    for shape in drawing.shapes:
        _shape(paper, shape, left, top)
    paper.set_draw_color(0)
    paper.set_dash_pattern()
    paper.set_y(top + height)
    paper.write_line(words, 7.5)


def _shape(paper: _Paper, shape: Line | Box | Mark | Text, left: float, top: float) -> None:
    if isinstance(shape, Text):
        _text(paper, shape, left, top)
    elif isinstance(shape, Box):
        paper.set_fill_color(shape.fill)
        paper.rect(left + shape.x * SCALE, top + shape.y * SCALE, shape.width * SCALE, shape.height * SCALE, "F")
    elif isinstance(shape, Line):
        paper.set_draw_color(shape.colour)
        paper.set_line_width(shape.width * SCALE)
        paper.set_dash_pattern(*(length * SCALE for length in shape.dash))
        paper.polyline([(left + x * SCALE, top + y * SCALE) for x, y in shape.points])
    else:
        paper.set_dash_pattern()
        paper.set_line_width(SCALE)
        paper.set_draw_color(0)
        paper.set_fill_color(0 if shape.filled else 255)
        paper.polygon([(left + x * SCALE, top + y * SCALE) for x, y in corners(shape)], style="DF")


def _text(paper: _Paper, shape: Text, left: float, top: float) -> None:
    paper.set_font(paper.family, size=shape.size * SCALE * POINTS)
    before = {"start": 0.0, "middle": 0.5, "end": 1.0}[shape.anchor] * paper.get_string_width(shape.text)
    x, y = left + shape.x * SCALE, top + shape.y * SCALE
    with paper.rotation(shape.turn, x, y):
        paper.text(x - before, y, shape.text)


def _words(text: str) -> str:
    """Without the marks of Markdown."""
    return text.replace("`", "").replace("**", "")


def _is_plain(title: str, sections: Sequence[Section]) -> bool:
    """Whether every letter is one of western Europe."""
    texts: list[str] = [title]
    for section in sections:
        texts.append(section.title)
        for block in section.blocks:
            if isinstance(block, Table):
                texts += [*block.header, *(cell for row in block.rows for cell in row)]
            elif isinstance(block, Picture):
                texts += [shape.text for shape in block.draw().shapes if isinstance(shape, Text)]
            else:
                texts.append(block)
    return "".join(texts).isprintable() and all(ord(letter) < 256 for text in texts for letter in text)


def _fonts() -> Path:
    import matplotlib as mpl

    return Path(mpl.get_data_path()) / "fonts" / "ttf"
