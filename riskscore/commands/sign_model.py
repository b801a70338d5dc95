"""Signs a model's manifest with an Ed25519 key, or creates a key. The public key then identifies your models."""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from riskscore.artefact.artefact import SIGNATURE, list_models, next_serial, open_artefact, save_artefact
from riskscore.artefact.manifest import MANIFEST
from riskscore.artefact.signature import VARIABLE, new_key, public_text, read_key, sign
from riskscore.artefact.versions import PAPERS, versions_of, waiting, write_version
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
            renewed = renew(folder)
            print(f"{renewed / MANIFEST} has serial {open_artefact(str(renewed)).manifest['serial']}")
            if renewed != folder:
                print(waiting(renewed, options.models))
            folder = renewed
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


def renew(folder: Path) -> Path:
    """Give an older model a newer serial, so that it is served where a newer model was seen; returns its folder.

    What was promoted stays as it is: the renewed model is a version beside it.
    """
    manifest = json.loads((folder / MANIFEST).read_bytes())
    artefact = open_artefact(str(folder))
    known = max(version.serial for version in versions_of(folder))
    manifest["serial"] = next_serial(known, f"{datetime.now(UTC):%Y.%m.%d}")

    def fill(fresh: Path) -> None:
        save_artefact(str(fresh), artefact.contents, manifest)
        for paper in PAPERS:
            if (folder / paper).exists() and not (fresh / paper).exists():
                shutil.copyfile(folder / paper, fresh / paper)

    return write_version(folder, folder.resolve().parent.parent, fill, renewed=True)


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
