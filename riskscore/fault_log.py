"""The log: one JSON object per line on stderr, and of a fault never a value that somebody sent."""

from __future__ import annotations

import json
import sys
from contextlib import suppress

from riskscore.errors import InternalError, RiskscoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def report(error: Exception) -> None:
    """One line of JSON to stderr about a fault of ours: what and where in the code, and no value of anybody."""
    log(json.dumps({"level": "ERROR", **fault(error)}))


def log(line: str) -> None:
    """A line of the log, on stderr in one piece. Where that fails, its disk being full, no answer fails with it."""
    with suppress(OSError):
        sys.stderr.write(f"{line}\n")


def fault(error: Exception) -> dict[str, Any]:
    """What a log may say of a fault. An exception that nobody foresaw may quote a value: only its class is named."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    code = trace.tb_frame.f_code if trace else None
    where = f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno} {code.co_name}" if trace and code else None
    known = error if isinstance(error, RiskscoreError) else InternalError("an unforeseen exception")
    return {**known.answer(), "exception": type(error).__name__, "where": where}
