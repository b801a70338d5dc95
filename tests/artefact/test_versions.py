"""Versions side by side: what is kept, promoted and taken back, whole at every moment; and who approved of it."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading

import pytest

from riskscore.artefact.approvals import read_approvals
from riskscore.artefact.artefact import open_artefact, save_artefact
from riskscore.artefact.publishing import read_version
from riskscore.artefact.signature import new_key, public_text, read_key, sign
from riskscore.artefact.versions import find_version, version_by_hash, versions_of, write_version
from riskscore.errors import ArtefactRefused, InvalidFile
from riskscore.serving.deployment import Deployment
from tests import programs
from tests.ledger_examples import LOAN, keeping, sqlite_url
from tests.scoring_examples import ROOT, SMALL, write_small

SAID = ("--by", "Ann Lee", "--why", "figures of the committee")


@pytest.fixture
def models(tmp_path):
    """A folder of models with one, never promoted."""
    write_small(tmp_path / "model" / "loans")
    (tmp_path / "model" / "loans" / "model.toml").write_text("by people")
    return tmp_path / "model"


def written(models, **changes):
    """Write loans again, its manifest changed, as a training does; where it is."""
    manifest = SMALL | {"model": "loans"} | changes
    before = open_artefact(str(models / "loans"))

    def fill(fresh):
        save_artefact(str(fresh), before.contents, manifest)

    return write_version(models / "loans", models.parent, fill)


def versions(models, *arguments, **environ):
    """What `riskscore versions loans ARGUMENTS` comes to."""
    return programs.run("versions", "loans", *arguments, "--models", models, environ=environ)


def promoted(models, *changes):
    """Promote the served version and then one of each change; their hashes."""
    digests = [versions_of(models / "loans")[0].digest]
    assert versions(models, "promote", digests[0], *SAID).returncode == 0
    for change in changes:
        digests.append(written(models, **change).parent.name)
        done = versions(models, "promote", digests[-1], *SAID)
        assert done.returncode == 0, done.stderr
    return digests


def served(models):
    return open_artefact(str(models / "loans")).manifest_sha256


def test_a_model_that_was_never_promoted_is_replaced(models):
    assert written(models, threshold=0.4) == models / "loans"
    assert [version.served for version in versions_of(models / "loans")] == [True]
    assert "unapproved" in versions(models, "list").stdout


def test_what_is_written_beside_a_promoted_version_is_a_candidate(models):
    (first,) = promoted(models)
    place = written(models, threshold=0.4)
    digest = hashlib.sha256((place / "manifest.json").read_bytes()).hexdigest()
    assert place == models / "loans" / "versions" / digest / "loans"
    assert served(models) == first
    assert open_artefact(str(place)).manifest["serial"] > open_artefact(str(models / "loans")).manifest["serial"]
    assert open_artefact(str(place)).manifest["threshold"] == 0.4
    assert (place / "model.toml").read_text() == "by people"
    assert "candidate" in versions(models, "list").stdout


def test_the_same_model_again_is_the_same_version(models):
    promoted(models)
    assert written(models, threshold=0.4) == written(models, threshold=0.4)
    assert written(models) == models / "loans"
    assert len(versions_of(models / "loans")) == 2


def test_promotion_and_rollback_move_whole_versions(models):
    first, second = promoted(models, {"threshold": 0.4})
    assert served(models) == second
    assert version_by_hash(models / "loans", first).manifest["threshold"] == SMALL["threshold"]
    done = versions(models, "rollback", *SAID)
    assert (done.returncode, served(models)) == (0, first)
    assert version_by_hash(models / "loans", second).manifest["threshold"] == 0.4
    assert [record.action for record in read_approvals(models / "loans")] == ["promote", "promote", "rollback"]


def test_each_rollback_takes_back_one_promotion(models):
    first, second, third = promoted(models, {"threshold": 0.4}, {"threshold": 0.3})
    assert served(models) == third
    for expected in (second, first):
        assert versions(models, "rollback", *SAID).returncode == 0
        assert served(models) == expected
    done = versions(models, "rollback", *SAID)
    assert (done.returncode, served(models)) == (2, first)
    assert done.stderr == ("riskscore versions: no version of loans was served before the present one by a promotion\n")


def test_people_s_files_move_with_their_version_and_none_is_lost(models):
    (first,) = promoted(models)
    place = written(models, threshold=0.4)
    (place / "model.toml").write_text("of the candidate")
    (models / "loans" / "notes.txt").write_text("stays")
    assert versions(models, "promote", place.parent.name, *SAID).returncode == 0
    assert (models / "loans" / "model.toml").read_text() == "of the candidate"
    kept = models / "loans" / "versions" / first / "loans"
    assert (kept / "model.toml").read_text() == "by people"
    assert (models / "loans" / "notes.txt").read_text() == "stays"


def test_the_query_goes_with_its_version(models):
    query = models.parent / "sql" / "loans.sql"
    query.parent.mkdir()
    query.write_text("SELECT 1")
    source = {"sql": "sql/loans.sql", "table": "loans", "sha256": hashlib.sha256(b"SELECT 1").hexdigest()}
    written(models, source=source)
    (first,) = promoted(models)
    query.write_text("SELECT 2")
    newer = source | {"sha256": hashlib.sha256(b"SELECT 2").hexdigest()}
    second = written(models, source=newer).parent.name
    assert versions(models, "promote", second, *SAID).returncode == 0
    assert (models / "loans" / "features.sql").read_text() == "SELECT 2"
    assert (models / "loans" / "versions" / first / "loans" / "features.sql").read_text() == "SELECT 1"
    assert versions(models, "rollback", *SAID).returncode == 0  # sql/ is of the later version
    _, uploads = read_version(models / "loans", models.parent)
    assert dict(uploads)[f"loans/{first}/features.sql"] == b"SELECT 1"


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("show", "zzzz"), 2, "loans has no version 'zzzz'; it has "),
        (("show", "a"), 2, "a version is named by its name or by 4 digits of its hash"),
        (("show", "1"), 2, "'1' names several versions of loans: "),  # SMALL's version, of both
        (("promote", "SERVED"), 2, "the record of an approval needs --by NAME and --why TEXT; expected 1 to 500"),
        (("promote", "SERVED", "--by", "Ann"), 2, "printable characters for --why"),
        (("promote", "SERVED", "--by", " ", "--why", "x"), 2, "printable characters for --by"),
        (("promote", "SERVED", "--by", "A", "--why", "x" * 501), 2, "printable characters for --why"),
        (("promote", "SERVED", *SAID), 2, " is the served version of loans already"),
        (("compare", "SERVED", "SERVED", "SERVED"), 2, "compare takes two versions, or one to compare"),
        (("rollback",), 2, "the record of an approval needs --by NAME"),
    ],
)
def test_refusals_are_one_sentence_and_change_nothing(models, arguments, status, said):
    (first,) = promoted(models)
    written(models, threshold=0.4)
    done = versions(models, *(first if word == "SERVED" else word for word in arguments))
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.startswith("riskscore versions: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert served(models) == first


def test_a_prefix_that_two_hashes_share_is_ambiguous(models):
    (first,) = promoted(models)
    twin = first[:6] + "0" * 58
    (models / "loans" / "versions" / twin / "loans").mkdir(parents=True)
    with pytest.raises(InvalidFile, match="names several versions of loans"):
        find_version(models / "loans", first[:6])
    assert find_version(models / "loans", first).digest == first
    assert find_version(models / "loans", first[:6].upper() + first[6:20]).digest == first


@pytest.mark.parametrize("file", ["manifest.json", "model.json"])
def test_a_damaged_version_is_told_and_never_promoted(models, file):
    (first,) = promoted(models)
    place = written(models, threshold=0.4)
    (place / file).write_bytes((place / file).read_bytes() + b" ")
    for arguments in (
        ("show", place.parent.name),
        ("promote", place.parent.name, *SAID),
        ("compare", place.parent.name),
    ):
        done = versions(models, *arguments)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert f"version {place.parent.name[:12]} can't be used: loans/{file} has SHA-256 " in done.stderr
    listed = versions(models, "list")
    assert (listed.returncode, served(models)) == (1, first)
    assert f"loans/{file} has SHA-256 " in listed.stdout


def test_a_damaged_served_version_can_be_replaced(models):
    promoted(models)
    place = written(models, threshold=0.4)
    (models / "loans" / "model.json").write_text("{}")
    assert versions(models, "promote", place.parent.name, *SAID).returncode == 0
    assert served(models) == place.parent.name


def test_an_approval_may_be_signed(models, tmp_path):
    path = new_key(tmp_path / "keys")
    key, other = read_key(path), read_key(new_key(tmp_path / "others"))
    place = models / "loans"
    (place / "manifest.sig").write_text(sign(key, (place / "manifest.json").read_bytes()))
    digest = versions_of(place)[0].digest
    assert versions(models, "promote", digest, *SAID, "--key", path).returncode == 0
    shown = versions(models, "show", digest, RISKSCORE_PUBLIC_KEY=public_text(key)).stdout
    assert "by Ann Lee: figures of the committee (signed by the key in RISKSCORE_PUBLIC_KEY)" in shown
    assert "(signed, not checked: RISKSCORE_PUBLIC_KEY isn't set)" in versions(models, "show", digest).stdout
    (record,) = read_approvals(place)
    assert record.vouched(public_text(other)) == "NOT signed by the key in RISKSCORE_PUBLIC_KEY"
    assert record._replace(by="Bo").vouched(public_text(key)) == "NOT signed by the key in RISKSCORE_PUBLIC_KEY"


def test_where_a_key_is_asked_for_only_signed_versions_are_promoted(models, tmp_path):
    key = read_key(new_key(tmp_path / "keys"))
    done = versions(models, "promote", served(models), *SAID, RISKSCORE_PUBLIC_KEY=public_text(key))
    assert (done.returncode, "is not signed" in done.stderr) == (1, True)
    assert read_approvals(models / "loans") == []


@pytest.mark.parametrize("line", ["{", "[]", '{"by": "Ann"}', "null"])
def test_a_broken_record_is_named_by_its_line(models, line):
    promoted(models)
    with (models / "loans" / "approvals.jsonl").open("a") as file:
        file.write(line + "\n")
    done = versions(models, "list")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "loans/approvals.jsonl, line 2: expected a record of an approval" in done.stderr


def test_compare_says_what_differs(models):
    promoted(models)
    features = [*SMALL["features"][:2], SMALL["features"][2] | {"name": "secured", "nullable": True}]
    other = written(models, threshold=0.4, features=features, refer=[]).parent.name
    shown = versions(models, "compare", other).stdout
    assert ["threshold", "0.5", "0.4"] in [line.split() for line in shown.splitlines()]
    assert "feature secured: nullable" in shown
    assert "model.json" not in shown
    assert any(line.split() == ["refer", "differs", "differs"] for line in shown.splitlines())


def test_compare_counts_decisions_that_flip_in_both_directions(models, tmp_path):
    promoted(models)
    probability = Deployment({"RISKSCORE_MODEL_URI": str(models)}, str(ROOT)).find("loans")
    golden = probability.margins([[1000.0, 12.0, 1.0], [2000.0, 12.0, 0.0]], "twin")
    assert golden == [-1.26, 1.24]  # 0.22 and 0.78
    other = written(models, threshold=0.9).parent.name
    (tmp_path / "rows.csv").write_text(
        "loan_id,amount,term,secured\nL1,1000,12,true\nL2,2000,12,false\nL3,nothing,12,false\n"
    )
    shown = versions(models, "compare", other, "--data", tmp_path / "rows.csv").stdout
    assert "2 rows scored by both; 0 by one alone, 1 by neither" in shown
    assert "1 decision of 2 differ: 50.00% (95 % interval 9.45% to 90.55%, Wilson)" in shown
    assert f"prediction 1 by {served(models)[:12]}, prediction 0 by {other[:12]}: 1 row" in shown


def test_any_kept_version_is_found_by_its_hash(models):
    first, second = promoted(models, {"threshold": 0.4})
    deployment = Deployment({"RISKSCORE_MODEL_URI": str(models)}, str(ROOT))
    assert deployment.version("loans", first).artefact.manifest_sha256 == first
    assert deployment.version("loans", second) is deployment.find("loans")
    with pytest.raises(ArtefactRefused, match="loans: the model folder has no version 000000000000"):
        deployment.version("loans", "0" * 64)


def test_a_ledger_s_rows_are_replayed_by_the_version_that_scored_them(models, tmp_path):
    from riskscore.ledger.ledger import Ledger

    ledger = Ledger(sqlite_url(tmp_path / "l.db"), {})
    promoted(models)
    keeping(ledger, Deployment({"RISKSCORE_MODEL_URI": str(models)}, str(ROOT)).find("loans")).answer(LOAN)
    ledger.store.close()
    place = written(models, threshold=0.1)
    assert versions(models, "promote", place.parent.name, *SAID).returncode == 0
    environ = {"RISKSCORE_MODEL_URI": str(models), "RISKSCORE_LEDGER": sqlite_url(tmp_path / "l.db")}
    done = programs.run("ledger", "replay", "--all", environ=environ)
    assert (done.returncode, done.stdout) == (
        0,
        "1 row: 1 with the same bits, 0 different, 0 without their model, 0 without features\n",
    )


# All or nothing

KILLED_EVERYWHERE = """
import sys
from contextlib import suppress
from pathlib import Path
from riskscore.artefact.approvals import read_approvals
from riskscore.artefact.artefact import find_model, open_artefact
from riskscore.artefact.versions import open_version, versions_of
from riskscore.scoring.model import Model
from riskscore.commands.versions import main
from riskscore.errors import InvalidFile
from tests.artefact.test_versions import SAID, written
from tests.killed import at_each_file_event

models, action, words = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
before = {version.digest for version in versions_of(models / "loans")}

def change():
    if action == "write":
        written(models, threshold=0.2)
    else:
        with suppress(InvalidFile):  # the call before was killed once all was done
            main(["loans", action, *words, *SAID, "--models", str(models)], {})

def look():
    artefact = open_artefact(find_model(str(models), "loans"))
    Model(artefact)
    found = versions_of(models / "loans")
    assert before <= {open_version(version).manifest_sha256 for version in found}
    (served,) = [version.digest for version in found if version.served]
    assert len(found) == len({version.digest for version in found})
    if action != "write":
        assert read_approvals(models / "loans")[-1].manifest_sha256 == served
    print(served, len(found), file=sys.stderr)

at_each_file_event(models, change, look)
written(models, threshold=0.7)  # sweeps what the killed ones left
"""


@pytest.mark.slow
@pytest.mark.parametrize("action", ["promote", "rollback", "write"])
def test_killed_at_any_moment_a_model_is_the_old_version_or_the_new_one_whole(models, action):
    first, second = promoted(models, {"threshold": 0.4})
    words = [first] if action == "promote" else []
    run = subprocess.run(
        [sys.executable, "-c", KILLED_EVERYWHERE, models, action, *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    seen = [line.split() for line in run.stderr.splitlines()]
    assert len(seen) > 20
    if action == "write":
        assert {(digest, count) for digest, count in seen} == {(second, "2"), (second, "3")}
    else:
        assert list(dict.fromkeys(digest for digest, _ in seen)) == [second, first]
    assert [path.name for path in models.iterdir()] == ["loans"]
    assert not [*(models / "loans" / "versions").glob(".*")]


def test_two_promotions_at_once_come_one_after_the_other(models):
    promoted(models)
    candidates = [written(models, threshold=0.1 * k).parent.name for k in (1, 2, 3)]
    program = [sys.executable, "-m", "riskscore", "versions", "loans", "promote"]
    ended = []

    def start(digest):
        ended.append(subprocess.run([*program, digest, *SAID, "--models", models], cwd=ROOT, check=False).returncode)

    threads = [threading.Thread(target=start, args=(digest,)) for digest in candidates]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    records = read_approvals(models / "loans")
    assert (ended, len(records)) == ([0, 0, 0], 4)
    assert [record.before for record in records[1:]] == [record.manifest_sha256 for record in records[:-1]]
    assert served(models) == records[-1].manifest_sha256
    assert len(versions_of(models / "loans")) == 4


# Programs that write and read versions


def test_scores_by_a_kept_version_and_by_several_side_by_side(models, tmp_path):
    first, _ = promoted(models, {"threshold": 0.1})
    (tmp_path / "rows.csv").write_text("loan_id,amount,term,secured\nL1,1000,12,true\nL2,nothing,12,true\n")
    places = ("--models", models, "--data", tmp_path / "rows.csv", "--output")
    done = programs.run("score", "loans", "--version", first[:8], *places, tmp_path / "one.jsonl")
    assert done.returncode == 3, done.stderr
    assert json.loads((tmp_path / "one.jsonl").read_text().splitlines()[0])["prediction"] == 0
    done = programs.run("score", "--models", f"loans,loans@{first[:8]}", *places, tmp_path / "both.csv")
    assert done.returncode == 3, done.stderr
    header, row = ((tmp_path / "both.csv").read_text()).splitlines()
    label = f"loans@{first[:8]}"
    assert header == (
        "loan_id,loans_probability,loans_prediction,loans_outcome,"
        f"{label}_probability,{label}_prediction,{label}_outcome"
    )
    assert row == "L1,0.22097389222018782,1,scored,0.22097389222018782,0,scored"
    assert (tmp_path / "both.faults.csv").read_text().splitlines()[1].startswith("line 3,L2,")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("loans", "--version", "zzzz"), "loans has no version 'zzzz'; it has "),
        (("--models", "loans,nothing"), "there is no trained model 'nothing' in "),
        (("--models", "loans,loans@zzzz"), "loans has no version 'zzzz'; it has "),
        ((), "name the model to score with: score NAME, or --models NAME,NAME@VERSION for several"),
        (("--version", "1"), "name the model to score with"),
    ],
)
def test_scoring_by_what_there_isn_t_is_refused(models, tmp_path, arguments, said):
    (tmp_path / "rows.csv").write_text("loan_id,amount,term,secured\nL1,1000,12,true\n")
    places = ("--models", models, "--data", tmp_path / "rows.csv", "--output", tmp_path / "out.csv")
    done = programs.run("score", *arguments, *places)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert said in done.stderr
    assert not (tmp_path / "out.csv").exists()


def test_renewing_a_promoted_model_writes_a_version_beside_it(models, tmp_path):
    (first,) = promoted(models)
    done = programs.run("sign", "loans", "--new-key", tmp_path / "keys", "--renew", "--models", models)
    assert done.returncode == 0, done.stderr
    assert served(models) == first
    (renewed,) = [version for version in versions_of(models / "loans") if not version.served]
    assert f"riskscore versions loans promote {renewed.short}" in done.stdout
    assert (renewed.folder / "manifest.sig").exists()
    assert renewed.serial > versions_of(models / "loans")[0].serial
