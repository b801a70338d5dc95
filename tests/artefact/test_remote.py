"""Models outside the image: published whole, fetched whole, checked like any other, and kept without being trusted."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws
from moto.core import set_initial_no_auth_action_count

from riskscore.artefact.artefact import SIGNATURE, open_artefact, save_artefact
from riskscore.artefact.manifest import MANIFEST
from riskscore.artefact.publishing import publish, read_version
from riskscore.artefact.remote import Published
from riskscore.artefact.s3 import Bucket
from riskscore.artefact.signature import public_text, sign
from riskscore.commands.publish_model import main
from riskscore.errors import ArtefactRefused, InvalidFile, ModelStoreUnavailable, NotConfigured, UnknownModel
from riskscore.local.emulator import FunctionFailed, running_emulator
from riskscore.serving.deployment import Deployment, engine_from
from tests.conftest import without_database
from tests.scoring_examples import EVENT, FOLDER, ROOT, write_small

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

URI = "s3://lender/models"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = public_text(KEY)
LOAN = {"loan_id": "L1", "amount": 1000.0, "term": 12, "secured": True}


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of an S3 with the empty bucket `lender`."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        client = bucket()._client
        client.create_bucket(Bucket="lender")
        yield client


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The folder of a small model, its SQL in place."""
    return versioned(tmp_path / "project", "1")


@pytest.fixture
def store(s3: Any, tmp_path: Path) -> Published:
    return reader(tmp_path)


@cache
def bucket(uri: str = URI) -> Bucket:
    """One client for all tests: it is what costs most of their time."""
    return Bucket(uri)


def versioned(root: Path, version: str, name: str = "small_loans") -> Path:
    """The folder of a version of the small model under root/model, each with SQL of its own."""
    query = root / "sql" / name / "features.sql"
    query.parent.mkdir(parents=True, exist_ok=True)
    query.write_text(f"SELECT {version} AS amount")
    digest = sha256(query.read_bytes())
    source = {"sql": f"sql/{name}/features.sql", "sha256": digest, "table": "loans"}
    return write_small(root / "model" / name, version=version, source=source)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def reader(tmp_path: Path, public_key: str | None = None) -> Published:
    """What a function makes of the bucket; each is a process of its own on the same temporary folder."""
    return Published(bucket(), tmp_path / "cache", public_key)


def published(folder: Path) -> str:
    """Publish a model; returns the key of its version's folder."""
    digest, uploads = read_version(folder, folder.parent.parent)
    assert list(publish(uploads, bucket()))
    return f"models/{folder.name}/{digest}"


def signed(folder: Path, key: Ed25519PrivateKey = KEY) -> Path:
    (folder / SIGNATURE).write_text(sign(key, (folder / MANIFEST).read_bytes()))
    return folder


def keys(s3: Any) -> list[str]:
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket="lender").get("Contents", ())]


@contextmanager
def requests(store: Published, meanwhile: Callable[[str], object] = lambda _: None) -> Iterator[list[str]]:
    """The keys that are got while the context lasts. meanwhile: is called with each of them, before it is."""
    events, seen = store._bucket._client.meta.events, []

    def note(params: dict[str, Any], **_: Any) -> None:
        seen.append(params["url_path"].removeprefix("/").removeprefix("lender/"))
        meanwhile(seen[-1])

    events.register("before-call.s3.GetObject", note)
    events.register("before-call.s3.ListObjectsV2", note)
    try:
        yield seen
    finally:
        events.unregister("before-call.s3.GetObject", note)
        events.unregister("before-call.s3.ListObjectsV2", note)


def nothing_kept(tmp_path: Path) -> bool:
    return not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


# Publishing


def test_a_version_lies_whole_under_its_manifests_hash_and_what_points_to_it_comes_last(s3: Any, small: Path) -> None:
    digest, uploads = read_version(small, small.parent.parent)
    assert [key for key, _, _ in publish(uploads, bucket())] == [
        *(f"small_loans/{digest}/{file}" for file in ("model.joblib", "model.json", "contributions.bin")),
        f"small_loans/{digest}/features.sql",
        f"small_loans/{digest}/manifest.json",
        "small_loans/manifest.json",
    ]
    assert digest == sha256((small / MANIFEST).read_bytes())


def test_publishing_again_uploads_nothing_and_repairs_what_was_changed(s3: Any, small: Path) -> None:
    version = published(small)
    _, uploads = read_version(small, small.parent.parent)
    assert not any(new for _, _, new in publish(uploads, bucket()))
    s3.put_object(Bucket="lender", Key=f"{version}/model.json", Body=b"{}")
    assert [key for key, _, new in publish(uploads, bucket()) if new] == [
        f"{version.removeprefix('models/')}/model.json"
    ]


def test_a_broken_model_is_not_published(s3: Any, small: Path) -> None:
    (small / "model.json").write_bytes(b"{}")
    with pytest.raises(ArtefactRefused, match=r"small_loans/model\.json has SHA-256"):
        read_version(small, small.parent.parent)


def test_a_model_is_not_published_with_sql_that_it_was_not_trained_with(s3: Any, small: Path) -> None:
    (small.parent.parent / "sql" / "small_loans" / "features.sql").write_text("SELECT 9")
    with pytest.raises(ArtefactRefused, match=r"sql/small_loans/features\.sql has SHA-256 .*, but its manifest says"):
        read_version(small, small.parent.parent)
    (small.parent.parent / "sql" / "small_loans" / "features.sql").unlink()
    with pytest.raises(ArtefactRefused, match=r"sql/small_loans/features\.sql can't be read: No such file"):
        read_version(small, small.parent.parent)


def test_an_interrupted_upload_leaves_the_old_version_served(s3: Any, small: Path, tmp_path: Path) -> None:
    published(small)
    _, uploads = read_version(versioned(tmp_path / "project", "2"), tmp_path / "project")
    for count in range(len(uploads)):
        list(publish(uploads[:count], bucket()))
        assert reader(tmp_path).open("small_loans").version == "1"
    list(publish(uploads, bucket()))
    assert reader(tmp_path).open("small_loans").version == "2"


def test_the_script_says_what_it_uploaded_and_how_to_serve_it(
    s3: Any, small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["small_loans", f"{URI}/", "--models", str(small.parent)]
    assert main(arguments, {}) == 0
    first = capsys.readouterr().out
    assert first.count("uploaded") == len(keys(s3)) == 6
    assert f"{URI}/small_loans/manifest.json" in first
    assert f"RISKSCORE_MODEL_URI={URI}\n" in first
    assert f"RISKSCORE_MANIFEST_SHA256={sha256((small / MANIFEST).read_bytes())}\n" in first
    assert main(arguments, {}) == 0
    assert "uploaded" not in capsys.readouterr().out
    with pytest.raises(ArtefactRefused, match="not signed"):
        main(arguments, {"RISKSCORE_PUBLIC_KEY": PUBLIC})
    with pytest.raises(InvalidFile, match="no trained model"):
        main(["../model", URI, "--models", str(small.parent)], {})


# Fetching


def test_a_model_from_a_bucket_scores_as_the_one_in_the_image(s3: Any, tmp_path: Path) -> None:
    published(FOLDER)
    environ = {"RISKSCORE_MODEL_URI": URI, "TMPDIR": str(tmp_path)}
    for engine in ("twin", "joblib"):
        fetched = engine_from(environ | {"RISKSCORE_ENGINE": engine}, str(tmp_path / "an image without models"))
        here = engine_from({"RISKSCORE_ENGINE": engine}, str(ROOT))
        assert fetched.answer(EVENT)["outcome"] == "scored"
        assert fetched.answer(EVENT) == here.answer(EVENT)


def test_a_model_brings_its_sql_along(s3: Any, small: Path, tmp_path: Path) -> None:
    published(small)
    environ = {"RISKSCORE_MODEL_URI": URI, "RISKSCORE_MODEL": "small_loans", "TMPDIR": str(tmp_path)}
    deployment = Deployment(environ, str(tmp_path / "an image without SQL"))
    assert deployment.source(deployment.find("small_loans")).text == "SELECT 1 AS amount"


def test_a_model_in_the_bucket_need_not_have_sql(store: Published, tmp_path: Path) -> None:
    published(write_small(tmp_path / "project" / "model" / "plain"))
    assert store.open("plain").version == "1"


def test_what_was_fetched_is_kept_for_the_next_process(store: Published, small: Path, tmp_path: Path) -> None:
    published(small)
    store.open("small_loans")
    second = reader(tmp_path)
    with requests(second) as got:
        artefact = second.open("small_loans")
    assert artefact.contents == open_artefact(str(small)).contents
    assert got == ["models/small_loans/manifest.json"]


def replaced_by_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("file", ["model.json", "model.joblib", "manifest.json", "features.sql"])
@pytest.mark.parametrize(
    "harm", [lambda path: path.write_bytes(b"cos\nsystem\n"), lambda path: path.unlink(), replaced_by_a_folder]
)
def test_what_was_kept_is_checked_anew_and_never_trusted(
    store: Published, small: Path, tmp_path: Path, file: str, harm: Callable[[Path], object]
) -> None:
    published(small)
    folder = Path(store.open("small_loans").folder)
    harm(folder / file)
    artefact = reader(tmp_path).open("small_loans")
    assert artefact.contents == open_artefact(str(small)).contents
    assert (folder / "features.sql").read_text() == "SELECT 1 AS amount"


@pytest.mark.parametrize("pinned", [True, False])
def test_another_model_that_lies_where_this_one_was_kept_is_not_served(
    store: Published, small: Path, tmp_path: Path, pinned: bool
) -> None:
    digest = published(small).rpartition("/")[2]
    folder = Path(store.open("small_loans").folder)
    shutil.rmtree(folder)
    shutil.copytree(versioned(tmp_path / "intruder", "9"), folder)
    (folder / "features.sql").write_text("SELECT 9 AS amount")
    assert reader(tmp_path).open("small_loans", digest if pinned else None).version == "1"


def test_a_restart_with_a_pinned_manifest_needs_no_bucket(store: Published, small: Path, tmp_path: Path) -> None:
    digest = published(small).rpartition("/")[2]
    store.open("small_loans", digest)
    second = reader(tmp_path)
    with requests(second) as got:
        assert second.open("small_loans", digest.upper()).version == "1"
    assert got == []


def test_a_pinned_version_starts_after_the_next_is_published(store: Published, small: Path, tmp_path: Path) -> None:
    first = published(small).rpartition("/")[2]
    second = published(versioned(tmp_path / "project", "2")).rpartition("/")[2]
    assert store.open("small_loans", first).version == "1"
    assert store.open("small_loans", second).version == "2"
    assert store.open("small_loans").version == "2"


def test_many_processes_on_one_temporary_folder_fetch_at_once(s3: Any, small: Path, tmp_path: Path) -> None:
    published(small)
    together = threading.Barrier(6)

    def fetch(store: Published) -> dict[str, bytes]:
        together.wait()
        return store.open("small_loans").contents

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(fetch, [reader(tmp_path) for _ in range(6)]))
    assert found == [open_artefact(str(small)).contents] * 6
    assert [path.name for path in (tmp_path / "cache").iterdir() if path.name.startswith(".")] == []


def test_who_loses_what_it_was_fetching_takes_what_another_process_kept(
    store: Published, small: Path, tmp_path: Path
) -> None:
    version, once = published(small), iter([True])

    def lose(key: str) -> None:
        if key == f"{version}/model.json" and next(once, False):
            [unfinished] = (tmp_path / "cache").iterdir()
            assert reader(tmp_path).open("small_loans").version == "1"
            shutil.rmtree(unfinished)  # as a cleaner of temporary files does

    with requests(store, lose):
        assert store.open("small_loans").contents == open_artefact(str(small)).contents


# Missing, old, half


FILES = ("model.joblib", "model.json", "contributions.bin", "features.sql")


@pytest.mark.parametrize("file", FILES)
def test_a_missing_file_is_named_and_nothing_is_kept(
    s3: Any, store: Published, small: Path, tmp_path: Path, file: str
) -> None:
    version = published(small)
    s3.delete_object(Bucket="lender", Key=f"{version}/{file}")
    with pytest.raises(ArtefactRefused, match=f"small_loans/.*/{file} is missing under RISKSCORE_MODEL_URI"):
        store.open("small_loans")
    assert nothing_kept(tmp_path)


@pytest.mark.parametrize("file", FILES)
def test_a_changed_file_is_refused_and_nothing_is_kept(
    s3: Any, store: Published, small: Path, tmp_path: Path, file: str
) -> None:
    version = published(small)
    data = s3.get_object(Bucket="lender", Key=f"{version}/{file}")["Body"].read()
    s3.put_object(Bucket="lender", Key=f"{version}/{file}", Body=bytes([data[0] ^ 1]) + data[1:])
    with pytest.raises(ArtefactRefused, match=rf"{file} has SHA-256 .*, but its manifest says"):
        store.open("small_loans")
    assert nothing_kept(tmp_path)


@pytest.mark.parametrize("file", ["model.joblib", "model.json", "contributions.bin"])
@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b"\n", lambda _: b""])
def test_a_file_of_another_size_is_refused_unread(
    s3: Any, store: Published, small: Path, tmp_path: Path, file: str, change: Callable[[bytes], bytes]
) -> None:
    version, data = published(small), (small / file).read_bytes()
    s3.put_object(Bucket="lender", Key=f"{version}/{file}", Body=change(data))
    sizes = f"has {len(change(data))} bytes where {len(data)} are due"
    with pytest.raises(ArtefactRefused, match=f"small_loans/.*/{file} {sizes}"):
        store.open("small_loans")
    assert nothing_kept(tmp_path)


@pytest.mark.parametrize(
    ("key", "size"), [("small_loans/manifest.json", 8_000_001), ("small_loans/{}/features.sql", 1_000_001)]
)
def test_what_no_manifest_bounds_is_bounded_all_the_same(
    s3: Any, store: Published, small: Path, key: str, size: int
) -> None:
    digest = published(small).rpartition("/")[2]
    s3.put_object(Bucket="lender", Key=f"models/{key.format(digest)}", Body=bytes(size))
    with pytest.raises(ArtefactRefused, match=rf"has {size} bytes where \d+ are allowed"):
        store.open("small_loans")


def test_a_model_that_is_not_there_is_refused(store: Published) -> None:
    with pytest.raises(ArtefactRefused, match=r"small_loans is not published: there is no small_loans/manifest\.json"):
        store.open("small_loans")


def test_a_pinned_version_that_is_not_there_is_refused_whatever_else_is(store: Published, small: Path) -> None:
    published(small)
    with pytest.raises(ArtefactRefused, match=f"not published with the configured manifest: .* has no {'0' * 64}"):
        store.open("small_loans", "0" * 64)


def test_a_manifest_under_the_hash_of_another_is_refused(s3: Any, store: Published, small: Path) -> None:
    published(small)
    s3.put_object(Bucket="lender", Key=f"models/small_loans/{'0' * 64}/manifest.json", Body=b"{}")
    with pytest.raises(ArtefactRefused, match=f"manifest.json has SHA-256 .*, but {'0' * 64} was configured"):
        store.open("small_loans", "0" * 64)


def test_a_manifest_of_another_model_is_refused(s3: Any, store: Published, small: Path, tmp_path: Path) -> None:
    published(small)
    other = versioned(tmp_path / "project", "1", "other")
    s3.upload_file(str(other / MANIFEST), "lender", "models/small_loans/manifest.json")
    with pytest.raises(ArtefactRefused, match="belongs to model 'other', not to 'small_loans'"):
        store.open("small_loans")


# Swapped meanwhile


def test_a_version_published_during_the_fetch_takes_nothing_from_the_one_fetched(
    store: Published, small: Path, tmp_path: Path
) -> None:
    published(small)

    def swap(key: str) -> None:
        if key.endswith("model.json"):
            published(versioned(tmp_path / "project", "2"))

    with requests(store, swap):
        assert store.open("small_loans").version == "1"
    assert reader(tmp_path).open("small_loans").version == "2"


def test_a_version_removed_during_the_fetch_gives_way_to_its_successor(
    s3: Any, store: Published, small: Path, tmp_path: Path
) -> None:
    first = published(small)

    def swap(key: str) -> None:
        if key == f"{first}/model.json":
            published(versioned(tmp_path / "project", "2"))
            s3.delete_object(Bucket="lender", Key=key)

    with requests(store, swap) as got:
        artefact = store.open("small_loans")
    assert artefact.contents == open_artefact(str(small)).contents
    assert artefact.version == "2"
    assert got.count("models/small_loans/manifest.json") == 2


def test_a_model_that_never_stands_still_is_refused_after_the_second_try(
    s3: Any, store: Published, small: Path, tmp_path: Path
) -> None:
    published(small)
    versions = iter("23456789")

    def swap(key: str) -> None:
        if key.endswith("/model.json"):
            published(versioned(tmp_path / "project", next(versions)))
            s3.delete_object(Bucket="lender", Key=key)

    with requests(store, swap) as got, pytest.raises(ArtefactRefused, match="is missing"):
        store.open("small_loans")
    assert got.count("models/small_loans/manifest.json") == 2
    assert nothing_kept(tmp_path)


# Signed


def test_a_signed_version_is_served_where_a_key_is_configured(s3: Any, small: Path, tmp_path: Path) -> None:
    published(signed(small))
    assert reader(tmp_path, PUBLIC).open("small_loans").version == "1"


@pytest.mark.parametrize("signer", [None, Ed25519PrivateKey.generate()])
def test_nothing_but_the_manifest_is_fetched_of_a_version_that_the_key_did_not_sign(
    s3: Any, small: Path, tmp_path: Path, signer: Ed25519PrivateKey | None
) -> None:
    version = published(signed(small, signer) if signer else small)
    store = reader(tmp_path, PUBLIC)
    with requests(store) as got, pytest.raises(ArtefactRefused, match=r"is not signed|isn't a signature"):
        store.open("small_loans", version.rpartition("/")[2])
    assert got == [f"{version}/manifest.json", f"{version}/manifest.sig"]
    assert nothing_kept(tmp_path)


def test_what_was_kept_without_a_signature_is_not_served_once_a_key_is_configured(
    s3: Any, store: Published, small: Path, tmp_path: Path
) -> None:
    published(small)
    store.open("small_loans")
    with pytest.raises(ArtefactRefused, match="is not signed"):
        reader(tmp_path, PUBLIC).open("small_loans")
    published(signed(small))
    assert reader(tmp_path, PUBLIC).open("small_loans").version == "1"


# Names from outside


def served(environ: dict[str, str], tmp_path: Path) -> Any:
    return engine_from({"RISKSCORE_MODEL_URI": URI, "TMPDIR": str(tmp_path), **environ}, str(ROOT))


def test_other_models_are_fetched_when_an_event_first_names_them(s3: Any, small: Path, tmp_path: Path) -> None:
    published(small)
    published(versioned(tmp_path / "project", "7", "others"))
    engine = served({"RISKSCORE_MODEL": "small_loans"}, tmp_path)
    assert len(list((tmp_path / f"riskscore-{os.geteuid()}").iterdir())) == 1
    answers = engine.answer([LOAN, LOAN | {"model": "others"}])
    assert [answer["model_version"] for answer in answers] == ["1", "7"]
    assert answers[0]["probability"] == answers[1]["probability"]


def test_an_unknown_model_is_answered_with_those_of_the_bucket(s3: Any, small: Path, tmp_path: Path) -> None:
    published(small)
    error = served({"RISKSCORE_MODEL": "small_loans"}, tmp_path).answer(LOAN | {"model": "credit_risk"})["error"]
    assert error["type"] == "unknown_model"
    assert error["message"] == "unknown model; this function serves small_loans"


NASTY = ["../small_loans", "small_loans/../small_loans", "small_loans/manifest.json", ".", "..", "", "a\x00b", "\ud800"]


@pytest.mark.parametrize("name", NASTY)
def test_no_key_is_made_of_a_name_from_outside(store: Published, small: Path, name: str) -> None:
    published(small)
    with requests(store) as got, pytest.raises(UnknownModel):
        store.require(name)
    assert got == ["?list-type=2"]
    with pytest.raises(NotConfigured, match="RISKSCORE_MODEL must be"):
        store.open(name)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(name=st.text())
def test_no_text_is_a_model_that_nobody_published(store: Published, name: str) -> None:
    with pytest.raises(UnknownModel):
        store.require(name)


def test_unknown_names_don_t_make_the_bucket_be_listed_again_and_again(s3: Any, small: Path, tmp_path: Path) -> None:
    now = [0.0]
    store = Published(bucket(), tmp_path / "cache", clock=lambda: now[0])
    with requests(store) as got:
        for k in range(100):
            with pytest.raises(UnknownModel, match="serves none"):
                store.require(f"guess_{k}")
        assert len(got) == 1
        published(small)
        now[0] = 61.0
        store.require("small_loans")
    assert len(got) == 2


def test_folders_of_a_bucket_that_have_no_names_of_models_are_none(s3: Any, store: Published, small: Path) -> None:
    published(small)
    for key in ("models/..//x", "models/a b/x", "models/.hidden/x", "models/loose", "elsewhere/x"):
        s3.put_object(Bucket="lender", Key=key, Body=b"")
    with pytest.raises(UnknownModel, match=r"this function serves small_loans$"):
        store.require("elsewhere")


@pytest.mark.parametrize(
    "file", ["../escaped", "/tmp/escaped", "a/../../escaped", "..", "manifest.json", "manifest.sig", "features.sql"]
)
def test_a_manifest_can_name_no_file_beyond_its_own(
    s3: Any, store: Published, small: Path, tmp_path: Path, file: str
) -> None:
    manifest = json.loads((small / MANIFEST).read_bytes())
    manifest["files"][file] = {"sha256": sha256(b"x"), "bytes": 1}
    document = json.dumps(manifest).encode()
    key = f"small_loans/{sha256(document)}"
    published(small)
    s3.put_object(Bucket="lender", Key="models/small_loans/manifest.json", Body=document)
    with requests(store) as got, pytest.raises(ArtefactRefused, match="names"):
        store.open("small_loans")
    assert not [entry for entry in got if key in entry]
    assert nothing_kept(tmp_path)
    assert not list(tmp_path.rglob("escaped"))


@pytest.mark.parametrize("size", [None, -1, 1.5, True, "12"])
def test_a_manifest_that_does_not_bound_its_files_is_refused(
    s3: Any, store: Published, small: Path, size: object
) -> None:
    manifest = json.loads((small / MANIFEST).read_bytes())
    manifest["files"]["model.json"]["bytes"] = size
    published(small)
    s3.put_object(Bucket="lender", Key="models/small_loans/manifest.json", Body=json.dumps(manifest).encode())
    with pytest.raises(ArtefactRefused, match=r"model\.json"):
        store.open("small_loans")


# The temporary folder


def test_what_is_kept_is_nobody_elses(store: Published, small: Path, tmp_path: Path) -> None:
    published(small)
    store.open("small_loans")
    assert stat.S_IMODE((tmp_path / "cache").stat().st_mode) == 0o700


def linked(cache: Path) -> None:
    (cache.parent / "elsewhere").mkdir()
    cache.symlink_to(cache.parent / "elsewhere")


def open_to_all(cache: Path) -> None:
    cache.mkdir()
    cache.chmod(0o777)


@pytest.mark.parametrize("prepare", [linked, open_to_all, lambda cache: cache.write_bytes(b"")])
def test_a_folder_that_somebody_else_prepared_is_refused_and_stays_as_it_is(
    store: Published, small: Path, tmp_path: Path, prepare: Callable[[Path], object]
) -> None:
    published(small)
    prepare(tmp_path / "cache")
    with pytest.raises(NotConfigured, match=r"cache belongs to others|cache can't be made: File exists"):
        store.open("small_loans")
    assert nothing_kept(tmp_path)
    assert not (tmp_path / "elsewhere").exists() or not list((tmp_path / "elsewhere").iterdir())


def test_a_folder_of_somebody_else_is_refused(s3: Any, small: Path, tmp_path: Path) -> None:
    published(small)
    foreign = tmp_path / "foreign"
    if os.geteuid() == 0:
        foreign.mkdir(mode=0o700)
        os.chown(foreign, 12345, 12345)
    else:
        foreign = Path("/usr")
    with pytest.raises(NotConfigured, match="belongs to others"):
        Published(bucket(), foreign).open("small_loans")


def test_a_temporary_folder_that_takes_nothing_is_named(s3: Any, small: Path, tmp_path: Path) -> None:
    digest = published(small).rpartition("/")[2]
    with pytest.raises(NotConfigured, match="can't be made: No such file or directory"):
        Published(bucket(), tmp_path / "not" / "there").open("small_loans")
    (tmp_path / "cache").mkdir(mode=0o700)
    (tmp_path / "cache" / digest).write_bytes(b"")
    with pytest.raises(ArtefactRefused, match=r"small_loans can't be kept in .*cache: "):
        reader(tmp_path).open("small_loans")


# Out of reach


def test_a_bucket_that_denies_access_is_our_fault_in_one_sentence(
    s3: Any, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(small)
    iam = boto3.client("iam")
    iam.create_user(UserName="function")
    keys = iam.create_access_key(UserName="function")["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys["SecretAccessKey"])
    store = Published(Bucket(URI), tmp_path / "cache")
    for ask, subject in ((store.open, r"small_loans/manifest\.json can't be read"), (store.require, "can't be listed")):
        with pytest.raises(ModelStoreUnavailable, match=f"^access is denied, so .*{subject}$"):
            set_initial_no_auth_action_count(0)(ask)("small_loans")
    _, uploads = read_version(small, small.parent.parent)
    with pytest.raises(ModelStoreUnavailable, match=r"^access is denied, so .*model\.joblib can't be written$"):
        set_initial_no_auth_action_count(0)(lambda: list(publish(uploads, store._bucket)))()


def test_a_bucket_that_does_not_exist_is_named_so(s3: Any, tmp_path: Path) -> None:
    with pytest.raises(
        ModelStoreUnavailable, match=r"^there is no such bucket, so small_loans/manifest\.json can't be read$"
    ):
        Published(Bucket("s3://nobodys/models"), tmp_path / "cache").open("small_loans")


@contextmanager
def tcp_server(answer: bytes) -> Iterator[str]:
    """The URL of a server that says the same to everybody and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


XML = b"<Error><Code>%s</Code><Message>account 4711, key AKIASECRET</Message><RequestId>R123</RequestId></Error>"


def http(status: bytes, body: bytes, length: int | None = None) -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (
        status,
        len(body) if length is None else length,
        body,
    )


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (http(b"200 OK", b"half of it", 5000), "the connection broke off"),
        (http(b"403 Forbidden", XML % b"AccessDenied"), "access is denied"),
        (http(b"403 Forbidden", XML % b"InvalidAccessKeyId"), "S3 answered InvalidAccessKeyId"),
        (http(b"400 Bad Request", XML % b"Odd &lt;key AKIASECRET&gt;"), "S3 answered with an error"),
        (b"", "S3 answered ConnectionClosedError"),
    ],
)
def test_nothing_of_what_s3_says_but_its_code_leaves_the_function(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: bytes, reason: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIASECRET")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with tcp_server(answer) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
        with pytest.raises(ModelStoreUnavailable) as caught:
            Published(Bucket(URI), tmp_path / "cache").open("small_loans")
    assert caught.value.message == f"{reason}, so small_loans/manifest.json can't be read"
    assert caught.value.__suppress_context__
    assert nothing_kept(tmp_path)


def test_a_network_that_leads_nowhere_is_our_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{port}")
    with pytest.raises(ModelStoreUnavailable, match=r"^S3 can't be reached, so .* can't be read$"):
        Published(Bucket(URI), tmp_path / "cache").open("small_loans")


def test_without_credentials_the_sentence_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(ModelStoreUnavailable, match=r"^there are no AWS credentials, so "):
        Published(Bucket(URI), tmp_path / "cache").open("small_loans")


def test_without_the_package_a_bucket_is_a_fault_of_the_deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)  # as Python marks what can't be imported
    with pytest.raises(NotConfigured, match="RISKSCORE_MODEL_URI needs the package boto3"):
        Bucket(URI)


def test_a_model_whose_name_could_not_be_asked_for_is_not_published(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="a name is letters, digits, - and _"):
        read_version(versioned(tmp_path / "project", "1", "small loans"), tmp_path / "project")


def test_no_request_waits_for_long(s3: Any) -> None:
    config = Bucket(URI)._client.meta.config
    assert (config.connect_timeout, config.read_timeout) == (3, 10)
    assert config.retries == {"total_max_attempts": 3, "mode": "standard"}


@pytest.mark.parametrize(
    "uri", ["s3://", "s3:///models", "s3://Lender/models", "s3://lender/a?b", "s3://l", "s3://key:secret@lender/models"]
)
def test_an_address_that_is_none_is_refused_without_being_repeated(uri: str, tmp_path: Path) -> None:
    with pytest.raises(NotConfigured) as caught:
        served({"RISKSCORE_MODEL_URI": uri}, tmp_path)
    assert caught.value.message == "RISKSCORE_MODEL_URI must be s3://bucket/prefix, of plain characters"


@pytest.mark.parametrize("endpoint", ["nonsense", "http://[::1"])
def test_an_endpoint_that_is_none_is_refused(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
    with pytest.raises(NotConfigured, match=r"boto3 can't be set up for S3 \(ValueError\)"):
        Bucket(URI)


@pytest.mark.parametrize("digest", ["soon", "0" * 63, "0" * 63 + "/", "../" + "0" * 61])
def test_a_pin_that_is_no_hash_never_becomes_a_key(store: Published, digest: str) -> None:
    with requests(store) as got, pytest.raises(NotConfigured, match="RISKSCORE_MANIFEST_SHA256 must be"):
        store.open("small_loans", digest)
    assert got == []


def test_a_prefix_may_be_missing_or_deep(s3: Any, small: Path, tmp_path: Path) -> None:
    _, uploads = read_version(small, small.parent.parent)
    for uri, first in (("s3://lender", "small_loans"), ("s3://lender/a/b//c/", "a/b/c/small_loans")):
        list(publish(uploads, Bucket(uri)))
        store = Published(Bucket(uri), tmp_path / "cache")
        store.require("small_loans")
        assert store.open("small_loans").version == "1"
        assert f"{first}/manifest.json" in keys(s3)


# A plain folder


def test_a_folder_of_models_takes_the_place_of_the_images(small: Path, tmp_path: Path) -> None:
    versioned(tmp_path / "project", "7", "others")
    environ = {"RISKSCORE_MODEL_URI": str(small.parent), "RISKSCORE_MODEL": "small_loans"}
    engine = engine_from(environ, str(tmp_path / "an image without models"))
    assert engine.answer(LOAN)["model_version"] == "1"
    assert engine.answer(LOAN | {"model": "others"})["model_version"] == "7"
    message = engine.answer(LOAN | {"model": "../model/others"})["error"]["message"]
    assert message == "unknown model; this function serves others, small_loans"


def test_a_folder_is_held_to_the_same_pin_and_key(small: Path) -> None:
    environ = {"RISKSCORE_MODEL_URI": str(small.parent), "RISKSCORE_MODEL": "small_loans"}
    with pytest.raises(ArtefactRefused, match="was configured"):
        engine_from(environ | {"RISKSCORE_MANIFEST_SHA256": "0" * 64}, str(ROOT))
    with pytest.raises(ArtefactRefused, match="is not signed"):
        engine_from(environ | {"RISKSCORE_PUBLIC_KEY": PUBLIC}, str(ROOT))
    signed(small)
    assert engine_from(environ | {"RISKSCORE_PUBLIC_KEY": PUBLIC}, str(ROOT)).answer(LOAN)["outcome"] == "scored"


@pytest.mark.parametrize("uri", ["/not/there", "https://lender.example/models", "S3://lender/models"])
def test_what_is_neither_bucket_nor_folder_is_refused(uri: str) -> None:
    with pytest.raises(NotConfigured, match="RISKSCORE_MODEL_URI must be s3://bucket/prefix or a folder that exists"):
        engine_from({"RISKSCORE_MODEL_URI": uri}, str(ROOT))


SWAPPED = """
import os, sys
from riskscore.artefact.remote import Folder
folder, successor = sys.argv[1:]
def swap(event, arguments):
    if event == "open" and str(arguments[0]).endswith("model.joblib") and os.path.exists(successor):
        os.rename(folder, folder + ".old")
        os.rename(successor, folder)
sys.addaudithook(swap)
print(Folder(os.path.dirname(folder)).open("small_loans").version)
"""


def test_a_folder_that_is_replaced_while_it_is_read_is_read_again(small: Path, tmp_path: Path) -> None:
    successor = write_small(tmp_path / "next" / "small_loans", version="2")
    manifest = json.loads((successor / MANIFEST).read_bytes())
    contents = {file: (successor / file).read_bytes() for file in manifest["files"]}
    save_artefact(str(successor), contents | {"model.joblib": b"another estimator"}, manifest)
    command = [sys.executable, "-c", SWAPPED, str(small), str(successor)]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout == "2\n"


# Under the emulator


HANDLER = f"""
import sys
from moto import mock_aws
mock_aws().start()  # this process' S3, filled as the script does it
import boto3
boto3.client("s3").create_bucket(Bucket="lender")
sys.path.insert(0, {str(ROOT)!r})
from riskscore.commands.publish_model import main
main(["credit_risk", "{URI}"], {{}})
from lambda_function import lambda_handler
"""


def test_the_function_under_the_emulator_serves_a_model_from_a_bucket(tmp_path: Path) -> None:
    (tmp_path / "with_bucket.py").write_text(HANDLER)
    environ = {
        **without_database(),
        "AWS_DEFAULT_REGION": "us-east-1",
        "TMPDIR": str(tmp_path),
        "RISKSCORE_MODEL_URI": URI,
        "RISKSCORE_MANIFEST_SHA256": sha256((FOLDER / MANIFEST).read_bytes()),
    }
    with running_emulator(tmp_path, "with_bucket.lambda_handler", environ=environ) as emulator:
        assert emulator.invoke(EVENT) == engine_from({}, str(ROOT)).answer(EVENT)
    assert (tmp_path / f"riskscore-{os.geteuid()}" / environ["RISKSCORE_MANIFEST_SHA256"] / "credit_risk").is_dir()
    with (
        running_emulator(
            tmp_path, "with_bucket.lambda_handler", environ=environ | {"RISKSCORE_MODEL": "unheard_of"}
        ) as emulator,
        pytest.raises(FunctionFailed, match="unheard_of is not published"),
    ):
        emulator.invoke(EVENT)
