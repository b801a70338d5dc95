"""The rows of a table as a feature query is given them: narrowed, renamed, cast; and those that it can't be given."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from psycopg import sql

from riskscore.database.columns import TEXTS, WANTED, among
from riskscore.errors import QueryFailed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from riskscore.database.catalogue import Column, Table
    from riskscore.database.columns import Cast

FAULT = "data_fault"
WRONG_TYPES = ("42883", "42804", "42846", "42725", "42P18")  # no such operator, function or cast for these types


class Reading(NamedTuple):
    """A table, and the casts that make its columns what the query reads."""

    table: Table
    casts: Mapping[str, Cast]

    def column(self, name: str) -> Column:
        """The column as the query sees it. Raises QueryFailed where the table has none of that name."""
        column = self.table.column(name)
        return column._replace(kind=WANTED[name]) if name in self.casts else column

    def is_written(self, name: str) -> bool:
        """Whether the column is one of dates written as text, so that one day may be written in several ways."""
        return name in self.casts and self.table.column(name).kind in TEXTS

    def untested(self) -> str | None:
        """The column whose cast may fail, for no server of this version can tell beforehand."""
        return next((name for name, cast in self.casts.items() if not cast.reason), None)

    def rows(
        self, conditions: Sequence[sql.Composable] = (), order: Sequence[str] = (), limit: int | None = None
    ) -> sql.Composed:
        """The rows of the table, or of some, that the query can be given, under our names for the columns."""
        given = self._given(conditions, order, limit)
        if not self.casts:
            return given
        columns = [
            sql.SQL("{} AS {}").format(self.casts[name].value, sql.Identifier(name))
            if name in self.casts
            else sql.Identifier(name)
            for name in self.table.columns
        ]
        sound = [cast.sound for cast in self.casts.values()]
        return sql.SQL("SELECT {} FROM ({}) given WHERE {}").format(
            sql.SQL(", ").join(columns), given, sql.SQL(" AND ").join(sound)
        )

    def faulty(
        self,
        columns: Sequence[str],
        conditions: Sequence[sql.Composable] = (),
        order: Sequence[str] = (),
        limit: int | None = None,
    ) -> Iterator[sql.Composed]:
        """A query of the other rows, the columns and the reason, where there can be any."""
        if any(cast.reason for cast in self.casts.values()):
            reasons = [
                sql.SQL("WHEN NOT {} THEN {}").format(cast.sound, sql.Literal(cast.reason))
                for cast in self.casts.values()
                if cast.reason
            ]
            names, given = map(sql.Identifier, columns), self._given(conditions, order, limit)
            yield sql.SQL("SELECT * FROM (SELECT {}, CASE {} END AS {} FROM ({}) given) f WHERE {} IS NOT NULL").format(
                *(sql.SQL(", ").join(names), sql.SQL(" ").join(reasons), sql.Identifier(FAULT), given),
                sql.Identifier(FAULT),
            )

    def _given(self, conditions: Sequence[sql.Composable], order: Sequence[str], limit: int | None) -> sql.Composed:
        """The table's rows as they are. Conditions and order are in the table's own names."""
        renamed = [
            sql.SQL("{} AS {}").format(sql.Identifier(column.name), sql.Identifier(our))
            for our, column in self.table.columns.items()
        ]
        names = sql.SQL(", ").join(renamed)
        query: sql.Composable = sql.SQL("SELECT {} FROM {}").format(names, self.table.identifier)
        if conditions:
            query += sql.SQL(" WHERE {}").format(sql.SQL(" AND ").join(conditions))
        if limit is not None:
            by = sql.SQL(", ").join(map(sql.Identifier, order))
            query += sql.SQL(" ORDER BY {} LIMIT {}").format(by, sql.Literal(limit))
        return sql.SQL("{}").format(query)


def narrowed(
    reading: Reading, keys: Sequence[Mapping[str, str]], ids: Sequence[str]
) -> tuple[list[sql.Composed], dict[str, Any]]:
    """The conditions for some keys: all columns of the index where every key has them, else the customers alone."""
    parameters = {
        name: sorted({key[name] for key in keys})
        for name in ids
        if name == ids[0] or (not reading.is_written(name) and all(name in key for key in keys))
    }
    return [among(reading.table.column(name), name) for name in parameters], parameters


@contextmanager
def explained(reading: Reading) -> Iterator[None]:
    """Name the table in what PostgreSQL refuses, and the columns with their types where it may be about them."""
    try:
        yield
    except QueryFailed as error:
        table, said = reading.table, ""
        if error.sqlstate in WRONG_TYPES or error.sqlstate == "42703":
            said = table.described()
        elif error.sqlstate.startswith("22") and (name := reading.untested()):
            said = f"it reads column {name}, which is {table.columns[name].type}, as {WANTED[name]}; a value may not be"
        elif error.sqlstate == "42501":
            said = f"it reads {table.shown}"
        raise QueryFailed(f"{error.message}; {said}" if said else error.message, None, error.sqlstate) from None
