"""Publishes a model to a bucket, where functions fetch it from (riskscore/artefact/remote.py has the layout)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from riskscore.artefact.artefact import SIGNATURE, open_artefact
from riskscore.artefact.manifest import MANIFEST, parse_manifest
from riskscore.artefact.remote import LARGEST_MANIFEST, NAME, QUERY, read_query, sizes_of
from riskscore.errors import InvalidFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from riskscore.artefact.artefact import Artefact
    from riskscore.artefact.s3 import Bucket


def read_version(folder: Path, root: Path, public_key: str | None = None) -> tuple[str, list[tuple[str, bytes]]]:
    """A checked model's manifest hash, and what to store under which keys, in this order.

    What points to the version comes last: whatever interrupts the upload, the one that was served stays served.
    Every byte was checked, and none is read again. root: where the path of the model's SQL starts.
    """
    document = (folder / MANIFEST).read_bytes()
    artefact = open_artefact(str(folder), hashlib.sha256(document).hexdigest(), public_key)
    sizes_of(artefact.manifest)  # what could never be fetched isn't uploaded
    if not NAME.fullmatch(artefact.name):
        raise InvalidFile(f"{artefact.name!r} can't be published: a name is letters, digits, - and _")
    version = f"{artefact.name}/{artefact.manifest_sha256}"
    uploads = [
        (f"{version}/{file}", data) for file, data in (artefact.contents | _beside(folder, root, artefact)).items()
    ]
    pointer = (f"{artefact.name}/{MANIFEST}", document)
    return artefact.manifest_sha256, [*uploads, (f"{version}/{MANIFEST}", document), pointer]


def _beside(folder: Path, root: Path, artefact: Artefact) -> dict[str, bytes]:
    """What belongs to a version and isn't among the files of its manifest: its SQL and its signature."""
    found = {}
    if artefact.manifest["source"].get("sql"):
        beside = folder / QUERY  # a version that was promoted brings its own
        found[QUERY] = read_query(beside if beside.exists() else root / artefact.manifest["source"]["sql"], artefact)
    if (folder / SIGNATURE).exists():
        found[SIGNATURE] = (folder / SIGNATURE).read_bytes()
    return found


def check_serial(folder: Path, bucket: Bucket) -> None:
    """Refuse to publish a model older than the one in the bucket: functions that saw that one would refuse it."""
    served = bucket.read(f"{folder.name}/{MANIFEST}", LARGEST_MANIFEST)
    known = parse_manifest(folder.name, served).get("serial", 0) if served else 0
    serial = parse_manifest(folder.name, (folder / MANIFEST).read_bytes()).get("serial", 0)
    if serial < known:
        raise InvalidFile(
            f"{folder.name} has serial {serial}, the bucket serves {known}: to publish this older model all the same,"
            " give it a newer serial (riskscore sign --renew)"
        )


def publish(uploads: Iterable[tuple[str, bytes]], bucket: Bucket) -> Iterator[tuple[str, int, bool]]:
    """Store them one after the other; yields each key, its bytes, and whether they weren't there yet."""
    for key, data in uploads:
        yield key, len(data), bucket.write(key, data)
