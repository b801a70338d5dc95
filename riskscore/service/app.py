"""The HTTP service: an ASGI application around the engine, with the routes that the function has, and more.

Every request passes here: its id, its key, its size and its time are checked before anything else happens. Scoring
leaves FastAPI aside, since the contract is the validation; the pages are FastAPI's.
"""

from __future__ import annotations

import asyncio
import gc
import os
import time
from typing import TYPE_CHECKING

from riskscore.errors import (
    CallerFault,
    InternalError,
    RequestTooSlow,
    RiskscoreError,
    TookTooLong,
    status,
    status_of,
)
from riskscore.fault_log import report
from riskscore.scoring.events import Refused
from riskscore.service import access_log
from riskscore.service.csv_tables import (
    names_of_table,
    refusal_of,
    rows_of_table,
    score_table,
    table_of_answers,
)
from riskscore.service.json_codec import encode_answer, parse_body
from riskscore.service.ledger_writer import LedgerWriter
from riskscore.service.metrics import Metrics
from riskscore.service.openapi import served
from riskscore.service.page_views import Page
from riskscore.service.pages import CALLER, REQUEST_ID, page_app
from riskscore.service.requests import PEOPLE, BodyBudget, ClientDisconnected, Request, read_body, send_answer
from riskscore.service.settings import ServiceSettings, with_ledger
from riskscore.service.workers import CountedEngine, Lookup, WouldWait, in_thread, threads_for
from riskscore.serving.deployment import Deployment
from riskscore.serving.http_routes import Answer, Routes, encode
from riskscore.serving.model_info import ModelInfo

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from riskscore.scoring.engine import Engine
    from riskscore.service.requests import Message, Receive, Send

    Application = Callable[[Message, Receive, Send], Awaitable[None]]

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
INLINE_BYTES = 4096  # a larger body is scored beside the server's thread: it would keep the others waiting
BODIES = 4  # of the largest, that are held at once
JSON = {"content-type": "application/json"}


class Service:
    """The ASGI application."""

    def __init__(
        self,
        model_info: ModelInfo,
        engine: Engine,
        lookup: Lookup,
        metrics: Metrics,
        settings: ServiceSettings,
        ledger_writer: LedgerWriter | None = None,
    ) -> None:
        self._describe = model_info
        self._engine = engine
        self._lookup = lookup
        self._metrics = metrics
        self._settings = settings
        self._room = BodyBudget(BODIES * settings.body_bytes)
        self._routes = Routes(engine, model_info, settings.body_bytes, parse=parse_body, encode=encode_answer)
        ledger = ledger_writer.ledger if ledger_writer else None
        page = Page(model_info, ledger.recent if ledger else lambda *_: [])
        self._ledger_writer = ledger_writer
        self._page_app = page_app(model_info, engine, self._routes, metrics, page, ledger)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            self._lookup.serve_on_this_thread()
            if self._ledger_writer:
                self._ledger_writer.serve_on_this_thread()
            freeze_loaded_objects()
            await self._page_app(scope, receive, send)
            return
        request = Request(scope)
        try:
            answer = await self._answered(request, receive)
        except ClientDisconnected:
            return
        finally:
            self._room.give_back(request.held)
        await send_answer(send, request, answer)
        seconds = time.perf_counter() - request.started
        route = request.route()
        self._metrics.request(route, answer.status, seconds)
        access_log.request(request, route, answer.status, seconds)

    async def _answered(self, request: Request, receive: Receive) -> Answer:
        try:
            async with asyncio.timeout(self._settings.seconds):
                request.admit(self._settings)
                request.body = await read_body(request, receive, self._settings.body_bytes, self._room)
                request.whole = True
                return await self._handled(request)
        except ClientDisconnected:
            raise
        except TimeoutError:
            said = f"the request took longer than {self._settings.seconds:g} s"
            return refused(TookTooLong(said) if request.whole else RequestTooSlow(f"{said} to arrive"))
        except RiskscoreError as error:
            return refused(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer and we get told
            report(error)
            return refused(InternalError("the request could not be answered"))

    async def _handled(self, request: Request) -> Answer:
        if request.path in PEOPLE:
            return await self._by_page_app(request)
        threads = threads_for(len(request.body))
        if request.is_table():
            return await in_thread(self._table, request, threads=threads)
        if len(request.body) <= INLINE_BYTES:
            try:
                return await self._at_once(request)
            except WouldWait:
                pass
        return await in_thread(self._routed, request, threads=threads)

    async def _at_once(self, request: Request) -> Answer:
        """The answer to a small request once the ledger has its rows, or the one that was given to it before."""
        answer = self._routed(request)
        rows = self._ledger_writer.queued_rows() if self._ledger_writer else ()
        if self._ledger_writer and rows:
            try:
                known = await self._ledger_writer.kept(rows)
            except CallerFault as error:  # a conflict
                known = Refused(error).answer()
            except Exception as error:  # noqa: BLE001 - no answer leaves without its rows, whatever the reason
                return self._routes.refusal(error)
            if known is not None:
                return self._routes.instead(answer, known)
        return answer

    def _routed(self, request: Request) -> Answer:
        return self._routes.handle(
            request.method, request.path, request.headers, request.body, request.id, request.caller
        )

    def _table(self, request: Request) -> Answer:
        """A CSV scored; it comes back as CSV, or as JSON where the client accepts that alone."""
        name = request.path.removeprefix("/models/").removesuffix("/predict")
        try:
            if request.path == "/predict":
                name = self._engine.model_for(names_of_table(request.body))
            model = self._describe.find(name)
            rows = rows_of_table(request.body, model)
            answers = score_table(rows, model, lambda event: self._engine.answer(event, request.id, request.caller))
        except CallerFault as error:
            return refused(error)
        if refusal := refusal_of(answers):
            return Answer(status_of(refusal["type"]), JSON, encode(answers[0]))
        accepted = request.headers.get("accept", "")
        if "application/json" in accepted and "text/csv" not in accepted:
            return Answer(200, JSON, encode(answers))
        return Answer(200, {"content-type": "text/csv; charset=utf-8"}, table_of_answers(answers, rows, model))

    async def _by_page_app(self, request: Request) -> Answer:
        """What FastAPI makes of the request, whole."""
        answer, body = Answer(500, {}, b""), bytearray()

        async def receive() -> Message:
            return {"type": "http.request", "body": request.body, "more_body": False}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            else:
                body.extend(message.get("body", b""))

        await self._page_app({**request.scope, CALLER: request.caller, REQUEST_ID: request.id}, receive, send)
        answer.body = bytes(body)
        return answer


def freeze_loaded_objects() -> None:
    """Let the collector of garbage leave alone what was loaded: looking through all of it takes 40 ms each time."""
    gc.collect()
    gc.freeze()


def refused(error: RiskscoreError) -> Answer:
    """An error as every route answers it."""
    return Answer(status(error), JSON, encode({"error": error.answer()}))


def from_environment(environ: Mapping[str, str] = os.environ, root: str = ROOT) -> Service:
    """The service of an environment, every model checked and loaded; what the server's processes start with."""
    deployment = Deployment(with_ledger(environ, root), root)
    deployment.engine()  # a broken default model stops the start
    metrics, lookup, ledger = Metrics(), Lookup(deployment), deployment.ledger()
    ledger_writer = LedgerWriter(ledger) if ledger else None
    kept = (ledger_writer.record, ledger_writer.recall) if ledger_writer else ()
    engine = CountedEngine(metrics, deployment.find, deployment.default_model, lookup, *kept, fields=deployment.fields)
    events = os.path.join(root, "events")
    model_info = ModelInfo(deployment.find, deployment.names, deployment.default_model, events)
    for model in served(model_info):
        model.prepare()
    return Service(model_info, engine, lookup, metrics, ServiceSettings.from_environ(environ), ledger_writer)
