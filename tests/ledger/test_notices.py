"""Notices of adverse action: who gets one, what it says in each form, and its own row of the ledger."""

from __future__ import annotations

import json
import re
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import matplotlib as mpl
import pytest

from riskscore.commands.notice import main
from riskscore.errors import ArtefactRefused, CallerFault, InvalidFile
from riskscore.ledger.attached_rows import applicant_row
from riskscore.ledger.export import EXPORTS, exported
from riskscore.ledger.hash_chain import NOTICE
from riskscore.ledger.ledger import Ledger, stamp
from riskscore.ledger.notice_files import EQUAL_CREDIT, FORMS, Creditor, Notice, markdown, page, pdf, read_creditor
from riskscore.ledger.notices import earlier_notices, notice_of, reasons_of, write_notice
from riskscore.ledger.purge import purge
from riskscore.ledger.replay import replay, stored_rows
from riskscore.scoring.pipeline import REASONS
from tests.ledger_examples import keeping, sqlite_url, tamper, verified
from tests.scoring_examples import event, model

RISKY = event(late_fee_count_90d=6, pct_gambling_spend_90d=0.3, cash_withdrawal_90d=4e4, merchant_diversity_90d=11)
GOOD, REFERRED = event(late_fee_count_90d=0), event(net_cash_flow_30d=1.0)
MOMENT = datetime(2026, 3, 1, 9, tzinfo=UTC)
CREDITOR_TOML = """
name = "Example Lending"
address = ["100 Main Street", "Springfield, IL 62701"]
[agency]
name = "Federal Trade Commission, Equal Credit Opportunity"
address = ["Washington, DC 20580"]
"""
CREDITOR = Creditor("A & <B> *Lending*", ("1 Main St",), "555", "We decline.", ("FTC", "Washington, DC"), "")
LETTER = Notice(CREDITOR, "2026-03-01", "2026-02-27", (("id", "S1"),), "r1", (("R09", "Fees"), ("R03", "Bets <x>")))


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request, tmp_path):
    """A ledger in each of the two kinds of database, closed afterwards."""
    url = sqlite_url(tmp_path / "l.db") if request.param == "sqlite" else request.getfixturevalue("database")
    found = Ledger(url, {}, clock=lambda: MOMENT - timedelta(days=2))
    yield found
    found.store.close()


@pytest.fixture
def creditor(tmp_path):
    path = tmp_path / "creditor.toml"
    path.write_text(CREDITOR_TOML)
    return path


def find(name, manifest_sha256):
    if (name, manifest_sha256) != (model().name, model().artefact.manifest_sha256):
        raise ArtefactRefused("another version")
    return model()


def written(ledger, path, request="r1", moment=MOMENT):
    row = applicant_row(ledger, request, None, None)
    notice = notice_of(row, find, CREDITOR, moment)
    return write_notice(ledger, row, notice, path, moment)


def rows_of(ledger):
    with ledger.store.reading() as connection:
        return connection.exec_driver_sql("SELECT * FROM riskscore_ledger ORDER BY seq").mappings().all()


# Who gets one


@pytest.mark.parametrize("asked", [{}, {"reasons": 0}, {"reasons": 1}, {"reason_codes": True}, {"change": True}])
def test_the_reasons_are_the_rows_own_however_many_it_asked_for(ledger, asked):
    answer = keeping(ledger, model()).answer(RISKY | asked, "r1")
    found = reasons_of(applicant_row(ledger, "r1", None, None), find)
    whole = keeping(ledger, model()).answer(RISKY | {"reason_codes": True, "reasons": REASONS}, "r2")["reasons"]
    assert [*found] == [(reason["code"], reason["text"]) for reason in whole]
    assert answer["reasons"] == [] or answer["reasons"][0]["text"] == found[0][1]
    assert 1 < len(found) <= 4


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (GOOD, "on the good side of the threshold: no adverse action"),
        (REFERRED, "referred to manual review, and the ledger holds no decision on it"),
        (event(late_fee_count_90d=-1), "invalid and never scored"),
        ([RISKY, RISKY], "it has several rows: name one by --row"),
    ],
)
def test_a_row_without_an_adverse_action_gets_none(ledger, given, sentence):
    keeping(ledger, model()).answer(given, "r1")
    with pytest.raises(InvalidFile, match=re.escape(sentence)):
        reasons_of(applicant_row(ledger, "r1", None, None), find)


def test_one_row_of_several_is_named(ledger):
    keeping(ledger, model()).answer([GOOD, RISKY], "r1")
    assert reasons_of(applicant_row(ledger, "r1", 1, None), find)
    for place, sentence in ((0, "on the good side"), (2, "no such row of a request")):
        with pytest.raises(InvalidFile, match=sentence):
            reasons_of(applicant_row(ledger, "r1", place, None), find)


def test_a_request_id_of_several_callers_needs_one(ledger):
    for caller in ("shop", "bank"):
        keeping(ledger, model()).answer(RISKY, "r1", caller)
    with pytest.raises(InvalidFile, match="several callers used it: name one by --caller"):
        applicant_row(ledger, "r1", None, None)
    assert applicant_row(ledger, "r1", None, "bank")["caller"] == "bank"


def test_a_request_that_is_not_there_is_named(ledger):
    keeping(ledger, model()).answer(RISKY, "r1")
    with pytest.raises(InvalidFile, match="the ledger has no request with this id"):
        applicant_row(ledger, "r2", None, None)


def test_a_row_of_a_model_that_is_missing_is_refused(ledger):
    keeping(ledger, model()).answer(RISKY, "r1")
    with pytest.raises(InvalidFile, match=r"the model credit_risk .*, which scored this row, is missing"):
        reasons_of({**applicant_row(ledger, "r1", None, None), "manifest_sha256": "0" * 64}, find)


def test_a_row_that_was_changed_gives_no_notice(tmp_path):
    ledger = Ledger(sqlite_url(tmp_path / "l.db"), {})
    keeping(ledger, model()).answer(RISKY, "r1")
    tamper(tmp_path / "l.db", ("UPDATE riskscore_ledger SET probability = 0.5", ()))
    with pytest.raises(InvalidFile, match="differs from the ledger in probability"):
        reasons_of(applicant_row(ledger, "r1", None, None), find)
    ledger.store.close()


# What it says


@pytest.mark.parametrize("form", [markdown, page, lambda notice: text_of_pdf(pdf(notice))], ids=["md", "html", "pdf"])
def test_each_form_has_the_parts_of_the_regulation(form):
    letter = Notice(CREDITOR._replace(name="Example Lending"), *LETTER[1:])
    said = " ".join(form(letter).split())
    for part in ("Example Lending", "1 Main St", "2026-03-01", "S1", "We decline.", "Fees", "Washington, DC"):
        assert part in said
    assert EQUAL_CREDIT in said.replace("&#x27;", "'")
    assert said.index("We decline.") < said.index("Fees") < said.index("race, color, religion")


def text_of_pdf(document: bytes) -> str:
    """The words of a PDF of fpdf2's core fonts, in their order."""
    streams = [zlib.decompress(found) for found in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", document, re.DOTALL)]
    texts = re.findall(rb"\(((?:[^()\\]|\\.)*)\) Tj", b"\n".join(streams), re.DOTALL)
    return " ".join(re.sub(rb"\\(.)", rb"\1", text).decode("cp1252") for text in texts)


def test_names_are_texts_in_every_form():
    assert "A &amp; &lt;B&gt; *Lending*" in page(LETTER)
    assert r"A \& \<B\> \*Lending\*" in markdown(LETTER)
    assert "Bets &lt;x&gt;" in page(LETTER)


def test_a_pdf_without_the_characters_is_refused_in_one_sentence(tmp_path):
    letter = LETTER._replace(reasons=(("R01", "Opłaty"),))
    with pytest.raises(InvalidFile, match="the PDF's font lacks a character of the notice: name a TrueType file"):
        pdf(letter)
    with pytest.raises(InvalidFile, match="the creditor's font can't be read: FileNotFoundError"):
        pdf(letter._replace(creditor=CREDITOR._replace(font=str(tmp_path / "none.ttf"))))
    own = CREDITOR._replace(font=str(Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"))
    assert pdf(letter._replace(creditor=own)).startswith(b"%PDF-")
    with pytest.raises(InvalidFile, match="the PDF's font lacks a character"):
        pdf(letter._replace(creditor=own, reasons=(("R01", "\u4e00"),)))


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('name = "Example Lending"', "", "name is missing"),
        ("[agency]", "[agent]", "unknown key agent"),
        ('["Washington, DC 20580"]', "[]", "agency.address must be a list of lines"),
        ('"100 Main Street", ', "7, ", "address must be a list of lines"),
        ('"Example Lending"', '""', "name, action or agency.name is empty"),
        ('"Example Lending"', r'"Example\nLending"', "a line can't hold line breaks or control characters"),
    ],
)
def test_a_creditor_s_file_that_lacks_a_part_is_refused(creditor, old, new, sentence):
    assert old in CREDITOR_TOML
    creditor.write_text(CREDITOR_TOML.replace(old, new, 1))
    with pytest.raises(InvalidFile, match=f"^creditor.toml: {re.escape(sentence)}"):
        read_creditor(creditor)


# Its row


def test_a_notice_is_a_row_of_the_chain(ledger, tmp_path):
    keeping(ledger, model()).answer(RISKY, "r1")
    name = written(ledger, tmp_path / "n.html")
    row = rows_of(ledger)[-1]
    assert (row["request_id"], row["outcome"], row["model"], row["time"]) == (
        name,
        NOTICE,
        "credit_risk",
        stamp(MOMENT),
    )
    said = json.loads(row["answer"])
    assert said["notice_of"] == {"seq": 1, "request_id": "r1", "row": 0}
    assert "## Principal reasons for this action" in said["text"]
    assert earlier_notices(ledger, rows_of(ledger)[0]) == [stamp(MOMENT)]
    assert verified(ledger).findings == []


def test_it_is_exported_and_neither_scored_again_nor_shown_as_an_answer(ledger, tmp_path):
    keeping(ledger, model()).answer(RISKY, "r1")
    name = written(ledger, tmp_path / "n.md")
    with ledger.store.reading() as connection:
        found = replay(stored_rows(connection), find)
        rows = [*exported(connection, EXPORTS["rows"])]
    assert (found.matched, found.differences, found.unscored) == (1, [], 0)
    assert [name in row for row in rows] == [False, True]
    assert len(ledger.recent(10)) == 1
    with pytest.raises(InvalidFile, match="no request with this id"):
        applicant_row(ledger, name, None, None)


@pytest.mark.parametrize(("days", "erased"), [(1, 2), (3, 0), (-1, 2)])
def test_a_purge_takes_it_with_its_applicant_s_row(ledger, tmp_path, days, erased):
    keeping(ledger, model()).answer(RISKY, "r1")
    written(ledger, tmp_path / "n.md")
    assert purge(ledger, MOMENT - timedelta(days=days), MOMENT + timedelta(days=9)) == erased
    assert [row["answer"] is None for row in rows_of(ledger)[:2]] == [bool(erased)] * 2
    assert verified(ledger).findings == []
    if erased:
        with pytest.raises(InvalidFile, match="a purge erased this row"):
            reasons_of(applicant_row(ledger, "r1", None, None), find)


def test_an_erased_notice_of_a_row_that_stays_is_found(tmp_path):
    ledger = Ledger(sqlite_url(tmp_path / "l.db"), {}, clock=lambda: MOMENT)
    engine = keeping(ledger, model())
    engine.answer(GOOD, "old")
    engine.answer(RISKY, "r1")
    written(ledger, tmp_path / "n.md", moment=MOMENT + timedelta(days=1))
    erased = ", ".join(f"{name} = NULL" for name in ("salt", "content_sha256", "ids", "reasons", "answer"))
    tamper(tmp_path / "l.db", (f"UPDATE riskscore_ledger SET {erased} WHERE seq = 3", ()))
    assert [finding.seq for finding in verified(ledger).findings] == [3]
    ledger.store.close()


def test_neither_a_file_nor_a_row_is_written_by_half(ledger, tmp_path):
    keeping(ledger, model()).answer(RISKY, "r1")
    with pytest.raises(InvalidFile, match=r"n.txt: expected a file ending in .md, .html or .pdf"):
        written(ledger, tmp_path / "n.txt")
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(OSError, match="File exists"):
        written(ledger, blocked / "n.md")
    assert len(rows_of(ledger)) == 1
    assert not [path for path in tmp_path.iterdir() if path.suffix in (*FORMS, ".txt")]


def test_the_command_writes_every_form(tmp_path, creditor, capsys):
    url = sqlite_url(tmp_path / "l.db")
    own = Ledger(url, {})
    keeping(own, model()).answer(RISKY, "r1")
    own.store.close()
    for form in FORMS:
        arguments = ["r1", "--ledger", url, "--creditor", str(creditor), "--out", str(tmp_path / f"n{form}")]
        assert main(arguments, {}) == 0
    assert (tmp_path / "n.pdf").read_bytes().startswith(b"%PDF-")
    said = capsys.readouterr().out
    assert said.count("written    ") == 3
    assert said.count("a notice about this row was written before") == 3
    with pytest.raises(CallerFault, match="no request with this id"):
        main(["r2", *arguments[1:]], {})
