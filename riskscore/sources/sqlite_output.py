"""SQLite files that are written to: a change is there whole, or the file is as it was."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from riskscore.errors import InvalidFile

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEME = "sqlite:///"
SECONDS_FOR_A_LOCK = 30.0
ABOUT_TABLE = "riskscore_about"
PRIMARY = 0xFF  # the bits of an error's code that say its kind
NO_ROOM = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)  # on such a disk another program can't fill the file either


def sqlite_path(url: str) -> Path:
    """The file of a URL sqlite:///relative.db or sqlite:////absolute.db."""
    path = url.removeprefix(SCHEME)
    if path == url or not path or path == ":memory:":
        raise InvalidFile("expected the URL of a SQLite file, as in sqlite:///offers.db")
    return Path(path)


@contextmanager
def writing(path: Path) -> Iterator[sqlite3.Connection]:
    """One transaction that ends with the block: kept, or undone where the block raises. Foreign keys are enforced.

    A file that wasn't there before isn't there after a failure either, unless somebody else has filled it meanwhile.
    Raises InvalidFile where SQLite refuses.
    """
    existed, began = path.exists(), False
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with closing(sqlite3.connect(path, timeout=SECONDS_FOR_A_LOCK, isolation_level=None)) as connection:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("BEGIN IMMEDIATE")
            began = True  # from here on nobody else writes
            yield connection
            connection.execute("COMMIT")
    except BaseException as error:
        alone = began or getattr(error, "sqlite_errorcode", 0) & PRIMARY in NO_ROOM
        if alone and not existed and path.exists() and not path.stat().st_size:
            path.unlink()
        if isinstance(error, sqlite3.Error):
            raise InvalidFile(f"{path.name} is unchanged; SQLite refused: {_reason(error)}") from None
        raise


def write_about(connection: sqlite3.Connection, words: str) -> None:
    """Have a file say where its rows come from, in a table, since SQLite knows no comments. "": nothing."""
    connection.execute(f"DROP TABLE IF EXISTS {ABOUT_TABLE}")
    if words:
        connection.execute(f"CREATE TABLE {ABOUT_TABLE} (words TEXT NOT NULL)")
        connection.execute(f"INSERT INTO {ABOUT_TABLE} VALUES (?)", (words,))  # noqa: S608 - a name of ours


def about_of(path: Path) -> str:
    """What a file says of its rows, "" where it says nothing; whoever reads the rows tells why it can't be read."""
    found: list[tuple[str]] = []
    with (
        suppress(sqlite3.Error),
        closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection,
    ):
        found = connection.execute(f"SELECT words FROM {ABOUT_TABLE}").fetchall()  # noqa: S608 - a name of ours
    return "\n".join(str(words) for (words,) in found)


def columns_of(connection: sqlite3.Connection, table: str) -> list[str]:
    """The names of a table's columns; none where there is no such table."""
    return [name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))]


def _reason(error: sqlite3.Error) -> str:
    """SQLite's words where they name only tables and columns; a bound value is never among them."""
    return str(error) or type(error).__name__
