"""The ledger's two tables, their schema version, and the triggers that let rows only be added, or erased by a purge.

The ledger holds the rows; the head says how many there are and what the last one hashes to. Whoever appends holds the
head until the end of the transaction, so that any number of processes write one chain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, Column, Double, Index, Integer, MetaData, Table, Text, insert, inspect, select, text

from riskscore.errors import LedgerUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

SCHEMA = 1
GENESIS = "0" * 64  # what stands before the first row
LOCK = 7_235_409_118  # PostgreSQL's advisory lock while the tables are made; any number that nobody else takes

# What outlives a purge: which request, which model, how it ended. erased_before: only in the row of a purge.
KEPT = (
    Column("time", Text, nullable=False),
    Column("caller", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("row", Integer, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("listed", Integer, nullable=False),
    Column("model", Text),
    Column("model_version", Text),
    Column("manifest_sha256", Text),
    Column("contract_sha256", Text),
    Column("engine", Text),
    Column("outcome", Text, nullable=False),
    Column("erased_before", Text),
)

# What a purge erases. The salt goes with it, so that what stays of a row can't be guessed back into a person.
PERSONAL = (
    Column("salt", Text),
    Column("content_sha256", Text),
    Column("ids", Text),
    Column("features", Text),
    Column("observations", Text),
    Column("reasons_asked", Integer),
    Column("margin", Double),
    Column("probability", Double),
    Column("points", Integer),
    Column("warnings", Text),
    Column("reasons", Text),
    Column("answer", Text),
)

metadata = MetaData()
ledger = Table(
    "riskscore_ledger",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    *KEPT,
    *PERSONAL,
    Column("personal_sha256", Text, nullable=False),
    Column("hash", Text, nullable=False),
)
Index("riskscore_ledger_request", ledger.c.caller, ledger.c.request_id, ledger.c.row, unique=True)
Index("riskscore_ledger_time", ledger.c.time)
Index("riskscore_ledger_caller", ledger.c.caller, ledger.c.seq)
head = Table(
    "riskscore_ledger_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("schema", Integer, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("hash", Text, nullable=False),
)

LINKS = ("seq", "personal_sha256", "hash")
KEPT_NAMES = tuple(column.name for column in KEPT)
PERSONAL_NAMES = tuple(column.name for column in PERSONAL)


def is_made(connection: Connection) -> bool:
    """Whether there is a ledger. Raises LedgerUnavailable where it has another schema."""
    if not inspect(connection).has_table(head.name):
        return False
    schema = connection.execute(select(head.c.schema)).scalar()
    if schema != SCHEMA:
        raise LedgerUnavailable(f"the ledger has schema {schema}, but this version of riskscore writes schema {SCHEMA}")
    return True


def make(connection: Connection) -> None:
    """Make the tables and triggers, once, within the caller's transaction."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    if is_made(connection):  # another process was faster
        return
    metadata.create_all(connection)
    connection.execute(insert(head).values(id=1, schema=SCHEMA, rows=0, hash=GENESIS))
    for statement in TRIGGERS[connection.dialect.name]():
        connection.exec_driver_sql(statement)


def _not_a_purge(different: str) -> str:
    """The condition that an update does something else than erase."""
    changed = [f'NEW."{name}" {different} OLD."{name}"' for name in (*LINKS, *KEPT_NAMES)]
    return " OR ".join([*changed, *(f'NEW."{name}" IS NOT NULL' for name in PERSONAL_NAMES)])


def _sqlite_triggers() -> Iterator[str]:
    refuse = "BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END"
    yield (
        f"CREATE TRIGGER riskscore_ledger_update BEFORE UPDATE ON {ledger.name} WHEN {_not_a_purge('IS NOT')} {refuse}"
    )
    yield f"CREATE TRIGGER riskscore_ledger_delete BEFORE DELETE ON {ledger.name} {refuse}"


def _postgresql_triggers() -> Iterator[str]:
    yield (
        "CREATE OR REPLACE FUNCTION riskscore_ledger_grows() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'the ledger only grows'; END $$"
    )
    call = "EXECUTE FUNCTION riskscore_ledger_grows()"
    yield (
        f"CREATE TRIGGER riskscore_ledger_update BEFORE UPDATE ON {ledger.name} FOR EACH ROW"
        f" WHEN ({_not_a_purge('IS DISTINCT FROM')}) {call}"
    )
    yield f"CREATE TRIGGER riskscore_ledger_delete BEFORE DELETE ON {ledger.name} FOR EACH ROW {call}"
    yield f"CREATE TRIGGER riskscore_ledger_truncate BEFORE TRUNCATE ON {ledger.name} {call}"


TRIGGERS = {"sqlite": _sqlite_triggers, "postgresql": _postgresql_triggers}
