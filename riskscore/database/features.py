"""Where a row's features come from when the event doesn't bring them: the model's own SQL.

One file defines the features for training, dumping and scoring. A CTE put in front of it that bears the
table's name narrows it to some customers, or points it at the training table; the file itself is never edited.
"""

from __future__ import annotations

import hashlib
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from psycopg import sql

from riskscore.errors import ArtefactRefused, InvalidFile, UnknownCustomer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from riskscore.database.connection import Database

FAULT, UNREAD_SHARE = "data_fault", "unread_share"  # columns that a feature query may yield


def fault_of(record: Mapping[str, Any], source: Mapping[str, Any]) -> str | None:
    """What is wrong with a row's own data, None where nothing is.

    Nothing is where source.tolerance allows for the share of its records that can't be read. A query that yields no
    share tolerates nothing.
    """
    share = record.get(UNREAD_SHARE)
    tolerated = share is not None and share <= source.get("tolerance", 0)
    return None if tolerated else record.get(FAULT)


class FeatureRow(NamedTuple):
    """One row of a feature query: ids, features by name, further observations, and what is wrong with the ledger."""

    ids: dict[str, str]
    features: dict[str, Any]
    observations: dict[str, Any]
    fault: str | None


class FeatureSource:
    """A model's query and the tables it reads.

    text: the SELECT of sql/<model>/features.sql as it stands. table: the table it reads; training_table: the
    one with the label. ids: the columns that identify a row, the customer first, then the snapshot date.
    """

    def __init__(self, text: str, source: Mapping[str, Any], ids: Sequence[str], features: Sequence[str]) -> None:
        self.text = text.strip().rstrip(";")
        self.table = str(source["table"])
        self.training_table = str(source.get("training_table", ""))
        self.target = str(source.get("target", ""))
        self.source = source
        self.ids = tuple(ids)
        self.features = tuple(features)

    @classmethod
    def from_file(
        cls,
        path: str,
        source: Mapping[str, Any],
        ids: Sequence[str],
        features: Sequence[str],
        sha256: str | None = None,
    ) -> FeatureSource:
        """Read the query; refuse one that is not the one the model was trained with."""
        try:
            with open(path, "rb") as file:
                text = file.read()
        except OSError as error:
            reason = error.strerror or "unknown reason"
            raise ArtefactRefused(f"{source['sql']}, the query of the features, can't be read: {reason}") from None
        digest = hashlib.sha256(text).hexdigest()
        if sha256 is not None and digest != sha256:
            raise ArtefactRefused(f"{source['sql']} has SHA-256 {digest}, but the model was trained with {sha256}")
        return cls(text.decode(), source, ids, features)

    def lookup(self, database: Database, keys: Sequence[Mapping[str, str]]) -> list[FeatureRow | UnknownCustomer]:
        """One row for each key, in their order; an UnknownCustomer in the place of a key that names none, or several.

        A key without a snapshot date names the customer's only row.
        """
        sound = [key for key in keys if _on_calendar(key)]
        rows = [self._row(record) for record in database.read(*self._narrowed(sound))] if sound else []
        return [self._match(key, rows) for key in keys]

    def stream(
        self, database: Database, customers: Sequence[str] | None = None, limit: int | None = None
    ) -> Iterator[FeatureRow]:
        """All rows of the table, or those of some customers, or the first `limit`, with flat memory."""
        conditions = () if customers is None else (self._among(self.ids[0], "customers"),)
        query: sql.Composed = sql.SQL("{} SELECT * FROM ({}) f").format(
            self._shadow(*conditions, limit=limit), self._body()
        )
        yield from map(self._row, database.stream(query, {"customers": list(customers or ())}))

    def has_history(self, database: Database) -> bool:
        """Whether any customer has more than one row."""
        query = sql.SQL("SELECT 1 AS found FROM {} GROUP BY {} HAVING count(*) > 1 LIMIT 1")
        return bool(database.read(query.format(sql.Identifier(self.table), sql.Identifier(self.ids[0]))))

    def training_rows(self, database: Database) -> Iterator[tuple[FeatureRow, Any]]:
        """The rows of the training table with their labels, in the order of their ids."""
        ids = sql.SQL(", ").join(map(sql.Identifier, self.ids))
        query: sql.Composed = sql.SQL(
            "WITH {table} AS (SELECT * FROM {training}) SELECT f.*, t.{target} FROM ({body}) f"
            " JOIN {training} t USING ({ids}) ORDER BY {ids}"
        ).format(
            table=sql.Identifier(self.table),
            training=sql.Identifier(self.training_table),
            target=sql.Identifier(self.target),
            body=self._body(),
            ids=ids,
        )
        for record in database.stream(query, {}):
            label = record.pop(self.target)
            yield self._row(record), label

    def _body(self) -> sql.SQL:
        # psycopg reads % even inside comments where parameters are passed
        return sql.SQL(self.text.replace("%", "%%"))

    def _shadow(self, *conditions: sql.Composable, limit: int | None = None) -> sql.Composed:
        """The CTE that narrows the table: `WITH t AS (SELECT * FROM t WHERE ...)`."""
        table = sql.Identifier(self.table)
        narrowed: sql.Composable = sql.SQL("SELECT * FROM {}").format(table)
        if conditions:
            narrowed += sql.SQL(" WHERE {}").format(sql.SQL(" AND ").join(conditions))
        if limit is not None:
            order = sql.SQL(", ").join(map(sql.Identifier, self.ids))
            narrowed += sql.SQL(" ORDER BY {} LIMIT {}").format(order, sql.Literal(limit))
        return sql.SQL("WITH {} AS ({})").format(table, narrowed)

    def _among(self, column: str, parameter: str) -> sql.Composed:
        return sql.SQL("{} = ANY({})").format(sql.Identifier(column), sql.Placeholder(parameter))

    def _narrowed(self, keys: Sequence[Mapping[str, str]]) -> tuple[sql.Composed, dict[str, Any]]:
        """The query for some keys: both columns of the index where every key has a date, else the customers alone."""
        customer, *others = self.ids
        parameters: dict[str, Any] = {customer: sorted({key[customer] for key in keys})}
        for column in others:
            if all(column in key for key in keys):
                parameters[column] = sorted({date.fromisoformat(key[column]) for key in keys})
        shadow = self._shadow(*(self._among(column, column) for column in parameters))
        return sql.SQL("{} SELECT * FROM ({}) f").format(shadow, self._body()), parameters

    def _match(self, key: Mapping[str, str], rows: Iterable[FeatureRow]) -> FeatureRow | UnknownCustomer:
        if not _on_calendar(key):
            return UnknownCustomer("snapshot_date must be a day of the calendar", "snapshot_date")
        found = [row for row in rows if all(row.ids[name] == value for name, value in key.items())]
        if len(found) == 1:
            return found[0]
        if found:
            return UnknownCustomer(f"the customer has {len(found)} rows; name one by {self.ids[-1]}", self.ids[-1])
        return UnknownCustomer(f"no row of {self.table} has this {' and '.join(key)}", self.ids[0])

    def _row(self, record: dict[str, Any]) -> FeatureRow:
        """Sort a record's columns into ids, features and observations. Raises InvalidFile where a column lacks."""
        lacking = [name for name in (*self.ids, *self.features) if name not in record]
        if lacking:
            raise InvalidFile(f"the feature query yields no column {lacking[0]}", lacking[0])
        fault = fault_of(record, self.source)
        for name in (FAULT, UNREAD_SHARE):
            record.pop(name, None)
        ids = {name: _plain(record.pop(name)) for name in self.ids}
        features = {name: _plain(record.pop(name)) for name in self.features}
        return FeatureRow(ids, features, {name: _plain(value) for name, value in record.items()}, fault)


def _on_calendar(key: Mapping[str, str]) -> bool:
    """Whether the key's snapshot date, if it has one, is a day that exists."""
    try:
        date.fromisoformat(key.get("snapshot_date", "2000-01-01"))
        return True
    except ValueError:
        return False


def _plain(value: Any) -> Any:
    """The value as JSON holds it."""
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, date) else value


def event(row: FeatureRow) -> dict[str, Any]:
    """The event that scores this row: what dumping writes, and what the function would have looked up itself."""
    return {**row.ids, "features": row.features, **{name: value for name, value in row.observations.items() if value}}
