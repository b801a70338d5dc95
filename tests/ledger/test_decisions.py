"""Decisions of people on rows of the ledger: what is recorded, what counts, and what a notice then says."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from riskscore.commands.ledger import main
from riskscore.errors import CallerFault, InvalidFile
from riskscore.ledger.attached_rows import applicant_row
from riskscore.ledger.decisions import APPROVE, DECLINE, REVIEW, decide, decision_on
from riskscore.ledger.ledger import Ledger
from riskscore.ledger.notices import DECIDED, reasons_of
from riskscore.ledger.purge import purge
from riskscore.ledger.replay import replay, stored_rows
from tests.ledger.test_notices import GOOD, MOMENT, REFERRED, RISKY, find, rows_of
from tests.ledger_examples import keeping, sqlite_url, verified
from tests.scoring_examples import model

EVENTS = {APPROVE: GOOD, DECLINE: RISKY, REVIEW: REFERRED}


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request, tmp_path):
    """A ledger in each of the two kinds of database, closed afterwards."""
    url = sqlite_url(tmp_path / "l.db") if request.param == "sqlite" else request.getfixturevalue("database")
    found = Ledger(url, {}, clock=lambda: MOMENT - timedelta(days=2))
    yield found
    found.store.close()


def row_of(ledger, asked=GOOD, request="r1"):
    keeping(ledger, model()).answer(asked, request)
    return applicant_row(ledger, request, None, None)


def decided(ledger, row, decision, reason="Income could not be verified", by="A. Officer"):
    return decide(ledger, row, model().threshold, decision, reason, by, MOMENT)


@pytest.mark.parametrize("decision", [APPROVE, DECLINE])
@pytest.mark.parametrize("suggested", EVENTS)
def test_a_decision_is_a_row_of_the_chain_that_says_what_the_score_suggested(ledger, suggested, decision):
    row = row_of(ledger, EVENTS[suggested])
    written = decided(ledger, row, decision)
    found = decision_on(ledger, row)
    assert (found.decision, found.suggested, found.by) == (decision, suggested, "A. Officer")
    assert found.overrides == (suggested not in (REVIEW, decision))
    last = rows_of(ledger)[-1]
    assert (last["request_id"], last["outcome"], last["ids"]) == (written, "decision", row["ids"])
    assert verified(ledger).findings == []


def test_the_newest_decision_counts_and_the_earlier_stays(ledger):
    row = row_of(ledger)
    decided(ledger, row, DECLINE)
    decided(ledger, row, APPROVE, by="B. Officer")
    assert decision_on(ledger, row).by == "B. Officer"
    assert [entry["outcome"] for entry in rows_of(ledger)] == ["scored", "decision", "decision"]


def test_nobody_decided_on_another_row(ledger):
    first, other = row_of(ledger), row_of(ledger, request="r2")
    decided(ledger, first, DECLINE)
    assert decision_on(ledger, other) is None


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"decision": "maybe"}, "a decision is approve or decline"),
        ({"reason": " "}, "a decision's reason must be 1 to 1,000 characters of text on one line"),
        ({"reason": "x" * 1001}, "a decision's reason must be 1 to 1,000 characters"),
        ({"reason": "a\nb"}, "a decision's reason must be 1 to 1,000 characters of text on one line"),
        ({"by": ""}, "a decision's by must be 1 to 200 characters"),
    ],
)
def test_what_is_no_decision_is_refused_and_nothing_written(ledger, change, sentence):
    row = row_of(ledger)
    given = {"decision": DECLINE, "reason": "why", "by": "who"} | change
    with pytest.raises(InvalidFile) as raised:
        decided(ledger, row, **given)
    assert raised.value.message.startswith(sentence)
    assert len(rows_of(ledger)) == 1


def test_an_invalid_row_has_nothing_to_decide_on(ledger):
    row = row_of(ledger, {"features": {"nothing": 1}, "model": "credit_risk"})
    with pytest.raises(InvalidFile, match="was invalid and never scored: there is nothing to decide on"):
        decided(ledger, row, DECLINE)


@pytest.mark.parametrize("suggested", EVENTS)
def test_a_notice_says_the_reason_of_who_declined_before_those_of_an_adverse_score(ledger, suggested):
    row = row_of(ledger, EVENTS[suggested])
    own = [] if suggested != DECLINE else [*reasons_of(row, find)]
    decided(ledger, row, DECLINE)
    found = reasons_of(row, find, decision_on(ledger, row))
    assert found[0] == (DECIDED, "Income could not be verified")
    assert len(found) <= 4
    assert [*found[1:]] == own[:3]


@pytest.mark.parametrize("suggested", EVENTS)
def test_who_was_approved_gets_no_notice(ledger, suggested):
    row = row_of(ledger, EVENTS[suggested])
    decided(ledger, row, APPROVE)
    with pytest.raises(CallerFault, match="a person approved this row: no adverse action was taken"):
        reasons_of(row, find, decision_on(ledger, row))


def test_a_purge_erases_a_decision_with_the_row_that_it_is_on_and_a_replay_passes_it_over(ledger):
    row = row_of(ledger)
    decided(ledger, row, DECLINE)
    with ledger.store.reading() as connection:
        replayed = replay(stored_rows(connection, None, None), find)
    assert (replayed.matched, replayed.unscored) == (1, 0)
    assert purge(ledger, MOMENT - timedelta(days=1), MOMENT + timedelta(days=1)) == 2
    assert decision_on(ledger, row) is None
    assert verified(ledger).findings == []
    with pytest.raises(InvalidFile, match="a purge erased this row"):
        decided(ledger, applicant_row(ledger, "r1", None, None), DECLINE)


def test_the_program_records_a_decision_against_the_score_and_says_so(tmp_path, capsys):
    url = sqlite_url(tmp_path / "l.db")
    ledger = Ledger(url, {}, clock=lambda: datetime.now(UTC))
    row = row_of(ledger, RISKY)
    arguments = ["--ledger", url, "decide", "r1", "approve", "--reason", "Salary seen", "--by", "A. Officer"]
    assert main(arguments, {}) == 0
    assert "approve, against the score, which suggests to decline" in capsys.readouterr().out
    assert main(arguments, {}) == 0
    assert "a decision on this row was recorded before" in capsys.readouterr().out
    assert decision_on(ledger, row).reason == "Salary seen"
    said = json.loads(rows_of(ledger)[-1]["answer"])
    assert said["decision_on"] == {"seq": 1, "request_id": "r1", "row": 0}
    ledger.store.close()
