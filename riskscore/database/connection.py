"""The only place that opens a database to read it: read-only, time-limited, encrypted off this host.

It works behind a pooler too (PgBouncer, RDS Proxy), by sessions or by transactions: nothing is sent at the start of a
session, nothing outlives a transaction, and no statement is prepared.

PostgreSQL's own words about a failure can hold a person's data or the connection string, so they
never leave this module: an error names what was being done, and the SQLSTATE.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row
from psycopg.types.datetime import DateLoader
from psycopg.types.string import TextLoader

from riskscore.errors import DatabaseTimeout, DatabaseUnavailable, NotConfigured, OurFault, QueryFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
    from typing import Any

    from psycopg.abc import Buffer

    Query = sql.Composed | sql.SQL
    Parameters = Mapping[str, Any] | None

logging.getLogger("psycopg").setLevel(logging.CRITICAL)  # its warnings quote PostgreSQL's texts

CONNECT_SECONDS = 5
STATEMENT_SECONDS = 10.0
FETCH_ROWS = 500

# Libpq's own variables that say where a database is; any of them stands in for DATABASE_URL.
LIBPQ_VARIABLES = ("PGHOST", "PGHOSTADDR", "PGSERVICE", "PGDATABASE")


def url_from(environ: Mapping[str, str]) -> str:
    """DATABASE_URL, else PGURL, else "" where libpq's PG* variables say enough. Raises NotConfigured."""
    url = environ.get("DATABASE_URL") or environ.get("PGURL") or ""
    if not url and not any(environ.get(name) for name in LIBPQ_VARIABLES):
        raise NotConfigured("no database is configured; set DATABASE_URL, PGURL or the PG* variables")
    return url


def connection_string(url: str, environ: Mapping[str, str]) -> str:
    """The URL with the network's limits added; what the URL says itself stays.

    Nothing is added that goes to the server: a pooler refuses most settings at the start of a session, or drops them.
    """
    try:
        given = conninfo_to_dict(url)
    except psycopg.Error:
        raise NotConfigured("the database URL can't be parsed; expected postgresql://user@host:5432/name") from None
    settings: dict[str, Any] = {
        "connect_timeout": CONNECT_SECONDS,
        "keepalives_idle": 10,
        "keepalives_interval": 3,
        "keepalives_count": 2,
        "tcp_user_timeout": CONNECT_SECONDS * 1000,
    }
    host = str(given.get("host") or given.get("hostaddr") or environ.get("PGHOST") or environ.get("PGHOSTADDR") or "")
    if not _is_local(host) and not environ.get("PGSSLMODE"):
        settings |= {"sslmode": "verify-full"} | ({} if environ.get("PGSSLROOTCERT") else {"sslrootcert": "system"})
        if "sslmode" in given:  # an operator's explicit word for another mode, which may not know "system"
            settings.pop("sslrootcert", None)
    return make_conninfo("", **(settings | given))


def _is_local(host: str) -> bool:
    """Whether every host named is this one: a Unix socket or a loopback address."""
    names = host.split(",")
    return all(not name or name.startswith("/") or name in {"localhost", "127.0.0.1", "::1"} for name in names)


class _Unpadded(TextLoader):
    """A char(n) without the blanks that fill it up, which mean nothing in PostgreSQL either."""

    def load(self, data: Buffer) -> Any:
        return super().load(bytes(data).rstrip(b" "))


class _AnyDate(DateLoader):
    """A date as Python has it, or as text where Python has none (infinity, years before 1 or after 9999)."""

    def load(self, data: Buffer) -> Any:
        try:
            return super().load(data)
        except psycopg.DataError:
            return bytes(data).decode()


def settings_of(statement_seconds: float, **others: str) -> dict[str, str]:
    """What holds in every transaction, whatever the server or the role is set up for, as PostgreSQL shows it.

    It counts days in UTC, sends numbers with all their digits, and has a limit of time.
    """
    return {
        "TimeZone": "UTC",
        "DateStyle": "ISO, YMD",
        "extra_float_digits": "1",
        "statement_timeout": duration(statement_seconds),
        **others,
    }


def duration(seconds: float) -> str:
    """A time as PostgreSQL shows it: in the largest unit that it is a whole number of."""
    time = max(1, int(seconds * 1000))
    units = {"d": 86_400_000, "h": 3_600_000, "min": 60_000, "s": 1000, "ms": 1}
    return next(f"{time // size}{unit}" for unit, size in units.items() if time % size == 0)


def setting_query(settings: Mapping[str, str]) -> sql.Composed:
    """Set them for this transaction alone, so that no other client of a pooler gets them, and read them back."""
    each = (sql.SQL("pg_catalog.set_config({}, {}, true)").format(*map(sql.Literal, pair)) for pair in settings.items())
    return sql.SQL("SELECT {}").format(sql.SQL(", ").join(each))


def require_taken(settings: Mapping[str, str], found: Sequence[str]) -> None:
    """Refuse a server on which a setting isn't what it was just set to."""
    for (name, value), taken in zip(settings.items(), found, strict=True):
        if taken != value:
            raise DatabaseUnavailable(f"the database doesn't apply the setting {name} = {value}, so nothing was read")


class _SinglePipeline(psycopg.Pipeline):
    """Statements that travel together and end with a Sync, and nothing behind it.

    The driver's own asks for a Flush after the Sync, at times once the pooler has given the server's session away: it
    then holds another one for a client that asks nothing. See `BasePipeline._exit_gen`.
    """

    def _exit_gen(self) -> Iterator[Any]:  # type: ignore[override]
        self._enqueue_sync()
        try:
            yield from self._communicate_gen()
        finally:
            yield from self._fetch_gen(flush=False)


@contextmanager
def _together(connection: psycopg.Connection[Any]) -> Iterator[None]:
    connection._pipeline = _SinglePipeline(connection)  # noqa: SLF001  (which `pipeline` takes where there is one)
    with connection.pipeline():
        yield


class Database:
    """One read-only connection, opened when first needed and kept; opened anew once when it turns out dead.

    Every transaction begins with its own settings, since behind a pooler each may be on another server's session.
    """

    def __init__(self, url: str, environ: Mapping[str, str], statement_seconds: float = STATEMENT_SECONDS) -> None:
        self._conninfo = connection_string(url, environ)
        self._seconds = statement_seconds
        named = environ.get("PGAPPNAME") or "application_name" in conninfo_to_dict(self._conninfo)
        name = {} if named else {"application_name": "riskscore"}
        self._settings = settings_of(statement_seconds, transaction_read_only="on", **name)
        self._begin = sql.SQL("BEGIN READ ONLY; {}").format(setting_query(self._settings))
        self._connection: psycopg.Connection[Any] | None = None
        self._known: dict[Any, Any] = {}

    def read(self, query: Query, parameters: Parameters = None) -> list[dict[str, Any]]:
        """All rows of a query, each a dict by column name, from one read-only transaction."""
        with self._translated():
            connection = self._begun()
            with _together(connection):  # one round trip; and one statement, whatever its text holds
                cursor = connection.cursor(row_factory=dict_row).execute(query, parameters)
                connection.execute("COMMIT")
            return cursor.fetchall()

    def stream(self, query: Query, parameters: Parameters = None) -> Iterator[dict[str, Any]]:
        """The rows of a query through a server-side cursor: memory stays flat however many there are."""
        with self._translated():
            connection = self._begun()
            with _together(connection):
                connection.execute(sql.SQL("DECLARE riskscore NO SCROLL CURSOR FOR {}").format(query), parameters)
            cursor = connection.cursor(row_factory=dict_row)
            while rows := cursor.execute(FETCH).fetchall():
                yield from rows
            connection.execute("COMMIT")

    def remembered(self, key: Hashable, find: Callable[[], Any]) -> Any:
        """What was found out about the database, until the connection ends or a query fails."""
        if key not in self._known:
            found = find()  # which may fail, and so forget
            self._known[key] = found
        return self._known[key]

    def close(self) -> None:
        """Let go of the connection; the next read opens another."""
        self._known.clear()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _begun(self) -> psycopg.Connection[Any]:
        """The connection, in a new transaction with its settings; a kept one that died in the meantime is replaced."""
        if self._connection is not None:
            try:
                return self._in_transaction(self._connection)
            except psycopg.OperationalError:
                self.close()
        connection = psycopg.connect(self._conninfo, autocommit=True, prepare_threshold=None)
        connection.adapters.register_loader("date", _AnyDate)
        connection.adapters.register_loader("bpchar", _Unpadded)
        self._connection = connection
        return self._in_transaction(connection)

    def _in_transaction(self, connection: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
        cursor = connection.execute(self._begin)
        cursor.nextset()
        require_taken(self._settings, cursor.fetchone() or ())
        return connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """End the transaction that a failure, or a reader who stops, leaves open; and say the failure in our words."""
        try:
            yield
        except psycopg.Error as error:
            fault = self._fault(error)
            self._abandon(keep=isinstance(fault, QueryFailed))
            raise fault from None
        except BaseException:
            self._abandon(keep=True)
            raise

    def _abandon(self, keep: bool) -> None:
        try:
            if keep and self._connection is not None:
                self._connection.rollback()
                self._known.clear()
                return
        except psycopg.Error:
            pass
        self.close()

    def _fault(self, error: psycopg.Error) -> OurFault:
        """What an error of the driver means here, without a word of its own text."""
        state = error.sqlstate or ""
        if isinstance(error, psycopg.errors.QueryCanceled):
            return DatabaseTimeout(f"the database took longer than {self._seconds:g} s to answer")
        if isinstance(error, psycopg.errors.ConnectionTimeout):
            return DatabaseUnavailable(f"the database couldn't be reached within {CONNECT_SECONDS} s")
        if isinstance(error, psycopg.OperationalError) and (not state or state[:2] in {"08", "53", "57"}):
            # libpq gives no SQLSTATE for a connection that fails, and its text names host and user
            return DatabaseUnavailable("the database can't be reached, refuses this login, or closed the connection")
        reason = REASONS.get(state, "the query failed")
        message = f"{reason} (SQLSTATE {state})" if state else "a value of the result can't be read"
        return QueryFailed(message, sqlstate=state)


FETCH = sql.SQL("FETCH {} FROM riskscore").format(FETCH_ROWS)
REASONS = {
    "25006": "the transaction is read-only, and the query tried to write",
    "42501": "the role may not read a table of the query",
    "42P01": "a table of the query doesn't exist in this database",
    "42703": "a column of the query doesn't exist in this database",
}
