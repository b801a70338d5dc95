"""The shapes in which an event arrives: features, flat, keys only, many, each for any model.

Parsing sorts an event's keys into model, ids, features and observations. Values are left as they came:
the contract checks them.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache

from riskscore.contract.contract import HINTS, LABEL_IGNORED
from riskscore.errors import AnswerTooLarge, CallerFault, InvalidEvent, TooManyRows, WrongType, remembered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from typing import Any

    from riskscore.artefact.artefact import Artefact

MAX_ROWS = 10_000
MAX_ID = 200  # characters; a longer id is a mistake, and every answer would echo it
LAMBDA_BYTES = 6 * 1024 * 1024
SURELY_FITS = 100  # rows: not even with hundreds of reasons and warnings each is an answer to so few too large
OPTIONS = ("reason_codes", "change")  # what more an answer is to have: true or false
CONTROLS = ("model", "reasons", *OPTIONS)  # what an event may say beside ids, features and observations
PLAIN = re.compile("[^\x00\ud800-\udfff]+")  # neither PostgreSQL nor UTF-8 takes the others
SNAPSHOT_DATE = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])")


class Row:
    """One row to score. `features` is None where the model's SQL has to compute them; options: those it asks for."""

    __slots__ = ("features", "ids", "model", "observations", "options", "reasons")

    def __init__(
        self,
        model: str,
        ids: dict[str, str],
        features: Mapping[str, Any] | None,
        observations: dict[str, Any],
        reasons: int | None = None,
        options: Collection[str] = (),
    ) -> None:
        self.model = model
        self.ids = ids
        self.features = features
        self.observations = observations
        self.reasons = reasons
        self.options = options


class Refused:
    """A row that can't be scored as it stands: whose it is, as far as that could be read, and why."""

    __slots__ = ("error", "ids", "model")

    def __init__(self, error: CallerFault, ids: dict[str, str] | None = None, model: str | None = None) -> None:
        self.error = error.with_traceback(None)  # it holds on to all that was at hand where it was raised
        self.ids = ids or {}
        self.model = model

    def answer(self) -> dict[str, Any]:
        """What stands in the row's place."""
        answer: dict[str, Any] = {**self.ids, "outcome": "invalid", "error": self.error.answer()}
        if self.model:
            answer["model"] = self.model
        return answer


def rows_of(event: Any) -> tuple[list[Any], dict[str, Any], bool]:
    """The event's rows as they came, what it says for all of them, and whether the answer is a list.

    Raises InvalidEvent or TooManyRows where the event as a whole makes no sense.
    """
    if isinstance(event, list):
        return _counted(event), {}, True
    if not isinstance(event, dict):
        raise InvalidEvent("an event is a JSON object, or a list of objects")
    if "instances" not in event:
        return [event], {}, False
    other = [str(key) for key in event if key not in (*CONTROLS, "instances")]
    if other:
        known = f"{', '.join(CONTROLS[:-1])} and {CONTROLS[-1]}"
        raise InvalidEvent(f"beside instances an event may only have {known}", other[0])
    if not isinstance(event["instances"], list):
        raise InvalidEvent("instances must be a list of objects", "instances")
    return _counted(event["instances"]), {key: event[key] for key in CONTROLS if key in event}, True


def _counted(rows: list[Any]) -> list[Any]:
    if not rows:
        raise InvalidEvent(f"the list is empty; one event scores 1 to {MAX_ROWS:,} rows")
    if len(rows) > MAX_ROWS:
        raise TooManyRows(f"{len(rows):,} rows in one event; at most {MAX_ROWS:,} are scored at once")
    return rows


class Shape:
    """What the keys of a row say, whatever their values: rows of one shape are sorted alike.

    beside: its features where they stand beside the ids; nested: whether they stand in an object of their own.
    options: those of OPTIONS that it has; beside the features, a name that is also a feature's is the feature's.
    """

    __slots__ = ("_ignores", "beside", "ids", "nested", "observed", "options", "target")

    def __init__(self, keys: Iterable[str], artefact: Artefact, hint: bool = True) -> None:
        names, observed = artefact.manifest["ids"], artefact.manifest["observations"]
        self.target: str = artefact.manifest["source"].get("target", "")
        self._ignores = self.target != "" and self.target not in artefact.contract
        self.nested = "features" in keys
        features = {name for name in OPTIONS if name in artefact.contract and not self.nested}
        self.options = [name for name in OPTIONS if name in keys and name not in features]
        known = {"features", *CONTROLS, *names, *observed, *([self.target] if self._ignores else [])} - features
        self.beside = [key for key in keys if key not in known]
        for key in self.beside:
            if key not in artefact.contract:
                raise artefact.contract.unknown(key, [*known], hint)
        self.ids = [name for name in names if name in keys]
        self.observed = [name for name in observed if name in keys]
        if self.nested and self.beside:
            key = self.beside[0]
            raise InvalidEvent(f"{key} is beside the features object; put all features inside it", key)
        if not self.nested and not self.beside:
            self._check_keys_only(names, artefact)

    def _check_keys_only(self, names: list[str], artefact: Artefact) -> None:
        if names[0] not in self.ids:
            raise InvalidEvent(f"the event has neither features nor {names[0]}")
        if not artefact.looks_up:
            raise InvalidEvent(f"{artefact.name} has no feature query here, so an event has to bring the features")
        if self.observed:
            raise InvalidEvent("an event with ids only can't have observations", self.observed[0])

    def features(self, item: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The row's features; None where it names only keys."""
        if not self.nested:
            return {key: item[key] for key in self.beside} or None
        features = item["features"]
        if not isinstance(features, dict):
            raise WrongType("features must be an object of feature names and values", "features")
        if self._ignores and self.target in features:
            return {key: value for key, value in features.items() if key != self.target}
        return features

    def holds_label(self, item: Mapping[str, Any]) -> bool:
        """Whether the row brings the label too, which isn't looked at."""
        return self._ignores and (self.target in item or (self.nested and self.target in item["features"]))


def fits_model(item: Mapping[str, Any], artefact: Artefact) -> bool:
    """Whether a row has all features of a model or none, and no name that it doesn't know; found in a microsecond."""
    manifest, contract = artefact.manifest, artefact.contract
    features = item.get("features", item)
    if not isinstance(features, dict) or (features is not item and len(features) != len(contract.names)):
        return False
    beside = sum(name in item for name in ("features", *CONTROLS, *manifest["ids"], *manifest["observations"]))
    if features is item:
        return len(item) == beside or (len(item) == beside + len(contract.names) and contract.are_in(item))
    return len(item) == beside and contract.are_in(features)


def parse_rows(
    items: Iterable[Any],
    shared: Mapping[str, Any],
    choose: Callable[[Mapping[str, Any]], str],
    find: Callable[[str], Artefact],
) -> list[Row | Refused]:
    """Each row in any of its shapes; a Refused with the reason in the place of one that has none of them.

    choose: the model of a row that names none, or a CallerFault. A reader of files puts a Refused in the place of a row
    that it can't read.
    """
    memo: dict[Any, Any] = {}
    return [_parse(item, shared, choose, find, memo) for item in items]


def _parse(
    item: Any,
    shared: Mapping[str, Any],
    choose: Callable[[Mapping[str, Any]], str],
    find: Callable[[str], Artefact],
    memo: dict[Any, Any],
) -> Row | Refused:
    if not isinstance(item, dict):
        if isinstance(item, Refused):
            return Refused(item.error, item.ids, shared.get("model"))
        return Refused(InvalidEvent("a row is a JSON object"))
    ids: dict[str, str] = {}
    known = None
    try:
        said = item if "model" in item else shared
        name = model_name(said["model"]) if "model" in said else choose(item)
        artefact = remembered(memo, name, find, name)
        known = name
        ids.update(_ids(item, artefact.manifest["ids"]))  # those before a broken one tell whose row it is
        shape = remembered(memo, (name, *item), Shape, item, artefact, len(memo) < HINTS)
        observations = {name: _count(name, item[name]) for name in shape.observed}
        features = shape.features(item)
        if features is None and artefact.manifest["ids"][0] not in ids:
            raise InvalidEvent(f"{artefact.manifest['ids'][0]} is null, and the event holds no features")
        if shape.holds_label(item):
            observations[LABEL_IGNORED] = 1
        options = _options(shape.options, item, shared) if shape.options or shared else ()
        asked = item if "reasons" in item else shared
        return Row(name, ids, features, observations, _reasons(asked.get("reasons")), options)
    except CallerFault as error:
        return Refused(error, ids, known)


def model_name(name: Any) -> str:
    """What an event says as its model. Raises WrongType."""
    if not isinstance(name, str):
        raise WrongType("model must be a string, the name of a model", "model")
    return name


def _reasons(count: Any) -> int | None:
    if count is None:
        return None
    if type(count) is not int or count < 0:
        raise WrongType("reasons must be a whole number, 0 or more", "reasons")
    return count


def _options(names: Collection[str], item: Mapping[str, Any], shared: Mapping[str, Any]) -> list[str]:
    """Those of OPTIONS that are asked for: by the row, whose `names` are none of its features, or for all rows."""
    said = {name: item[name] if name in names else shared.get(name) for name in OPTIONS}
    for name, value in said.items():
        if value is not None and type(value) is not bool:
            raise WrongType(f"{name} must be true or false", name)
    return [name for name in OPTIONS if said[name]]


def _ids(item: Mapping[str, Any], names: list[str]) -> Iterator[tuple[str, str]]:
    """The ids that the row brings, in the model's order; each a short string, the snapshot date a date."""
    for name in names:
        value = item.get(name)
        if value is None:
            continue
        if not isinstance(value, str):
            raise WrongType(f"{name} must be a string", name)
        if not 0 < len(value) <= MAX_ID or not (value.isprintable() or PLAIN.fullmatch(value)):
            raise InvalidEvent(f"{name} must be 1 to {MAX_ID} characters of text", name)
        if name == "snapshot_date" and not is_date(value):
            raise InvalidEvent(f"{name} must be a date as in 2025-09-01", name)
        yield name, value


def sound_ids(ids: Mapping[str, Any]) -> dict[str, str]:
    """Those before the first one that an event would be refused for."""
    found: dict[str, str] = {}
    try:  # noqa: SIM105 - contextlib is more than a cold start needs
        found.update(_ids(ids, [*ids]))
    except CallerFault:
        pass
    return found


@lru_cache(maxsize=256)  # the rows of one event mostly share their snapshot date
def is_date(text: str) -> bool:
    """Whether a text is a day of the calendar, which PostgreSQL and datetime would refuse as a fault of ours."""
    if not SNAPSHOT_DATE.fullmatch(text) or text < "0001":
        return False
    if text[8:] <= "28":
        return True
    year, month, day = map(int, text.split("-"))
    if month == 2:
        return day == 29 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return day <= (30 if month in (4, 6, 9, 11) else 31)


def _count(name: str, value: Any) -> int:
    if type(value) is not int or value < 0:
        raise WrongType(f"{name} must be a whole number, 0 or more", name)
    return value


def require_fit(answer: Any) -> None:
    """Raise AnswerTooLarge where Lambda would refuse an answer's size after the function has returned."""
    if isinstance(answer, list) and len(answer) > SURELY_FITS:
        size = len(json.dumps(answer, allow_nan=False))
        if size > LAMBDA_BYTES:
            message = f"the answer has {size:,} bytes, Lambda returns {LAMBDA_BYTES:,}; ask for fewer rows or reasons"
            raise AnswerTooLarge(message)
