"""Notices of adverse action: from a row of the ledger, scored again with the same bits, to a document and its own row.

A notice is a row of the chain, with the outcome `notice` and the applicant's row in its request id. It holds the text
of the letter, and a purge erases it with the applicant's row.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from riskscore.atomic import replacing_file
from riskscore.errors import ArtefactRefused, InvalidFile, UnknownModel
from riskscore.ledger.hash_chain import NOT_ANSWERS, NOTICE, notice_id
from riskscore.ledger.ledger import append
from riskscore.ledger.notice_files import Notice, markdown, render
from riskscore.ledger.replay import compare, scored_again
from riskscore.ledger.schema import KEPT_NAMES, PERSONAL_NAMES, ledger

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from riskscore.ledger.ledger import Ledger
    from riskscore.ledger.notice_files import Creditor
    from riskscore.ledger.replay import FindVersion

MOST_REASONS = 4  # the official interpretation of 12 CFR 1002.9(b)(2): more are of no help to an applicant
ID_BYTES = 4


def applicant_row(own: Ledger, request_id: str, place: int | None, caller: str | None) -> Mapping[str, Any]:
    """The one row of a request that a notice is about. place: which of its rows, where it has several."""
    chosen = select(ledger).where(ledger.c.request_id == request_id, ledger.c.outcome.not_in(NOT_ANSWERS))
    if place is not None:
        chosen = chosen.where(ledger.c.row == place)
    if caller is not None:
        chosen = chosen.where(ledger.c.caller == caller)
    with own.store.reading() as connection:
        rows = connection.execute(chosen.order_by(ledger.c.seq).limit(2)).mappings().all()
    if not rows:
        which = "no such row of a request" if place is not None else "no request"
        raise InvalidFile(f"the ledger has {which} with this id")
    if len(rows) > 1:
        several = rows[0]["caller"] != rows[1]["caller"]
        how = "several callers used it: name one by --caller" if several else "it has several rows: name one by --row"
        raise InvalidFile(f"this request id is of more than one row; {how}")
    return dict(rows[0])


def reasons_of(row: Mapping[str, Any], find: FindVersion) -> tuple[tuple[str, str], ...]:
    """(code, sentence) of the principal reasons of an adverse row. Raises InvalidFile where there is none to notify of.

    They are computed again by the model that the row names, once that gives the row's own bits.
    """
    if row["salt"] is None:
        raise InvalidFile("a purge erased this row: nothing is left to give reasons from")
    if row["outcome"] == "invalid":
        raise InvalidFile("this row was invalid and never scored: no adverse action was taken on it")
    if row["outcome"] != "scored":
        raise InvalidFile("this row was referred to manual review, and the ledger holds no decision on it")
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
    if not answer["prediction"]:
        raise InvalidFile("this row's score is on the good side of the threshold: no adverse action was taken on it")
    if not answer["reasons"]:
        raise InvalidFile("this row has no reason that can be given: no notice can be written from it")
    return tuple((reason["code"], reason["text"]) for reason in answer["reasons"])


def notice_of(row: Mapping[str, Any], find: FindVersion, creditor: Creditor, moment: datetime) -> Notice:
    """What the notice about a row says."""
    reasons = reasons_of(row, find)
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
        with own.store.writing() as connection:
            end = append(connection, [entry], moment)
    if own.heads is not None:
        own.heads.moved(*end)
    return str(entry[0]["request_id"])


def earlier_notices(own: Ledger, row: Mapping[str, Any]) -> list[str]:
    """When notices about the row were written before."""
    about = ledger.c.request_id.like(f"{notice_id(row['seq'])}%")
    with own.store.reading() as connection:
        chosen = select(ledger.c.time).where(ledger.c.outcome == NOTICE, about).order_by(ledger.c.seq)
        return [*connection.execute(chosen).scalars()]


def _entry(row: Mapping[str, Any], notice: Notice, document: bytes, form: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The columns that stay and those that a purge erases."""
    of_model = ("model", "model_version", "manifest_sha256", "contract_sha256", "engine")
    retained = {
        **dict.fromkeys(KEPT_NAMES),
        **{name: row[name] for name in of_model},
        "caller": "",
        "row": 0,
        "rows": 1,
        "listed": 0,
        "outcome": NOTICE,
        "request_id": f"{notice_id(row['seq'])}{secrets.token_hex(ID_BYTES)}",
    }
    reasons = [{"code": code, "text": text} for code, text in notice.reasons]
    about = {"seq": row["seq"], "request_id": row["request_id"], "row": row["row"]}
    said = {"notice_of": about, "form": form, "sha256": hashlib.sha256(document).hexdigest(), "text": markdown(notice)}
    personal = {
        **dict.fromkeys(PERSONAL_NAMES),
        "content_sha256": said["sha256"],
        "ids": row["ids"],
        "reasons": json.dumps(reasons),
        "answer": json.dumps(said),
    }
    return retained, personal
