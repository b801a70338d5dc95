"""The sample ledgers in a PostgreSQL: made once, found again, read by a role that may only read.

`python -m riskscore.local.sample_database` fills the empty database that DATABASE_URL names, as compose.yaml does.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from riskscore.local.postgres import running_postgres
from riskscore.local.seed import seed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Connection = psycopg.Connection[tuple[Any, ...]]

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".cache" / "postgres"
ROLE = ROOT / "scripts" / "read_only_role.sql"
READER = "riskscore_reader"
CUSTOMERS, TRAINING, SEED = 1000, 3000, 7
TABLES = ("bank_transactions", "bank_transactions_scoring")
SIMULATION = ("seed.py", "simulated_ledgers.py", "edge_cases.py")


@contextlib.contextmanager
def sample_database(
    folder: Path = FOLDER, filling: Callable[[], object] = lambda: None, progress: Callable[[int], object] | None = None
) -> Iterator[str]:
    """The URL, as the read-only role, of an embedded PostgreSQL with the sample ledgers.

    `filling` is called before the ledgers are simulated, `progress` for each customer; neither when they are there.
    """
    with running_postgres(folder) as url:
        if not is_filled(url):
            filling()
            fill(url, progress=progress or (lambda _: None))
        yield _as_reader(url)


def is_filled(url: str) -> bool:
    """Whether the sample ledgers of this very version of the simulation are there."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT obj_description(to_regclass('bank_transactions'))").fetchone()
    return row == (_fingerprint(),)


def fill(url: str, password: str = "", progress: Callable[[int], object] = lambda _: None) -> None:
    """Simulate the sample ledgers into the database, and let the reader in."""
    with psycopg.connect(url) as connection:
        seed(connection, CUSTOMERS, TRAINING, SEED, replace=_are_simulated(connection), progress=progress)
        connection.execute(role_script().encode())
        if password:
            role = sql.Identifier(READER)
            connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, sql.Literal(password)))
        _sign(connection)


def role_script() -> str:
    """The role's script as psql runs it by its defaults, less what is psql's own, and in the caller's transaction."""
    text = ROLE.read_text()
    for name, value in re.findall(r"^\\set (role|schema|tables) (\S+)$", text, re.MULTILINE):
        text = text.replace(f":'{name}'", f"'{value}'")
    return re.sub(r"^(\\.*|BEGIN;|COMMIT;)$", "", text, flags=re.MULTILINE)


def _are_simulated(connection: Connection) -> bool:
    """Whether every table that would be replaced says of itself that it is simulated; anybody else's is refused."""
    found = connection.execute(
        "SELECT coalesce(obj_description(to_regclass(name)), '') FROM unnest(%s::text[]) AS name"
        " WHERE to_regclass(name) IS NOT NULL",
        (list(TABLES),),
    ).fetchall()
    return all(comment.lower().startswith("simulated") for (comment,) in found)


def _sign(connection: Connection) -> None:
    comment = sql.SQL("COMMENT ON TABLE bank_transactions IS {}").format(sql.Literal(_fingerprint()))
    connection.execute(comment)


def _fingerprint() -> str:
    """What the sample ledgers follow from; another version of the simulation makes them anew."""
    code = hashlib.sha256(b"".join((ROOT / "riskscore" / "local" / name).read_bytes() for name in SIMULATION))
    return f"simulated: {CUSTOMERS} customers, {TRAINING} for training, seed {SEED}, code {code.hexdigest()[:12]}"


def _as_reader(url: str) -> str:
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{READER}@{place}"))


def main(environ: Mapping[str, str]) -> int:
    """Fill the database of DATABASE_URL; RISKSCORE_READER_PASSWORD becomes the reader's."""
    if not is_filled(environ["DATABASE_URL"]):
        fill(environ["DATABASE_URL"], environ.get("RISKSCORE_READER_PASSWORD", ""))
    print(f"sample ledgers are there: {CUSTOMERS} customers to score, {TRAINING} for training, all simulated")
    return 0


if __name__ == "__main__":
    sys.exit(main(os.environ))
