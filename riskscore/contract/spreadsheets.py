"""Cells of a CSV that a spreadsheet can open without running any of them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# What begins a formula, its full-width and small forms too, which some spreadsheets take for the same.
FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b")
CONTROLS = ("\t", "\r", "\n")  # dropped or skipped on the way in, so that what follows them begins the cell
SKIPPED = " \u00a0\u3000\ufeff\u200b\t\r\n"


def cell(value: Any) -> Any:
    """A value as a CSV holds it: a text that a spreadsheet would run gets an apostrophe before it, which makes it text.

    Numbers stay as they are.
    """
    if not isinstance(value, str) or not value or value[0].isalnum():  # nearly all
        return value
    runs = value.startswith(CONTROLS) or value.lstrip(SKIPPED).startswith(FORMULA)
    return f"'{value}" if runs else value
