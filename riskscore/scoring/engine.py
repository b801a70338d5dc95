"""Score rows: fetch, check, predict, explain, answer.

The engine opens nothing itself: it is given how to find a model, and how to look features up. A row ends as
`scored`, `refer` or `invalid`, in its place; a fault of ours is raised and becomes no outcome at all. With a ledger,
no answer leaves before its rows are kept.
"""

from __future__ import annotations

from riskscore.errors import CallerFault, DataFault, UnknownModel
from riskscore.scoring.events import Refused, Row, is_plainly, model_name, parse_rows, rows_of
from riskscore.scoring.gc_pause import Paused
from riskscore.scoring.pipeline import check, score_alike, score_checked, worded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from riskscore.database.features import FeatureRow
    from riskscore.scoring.dispatch import Fields
    from riskscore.scoring.model import Model
    from riskscore.scoring.pipeline import Checked
    from riskscore.scoring.records import Entry, Note, Request

    Choose = Callable[[Mapping[str, Any]], str]  # the model of a row that names none
    LookUp = Callable[[Model, Sequence[Mapping[str, str]]], Sequence[FeatureRow | CallerFault]]
    Record = Callable[[Sequence[Entry]], Any]  # keeps a request's rows; the answer that another worker gave meanwhile
    Recall = Callable[[Request], Any]  # the answer that was given to this request, or None; raises Conflict
    Fits = Callable[[Any], None]  # raises AnswerTooLarge where the door can't pass an answer on

REASONS = 4  # given where the event doesn't say how many
MANY_ROWS = 1_000  # a longer list gets reasons only when it asks: they would outgrow what Lambda can answer


def _any_size(_: Any) -> None:
    """Fits, whatever it is."""


class Engine:
    """Answers events. find: the model of a name, or UnknownModel; look_up: rows of features by their keys.

    record, recall: a ledger's, where answers are kept (riskscore/ledger/ledger.py). fields: those of the rows of each
    model that is served, asked for where a row names no model and isn't the default one's.
    """

    def __init__(
        self,
        find: Callable[[str], Model],
        default_model: str,
        look_up: LookUp,
        record: Record | None = None,
        recall: Recall | None = None,
        fields: Callable[[], Mapping[str, Fields]] = dict,
    ) -> None:
        self._find = find
        self._default_model = default_model
        self._look_up = look_up
        self._record = record
        self._recall = recall
        self._fields = fields

    def answer(
        self, event: Any, request_id: str | None = None, caller: str | None = None, fits: Fits = _any_size
    ) -> Any:
        """The answer to one event: an object for one row, a list of the same length and order for a list.

        request_id, caller: what the event is called and who sent it, for the ledger. fits: asked before the ledger
        keeps the rows, so that no score stands there which nobody could get.
        """
        try:
            items, shared, many = rows_of(event)
            if self._record is not None:
                return self._kept(event, items, shared, many, request_id, caller, fits)
            sent, listed = self._sent(self.score(items, shared), many)
            answer = sent if listed else sent[0]
            fits(answer)
        except CallerFault as error:
            return Refused(error).answer()
        return answer

    def _kept(
        self,
        event: Any,
        items: list[Any],
        shared: dict[str, Any],
        many: bool,
        request_id: str | None,
        caller: str | None,
        fits: Fits,
    ) -> Any:
        """The answer to an event, once the ledger has its rows; the one given before where the request is known."""
        from riskscore.scoring.records import entries_of, request_of

        request = request_of(event, request_id, caller)
        known = self._recall(request) if self._recall is not None and request_id else None
        if known is not None:
            fits(known)  # it may have been given through another door
            return known
        notes: dict[int, Note] = {}
        answers = self.score(items, shared, notes)
        sent, listed = self._sent(answers, many)
        answer = sent if listed else sent[0]
        fits(answer)
        known = self._record(entries_of(request, answers, sent, listed, notes, self._find))  # type: ignore[misc]
        return answer if known is None else known

    def _sent(self, answers: Sequence[dict[str, Any]], many: bool) -> tuple[list[dict[str, Any]], bool]:
        """The answers in the fields of their clients, and whether they go out as a list."""
        responses = {name: self._response(name) for name in {answer.get("model") for answer in answers}}
        if not any(responses.values()):
            return list(answers), many
        sent = [worded(answer, responses[answer.get("model")]) for answer in answers]
        return sent, many or bool(responses[answers[0].get("model")].get("always_list"))

    def score(
        self, items: Sequence[Any], shared: Mapping[str, Any] | None = None, notes: dict[int, Note] | None = None
    ) -> list[dict[str, Any]]:
        """One answer per item, in order; no ledger hears of it.

        shared: model and reasons where they hold for all items. notes: filled with what a ledger keeps of each place.
        """
        with Paused(len(items) > MANY_ROWS):
            return self._score(items, shared or {}, notes)

    def _score(
        self, items: Sequence[Any], shared: Mapping[str, Any], notes: dict[int, Note] | None
    ) -> list[dict[str, Any]]:
        choose = self._chooser()
        if len(items) > MANY_ROWS and notes is None and (alike := self._alike(items, shared, choose)):
            return alike
        rows = parse_rows(items, shared, choose, self._artefact)
        answers: list[Any] = [row.answer() if isinstance(row, Refused) else None for row in rows]
        if notes is not None:
            notes.update((k, (row, None, None)) for k, row in enumerate(rows) if isinstance(row, Refused))
        for name in dict.fromkeys(row.model for row in rows if isinstance(row, Row)):
            places = [k for k, row in enumerate(rows) if isinstance(row, Row) and row.model == name]
            scored, noted = self._score_model(self._find(name), [rows[k] for k in places], notes is not None)  # type: ignore[misc]
            for k, answer in zip(places, scored, strict=True):
                answers[k] = answer
            if notes is not None:
                notes.update(zip(places, noted, strict=True))
        return answers

    def _alike(self, items: Sequence[Any], shared: Mapping[str, Any], choose: Choose) -> list[dict[str, Any]]:
        """The answers to many rows of one shape without reasons; [] where they have to be read one by one."""
        reasons = shared.get("reasons")
        if not isinstance(items[0], dict) or reasons or type(reasons) not in (int, type(None)):
            return []
        try:
            model = self._find(model_name(shared["model"]) if "model" in shared else choose(items[0]))
        except CallerFault:
            return []
        engine = model.engine_for(len(items))
        return score_alike(model, items, engine) if engine == "joblib" else []

    def model_for(self, names: Iterable[str]) -> str:
        """The model of rows with these names that name none. Raises AmbiguousModel."""
        return self._chooser()(dict.fromkeys(names))

    def _chooser(self) -> Choose:
        """What tells, within one request, the model of a row that names none."""
        from_names: dict[tuple[str, ...], str | CallerFault] = {}
        models: dict[str, Fields] = {}  # read once, and only where a row isn't plainly one of the default model's

        def choose(item: Mapping[str, Any]) -> str:
            features = item.get("features")
            names = (*item, *features) if isinstance(features, dict) else tuple(item)
            found = from_names.get(names)
            if found is None:
                default = self._artefact(self._default_model)
                found = default.name if is_plainly(item, default) else self._dispatched(names, models)
                from_names[names] = found
            if isinstance(found, CallerFault):
                raise found.with_traceback(None)
            return found

        return choose

    def _dispatched(self, names: Sequence[str], models: dict[str, Fields]) -> str | CallerFault:
        """The model of a row with these names, or that there is no telling. models: filled where it is empty."""
        from riskscore.scoring.dispatch import Fields, model_for

        if not models:
            models[self._default_model] = Fields(self._artefact(self._default_model).manifest)
            models.update(self._fields())
        try:
            return model_for(names, self._default_model, models)
        except CallerFault as error:
            return error

    def _response(self, name: str | None) -> Mapping[str, Any]:
        """How the clients of a model want its answers: the [response] table of its model.toml."""
        try:
            response: Mapping[str, Any] = self._find(name).artefact.manifest["response"] if name else {}
        except UnknownModel:
            response = {}
        return response

    def _artefact(self, name: str) -> Any:
        return self._find(name).artefact

    def _score_model(self, model: Model, rows: Sequence[Row], noting: bool) -> tuple[list[dict[str, Any]], list[Note]]:
        """The rows' answers and, where they are asked for, the ledger's notes of them."""
        fetched = self._fetch(model, rows)
        checked = self._check(model, fetched)
        good = [entry for entry in checked if not isinstance(entry, Refused)]
        default = min(REASONS, len(model.contract.names)) if len(rows) <= MANY_ROWS else 0
        counts = [default if row.reasons is None else row.reasons for row, _ in good]
        margins, scored = score_checked(model, good, counts, model.engine_for(len(good)))
        remaining = iter(scored)
        answers = [entry.answer() if isinstance(entry, Refused) else next(remaining) for entry in checked]
        return answers, _notes(fetched, checked, counts, margins) if noting else []

    def _fetch(self, model: Model, rows: Sequence[Row]) -> list[Row | Refused]:
        """The rows with their features, those that name only keys looked up at once."""
        wanted = [row for row in rows if row.features is None]
        if not wanted:
            return list(rows)
        found = iter(self._look_up(model, [row.ids for row in wanted]))
        return [_fetched(row, next(found)) if row.features is None else row for row in rows]

    def _check(self, model: Model, rows: Sequence[Row | Refused]) -> list[Checked | Refused]:
        memo: dict[Any, Any] = {}
        return [row if isinstance(row, Refused) else check(model, row, memo) for row in rows]


def _fetched(row: Row, found: FeatureRow | CallerFault) -> Row | Refused:
    if isinstance(found, CallerFault):
        return Refused(found, row.ids, row.model)
    if found.fault:
        return Refused(DataFault(f"the stored transactions can't be read: {found.fault}"), found.ids, row.model)
    return Row(row.model, found.ids, found.features, found.observations, row.reasons)


def _notes(
    fetched: Sequence[Row | Refused],
    checked: Sequence[Checked | Refused],
    counts: Sequence[int],
    margins: Sequence[float],
) -> list[Note]:
    scored = iter(zip(margins, counts, strict=True))
    return [
        (row, None, None if isinstance(row, Refused) else row.reasons)
        if isinstance(entry, Refused)
        else (row, *next(scored))
        for row, entry in zip(fetched, checked, strict=True)
    ]
