"""The only place that talks to S3: a few small reads and writes under one prefix, time-limited.

Whatever S3 or boto3 say becomes one sentence of ours: theirs hold request ids, account numbers and key ids.
"""

from __future__ import annotations

import base64
import hashlib
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from riskscore.errors import ArtefactRefused, ModelStoreUnavailable, NotConfigured

if TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLE = "RISKSCORE_MODEL_URI"
SCHEME = "s3://"
URI = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/([A-Za-z0-9!_.*'()/-]*))?")
CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 3, 10, 3
REASONS = {
    "AccessDenied": "access is denied",
    "403": "access is denied",
    "NoSuchBucket": "there is no such bucket",
    "NoCredentialsError": "there are no AWS credentials",
    "ConnectTimeoutError": "S3 can't be reached",
    "EndpointConnectionError": "S3 can't be reached",
    "ReadTimeoutError": "S3 takes too long",
    "IncompleteReadError": "the connection broke off",
    "ResponseStreamingError": "the connection broke off",
}


class Bucket:
    """What lies under s3://bucket/prefix. Keys are relative to it and made by this project, never by a caller."""

    def __init__(self, uri: str, variable: str = VARIABLE) -> None:
        found = URI.fullmatch(uri)
        if not found:
            raise NotConfigured(f"{variable} must be s3://bucket/prefix, of plain characters", variable)
        self.uri = uri.rstrip("/")
        self._bucket = found[1]
        self._prefix = "/".join(filter(None, (found[2] or "").split("/")))
        self._client = _client(variable)

    def read(self, key: str, limit: int, exact: bool = False) -> bytes | None:
        """An object's bytes, None where there is none. limit: its size at most, or, if exact, its very size."""
        with _reported(f"{key} can't be read"):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=self._key(key))
            except self._client.exceptions.NoSuchKey:
                return None
            size = answer["ContentLength"]
            if size > limit or (exact and size != limit):
                answer["Body"].close()
                raise ArtefactRefused(f"{key} has {size} bytes where {limit} are {'due' if exact else 'allowed'}")
            body: bytes = answer["Body"].read()
            return body

    def write(self, key: str, data: bytes) -> bool:
        """Store an object, unless the same bytes are there already; whether it had to be stored."""
        checksum = base64.b64encode(hashlib.sha256(data).digest()).decode()
        if self._checksum(key) == checksum:
            return False
        with _reported(f"{key} can't be written"):
            self._client.put_object(
                Bucket=self._bucket,
                Key=self._key(key),
                Body=data,
                ChecksumAlgorithm="SHA256",
                ChecksumSHA256=checksum,  # S3 refuses bytes that went astray on the way
            )
        return True

    def add(self, key: str, data: bytes) -> bool:
        """Store an object, unless there is one of this key; whether it had to be stored."""
        from botocore.exceptions import ClientError

        with _reported(f"{key} can't be written"):
            try:
                self._client.put_object(
                    Bucket=self._bucket,
                    Key=self._key(key),
                    Body=data,
                    IfNoneMatch="*",
                    ChecksumAlgorithm="SHA256",  # a bucket with an object lock asks for one
                )
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") != "PreconditionFailed":
                    raise
                return False
        return True

    def folders(self) -> list[str]:
        """The names of the folders directly under the prefix."""
        start = self._key("")
        pages = self._client.get_paginator("list_objects_v2")
        with _reported("the models can't be listed"):
            found = [
                entry["Prefix"]
                for page in pages.paginate(Bucket=self._bucket, Prefix=start, Delimiter="/")
                for entry in page.get("CommonPrefixes", ())
            ]
        return [prefix.removeprefix(start).rstrip("/") for prefix in found]

    def first(self) -> str:
        """The key under the prefix that sorts first, "" where there is none."""
        start = self._key("")
        with _reported("the objects can't be listed"):
            found = self._client.list_objects_v2(Bucket=self._bucket, Prefix=start, MaxKeys=1).get("Contents", ())
        return found[0]["Key"].removeprefix(start) if found else ""

    def _checksum(self, key: str) -> str | None:
        """The SHA-256 that S3 keeps of an object, in base64; None where there is no object, or no such checksum."""
        from botocore.exceptions import ClientError

        with _reported(f"{key} can't be compared"):
            try:
                head = self._client.head_object(Bucket=self._bucket, Key=self._key(key), ChecksumMode="ENABLED")
            except ClientError:
                return None  # missing, or not ours to read: writing it will tell
        checksum: str | None = head.get("ChecksumSHA256")
        return checksum

    def _key(self, key: str) -> str:
        return f"{self._prefix}/{key}" if self._prefix else key


def _client(variable: str) -> Any:
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError:
        raise NotConfigured(
            f"{variable} needs the package boto3, which the images of AWS bring along; it isn't installed", variable
        ) from None
    retries: Any = {"total_max_attempts": ATTEMPTS, "mode": "standard"}
    limits = Config(connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS, retries=retries)
    try:
        return boto3.Session().client("s3", config=limits)
    except (BotoCoreError, ValueError) as error:  # a region or an endpoint that makes no sense
        raise NotConfigured(f"boto3 can't be set up for S3 ({type(error).__name__})", variable) from None


@contextmanager
def _reported(failure: str) -> Iterator[None]:
    """Turn what boto3 raises into our sentence, the cause first, without its text."""
    from botocore.exceptions import BotoCoreError, ClientError
    from urllib3.exceptions import HTTPError

    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        raise ModelStoreUnavailable(f"{REASONS.get(code) or _plain(code)}, so {failure}") from None
    except (BotoCoreError, HTTPError, OSError) as error:
        kind = type(error).__name__
        raise ModelStoreUnavailable(f"{REASONS.get(kind) or _plain(kind)}, so {failure}") from None


def _plain(code: str) -> str:
    return f"S3 answered {code}" if re.fullmatch(r"[A-Za-z0-9.]{1,50}", code) else "S3 answered with an error"
