"""Writes a notice of adverse action about a row of the ledger: action, creditor, law, and the principal reasons."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from riskscore.cli import DONE, ROOT, parsed, whole_number
from riskscore.errors import NotConfigured
from riskscore.ledger.attached_rows import applicant_row
from riskscore.ledger.decisions import decision_on
from riskscore.ledger.notice_files import read_creditor
from riskscore.ledger.notices import earlier_notices, notice_of, write_notice
from riskscore.serving.deployment import Deployment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Write the notice, and its row into the ledger; 2 where there is nothing to notify of."""
    options = parsed(_parser(), arguments)
    environ = {**environ, **({"RISKSCORE_LEDGER": options.ledger} if options.ledger else {})}
    creditor, moment = read_creditor(options.creditor), datetime.now(UTC)
    deployment = Deployment(environ, str(ROOT))
    ledger = deployment.ledger(may_make=False)
    if ledger is None:
        raise NotConfigured("no ledger is configured; set RISKSCORE_LEDGER or give --ledger URL")
    try:
        row = applicant_row(ledger, options.request, options.row, options.caller)
        notice = notice_of(row, deployment.version, creditor, moment, decision_on(ledger, row))
        for time in earlier_notices(ledger, row):
            print(f"note       a notice about this row was written before, at {time}")
        written = write_notice(ledger, row, notice, options.out, moment)
    finally:
        ledger.store.close()
    print(f"written    {options.out}: {len(notice.reasons)} of at most 4 reasons; in the ledger as {written}")
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("request", metavar="REQUEST", help="the id of the request, as the ledger has it")
    parser.add_argument("--ledger", metavar="URL", help="sqlite:///file.db or postgresql://... ($RISKSCORE_LEDGER)")
    parser.add_argument(
        "--creditor", type=Path, required=True, metavar="FILE", help="a TOML file: who sends the notice"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="a .md, .html or .pdf")
    parser.add_argument("--row", type=whole_number, metavar="N", help="which row of the request, 0 the first")
    parser.add_argument("--caller", metavar="NAME", help="whose request it is, where several callers used the id")
    return parser
