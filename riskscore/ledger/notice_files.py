"""A notice of adverse action as a document: its parts in the order of 12 CFR 1002.9, as Markdown, HTML or PDF."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

from riskscore.errors import InvalidFile
from riskscore.model_toml.schema import REQUIRED, are_texts, checked, require, table_of, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

TITLE = "Notice of action taken and statement of reasons"
ACTION = "After reviewing your application for credit, we can't approve it."
CREDITOR = {
    "name": (str, REQUIRED),
    "address": (list, REQUIRED),
    "phone": (str, ""),
    "action": (str, ACTION),
    "agency": (dict, REQUIRED),
    "font": (str, ""),
}
AGENCY = {"name": (str, REQUIRED), "address": (list, REQUIRED)}
# 12 CFR 1002.9(b)(1), as amended; the agency's name and address follow.
EQUAL_CREDIT = (
    "The federal Equal Credit Opportunity Act prohibits creditors from discriminating against credit applicants on the"
    " basis of race, color, religion, national origin, sex, marital status, age (provided the applicant has the"
    " capacity to enter into a binding contract); because all or part of the applicant's income derives from any"
    " public assistance program; or because the applicant has in good faith exercised any right under the Consumer"
    " Credit Protection Act. The federal agency that administers compliance with this law concerning this creditor is"
)
REASONS = "Principal reasons for this action"
HELVETICA = "helvetica"  # each reader of PDF has it, with western characters alone
HEADINGS = (13, 15)  # their sizes in points
STYLE = (
    "body{font:12pt/1.5 Georgia,serif;max-width:40em;margin:3em auto;padding:0 1em;color:#111;background:#fff}"
    "h1{font-size:1.4em}h2{font-size:1.1em;margin-top:2em}address{font-style:normal}.law{font-size:.9em}"
)


class Creditor(NamedTuple):
    """Who sends the notice, and the federal agency that watches over it."""

    name: str
    address: tuple[str, ...]
    phone: str
    action: str
    agency: tuple[str, ...]  # its name and address, line by line
    font: str  # a TrueType file for the PDF, "" for its own font


class Notice(NamedTuple):
    """What a notice says. reasons: (code, sentence), the strongest first; applied: the day of the application."""

    creditor: Creditor
    date: str
    applied: str
    applicant: tuple[tuple[str, str], ...]  # (name of an id, the id)
    reference: str
    reasons: tuple[tuple[str, str], ...]


def read_creditor(path: Path) -> Creditor:
    """The creditor's TOML file. Raises InvalidFile in one sentence."""
    file = path.name
    table = checked(file, "", table_of(text_of(path, file), file), CREDITOR)
    agency = checked(file, "agency.", table["agency"], AGENCY)
    for where, lines in (("address", table["address"]), ("agency.address", agency["address"])):
        require(lines and are_texts(lines), file, f"{where} must be a list of lines")
    require(are_texts([table["name"], table["action"], agency["name"]]), file, "name, action or agency.name is empty")
    said = [table["name"], *table["address"], table["phone"], table["action"], agency["name"], *agency["address"]]
    require(all(map(str.isprintable, said)), file, "a line can't hold line breaks or control characters")
    font = str(path.parent / table["font"]) if table["font"] else ""
    lines = (agency["name"], *agency["address"])
    return Creditor(table["name"], tuple(table["address"]), table["phone"], table["action"], lines, font)


def _facts(notice: Notice) -> list[str]:
    """The lines above the letter: date, applicant, application."""
    ids = [f"{name} {value}" for name, value in notice.applicant]
    applicant = [f"Applicant: {', '.join(ids)}"] if ids else []
    return [f"Date: {notice.date}", *applicant, f"Application of {notice.applied}, reference {notice.reference}"]


def _sender(notice: Notice) -> list[str]:
    phone = [f"Telephone: {notice.creditor.phone}"] if notice.creditor.phone else []
    return [notice.creditor.name, *notice.creditor.address, *phone]


def _law(notice: Notice) -> str:
    return f"{EQUAL_CREDIT} {', '.join(notice.creditor.agency)}."


def markdown(notice: Notice) -> str:
    """The notice as Markdown."""
    lines = [*map(_plain, _sender(notice)), "", *map(_plain, _facts(notice))]
    parts = [
        f"# {TITLE}",
        "  \n".join(lines).replace("\n  \n", "\n\n").replace("  \n\n", "\n\n"),
        _plain(notice.creditor.action),
        f"## {REASONS}",
        "\n".join(f"{place}. {_plain(text)} ({code})" for place, (code, text) in enumerate(notice.reasons, 1)),
        "## Notice",
        _plain(_law(notice)),
    ]
    return "\n\n".join(parts) + "\n"


def _plain(text: str) -> str:
    """A text that Markdown takes as it stands."""
    return re.sub(r"([\\`*_<>\[\]#|~&])", r"\\\1", text)


def page(notice: Notice) -> str:
    """The notice as a page of HTML, without anything from elsewhere."""
    reasons = "\n".join(f"<li>{escape(text)} ({escape(code)})</li>" for code, text in notice.reasons)
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{TITLE}</title><style>{STYLE}</style></head>
<body>
<address>{"<br>".join(map(escape, _sender(notice)))}</address>
<h1>{TITLE}</h1>
<p>{"<br>".join(map(escape, _facts(notice)))}</p>
<p>{escape(notice.creditor.action)}</p>
<h2>{REASONS}</h2>
<ol>
{reasons}
</ol>
<h2>Notice</h2>
<p class="law">{escape(_law(notice))}</p>
</body>
</html>
"""


def pdf(notice: Notice) -> bytes:
    """The notice as PDF, on letter paper. Raises InvalidFile where the font lacks a character."""
    from fpdf import FPDF
    from fpdf.errors import FPDFException

    from riskscore.model_card.pdf import close_fonts

    document = FPDF(format="letter")
    document.set_title(TITLE)
    document.set_margin(25)
    document.add_page()
    try:
        family = _font(document, notice)
        for size, text, space in _paragraphs(notice):
            document.set_font(family, style="B" if size in HEADINGS and family == HELVETICA else "", size=size)
            document.multi_cell(0, size * 0.5, text, align="L", new_x="LMARGIN", new_y="NEXT")
            document.ln(space)
        return bytes(document.output())
    except FPDFException:
        raise InvalidFile(NO_FONT) from None
    finally:
        close_fonts(document)


NO_FONT = (
    "the PDF's font lacks a character of the notice: name a TrueType file as font = \"...\" in the creditor's file"
)


def _paragraphs(notice: Notice) -> list[tuple[float, str, float]]:
    """(size in points, text, space below in mm) of each."""
    reasons = [f"{place}. {text} ({code})" for place, (code, text) in enumerate(notice.reasons, 1)]
    return [
        (11, "\n".join(_sender(notice)), 8),
        (15, TITLE, 4),
        (11, "\n".join(_facts(notice)), 6),
        (11, notice.creditor.action, 6),
        (13, REASONS, 2),
        (11, "\n".join(reasons), 8),
        (13, "Notice", 2),
        (10, _law(notice), 0),
    ]


def _font(document: Any, notice: Notice) -> str:
    """The family of the creditor's font, or one that each reader of PDF has, of western characters alone."""
    if not notice.creditor.font:
        return HELVETICA
    try:
        document.add_font("own", fname=notice.creditor.font)
    except Exception as error:  # noqa: BLE001 - a font file can be broken in any way
        raise InvalidFile(f"the creditor's font can't be read: {type(error).__name__}") from None
    known = document.fonts["own"].cmap
    if any(
        ord(character) not in known for _, text, _ in _paragraphs(notice) for character in text if character != "\n"
    ):
        raise InvalidFile(NO_FONT)  # it would print an empty box
    return "own"


FORMS: dict[str, Callable[[Notice], bytes]] = {
    ".md": lambda notice: markdown(notice).encode(),
    ".html": lambda notice: page(notice).encode(),
    ".pdf": pdf,
}


def render(notice: Notice, path: Path) -> bytes:
    """The notice in the form that a file's ending names."""
    if path.suffix not in FORMS:
        raise InvalidFile(f"{path.name}: expected a file ending in {_listed([*FORMS])}")
    return FORMS[path.suffix](notice)


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"
