"""The service's log: one JSON object per line on stderr, and never a value that somebody sent.

A request's line has its route, not its path, since a path may hold anything; an exception's has its type and where
it arose, not its text, since a text may quote a value.
"""

from __future__ import annotations

import json
import logging
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from riskscore.fault_log import fault, log

if TYPE_CHECKING:
    from riskscore.service.requests import Request


_text = json.JSONEncoder(ensure_ascii=False).encode  # of a string


def moment(seconds: float) -> str:
    """A time as 2026-11-20T09:30:00.125Z."""
    return f"{_second(int(seconds))}.{int(seconds % 1 * 1000):03}Z"


@lru_cache(maxsize=4)  # a busy second has thousands of lines
def _second(whole: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))


def request(request: Request, route: str, status: int, seconds: float) -> None:
    """The line of an answered request; written out, since every request waits for its own."""
    who = f', "caller": {_text(request.caller)}' if request.caller else ""
    log(
        f'{{"time": "{moment(time.time())}", "level": "info", "request_id": {_text(request.id)}{who},'
        f' "method": {_text(request.method)}, "route": {_text(route)}, "status": {status},'
        f' "ms": {round(seconds * 1000, 3)}, "request_bytes": {len(request.body)}}}'
    )


class JsonFormatter(logging.Formatter):
    """The server's own messages, in the same form; of an exception what faults.fault says, and no more."""

    def format(self, record: logging.LogRecord) -> str:
        error = record.exc_info[1] if record.exc_info else None
        said = fault(error) if isinstance(error, Exception) else {"message": record.getMessage()}
        return json.dumps({"time": moment(record.created), "level": record.levelname.lower(), **said})


CONFIGURATION: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "riskscore.service.access_log.JsonFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {"uvicorn": {"handlers": ["stderr"], "level": "INFO", "propagate": False}},
}
