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

from riskscore.database.catalogue import find_table, name_in_query
from riskscore.database.columns import casts_of, differs, id_text, same
from riskscore.database.reading import FAULT, WRONG_TYPES, Reading, explained, narrowed
from riskscore.errors import ArtefactRefused, InvalidFile, QueryFailed, UnknownCustomer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from riskscore.database.connection import Database

UNREAD_SHARE = "unread_share"  # a column that a feature query may yield, as FAULT


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
        self.file = str(source.get("sql", "the feature query"))
        self.aliases: Mapping[str, str] = source.get("aliases") or {}
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

        A key without a snapshot date names the customer's only row. Ids are compared as their columns compare them.
        """
        reading = self._reading(database, self.table)
        spelt = [self._spelt(reading, key) for key in keys]
        known = [key for key in spelt if key]
        rows: dict[str | None, list[FeatureRow]] = {}
        for row in self._rows(database, reading, *narrowed(reading, known, self.ids)) if known else ():
            rows.setdefault(_spelling(reading, self.ids[0], row.ids), []).append(row)
        return [self._match(reading, *pair, rows) for pair in zip(keys, spelt, strict=True)]

    def stream(
        self, database: Database, customers: Sequence[str] | None = None, limit: int | None = None
    ) -> Iterator[FeatureRow]:
        """All rows of the table, or those of some customers, or the first `limit`, with flat memory."""
        reading = self._reading(database, self.table)
        conditions: list[sql.Composed] = []
        parameters: dict[str, Any] = {}
        if customers is not None:
            keys = [self._spelt(reading, {self.ids[0]: customer}) for customer in customers]
            conditions, parameters = narrowed(reading, [key for key in keys if key], self.ids[:1])
        yield from self._rows(database, reading, conditions, parameters, limit, database.stream)

    def has_history(self, database: Database) -> bool:
        """Whether any customer has more than one row."""
        table = self._reading(database, self.table).table
        query = sql.SQL("SELECT 1 AS found FROM {} GROUP BY {} HAVING count(*) > 1 LIMIT 1")
        customer = sql.Identifier(table.column(self.ids[0]).name)
        with explained(Reading(table, {})):
            return bool(database.read(query.format(table.identifier, customer)))

    def training_rows(self, database: Database) -> Iterator[tuple[FeatureRow, Any]]:
        """The rows of the training table with their labels, in the order of their ids, faulty ones last."""
        reading = self._reading(database, self.training_table)
        for name in (*self.ids, self.target):
            reading.table.column(name)
        ids = sql.SQL(", ").join(map(sql.Identifier, self.ids))
        query: sql.Composed = sql.SQL(
            "WITH {name} AS ({rows}) SELECT f.*, t.{target} FROM ({body}) f"
            " JOIN (SELECT {ids}, {target} FROM ({rows}) r) t USING ({ids}) ORDER BY {ids}"
        ).format(name=self._name(), rows=reading.rows(), target=sql.Identifier(self.target), body=self._body(), ids=ids)
        with explained(reading):
            for record in database.stream(query, {}):
                label = record.pop(self.target)
                yield self._row(record), label
            for query in reading.faulty((*self.ids, self.target)):
                for record in database.stream(query, {}):
                    label = record.pop(self.target)
                    yield self._faulty(record), label

    def _rows(
        self,
        database: Database,
        reading: Reading,
        conditions: Sequence[sql.Composable],
        parameters: Mapping[str, Any],
        limit: int | None = None,
        run: Callable[..., Iterable[dict[str, Any]]] | None = None,
    ) -> Iterator[FeatureRow]:
        """The feature rows of the rows that meet the conditions, and then those that the query can't be given."""
        order = [reading.table.column(name).name for name in self.ids] if limit is not None else ()
        rows = reading.rows(conditions, order, limit)
        query = sql.SQL("WITH {} AS ({}) SELECT * FROM ({}) f").format(self._name(), rows, self._body())
        run = run or database.read
        with explained(reading):
            yield from map(self._row, run(query, parameters))
            ids = [name for name in self.ids if name in reading.table.columns]
            for query in reading.faulty(ids, conditions, order, limit):
                yield from map(self._faulty, run(query, parameters))

    def _reading(self, database: Database, name: str) -> Reading:
        """How the table is read, found out once per connection."""
        reading: Reading = database.remembered((name, self.text), lambda: self._found_out(database, name))
        return reading

    def _found_out(self, database: Database, name: str) -> Reading:
        """As it stands where the query takes that, else with its dates and transactions cast."""
        table = find_table(database, name, self.aliases)
        plain = Reading(table, {})
        if not differs(table):
            return plain
        tried = sql.SQL("WITH {} AS ({}) SELECT 1 AS one FROM ({}) f LIMIT 0")
        try:
            database.read(tried.format(self._name(), plain.rows(), self._body()), {})
            return plain
        except QueryFailed as error:
            if error.sqlstate not in WRONG_TYPES:
                raise
        return Reading(table, casts_of(table))

    def _name(self) -> sql.Identifier:
        return name_in_query(self.table, self.text, self.file)

    def _body(self) -> sql.SQL:
        # psycopg reads % even inside comments where parameters are passed
        return sql.SQL(self.text.replace("%", "%%"))

    def _spelt(self, reading: Reading, key: Mapping[str, str]) -> dict[str, str] | None:
        """The key with its ids as the table's columns compare them; None where one can't be in its column."""
        spelt = {name: same(reading.column(name), value) for name, value in key.items()}
        return None if None in spelt.values() else spelt  # type: ignore[return-value]

    def _match(
        self,
        reading: Reading,
        key: Mapping[str, str],
        spelt: Mapping[str, str] | None,
        rows: Mapping[str | None, Sequence[FeatureRow]],
    ) -> FeatureRow | UnknownCustomer:
        if not _on_calendar(key):
            return UnknownCustomer("snapshot_date must be an existing date", "snapshot_date")
        found = [
            row
            for row in (rows.get(spelt[self.ids[0]], ()) if spelt else ())
            if all(_spelling(reading, name, row.ids) == value for name, value in (spelt or {}).items())
        ]
        if len(found) == 1:
            return found[0]
        if found:
            return UnknownCustomer(f"the customer has {len(found)} rows; select one with {self.ids[-1]}", self.ids[-1])
        return UnknownCustomer(f"no row of {self.table} has this {' and '.join(key)}", self.ids[0])

    def _row(self, record: dict[str, Any]) -> FeatureRow:
        """Sort a record's columns into ids, features and observations. Raises InvalidFile where a column lacks."""
        lacking = [name for name in (*self.ids, *self.features) if name not in record]
        if lacking:
            raise InvalidFile(f"the feature query returns no column {lacking[0]}", lacking[0])
        fault = fault_of(record, self.source)
        for name in (FAULT, UNREAD_SHARE):
            record.pop(name, None)
        ids = {name: id_text(record.pop(name)) for name in self.ids}
        fault = fault or next((f"{name} is missing" for name, value in ids.items() if not value), None)
        features = {name: _plain(record.pop(name)) for name in self.features}
        return FeatureRow(ids, features, {name: _plain(value) for name, value in record.items()}, fault)

    def _faulty(self, record: Mapping[str, Any]) -> FeatureRow:
        """A row that the query can't be given, with the reason."""
        return FeatureRow({name: id_text(record.get(name)) for name in self.ids}, {}, {}, record[FAULT])


def _spelling(reading: Reading, name: str, ids: Mapping[str, str]) -> str:
    """The id as its column compares it; as it is where the query makes another of it."""
    return same(reading.column(name), ids[name]) or ids[name]


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
