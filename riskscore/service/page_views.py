"""The page for people: the form, its answer, a file to score, the recent scores. It needs no JavaScript."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from riskscore.errors import LedgerUnavailable, RiskscoreError
from riskscore.service.batch_view import batch
from riskscore.service.card_files import has_card
from riskscore.service.forms import Field, event_of, fields, rules_of, written
from riskscore.service.openapi import plain, served
from riskscore.service.result_view import TRY, before_of, has_points, percent, result

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from riskscore.scoring.model import Model
    from riskscore.serving.model_info import ModelInfo

FOLDER = Path(__file__).resolve().parent / "page"
SECURITY = {
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "referrer-policy": "same-origin",  # with no-referrer a form of ours would come from the origin `null`
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}
RECENT = 10  # scores of the ledger that are shown


class Page:
    """Renders the page, for a caller where keys are asked for.

    recent: a caller's last scores of the ledger, newest first; none where there is no ledger.
    """

    def __init__(self, model_info: ModelInfo, recent: Callable[[int, str | None], Sequence[Mapping[str, Any]]]) -> None:
        self._describe = model_info
        self._recent = recent
        self._templates = Environment(
            loader=FileSystemLoader(FOLDER),
            autoescape=select_autoescape(["html"]),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters["plain"] = plain
        self._templates.policies["json.dumps_kwargs"] = {"sort_keys": False, "ensure_ascii": False}  # as it was written

    def model(self, name: str | None) -> Model:
        """The model that the page shows. Raises UnknownModel."""
        return self._describe.find(name or self._describe.default_model)

    def empty(self, model: Model, caller: str | None = None) -> str:
        """The form with an example filled in."""
        example = next(iter(self._describe.examples(model).values()))
        texts = {name: example.get(name, "") for name in model.artefact.manifest["ids"]}
        given = example.get("features", example)  # a flat event has them beside the ids
        asked = (feature for feature in model.contract.features if feature.name not in rules_of(model))
        texts |= {feature.name: written(feature, given.get(feature.name)) for feature in asked}
        return self.rendered(model, fields(model, texts, {}), caller=caller)

    def answered(
        self,
        model: Model,
        form: Mapping[str, str],
        answer: Callable[[Any], Any],
        caller: str | None = None,
        request_id: str = "",
    ) -> tuple[int, str]:
        """The status and the page for a form that was sent. answer: scores an event; request_id: as the ledger has it,

        "" without one."""
        event, errors = event_of(model, form)
        recorded = TRY not in form
        if recorded and not errors:
            found = answer(event)
            found = found[0] if isinstance(found, list) else found  # as the model's clients want it
            if found.get("outcome") == "invalid":
                errors[found["error"]["field"] or ""] = found["error"]["message"]
        shown = None if errors else result(model, event, recorded, before_of(form))
        if shown and recorded:
            shown["request_id"] = request_id
        page = self.rendered(model, fields(model, form, errors), shown, errors.get("", ""), caller=caller)
        return (422 if errors else 200), page

    def rendered(
        self,
        model: Model,
        entries: tuple[list[Field], list[Field]],
        shown: Mapping[str, Any] | None = None,
        error: str = "",
        upload_error: str = "",
        caller: str | None = None,
    ) -> str:
        """The page. entries: fields of the row's ids, and of its features."""
        faulty = [field for group in entries for field in group if field.error]
        return self._templates.get_template("page.html").render(
            model=model,
            description=model.artefact.manifest.get("description", ""),
            models=[other.name for other in served(self._describe)],
            ids=entries[0],
            features=entries[1],
            result=shown,
            error=error,
            upload_error=upload_error,
            faulty=faulty,
            recent=self._recent_rows(caller),
            has_card=has_card(model.artefact),
        )

    def scored(self, model: Model, answers: Sequence[Mapping[str, Any]], rows: Sequence[Any], table: bytes) -> str:
        """What became of a file of rows. answers: in our fields; table: the same as CSV, to be downloaded."""
        shown = batch(model, answers, rows, table)
        return self._templates.get_template("batch.html").render(model=model, batch=shown)

    def _recent_rows(self, caller: str | None) -> list[dict[str, str]]:
        """The table of recent scores; empty where the ledger is out of reach, which a score would say, not a form."""
        try:
            return [_recent_row(row, self._has_points(row["model"])) for row in self._recent(RECENT, caller)]
        except LedgerUnavailable:
            return []

    def _has_points(self, name: str | None) -> bool:
        """Whether points are shown of a model that has scored once, and may be gone by now."""
        try:
            return name is not None and has_points(self._describe.find(name))
        except RiskscoreError:
            return True

    def docs(
        self, document: Mapping[str, Any], base: str, path: str = "", tried: Mapping[str, str] | None = None
    ) -> str:
        """The OpenAPI document for people, with a form to try each model, of which one is unfolded.

        base: the address that was asked; path: what to unfold, the first if there is no such path; tried: its answer.
        """
        return self._templates.get_template("docs.html").render(
            document=document,
            operations=_operations(document),
            default=f"/models/{self._describe.default_model}/predict",
            base=base,
            unfolded=path if path in document["paths"] else next(iter(document["paths"])),
            tried=tried,
        )

    def message(self, title: str, text: str) -> str:
        """A page that says one thing."""
        return self._templates.get_template("message.html").render(title=title, text=text)


def _operations(document: Mapping[str, Any]) -> list[tuple[str, str, Mapping[str, Any]]]:
    """(method, path, operation) of the document, in its order."""
    return [(method, path, said) for path, methods in document["paths"].items() for method, said in methods.items()]


def _recent_row(row: Mapping[str, Any], with_points: bool = True) -> dict[str, str]:
    """A row of the ledger in words. A score without its probability is one that a purge has erased."""
    erased = row["outcome"] != "invalid" and row["probability"] is None
    return {
        "time": row["time"][:19].replace("T", " "),
        "whose": ", ".join(row["ids"].values()) or "-",
        "model": row["model"] or "-",
        "outcome": "erased" if erased else row["outcome"],
        "percent": "" if row["probability"] is None else percent(row["probability"]),
        "points": str(row["points"]) if with_points and row["points"] is not None else "",
    }
