"""Signatures: who vouches for a model, what is refused without, and which keys are no keys."""

from __future__ import annotations

import base64
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from riskscore.artefact.artefact import open_artefact
from riskscore.artefact.signature import WEAK, check_signature, new_key, public_text, raw_public_key, read_key, sign
from riskscore.commands.sign_model import main
from riskscore.errors import ArtefactRefused, InvalidFile, NotConfigured
from riskscore.serving.deployment import engine_from
from tests.scoring_examples import ROOT, write_small

if TYPE_CHECKING:
    from pathlib import Path

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = public_text(KEY)
PEM = KEY.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo).decode()
MANIFEST = b'{"model": "small_loans"}'


def check(document: bytes = MANIFEST, signature: bytes = sign(KEY, MANIFEST).encode(), key: str = PUBLIC) -> None:
    check_signature(key, document, signature, "small_loans")


@pytest.fixture
def signed(tmp_path: Path) -> Path:
    """The folder of a small model, signed by KEY."""
    folder = write_small(tmp_path / "model" / "small_loans")
    (folder / "manifest.sig").write_text(sign(KEY, (folder / "manifest.json").read_bytes()))
    return folder


# Keys and signatures


def test_the_signature_of_the_key_is_accepted() -> None:
    check()


def test_the_format_is_one_line_of_base64_of_the_64_bytes_of_rfc_8032() -> None:
    line = sign(KEY, MANIFEST)
    assert base64.b64decode(line) == KEY.sign(MANIFEST)
    assert line.endswith("=\n")
    assert base64.b64decode(PUBLIC) == KEY.public_key().public_bytes_raw()


@pytest.mark.parametrize(
    "text",
    [
        PUBLIC,
        f"  {PUBLIC}\n",
        PEM,
        PEM.replace("\n", " "),  # as a form that knows one line makes it
        PEM.replace("\n", "\r\n"),
    ],
)
def test_a_public_key_is_base64_or_pem_whatever_became_of_its_line_breaks(text: str) -> None:
    assert raw_public_key(text) == KEY.public_key().public_bytes_raw()


@pytest.mark.parametrize(
    "text",
    [
        " ",
        "key",
        "é",
        PUBLIC[:-4],
        PUBLIC + PUBLIC,
        PUBLIC.replace("=", ""),
        base64.b64encode(b"\x00" * 44).decode(),
        ec.generate_private_key(ec.SECP256R1())
        .public_key()
        .public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
        .decode(),
        KEY.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()).decode(),
    ],
)
def test_a_key_that_is_none_is_not_configured_rather_than_not_checked(text: str) -> None:
    with pytest.raises(NotConfigured) as caught:
        check(key=text)
    expected = "RISKSCORE_PUBLIC_KEY must be an Ed25519 public key, its 32 bytes in base64 or PEM"
    assert caught.value.message == expected  # and nothing of the text, which may be a private key by mistake


@pytest.mark.parametrize("key", sorted(WEAK))
@pytest.mark.parametrize("sign_bit", [0, 0x80])
def test_a_key_under_which_anybody_can_sign_is_refused(key: bytes, sign_bit: int) -> None:
    text = base64.b64encode(bytes([*key[:31], key[31] | sign_bit])).decode()
    with pytest.raises(NotConfigured, match="anybody can sign"):
        check(key=text)


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        b"\n",
        b"signed",
        "ä".encode(),
        base64.b64encode(bytes(64)),
        base64.b64encode(KEY.sign(MANIFEST))[:-4],
        base64.b64encode(KEY.sign(MANIFEST) + b"\x00"),
        KEY.sign(MANIFEST),
        KEY.sign(MANIFEST).hex().encode(),
        sign(KEY, MANIFEST + b"\n").encode(),
        sign(Ed25519PrivateKey.generate(), MANIFEST).encode(),
    ],
    ids=[
        "empty",
        "blank",
        "word",
        "not ASCII",
        "zeros",
        "shortened",
        "longer",
        "bytes",
        "hex",
        "other text",
        "other key",
    ],
)
def test_what_is_no_signature_of_this_manifest_is_refused(signature: bytes) -> None:
    with pytest.raises(
        ArtefactRefused, match=r"small_loans/manifest\.sig isn't a signature of small_loans/manifest\.json"
    ):
        check(signature=signature)


@given(st.integers(0, len(MANIFEST) * 8 - 1))
def test_no_bit_of_a_signed_manifest_can_be_changed(bit: int) -> None:
    changed = bytearray(MANIFEST)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ArtefactRefused):
        check(document=bytes(changed))


def test_without_the_package_a_key_is_a_fault_of_the_deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)  # as Python marks what can't be imported
    with pytest.raises(NotConfigured, match="needs the package cryptography"):
        check()


# Models


def test_a_signed_model_opens_and_without_a_key_nobody_asks(signed: Path) -> None:
    assert open_artefact(str(signed), public_key=PUBLIC).name == "small_loans"
    (signed / "manifest.sig").unlink()
    assert open_artefact(str(signed)).name == "small_loans"


def test_an_unsigned_model_is_refused_where_a_key_is_configured(signed: Path) -> None:
    (signed / "manifest.sig").unlink()
    with pytest.raises(ArtefactRefused, match=r"small_loans is not signed: it has no manifest\.sig"):
        open_artefact(str(signed), public_key=PUBLIC)


def test_nothing_else_is_read_before_the_signature_holds(signed: Path) -> None:
    (signed / "manifest.json").write_text("{ this isn't even JSON")
    (signed / "model.json").unlink()
    with pytest.raises(ArtefactRefused, match="a signature of"):
        open_artefact(str(signed), public_key=PUBLIC)


def test_the_signature_of_one_model_is_none_of_another(signed: Path) -> None:
    other = write_small(signed.parent / "other")
    (other / "manifest.sig").write_bytes((signed / "manifest.sig").read_bytes())
    with pytest.raises(ArtefactRefused, match=r"other/manifest\.sig isn't a signature"):
        open_artefact(str(other), public_key=PUBLIC)


def test_a_signed_model_under_another_name_is_refused(signed: Path) -> None:
    moved = signed.rename(signed.parent / "other")
    with pytest.raises(ArtefactRefused, match="belongs to model 'small_loans'"):
        open_artefact(str(moved), public_key=PUBLIC)


def test_a_new_training_leaves_no_signature_of_the_old_one(signed: Path) -> None:
    write_small(signed, version="2")
    assert not (signed / "manifest.sig").exists()


def test_a_function_with_a_key_starts_with_a_signed_model_alone(signed: Path) -> None:
    environ = {"RISKSCORE_MODEL": "small_loans", "RISKSCORE_PUBLIC_KEY": PUBLIC}
    event = {"loan_id": "L1", "amount": 1000.0, "term": 12, "secured": True}
    assert engine_from(environ, str(signed.parent.parent)).answer(event)["outcome"] == "scored"
    (signed / "manifest.sig").write_text(sign(Ed25519PrivateKey.generate(), (signed / "manifest.json").read_bytes()))
    with pytest.raises(ArtefactRefused, match="a signature of"):
        engine_from(environ, str(signed.parent.parent))
    with pytest.raises(NotConfigured, match="RISKSCORE_PUBLIC_KEY"):
        engine_from(environ | {"RISKSCORE_PUBLIC_KEY": "soon"}, str(signed.parent.parent))


def test_every_model_must_be_signed_not_the_default_one_alone(signed: Path) -> None:
    write_small(signed.parent / "other")
    environ = {"RISKSCORE_MODEL": "small_loans", "RISKSCORE_PUBLIC_KEY": PUBLIC}
    with pytest.raises(ArtefactRefused, match="other is not signed"):
        engine_from(environ, str(signed.parent.parent)).answer({"model": "other", "loan_id": "L1"})


def test_without_a_key_no_start_pays_for_signatures_or_buckets() -> None:
    code = "import sys, lambda_function; print([name for name in sys.modules if name.split('.')[0] in sys.argv[1:]])"
    outside = ["cryptography", "boto3", "botocore", "tempfile", "pathlib", "ctypes"]
    command = [sys.executable, "-c", code, *outside]
    done = subprocess.run(command, cwd=ROOT, env={}, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# The script


def test_a_new_key_signs_and_its_public_half_checks(signed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = signed.parent.parent / "keys"
    assert main(["small_loans", "--new-key", str(keys), "--models", str(signed.parent)], {}) == 0
    public = capsys.readouterr().out.splitlines()[-1].removeprefix("RISKSCORE_PUBLIC_KEY=")
    assert open_artefact(str(signed), public_key=public)
    with pytest.raises(ArtefactRefused):
        open_artefact(str(signed), public_key=PUBLIC)


def test_a_private_key_is_its_owners_alone_and_never_overwritten(tmp_path: Path) -> None:
    path = new_key(tmp_path / "keys")
    before = path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with pytest.raises(InvalidFile, match="never overwritten"):
        main(["--new-key", str(path.parent)], {})
    assert path.read_bytes() == before


def test_a_broken_model_is_not_signed(signed: Path) -> None:
    (signed / "manifest.sig").unlink()
    (signed / "model.json").write_bytes(b"{}")
    key = new_key(signed.parent.parent / "keys")
    with pytest.raises(ArtefactRefused, match=r"model\.json has SHA-256"):
        main(["small_loans", "--key", str(key), "--models", str(signed.parent)], {})
    assert not (signed / "manifest.sig").exists()


def test_signing_leaves_the_model_as_it_was(signed: Path) -> None:
    before = {path.name: path.read_bytes() for path in signed.iterdir() if path.name != "manifest.sig"}
    key = new_key(signed.parent.parent / "keys")
    main(["small_loans", "--key", str(key), "--models", str(signed.parent)], {})
    assert {path.name: path.read_bytes() for path in signed.iterdir() if path.name != "manifest.sig"} == before


@pytest.mark.parametrize(
    ("pem", "message"),
    [
        (b"", "isn't a private key in PEM"),
        (PEM.encode(), "isn't a private key in PEM"),
        (
            KEY.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.BestAvailableEncryption(b"secret")),
            "is encrypted",
        ),
        (
            ec.generate_private_key(ec.SECP256R1()).private_bytes(
                form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()
            ),
            "holds a key of another kind",
        ),
    ],
)
def test_a_file_that_holds_no_signing_key_is_named(tmp_path: Path, pem: bytes, message: str) -> None:
    (tmp_path / "key.pem").write_bytes(pem)
    with pytest.raises(InvalidFile, match=message):
        read_key(tmp_path / "key.pem")


def test_a_key_without_a_model_to_sign_is_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--key", str(tmp_path / "key.pem")], {})
    assert "NAME" in capsys.readouterr().err
