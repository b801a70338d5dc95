"""How sample files are written: whole or not at all."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from riskscore.atomic import replacing_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]], separator: str) -> Path:
    """A whole CSV file or none; None is written as an empty cell, True and False as these words."""
    with replacing_file(path) as file:
        writer = csv.writer(file, delimiter=separator, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
    return path
