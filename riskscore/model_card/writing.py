"""The files of a card beside MODEL_CARD.md: card.json with the figures, and what people read of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from riskscore.model_card import html, pdf
from riskscore.model_card.aggregates import document
from riskscore.model_card.sections import sections

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from riskscore.model_card.document import Section

FORMS: dict[str, Callable[[str, Sequence[Section]], bytes]] = {".html": html.page, ".pdf": pdf.page}


def written(card: Mapping[str, Any], manifest: Mapping[str, Any]) -> dict[str, bytes]:
    """File name -> bytes: card.json, and the card in each of FORMS."""
    return {"card.json": document(card), **{f"card{form}": rendered(form, card, manifest) for form in FORMS}}


def rendered(form: str, card: Mapping[str, Any], manifest: Mapping[str, Any]) -> bytes:
    """The card in one of FORMS."""
    return FORMS[form](f"Model card: {manifest['model']} {manifest['version']}", sections(card, manifest))
