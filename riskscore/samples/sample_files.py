"""How sample files are written: whole or not at all, with what is said of them in about.txt."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from riskscore.atomic import replacing_file
from riskscore.training.training_data import ABOUT, sha256, statements

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


def write_about(files: Sequence[Path], words: str) -> None:
    """Have about.txt beside files say this of them and of no other; what it says of others stays."""
    folder = files[0].parent
    said = {path.name: sha256(path) for path in files}
    kept = []
    for other, named in statements(folder):
        left = {name: digest for name, digest in named.items() if name not in said}
        if left or (other and not named):
            kept.append((other, left))
    with replacing_file(folder / ABOUT) as file:
        file.write("\n".join(map(_paragraph, [*kept, (words, said)])))


def _paragraph(said: tuple[str, dict[str, str]]) -> str:
    words, named = said
    return "".join([f"{words}\n", *(f"{digest}  {name}\n" for name, digest in named.items())])
