"""What is wrong with transactions and labels before a model is trained from them: counts, never a person's values.

Each check is a condition over the rows as they stand in the files; beside it stands what the features make of such a
row. A row is named by its place below the header, counted from 1.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from riskscore.errors import InvalidFile
from riskscore.sources.file_databases import FOLDER_FILES, duckdb_over

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import duckdb

    from riskscore.model_toml.settings import Settings

    Connection = duckdb.DuckDBPyConnection

WIDELY_USED = 10  # customers who have a description; one that fewer have might name a person


class Check(NamedTuple):
    """table: of READ. what: in words. where: SQL over its rows. then: what the features and training make of them."""

    table: str
    what: str
    where: str
    then: str


class Finding(NamedTuple):
    """How many of the rows a check found, and the first of them."""

    check: Check
    found: int
    rows: int
    first: int | None


COLUMNS = {
    "transactions": ("customer_id", "transaction_id", "amount", "type", "description", "timestamp"),
    "labels": ("customer_id", "defaulted"),
}
# The tables as features.sql reads their values, with what compares a row with those before it.
READ = {
    "transactions": """
        SELECT
            *,
            row_number() OVER (PARTITION BY customer_id, transaction_id ORDER BY place) AS nth_of_id,
            row_number() OVER (
                PARTITION BY customer_id, transaction_id, amount_text, kind, description, time_text ORDER BY place
            ) AS nth_of_all,
            first_value(customer_id) OVER (PARTITION BY transaction_id ORDER BY place) AS first_owner
        FROM (
            SELECT
                row_number() OVER () AS place,
                nullif(trim(CAST(customer_id AS varchar)), '') AS customer_id,
                nullif(trim(CAST(transaction_id AS varchar)), '') AS transaction_id,
                nullif(trim(CAST(amount AS varchar)), '') AS amount_text,
                try_cast(trim(CAST(amount AS varchar)) AS decimal(18, 4)) AS amount,
                nullif(lower(trim(CAST(type AS varchar))), '') AS kind,
                nullif(trim(CAST(description AS varchar)), '') AS description,
                nullif(trim(CAST(timestamp AS varchar)), '') AS time_text,
                try_cast(trim(CAST(timestamp AS varchar)) AS timestamp) AS moment
            FROM transactions
        ) AS given""",
    "labels": """
        SELECT
            *,
            row_number() OVER (PARTITION BY customer_id ORDER BY place) AS nth_of_id,
            CASE WHEN label IN ('1', '1.0', 'true') THEN true WHEN label IN ('0', '0.0', 'false') THEN false END
                AS defaulted
        FROM (
            SELECT
                row_number() OVER () AS place,
                nullif(trim(CAST(customer_id AS varchar)), '') AS customer_id,
                nullif(lower(trim(CAST(defaulted AS varchar))), '') AS label
            FROM labels
        ) AS given""",
}
# Where the middle half of a type's amounts lies, on a logarithmic scale.
MIDDLE = """
    SELECT kind, quantile_cont(log10(abs(amount)), 0.25) AS low, quantile_cont(log10(abs(amount)), 0.75) AS high
    FROM read_transactions WHERE amount <> 0 AND kind IN ('debit', 'credit') GROUP BY kind"""
FAR_OUT = """amount <> 0 AND EXISTS (
    SELECT 1 FROM middle WHERE middle.kind = r.kind
    AND log10(abs(r.amount)) NOT BETWEEN 4 * low - 3 * high AND 4 * high - 3 * low)"""
ELSEWHERE = "customer_id NOT IN (SELECT customer_id FROM read_{0} WHERE customer_id IS NOT NULL)"

CHECKS = (
    Check("transactions", "customer_id is empty", "customer_id IS NULL", "left out"),
    Check("transactions", "transaction_id is empty", "transaction_id IS NULL", "counts as it stands"),
    Check(
        "transactions",
        "transaction_id stands in an earlier row of the customer",
        "transaction_id IS NOT NULL AND customer_id IS NOT NULL AND nth_of_id > 1",
        "an id counts once, as its earliest",
    ),
    Check("transactions", "the whole row stands there before", "nth_of_all > 1", "where it has an id, once"),
    Check(
        "transactions",
        "transaction_id stands in an earlier row of another customer",
        "transaction_id IS NOT NULL AND customer_id <> first_owner",
        "each customer's counts",
    ),
    Check("transactions", "amount is empty", "amount_text IS NULL", "doesn't count"),
    Check("transactions", "amount is no number", "amount_text IS NOT NULL AND amount IS NULL", "doesn't count"),
    Check("transactions", "amount is 0", "amount = 0", "counts as a transaction, and as nothing else"),
    Check("transactions", "amount is far out for its type", FAR_OUT, "counts as it stands"),
    Check("transactions", "type is empty", "kind IS NULL", "the sign decides"),
    Check("transactions", "type is neither debit nor credit", "kind NOT IN ('debit', 'credit')", "the sign decides"),
    Check(
        "transactions",
        "the sign is against the type",
        "(kind = 'debit' AND amount > 0) OR (kind = 'credit' AND amount < 0)",
        "the type decides",
    ),
    Check("transactions", "description is empty", "description IS NULL", "of no category"),
    Check("transactions", "timestamp is empty", "time_text IS NULL", "comes last"),
    Check("transactions", "timestamp can't be read", "time_text IS NOT NULL AND moment IS NULL", "comes last"),
    Check("transactions", "the customer has no label", ELSEWHERE.format("labels"), "scored, but trains nothing"),
    Check("labels", "customer_id is empty", "customer_id IS NULL", "trains nothing"),
    Check(
        "labels",
        "the customer stands in an earlier row",
        "nth_of_id > 1",
        "training refuses the file; training_set.csv leaves the customer out",
    ),
    Check("labels", "the label is empty", "label IS NULL", "trains nothing"),
    Check(
        "labels",
        "the label is neither 0 nor 1",
        "label NOT IN ('0', '1', '0.0', '1.0', 'true', 'false')",
        "training refuses the file; training_set.csv leaves the customer out",
    ),
    Check("labels", "the customer has no transactions", ELSEWHERE.format("transactions"), "trains nothing"),
)
FIND = "SELECT count(*), (SELECT count(*) FROM read_{table}), min(place) FROM read_{table} AS r WHERE {where}"
OVERVIEW = """
    SELECT
        count(*) AS transactions, count(DISTINCT customer_id) AS customers, min(moment) AS first, max(moment) AS last,
        (SELECT count(*) FROM read_labels) AS labels,
        (SELECT avg(defaulted::integer) FROM read_labels) AS default_rate
    FROM read_transactions"""

# The words by which features.sql knows merchants, against the descriptions that there are.
CLEANED = """
    SELECT
        customer_id,
        trim(regexp_replace(
            regexp_replace(strip_accents(lower(description)), '[''\u2019]', '', 'g'), '[^a-z]+', ' ', 'g'
        )) AS words
    FROM read_transactions WHERE description IS NOT NULL"""
COVERED = """
    SELECT words, count(*) AS times, count(DISTINCT customer_id) AS customers, EXISTS (
        SELECT 1 FROM merchant_words WHERE contains(' ' || c.words || ' ', ' ' || merchant_words.word || ' ')
    ) AS known
    FROM cleaned AS c GROUP BY words"""
UNKNOWN = """
    SELECT words, times FROM covered
    WHERE NOT known AND words <> '' AND customers >= {customers} ORDER BY times DESC, words LIMIT 15"""
TABLES = {"middle": MIDDLE, "cleaned": CLEANED, "covered": COVERED}


class Quality(NamedTuple):
    """All that the report says. unknown: the descriptions that many customers have and no word knows, with times."""

    overview: dict[str, Any]
    findings: list[Finding]
    known_share: float
    unknown: list[tuple[str, int]]


@contextmanager
def opened(folder: Path, settings: Settings, root: Path) -> Iterator[Connection]:
    """The folder's transactions and labels, read for the checks. Raises InvalidFile in one sentence."""
    beside = (root / settings.source["sql"]).parent
    texts = [*READ.values(), COVERED]
    with duckdb_over(folder, "the data-quality report", texts, settings.source["aliases"], beside) as connection:
        for name, query in READ.items():
            _require_columns(connection, folder, name)
            connection.execute(f"CREATE TABLE read_{name} AS {query}")
        for name, query in TABLES.items():
            connection.execute(f"CREATE TABLE {name} AS {query}")
        yield connection


def _require_columns(connection: Connection, folder: Path, table: str) -> None:
    """Refuse a file that lacks a column; DuckDB's own words for that depend on what the query calls its results."""
    found = {column[0].lower() for column in connection.execute(f"SELECT * FROM {table} LIMIT 0").description}  # noqa: S608
    file = next(
        (path.name for path in folder.iterdir() if path.stem.lower() == table and path.suffix in FOLDER_FILES), table
    )
    for name in COLUMNS[table]:
        if name not in found:
            raise InvalidFile(f"{file}: column {name} is missing", name)


def examine(connection: Connection) -> Quality:
    """Every check, and what the words know."""
    cursor = connection.execute(OVERVIEW)
    overview = dict(zip([column[0] for column in cursor.description], cursor.fetchall()[0], strict=True))
    ((known,),) = connection.execute("SELECT sum(times) FILTER (WHERE known) / sum(times) FROM covered").fetchall()
    unknown = connection.execute(UNKNOWN.format(customers=WIDELY_USED)).fetchall()
    return Quality(overview, [_find(connection, check) for check in CHECKS], float(known or 0.0), unknown)


def _find(connection: Connection, check: Check) -> Finding:
    (row,) = connection.execute(FIND.format(table=check.table, where=check.where)).fetchall()
    return Finding(check, *row)
