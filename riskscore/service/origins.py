"""Whom a request is for, and whose page sent it: what keeps other sites' pages away from a service on this network.

A browser sends its kept password along with whatever any page sends, and reaches what stands on its own network. So
a request has to name a host that is ours (a page whose name is made to lead here names its own), and what changes
anything must come from our own page, or from a program, which names no origin.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING

from riskscore.errors import CrossSite, InvalidEvent, UnknownHost, UnsupportedMediaType

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
ANY = "*"
AUTHORITY = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\s,:/?#@\[\]\\]+)(?::([0-9]{0,5}))?", re.ASCII)
READING = frozenset({"GET", "HEAD", "OPTIONS"})
# Two of one of these could be read two ways: by what stands before the service, and by the service.
SINGLE = (b"host", b"origin", b"sec-fetch-site", b"content-type", b"authorization", b"x-api-key", b"x-request-id")
URLENCODED = "application/x-www-form-urlencoded"
FORMS = frozenset({URLENCODED, "multipart/form-data"})


@lru_cache(maxsize=256)
def authority(text: str) -> tuple[str, str] | None:
    """Name and port of a Host header, the name in lower case, an address in its short form; None where it is none."""
    found = AUTHORITY.fullmatch(text)
    if not found:
        return None
    name = found[1].strip("[]").lower().removesuffix(".")
    try:
        name = str(ip_address(name))
    except ValueError:
        if found[1].startswith("["):
            return None
    return (name, found[2] or "") if name else None


def require_single(headers: Sequence[tuple[bytes, bytes]]) -> None:
    """Raises InvalidEvent where a header that has one meaning comes twice."""
    names = [name for name, _ in headers]
    for name in SINGLE:
        if names.count(name) > 1:
            raise InvalidEvent(f"the header {name.decode()} must come once")


def require_host(hosts: Collection[str], headers: Mapping[str, str]) -> None:
    """Raises UnknownHost where a request is for a host that isn't ours."""
    if ANY in hosts:
        return
    found = authority(headers.get("host", ""))
    if found is None or found[0] not in hosts:
        raise UnknownHost("this service doesn't serve the host of the request; RISKSCORE_HOSTS sets its hosts")


def require_own_origin(headers: Mapping[str, str]) -> None:
    """Raises CrossSite where a browser says that another site's page sent this, or one of nowhere."""
    site = headers.get("sec-fetch-site", "")
    if site == "same-origin":
        return  # no page can make its browser say so
    if site not in ("", "none"):
        raise CrossSite("this was sent from the page of another site; send it from the service's own page")
    origin = headers.get("origin")
    if origin is not None and not _is_ours(origin, headers.get("host", "")):
        raise CrossSite("the header Origin names another site; send this from the service's own page")


def _is_ours(origin: str, host: str) -> bool:
    """Whether an origin has the host and port of the request; a proxy may have ended its TLS."""
    scheme, separator, rest = origin.partition("://")
    usual = {"http": "80", "https": "443"}.get(scheme.lower())
    theirs, ours = authority(rest), authority(host)
    if not separator or usual is None or theirs is None or ours is None:
        return False
    return theirs[0] == ours[0] and (theirs[1] or usual) == (ours[1] or usual)


def require_form(headers: Mapping[str, str]) -> None:
    """Raises UnsupportedMediaType where a form's body doesn't say that it is one."""
    if media_type(headers) not in FORMS:
        raise UnsupportedMediaType(f"the form must come with content-type {' or '.join(sorted(FORMS))}")


def require_declared(headers: Mapping[str, str]) -> None:
    """Raises UnsupportedMediaType where a body to score doesn't say what it is: any site's page can send such."""
    if not media_type(headers):
        raise UnsupportedMediaType(
            "the content-type must say what the body is: send it with content-type application/json or text/csv"
        )


def media_type(headers: Mapping[str, str]) -> str:
    """What a content-type names, in lower case, "" where there is none."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()
