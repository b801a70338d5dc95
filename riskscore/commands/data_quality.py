"""Writes a data-quality report on a folder's transactions and labels, with pictures and the training set."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from riskscore.atomic import replacing_file
from riskscore.cli import DONE, ROOT, counted, parsed
from riskscore.model_toml.settings import read_settings
from riskscore.sources.data_quality import examine, opened
from riskscore.sources.quality_report import PICTURES, page, write_training_set
from riskscore.sources.sources import placed_rows, spec_of_settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MODEL = "default_90d"


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Report; 0 where done, whatever was found."""
    options = parsed(parser(), arguments)
    settings = read_settings(ROOT / "model" / MODEL)
    with opened(options.folder, settings, ROOT) as connection:
        quality = examine(connection)
        pictures = {name: draw(connection) for name, (_, draw) in PICTURES.items()}
    rows = placed_rows(f"duckdb:{options.folder}", spec_of_settings(settings, ROOT, environ))
    written, left = write_training_set(options.out / "training_set.csv", settings, rows)
    for name, content in pictures.items():
        with replacing_file(options.out / name) as file:
            file.buffer.write(content)  # type: ignore[attr-defined]
    report = options.out / "DATA_QUALITY.md"
    with replacing_file(report) as file:
        pictured = {name: what for name, (what, _) in PICTURES.items()}
        file.write(page(options.folder.resolve().name, quality, written, left, pictured))
    found = sum(finding.found > 0 for finding in quality.findings)
    print(f"{report}: {found} of {counted(len(quality.findings), 'check')} found problems")
    print(f"{options.out / 'training_set.csv'}: {counted(written, 'customer')}; {sum(left.values()):,} left out")
    return DONE


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__)
    result.add_argument("folder", type=Path, metavar="FOLDER", help="with transactions and labels, .csv or .parquet")
    result.add_argument(
        "--out", type=Path, metavar="DIR", default=ROOT / "out" / MODEL, help=f"folder for the files (out/{MODEL})"
    )
    return result
