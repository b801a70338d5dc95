"""What people and operators get: the page, the upload, the API's page, readiness and the counters. FastAPI."""

from __future__ import annotations

import asyncio
import base64
import functools
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from riskscore.errors import (
    CallerFault,
    InvalidEvent,
    MethodNotAllowed,
    NotReady,
    OurFault,
    RiskscoreError,
    UnknownPath,
    status,
    status_of,
)
from riskscore.ledger.attached_rows import applicant_row
from riskscore.ledger.decisions import decide, decision_on
from riskscore.service.card_files import card_page
from riskscore.service.csv_tables import refusal_of, rows_of_table, score_table, table_of_answers
from riskscore.service.forms import fields
from riskscore.service.openapi import document
from riskscore.service.origins import URLENCODED, media_type
from riskscore.service.page_views import FOLDER, SECURITY, Page
from riskscore.service.workers import WATCHED, in_thread, threads_for
from riskscore.serving.http_routes import encode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from riskscore.ledger.ledger import Ledger
    from riskscore.scoring.engine import Engine
    from riskscore.scoring.model import Model
    from riskscore.service.metrics import Metrics
    from riskscore.serving.http_routes import Routes
    from riskscore.serving.model_info import ModelInfo

FILES = {"style.css": "text/css", "icon.svg": "image/svg+xml"}
READ = ["GET", "HEAD"]
CARD_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
FIELDS = 1_000  # of a form; a contract of so many features is far away
CALLER, REQUEST_ID = "riskscore.caller", "riskscore.request_id"  # in the scope of a request


def refusal(error: RiskscoreError) -> Response:
    """An error as every route answers it."""
    headers = {"allow": error.allowed} if isinstance(error, MethodNotAllowed) else None
    return Response(encode({"error": error.answer()}), status(error), headers, "application/json")


def page_app(
    model_info: ModelInfo, engine: Engine, routes: Routes, metrics: Metrics, page: Page, ledger: Ledger | None
) -> FastAPI:
    """The application behind the paths that are not scored."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.add_exception_handler(HTTPException, _refused_by_framework)
    app.add_exception_handler(RequestValidationError, _wrong_query)
    _add_form(app, engine, page)
    if ledger is not None:
        _add_decisions(app, page, ledger)
    _add_docs(app, model_info, routes, page)
    _add_files(app)

    @app.api_route("/ready", methods=READ)
    async def ready() -> Response:
        try:
            return Response(
                encode(await in_thread(_ready, model_info, ledger, threads=WATCHED)), media_type="application/json"
            )
        except OurFault as error:
            return refusal(NotReady(error.message))

    @app.api_route("/metrics", methods=READ)
    async def counters() -> Response:
        return Response(await in_thread(metrics.page, threads=WATCHED), media_type="text/plain; version=0.0.4")

    return app


def _ready(model_info: ModelInfo, ledger: Ledger | None) -> dict[str, Any]:
    if ledger is not None:
        ledger.check()
    return {"status": "ready", "models": {name: model_info.find(name).artefact.version for name in model_info.names()}}


async def _refused_by_framework(_: Request, error: Exception) -> Response:
    code, said = getattr(error, "status_code", 500), getattr(error, "headers", None) or {}
    if code == 405:
        return refusal(MethodNotAllowed(said.get("Allow", "")))
    if code == 404:
        return refusal(UnknownPath("no such path"))
    return refusal(
        InvalidEvent(f"the form can't be read: it is broken, has over {FIELDS:,} fields, or one of over 1 MB")
    )


async def _wrong_query(_: Request, error: Exception) -> Response:
    places = [fault["loc"] for fault in error.errors()] if isinstance(error, RequestValidationError) else []
    names = ", ".join(dict.fromkeys(str(place[-1]) for place in places))
    return refusal(InvalidEvent(f"the address must say {names} once, as in ?{names}=...", names))


def _add_form(app: FastAPI, engine: Engine, page: Page) -> None:
    @app.api_route("/", methods=READ)
    async def form(request: Request, model: str | None = None) -> Response:
        try:
            return _html(await in_thread(lambda: page.empty(page.model(model), request.scope[CALLER])))
        except RiskscoreError as error:
            return _html(page.message("No such model", error.message), status(error))

    @app.post("/")
    async def score(request: Request, model: str | None = None) -> Response:
        form = await _form(request)
        sent = {name: value for name, value in form.items() if isinstance(value, str)}
        return await in_thread(_guarded, page, lambda: _form_answer(page, engine, request, model, sent))

    @app.post("/upload")
    async def upload(request: Request, model: str | None = None) -> Response:
        form = await _form(request)
        table = form.get("file", b"")
        table = table if isinstance(table, bytes) else b""
        work = functools.partial(_upload_answer, page, engine, request, model, table, show="show" in form)
        return await in_thread(_guarded, page, work, threads=threads_for(len(table)))

    @app.post("/download")
    async def download(request: Request, model: str | None = None) -> Response:
        form = await _form(request)
        pieces = [form.get(f"scores{k}", "") for k in range(len(form))]
        return await in_thread(_guarded, page, lambda: _download(page.model(model), pieces))

    @app.api_route("/card", methods=READ)
    async def card(model: str | None = None) -> Response:
        return await in_thread(_guarded, page, lambda: _card(page.model(model)))


def _add_decisions(app: FastAPI, page: Page, ledger: Ledger) -> None:
    @app.post("/decide")
    async def decision(request: Request) -> Response:
        form = {name: value for name, value in (await _form(request)).items() if isinstance(value, str)}
        return await in_thread(_guarded, page, lambda: _decided(page, ledger, request.scope[CALLER], form))


def _decided(page: Page, ledger: Ledger, caller: str | None, form: Mapping[str, str]) -> Response:
    row = applicant_row(ledger, form.get("request", ""), None, caller or "")
    threshold, moment = page.model(row["model"]).threshold, datetime.now(UTC)
    decide(ledger, row, threshold, form.get("decision", ""), form.get("reason", ""), form.get("by", ""), moment)
    found = decision_on(ledger, row)
    against = f", against the score, which suggests to {found.suggested}" if found and found.overrides else ""
    return _html(page.message("Decision recorded", f"{form['decision'].capitalize()}{against}."))


async def _form(request: Request) -> dict[str, str | bytes]:
    """What a form says, text by text and file by file. Read beside the server's thread: a large one takes seconds."""
    body = await request.body()
    if media_type(request.headers) == URLENCODED and body.count(b"&") > FIELDS:
        raise HTTPException(400)  # the parser takes long over empty ones, and doesn't count them
    return await in_thread(lambda: asyncio.run(_read_form(request)), threads=threads_for(len(body)))


async def _read_form(request: Request) -> dict[str, str | bytes]:
    async with request.form(max_files=FIELDS, max_fields=FIELDS) as form:
        return {name: value.file.read() if isinstance(value, UploadFile) else value for name, value in form.items()}


def _guarded(page: Page, work: Callable[[], Response]) -> Response:
    """What a form's work gives, or a page that says why there is nothing."""
    try:
        return work()
    except RiskscoreError as error:
        return _html(page.message("This cannot be scored", error.message), status(error))


def _form_answer(page: Page, engine: Engine, request: Request, name: str | None, sent: Mapping[str, str]) -> Response:
    caller = request.scope[CALLER]
    kept_as = request.scope[REQUEST_ID] if engine.has_ledger else ""
    code, text = page.answered(
        page.model(name), sent, lambda event: engine.answer(event, *_who(request)), caller, kept_as
    )
    return _html(text, code)


def _card(model: Model) -> Response:
    found = card_page(model.artefact)
    if found is None:
        raise UnknownPath(f"{model.name} has no model card of the version that is served")
    return Response(found, 200, {**SECURITY, "content-security-policy": CARD_POLICY}, "text/html")


def _download(model: Model, pieces: Sequence[str | bytes]) -> Response:
    """The scores that the page of a file held, as the file that they are."""
    try:
        table = base64.b64decode("".join(piece for piece in pieces if isinstance(piece, str)), validate=True)
    except ValueError:
        raise InvalidEvent("the page's scores can't be read; score the file again", "scores0") from None
    return _csv(model, table)


def _csv(model: Model, table: bytes) -> Response:
    named = {**SECURITY, "content-disposition": f'attachment; filename="{model.name}_scores.csv"'}
    return Response(table, 200, named, "text/csv")


def _upload_answer(
    page: Page, engine: Engine, request: Request, name: str | None, table: bytes, show: bool
) -> Response:
    model = page.model(name)
    try:
        if not table:
            raise InvalidEvent("choose a file first", "file")
        rows = rows_of_table(table, model)
        answers = score_table(rows, model, lambda event: engine.answer(event, *_who(request)))
    except CallerFault as error:
        return _unscored(page, model, request, error.message, status(error))
    if refused := refusal_of(answers):
        return _unscored(page, model, request, refused["message"], status_of(refused["type"]))
    scores = table_of_answers(answers, rows, model)
    if not show:
        return _csv(model, scores)
    if model.artefact.manifest["response"].get("fields"):  # those of its clients may lack what a person has to see
        answers = engine.score(rows, {"model": model.name})
    return _html(page.scored(model, answers, rows, scores))


def _unscored(page: Page, model: Model, request: Request, message: str, code: int) -> Response:
    """The page, which says what is wrong with a table as a whole."""
    text = page.rendered(model, fields(model, {}, {}), upload_error=message, caller=request.scope[CALLER])
    return _html(text, code)


def _who(request: Request) -> tuple[str, str | None]:
    return request.scope[REQUEST_ID], request.scope[CALLER]


def _add_docs(app: FastAPI, model_info: ModelInfo, routes: Routes, page: Page) -> None:
    @app.api_route("/openapi.json", methods=READ)
    async def openapi() -> Response:
        return Response(encode(await in_thread(document, model_info)), media_type="application/json")

    @app.api_route("/docs", methods=READ)
    async def docs(request: Request, path: str = "") -> Response:
        return _html(await in_thread(lambda: page.docs(document(model_info), _base(request), path)))

    @app.post("/docs")
    async def attempt(request: Request, path: str) -> Response:
        said = (await _form(request)).get("body", "")
        body = said if isinstance(said, str) else ""
        answer = await in_thread(routes.handle, "POST", path, {}, body.encode(), *_who(request))
        shown = json.dumps(json.loads(answer.body), indent=1, ensure_ascii=False)
        tried = {"body": body, "status": str(answer.status), "answer": shown}
        return _html(await in_thread(lambda: page.docs(document(model_info), _base(request), path, tried)))


def _base(request: Request) -> str:
    return str(request.base_url).rstrip("/")


def _add_files(app: FastAPI) -> None:
    for name, media in FILES.items():
        content = (FOLDER / name).read_bytes()
        headers = {"cache-control": "max-age=300", "x-content-type-options": "nosniff"}
        answer = functools.partial(Response, content, 200, headers, media)
        app.add_api_route(f"/{name}", _file(answer), methods=READ)


def _file(answer: Callable[[], Response]) -> Callable[[], Any]:
    async def file() -> Response:
        return answer()

    return file


def _html(text: str, code: int = 200) -> Response:
    return HTMLResponse(text, code, SECURITY)
