"""Adopts a model that was trained elsewhere: shows what its file would run, checks it, and writes its folder."""

from __future__ import annotations

import argparse
import hashlib
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riskscore.adopting.pickle_imports import is_expected
from riskscore.artefact.versions import waiting
from riskscore.cli import DONE, ROOT, parsed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from riskscore.adopting.adoption import Adopted
    from riskscore.adopting.pickle_opcodes import Listing

SHOWN = 100  # of the usual imports; whatever is unusual is always shown


def main(arguments: Sequence[str], _environ: Mapping[str, str]) -> int:
    """Adopt; 0 where the model was written."""
    options = parsed(_parser(), arguments)
    # scikit-learn takes a second to import: --help, completions and mistyped options don't wait for it.
    from riskscore.adopting.adoption import adopt

    adopted = adopt(
        options.name,
        options.joblib,
        options.contract,
        options.models,
        datetime.now(UTC),
        _trust(options.trust),
        options.data,
        options.expected,
        options.rounds,
    )
    folder = adopted.folder or options.models / options.name
    print(_summary(adopted, folder))
    if folder != options.models / options.name:
        print(waiting(folder, options.models))
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", metavar="NAME", help="the model's new name, and its folder")
    parser.add_argument(
        "--joblib",
        required=True,
        type=Path,
        metavar="FILE",
        help="joblib or pickle, XGBoost's own .json or .ubj, or an MLflow folder",
    )
    parser.add_argument(
        "--contract",
        required=True,
        type=Path,
        metavar="FILE.toml",
        help="a model.toml; estimator and source may be absent",
    )
    parser.add_argument(
        "--data", type=Path, metavar="FILE.csv", help="rows to evaluate it on, with or without the label"
    )
    parser.add_argument(
        "--expected",
        default="",
        metavar="COLUMN",
        help="a column of --data with the owner's probabilities, which the model must give",
    )
    parser.add_argument(
        "--rounds", default="", choices=("best", "all"), help="which rounds to use if an XGBoost model stopped early"
    )
    parser.add_argument("--trust", action="store_true", help="load the pickle without asking; it may run any code")
    parser.add_argument("--models", "--out", type=Path, metavar="DIR", default=ROOT / "model", help="folder of models")
    return parser


def _trust(given: bool) -> Callable[[str, Listing], bool]:
    """Show what a pickle would import, and ask where there is somebody to ask."""

    def trusted(file: str, listing: Listing) -> bool:
        print(_shown(file, listing), file=sys.stderr)
        if given:
            return True
        if not sys.stdin.isatty():
            print("No terminal to ask at: --trust loads it.", file=sys.stderr)
            return False
        print("Loading it runs these. Load it? [y/N] ", end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    return trusted


def _shown(file: str, listing: Listing) -> str:
    strange = [f"  ! {entry}" for entry in listing.imports if not is_expected(entry)]
    usual = [f"    {entry}" for entry in listing.imports if is_expected(entry)]
    lines = [f"{file} is a pickle. Loading it would import:", *strange, *_some(usual)]
    if strange:
        lines.append("Imports marked ! are unusual in a model; through them a pickle can run any code.")
    return "\n".join(lines)


def _some(lines: list[str]) -> list[str]:
    return lines if len(lines) <= SHOWN else [*lines[:SHOWN], f"    and {len(lines) - SHOWN} more usual ones"]


def _held(adopted: Mapping[str, Any]) -> str:
    """What is shown of the owner's own probabilities, and what isn't."""
    held = adopted["expected"]
    if held is None:
        where = "--expected COLUMN" + ("" if adopted["data"] else " with --data FILE.csv")
        return f"not shown  that these are its owner's probabilities: {where} holds it to them"
    return (
        f"expected   {held['rows']:,} rows give {held['column']} to {held['tolerance']:g}; the largest difference is"
        f" {held['largest_difference']:g}, line {held['line']}"
    )


def _summary(adopted: Adopted, folder: Path) -> str:
    """What a person wants to know of an adoption, in a few lines."""
    manifest = adopted.manifest
    figures = manifest["metrics"].get("on_given_data", {})
    said = ", ".join(f"{name} {value:.3f}" for name, value in figures.items())
    notes = [*adopted.notes, *([] if manifest["explains"] else ["no reasons are given: nothing explains its scores"])]
    return "\n".join(
        [
            f"{manifest['model']} {manifest['version']}, adopted into {folder}",
            f"estimator  {manifest['estimator']['class']}, family {manifest['estimator']['family']}",
            *(f"note       {note}" for note in notes),
            _held(manifest["adopted"]),
            *([f"figures    {manifest['metrics']['method']}: {said}"] if figures else []),
            f"engines    {' and '.join(manifest['engines'])}; {adopted.twin_lacks or 'equal bit for bit'}",
            *(
                f"sha256     {hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}"
                for name in (*adopted.contents, "manifest.json")
            ),
            f"evaluate it by {folder / 'MODEL_CARD.md'}"
            + (f", and review {folder / 'reasons.toml'}, the texts of its reasons" if manifest["explains"] else ""),
        ]
    )
