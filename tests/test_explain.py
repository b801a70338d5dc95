"""`riskscore explain`: an event's answer, reasons with codes, contributions, and what would have changed it."""

from __future__ import annotations

import json
import re

import pytest

from riskscore.commands.explain import main
from riskscore.errors import CallerFault
from tests.scoring_examples import EVENT, answer, event

RISKY = event(late_fee_count_90d=5, cash_withdrawal_90d=9000.0, pct_gambling_spend_90d=0.2)


@pytest.fixture
def explained(tmp_path, capsys):
    """Explain an event: the status and the lines."""

    def explain(given, *arguments):
        path = tmp_path / "event.json"
        path.write_text(given if isinstance(given, str) else json.dumps(given))
        return main([str(path), *arguments], {}), capsys.readouterr().out.splitlines()

    return explain


def test_reasons_come_with_their_codes_and_all_contributions_add_up(explained):
    status, lines = explained(RISKY)
    assert status == 0
    reasons = answer(RISKY | {"reasons": 13, "reason_codes": True})["reasons"]
    said = [f"  {r['code']:<8} {r['contribution']:+.4f}  {r['text']} ({r['feature']})" for r in reasons]
    assert lines[lines.index("reasons") + 1 :][: len(said)] == said
    numbers = [float(line.split()[-1]) for line in lines if re.fullmatch(r"  \S+( value)? +[+-][0-9.]+", line)]
    assert sum(numbers[:-1]) == pytest.approx(numbers[-1], abs=1e-3)
    assert not any(line.startswith("change") for line in lines)


def test_what_would_have_changed_it_is_said_where_it_is_asked(explained):
    _, lines = explained(RISKY, "--change")
    found = answer(RISKY | {"change": True})["change"]
    assert f"change     {found['text']}" in lines
    options = [line for line in lines if re.match(r"  \d\. ", line)]
    assert len(options) == len(found["alternatives"]) > 0
    assert all("both engines agree" in line for line in options)


@pytest.mark.parametrize(("given", "text"), [(EVENT, "not the adverse one"), (event(net_cash_flow_30d=0.0), "review")])
def test_what_needs_no_change_says_so(explained, given, text):
    _, lines = explained(given, "--change")
    assert text in lines[-1]


def test_a_row_that_can_t_be_scored_says_why_and_the_others_are_explained(explained):
    status, lines = explained([event(late_fee_count_90d=-1), RISKY])
    assert (status, lines[:2]) == (
        3,
        ["row 1", "invalid    late_fee_count_90d must be at least 0 and within the range of a 32-bit float"],
    )
    assert lines[2] == "row 2"


def test_another_model_is_named_by_the_command(explained):
    status, lines = explained(RISKY | {"model": "nothing"}, "--model", "credit_risk")
    assert (status, lines[0].split()[:2]) == (0, ["model", "credit_risk"])


@pytest.mark.parametrize(
    ("given", "arguments", "sentence"),
    [
        ("{", (), "event.json is not JSON"),
        ([EVENT] * 101, (), "the event has 101 rows; at most 100 are explained at once"),
        (EVENT, ("--model", "nothing"), "there is no trained model 'nothing' in the model folder"),
    ],
)
def test_what_can_t_be_explained_is_refused_in_one_sentence(explained, given, arguments, sentence):
    with pytest.raises(CallerFault) as refused:
        explained(given, *arguments)
    assert sentence in refused.value.message
