"""Prints a model's figures at a cut-off, or writes its card again with it, from the aggregates that training kept."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riskscore.artefact.artefact import list_models, open_manifest
from riskscore.atomic import replacing_file
from riskscore.cli import DONE, ROOT, model_argument, parsed, require_model
from riskscore.errors import InvalidFile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Card = dict[str, Any]

FILE = "card.json"


def main(arguments: Sequence[str], _environ: Mapping[str, str]) -> int:
    """Print, and write where --out says so; 0 where it was done."""
    options = parsed(parser(), arguments)
    require_model(options.model, list_models(str(options.models)), options.models)
    from riskscore.model_card.cutoffs import held_cutoff
    from riskscore.model_card.writing import rendered

    manifest, _ = open_manifest(str(options.models / options.model))
    card = read_card(options.models / options.model / FILE, manifest)
    if options.cutoff is not None:
        card["asked"] = held_cutoff(card["distribution"], options.cutoff)
    form = _form(options.out) if options.out else ""
    print(figures(card, options.cutoff))
    if form:
        with replacing_file(options.out) as file, open(file.fileno(), "wb", closefd=False) as raw:
            raw.write(rendered(form, card, manifest))
        print(f"written    {options.out}")
    return DONE


def read_card(path: Path, manifest: Mapping[str, Any]) -> Card:
    """card.json beside a manifest. Raises InvalidFile where there is none, or one of another version."""
    name = manifest["model"]
    if not path.is_file():
        why = "was adopted without labelled rows" if "adopted" in manifest else "was trained before there were cards"
        again = "adopt it again with --data" if "adopted" in manifest else "train it again"
        raise InvalidFile(f"{name} {why}, so it has no {FILE}; {again}")
    try:
        card: Card = json.loads(path.read_bytes())
        version = card["version"]
    except (ValueError, KeyError, TypeError):
        raise InvalidFile(f"{name}/{FILE} is not what training writes; train again") from None
    if version != manifest["version"]:
        raise InvalidFile(f"{name}/{FILE} is of version {version}, but the model is {manifest['version']}")
    return card


def figures(card: Card, asked: float | None) -> str:
    """The figures at the cut-off that was asked for, at model.toml's and at the best one."""
    from riskscore.model_card.cutoffs import figures_at

    found = {"asked for": card.get("asked"), "model.toml": card["threshold"], "best": card["best"]}
    rows = {
        name: figures_at(card["distribution"], cutoff, card["cost_ratio"])
        for name, cutoff in found.items()
        if cutoff is not None
    }
    lines = [
        f"{name:<10} {row['cutoff']:<9g} {row['approval_rate']:>7.1%} approved  "
        + (f"{row['bad_rate']:.2%} bad ({row['low']:.2%} to {row['high']:.2%})" if row["approved"] else "none")
        + f"  profit {row['profit']:.2f}"
        for name, row in rows.items()
    ]
    if asked is not None and card["asked"] != asked:
        lines.append(f"{card['asked']:g} is the cut-off nearest to {asked:g} that the card holds")
    unit = f"profit of 100 rows, in what a good row earns; a bad one costs {card['cost_ratio']:.4g}"
    return "\n".join(
        [f"{card['model']} {card['version']}, {card['rows']:,} rows, scores {card['basis']}", *lines, unit]
    )


def _form(path: Path) -> str:
    from riskscore.model_card.writing import FORMS

    if path.suffix.lower() not in FORMS:
        raise InvalidFile(f"--out must end in {' or '.join(FORMS)}")
    return path.suffix.lower()


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__)
    model_argument(result, help="the model's name, e.g. credit_risk")
    result.add_argument(
        "--cutoff", metavar="X", type=float, help="a probability (default: the threshold of model.toml)"
    )
    result.add_argument("--out", metavar="FILE", type=Path, help="write the card with this cut-off, as .html or .pdf")
    result.add_argument("--models", metavar="DIR", type=Path, default=ROOT / "model", help="folder of models")
    return result
