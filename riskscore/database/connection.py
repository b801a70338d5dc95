"""The only place that opens a database to read it: read-only, time-limited, encrypted off this host.

PostgreSQL's own words about a failure can hold a person's data or the connection string, so they
never leave this module: an error names what was being done, and the SQLSTATE.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row
from psycopg.types.datetime import DateLoader

from riskscore.errors import DatabaseTimeout, DatabaseUnavailable, NotConfigured, OurFault, QueryFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from psycopg.abc import Buffer

    Query = sql.Composed | sql.SQL
    Parameters = Mapping[str, Any] | None

CONNECT_SECONDS = 5
STATEMENT_SECONDS = 10.0
IDLE_SECONDS = 20.0  # a connection unused for longer may have died while the function was frozen
FETCH_ROWS = 500

# A server may be set up otherwise: to write, to count days elsewhere, to send numbers with fewer digits than they have.
SESSION = ("default_transaction_read_only=on", "TimeZone=UTC", "extra_float_digits=1")

# Libpq's own variables that say where a database is; any of them stands in for DATABASE_URL.
LIBPQ_VARIABLES = ("PGHOST", "PGHOSTADDR", "PGSERVICE", "PGDATABASE")


def url_from(environ: Mapping[str, str]) -> str:
    """DATABASE_URL, else PGURL, else "" where libpq's PG* variables say enough. Raises NotConfigured."""
    url = environ.get("DATABASE_URL") or environ.get("PGURL") or ""
    if not url and not any(environ.get(name) for name in LIBPQ_VARIABLES):
        raise NotConfigured("no database is configured; set DATABASE_URL, PGURL or the PG* variables")
    return url


def connection_string(url: str, environ: Mapping[str, str], statement_seconds: float) -> str:
    """The URL with the project's limits added; what the URL says itself, except read-only, stays."""
    try:
        given = conninfo_to_dict(url)
    except psycopg.Error:
        raise NotConfigured("the database URL can't be parsed; expected postgresql://user@host:5432/name") from None
    settings: dict[str, Any] = {
        "connect_timeout": CONNECT_SECONDS,
        "application_name": "riskscore",
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
    limits = " ".join(f"-c {limit}" for limit in (*SESSION, f"statement_timeout={int(statement_seconds * 1000)}"))
    options = f"{given.get('options') or ''} {limits}".strip()
    return make_conninfo("", **(settings | given | {"options": options}))


def _is_local(host: str) -> bool:
    """Whether every host named is this one: a Unix socket or a loopback address."""
    names = host.split(",")
    return all(not name or name.startswith("/") or name in {"localhost", "127.0.0.1", "::1"} for name in names)


class _AnyDate(DateLoader):
    """A date as Python has it, or as text where Python has none (infinity, years before 1 or after 9999)."""

    def load(self, data: Buffer) -> Any:
        try:
            return super().load(data)
        except psycopg.DataError:
            return bytes(data).decode()


class Database:
    """One read-only connection, opened when first needed and kept; opened anew once when it turns out dead."""

    def __init__(
        self,
        url: str,
        environ: Mapping[str, str],
        statement_seconds: float = STATEMENT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._conninfo = connection_string(url, environ, statement_seconds)
        self._seconds = statement_seconds
        self._clock = clock
        self._connection: psycopg.Connection[dict[str, Any]] | None = None
        self._used = 0.0

    def read(self, query: Query, parameters: Parameters = None) -> list[dict[str, Any]]:
        """All rows of a query, each a dict by column name, from one read-only transaction."""
        kept = self._connection is not None
        try:
            return self._read(query, parameters)
        except DatabaseUnavailable:
            if not kept:
                raise
            self.close()  # the kept connection died between two requests: once more on a new one
            return self._read(query, parameters)

    def _read(self, query: Query, parameters: Parameters) -> list[dict[str, Any]]:
        with self._translated():
            connection = self._healthy()
            with connection.transaction():
                return connection.execute(query, parameters).fetchall()

    def stream(self, query: Query, parameters: Parameters = None) -> Iterator[dict[str, Any]]:
        """The rows of a query through a server-side cursor: memory stays flat however many there are."""
        with self._translated():
            connection = self._healthy()
            with connection.transaction(), connection.cursor(name="riskscore") as cursor:
                cursor.itersize = FETCH_ROWS
                cursor.execute(query, parameters)
                yield from cursor

    def close(self) -> None:
        """Let go of the connection; the next read opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _healthy(self) -> psycopg.Connection[dict[str, Any]]:
        """The kept connection when it still answers, else a new one."""
        if self._connection is not None and self._clock() - self._used > IDLE_SECONDS:
            try:
                with self._connection.transaction():
                    self._connection.execute("SELECT 1")
            except psycopg.Error:
                self.close()
        if self._connection is None:
            connection = psycopg.connect(self._conninfo, row_factory=dict_row, prepare_threshold=None)
            connection.adapters.register_loader("date", _AnyDate)
            connection.read_only = True  # shapes each BEGIN; the role and the session say the same
            self._connection = connection
        self._used = self._clock()
        return self._connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            fault = self._fault(error)
            if not isinstance(fault, QueryFailed):
                self.close()
            raise fault from None

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
        return QueryFailed(f"{reason} (SQLSTATE {state})" if state else "a value of the answer can't be read")


REASONS = {
    "25006": "the transaction is read-only, and the query tried to write",
    "42501": "the role may not read a table of the query",
    "42P01": "a table of the query doesn't exist in this database",
    "42703": "a column of the query doesn't exist in this database",
}
