"""Models outside the image: fetched into the temporary folder, and checked there like any other before anything loads.

Under s3://bucket/prefix, as `riskscore publish` writes it:

    <model>/<SHA-256 of its manifest>/   one version: manifest.json, the files it names, manifest.sig, features.sql
    <model>/manifest.json                a copy of one version's manifest: the version that is served

A version's folder is whole before anything points to it and never changes afterwards, so whoever fetches one while
the next is published gets it whole. A plain folder instead of s3:// holds models as training writes them.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riskscore.artefact.artefact import (
    SIGNATURE,
    Artefact,
    find_model,
    list_models,
    open_artefact,
    open_manifest,
    unknown_model,
)
from riskscore.artefact.manifest import MANIFEST
from riskscore.artefact.s3 import SCHEME, VARIABLE, Bucket
from riskscore.atomic import replacing_folder
from riskscore.errors import ArtefactRefused, NotConfigured

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

QUERY = "features.sql"
RESERVED = (MANIFEST, SIGNATURE, QUERY)
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}")
SHA256 = re.compile(r"[0-9a-f]{64}")
LARGEST_MANIFEST = 8_000_000  # bytes; those of hundreds of features have some 500 kB
LARGEST_QUERY = 1_000_000
LARGEST_SIGNATURE = 1_000
LISTED_SECONDS = 60.0


class Published:
    """The models of a bucket. cache: a folder that keeps what was fetched, made where it is missing."""

    def __init__(
        self, bucket: Bucket, cache: Path, public_key: str | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._bucket = bucket
        self._cache = cache
        self._public_key = public_key
        self._clock = clock
        self._known: list[str] = []
        self._listed_at: float | None = None

    def require(self, name: str) -> None:
        """Raise UnknownModel for a name that no model has. It comes from outside, so the bucket never hears of it.

        Nor is the bucket listed for each of them, but once a minute at most.
        """
        if name not in self._known and name not in self.names():
            raise unknown_model(self._known)

    def names(self) -> list[str]:
        """The published models, as the bucket had them a minute ago at most."""
        if self._listed_at is None or self._clock() - self._listed_at >= LISTED_SECONDS:
            self._known = sorted(filter(NAME.fullmatch, self._bucket.folders()))
            self._listed_at = self._clock()
        return self._known

    def open(self, name: str, manifest_sha256: str | None = None) -> Artefact:
        """The model of this name, fetched and checked: the version of this manifest, or else the one that is served."""
        if not NAME.fullmatch(name):
            raise NotConfigured("RISKSCORE_MODEL must be letters, digits, - and _", "RISKSCORE_MODEL")
        if manifest_sha256:
            return self._version(name, manifest_sha256.lower())
        document = self._served(name)
        try:
            return self._opened(name, document)
        except ArtefactRefused:
            newer = self._served(name)
            if newer == document:
                raise
            return self._opened(name, newer)  # another version was published meanwhile, and this one removed

    def _served(self, name: str) -> bytes:
        document = self._bucket.read(f"{name}/{MANIFEST}", LARGEST_MANIFEST)
        if document is None:
            raise ArtefactRefused(f"{name} is not published: there is no {name}/{MANIFEST} under {VARIABLE}")
        return document

    def _version(self, name: str, digest: str) -> Artefact:
        if not SHA256.fullmatch(digest):
            variable = "RISKSCORE_MANIFEST_SHA256"
            raise NotConfigured(f"{variable} must be the 64 hexadecimal digits of a SHA-256", variable)
        cached = self._cached(name, digest)
        if cached:
            return cached
        document = self._bucket.read(f"{name}/{digest}/{MANIFEST}", LARGEST_MANIFEST)
        if document is None:
            raise ArtefactRefused(f"{name} is not published with the configured manifest: {VARIABLE} has no {digest}")
        return self._fetched(name, digest, document)

    def _opened(self, name: str, document: bytes) -> Artefact:
        digest = hashlib.sha256(document).hexdigest()
        return self._cached(name, digest) or self._fetched(name, digest, document)

    def _cached(self, name: str, digest: str) -> Artefact | None:
        """The version as an earlier fetch left it, once all of it is checked anew."""
        folder = private_folder(self._cache) / digest / name
        if not folder.is_dir():
            return None
        try:
            return self._checked(folder, digest)
        except ArtefactRefused:  # a cleaner of temporary files went over it, or another key signs now
            return None

    def _fetched(self, name: str, digest: str, document: bytes) -> Artefact:
        place = private_folder(self._cache) / digest
        try:
            with replacing_folder(place) as fresh:
                self._fill(fresh / name, digest, document)
                self._checked(fresh / name, digest)
        except OSError as error:
            cached = self._cached(name, digest)  # another process may have been faster
            if cached:
                return cached
            reason = error.strerror or "unknown reason"
            raise ArtefactRefused(f"{name} can't be kept in {self._cache}: {reason}") from None
        return self._checked(place / name, digest)

    def _fill(self, folder: Path, digest: str, document: bytes) -> None:
        """Fetch a version into a folder that nobody sees yet: its manifest, then, if that holds, what it names."""
        shutil.rmtree(folder, ignore_errors=True)  # what a refused one left
        folder.mkdir()
        (folder / MANIFEST).write_bytes(document)
        if self._public_key:
            signature = self._bucket.read(f"{folder.name}/{digest}/{SIGNATURE}", LARGEST_SIGNATURE)
            if signature is not None:
                (folder / SIGNATURE).write_bytes(signature)
        manifest, _ = open_manifest(str(folder), digest, self._public_key)
        for file, size in sizes_of(manifest):
            (folder / file).write_bytes(self._required(f"{folder.name}/{digest}/{file}", size, exact=True))
        if manifest["source"].get("sql"):
            (folder / QUERY).write_bytes(self._required(f"{folder.name}/{digest}/{QUERY}", LARGEST_QUERY))

    def _required(self, key: str, limit: int, exact: bool = False) -> bytes:
        data = self._bucket.read(key, limit, exact)
        if data is None:
            raise ArtefactRefused(f"{key} is missing under {VARIABLE}: publish the model again")
        return data

    def _checked(self, folder: Path, digest: str) -> Artefact:
        artefact = open_artefact(str(folder), digest, self._public_key)
        read_query(folder / QUERY, artefact)
        return artefact


class Folder:
    """The models of a plain folder, such as a mounted file system; read where they are."""

    def __init__(self, root: str, public_key: str | None = None) -> None:
        if not os.path.isdir(root):
            raise NotConfigured(f"{VARIABLE} must be s3://bucket/prefix or a folder that exists", VARIABLE)
        self._root = root
        self._public_key = public_key

    def require(self, name: str) -> None:
        """Raise UnknownModel for a name that no model has."""
        find_model(self._root, name)

    def names(self) -> list[str]:
        """The models of the folder."""
        return list_models(self._root)

    def open(self, name: str, manifest_sha256: str | None = None) -> Artefact:
        """The model of this name, checked."""
        folder = find_model(self._root, name)
        try:
            return open_artefact(folder, manifest_sha256, self._public_key)
        except ArtefactRefused:  # training may have put another in its place between two files
            return open_artefact(folder, manifest_sha256, self._public_key)


def models_at(uri: str, environ: Mapping[str, str], public_key: str | None) -> Published | Folder:
    """The models of RISKSCORE_MODEL_URI."""
    if not uri.startswith(SCHEME):
        return Folder(uri, public_key)
    return Published(Bucket(uri), cache_of(environ), public_key)


def cache_of(environ: Mapping[str, str]) -> Path:
    """Where this user keeps what it fetched, and what it saw."""
    return Path(environ.get("TMPDIR") or tempfile.gettempdir()) / f"riskscore-{os.geteuid()}"


def read_query(path: Path, artefact: Artefact) -> bytes:
    """The model's SQL, once it is the one the model was trained with; nothing for a model that has none."""
    query, expected = artefact.manifest["source"].get("sql"), artefact.manifest["source"].get("sha256")
    if not query:
        return b""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ArtefactRefused(f"{artefact.name}: {query} can't be read: {error.strerror or 'unknown reason'}") from None
    digest = hashlib.sha256(data).hexdigest()
    if digest != expected:
        raise ArtefactRefused(f"{artefact.name}: {query} has SHA-256 {digest}, but its manifest says {expected}")
    return data


def sizes_of(manifest: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Each file of a manifest and its bytes; parse_manifest has seen to it that the names are plain."""
    name, sizes = manifest["model"], []
    for file, entry in manifest["files"].items():
        size = entry.get("bytes")
        if file in RESERVED:
            raise ArtefactRefused(f"{name}/{MANIFEST} names {file} among its files, which isn't a file of a model")
        if type(size) is not int or size < 0:
            raise ArtefactRefused(f"{name}/{MANIFEST} doesn't say how many bytes {file} has")
        sizes.append((file, size))
    return sizes


def private_folder(cache: Path) -> Path:
    """The cache, which nobody else may write to: who makes it first in a shared temporary folder owns it."""
    try:
        cache.mkdir(mode=0o700, exist_ok=True)
        found = cache.lstat()
    except OSError as error:
        raise NotConfigured(f"{cache} can't be made: {error.strerror or 'unknown reason'}", "TMPDIR") from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise NotConfigured(f"{cache} belongs to others or is open to them; remove it or set TMPDIR", "TMPDIR")
    return cache
