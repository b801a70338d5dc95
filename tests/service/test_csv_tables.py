"""Tables through the service and the page: scored, refused or unreadable, every row in its place and in the ledger."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from riskscore.ledger.ledger import Ledger
from riskscore.service.app import from_environment
from tests.ledger_examples import sqlite_url, verified
from tests.model_examples import SHARED, needs
from tests.scoring_examples import EVENT, FEATURES, IDS, ROOT, answer, event, write_small

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Send = Callable[..., httpx.Response]

HEADER = ",".join([*IDS, *FEATURES])
ROW = ",".join(map(str, [*IDS.values(), *FEATURES.values()]))
UNREADABLE = ROW.replace(str(FEATURES["days_since_last_salary"]), "never", 1)
REFUSED = ",".join(map(str, [*IDS.values(), *event(pct_gambling_spend_90d=1.5)["features"].values()]))
SHORT = "S0009,2025-09-01"
MIXED = "\n".join([HEADER, UNREADABLE, ROW, SHORT, REFUSED, ""])
MESSAGES = [
    "the table, line 2, column days_since_last_salary: expected a number",
    None,
    f"the table, line 4: 2 cells, but the header has {len(IDS) + len(FEATURES)}",
    "pct_gambling_spend_90d must be",
]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    found = Ledger(sqlite_url(tmp_path / "ledger.db"), {})
    yield found
    found.store.close()


def serving(**environ: str) -> Send:
    """Requests to a service in this process: (method, path, ...) as httpx takes them."""
    application = from_environment(environ, str(ROOT))

    async def send(method: str, path: str, **given: Any) -> httpx.Response:
        transport = httpx.ASGITransport(application, raise_app_exceptions=True)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path, **given)

    return lambda method, path, **given: asyncio.run(send(method, path, **given))


@pytest.fixture
def send(tmp_path: Path) -> Send:
    return serving(RISKSCORE_LEDGER=sqlite_url(tmp_path / "ledger.db"))


def posted(send: Send, route: str, table: str, request_id: str = "r1") -> httpx.Response:
    """A table through one of its routes."""
    if route == "upload":
        return send("POST", "/upload", files={"file": ("rows.csv", table)}, headers={"x-request-id": request_id})
    return send("POST", "/predict", content=table, headers={"content-type": "text/csv", "x-request-id": request_id})


def kept(ledger: Ledger) -> list[Any]:
    with ledger.store.reading() as connection:
        return list(connection.exec_driver_sql("SELECT * FROM riskscore_ledger ORDER BY seq").mappings())


@pytest.mark.parametrize("route", ["predict", "upload"])
def test_every_row_of_a_table_is_in_the_ledger_as_it_was_answered(send: Send, ledger: Ledger, route: str) -> None:
    found = list(csv.DictReader(io.StringIO(posted(send, route, MIXED).text)))
    rows = kept(ledger)
    assert [row["outcome"] for row in found] == ["invalid", "scored", "invalid", "invalid"]
    assert [(row["row"], row["outcome"], row["model"]) for row in rows] == [
        (k, row["outcome"], row["model"]) for k, row in enumerate(found)
    ]
    whose = [IDS, IDS, {}, IDS]  # of a line that lacks cells nobody knows which
    assert [{name: row[name] for name in IDS if row[name]} for row in found] == whose
    assert [json.loads(row["ids"]) for row in rows] == whose
    for row, line, message in zip(rows, found, MESSAGES, strict=True):
        said = json.loads(row["answer"])
        assert said.get("error", {}).get("message", "") == line["error"]
        assert message is None or message in line["error"]
    assert [row["features"] is None for row in rows] == [True, False, True, False]
    assert json.loads(rows[1]["answer"]) == answer(EVENT)
    assert verified(ledger).findings == []


def test_a_table_of_nothing_readable_is_in_the_ledger_too(send: Send, ledger: Ledger) -> None:
    assert posted(send, "predict", f"{HEADER}\n{SHORT}\n").status_code == 200
    assert [(row["outcome"], row["features"]) for row in kept(ledger)] == [("invalid", None)]


def test_the_same_table_again_is_answered_from_the_ledger_and_another_is_a_conflict(send: Send, ledger: Ledger) -> None:
    first, again = posted(send, "predict", MIXED), posted(send, "predict", MIXED)
    other = posted(send, "predict", MIXED.replace(SHORT, ROW))
    assert (first.status_code, again.content, other.status_code) == (200, first.content, 409)
    page = posted(send, "upload", MIXED.replace(SHORT, ROW))
    assert (page.status_code, "was used for other content" in page.text) == (409, True)
    assert len(kept(ledger)) == 4


def test_an_unreadable_row_keeps_its_ids_as_json_too(send: Send) -> None:
    headers = {"content-type": "text/csv", "accept": "application/json"}
    found = send("POST", "/predict", content=f"{HEADER}\n{UNREADABLE}\n", headers=headers).json()
    assert [{**answer, **IDS} == answer for answer in found] == [True]


def test_one_request_id_with_other_ids_of_an_unreadable_row_is_a_conflict(send: Send) -> None:
    table = f"{HEADER}\n{UNREADABLE}\n"
    other = table.replace(IDS["customer_id"], "S0077")
    assert [posted(send, "predict", text).status_code for text in (table, other)] == [200, 409]


def test_a_table_as_a_whole_is_called_no_file(send: Send) -> None:
    found = posted(send, "predict", f"{HEADER.replace('income_inflow_30d', 'income')}\n{ROW}\n").json()
    assert found["error"]["message"] == "the table, line 1: column income_inflow_30d is missing"


@pytest.mark.parametrize("route", ["predict", "upload"])
def test_a_table_without_rows_says_so(send: Send, ledger: Ledger, route: str) -> None:
    found = posted(send, route, f"{HEADER}\n")
    assert (found.status_code, "the table has no rows below its header" in found.text) == (422, True)
    assert kept(ledger) == []


def test_one_row_of_a_model_whose_clients_want_a_single_field_comes_back_in_it(tmp_path: Path) -> None:
    write_small(tmp_path / "small_loans", response={"fields": {"p": "probability"}})
    place = {"RISKSCORE_MODEL_URI": str(tmp_path), "RISKSCORE_MODEL": "small_loans", "RISKSCORE_ENGINE": "twin"}
    send = serving(RISKSCORE_LEDGER="", **place)
    found = posted(send, "predict", "loan_id,amount,term,secured\nL1,1000,12,true\n")
    header, line = found.text.splitlines()
    assert (found.status_code, header) == (200, "loan_id,p,error")
    assert line.startswith("L1,0.")  # a line says whose it is, though no answer does


def test_the_table_that_is_shipped_is_the_shipped_events(send: Send) -> None:
    events = [json.loads((ROOT / f"events/credit_risk/S000{k}.json").read_bytes()) for k in (1, 2, 3, 4)]
    table = (ROOT / "events/credit_risk/rows.csv").read_bytes()
    headers = {"content-type": "text/csv", "accept": "application/json"}
    found = send("POST", "/predict", content=table, headers=headers).json()
    assert found == [answer(given) for given in events]


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", " \n", "\n\r"])
def test_a_table_of_nothing_but_lines_is_refused_before_it_is_read(send: Send, end: str) -> None:
    found = posted(send, "predict", f"{HEADER}\n" + end * 250_000).json()
    assert found["error"]["type"] == "too_many_rows"


@pytest.mark.slow
def test_a_header_of_very_many_columns_is_read_in_one_go(send: Send) -> None:
    more = range(200_000)
    table = f"{HEADER},{','.join(f'c{k}' for k in more)}\n{ROW}{',' * len(more)}\n"
    assert next(csv.DictReader(io.StringIO(posted(send, "predict", table).text)))["outcome"] == "scored"


@pytest.mark.slow
@needs("x100/rows_100.json")
@pytest.mark.parametrize("route", ["json numbers", "json texts", "csv", "upload"])
def test_ten_thousand_rows_as_wide_as_published_ones_are_one_call(route: str) -> None:
    send = serving(RISKSCORE_LEDGER="", RISKSCORE_MODELS="x100", RISKSCORE_TIMEOUT="120")
    rows = json.loads((SHARED / "x100" / "rows_100.json").read_bytes()) * 100
    if route == "json texts":
        rows = [{name: None if value is None else str(value) for name, value in row.items()} for row in rows]
    if route.startswith("json"):
        body = json.dumps(rows).encode()
        assert len(body) > 16 * 1024 * 1024
        found = send("POST", "/predict", content=body, headers={"content-type": "application/json"})
        assert (found.status_code, len(found.json())) == (200, 10_000)
        return
    table = io.StringIO()
    writer = csv.DictWriter(table, [*rows[0]])
    writer.writeheader()
    writer.writerows(rows)
    found = posted(send, "upload" if route == "upload" else "predict", table.getvalue())
    assert (found.status_code, found.text.count("\n")) == (200, 10_001)
