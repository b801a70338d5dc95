"""Audits scores by group: adverse impact ratio, equal opportunity and calibration, with intervals, at every cut-off."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riskscore.artefact.artefact import list_models, open_artefact
from riskscore.atomic import replacing_file
from riskscore.cli import DONE, ROOT, counted, parsed, require_model, whole_number
from riskscore.errors import InvalidFile
from riskscore.fairness.audit import Rule, audit
from riskscore.fairness.grouping import AGES, groups_of
from riskscore.fairness.report import document, html, in_lines
from riskscore.fairness.tables import join, read_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from riskscore.fairness.tables import Joined

SMALLEST = 30  # rows of a group: below, a rate says next to nothing, and may say something of somebody


def main(arguments: Sequence[str], _: Mapping[str, str]) -> int:
    """Audit; 0 where it was done, whatever it found."""
    options = parsed(_parser(), arguments)
    if options.smallest < 5:
        raise InvalidFile("--smallest: expected 5 rows or more, so that nobody can be told from a figure")
    bands = _bands(options)
    joined = join(
        *(read_rows(options.scores), read_rows(options.groups), options.id, options.group, options.outcome),
        options.probability,
    )
    rule = Rule(_cutoff(options, joined), options.approve == "below", options.smallest)
    references = _references(options, joined, bands)
    split = {name: groups_of(name, texts, rule.smallest, bands.get(name, ())) for name, texts in joined.groups.items()}
    found = {
        "scores": options.scores.name,
        "groups": options.groups.name,
        "rows": total(len(joined.probabilities), any(groups.hidden + groups.unknown for groups in split.values())),
        "cutoff": rule.cutoff,
        "approve": options.approve,
        "smallest": options.smallest,
        "notes": _notes(options, joined),
        "columns": {name: audit(joined, groups, rule, references.get(name, "")) for name, groups in split.items()},
    }
    if options.out:
        _write(options.out, {"report.json": document(found), "report.html": html(found).decode()})
    print(in_lines(found))
    if options.out:
        print(f"written    {options.out / 'report.json'}, {options.out / 'report.html'}")
    return DONE


def total(rows: int, hides: bool) -> str:
    """How many rows there are; rounded where a group is hidden, whose size the exact number would tell."""
    unit = max(100, 10 ** (len(str(rows)) - 2))
    return f"about {round(rows / unit) * unit or unit:,}" if hides else f"{rows:,}"


def _write(folder: Path, files: Mapping[str, str]) -> None:
    """Both files are made before either is written."""
    for name, text in files.items():
        with replacing_file(folder / name) as file:
            file.write(text)


def _bands(options: argparse.Namespace) -> dict[str, tuple[float, ...]]:
    """The bands of each column that has some."""
    found: dict[str, tuple[float, ...]] = dict.fromkeys(options.age, AGES)
    for text in options.bands:
        name, _, numbers = text.rpartition("=")
        try:
            edges = tuple(map(float, numbers.split(",")))
        except ValueError:
            edges = ()
        if not name or not edges or list(edges) != sorted({*edges}) or not all(abs(edge) < 1e12 for edge in edges):
            raise InvalidFile("--bands: expected COLUMN=NUMBER,NUMBER with rising numbers, as in age=25,40,62")
        found[name] = edges
    return found


def _cutoff(options: argparse.Namespace, joined: Joined) -> float:
    """The one asked for, that of a model, or where the predictions of the scores change."""
    if options.cutoff is not None:
        if not 0 < options.cutoff < 1:
            raise InvalidFile("--cutoff: expected a number between 0 and 1")
        return float(options.cutoff)
    if options.model:
        require_model(options.model, list_models(str(options.models)), options.models)
        return float(open_artefact(str(options.models / options.model)).manifest["threshold"])
    if joined.predicted is None or not (joined.predicted == 1).any():
        raise InvalidFile(
            f"{options.scores.name} doesn't say where its predictions become 1: give --cutoff, or --model NAME for its"
            " threshold"
        )
    return float(joined.probabilities[joined.predicted == 1].min())


def _references(options: argparse.Namespace, joined: Joined, bands: Mapping[str, Any]) -> dict[str, str]:
    """The reference group of each column that has one given."""
    found = {}
    for text in options.reference:
        name, _, group = text.partition("=")
        if name not in joined.groups and len(joined.groups) == 1:
            name, group = next(iter(joined.groups)), text
        if name not in joined.groups or not group:
            raise InvalidFile(f"--reference: expected COLUMN=GROUP with a column of {', '.join(joined.groups)}")
        found[name] = group
    unknown = [name for name in bands if name not in joined.groups]
    if unknown:
        raise InvalidFile(f"{unknown[0]} has bands and is no column of groups; there is {', '.join(joined.groups)}")
    return found


def _notes(options: argparse.Namespace, joined: Joined) -> list[str]:
    """What was left out, and why."""
    notes = []
    if joined.without:
        notes.append(f"{counted(joined.without, 'scored row')} left out: {options.groups.name} hasn't their ids.")
    if joined.unscored:
        notes.append(f"{counted(joined.unscored, 'row')} left out: {options.scores.name} has no probability for them.")
    if joined.outcomes is None:
        notes.append("Without --outcome COLUMN there is no equal opportunity and no calibration.")
    elif untold := int((joined.outcomes < 0).sum()):
        notes.append(f"{counted(untold, 'row')} have no outcome yet: they count for adverse impact alone.")
    return notes


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scores", required=True, type=Path, metavar="FILE", help="as riskscore score writes them")
    parser.add_argument("--groups", required=True, type=Path, metavar="FILE", help="a table of ids, groups and outcome")
    parser.add_argument("--id", action="append", default=[], metavar="COLUMN", help="joins both; repeatable")
    parser.add_argument(
        "--group", action="append", default=[], metavar="COLUMN", help="groups; repeatable (default: all)"
    )
    parser.add_argument("--outcome", default="", metavar="COLUMN", help="what happened: 1, 0 or empty, as the label")
    parser.add_argument("--probability", default="probability", metavar="COLUMN", help="the scores' column")
    parser.add_argument("--reference", action="append", default=[], metavar="COLUMN=GROUP", help="default: the largest")
    parser.add_argument("--age", action="append", default=[], metavar="COLUMN", help="ages, banded; 62 and over is one")
    parser.add_argument("--bands", action="append", default=[], metavar="COLUMN=N,N", help="bands of another column")
    parser.add_argument(
        "--cutoff", type=float, metavar="P", help="default: that of --model, or where predictions change"
    )
    parser.add_argument("--model", metavar="NAME", help="the model whose threshold is the cut-off")
    parser.add_argument("--models", type=Path, metavar="DIR", default=ROOT / "model", help="folder of models")
    parser.add_argument(
        "--approve", choices=("below", "above"), default="below", help="who is approved (default: below)"
    )
    parser.add_argument(
        "--smallest", type=whole_number, default=SMALLEST, metavar="N", help="rows of a group; default 30"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="writes report.json and report.html there")
    return parser
