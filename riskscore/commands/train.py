"""Trains a model from a file, a folder of files or a database, and writes its folder."""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riskscore.artefact.artefact import open_artefact
from riskscore.artefact.versions import waiting
from riskscore.batch.files import PREDICTIONS, items_without_label, report_beside, score_file
from riskscore.cli import DONE, NO_BETTER, ROOT, counted, model_argument, parsed, program, progress
from riskscore.database.dump import FaultReport
from riskscore.errors import InvalidFile
from riskscore.model_toml.settings import read_settings
from riskscore.scoring.engine import Engine
from riskscore.scoring.model import Model
from riskscore.sources.sources import database_url, spec_of_settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from riskscore.sources.source_readers import SourceSpec
    from riskscore.training.training import Trained

METRIC_WORDS = {"auc": "AUC", "pr_auc": "PR AUC", "brier": "Brier", "log_loss": "log loss"}


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Train; 0 where the model was written, 4 where it is no better than chance and wasn't."""
    options = parsed(parser(), arguments)
    # scikit-learn takes a second to import: --help, completions and mistyped options don't wait for it.
    from riskscore.training.training import build, steps, write
    from riskscore.training.training_data import from_source

    started = time.perf_counter()
    settings = read_settings(options.models / options.model, options.settings)
    folder = (options.out or options.models) / options.model
    root = options.models.resolve().parent
    url = options.data or database_url(options.database)
    data = from_source(settings, url, root, environ, lambda rows: progress(rows, unit=" rows", desc="reading"))
    state = root / ".cache" / "search" / f"{settings.name}.jsonl"
    with progress(total=steps(settings), unit=" folds", desc="cross-validation") as bar:
        trained = build(settings, data, root, _now(environ), bar.update, state)
    if _no_better(trained, options.even_so) and not options.even_so:
        return NO_BETTER
    written = write(folder, trained, root)
    print(summary(trained, written, time.perf_counter() - started))
    if written != folder:
        print(waiting(written, options.out or options.models))
    if data.unlabelled:
        output = options.predictions or root / PREDICTIONS.format(model=settings.name)
        print(predicted(written, url, spec_of_settings(settings, root, environ), output))
    return DONE


def _no_better(trained: Trained, written: bool) -> bool:
    """Whether the model is no better than chance, which is said. written: though it is, and that too."""
    from riskscore.training.validation import no_better_than_chance

    if chance := no_better_than_chance(trained.manifest["metrics"]):
        said = "the model was written nevertheless" if written else "nothing is written; --even-so writes the model"
        print(f"{program()}: warning: {chance}; {said}", file=sys.stderr)
    return bool(chance)


def predicted(folder: Path, url: str, wanted: SourceSpec, output: Path) -> str:
    """Scores the rows that have no label with the model as it was just written; what a person wants to know of it."""
    model = Model(open_artefact(str(folder)))
    engine = Engine(lambda _: model, model.name, lambda _model, _keys: [])
    items = progress(items_without_label(url, wanted), unit=" rows", desc="scoring")
    with FaultReport(report_beside(output, url)) as faults:
        scored = score_file(engine, model, items, output, faults)
    left_out = f"; {counted(scored.faults, 'row')} can't be scored: {faults.path}" if scored.faults else ""
    return f"scores     {counted(scored.rows, 'row')} without a label: {output}{left_out}"


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__)
    model_argument(result, help="the model's name, e.g. credit_risk: the folder with its model.toml")
    source = result.add_mutually_exclusive_group(required=True)
    source.add_argument("--database", metavar="URL", help="compute the features by the model's SQL (read-only)")
    source.add_argument(
        "--data",
        metavar="URL",
        help="a .csv, .parquet or .jsonl of features and label; or sqlite:///FILE or duckdb:FOLDER for the model's SQL",
    )
    result.add_argument("--out", metavar="DIR", type=Path, help="write to DIR/MODEL (default: the folder of models)")
    result.add_argument("--models", metavar="DIR", type=Path, default=ROOT / "model", help="folder of models")
    result.add_argument("--even-so", action="store_true", help="write the model even if it is no better than chance")
    result.add_argument(
        "--settings", metavar="FILE", type=Path, help="a .toml whose tables replace those of model.toml"
    )
    result.add_argument(
        "--predictions",
        metavar="FILE",
        type=Path,
        help=f"scores of the rows that have no label (default: {PREDICTIONS.format(model='MODEL')})",
    )
    return result


def _now(environ: Mapping[str, str]) -> datetime:
    """SOURCE_DATE_EPOCH dates a build that is to come out the same again (reproducible-builds.org)."""
    epoch = environ.get("SOURCE_DATE_EPOCH", "")
    if not epoch:
        return datetime.now(UTC)
    if not epoch.isdecimal():
        raise InvalidFile("SOURCE_DATE_EPOCH must be a whole number of seconds", "SOURCE_DATE_EPOCH")
    return datetime.fromtimestamp(int(epoch), UTC)


def summary(trained: Trained, folder: Path, seconds: float) -> str:
    """What a person wants to know of a training, in a few lines."""
    from riskscore.training.comparison import sentence

    manifest, training, metrics = trained.manifest, trained.manifest["training"], trained.manifest["metrics"]
    engines = " and ".join(manifest["engines"])
    broken = [
        f"{count} rows break the identity {name}" for name, count in training["broken_identities"].items() if count
    ]
    return "\n".join(
        [
            f"{manifest['model']} {manifest['version']}, written to {folder} in {seconds:.1f} s",
            f"rows       {training['rows']:,} from {training['origin']}; base rate {training['base_rate']:.1%}",
            *(f"note       {note}" for note in (*training["notes"], *broken)),
            *_searched(manifest["search"]),
            f"validation {metrics['method']}",
            *(
                f"  {METRIC_WORDS[name]:9}{value['mean']:.3f} ({value['low']:.3f} to {value['high']:.3f})"
                f"   in-sample:  {metrics['in_sample'][name]:.3f}"
                for name, value in metrics["cross_validated"].items()
            ),
            f"  expected calibration error {metrics['reliability']['ece']:.3f}",
            *_over_time(metrics),
            f"beside     {sentence(metrics)}",
            f"engines    {engines}{'; ' + trained.twin_lacks if trained.twin_lacks else ', equal bit for bit'}",
            *(f"sha256     {_sha256(folder / name)}  {name}" for name in (*trained.contents, "manifest.json")),
            f"evaluate it by {folder / 'MODEL_CARD.md'}",
        ]
    )


def _over_time(metrics: Mapping[str, Any]) -> list[str]:
    """The figures over time, and where they disagree with those of shuffled folds; nothing where rows have no time."""
    if "over_time" not in metrics:
        return []
    from riskscore.model_card.document import between
    from riskscore.training.rolling import warnings_over_time

    found = metrics["over_time"]
    aucs = (
        f"{row['begin']} {row['auc']['mean']:.3f}" if row["auc"] else f"{row['begin']} one label"
        for row in found["periods"]
    )
    return [
        f"over time  {found['method']}",
        *(f"  {METRIC_WORDS[name]:9}{between(value)}" for name, value in found["metrics"].items()),
        f"  AUC from {', '.join(aucs)}",
        *(f"warning    {words}" for words in warnings_over_time(metrics, METRIC_WORDS)),
    ]


def _searched(found: Mapping[str, Any]) -> list[str]:
    """What a search chose, and by which figure; nothing where there was none."""
    if not found:
        return []
    if found["method"] == "auto":
        from riskscore.training.comparison import chosen

        return chosen(found)
    best = ", ".join(f"{name} = {value}" for name, value in found["best"].items())
    figure = f"{METRIC_WORDS[found['metric']]} {found['table'][0]['mean']:.4f} on the search's own folds"
    return [f"search     the best of {found['trials']:,} trials is {best}; {figure}, which is optimistic"]


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
