"""The engine: an event in, its answer out, by way of the steps of pipeline.py.

It opens nothing itself: it is given how to find a model, how to look features up, and how to record. A row ends as
`scored`, `refer` or `invalid`, in its place; a fault of ours is raised and becomes no outcome at all. With a ledger,
no answer leaves before its rows are recorded.
"""

from __future__ import annotations

from riskscore.errors import CallerFault, UnknownModel
from riskscore.scoring.events import Refused, fits_model, rows_of
from riskscore.scoring.gc_pause import Paused
from riskscore.scoring.pipeline import MANY_ROWS, parse, respond, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from riskscore.scoring.dispatch import Dispatch, Fields
    from riskscore.scoring.model import Model
    from riskscore.scoring.pipeline import Choose, LookUp, Parsed
    from riskscore.scoring.records import Entry, Request

    Record = Callable[[Sequence[Entry]], Any]  # keeps a request's rows; the answer that another worker gave meanwhile
    Recall = Callable[[Request], Any]  # the answer that was given to this request, or None; raises Conflict
    Fits = Callable[[Any], None]  # raises AnswerTooLarge where the interface can't pass an answer on


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
            return self.answer_or_raise(event, request_id, caller, fits)
        except CallerFault as error:
            return Refused(error).answer()

    def answer_or_raise(
        self, event: Any, request_id: str | None = None, caller: str | None = None, fits: Fits = _any_size
    ) -> Any:
        """As answer. Raises CallerFault where that would say why the event as a whole can't be answered."""
        items, shared, many = rows_of(event)
        if self._record is not None:
            return self._recorded(event, items, shared, many, request_id, caller, fits)
        sent, listed = self._respond(self.score(items, shared), many)
        answer = sent if listed else sent[0]
        fits(answer)
        return answer

    @property
    def has_ledger(self) -> bool:
        """Whether a ledger keeps the answers."""
        return self._record is not None

    def _recorded(
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
            fits(known)  # it may have been given through another interface
            return known
        parsed = self.score_batches(items, shared, row_by_row=True)
        answers = parsed.answers()
        sent, listed = self._respond(answers, many)
        answer = sent if listed else sent[0]
        fits(answer)
        known = self._record(entries_of(request, parsed, answers, sent, listed))  # type: ignore[misc]
        return answer if known is None else known

    def _respond(self, answers: Sequence[dict[str, Any]], many: bool) -> tuple[list[dict[str, Any]], bool]:
        """The answers in the fields of their clients, and whether they go out as a list."""
        responses = {name: self._response(name) for name in {answer.get("model") for answer in answers}}
        if not any(responses.values()):
            return list(answers), many
        sent = [respond(answer, responses[answer.get("model")]) for answer in answers]
        return sent, many or bool(responses[answers[0].get("model")].get("always_list"))

    def score(self, items: Sequence[Any], shared: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """One answer per item, in order and in the engine's fields; no ledger hears of it.

        shared: model and reasons where they hold for all items.
        """
        return self.score_batches(items, shared or {}).answers()

    def score_batches(self, items: Sequence[Any], shared: Mapping[str, Any], row_by_row: bool = False) -> Parsed:
        """The items, parsed into batches that have come through every step."""
        with Paused(len(items) > MANY_ROWS):
            parsed = parse(items, shared, self._chooser(), self._find, self._look_up, row_by_row)
            parsed.batches = [*map(run, parsed.batches)]
            return parsed

    def model_for(self, names: Iterable[str]) -> str:
        """The model of rows with these names that name none. Raises AmbiguousModel."""
        return self._chooser()(dict.fromkeys(names))

    def _chooser(self) -> Choose:
        """What tells, within one request, the model of a row that names none."""
        from_names: dict[tuple[str, ...], str | CallerFault] = {}
        dispatch: list[Dispatch] = []  # one, and only where a row isn't plainly one of the default model's

        def choose(item: Mapping[str, Any]) -> str:
            features = item.get("features")
            names = (*item, *features) if isinstance(features, dict) else tuple(item)
            found = from_names.get(names)
            if found is None:
                default = self._artefact(self._default_model)
                found = default.name if fits_model(item, default) else self._dispatched(names, dispatch)
                from_names[names] = found
            if isinstance(found, CallerFault):
                raise found.with_traceback(None)
            return found

        return choose

    def _dispatched(self, names: Sequence[str], dispatch: list[Dispatch]) -> str | CallerFault:
        """The model of a row with these names, or that there is no telling. dispatch: filled where it is empty."""
        if not dispatch:
            from riskscore.scoring.dispatch import Dispatch, Fields

            own = {self._default_model: Fields(self._artefact(self._default_model).manifest)}
            dispatch.append(Dispatch(self._default_model, {**own, **self._fields()}))
        try:
            return dispatch[0].model_of(names)
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
