"""Where the answers to messages are kept: one JSON file for each, under the message's id, in S3 or in a folder.

A message that comes twice finds its file there; the first answer stays. Other content under the same id is a Conflict.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from contextlib import suppress

from riskscore.errors import ArtefactRefused, Conflict, ModelStoreUnavailable, NotConfigured, OutputUnavailable
from riskscore.scoring.records import request_of
from riskscore.serving.http_routes import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from riskscore.artefact.s3 import Bucket

VARIABLE = "RISKSCORE_OUTPUT"
NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")  # an id that can be a file's name
ANSWER_BYTES = 100 * 1024 * 1024


class Output:
    """Keeps answers at a place: `add` stores a file unless it is there, `read` gives its bytes."""

    def __init__(self, place: Bucket | Folder) -> None:
        self._place = place

    def keep(self, name: str, event: Any, answer: Any) -> None:
        """Keep the answer to a message. Raises OutputUnavailable; Conflict where its id stands for another message."""
        content = request_of(event, name).content_sha256
        key = (
            f"{name if NAME.fullmatch(name) else hashlib.sha256(name.encode(errors='surrogatepass')).hexdigest()}.json"
        )
        try:
            new = self._place.add(key, encode({"message_id": name, "content_sha256": content, "answer": answer}))
            known = content if new else json.loads(self._place.read(key, ANSWER_BYTES) or b"{}").get("content_sha256")
        except (ModelStoreUnavailable, ArtefactRefused) as error:
            raise OutputUnavailable(f"{VARIABLE}: {error.message}") from None
        except (OSError, ValueError, AttributeError) as error:
            raise OutputUnavailable(f"{VARIABLE}: the answer can't be kept ({type(error).__name__})") from None
        if known != content:
            raise Conflict("this message id was used for other content")


class Folder:
    """A folder of files."""

    def __init__(self, path: str) -> None:
        self._path = path

    def add(self, key: str, data: bytes) -> bool:
        """Store a file, on the disk and whole, unless it is there; whether it had to be stored."""
        os.makedirs(self._path, exist_ok=True)
        name = os.path.join(self._path, f".{key}.{os.urandom(8).hex()}")
        try:
            with open(name, "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.link(name, os.path.join(self._path, key))  # fails where the name is taken
        except FileExistsError:
            return False
        finally:
            with suppress(FileNotFoundError):
                os.unlink(name)
        return True

    def read(self, key: str, _: int) -> bytes:
        """A file's bytes."""
        with open(os.path.join(self._path, key), "rb") as file:
            return file.read()


def output_at(uri: str) -> Output:
    """The output of RISKSCORE_OUTPUT. Raises NotConfigured."""
    if uri.startswith("s3://"):
        from riskscore.artefact.s3 import Bucket

        return Output(Bucket(uri, VARIABLE))
    if "://" in uri:
        raise NotConfigured(f"{VARIABLE} must be s3://bucket/prefix or a folder", VARIABLE)
    return Output(Folder(uri))
