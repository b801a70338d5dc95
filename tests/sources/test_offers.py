"""Leads, offers and clicks into SQLite: every row or none, and one sentence for what doesn't fit."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from riskscore.commands import load_offers
from riskscore.errors import InvalidFile
from riskscore.samples import offer_click
from riskscore.samples.sample_files import write_about
from riskscore.sources.offers import load, read_form
from riskscore.sources.sqlite_output import about_of, sqlite_path, writing
from tests.model_examples import SHARED, needs

PUBLISHED = SHARED / "offer_click"
APR = pa.decimal128(10, 5)
MOMENT = "2025-03-23 02:01:48.339"


def table(**columns):
    return pa.table(columns)


def leads(**changed):
    columns = {
        "lead_uuid": ["a", "b"],
        "requested": [1000.0, None],
        "loan_purpose": ["auto", None],
        "credit": ["poor", "fair"],
        "annual_income": [11_111_111.0, -5.0],
    }
    return table(**{**columns, **changed})


def offers(**changed):
    columns = {
        "lead_uuid": ["a", "a", "b"],
        "offer_id": [813_000_001, 813_000_002, 813_000_003],
        "apr": pa.array([Decimal("35.99000"), Decimal("99999.12345"), Decimal("5.00001")], APR),
        "lender_id": [7, 8, 7],
    }
    return table(**{**columns, **changed})


def clicks(ids=(813_000_002,), times=(MOMENT,)):
    return table(offer_id=list(ids), clicked_at=pa.array(times).cast(pa.timestamp("us")))


@pytest.fixture
def files(tmp_path):
    """Writes the three files, some of them changed, and says where they are."""

    def write(**changed):
        tables = {"leads": leads(), "offers": offers(), "clicks": clicks(), **changed}
        for name, content in tables.items():
            pq.write_table(content, tmp_path / f"{name}.parquet")
        return {name: tmp_path / f"{name}.parquet" for name in tables}

    return write


def rows(database, query):
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(query).fetchall()


def test_the_values_are_held_as_they_are(files, tmp_path):
    assert load(tmp_path / "o.db", files()) == {"leads": 2, "offers": 3, "clicks": 1}
    assert rows(tmp_path / "o.db", "SELECT * FROM leads ORDER BY lead_uuid") == [
        ("a", 1000.0, "auto", "poor", 11_111_111.0),
        ("b", None, None, "fair", -5.0),
    ]
    assert rows(tmp_path / "o.db", "SELECT * FROM offers ORDER BY offer_id") == [
        (813_000_001, "a", 35.99, 7),
        (813_000_002, "a", 99999.12345, 8),
        (813_000_003, "b", 5.00001, 7),
    ]
    assert rows(tmp_path / "o.db", "SELECT * FROM clicks") == [(813_000_002, "2025-03-23 02:01:48.339000")]


def test_four_tables_with_keys(files, tmp_path):
    load(tmp_path / "o.db", files())
    names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name"
    assert rows(tmp_path / "o.db", names) == [("clicks",), ("leads",), ("offers",), ("results_clicked",)]
    keys = 'SELECT m.name, f."from", f."table" FROM sqlite_schema m, pragma_foreign_key_list(m.name) f ORDER BY 1'
    assert rows(tmp_path / "o.db", keys) == [("clicks", "offer_id", "offers"), ("offers", "lead_uuid", "leads")]


def test_a_number_that_pandas_left_missing_is_missing(files, tmp_path):
    load(tmp_path / "o.db", files(leads=leads(requested=[float("nan"), 2.0])))
    assert rows(tmp_path / "o.db", "SELECT requested FROM leads ORDER BY lead_uuid") == [(None,), (2.0,)]


def test_two_clicks_on_an_offer_are_two_clicks(files, tmp_path):
    twice = clicks([813_000_002, 813_000_002], [MOMENT, "2025-03-24 00:00:00"])
    assert load(tmp_path / "o.db", files(clicks=twice))["clicks"] == 2


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("leads", leads().drop_columns(["credit"]), "leads.parquet: column credit is missing; expected lead_uuid, req"),
        ("leads", leads().slice(0, 0), "leads.parquet has no rows"),
        ("leads", leads(lead_uuid=["a", "a"]), "leads.parquet, row 2, column lead_uuid: an earlier row has the same"),
        ("leads", leads(lead_uuid=["a", None]), "leads.parquet, row 2, column lead_uuid: the value is missing"),
        ("leads", leads(requested=["1", "much"]), "leads.parquet, row 2, column requested: expected a number"),
        ("leads", leads(annual_income=[1.0, float("inf")]), "row 2, column annual_income: expected a finite number"),
        (
            "offers",
            offers(lead_uuid=["a", "b", "c"]),
            "offers.parquet, row 3, column lead_uuid: no row of leads has it",
        ),
        ("offers", offers(offer_id=[1, 2, 1]), "offers.parquet, row 3, column offer_id: an earlier row has the same"),
        ("offers", offers(offer_id=[1, 2.5, 3]), "offers.parquet, row 2, column offer_id: expected a whole number"),
        ("offers", offers(apr=[1.0, None, 2.0]), "offers.parquet, row 2, column apr: the value is missing"),
        ("clicks", clicks([5]), "clicks.parquet, row 1, column offer_id: no row of offers has it"),
        ("clicks", clicks([813_000_001] * 2, [MOMENT] * 2), "row 2, column offer_id, clicked_at: an earlier row has"),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_is_left_behind(files, tmp_path, name, content, sentence):
    with pytest.raises(InvalidFile) as fault:
        load(tmp_path / "o.db", files(**{name: content}))
    assert sentence in fault.value.message
    assert not (tmp_path / "o.db").exists()


def test_a_row_is_counted_from_the_files_beginning_whatever_the_batch(files, tmp_path, monkeypatch):
    monkeypatch.setattr("riskscore.sources.offers.BATCH_ROWS", 2)
    with pytest.raises(InvalidFile, match="row 3, column lead_uuid: no row of leads has it"):
        load(tmp_path / "o.db", files(offers=offers(lead_uuid=["a", "b", "c"])))
    with pytest.raises(InvalidFile, match="row 3, column offer_id: an earlier row has the same"):
        load(tmp_path / "o.db", files(offers=offers(offer_id=[1, 2, 1])))


def test_a_file_that_is_no_parquet(files, tmp_path):
    paths = files()
    paths["offers"].write_bytes(paths["offers"].read_bytes()[:-9])
    with pytest.raises(InvalidFile, match=r"offers\.parquet is not a whole parquet file"):
        load(tmp_path / "o.db", paths)


def test_a_database_that_is_none(files, tmp_path):
    (tmp_path / "o.db").write_text("no database, and longer than the header of one would be: " * 9)
    with pytest.raises(InvalidFile, match=r"o\.db is unchanged; SQLite refused: file is not a database"):
        load(tmp_path / "o.db", files())
    assert (tmp_path / "o.db").read_text().startswith("no database")


def test_loading_again_needs_a_word_and_keeps_the_results(files, tmp_path):
    load(tmp_path / "o.db", files())
    with closing(sqlite3.connect(tmp_path / "o.db")) as connection, connection:
        connection.execute("INSERT INTO results_clicked (model_id, process_time) VALUES ('offer_click', 'now')")
    with pytest.raises(InvalidFile, match=r"o\.db has a table leads already; --replace loads it again"):
        load(tmp_path / "o.db", files())
    load(tmp_path / "o.db", files(clicks=clicks([813_000_003])), replace=True)
    assert rows(tmp_path / "o.db", "SELECT offer_id FROM clicks") == [(813_000_003,)]
    assert rows(tmp_path / "o.db", "SELECT model_id FROM results_clicked") == [("offer_click",)]


def test_what_is_said_of_the_files_stays_said_of_the_database(files, tmp_path, capsys):
    place, url = tmp_path / "o.db", f"sqlite:///{tmp_path / 'o.db'}"
    given = files()
    write_about([*given.values()], "Simulated: nobody's data.")
    arguments = [word for name, path in given.items() for word in (f"--{name}", str(path))]
    assert load_offers.main([*arguments, "--database", url], {}) == 0
    with writing(place) as connection:  # scores, for instance
        connection.execute("INSERT INTO clicks VALUES (813000001, '2025-04-01')")
    assert about_of(place) == "Simulated: nobody's data."
    given["leads"].write_bytes(files(leads=leads(credit=["fair", "fair"]))["leads"].read_bytes())  # somebody's own
    assert load_offers.main([*arguments, "--database", url, "--replace"], {}) == 0
    assert about_of(place) == ""
    some = [word for word in arguments if "offers" not in word]
    assert load_offers.main([*some, "--simulate-offers", "--database", url, "--replace"], {}) == 0
    assert about_of(place).startswith("The offers are simulated")


def test_a_refused_file_leaves_the_tables_that_were_there(files, tmp_path):
    load(tmp_path / "o.db", files())
    with pytest.raises(InvalidFile):
        load(tmp_path / "o.db", files(clicks=clicks([5])), replace=True)
    assert rows(tmp_path / "o.db", "SELECT offer_id FROM clicks") == [(813_000_002,)]


@pytest.mark.parametrize("url", ["offers.db", "sqlite://", "sqlite:///", "postgresql://x", "sqlite:///:memory:"])
def test_only_a_sqlite_file_is_a_database(url):
    with pytest.raises(InvalidFile, match="expected the URL of a SQLite file"):
        sqlite_path(url)


def test_the_sample_is_the_same_to_the_byte_and_joins(tmp_path):
    written = [offer_click.write(tmp_path / name, 300) for name in ("one", "two")]
    assert [path.name for path in written[0]] == ["leads.parquet", "offers.parquet", "clicks.parquet"]
    assert [path.read_bytes() for path in written[0]] == [path.read_bytes() for path in written[1]]
    loaded = load(tmp_path / "o.db", {path.stem: path for path in written[0]})
    assert (loaded["leads"], loaded["clicks"]) == (300, 28)
    assert 900 < loaded["offers"] < 1500


def test_an_apr_follows_its_lender():
    made = offer_click.offers_for(offer_click.simulated_leads(2000), offer_click.simulated_clicks(100)).to_pydict()
    by_lender = {lender: [] for lender in made["lender_id"]}
    for lender, apr in zip(made["lender_id"], made["apr"], strict=True):
        by_lender[lender].append(float(apr))
    mean = {lender: sum(aprs) / len(aprs) for lender, aprs in by_lender.items()}
    assert sorted(mean, key=mean.get) == sorted(offer_click.LENDERS)
    assert all(abs(apr / mean[lender] - 1) < 0.6 for lender, aprs in by_lender.items() for apr in aprs)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (table(lead_uuid=["a"]), r"leads\.parquet: column requested is missing"),
        (leads(annual_income=["a lot", "5"]), r"leads\.parquet, row 1, column annual_income: expected a number"),
        (
            leads().append_column("credit", leads().column("credit")),
            r"leads\.parquet: column credit appears 2 times",
        ),
        (None, r"leads\.parquet is not a whole parquet file"),
    ],
)
def test_leads_that_no_offers_can_be_simulated_for(files, tmp_path, content, sentence):
    paths = files(leads=leads() if content is None else content)
    if content is None:
        paths["leads"].write_text("no parquet")
    given = ["--leads", str(paths["leads"]), "--clicks", str(paths["clicks"]), "--simulate-offers"]
    with pytest.raises(InvalidFile, match=sentence):
        load_offers.main([*given, "--database", f"sqlite:///{tmp_path / 'o.db'}"], {})
    assert not (tmp_path / "o.db").exists()


@needs("offer_click")
def test_published_leads_and_clicks_with_simulated_offers(tmp_path, capsys):
    """All leads are read; as many are loaded as get more offers than there are clicks."""
    database, some = tmp_path / "o.db", tmp_path / "leads.parquet"
    published = pq.read_table(PUBLISHED / "leads.parquet")
    assert read_form(PUBLISHED / "leads.parquet", "leads").num_rows == published.num_rows
    pq.write_table(published.slice(0, 6_000), some)
    given = ["--leads", str(some), "--clicks", str(PUBLISHED / "clicks.parquet")]
    assert load_offers.main([*given, "--simulate-offers", "--database", f"sqlite:///{database}"], {}) == 0
    assert "clicks 9,320 (the offers are simulated)" in capsys.readouterr().out
    joined = "SELECT count(*) FROM clicks JOIN offers USING (offer_id) JOIN leads USING (lead_uuid)"
    assert rows(database, joined) == [(9320,)]
