"""Drafts model.toml from a labelled table, trains the model, and shows how to serve it."""

from __future__ import annotations

import argparse
import math
import os
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riskscore.artefact.versions import waiting
from riskscore.cli import DONE, NO_BETTER, ROOT, parsed, program, progress
from riskscore.drafting.drafting import draft, training_command
from riskscore.drafting.model_folder import aside, check_name, examples_of, put_folder, set_events_aside, write_examples
from riskscore.drafting.profiling import TableProfile, profile_table
from riskscore.drafting.protected import kept
from riskscore.drafting.raw_table import read_table
from riskscore.drafting.summary import found
from riskscore.errors import InvalidFile
from riskscore.local.emulator import INVOCATIONS
from riskscore.model_toml.keys import MINUTES
from riskscore.model_toml.reasons_draft import drafted
from riskscore.model_toml.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from riskscore.training.training import Trained

MORE_THAN_ONCE = (
    ("--positive", "VALUE", "a label that means 1, if labels aren't 0 and 1"),
    (
        "--negative",
        "VALUE",
        "a label that means 0; without this option, all but the positive labels do",
    ),
    ("--id", "COLUMN", "a column that identifies rows; several identify them together"),
    (
        "--keep",
        "COLUMN[=REASON]",
        "keep a column that seems to contain the label, or one that tells of a protected characteristic, for a reason",
    ),
    ("--leave-out", "COLUMN", "drop a column"),
)
METRIC_WORDS = {"auc": "AUC", "pr_auc": "PR AUC", "brier": "Brier"}


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Draft and train; 0 where the model was written, 4 where only its draft was: it is no better than chance."""
    options = parsed(_parser(), arguments)
    check_name(options.models, options.name, options.force, options.draft_only)
    table = _look(options)
    print(found(options.name, table))
    there = options.models / options.name
    replaced, before = there.exists(), examples_of(there)
    with aside(options.name) as folder:
        text = draft(options.name, table, _training(options), options.minutes)
        (folder / "model.toml").write_text(text, encoding="utf-8")
        _write_reasons(folder)
        trained, chance = (None, "") if options.draft_only else _train(folder, options, environ, replaced)
        place = put_folder(folder, options.models)
    beside = place != there
    for path in set_events_aside(_events(options) / options.name, before) if replaced and not beside else ():
        print(f"kept       {_shown(path)}: an event of the model that was replaced")
    print(_trained(options, trained, place, beside) if trained else _drafted(options))
    if chance:
        written = "written nevertheless" if trained else "only the draft is written; --even-so writes the model"
        print(f"{program()}: {chance}; {written}", file=sys.stderr)
    return DONE if trained or options.draft_only else NO_BETTER


def _write_reasons(folder: Path) -> None:
    """The first reasons.toml, of the model.toml that stands beside it."""
    settings = read_settings(folder)
    head = "# A first draft by riskscore new, from the descriptions in model.toml. After a change, train again.\n"
    (folder / "reasons.toml").write_text(drafted(head, settings.reasons, settings.contract), encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", metavar="NAME", help="the model's name, and its folder")
    parser.add_argument("--data", required=True, type=Path, metavar="FILE", help=".csv (, ; or tab) or .parquet")
    parser.add_argument("--target", required=True, metavar="COLUMN", help="the label: 0, 1 or empty")
    for option, what, help_ in MORE_THAN_ONCE:
        parser.add_argument(option, action="append", default=[], metavar=what, help=f"{help_}; repeatable")
    parser.add_argument("--reason", default="", metavar="TEXT", help="why columns of --keep without =REASON are kept")
    parser.add_argument("--draft-only", action="store_true", help="write model.toml and reasons.toml, and don't train")
    parser.add_argument("--even-so", action="store_true", help="write the model even if it is no better than chance")
    parser.add_argument(
        "--minutes", type=_minutes, default=MINUTES, metavar="N", help=f"for the choice of an estimator ({MINUTES:g})"
    )
    parser.add_argument("--force", action="store_true", help="replace a model of this name; its model.toml is kept")
    parser.add_argument("--models", type=Path, metavar="DIR", default=ROOT / "model", help="folder of models")
    parser.add_argument("--events", type=Path, metavar="DIR", help="folder for NAME/*.json (events beside --models)")
    return parser


def _events(options: argparse.Namespace) -> Path:
    """Where NAME/*.json go."""
    events: Path = options.events or options.models.resolve().parent / "events"
    return events


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = 0.0
    if not 0 < minutes < math.inf:
        raise argparse.ArgumentTypeError("expected a number above 0")
    return minutes


def _look(options: argparse.Namespace) -> TableProfile:
    with progress(unit=" rows", desc="reading") as bar:
        table = read_table(options.data, options.target, bar.update)
    with progress(total=len(table.columns), unit=" columns", desc="looking") as bar:
        labels = options.positive, options.negative
        keep = kept(options.keep, options.reason, table.columns)
        return profile_table(table, options.target, options.id, *labels, keep, options.leave_out, bar.update)


def _train(
    folder: Path, options: argparse.Namespace, environ: Mapping[str, str], replaced: bool
) -> tuple[Trained | None, str]:
    """Trains and writes the model, unless it is no better than chance; and the sentence that says that it isn't.

    replaced: whether a model of this name is there, which a draft alone doesn't take the place of.
    """
    # scikit-learn takes a second to import: --help, completions and mistyped options don't wait for it.
    from riskscore.training.training import build, steps, write
    from riskscore.training.training_data import from_source
    from riskscore.training.validation import no_better_than_chance

    settings, root = read_settings(folder), options.models.resolve().parent
    data = from_source(
        settings, options.data, root, environ, lambda rows: progress(rows, unit=" rows", desc="reading again")
    )
    state = root / ".cache" / "search" / f"{options.name}.jsonl"
    with progress(total=steps(settings), unit=" folds", desc="cross-validation") as bar:
        trained = build(settings, data, root, datetime.now(UTC), bar.update, state)
    chance = no_better_than_chance(trained.manifest["metrics"])
    if chance and not options.even_so:
        if replaced:
            raise InvalidFile(f"{chance}; the {options.name} that is there stays; --even-so replaces it")
        return None, chance
    write(folder, trained)
    return trained, chance


def _drafted(options: argparse.Namespace) -> str:
    folder = options.models / options.name
    return (
        f"drafted    {_shown(folder / 'model.toml')}, and reasons.toml beside it; review them, then\n"
        f"  {_training(options)}"
    )


def _training(options: argparse.Namespace) -> str:
    """The command that trains the model, as it works in the project's folder."""
    elsewhere = [] if options.models.resolve() == ROOT / "model" else ["--models", _from_root(options.models)]
    return training_command(options.name, _from_root(options.data), *elsewhere)


def _from_root(path: Path) -> str:
    """A path seen from the project's folder; a whole one to elsewhere stays as it was given."""
    if path.is_absolute() and not path.is_relative_to(ROOT):
        return str(path)
    return os.path.relpath(path, ROOT)


def _serve(options: argparse.Namespace) -> str:
    """The command that serves the model from where it was written."""
    if options.models.resolve() == ROOT / "model":
        return "make serve"
    return f"RISKSCORE_MODEL_URI={shlex.quote(str(options.models.resolve()))} make serve MODEL={options.name}"


def _trained(options: argparse.Namespace, trained: Trained, folder: Path, beside: bool) -> str:
    """beside: whether the model is a version beside the one that is served, to which the examples belong."""
    from riskscore.training.comparison import chosen

    metrics: dict[str, Any] = trained.manifest["metrics"]
    figures = ", ".join(_figure(word, metrics["cross_validated"][key]) for key, word in METRIC_WORDS.items())
    return "\n".join(
        [
            f"figures    {figures}; {metrics['method'].partition(',')[0]}",
            *chosen(trained.manifest["search"]),
            *_beside(metrics),
            f"written    {_shown(folder)}: review model.toml and reasons.toml, and evaluate the model by MODEL_CARD.md",
            waiting(folder, options.models) if beside else _example(options, folder),
        ]
    )


def _example(options: argparse.Namespace, folder: Path) -> str:
    """An event that was written, its answer, and how to send it."""
    event, answer = write_examples(folder, _events(options))
    return "\n".join(
        [
            f"example    {_shown(event)}, synthetic: probability {answer['probability']:.4f} by the {answer['engine']}",
            f"next       {_serve(options)}, and in another terminal",
            f"  curl -d {shlex.quote(f'@{_shown(event)}')} http://localhost:9000{INVOCATIONS}",
        ]
    )


def _beside(metrics: Mapping[str, Any]) -> list[str]:
    """How a logistic regression does on the same folds, and what to do where that is better."""
    from riskscore.training.comparison import sentence, verdict

    advice = [
        "           It is better here: give the choice more time by estimator.minutes in model.toml, or put",
        '           family = "logistic" there, and train again.',
    ]
    return [f"beside     {sentence(metrics)}", *(advice if verdict(metrics) < 0 else [])]


def _figure(word: str, found: Mapping[str, float]) -> str:
    return f"{word} {found['mean']:.3f} ({found['low']:.3f} to {found['high']:.3f})"


def _shown(path: Path) -> str:
    """Short, where it lies below here."""
    return os.path.relpath(path) if path.resolve().is_relative_to(Path.cwd()) else str(path)
