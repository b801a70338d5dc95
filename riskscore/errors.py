"""The errors of the project. Each carries one sentence that names what was expected and where.

A caller's fault is answered; a fault of ours is raised, so that the platform counts it. Sentences name
features, files and models, never a person's values, a secret or a connection string.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

LONGEST_NAME = 64  # characters; a longer one is no name, and would make the answer as large as the event


def shown(name: str) -> str:
    """A name from outside as an answer may hold it: short, and without the lone surrogates that UTF-8 refuses."""
    if len(name) <= LONGEST_NAME and name.isascii():
        return name
    short = name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 3] + "..."
    return short.encode("utf-8", "backslashreplace").decode()


class RiskscoreError(Exception):
    """Base of all errors here: a stable `type` for programs, one sentence for people, the field it is about."""

    __slots__ = ("field", "message")  # no dict for each of ten thousand refused rows

    type = "error"

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = shown(field) if field is not None else None

    def answer(self) -> dict[str, str | None]:
        """What a client sees of the error."""
        return {"type": self.type, "message": self.message, "field": self.field}


class CallerFault(RiskscoreError):
    """The request can't be scored as it stands; answered, never raised out of the function."""

    ids: dict[str, str] | None = None  # of a file's row that can't be scored, where they could be read


def remembered(memo: dict[Any, Any], key: Any, make: Callable[..., Any], *arguments: Any) -> Any:
    """What `make` gives or is refused with, made once for all rows of a request that have the key in common."""
    found = memo.get(key)
    if found is None:
        try:
            found = make(*arguments)
        except CallerFault as error:
            found = error
        memo[key] = found
    if isinstance(found, CallerFault):
        raise found.with_traceback(None)  # else it would grow with each row
    return found


class InvalidEvent(CallerFault):
    type = "invalid_event"


class BrokenJson(InvalidEvent):
    """What came isn't JSON, so there is no event in it."""

    type = "broken_json"


class UnknownPath(CallerFault):
    type = "unknown_path"


class MethodNotAllowed(CallerFault):
    type = "method_not_allowed"

    def __init__(self, allowed: str) -> None:
        super().__init__(f"this path takes only {allowed}")
        self.allowed = allowed


class KeyNeeded(CallerFault):
    """The service asks for a key, and the request brings none that it knows."""

    type = "key_needed"


class CrossSite(CallerFault):
    """Sent by another site's page, by a browser that may have kept our key."""

    type = "cross_site"


class UnknownHost(CallerFault):
    """The request is for a host that isn't ours, as that of a page whose name was made to lead here."""

    type = "unknown_host"


class HeadersTooLarge(CallerFault):
    type = "headers_too_large"


class RequestTooSlow(CallerFault):
    """The client didn't send its request whole in the time that it has."""

    type = "request_too_slow"


class UnsupportedMediaType(CallerFault):
    type = "unsupported_media_type"


class BodyTooLarge(CallerFault):
    type = "body_too_large"


class TooManyRows(CallerFault):
    type = "too_many_rows"


class AnswerTooLarge(CallerFault):
    type = "answer_too_large"


class UnknownModel(CallerFault):
    type = "unknown_model"


class AmbiguousModel(CallerFault):
    """A row that names no model, and whose fields are those of several."""

    type = "ambiguous_model"


class UnknownCustomer(CallerFault):
    type = "unknown_customer"


class MissingFeature(CallerFault):
    type = "missing_feature"


class UnknownField(CallerFault):
    type = "unknown_field"


class WrongType(CallerFault):
    type = "wrong_type"


class NullFeature(CallerFault):
    type = "null_feature"


class NotFinite(CallerFault):
    type = "not_finite"


class OutOfRange(CallerFault):
    type = "out_of_range"


class UnknownValue(CallerFault):
    """A category's value that its model doesn't know, and doesn't take."""

    type = "unknown_value"


class Conflict(CallerFault):
    """A request id that already stands for something else."""

    type = "conflict"


class DataFault(CallerFault):
    """The customer's stored transactions break their own format and need manual review."""

    type = "data_fault"


class InvalidFile(CallerFault):
    """A file given to a script isn't what it has to be; names the file, and the line where there is one."""

    type = "invalid_file"


class OurFault(RiskscoreError):
    """Something of ours is broken, slow or missing; raised, and never turned into an outcome."""


class InternalError(OurFault):
    """What an exception that nobody foresaw becomes where it can't be raised; it says nothing of its cause."""

    type = "internal_error"


class ArtefactRefused(OurFault):
    type = "artefact_refused"


class ModelStoreUnavailable(OurFault):
    """The place outside the image that keeps the models is missing, out of reach, or closed to this function."""

    type = "model_store_unavailable"


class TookTooLong(OurFault):
    type = "took_too_long"


class Busy(OurFault):
    """As much is under way as this process takes on."""

    type = "busy"


class NotReady(OurFault):
    type = "not_ready"


class DatabaseUnavailable(OurFault):
    type = "database_unavailable"


class DatabaseTimeout(OurFault):
    type = "database_timeout"


class LedgerUnavailable(OurFault):
    """The ledger can't be opened, read or written; no score leaves without its row."""

    type = "ledger_unavailable"


class OutputUnavailable(OurFault):
    """The answers to messages can't be kept; no message is done with before its answer is."""

    type = "output_unavailable"


class UnsupportedSource(OurFault):
    """What brings no rows was wired to the function, where nobody reads an answer; says what has to change."""

    type = "unsupported_source"


class QueryFailed(OurFault):
    """The database refused a query. sqlstate: PostgreSQL's code of the reason, "" where it gave none."""

    type = "query_failed"

    def __init__(self, message: str, field: str | None = None, sqlstate: str = "") -> None:
        super().__init__(message, field)
        self.sqlstate = sqlstate


class NotConfigured(OurFault):
    type = "not_configured"


# The one table from error to HTTP status; the nearest class in the method resolution order counts.
STATUS: dict[type[RiskscoreError], int] = {
    CallerFault: 422,
    InvalidEvent: 400,
    UnknownModel: 404,
    UnknownCustomer: 404,
    UnknownPath: 404,
    MethodNotAllowed: 405,
    Conflict: 409,
    KeyNeeded: 401,
    CrossSite: 403,
    UnknownHost: 421,
    RequestTooSlow: 408,
    HeadersTooLarge: 431,
    TooManyRows: 413,
    AnswerTooLarge: 413,
    BodyTooLarge: 413,
    UnsupportedMediaType: 415,
    OurFault: 500,
    ArtefactRefused: 503,
    ModelStoreUnavailable: 503,
    TookTooLong: 503,
    Busy: 503,
    NotReady: 503,
    DatabaseUnavailable: 503,
    DatabaseTimeout: 503,
    LedgerUnavailable: 503,
    OutputUnavailable: 503,
    NotConfigured: 503,
}


def status(error: RiskscoreError) -> int:
    """The HTTP status of an error."""
    return _status_of_kind(type(error))


def status_of(type: str) -> int:
    """The HTTP status of an error by the type that its answer names."""
    if type not in _BY_TYPE:
        _BY_TYPE.update((kind.type, _status_of_kind(kind)) for kind in _kinds_below(RiskscoreError))
    return _BY_TYPE.get(type, STATUS[OurFault])


_BY_TYPE: dict[str, int] = {}


def _status_of_kind(kind: type[RiskscoreError]) -> int:
    return next(STATUS[base] for base in kind.__mro__ if base in STATUS)


def _kinds_below(kind: type[RiskscoreError]) -> list[type[RiskscoreError]]:
    below = kind.__subclasses__()
    return [found for inner in below for found in (*_kinds_below(inner), inner)]
