"""Decisions of people on rows of the ledger, as rows of the chain: who approved or declined, why, and against what.

The newest decision on a row counts; the earlier ones stay.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from riskscore.errors import InvalidFile
from riskscore.ledger.attached_rows import about, attach, attached, rows_about
from riskscore.ledger.hash_chain import DECISION

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from riskscore.ledger.ledger import Ledger

APPROVE, DECLINE = "approve", "decline"
DECISIONS = (APPROVE, DECLINE)
REVIEW = "review"  # what the score suggested of a referred row
LONGEST_REASON, LONGEST_NAME = 1_000, 200  # characters


class Decision(NamedTuple):
    """decision: approve or decline. suggested: what the score suggested, or review. time: when it was recorded."""

    decision: str
    reason: str
    by: str
    suggested: str
    time: str

    @property
    def overrides(self) -> bool:
        """Whether it goes against the score."""
        return self.suggested in DECISIONS and self.decision != self.suggested


def decide(
    own: Ledger, row: Mapping[str, Any], threshold: float, decision: str, reason: str, by: str, moment: datetime
) -> str:
    """Record a decision on a row; returns the id of its row. Raises InvalidFile where there is nothing to decide.

    threshold: of the row's model, which says what the score suggested.
    """
    if decision not in DECISIONS:
        raise InvalidFile(f"a decision is {' or '.join(DECISIONS)}", "decision")
    reason, by = _said("reason", reason, LONGEST_REASON), _said("by", by, LONGEST_NAME)
    suggested = suggestion(row, threshold)
    said = {"decision_on": about(row), "decision": decision, "reason": reason, "by": by, "suggested": suggested}
    return attach(own, attached(row, DECISION, answer=json.dumps(said)), moment)


def suggestion(row: Mapping[str, Any], threshold: float) -> str:
    """What a row's score suggested. Raises InvalidFile where it was never scored, or erased."""
    if row["salt"] is None:
        raise InvalidFile("a purge erased this row: nothing is left to decide on")
    if row["outcome"] == "invalid":
        raise InvalidFile("this row was invalid and never scored: there is nothing to decide on")
    if row["outcome"] != "scored":
        return REVIEW
    return DECLINE if row["probability"] >= threshold else APPROVE


def decision_on(own: Ledger, row: Mapping[str, Any]) -> Decision | None:
    """The newest decision on a row; None where nobody decided."""
    found = [entry for entry in rows_about(own, row, DECISION) if entry["answer"] is not None]
    if not found:
        return None
    said = json.loads(found[-1]["answer"])
    return Decision(said["decision"], said["reason"], said["by"], said["suggested"], found[-1]["time"])


def _said(what: str, text: str, longest: int) -> str:
    words = text.strip()
    if not words or len(words) > longest or not words.isprintable():
        raise InvalidFile(f"a decision's {what} must be 1 to {longest:,} characters of text on one line", what)
    return words
