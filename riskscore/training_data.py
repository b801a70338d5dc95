"""The rows that a model is trained on, from the model's own SQL or from a CSV file, every value checked.

A person's values never reach a message: it names the file, the line and the column.
"""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from psycopg import sql

from riskscore.errors import CallerFault, InvalidFile
from riskscore.tables import read_csv

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from riskscore.database import Database
    from riskscore.features import FeatureRow
    from riskscore.settings import Settings

LABELS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1}


@dataclass(frozen=True)
class TrainingData:
    """Rows in an order that depends on their content alone.

    matrix: float64 (n, features), NaN where missing. labels: int8 (n,). customers: whose row it is, or None.
    about: what the source says of its rows. notes: what was left out, in sentences.
    """

    names: tuple[str, ...]
    matrix: NDArray[np.float64]
    labels: NDArray[np.int8]
    customers: list[str] | None
    origin: str
    about: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def sha256(self) -> str:
        """Of the names, the matrix and the labels; the same whatever order or file the rows came in."""
        digest = hashlib.sha256("\n".join(self.names).encode())
        digest.update(self.matrix.astype("<f8").tobytes())
        digest.update(self.labels.astype("<i1").tobytes())
        return digest.hexdigest()


def from_database(settings: Settings, rows: Iterable[tuple[FeatureRow, Any]], about: str = "") -> TrainingData:
    """The rows of `FeatureSource.training_rows`. One with a data fault is left out and counted in the notes."""
    table = settings.source["training_table"]
    values, labels, customers = array("d"), array("b"), []
    faults: Counter[str] = Counter()
    for row, label in rows:
        if label not in (0, 1):
            raise InvalidFile(f"table {table}: {settings.source['target']} must be 0 or 1 in every row", "label")
        if row.fault is not None:
            faults[row.fault.rpartition(": ")[2]] += 1
            continue
        try:
            values.extend(settings.contract.vector(row.features))
        except CallerFault as error:
            raise InvalidFile(f"table {table}: a row breaks the contract: {error.message}", error.field) from None
        labels.append(int(label))
        customers.append(row.ids[settings.ids[0]])
    notes = [f"{count} rows left out, their ledgers are faulty: {fault}" for fault, count in sorted(faults.items())]
    return _sorted(settings, values, labels, customers, f"table {table}", about, notes)


def comment_of(table: str, database: Database) -> str:
    """What the database says of a table, "" where nobody commented on it."""
    query = sql.SQL("SELECT obj_description(to_regclass(%(table)s), 'pg_class') AS about")
    return str(database.read(query, {"table": f'"{table}"'})[0]["about"] or "")


def from_csv(settings: Settings, path: Path) -> TrainingData:
    """The contract's columns and the target, in any order; raises InvalidFile naming line and column."""
    contract, target, whose = settings.contract, settings.source["target"], settings.ids[0]
    values, labels, customers = array("d"), array("b"), []
    notes: list[str] = []
    for line, row in read_csv(path, contract, [target], settings.ids, notes.append):
        if isinstance(row, InvalidFile):
            raise row
        where = f"{path.name}, line {line}"
        try:
            values.extend(contract.vector({name: row[name] for name in contract.names}))
        except CallerFault as error:
            raise InvalidFile(f"{where}: {error.message}", error.field) from None
        labels.append(_label(where, target, row[target]))
        if whose in row:
            customers.append(row[whose])
    return _sorted(settings, values, labels, customers, f"file {path.name}", "", notes)


def _label(where: str, target: str, cell: str) -> int:
    if cell.strip() not in LABELS:
        raise InvalidFile(f"{where}: {target} must be 0 or 1", target)
    return LABELS[cell.strip()]


def _sorted(
    settings: Settings,
    values: array[float],
    labels: array[int],
    customers: list[str],
    origin: str,
    about: str,
    notes: list[str],
) -> TrainingData:
    """The rows sorted by their values and label, so that equal data give an equal model in whatever order they come."""
    names = settings.contract.names
    matrix = np.array(values, dtype=np.float64).reshape(-1, len(names)) + 0.0  # -0.0 becomes 0.0
    y = np.array(labels, dtype=np.int8)
    order = np.lexsort([y, *matrix.T[::-1]])
    data = TrainingData(
        names, matrix[order], y[order], [customers[k] for k in order] if customers else None, origin, about, notes
    )
    _check_classes(settings, data)
    return data


def _check_classes(settings: Settings, data: TrainingData) -> None:
    rows, positives = len(data.labels), int(data.labels.sum())
    if not rows:
        raise InvalidFile(f"{data.origin} has no rows to train on")
    rarer = min(positives, rows - positives)
    if not rarer:
        raise InvalidFile(f"{data.origin}: every row has label {data.labels[0]}; training needs both, 0 and 1")
    if rarer < settings.folds:
        raise InvalidFile(
            f"{data.origin}: {positives} of {rows} rows have label 1; {settings.folds} folds of the cross-validation"
            f" need at least {settings.folds} rows of each label"
        )


def broken_identities(data: TrainingData, identities: Iterable[Mapping[str, Any]], tolerance: float) -> dict[str, int]:
    """How many rows break each identity, relative to the size of its terms, as serving judges it."""
    column = {name: data.matrix[:, k] for k, name in enumerate(data.names)}
    counts = {}
    for identity in identities:
        terms = [factor * np.prod([column[name] for name in names], axis=0) for factor, *names in identity["terms"]]
        size = np.maximum(1.0, np.sum(np.abs(terms), axis=0))
        counts[identity["name"]] = int(np.sum(np.abs(np.sum(terms, axis=0)) > tolerance * size))
    return counts
