"""Prints a scorecard's table, or the scorecard as one SQL query for a table of features."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from riskscore.artefact.artefact import list_models, open_artefact
from riskscore.cli import DONE, ROOT, model_argument, parsed, require_model
from riskscore.commands.card import FILE, read_card
from riskscore.errors import InvalidFile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from riskscore.model_card.document import Table


def main(arguments: Sequence[str], _: Mapping[str, str]) -> int:
    """Print it; nothing is opened but the model's folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    model_argument(parser, help="a model of the family scorecard")
    parser.add_argument("--sql", metavar="TABLE", help="print the query for this table or view, e.g. risk.features")
    parser.add_argument("--models", type=Path, metavar="DIR", default=ROOT / "model", help="folder of models")
    options = parsed(parser, arguments)
    require_model(options.model, list_models(str(options.models)), options.models)
    artefact = open_artefact(str(options.models / options.model))
    if options.sql:
        from riskscore.scoring.scorecard_sql import query

        document = json.loads(artefact.contents.get("model.json", b"{}"))
        print(query(artefact, document, options.sql), end="")
    else:
        print(_table(read_card(options.models / options.model / FILE, artefact.manifest)))
    return DONE


def _table(card: Mapping[str, Any]) -> str:
    """The card's table as aligned text."""
    from riskscore.model_card.scorecard import scorecard

    section = scorecard(card, {})
    if section is None:
        raise InvalidFile(f"{card['model']} is no scorecard, and has no table of one")
    words, table = cast("tuple[str, Table]", section.blocks)
    lines = [[cell.replace("`", "") for cell in line] for line in (table.header, *table.rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    aligned = ([str.ljust] * table.words + [str.rjust] * len(widths))[: len(widths)]
    rows = [
        "  ".join(align(cell, width) for align, cell, width in zip(aligned, line, widths, strict=True))
        for line in lines
    ]
    return "\n".join([*map(str.rstrip, rows), "", words])
