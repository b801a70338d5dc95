"""The ledger's head, published outside its database: what verify then notices, and where heads may lie."""

from __future__ import annotations

import json
import sqlite3
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from moto import mock_aws

from riskscore.artefact.signature import new_key, public_text
from riskscore.commands.ledger import main
from riskscore.errors import LedgerUnavailable, NotConfigured
from riskscore.ledger.heads import HeadFile, Heads, heads_of
from riskscore.ledger.ledger import Ledger
from riskscore.ledger.purge import purge
from tests.ledger_examples import keeping, sqlite_url

LOAN = {"loan_id": "L1", "features": {"amount": 1000, "term": 12, "secured": True}}
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


@pytest.fixture
def folder(tmp_path, small_loans):
    """A folder with a ledger of three rows, its head published beside it, signed by a key that lies there too."""
    new_key(tmp_path)
    answer(tmp_path, small_loans, 3)
    return tmp_path


def environ(folder, **changes):
    return {
        "RISKSCORE_LEDGER": sqlite_url(folder / "ledger.db"),
        "RISKSCORE_LEDGER_HEADS": str(folder / "elsewhere" / "heads.jsonl"),
        "RISKSCORE_LEDGER_KEY": str(folder / "signing_key.pem"),
        **changes,
    }


def opened(folder, **changes):
    given = environ(folder, **changes)
    return Ledger(given["RISKSCORE_LEDGER"], given, heads=heads_of(given, given["RISKSCORE_LEDGER"]))


def answer(folder, model, rows):
    """Score rows one by one into the folder's ledger, and end as a process does."""
    ledger = opened(folder)
    for _ in range(rows):
        keeping(ledger, model).answer(LOAN)
    ledger.heads.flush()
    ledger.store.close()


def rewrite(folder, *statements):
    """What somebody does who may write to the database, and switches its own guards off."""
    with sqlite3.connect(folder / "ledger.db") as connection:
        for (trigger,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {trigger}")
        for statement in statements:
            connection.execute(statement)
    connection.close()


CUT = (
    "DELETE FROM riskscore_ledger WHERE seq > 1",
    "UPDATE riskscore_ledger_head SET rows = 1, hash = (SELECT hash FROM riskscore_ledger WHERE seq = 1)",
)


def test_a_sound_ledger_is_held_to_its_published_head(folder, capsys):
    assert main(["verify"], environ(folder)) == 0
    said = capsys.readouterr().out
    assert "3 rows, 0 purged, 0 findings" in said
    assert ", signed, of 3 rows" in said


def test_an_end_that_was_cut_off_is_missed(folder, capsys):
    rewrite(folder, *CUT)
    assert main(["verify"], environ(folder)) == 1
    assert "a head of 3 rows was published, and the ledger has 1: its end was cut off" in capsys.readouterr().out


def test_a_chain_that_was_written_anew_is_noticed(folder, small_loans, capsys):
    rewrite(folder, *CUT)
    other = Ledger(sqlite_url(folder / "ledger.db"), {})  # somebody else's program, which publishes nothing
    for _ in range(4):
        keeping(other, small_loans).answer(LOAN)
    other.store.close()
    assert main(["verify"], environ(folder)) == 1
    assert "row 3 has another hash than the published head: the chain was rewritten" in capsys.readouterr().out


def test_without_a_published_head_verify_says_what_it_does_not_show(folder, capsys):
    rewrite(folder, *CUT)
    assert main(["verify"], environ(folder, RISKSCORE_LEDGER_HEADS=str(folder / "none.jsonl"))) == 0
    assert "no head was published, so a cut-off end can't be detected" in capsys.readouterr().out


def test_a_sqlite_ledger_has_its_heads_beside_it_without_being_told(tmp_path, small_loans):
    url = sqlite_url(tmp_path / "ledger.db")
    ledger = Ledger(url, {}, heads=heads_of({}, url))
    keeping(ledger, small_loans).answer(LOAN)
    ledger.heads.flush()
    assert HeadFile(str(tmp_path / "ledger.db.heads")).newest()
    assert heads_of({}, "postgresql://bank.example/ledger") is None


def test_a_head_that_somebody_else_wrote_is_a_finding(folder, capsys):
    Heads(HeadFile(str(folder / "elsewhere" / "heads.jsonl")), Ed25519PrivateKey.generate()).publish(9, "0" * 64)
    assert main(["verify"], environ(folder)) == 1
    assert "not signed by the ledger's key" in capsys.readouterr().out


def test_the_public_half_is_enough_to_verify(folder, capsys):
    public = public_text(KEY)
    place = HeadFile(str(folder / "heads"))
    heads = Heads(place, KEY)
    heads.publish(1, "a" * 64)
    assert Heads(place, public_key=public).newest() == (1, "a" * 64, heads.newest().time, True)
    assert Heads(place, public_key=public_text(Ed25519PrivateKey.generate())).newest().signed is False


def test_no_signature_of_a_manifest_passes_for_one_of_a_head(folder):
    said = {"hash": "a" * 64, "rows": 1, "time": "2026-11-28T00:00:00Z"}
    from riskscore.artefact.signature import sign

    line = json.dumps(said | {"signature": sign(KEY, json.dumps(said, sort_keys=True, separators=(",", ":")).encode())})
    place = HeadFile(str(folder / "heads"))
    place.append(1, line)
    assert Heads(place, KEY).newest().signed is False


def test_the_newest_is_the_head_of_most_rows_whoever_appended_it_last(tmp_path):
    place = HeadFile(str(tmp_path / "heads"))
    for rows in (1, 12, 9):
        Heads(place).publish(rows, f"{rows:064x}")
    assert Heads(place).newest().rows == 12


def test_half_a_line_of_a_process_that_was_killed_is_passed_over(tmp_path):
    place = HeadFile(str(tmp_path / "heads"))
    Heads(place).publish(1, "a" * 64)
    with (tmp_path / "heads").open("a") as file:
        file.write('{"rows": 2, "ha')
    assert Heads(place).newest().rows == 1


def test_a_purge_is_published_too(folder, small_loans):
    from tests.ledger.test_ledger import MOMENT

    ledger = opened(folder)
    assert purge(ledger, MOMENT.replace(year=2100), MOMENT.replace(year=2100)) == 3
    ledger.heads.flush()
    assert ledger.heads.newest().rows == 4


def test_a_place_that_fails_fails_no_request_and_is_tried_again(tmp_path, small_loans, capsys):
    (tmp_path / "file").write_text("")
    url = sqlite_url(tmp_path / "ledger.db")
    ledger = Ledger(url, {}, heads=Heads(HeadFile(str(tmp_path / "file" / "heads")), seconds=0.01))
    assert keeping(ledger, small_loans).answer(LOAN)["outcome"] == "scored"
    ledger.heads.flush()
    assert "RISKSCORE_LEDGER_HEADS can't be read or written: " in capsys.readouterr().err
    (tmp_path / "file").unlink()
    ledger.heads.flush()
    assert ledger.heads.newest().rows == 1


def test_heads_come_by_themselves_while_the_process_runs(tmp_path, small_loans):
    url = sqlite_url(tmp_path / "ledger.db")
    ledger = Ledger(url, {}, heads=Heads(HeadFile(str(tmp_path / "heads")), seconds=0.01))
    keeping(ledger, small_loans).answer(LOAN)
    published = threading.Event()
    for _ in range(1000):
        if ledger.heads.newest():
            published.set()
            break
        published.wait(0.01)
    assert published.is_set()


@mock_aws
def test_a_bucket_keeps_every_head_and_gives_the_newest(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    s3 = boto3.client("s3")
    place = {"LocationConstraint": "eu-west-1"}
    s3.create_bucket(Bucket="heads", CreateBucketConfiguration=place, ObjectLockEnabledForBucket=True)
    heads = heads_of({"RISKSCORE_LEDGER_HEADS": "s3://heads/of/ledger"}, "postgresql://bank.example/ledger")
    assert heads.newest() is None
    for rows in (1, 9, 10, 120):
        heads.publish(rows, f"{rows:064x}")
    assert (heads.newest().rows, heads.newest().hash) == (120, f"{120:064x}")
    assert s3.list_objects_v2(Bucket="heads")["KeyCount"] == 4


class LedgerWriter(BaseHTTPRequestHandler):
    """A web service that keeps lines: POST adds one, GET gives them."""

    lines = b""

    def do_POST(self):
        type(self).lines += self.rfile.read(int(self.headers["content-length"])) + b"\n"
        self._answer(b"")

    def do_GET(self):
        self._answer(self.lines)

    def _answer(self, body):
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_a_web_service_keeps_heads_too(tmp_path):
    with ThreadingHTTPServer(("127.0.0.1", 0), LedgerWriter) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        given = {"RISKSCORE_LEDGER_HEADS": f"http://127.0.0.1:{server.server_port}/heads"}
        heads = heads_of(given, "postgresql://bank.example/ledger")
        assert heads.newest() is None
        heads.publish(1, "a" * 64)
        heads.publish(2, "b" * 64)
        assert heads.newest().rows == 2
        server.shutdown()
    with pytest.raises(LedgerUnavailable, match="can't be read or written"):
        heads.newest()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"RISKSCORE_LEDGER_HEADS": "ftp://bank.example/heads"}, "must be a file, s3://bucket/prefix or https://"),
        ({"RISKSCORE_LEDGER_HEADS": "http://bank.example/heads"}, "must be a file, s3://bucket/prefix or https://"),
        ({"RISKSCORE_LEDGER_HEADS": "s3://Bank"}, "RISKSCORE_LEDGER_HEADS must be s3://bucket/prefix"),
        ({"RISKSCORE_LEDGER_PUBLIC_KEY": "short"}, "RISKSCORE_LEDGER_PUBLIC_KEY must be an Ed25519 public key"),
    ],
)
def test_a_place_or_a_key_that_makes_no_sense_stops_the_start(tmp_path, changes, sentence):
    with pytest.raises(NotConfigured, match=sentence):
        heads_of(changes, sqlite_url(tmp_path / "ledger.db"))


@pytest.mark.parametrize("line", ["[1]}", '{"rows": "many", "hash": "a", "time": "b"}', '{"rows": 1}', "nonsense}"])
def test_a_newest_line_that_is_no_head_is_said(tmp_path, line):
    (tmp_path / "heads").write_text(line + "\n")
    with pytest.raises(LedgerUnavailable, match="a line of rows, hash and time"):
        Heads(HeadFile(str(tmp_path / "heads"))).newest()
