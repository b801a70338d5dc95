"""Verifies, replays, exports and purges the ledger of answered rows, and records decisions on them."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from riskscore.cli import DONE, OUR_FAULT, ROOT, counted, parsed, whole_number
from riskscore.errors import InvalidFile, NotConfigured
from riskscore.ledger.attached_rows import applicant_row
from riskscore.ledger.decisions import DECISIONS, decide, decision_on
from riskscore.ledger.export import EXPORTS, exported, write_export
from riskscore.ledger.hash_chain import verify
from riskscore.ledger.heads import PLACE
from riskscore.ledger.ledger import stamp
from riskscore.ledger.purge import purge
from riskscore.ledger.replay import replay, stored_rows
from riskscore.serving.deployment import Deployment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from riskscore.ledger.heads import Head
    from riskscore.ledger.ledger import Ledger

COMMANDS = """commands:
  verify [--head HASH]
  replay --id ID | --since TIME | --all
  export --output FILE [--table TABLE] [--since TIME] [--until TIME] [--model MODEL]
  purge  --before DATE
  decide REQUEST approve|decline --reason TEXT --by NAME [--row N] [--caller NAME]
"""


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Do what the first argument says; 1 where the chain is broken or a score isn't what it was."""
    options = parsed(_parser(), arguments)
    environ = {**environ, **({"RISKSCORE_LEDGER": options.ledger} if options.ledger else {})}
    deployment = Deployment(environ, str(ROOT))
    ledger = deployment.ledger(may_make=False)
    if ledger is None:
        raise NotConfigured("no ledger is configured; set RISKSCORE_LEDGER or give --ledger URL")
    try:
        status: int = options.run(options, ledger, deployment)
        return status
    finally:
        ledger.store.close()


def _verify(options: argparse.Namespace, ledger: Ledger, _: Deployment) -> int:
    published = ledger.heads.newest() if ledger.heads else None
    with ledger.store.reading() as connection:
        found = verify(connection, options.head, published and (published.rows, published.hash))
    texts = [finding.text for finding in found.findings]
    if published and ledger.heads and ledger.heads.asks_for_signatures and not published.signed:
        texts.append("the newest published head is not signed by the ledger's key")
    for text in texts:
        print(text)
    rows, findings = counted(found.rows, "row"), counted(len(texts), "finding")
    print(f"{rows}, {found.purged:,} purged, {findings}; the last hash is {found.hash}")
    print(_held_to(published))
    return OUR_FAULT if texts else DONE


def _held_to(published: Head | None) -> str:
    """What the chain's end was compared with."""
    if published is None:
        return f"no head was published, so a cut-off end can't be detected (set {PLACE}, or note the hash)"
    signed = "signed" if published.signed else "without a signature"
    return f"compared with the head published at {published.time}, {signed}, of {counted(published.rows, 'row')}"


def _replay(options: argparse.Namespace, ledger: Ledger, deployment: Deployment) -> int:
    with ledger.store.reading() as connection:
        found = replay(stored_rows(connection, options.id, options.since), deployment.version)
    for difference in found.differences:
        print(difference)
    for artefact, rows in found.missing.items():
        print(f"missing: {artefact}, named by {counted(rows, 'row')}; RISKSCORE_MODEL_URI may have it")
    waiting = sum(found.missing.values())
    every = found.matched + len(found.differences) + waiting + found.unscored
    scored = f"{counted(every, 'row')}: {found.matched:,} with the same bits, {len(found.differences):,} different"
    print(f"{scored}, {waiting:,} without their model, {found.unscored:,} without features")
    if options.id and not every:
        raise InvalidFile("the ledger has no request with this id")
    return OUR_FAULT if found.differences or waiting else DONE


def _export(options: argparse.Namespace, ledger: Ledger, _: Deployment) -> int:
    export = EXPORTS[options.table]
    with ledger.store.reading() as connection:
        rows = exported(connection, export, options.since, options.until, options.model)
        print(counted(write_export(options.output, export, rows), "row"))
    return DONE


def _purge(options: argparse.Namespace, ledger: Ledger, _: Deployment) -> int:
    print(f"{counted(purge(ledger, options.before, datetime.now(UTC)), 'row')} erased")
    return DONE


def _decide(options: argparse.Namespace, ledger: Ledger, deployment: Deployment) -> int:
    row, moment = applicant_row(ledger, options.request, options.row, options.caller), datetime.now(UTC)
    threshold = (
        deployment.version(row["model"], row["manifest_sha256"]).threshold if row["probability"] is not None else 0
    )
    earlier = decision_on(ledger, row)
    written = decide(ledger, row, threshold, options.decision, options.reason, options.by, moment)
    if earlier:
        print(f"note       a decision on this row was recorded before, at {earlier.time}: the newest counts")
    found = decision_on(ledger, row)
    against = f", against the score, which suggests to {found.suggested}" if found and found.overrides else ""
    print(f"recorded   {options.decision}{against}; in the ledger as {written}")
    return DONE


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("expected a date or time as in 2026-09-01 or 2026-09-01T12:00:00Z") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _stamp(text: str) -> str:
    return stamp(_moment(text))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=COMMANDS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--ledger", metavar="URL", help="sqlite:///file.db or postgresql://... (default: $RISKSCORE_LEDGER)"
    )
    commands = parser.add_subparsers(required=True, metavar="verify | replay | export | purge | decide")

    command = commands.add_parser("verify", help="check whether a row was changed, removed, added or moved")
    command.add_argument("--head", metavar="HASH", help="a last hash that was noted earlier and must still be there")
    command.set_defaults(run=_verify)

    command = commands.add_parser("replay", help="score stored rows again; the bits must be the same")
    chosen = command.add_mutually_exclusive_group(required=True)
    chosen.add_argument("--id", help="rows of the requests with this id")
    chosen.add_argument("--since", type=_stamp, metavar="TIME", help="rows from this time (UTC) on")
    chosen.add_argument("--all", action="store_true", help="every row")
    command.set_defaults(run=_replay)

    command = commands.add_parser("export", help="rows into a file")
    command.add_argument("--output", type=Path, required=True, metavar="FILE", help="a .csv or a .parquet")
    command.add_argument("--table", choices=EXPORTS, default="rows", help="the columns (default: rows)")
    command.add_argument("--since", type=_stamp, metavar="TIME", help="from this time (UTC) on")
    command.add_argument("--until", type=_stamp, metavar="TIME", help="before this time (UTC)")
    command.add_argument("--model", help="the rows of this model")
    command.set_defaults(run=_export)

    command = commands.add_parser("purge", help="erase ids, features, scores and answers; the chain stays valid")
    command.add_argument(
        "--before", type=_moment, required=True, metavar="DATE", help="of the rows before this date (UTC)"
    )
    command.set_defaults(run=_purge)

    command = commands.add_parser("decide", help="record who approved or declined a row, and why")
    command.add_argument("request", metavar="REQUEST", help="the id of the request, as the ledger has it")
    command.add_argument("decision", choices=DECISIONS)
    command.add_argument("--reason", required=True, metavar="TEXT", help="why; a notice of adverse action says it")
    command.add_argument("--by", required=True, metavar="NAME", help="who decided")
    command.add_argument("--row", type=whole_number, metavar="N", help="which row of the request, 0 the first")
    command.add_argument("--caller", metavar="NAME", help="whose request it is, where several callers used the id")
    command.set_defaults(run=_decide)
    return parser
