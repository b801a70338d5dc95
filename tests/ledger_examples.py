"""What the tests of the ledger keep: answers of the small model, in a database of their own."""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

from riskscore.artefact.artefact import open_artefact
from riskscore.errors import UnknownModel
from riskscore.ledger.hash_chain import Verified, verify
from riskscore.ledger.ledger import Ledger
from riskscore.scoring.engine import Engine
from riskscore.scoring.model import Model
from tests.scoring_examples import nobody

if TYPE_CHECKING:
    from pathlib import Path

LOAN = {"loan_id": "L1", "amount": 1000.0, "term": 12, "secured": True}
LOANS = [
    LOAN,
    LOAN | {"loan_id": "L2", "amount": 2500.5, "secured": False},
    LOAN | {"loan_id": "L3", "late": 1},
    LOAN | {"loan_id": "L4", "amount": -1},
    {"loan_id": "L5", "colour": "red"},
    "no row at all",
]
OUTCOMES = ["scored", "scored", "refer", "invalid", "invalid", "invalid"]


def keeping(ledger: Ledger, model: Model) -> Engine:
    """An engine of one model whose answers the ledger keeps."""

    def find(name: str) -> Model:
        if name != model.name:
            raise UnknownModel("unknown model", "model")
        return model

    return Engine(find, model.name, nobody, ledger.record, ledger.recall)


def verified(ledger: Ledger, expected: str | None = None) -> Verified:
    """What verify says of the ledger."""
    with ledger.store.reading() as connection:
        return verify(connection, expected)


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite file."""
    return f"sqlite:///{path}"


def tamper(path: Path, *statements: tuple[str, tuple[Any, ...]]) -> None:
    """Change a SQLite ledger as somebody would who may write to the file: the triggers go first."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for name in ("riskscore_ledger_update", "riskscore_ledger_delete"):
            connection.execute(f"DROP TRIGGER IF EXISTS {name}")
        for statement, values in statements:
            connection.execute(statement, values)


def write_on(url: str, model_folder: str, name: str, count: int) -> None:
    """Answer loans and say of each that it was answered: what a worker does, until it is killed."""
    engine = keeping(Ledger(url, {}), Model(open_artefact(model_folder)))
    for k in range(count):
        answer = engine.answer(LOANS[:2], f"{name}-{k}")
        sys.stdout.write(json.dumps([f"{name}-{k}", answer]) + "\n")
        sys.stdout.flush()
