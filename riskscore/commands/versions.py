"""Lists, shows and compares the versions of a model; makes another one the served version, or takes that back."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riskscore.artefact.approvals import (
    PROMOTE,
    ROLLBACK,
    Approval,
    approval_now,
    checked_text,
    read_approvals,
    served_before,
)
from riskscore.artefact.artefact import SIGNATURE
from riskscore.artefact.differences import differences, figure, figures_of
from riskscore.artefact.signature import VARIABLE, read_key
from riskscore.artefact.versions import Version, find_version, open_version, promote, versions_of
from riskscore.atomic import alone
from riskscore.batch.agreement import agreement, in_words
from riskscore.batch.files import every_item
from riskscore.batch.side_by_side import Scorer
from riskscore.cli import DONE, OUR_FAULT, ROOT, counted, model_argument, parsed
from riskscore.errors import ArtefactRefused, InvalidFile, shown
from riskscore.scoring.engine import Engine
from riskscore.scoring.model import Model
from riskscore.sources.sources import spec_of_model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

COMMANDS = """commands:
  list
  show VERSION
  compare VERSION [VERSION] [--data URL]
  promote VERSION --by NAME --why TEXT [--key FILE]
  rollback        --by NAME --why TEXT [--key FILE]

A version is named by its name (2026.11.20+3f9c1a) or by the first digits of its manifest's SHA-256.
"""


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Do what the second argument says; 1 where a version is damaged."""
    options = parsed(_parser(), arguments)
    folder: Path = options.models / options.model
    if not versions_of(folder):
        raise InvalidFile(f"{options.models} has no version of {shown(options.model)!r}; riskscore train writes one")
    options.public_key = environ.get(VARIABLE) or None
    options.environ, options.root = environ, options.models.resolve().parent
    status: int = options.run(options, folder)
    return status


def _list(options: argparse.Namespace, folder: Path) -> int:
    records, damaged = read_approvals(folder), 0
    for version in versions_of(folder):
        fault = _fault(version, options.public_key)
        damaged += bool(fault)
        state = "served" if version.served else _state(version, records)
        auc = figure(figures_of(version.manifest).get("auc"))
        print(f"{state:9} {version.short}  {version.name or '?':18} AUC {auc:24} {_approved(version, records)}")
        if fault:
            print(f"          {fault}")
    return OUR_FAULT if damaged else DONE


def _fault(version: Version, public_key: str | None) -> str:
    try:
        open_version(version, public_key)
    except ArtefactRefused as error:
        return error.message
    return ""


def _state(version: Version, records: Sequence[Approval]) -> str:
    """Whether a version that isn't served ever was."""
    known = {digest for record in records for digest in (record.manifest_sha256, record.before)}
    return "earlier" if version.digest in known else "candidate"


def _approved(version: Version, records: Sequence[Approval]) -> str:
    """Who approved a version last; of the served one only the record counts that made it the served one."""
    found = approval_now(records, version.digest) if version.served else None
    if not version.served:
        found = next((record for record in reversed(records) if record.manifest_sha256 == version.digest), None)
    if found is None:
        return "unapproved"
    return f"{found.action} {found.time[:10]} by {found.by}: {found.why}"


def _show(options: argparse.Namespace, folder: Path) -> int:
    version, records = find_version(folder, options.version), read_approvals(folder)
    artefact = open_version(version, options.public_key)
    manifest, training = artefact.manifest, artefact.manifest.get("training", {})
    state = "served" if version.served else _state(version, records)
    signed = f"has {SIGNATURE}" if (version.folder / SIGNATURE).exists() else "not signed"
    entries = [
        ("version", f"{artefact.name} {artefact.version}, {state}"),
        ("sha256", version.digest),
        ("folder", version.folder),
        ("files", f"{counted(len(manifest['files']), 'file')}, each as the manifest says; manifest {signed}"),
        ("trained", f"{counted(training['rows'], 'row')} from {training['origin']}" if training else "elsewhere"),
        ("features", len(manifest["features"])),
        ("threshold", manifest["threshold"]),
        ("serial", manifest.get("serial", 0)),
        *((name, figure(found)) for name, found in figures_of(manifest).items()),
    ]
    print("\n".join(f"{name:10} {value}" for name, value in entries))
    for record in records:
        if record.manifest_sha256 == version.digest:
            said = f"{record.action} {record.time} by {record.by}: {record.why}"
            print(f"approval   {said} ({record.vouched(options.public_key)})")
    if _approved(version, records) == "unapproved":
        print("approval   unapproved")
    return DONE


def _compare(options: argparse.Namespace, folder: Path) -> int:
    """The differences of two versions, and with rows how far their scores agree."""
    if len(options.versions) > 2:
        raise InvalidFile("compare takes two versions, or one to compare the served one with")
    found = [find_version(folder, named) for named in options.versions]
    if len(found) == 1:
        found = [versions_of(folder)[0], *found]
    opened = [open_version(version, options.public_key) for version in found]
    lines = [("", *(f"{v.name} ({v.short}{', served' if v.served else ''})" for v in found))]
    lines += differences(opened[0].manifest, opened[1].manifest)
    widths = [max(len(line[place]) for line in lines) for place in (0, 1)]
    print("\n".join(f"{name:{widths[0]}}  {one:{widths[1]}}  {other}".rstrip() for name, one, other in lines))
    if options.data:
        scorers = [_scorer(version, Model(artefact), options) for version, artefact in zip(found, opened, strict=True)]
        print(in_words(agreement(scorers), [scorer.label for scorer in scorers]))
    return DONE


def _scorer(version: Version, model: Model, options: argparse.Namespace) -> Scorer:
    items = every_item(options.data, spec_of_model(model, options.root, options.environ), lambda _: None)
    return Scorer(version.short, model, Engine(lambda _: model, model.name, lambda _model, _keys: []), items)


def _promote(options: argparse.Namespace, folder: Path) -> int:
    return _served(options, folder, PROMOTE)


def _rollback(options: argparse.Namespace, folder: Path) -> int:
    return _served(options, folder, ROLLBACK)


def _served(options: argparse.Namespace, folder: Path, action: str) -> int:
    """Make a version the served one, and say so; another call at the same time waits for this one's end."""
    said = checked_text("--by", options.by), checked_text("--why", options.why)
    key = read_key(options.key) if options.key else None
    with alone(options.models):
        records, served = read_approvals(folder), versions_of(folder)[0]
        before, replaced, serial = (served.digest, served.name, served.serial) if served.served else ("", "", 0)
        version = find_version(folder, options.version if action == PROMOTE else _before(folder, records))
        if approval_now(records, version.digest) and version.served:
            raise InvalidFile(f"{version.short} ({version.name}) is the served version of {folder.name} already")
        model = Model(open_version(version, options.public_key))  # it scores its golden rows, or isn't promoted
        names = folder.name, model.artefact.version, version.digest
        approval = Approval(action, *names, before, *said, f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")
        notes = promote(folder, version, approval.signed(key) if key else approval, options.root)
    print(f"{folder.name} serves {model.artefact.version} ({version.short}) from now on; {said[0]}: {said[1]}")
    if before and before != version.digest:
        again = ROLLBACK if action == PROMOTE else f"{PROMOTE} {served.short}"
        print(f"kept       {served.short} ({replaced}); riskscore versions {folder.name} {again} serves it again")
    for note in [*notes, *_older(model, serial)]:
        print(f"note       {note}")
    return DONE


def _before(folder: Path, records: Sequence[Approval]) -> str:
    digest = served_before(records)
    if not digest:
        raise InvalidFile(f"no version of {folder.name} was served before the present one by a promotion")
    return digest


def _older(model: Model, known: int) -> list[str]:
    """What a deployment that keeps serials makes of a model with a lower one than it knows."""
    serial = model.artefact.manifest.get("serial", 0)
    if serial >= known:
        return []
    renew = f"riskscore sign {model.name} --renew, and promote what that writes"
    return [f"its serial is {serial}, below {known}: signed, it is refused where the newer one was seen; {renew}"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=COMMANDS, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    model_argument(parser, metavar="MODEL", help="the model's name, e.g. credit_risk")
    models: dict[str, Any] = {"type": Path, "metavar": "DIR", "help": "folder of models"}
    parser.add_argument("--models", default=ROOT / "model", **models)
    commands = parser.add_subparsers(required=True, metavar="list | show | compare | promote | rollback")
    commands.add_parser("list", help="every version, and who approved it").set_defaults(run=_list)
    command = commands.add_parser("show", help="one version: files, figures, approvals")
    command.add_argument("version", metavar="VERSION")
    command.set_defaults(run=_show)
    command = commands.add_parser("compare", help="what two versions differ in; with --data, in which scores")
    command.add_argument("versions", nargs="+", metavar="VERSION", help="two, or one to compare the served one with")
    command.add_argument("--data", metavar="URL", help="rows that both score: a file, or a database for their SQL")
    command.set_defaults(run=_compare)
    for name, run, does in (
        (PROMOTE, _promote, "serve this version, and keep the one that was served"),
        (ROLLBACK, _rollback, "serve the version that was served before"),
    ):
        command = commands.add_parser(name, help=does)
        if name == PROMOTE:
            command.add_argument("version", metavar="VERSION")
        command.add_argument("--by", default="", metavar="NAME", help="who approves of it")
        command.add_argument("--why", default="", metavar="TEXT", help="why")
        command.add_argument("--key", type=Path, metavar="FILE", help="a private key to sign the record with")
        command.set_defaults(run=run)
    for command in commands.choices.values():
        command.add_argument("--models", default=argparse.SUPPRESS, **models)
    return parser
