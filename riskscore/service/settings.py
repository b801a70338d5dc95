"""What the service takes from its environment: who may call, how much, how long, how many processes.

RISKSCORE_API_KEYS  name:key,name:key; with it every route but /health and /ready asks for one of the keys
RISKSCORE_TIMEOUT   seconds that a request may take (default: 30)
RISKSCORE_CONNECTIONS  connections that a process holds at once (default: 500)
RISKSCORE_WORKERS   processes (default: one per core)
RISKSCORE_HOST      the address to listen on (default: 127.0.0.1, this machine alone)
RISKSCORE_HOSTS     the hosts that requests may name, with commas between them; * for any (default: this machine's
                    own names and the address that it listens on)
PORT                the port (default: 5001)
RISKSCORE_LEDGER    where every answered row is kept (default: .cache/ledger.db; set to nothing: nowhere)
"""

from __future__ import annotations

import hashlib
import hmac
import os
from base64 import b64decode
from typing import TYPE_CHECKING, NamedTuple

from riskscore.errors import NotConfigured
from riskscore.service.origins import ANY, LOOPBACK, authority

if TYPE_CHECKING:
    from collections.abc import Mapping

PORT, HOST = 5001, "127.0.0.1"
SECONDS = 30.0
BODY_BYTES = 64 * 1024 * 1024  # 10,000 rows of a hundred texts take a third of it
CONNECTIONS = 500
SHORTEST_KEY = 16  # characters


class ServiceSettings(NamedTuple):
    """keys: SHA-256 of a key -> the name of its holder; empty where nobody is asked for one."""

    keys: Mapping[bytes, str]
    seconds: float = SECONDS
    body_bytes: int = BODY_BYTES
    port: int = PORT
    host: str = HOST
    workers: int = 1
    hosts: frozenset[str] = LOOPBACK
    connections: int = CONNECTIONS

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> ServiceSettings:
        """Raises NotConfigured, which names the variable and never repeats its value."""
        return cls(
            keys=keys_of(environ.get("RISKSCORE_API_KEYS") or ""),
            seconds=_number("RISKSCORE_TIMEOUT", environ, SECONDS),
            port=int(_number("PORT", environ, PORT)),
            host=environ.get("RISKSCORE_HOST") or HOST,
            workers=int(_number("RISKSCORE_WORKERS", environ, os.cpu_count() or 1)),
            connections=int(_number("RISKSCORE_CONNECTIONS", environ, CONNECTIONS)),
            hosts=hosts_of(environ.get("RISKSCORE_HOSTS") or "", environ.get("RISKSCORE_HOST") or HOST),
        )


def with_ledger(environ: Mapping[str, str], root: str) -> dict[str, str]:
    """The environment, with the service's own ledger where it doesn't say another, or none."""
    return {"RISKSCORE_LEDGER": f"sqlite:///{os.path.join(root, '.cache', 'ledger.db')}", **environ}


def _number(name: str, environ: Mapping[str, str], default: float) -> float:
    text = environ.get(name) or str(default)
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < 65536:
        raise NotConfigured(f"{name} must be a number above 0 and below 65536", name)
    return number


def hosts_of(text: str, listening: str) -> frozenset[str]:
    """The names that requests may be for, from "name,name"; without any, those of this machine as seen from itself."""
    given = [part.strip() for part in text.split(",") if part.strip()]
    if not given:
        return LOOPBACK | {listening.lower()}
    found = [(ANY, "") if name == ANY else authority(name) or authority(f"[{name}]") for name in given]
    if None in found:
        raise NotConfigured("RISKSCORE_HOSTS must be host,host, as in score.example.com,localhost", "RISKSCORE_HOSTS")
    return frozenset(name for name, _ in filter(None, found))


def keys_of(text: str) -> dict[bytes, str]:
    """The holders' names by the hash of their keys, from "name:key,name:key"."""
    keys: dict[bytes, str] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        name, _, key = entry.partition(":")
        if not name or len(key) < SHORTEST_KEY:
            message = f"RISKSCORE_API_KEYS must be name:key,name:key with keys of at least {SHORTEST_KEY} characters"
            raise NotConfigured(message, "RISKSCORE_API_KEYS")
        keys[_digest(key)] = name
    return keys


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def holder(keys: Mapping[bytes, str], headers: Mapping[str, str]) -> str | None:
    """Whose key a request brings, None where it brings none that is known. Every key is compared, at the same speed.

    As X-API-Key, as a bearer token, or as the password of the dialogue that browsers show by themselves.
    """
    given = _digest(key_of(headers))
    found = None
    for digest, name in keys.items():
        if hmac.compare_digest(digest, given):
            found = name
    return found


def key_of(headers: Mapping[str, str]) -> str:
    """The key that a request brings, "" where it brings none."""
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    if scheme.lower() == "basic":
        try:
            return b64decode(credentials, validate=True).decode().partition(":")[2]
        except ValueError:
            return ""
    return headers.get("x-api-key", "")
