"""Signs a model's manifest with an Ed25519 key, or creates a key. The public key then identifies your models."""

from __future__ import annotations

import argparse
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from riskscore.artefact.artefact import SIGNATURE, list_models, next_serial, open_artefact, save_artefact
from riskscore.artefact.manifest import MANIFEST
from riskscore.artefact.signature import VARIABLE, new_key, public_text, read_key, sign
from riskscore.atomic import replacing_file
from riskscore.cli import DONE, ROOT, model_argument, parsed, require_model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def main(arguments: Sequence[str], _environ: Mapping[str, str]) -> int:
    """Make a key, sign a model, or both; 0 where all of it was done."""
    options = _options(arguments)
    path = options.key or new_key(options.new_key)
    key = read_key(path)
    if options.new_key:
        print(f"{path} is the private key: keep it out of the repository, the image and the bucket")
    if options.model:
        require_model(options.model, list_models(str(options.models)), options.models)
        folder = options.models / options.model
        if options.renew:
            print(f"{folder / MANIFEST} has serial {renew(folder)}")
        signed = sign_folder(folder, key)
        print(f"{folder / SIGNATURE} signs version {signed}")
    print(f"{VARIABLE}={public_text(key)}")
    return DONE


def sign_folder(folder: Path, key: object) -> str:
    """Write manifest.sig beside the manifest of a whole model, and return the version that it signs."""
    document = (folder / MANIFEST).read_bytes()
    artefact = open_artefact(str(folder), hashlib.sha256(document).hexdigest())
    with replacing_file(folder / SIGNATURE) as file:
        file.write(sign(key, document))
    return artefact.version


def renew(folder: Path) -> int:
    """Give an older model a newer serial, so that it is served where a newer model was seen; returns the serial."""
    manifest = json.loads((folder / MANIFEST).read_bytes())
    artefact = open_artefact(str(folder))
    manifest["serial"] = next_serial(manifest.get("serial", 0), f"{datetime.now(UTC):%Y.%m.%d}")
    save_artefact(str(folder), artefact.contents, manifest)
    return int(manifest["serial"])


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    model_argument(parser, nargs="?", metavar="NAME", help="the model to sign, e.g. credit_risk")
    key = parser.add_mutually_exclusive_group(required=True)
    key.add_argument("--key", type=Path, metavar="FILE", help="the private key to sign with (PEM, unencrypted)")
    key.add_argument("--new-key", type=Path, metavar="DIR", help="create a key in DIR and sign with it")
    parser.add_argument(
        "--renew", action="store_true", help="first give the model a newer serial, to return to an older model"
    )
    parser.add_argument("--models", type=Path, metavar="DIR", default=ROOT / "model", help="folder of models")
    options = parsed(parser, arguments)
    if (options.key or options.renew) and not options.model:
        parser.error(f"{'--key' if options.key else '--renew'} needs the NAME of the model to sign")
    return options
