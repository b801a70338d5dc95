"""Refuses an older model where a newer one was seen, however validly it is signed.

A signature says who made a model, not that it is the one to serve: whoever can write to the place of the models could
put back an old version, signed as it is, that was withdrawn. Every manifest carries a serial that rises from training
to training of a model, and the highest one that was seen of each is kept in a file.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from riskscore.artefact.remote import cache_of, private_folder
from riskscore.atomic import replacing_file
from riskscore.errors import ArtefactRefused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

VARIABLE = "RISKSCORE_SERIALS"


def serials_of(environ: Mapping[str, str], place: str, public_key: str) -> Serials:
    """Where RISKSCORE_SERIALS says, else in this user's temporary folder, one file for each place and key."""
    if environ.get(VARIABLE):
        return Serials(Path(environ[VARIABLE]))
    which = hashlib.sha256(f"{place}\n{public_key}".encode()).hexdigest()[:16]
    return Serials(private_folder(cache_of(environ)) / f"serials-{which}.json")


class Serials:
    """The highest serial of each model, in a file that several processes may share."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def admit(self, name: str, serial: int) -> None:
        """Keep the serial of a checked model; ArtefactRefused where a higher one was seen, or the file is broken."""
        try:
            with self._locked():
                seen = self._read()
                if serial < seen.get(name, 0):
                    raise ArtefactRefused(
                        f"{name} has serial {serial}, but {seen[name]} was seen here: it is an older model. To serve it"
                        " all the same, give it a newer serial (riskscore sign --renew) or pin it"
                        " (RISKSCORE_MANIFEST_SHA256)"
                    )
                if serial > seen.get(name, 0):
                    with replacing_file(self._path) as file:
                        json.dump(seen | {name: serial}, file)
        except OSError as error:  # models are served from a machine without a disk to write to as well
            reason = error.strerror or "unknown reason"
            print(f"{VARIABLE}: serials can't be kept, so an older {name} would pass: {reason}", file=sys.stderr)

    def _read(self) -> dict[str, int]:
        if not self._path.exists():
            return {}
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
        except ValueError:
            found = None
        if not isinstance(found, dict) or not all(type(serial) is int for serial in found.values()):
            raise ArtefactRefused(f"{self._path} must be an object of models and serials; put it right or remove it")
        return found

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self._path.with_name(f"{self._path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)
