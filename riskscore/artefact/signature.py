"""Ed25519 signatures of a model's manifest (RFC 8032): whoever holds the private key vouches for the model.

manifest.sig holds the base64 of the 64-byte signature of manifest.json's bytes. The manifest names every file
by its hash, so that one signature covers the whole model, and its serial, by which an older signed version of the same
model is refused where a newer one was seen (serials.py).
"""

from __future__ import annotations

import binascii
import re

from riskscore.errors import ArtefactRefused, InvalidFile, NotConfigured

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

VARIABLE = "RISKSCORE_PUBLIC_KEY"
KEY_FILE = "signing_key.pem"
ARMOUR = re.compile(r"-----(BEGIN|END) PUBLIC KEY-----")
SPKI = bytes.fromhex("302a300506032b6570032100")  # what precedes the 32 bytes of an Ed25519 key in PEM (RFC 8410)
# Points of small order, sign bit cleared: under such a key, 32 zeros among them, anybody can sign
# (the list of libsodium's ge25519_has_small_order).
WEAK = frozenset(
    bytes.fromhex(key)
    for key in (
        "00" * 32,
        "01" + "00" * 31,
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ec" + "ff" * 30 + "7f",
        "ed" + "ff" * 30 + "7f",
        "ee" + "ff" * 30 + "7f",
    )
)


def check_signature(public_key: str, document: bytes, signature: bytes, name: str) -> None:
    """Refuse a manifest (`document`, of model `name`) that the key didn't sign. signature: manifest.sig's bytes."""
    raw = raw_public_key(public_key)
    if not is_signed(raw, document, signature):
        raise ArtefactRefused(f"{name}/manifest.sig isn't a signature of {name}/manifest.json by the key in {VARIABLE}")


def is_signed(raw: bytes, document: bytes, signature: bytes) -> bool:
    """Whether `signature`, the base64 of 64 bytes, is the document's by the key of these 32 bytes."""
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        raise NotConfigured(f"{VARIABLE} needs the package cryptography, which isn't installed", VARIABLE) from None
    try:
        Ed25519PublicKey.from_public_bytes(raw).verify(_base64(signature.strip()), document)
    except (InvalidSignature, ValueError):
        return False
    return True


def raw_public_key(text: str, variable: str = VARIABLE) -> bytes:
    """The 32 bytes of a public key, given as their base64 or as PEM, whatever became of its line breaks."""
    try:
        data = _base64("".join(ARMOUR.sub("", text).split()))
    except ValueError:
        data = b""
    raw = data.removeprefix(SPKI) if len(data) == len(SPKI) + 32 else data
    if len(raw) != 32:
        raise NotConfigured(f"{variable} must be an Ed25519 public key, its 32 bytes in base64 or PEM", variable)
    if bytes([*raw[:31], raw[31] & 0x7F]) in WEAK:
        raise NotConfigured(f"{variable} is a key under which anybody can sign; make one with riskscore sign", variable)
    return raw


def _base64(text: str | bytes) -> bytes:
    return binascii.a2b_base64(text, strict_mode=True)


def new_key(folder: Path) -> Path:
    """A new private key in folder/signing_key.pem, for its owner alone; an existing one is never overwritten."""
    import os

    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / KEY_FILE
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise InvalidFile(f"{path} exists, and a signing key is never overwritten") from None
    with open(handle, "wb") as file:
        file.write(pem)
    return path


def read_key(path: Path) -> Any:
    """The private key in a PEM file."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except TypeError:
        raise InvalidFile(f"{path} is encrypted; decrypt it first, e.g. with openssl pkey") from None
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidFile(f"{path} isn't a private key in PEM") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise InvalidFile(f"{path} holds a key of another kind; signatures here are Ed25519")
    return key


def public_text(key: Any) -> str:
    """A private key's public half as RISKSCORE_PUBLIC_KEY takes it: one line of base64."""
    return binascii.b2a_base64(key.public_key().public_bytes_raw(), newline=False).decode()


def sign(key: Any, document: bytes) -> str:
    """What manifest.sig holds for this manifest."""
    return binascii.b2a_base64(key.sign(document)).decode()
