"""What a table looks like in its database: its schema, its columns, their types.

PostgreSQL's own words about a missing table or a wrong type can quote data; the catalogue holds none.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from psycopg import sql

from riskscore.errors import ArtefactRefused, QueryFailed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from riskscore.database.connection import Database

SHOWN = 20  # columns in a message
PART = r'(?:"(?:[^"]|"")+"|[^".]+)'
TABLE = re.compile(rf"(?:({PART})[.])?({PART})")
TOKENS = re.compile(
    r"""--[^\n]* | /[*].*?[*]/ | '(?:[^']|'')*'
    | (?P<quoted>"(?:[^"]|"")*") | (?P<name>[^\W\d][\w$]*) | (?P<dot>[.])""",
    re.DOTALL | re.VERBOSE,
)

# A domain counts as what it is made of. Names are compared as they stand, then as SQL folds what has no quotes.
CATALOGUE = sql.SQL("""
WITH RECURSIVE found AS (
    SELECT c.oid, n.nspname, c.relname
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p')
        AND c.relname = ANY(%(table)s)
        AND CASE WHEN %(schema)s::text[] IS NULL THEN pg_catalog.pg_table_is_visible(c.oid)
            ELSE n.nspname = ANY(%(schema)s) END
    ORDER BY c.relname = (%(table)s::text[])[1] DESC, n.nspname = (%(schema)s::text[])[1] DESC
    LIMIT 1
),
columns AS (
    SELECT found.*, a.attname, a.attnum, a.atttypid AS type
    FROM found JOIN pg_catalog.pg_attribute AS a ON a.attrelid = found.oid AND a.attnum > 0 AND NOT a.attisdropped
        AND pg_catalog.has_column_privilege(found.oid, a.attnum, 'SELECT')
    UNION ALL
    SELECT columns.oid, nspname, relname, attname, attnum, t.typbasetype
    FROM columns JOIN pg_catalog.pg_type AS t ON t.oid = columns.type AND t.typtype = 'd'
)
SELECT columns.nspname::text AS schema, columns.relname::text AS table, columns.attname::text AS name,
    t.typname::text AS kind, pg_catalog.format_type(columns.type, -1) AS type,
    pg_catalog.obj_description(columns.oid, 'pg_class') AS comment,
    pg_catalog.current_setting('server_version_num')::int AS version
FROM columns JOIN pg_catalog.pg_type AS t ON t.oid = columns.type AND t.typtype <> 'd'
ORDER BY columns.attnum
""")


class Column(NamedTuple):
    """name: the database's. kind: the name of its type in the catalogue, as int8. type: as SQL takes it, as bigint."""

    name: str
    kind: str
    type: str


class Table(NamedTuple):
    """shown: as messages name it. columns: those that the role may read, by our names, in their order.

    comment: what the database says of it. version: the server's, as 160004.
    """

    shown: str
    identifier: sql.Identifier
    columns: Mapping[str, Column]
    comment: str
    version: int

    def described(self) -> str:
        """The table with its columns and their types, for a message."""
        listed = [f"{name} {column.type}" for name, column in self.columns.items()]
        more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
        return f"{self.shown} has {', '.join(listed[:SHOWN])}{more}"

    def column(self, name: str) -> Column:
        """The column of that name. Raises QueryFailed where the table has none."""
        if name not in self.columns:
            said = f"{self.described()}; source.aliases of model.toml can give a column another name"
            raise QueryFailed(f"column {name} is missing, or the role may not read it: {said}", name)
        return self.columns[name]


def find_table(database: Database, name: str, aliases: Mapping[str, str]) -> Table:
    """The table, view or partitioned table of that name, `ledgers` or `core.ledgers`. Raises QueryFailed."""
    schema, table = _parts(name)
    rows = database.read(CATALOGUE, {"schema": _spellings(schema) if schema else None, "table": _spellings(table)})
    if not rows:
        raise QueryFailed(f"table {name} doesn't exist in this database, or the role may not read it")
    columns: dict[str, Column] = {}
    for row in rows:
        our = aliases.get(row["name"], row["name"])
        if our in columns:
            raise QueryFailed(f"{name}: column {our} appears twice, once by source.aliases of model.toml", our)
        columns[our] = Column(row["name"], row["kind"], row["type"])
    identifier = sql.Identifier(rows[0]["schema"], rows[0]["table"])
    return Table(name, identifier, columns, rows[0]["comment"] or "", rows[0]["version"])


@lru_cache(maxsize=16)
def name_in_query(name: str, text: str, file: str) -> sql.Identifier:
    """How the query calls the table, for the CTE that takes its place. Raises ArtefactRefused where it reads no such.

    No CTE can take the place of a table that is named with its schema.
    """
    spellings = _spellings(_parts(name)[1])
    before, qualified = "", ""
    for token in _tokens(text):
        if token in spellings and before != ".":
            return sql.Identifier(token)
        if token in spellings:
            qualified = token
        before = token
    if qualified:
        said = f"name {qualified} without its schema there, and with it as source.table in model.toml"
        raise ArtefactRefused(f"{file}: {said}; otherwise the query can't select customers")
    raise ArtefactRefused(f"{file} doesn't read {name}, which is source.table in model.toml")


def _tokens(text: str) -> Iterator[str]:
    """The names in a query, as PostgreSQL understands them, and its dots; neither comments nor texts."""
    for token in TOKENS.finditer(text):
        if token["quoted"]:
            yield token["quoted"][1:-1].replace('""', '"')
        elif token["name"]:
            yield token["name"].lower()
        elif token["dot"]:
            yield "."


def _parts(name: str) -> tuple[str | None, str]:
    """Schema and table; each may stand in double quotes, where it holds a dot."""
    match = TABLE.fullmatch(name)
    if match is None:
        raise ArtefactRefused("source.table in model.toml must be a table or schema.table, as in core.ledgers")
    return match[1], match[2]


def _spellings(part: str) -> list[str]:
    """The names that a part may stand for, the likelier first."""
    if part.startswith('"'):
        return [part[1:-1].replace('""', '"')]
    return list(dict.fromkeys((part, part.lower())))
