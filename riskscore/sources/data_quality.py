"""What is wrong with transactions and labels before a model is trained from them: counts, never a person's values.

Each check is a condition over the rows as they stand in the files; beside it stands what the features make of such a
row. A row is named by its place below the header, counted from 1.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from riskscore.errors import InvalidFile
from riskscore.sources.file_databases import FOLDER_FILES, duckdb_over

if TYPE_CHECKING:
    from collections.abc import Iterator

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
# The tables as the features and training read them, with what compares a row with those before it.
READ = {
    "transactions": """
        SELECT
            *,
            row_number() OVER (
                PARTITION BY customer_id, amount, direction, description, moment, transaction_id, unread ORDER BY place
            ) AS nth_of_all,
            first_value(customer_id) OVER (PARTITION BY transaction_id ORDER BY place) AS first_owner
        FROM readings""",
    "labels": """
        SELECT
            *,
            row_number() OVER (PARTITION BY customer_id ORDER BY place) AS nth_of_id,
            CASE WHEN label IN ('1', '1.0', 'true') THEN true WHEN label IN ('0', '0.0', 'false') THEN false END
                AS defaulted
        FROM (
            SELECT
                row_number() OVER () AS place,
                nullif(customer_id, '') AS customer_id,
                nullif(lower(trim(CAST(defaulted AS varchar))), '') AS label
            FROM ({labels}) AS l
        ) AS given""",
}
# Where the middle half of a direction's amounts lies, on a logarithmic scale.
MIDDLE = """
    SELECT direction, quantile_cont(log10(abs(amount)), 0.25) AS low, quantile_cont(log10(abs(amount)), 0.75) AS high
    FROM read_transactions WHERE amount <> 0 AND direction IS NOT NULL GROUP BY direction"""
FAR_OUT = """amount <> 0 AND EXISTS (
    SELECT 1 FROM middle WHERE middle.direction = r.direction
    AND log10(abs(r.amount)) NOT BETWEEN 4 * low - 3 * high AND 4 * high - 3 * low)"""
ELSEWHERE = "customer_id NOT IN (SELECT customer_id FROM read_{0} WHERE customer_id IS NOT NULL)"

# Why a transaction can't be read, in readings.sql's words.
UNREAD = (
    "customer_id is empty",
    "amount is no number",
    "amount can be read in two ways",
    "amount is in another currency than most",
    "type is neither debit nor credit",
    "type is empty, and the sign says nothing",
    "timestamp is no time",
    "timestamp can be read in two ways",
)
FILLED = "left_out IS DISTINCT FROM 'blank'"

CHECKS = (
    *(
        Check(
            "transactions", why, f"unread = '{why}'", "the customer is rejected: neither scored nor used for training"
        )
        for why in UNREAD
    ),
    Check("transactions", "no cell has a value", "left_out = 'blank'", "skipped"),
    Check("transactions", "transaction_id is empty", f"transaction_id IS NULL AND {FILLED}", "counted as it is"),
    Check("transactions", "it repeats an earlier row, with its id", "left_out = 'repeated'", "counts once"),
    Check(
        "transactions",
        "another transaction of the customer has this transaction_id",
        "left_out = 'contradicting'",
        "the earliest counts; the score is referred to manual review",
    ),
    Check(
        "transactions",
        "it repeats an earlier row, without a transaction_id",
        f"transaction_id IS NULL AND nth_of_all > 1 AND {FILLED}",
        "each counts",
    ),
    Check(
        "transactions",
        "an earlier row of another customer has this transaction_id",
        "transaction_id IS NOT NULL AND customer_id <> first_owner",
        "each customer's counts",
    ),
    Check("transactions", "amount is empty", "has_no_amount", "doesn't count"),
    Check("transactions", "amount is 0", "amount = 0", "counts as a transaction only"),
    Check("transactions", "amount is an outlier for its type", FAR_OUT, "counted as it is"),
    Check("transactions", "type is empty", "has_no_type AND unread IS NULL", "the sign decides"),
    Check("transactions", "the sign is against the type", "is_against_type", "the type decides"),
    Check("transactions", "description is empty", f"description = '' AND {FILLED}", "of no category"),
    Check("transactions", "timestamp is empty", "has_no_time", "comes last"),
    Check("transactions", "the customer has no label", ELSEWHERE.format("labels"), "scored, but not used for training"),
    Check("labels", "customer_id is empty", "customer_id IS NULL", "not used for training"),
    Check(
        "labels",
        "the customer has an earlier row",
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
        count(*) FILTER (WHERE left_out IS DISTINCT FROM 'blank') AS transactions,
        count(DISTINCT customer_id) AS customers,
        min(moment) AS first, max(moment) AS last,
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
    FROM read_transactions WHERE description <> ''"""
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
    views = [(root / name).read_text(encoding="utf-8") for name in settings.source["views"]]
    labels = (root / settings.source["labels"]).read_text(encoding="utf-8")
    texts = [*views, labels, COVERED]
    with duckdb_over(
        folder, "the data-quality report", texts, settings.source["aliases"], beside, counts_blank=True
    ) as connection:
        for name in READ:
            _require_columns(connection, folder, name)
        for name, query in zip(settings.source["views"], views, strict=True):
            connection.execute(f"CREATE TABLE {Path(name).stem} AS {query}")
        for name, query in READ.items():
            connection.execute(f"CREATE TABLE read_{name} AS {query.format(labels=labels)}")
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
