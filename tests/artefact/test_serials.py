"""An older model, however validly signed, is refused where a newer one was seen."""

from __future__ import annotations

import json

import pytest

from riskscore.artefact.artefact import next_serial
from riskscore.artefact.serials import Serials
from riskscore.artefact.signature import new_key, public_text, read_key, sign
from riskscore.commands.sign_model import main
from riskscore.errors import ArtefactRefused
from riskscore.serving.deployment import engine_from
from tests.scoring_examples import write_small


@pytest.fixture
def key(tmp_path):
    return read_key(new_key(tmp_path / "keys"))


def signed(root, key, **changes):
    folder = write_small(root / "model" / "small_loans", **changes)
    (folder / "manifest.sig").write_text(sign(key, (folder / "manifest.json").read_bytes()))
    return folder


def serial_of(folder):
    return json.loads((folder / "manifest.json").read_text())["serial"]


def start(root, key, **environ):
    given = {"RISKSCORE_MODEL": "small_loans", "RISKSCORE_PUBLIC_KEY": public_text(key), "TMPDIR": str(root), **environ}
    return engine_from(given, str(root))


def test_a_serial_rises_from_training_to_training_and_stays_for_the_same_model(tmp_path):
    first = serial_of(write_small(tmp_path / "m", version="2026.11.28+aaaaaa"))
    assert first == 20261128000
    assert serial_of(write_small(tmp_path / "m", version="2026.11.28+aaaaaa")) == first
    assert serial_of(write_small(tmp_path / "m", version="2026.11.28+bbbbbb")) == first + 1
    assert serial_of(write_small(tmp_path / "m", version="2026.12.01+cccccc")) == 20261201000


@pytest.mark.parametrize(
    ("known", "version", "serial"),
    [
        (0, "2026.11.28+a1b2c3", 20261128000),
        (20261128000, "2026.11.28+a1b2c3", 20261128001),
        (20270101000, "2026.11.28+a1b2c3", 20270101001),
        (0, "1", 1),
        (7, "1", 8),
    ],
)
def test_the_next_serial_is_the_day_or_one_more(known, version, serial):
    assert next_serial(known, version) == serial


def test_an_older_signed_model_is_refused_where_a_newer_one_was_served(tmp_path, key):
    signed(tmp_path, key, serial=2)
    start(tmp_path, key)
    signed(tmp_path, key, serial=1)
    with pytest.raises(ArtefactRefused, match="small_loans has serial 1, but 2 was seen here: it is an older model"):
        start(tmp_path, key)
    signed(tmp_path, key, serial=2)
    start(tmp_path, key)


def test_who_pins_a_version_means_that_one(tmp_path, key):
    signed(tmp_path, key, serial=2)
    start(tmp_path, key)
    folder = signed(tmp_path, key, serial=1)
    import hashlib

    digest = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    start(tmp_path, key, RISKSCORE_MANIFEST_SHA256=digest)


def test_another_key_or_another_place_of_models_has_serials_of_its_own(tmp_path, key):
    signed(tmp_path, key, serial=2)
    start(tmp_path, key)
    other = read_key(new_key(tmp_path / "other"))
    signed(tmp_path, other, serial=1)
    start(tmp_path, other)
    signed(tmp_path / "staging", key, serial=1)
    start(tmp_path / "staging", key)


def test_a_renewed_serial_brings_an_older_model_back(tmp_path, key, capsys):
    signed(tmp_path, key, serial=20991231000)
    start(tmp_path, key)
    folder = signed(tmp_path, key, serial=20991231000 - 1)
    arguments = ["small_loans", "--key", str(tmp_path / "keys" / "signing_key.pem"), "--renew"]
    assert main([*arguments, "--models", str(tmp_path / "model")], {}) == 0
    assert serial_of(folder) == 20991231000
    assert "manifest.json has serial 20991231000" in capsys.readouterr().out
    start(tmp_path, key)


def test_a_model_without_a_key_is_not_looked_at(tmp_path):
    write_small(tmp_path / "model" / "small_loans", serial=2)
    given = {"RISKSCORE_MODEL": "small_loans", "TMPDIR": str(tmp_path)}
    engine_from(given, str(tmp_path))
    write_small(tmp_path / "model" / "small_loans", serial=1)
    engine_from(given, str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("text", ["", "[]", '{"a": "1"}', '{"a": 1.5}'])
def test_a_broken_file_of_serials_opens_no_door(tmp_path, text):
    (tmp_path / "serials.json").write_text(text)
    with pytest.raises(ArtefactRefused, match="must be an object of models and serials"):
        Serials(tmp_path / "serials.json").admit("any", 1)


def test_where_nothing_can_be_kept_it_is_said(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    Serials(tmp_path / "file" / "serials.json").admit("any", 1)
    assert "serials can't be kept, so an older any would pass" in capsys.readouterr().err


def test_a_serial_is_a_whole_number(tmp_path, key):
    signed(tmp_path, key, serial=1.5)
    with pytest.raises(ArtefactRefused, match="serial must be a whole number, 0 or more, not a number"):
        start(tmp_path, key)
