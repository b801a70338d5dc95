"""Scores a file, a folder of files or a database into a CSV or JSONL file, or into a SQLite table."""

from __future__ import annotations

import argparse
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riskscore.artefact.s3 import VARIABLE
from riskscore.batch.files import PREDICTIONS, items_to_score, report_beside, score_file
from riskscore.batch.side_by_side import Scorer, score_side_by_side
from riskscore.cli import DATA_FAULTS, DONE, ROOT, counted, model_argument, parsed, progress, require_model
from riskscore.database.connection import url_from
from riskscore.database.dump import FaultReport
from riskscore.errors import InvalidFile
from riskscore.scoring.engine import Engine
from riskscore.serving.deployment import Deployment
from riskscore.sources.results import has_table
from riskscore.sources.sources import database_url, spec_of_model
from riskscore.sources.sqlite_output import SCHEME

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tqdm import tqdm

    from riskscore.batch.files import Items
    from riskscore.scoring.model import Model


AMONG = re.compile("[,@]")  # what a list of models has, and a name alone hasn't


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Score; 0 where every row was scored, 3 where rows that can't be were left out and reported."""
    options = parsed(_parser(), arguments)
    started = time.perf_counter()
    given, named = _asked(options)
    deployment, where, root = _models(given, environ)
    models = {label: _model(deployment, label, where, environ) for label in named}
    model = next(iter(models.values()))
    url = options.input or options.data or _database(options.database, model, environ)
    output = options.output or _output(model, url, root, len(models) > 1)
    report = report_beside(output, url)

    told: set[str] = set()

    def items(scored: Model) -> Items:
        return items_to_score(url, spec_of_model(scored, root, environ), note=lambda text: _note(bar, text, told))

    bar = progress(items(model), unit=" rows", desc="scoring")
    with FaultReport(report) as faults:
        if len(models) > 1:
            rows = [bar, *map(items, [*models.values()][1:])]
            pairs = zip(models.items(), rows, strict=True)
            scorers = [Scorer(label, one, _engine(one, deployment), read) for (label, one), read in pairs]
            scored = score_side_by_side(scorers, Path(output), faults)
        else:
            scored = score_file(_engine(model, deployment), model, bar, output, faults)
    seconds = time.perf_counter() - started
    ended = f"{counted(scored.rows, 'row')}, {scored.faults:,} rejected"
    print(f"{ended}, {seconds:.1f} s, {scored.rows / seconds:,.0f} rows/s: {output}")
    print("\n".join(_scorer(one, where) for one in models.values()))
    if scored.referred:
        print(f"{counted(scored.referred, 'row')} for manual review (refer); a .jsonl says why", file=sys.stderr)
    if scored.faults:
        print(f"rejected rows, with their reasons: {faults.path}", file=sys.stderr)
    return DATA_FAULTS if scored.faults else DONE


def _asked(options: argparse.Namespace) -> tuple[str | None, list[str]]:
    """The folder of models, if one was named, and the models to score with, NAME or NAME@VERSION."""
    places = [text for text in options.models if Path(text).exists() or "://" in text]
    lists = [text for text in options.models if text not in places and (AMONG.search(text) or not options.model)]
    folders = [text for text in options.models if text not in lists]
    named = [name.strip() for text in lists for name in text.split(",") if name.strip()]
    if options.model:
        named = [f"{options.model}@{options.version}" if options.version else options.model, *named]
    if not named or (options.version and not options.model):
        raise InvalidFile("name the model to score with: score NAME, or --models NAME,NAME@VERSION for several")
    if len(folders) > 1:
        raise InvalidFile("--models: expected one folder of models")
    return next(iter(folders), None), [*dict.fromkeys(named)]


def _model(deployment: Deployment, label: str, where: str, environ: Mapping[str, str]) -> Model:
    """The model of NAME or NAME@VERSION."""
    name, _, version = label.partition("@")
    require_model(name, deployment.names(), where, environ)
    return deployment.named_version(name, version) if version else deployment.find(name)


def _engine(model: Model, deployment: Deployment) -> Engine:
    """The engine of this version of a model; an event may name another model, which then is the served one."""
    return Engine(lambda name: model if name == model.name else deployment.find(name), model.name, deployment.look_up)


def _models(given: str | None, environ: Mapping[str, str]) -> tuple[Deployment, str, Path]:
    """The models to score with, where they are in words, and where the paths of their SQL start."""
    said = given or environ.get(VARIABLE)
    if given and "://" not in given and not Path(given).is_dir():
        raise InvalidFile(f"--models: no such folder {given}")
    deployment = Deployment({**environ, VARIABLE: said} if said else environ, str(ROOT))
    root = Path(given).resolve().parent if given and "://" not in given else ROOT
    return deployment, said or str(ROOT / "model"), root


def _output(model: Model, url: str, root: Path, several: bool) -> str:
    """Where scores go if nobody says where: of rows out of SQLite that have a table of results, beside these."""
    if not several and url.startswith(SCHEME) and has_table(model.name):
        return url
    return str(root / PREDICTIONS.format(model=model.name))


def _scorer(model: Model, where: str) -> str:
    """Which model it was, and what it was trained on."""
    training = model.artefact.manifest.get("training", {})
    about = next(iter(str(training.get("about") or training.get("origin") or "").splitlines()), "")
    trained = f"; trained on: {about}" if about else ""
    return f"scored by {model.name} {model.artefact.version} in {where}{trained}"


def _database(given: str | None, model: Model, environ: Mapping[str, str]) -> str:
    """PostgreSQL's URL: the one given, or the environment's for a model whose query runs there."""
    if not given and not model.artefact.looks_up:
        raise InvalidFile(f"{model.name} has no query for PostgreSQL: name its rows with --data or --input")
    return database_url(given or url_from(environ))


def _note(bar: tqdm[Any], text: str, told: set[str]) -> None:
    """A line among the bar's, once. tqdm.write would draw a bar that nobody has seen yet, and not end its line."""
    if text not in told:
        told.add(text)
        if bar.n:
            bar.clear()
        print(text, file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    model_argument(parser, nargs="?", help="the model's name, as in model/")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--database", metavar="URL", help="postgresql://... (default: $DATABASE_URL, $PGURL or PG*)")
    source.add_argument("--input", metavar="FILE", help="a .csv or .parquet of ids and features, or a .jsonl of events")
    source.add_argument(
        "--data", metavar="URL", help="such a file; or sqlite:///FILE or duckdb:FOLDER for the model's SQL"
    )
    parser.add_argument(
        "--output",
        metavar="FILE",
        help=".csv: ids, probability, model version; .jsonl: whole answers with reasons; sqlite:///FILE: rows "
        f"of the model's table of results (default: {PREDICTIONS.format(model='MODEL')}; of offers out of SQLite the "
        "same file)",
    )
    parser.add_argument(
        "--version",
        metavar="VERSION",
        help="a version that is kept beside the served one: its name, or the first digits of its hash",
    )
    parser.add_argument(
        "--models",
        action="append",
        default=[],
        metavar="DIR|A,B@VERSION",
        help="folder of models, as `riskscore train --out` wrote it (default: $RISKSCORE_MODEL_URI, model); or several"
        " models or versions to score with side by side; the option may be given for both",
    )
    return parser
