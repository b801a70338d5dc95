"""Notices of adverse action: from a row of the ledger, scored again with the same bits, to a document and its own row.

A notice is a row of the chain, with the outcome `notice` and the applicant's row in its request id. It holds the text
of the letter, and a purge erases it with the applicant's row.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from riskscore.atomic import replacing_file
from riskscore.errors import ArtefactRefused, InvalidFile, UnknownModel
from riskscore.ledger.attached_rows import about, attach, attached, rows_about
from riskscore.ledger.decisions import APPROVE
from riskscore.ledger.hash_chain import NOTICE
from riskscore.ledger.notice_files import Notice, markdown, render
from riskscore.ledger.replay import compare, scored_again

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from riskscore.ledger.decisions import Decision
    from riskscore.ledger.ledger import Ledger
    from riskscore.ledger.notice_files import Creditor
    from riskscore.ledger.replay import FindVersion

MOST_REASONS = 4  # the official interpretation of 12 CFR 1002.9(b)(2): more are of no help to an applicant
DECIDED = "D"  # the code of a person's reason; the model's are R01 and so on


def reasons_of(
    row: Mapping[str, Any], find: FindVersion, decision: Decision | None = None
) -> tuple[tuple[str, str], ...]:
    """(code, sentence) of the principal reasons of an adverse row. Raises InvalidFile where there is none to notify of.

    The reason of whoever declined it, then those of the score where it is adverse: they are computed again by the model
    that the row names, once that gives the row's own bits.
    """
    _require_adverse(row, decision)
    try:
        model = find(row["model"], row["manifest_sha256"])
    except (ArtefactRefused, UnknownModel):
        named = f"{row['model']} {row['model_version']}"
        raise InvalidFile(
            f"the model {named}, which scored this row, is missing; RISKSCORE_MODEL_URI may have it"
        ) from None
    if different := compare(row, model):
        raise InvalidFile(f"scored again, this row differs from the ledger in {', '.join(different)}")
    answer = scored_again(row, model, min(MOST_REASONS, len(model.contract.names)), ["reason_codes"])[1]
    if not answer["prediction"] and decision is None:
        raise InvalidFile("this row's score is on the good side of the threshold: no adverse action was taken on it")
    given = [(reason["code"], reason["text"]) for reason in answer["reasons"]] if answer["prediction"] else []
    said = ([(DECIDED, decision.reason)] if decision else []) + given
    if not said:
        raise InvalidFile("this row has no reason that can be given: no notice can be written from it")
    return tuple(said[:MOST_REASONS])


def _require_adverse(row: Mapping[str, Any], decision: Decision | None) -> None:
    """Refuse a row on which no adverse action can have been taken, whatever its score."""
    if row["salt"] is None:
        raise InvalidFile("a purge erased this row: nothing is left to give reasons from")
    if row["outcome"] == "invalid":
        raise InvalidFile("this row was invalid and never scored: no adverse action was taken on it")
    if row["outcome"] != "scored" and decision is None:
        raise InvalidFile("this row was referred to manual review, and the ledger holds no decision on it")
    if decision is not None and decision.decision == APPROVE:
        raise InvalidFile("a person approved this row: no adverse action was taken on it")


def notice_of(
    row: Mapping[str, Any],
    find: FindVersion,
    creditor: Creditor,
    moment: datetime,
    decision: Decision | None = None,
) -> Notice:
    """What the notice about a row says."""
    reasons = reasons_of(row, find, decision)
    place = f", row {row['row']}" if row["rows"] > 1 else ""
    return Notice(
        creditor,
        f"{moment:%Y-%m-%d}",
        row["time"][:10],
        tuple(json.loads(row["ids"]).items()),
        f"{row['request_id']}{place}",
        reasons,
    )


def write_notice(own: Ledger, row: Mapping[str, Any], notice: Notice, path: Path, moment: datetime) -> str:
    """Write the document, and its row into the ledger: both or neither. Returns the id of that row."""
    document = render(notice, path)
    entry = _entry(row, notice, document, path.suffix)
    with replacing_file(path) as file:
        file.buffer.write(document)  # type: ignore[attr-defined]
        return attach(own, entry, moment)


def earlier_notices(own: Ledger, row: Mapping[str, Any]) -> list[str]:
    """When notices about the row were written before."""
    return [found["time"] for found in rows_about(own, row, NOTICE)]


def _entry(row: Mapping[str, Any], notice: Notice, document: bytes, form: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The columns that stay and those that a purge erases."""
    reasons = [{"code": code, "text": text} for code, text in notice.reasons]
    said = {
        "notice_of": about(row),
        "form": form,
        "sha256": hashlib.sha256(document).hexdigest(),
        "text": markdown(notice),
    }
    return attached(row, NOTICE, content_sha256=said["sha256"], reasons=json.dumps(reasons), answer=json.dumps(said))
