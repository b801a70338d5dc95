"""Opens the ledger's database: SQLite or PostgreSQL by URL, through SQLAlchemy; failures end here, in our words.

A driver's own words can hold the URL with its password, or a row; none of them leaves this module.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from riskscore.errors import LedgerUnavailable, NotConfigured
from riskscore.ledger.schema import is_made, make

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from sqlalchemy import URL, Connection, Engine

VARIABLE = "RISKSCORE_LEDGER"
BUSY_SECONDS = 5.0  # how long a writer waits for the others
STATEMENT_SECONDS = 30.0
OTHERWISE = "the ledger can't be read or written"

# By SQLite's error name or PostgreSQL's SQLSTATE, their beginnings.
REASONS = {
    "SQLITE_BUSY": "the ledger is locked by another program",
    "SQLITE_LOCKED": "the ledger is locked by another program",
    "SQLITE_FULL": "the disk of the ledger is full",
    "SQLITE_IOERR": "the disk of the ledger fails or is full",
    "SQLITE_CANTOPEN": "the ledger's file can't be opened or created",
    "SQLITE_READONLY": "the ledger's file may not be written",
    "SQLITE_NOTADB": "the ledger's file isn't a SQLite database",
    "SQLITE_CORRUPT": "the ledger's file is damaged",
    "55P03": "the ledger is locked by another program",
    "57014": "the ledger is locked by another program",
    "53100": "the disk of the ledger is full",
    "42501": "the ledger's database role may not do this",
    "25006": "the ledger's server is read-only",
}


class Store:
    """A ledger's database, opened when first needed.

    may_make: whether a missing ledger is made then. One that is deleted later is missed, not made anew.
    """

    def __init__(self, url: str, environ: Mapping[str, str], may_make: bool = True) -> None:
        self._url = _parsed(url)
        self._environ = environ
        self._may_make = may_make
        self._opened: Engine | None = None
        self._file: tuple[int, int] | None = None
        self._opening = threading.Lock()
        self._one_at_a_time = threading.Lock()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection in a transaction that sees one moment of the ledger throughout."""
        with self._open() as engine, engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN")
                yield connection
            else:
                yield connection.execution_options(isolation_level="REPEATABLE READ")

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection in a transaction that is committed at the end, on the disk; threads take turns."""
        with self._one_at_a_time, self._open() as engine, engine.begin() as connection:
            _begin(connection)
            yield connection

    @contextmanager
    def apart(self) -> Iterator[Connection]:
        """A connection outside any transaction, for upkeep."""
        with self._open() as engine, engine.connect() as connection:
            yield connection.execution_options(isolation_level="AUTOCOMMIT")

    def close(self) -> None:
        """Close every connection."""
        if self._opened is not None:
            self._opened.dispose()
            self._opened = None

    @contextmanager
    def _open(self) -> Iterator[Engine]:
        """The database; a driver's failure becomes one sentence of ours.

        Connections end at a failure: what was opened while a SQLite file couldn't be written stays read-only for good.
        """
        with translated():
            with self._opening:
                engine = self._opened_now()
            try:
                yield engine
            except SQLAlchemyError:
                engine.dispose()
                raise

    def _opened_now(self) -> Engine:
        if self._opened is not None and self._file not in (None, _identity(self._url)):
            self.close()  # the file was replaced or deleted: what is open would go on in one that nobody can find
        if self._opened is None:
            engine = self._sqlite() if self._url.get_backend_name() == "sqlite" else self._postgresql()
            try:
                self._require_tables(engine)
            except BaseException:
                engine.dispose()
                raise
            self._opened, self._file, self._may_make = engine, _identity(self._url), False
        return self._opened

    def _require_tables(self, engine: Engine) -> None:
        with engine.connect() as connection:
            if is_made(connection):
                return
        if not self._may_make:
            raise LedgerUnavailable("there is no ledger in this database yet")
        with engine.begin() as connection:
            _begin(connection)
            make(connection)

    def _sqlite(self) -> Engine:
        path = self._url.database or ""
        try:
            _require_file(path, self._may_make)
        except OSError as error:
            raise LedgerUnavailable(
                f"the ledger's file can't be created: {error.strerror or 'unknown reason'}"
            ) from None
        # isolation_level None: transactions begin where we say, not where the driver thinks
        engine = create_engine(self._url, connect_args={"timeout": BUSY_SECONDS, "isolation_level": None})
        event.listen(engine, "connect", _pragmas)
        return engine

    def _postgresql(self) -> Engine:
        """Each transaction sets its own limits and no statement is prepared, so that a pooler may stand between."""
        import psycopg

        from riskscore.database.connection import connection_string, duration, require_taken, setting_query, settings_of

        url = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        conninfo = connection_string(url, self._environ)
        settings = settings_of(STATEMENT_SECONDS, lock_timeout=duration(BUSY_SECONDS), application_name="riskscore")
        query = setting_query(settings)

        def connect() -> psycopg.Connection[Any]:
            connection = psycopg.connect(conninfo, prepare_threshold=None)
            connection.read_only = False  # each BEGIN says READ WRITE, whatever the role's default
            return connection

        def limit(connection: Connection) -> None:
            found = connection.connection.cursor()
            found.execute(query)
            require_taken(settings, found.fetchone() or ())

        engine = create_engine("postgresql+psycopg://", creator=connect, pool_pre_ping=True)
        event.listen(engine, "begin", limit)
        return engine


@contextmanager
def translated() -> Iterator[None]:
    """A driver's failure becomes one sentence of ours."""
    try:
        yield
    except SQLAlchemyError as error:
        raise LedgerUnavailable(_reason(getattr(error, "orig", None))) from None


def _reason(cause: Any) -> str:
    code = getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None) or ""
    known = next((words for start, words in REASONS.items() if code.startswith(start)), None)
    if known:
        return known
    if not code and type(cause).__module__.startswith("psycopg"):
        return "the ledger's database can't be reached, refuses this login, or closed the connection"
    return f"{OTHERWISE} ({code})" if code else OTHERWISE


def _parsed(url: str) -> URL:
    expected = f"{VARIABLE} must be sqlite:///file.db or postgresql://user@host:5432/name"
    try:
        parsed = make_url(url.replace("postgres://", "postgresql://", 1))
    except (ArgumentError, ValueError):
        raise NotConfigured(expected, VARIABLE) from None
    backend = parsed.drivername.partition("+")[0]
    if backend not in ("sqlite", "postgresql") or (backend == "sqlite" and parsed.database in (None, "", ":memory:")):
        raise NotConfigured(expected, VARIABLE)
    return parsed.set(drivername=backend)


def _require_file(path: str, may_make: bool) -> None:
    """A new file is for its owner's eyes. One that is there is left to SQLite: closing it here would drop its locks."""
    if os.path.exists(path):
        return
    if not may_make:
        raise LedgerUnavailable(f"there is no ledger at {path}")
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with suppress(FileExistsError):  # another process was faster
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _identity(url: URL) -> tuple[int, int] | None:
    """Which file a SQLite database is, whatever its name; (0, 0) where there is none, None for a server."""
    if url.get_backend_name() != "sqlite":
        return None
    try:
        found = os.stat(url.database or "")
    except OSError:
        return 0, 0
    return found.st_dev, found.st_ino


def _begin(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _pragmas(connection: Any, _: Any) -> None:
    # FULL: a commit waits for the disk, so that neither a kill nor a power cut loses an answered row
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")
