"""What the page says of an answer and of a file beyond the score: moves, bands, what lowered it, rows to look at."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from riskscore.artefact.artefact import open_artefact
from riskscore.scoring.model import Model
from riskscore.service.batch_view import BINS, histogram
from riskscore.service.card_files import band_of
from riskscore.service.result_view import BEFORE, TRY, before_of, percent, result
from tests.ledger_examples import verified
from tests.model_examples import events as model_events
from tests.scoring_examples import EVENT, FEATURES, IDS, ROOT, answer, write_small
from tests.service.test_csv_tables import HEADER, MESSAGES, MIXED, kept, ledger, send, serving  # noqa: F401

if TYPE_CHECKING:
    from pathlib import Path

MODELS = sorted(path.parent.name for path in (ROOT / "model").glob("*/manifest.json"))
FORM = {name: str(value) for name, value in {**IDS, **FEATURES}.items()}


@pytest.fixture(scope="module")
def credit_risk() -> Model:
    return Model(open_artefact(str(ROOT / "model" / "credit_risk")))


@pytest.mark.parametrize(
    ("text", "before"),
    [("0.25", 0.25), ("", None), ("0", None), ("1", None), ("nan", None), ("inf", None), ("x", None)],
)
def test_the_probability_before_is_a_probability_or_none(text: str, before: float | None) -> None:
    assert before_of({BEFORE: text}) == before


def test_what_a_change_did_is_said_in_points_and_probability(credit_risk: Model) -> None:
    was = answer(EVENT)
    worse = {**EVENT, "features": {**FEATURES, "late_fee_count_90d": 4}}
    shown, now = result(credit_risk, worse, False, was["probability"]), answer(worse)
    assert shown["before"] == (
        f"{was['points']} points, now {now['points']} ({now['points'] - was['points']:+d});"
        f" {percent(was['probability'])}, now {percent(now['probability'])}"
    )
    assert not shown["recorded"]


@pytest.mark.parametrize("name", MODELS)
def test_what_lowered_a_score_are_its_negative_contributions_and_no_reason(name: str) -> None:
    model = Model(open_artefact(str(ROOT / "model" / name)))
    for event in model_events(name):
        if not isinstance(event, dict) or "features" not in event:
            continue
        shown = result(model, event, True)
        raising = {bar.feature for bar in shown["bars"]}
        assert all(bar.contribution.startswith("\N{MINUS SIGN}") for bar in shown["lowering"])
        assert raising.isdisjoint(bar.feature for bar in shown["lowering"])
        assert len(shown["lowering"]) <= 4


@pytest.mark.parametrize("name", MODELS)
def test_every_score_is_in_one_band_of_the_card(name: str) -> None:
    artefact = open_artefact(str(ROOT / "model" / name))
    by = (band_of(artefact, 0.5) or {})["by"]
    for value in range(300, 851, 7) if by == "points" else [k / 97 for k in range(98)]:
        found = band_of(artefact, value)
        assert found
        assert sum(row["own"] for row in found["rows"]) <= 1
        assert found["own"] or any(not row["own"] for row in found["rows"])
    card = json.loads((ROOT / "model" / name / "card.json").read_text())
    assert sum(int(row["rows"].replace(",", "")) for row in found["rows"]) == card["rows"]


def test_a_card_of_another_version_is_not_shown(tmp_path: Path) -> None:
    write_small(tmp_path / "small_loans")
    artefact = open_artefact(str(tmp_path / "small_loans"))
    (tmp_path / "small_loans" / "card.json").write_text('{"version": "another", "bands": {}}')
    assert band_of(artefact, 600) is None
    (tmp_path / "small_loans" / "card.json").write_text("{")
    assert band_of(artefact, 600) is None


def test_a_try_is_answered_and_not_recorded(send: Any, ledger: Any) -> None:  # noqa: F811
    tried = send("POST", "/", data=FORM | {TRY: "yes", BEFORE: "0.5"})
    assert (tried.status_code, "not recorded" in tried.text, 'id="before"' in tried.text) == (200, True, True)
    assert kept(ledger) == []
    scored = send("POST", "/", data=FORM)
    assert (scored.status_code, "not recorded" in scored.text) == (200, False)
    assert len(kept(ledger)) == 1


def test_a_file_shown_on_the_page_is_recorded_and_its_download_is_the_file(send: Any, ledger: Any) -> None:  # noqa: F811
    shown = send("POST", "/upload", files={"file": ("rows.csv", MIXED)}, data={"show": "yes"})
    assert shown.status_code == 200
    counts = {
        name: re.search(rf'id="count-{name}">([\d,]+)<', shown.text)[1] for name in ("scored", "refer", "invalid")
    }  # type: ignore[index]
    assert counts == {"scored": "1", "refer": "0", "invalid": "3"}
    assert len(kept(ledger)) == 4
    assert verified(ledger).findings == []
    pieces = dict(re.findall(r'name="(scores\d+)" value="([^"]*)"', shown.text))
    file = send("POST", "/download", files={name: (None, piece) for name, piece in pieces.items()})
    assert file.headers["content-disposition"] == 'attachment; filename="credit_risk_scores.csv"'
    again = send("POST", "/upload", files={"file": ("rows.csv", MIXED)})
    assert file.content == again.content
    assert [row["outcome"] for row in csv.DictReader(io.StringIO(file.text))] == [
        "invalid",
        "scored",
        "invalid",
        "invalid",
    ]
    assert MESSAGES[0] is None or MESSAGES[0] in shown.text.replace("&#39;", "'")


def test_a_download_of_something_else_is_refused(send: Any) -> None:  # noqa: F811
    found = send("POST", "/download", files={"scores0": (None, "?")})
    assert (found.status_code, "score the file again" in found.text) == (400, True)


def test_a_file_of_a_model_whose_clients_want_one_field_shows_all(tmp_path: Path) -> None:
    write_small(tmp_path / "small_loans", response={"fields": {"p": "probability"}})
    place = {"RISKSCORE_MODEL_URI": str(tmp_path), "RISKSCORE_MODEL": "small_loans", "RISKSCORE_ENGINE": "twin"}
    one = serving(RISKSCORE_LEDGER="", **place)
    table = "loan_id,amount,term,secured\nL1,1000,12,true\nL2,x,12,true\n"
    shown = one("POST", "/upload", files={"file": ("rows.csv", table)}, data={"show": "yes"})
    assert ('id="count-scored">1<' in shown.text, 'id="count-invalid">1<' in shown.text) == (True, True)


def test_the_card_is_shown_under_a_policy_that_runs_nothing(send: Any, tmp_path: Path) -> None:  # noqa: F811
    found = send("GET", "/card?model=credit_risk")
    assert found.content == (ROOT / "model" / "credit_risk" / "card.html").read_bytes()
    assert "default-src 'none'" in found.headers["content-security-policy"]
    assert "script-src" not in found.headers["content-security-policy"]
    write_small(tmp_path / "models" / "small_loans")
    place = {
        "RISKSCORE_MODEL_URI": str(tmp_path / "models"),
        "RISKSCORE_MODEL": "small_loans",
        "RISKSCORE_ENGINE": "twin",
    }
    none = serving(RISKSCORE_LEDGER="", **place)("GET", "/card")
    assert (none.status_code, "has no model card" in none.text) == (404, True)
    assert "Model card" not in serving(RISKSCORE_LEDGER="", **place)("GET", "/").text


def test_a_histogram_has_every_score_in_a_bar(credit_risk: Model) -> None:
    scores = [{"points": 500 + k} for k in range(101)]
    found = histogram(credit_risk, scores)
    assert found
    assert (found["low"], found["high"], len(found["bars"])) == ("500", "600", BINS)
    tallest = int(found["tallest"])
    assert round(sum(height / 40 * tallest for *_, height in found["bars"])) == 101
    assert histogram(credit_risk, []) is None
    one = histogram(credit_risk, [{"points": 600}] * 3)
    assert one
    assert one["tallest"] == "3"


def test_large_tables_are_held_in_pieces_that_a_form_may_have(credit_risk: Model) -> None:
    from riskscore.service.batch_view import PIECE, batch

    table = b"x" * (3 * PIECE)
    shown = batch(credit_risk, [answer(EVENT)], [{**IDS}], table)
    assert all(len(piece) <= PIECE < 2**20 for piece in shown["pieces"])
    assert base64.b64decode("".join(shown["pieces"])) == table


def test_a_decision_on_the_page_is_a_row_of_the_ledger(send: Any, ledger: Any) -> None:  # noqa: F811
    scored = send("POST", "/", data=FORM, headers={"x-request-id": "r1"})
    assert 'name="request" value="r1"' in scored.text
    said = {"request": "r1", "decision": "decline", "reason": "Income could not be verified", "by": "A. Officer"}
    found = send("POST", "/decide", data=said)
    assert (found.status_code, "against the score, which suggests to approve" in found.text) == (200, True)
    assert [row["outcome"] for row in kept(ledger)] == ["scored", "decision"]
    assert verified(ledger).findings == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"request": "r9"}, "the ledger has no request with this id"),
        ({"reason": ""}, "must be 1 to 1,000 characters"),
        ({"decision": "?"}, "a decision is approve or decline"),
    ],
)
def test_what_is_no_decision_is_said_on_the_page(send: Any, ledger: Any, change: dict[str, str], sentence: str) -> None:  # noqa: F811
    send("POST", "/", data=FORM, headers={"x-request-id": "r1"})
    said = {"request": "r1", "decision": "decline", "reason": "why", "by": "A. Officer"} | change
    found = send("POST", "/decide", data=said)
    assert (found.status_code, sentence in found.text) == (422, True)
    assert len(kept(ledger)) == 1
