"""The errors of the project. Each carries one sentence that names what was expected and where.

A caller's fault is answered; a fault of ours is raised, so that the platform counts it. Sentences name
features, files and models, never a person's values, a secret or a connection string.
"""

from __future__ import annotations

LONGEST_NAME = 64  # characters; a longer one is no name, and would make the answer as large as the event


def shown(name: str) -> str:
    """A name from outside as an answer may hold it: short, and without the lone surrogates that UTF-8 refuses."""
    short = name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 3] + "..."
    return short.encode("utf-8", "backslashreplace").decode()


class RiskscoreError(Exception):
    """Base of all errors here: a stable `type` for programs, one sentence for people, the field it is about."""

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


class InvalidEvent(CallerFault):
    type = "invalid_event"


class TooManyRows(CallerFault):
    type = "too_many_rows"


class AnswerTooLarge(CallerFault):
    type = "answer_too_large"


class UnknownModel(CallerFault):
    type = "unknown_model"


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


class DataFault(CallerFault):
    """The customer's stored transactions break their own format: a person has to look at them."""

    type = "data_fault"


class InvalidFile(CallerFault):
    """A file given to a script isn't what it has to be; names the file, and the line where there is one."""

    type = "invalid_file"


class OurFault(RiskscoreError):
    """Something of ours is broken, slow or missing; raised, and never turned into an outcome."""


class ArtefactRefused(OurFault):
    type = "artefact_refused"


class ModelStoreUnavailable(OurFault):
    """The place outside the image that keeps the models is missing, out of reach, or closed to this function."""

    type = "model_store_unavailable"


class DatabaseUnavailable(OurFault):
    type = "database_unavailable"


class DatabaseTimeout(OurFault):
    type = "database_timeout"


class QueryFailed(OurFault):
    type = "query_failed"


class NotConfigured(OurFault):
    type = "not_configured"


# The one table from error to HTTP status; the nearest class in the method resolution order counts.
STATUS: dict[type[RiskscoreError], int] = {
    CallerFault: 422,
    InvalidEvent: 400,
    UnknownModel: 404,
    UnknownCustomer: 404,
    TooManyRows: 413,
    AnswerTooLarge: 413,
    OurFault: 500,
    ArtefactRefused: 503,
    ModelStoreUnavailable: 503,
    DatabaseUnavailable: 503,
    DatabaseTimeout: 503,
    NotConfigured: 503,
}


def status(error: RiskscoreError) -> int:
    """The HTTP status of an error."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
