"""Dump a model's events from the database: one JSON file per row, or one JSONL for all.

Whatever its ids hold, a row gets a file name of its own that is safe on any file system; a file appears whole
or not at all. Ledgers that can't be read go to a report instead, and every other row is written.
"""

from __future__ import annotations

import csv
import hashlib
import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from riskscore.atomic import replacing_file
from riskscore.contract.spreadsheets import cell
from riskscore.database.features import event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from typing import Any

    from riskscore.database.features import FeatureRow

MAX_NAME = 180  # bytes; file systems take 255, and the snapshot date and a temporary suffix come on top


class Dumped(NamedTuple):
    """How many rows were written, and how many ledgers went to the report."""

    rows: int
    faults: int


def file_name(*ids: str) -> str:
    """A file name for a row: its ids, percent-encoded but for letters, digits, - and _, joined by @.

    Two rows never share a name: % stands only before two hex digits, and a name cut short ends in a hash.
    """
    name = "@".join(quote(value, safe="").replace(".", "%2E").replace("~", "%7E") or "%" for value in ids)
    if len(name) > MAX_NAME:
        digest = hashlib.sha256("\x00".join(ids).encode()).hexdigest()
        name = f"{name[: MAX_NAME - 40]}~{digest[:32]}"
    return f"{name}.json"


def dump_files(rows: Iterable[FeatureRow], folder: Path, faults: FaultReport, with_dates: bool) -> Dumped:
    """One file per row, named by its customer; with_dates: and by its snapshot date, where customers have several."""
    written = 0
    for row in rows:
        if row.fault:
            faults.add(row)
            continue
        ids = list(row.ids.values())
        with replacing_file(folder / file_name(*(ids if with_dates else ids[:1])), sync=False) as file:
            file.write(json.dumps(event(row), indent=1, allow_nan=False, ensure_ascii=False) + "\n")
        written += 1
    return Dumped(written, faults.count)


def dump_lines(rows: Iterable[FeatureRow], path: Path, faults: FaultReport) -> Dumped:
    """One JSONL file with an event per line, for bulk."""
    written = 0
    encode: Callable[[Any], str] = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode
    with replacing_file(path) as file:
        for row in rows:
            if row.fault:
                faults.add(row)
                continue
            file.write(encode(event(row)) + "\n")
            written += 1
    return Dumped(written, faults.count)


class FaultReport:
    """A CSV of the rows left out and why; written only where there is one. Use as a context manager."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self._writer: Any = None
        self._stack = ExitStack()

    def __enter__(self) -> FaultReport:
        # a report of an earlier run would speak of rows that are sound by now
        self.path.unlink(missing_ok=True)
        return self

    def __exit__(self, *failure: Any) -> None:
        self._stack.__exit__(*failure)

    def add(self, row: FeatureRow) -> None:
        """Report a row that can't be dumped."""
        self.write(row.ids, row.fault or "")

    def write(self, ids: dict[str, str], reason: str) -> None:
        """Report whatever these ids name, with the reason."""
        if self._writer is None:
            self._writer = csv.writer(self._stack.enter_context(replacing_file(self.path)), lineterminator="\n")
            self._writer.writerow(map(cell, [*ids, "reason"]))
        self._writer.writerow(map(cell, [*ids.values(), reason]))
        self.count += 1
