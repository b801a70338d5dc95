"""Writes a model's simulated sample files, without any real person. The same seed gives the same bytes."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from riskscore.cli import DONE, parsed, whole_number
from riskscore.samples import default_90d, offer_click, pay_later, x100
from riskscore.samples.sample_files import write_about

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

SEED = 7


class Sample(NamedTuple):
    """write(folder, rows, seed, separator) -> the files; rows, separator: what it takes where nothing else is said."""

    write: Callable[[Path, int, int, str], list[Path]]
    rows: int
    separator: str


SAMPLES = {
    "pay_later": Sample(pay_later.write, 20_000, ";"),
    "x100": Sample(x100.write, 8_000, ","),
    "offer_click": Sample(offer_click.write, offer_click.LEADS, ""),
    "default_90d": Sample(default_90d.write, default_90d.CUSTOMERS, ","),
    "default_90d-txn": Sample(partial(default_90d.write, spelling="txn"), default_90d.CUSTOMERS, ","),  # other headers
}


def main(arguments: Sequence[str], _: Mapping[str, str]) -> int:
    options = parsed(_parser(), arguments)
    sample = SAMPLES[options.model]
    rows = sample.rows if options.rows is None else options.rows
    files = sample.write(options.out, rows, options.seed, options.separator or sample.separator)
    for path in files:
        print(f"{path}: simulated, seed {options.seed}")
    write_about(files, f"Simulated by riskscore sample-data {options.model} --seed {options.seed}: nobody's data.")
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=SAMPLES, help="the model")
    parser.add_argument("--out", type=Path, metavar="DIR", required=True, help="folder for the files")
    parser.add_argument("--rows", type=whole_number, metavar="N", help="number of rows (default: enough to train on)")
    parser.add_argument("--seed", type=whole_number, metavar="N", default=SEED, help=f"seed of the simulation ({SEED})")
    parser.add_argument(
        "--separator",
        choices=(",", ";"),
        metavar="CHARACTER",
        help="separator of CSV files: ',' or ';' (default: the original's)",
    )
    return parser
