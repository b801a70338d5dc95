"""A service with a ledger: small requests are written together, and no answer leaves before its rows are kept."""

from __future__ import annotations

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import httpx
import pytest

from riskscore.serving.http_routes import encode
from tests.running_service import Service, assert_ledger, running_service, stored
from tests.scoring_examples import EVENT, answer, event

if TYPE_CHECKING:
    from pathlib import Path

CLIENTS, EACH = 16, 25


def test_each_of_many_at_once_gets_its_own_answer_and_has_its_row(tmp_path: Path) -> None:
    def send(client: int) -> list[tuple[str, int, bytes]]:
        with httpx.Client(base_url=service.url, timeout=60) as connection:
            late = [client * EACH + k for k in range(EACH)]
            found = [connection.post("/predict", json=event(late_fee_count_90d=count % 50)) for count in late]
        return [(one.headers["x-request-id"], count, one.content) for one, count in zip(found, late, strict=True)]

    with running_service(tmp_path) as service, ThreadPoolExecutor(CLIENTS) as clients:
        answers = [one for found in clients.map(send, range(CLIENTS)) for one in found]
    expected = [encode(answer(event(late_fee_count_90d=count % 50))) for count in range(50)]
    assert [said for _, count, said in answers if said != expected[count % 50]] == []
    kept = {name: said.encode() for name, said in stored(service, "request_id, answer")}
    assert kept == {name: said for name, _, said in answers}
    assert_ledger(service, f"{CLIENTS * EACH} rows, 0 purged, 0 findings; ", "verify")


@pytest.mark.parametrize(("seconds", "refused"), [("1", "took_too_long"), ("30", "ledger_unavailable")])
def test_a_ledger_that_is_locked_fails_a_small_request_and_nobody_elses(
    tmp_path: Path, seconds: str, refused: str
) -> None:
    with running_service(tmp_path, RISKSCORE_TIMEOUT=seconds) as service, ThreadPoolExecutor(1) as client:
        with closing(sqlite3.connect(service.ledger, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            waiting = client.submit(predicted, service)
            time.sleep(0.2)
            assert httpx.get(f"{service.url}/health", timeout=0.5).json() == {"status": "ok"}
            found = waiting.result()
            assert stored(service) == [(0,)]
            other.execute("ROLLBACK")
        assert (found.status_code, found.json()["error"]["type"]) == (503, refused)
        assert predicted(service).content == encode(answer(EVENT))


def test_those_who_watch_are_answered_while_every_other_waits_for_the_ledger(tmp_path: Path) -> None:
    with (
        running_service(tmp_path, RISKSCORE_TIMEOUT="4") as service,
        ThreadPoolExecutor(24) as clients,
        closing(sqlite3.connect(service.ledger, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        waiting = [clients.submit(predicted, service, f"r{k}") for k in range(24)]  # more than threads
        time.sleep(0.5)
        for path in ("health", "ready", "metrics", "models"):
            found = httpx.get(f"{service.url}/{path}", headers={"x-request-id": "w1"}, timeout=1)
            assert found.status_code == 200
        assert not any(one.done() for one in waiting)
        other.execute("ROLLBACK")


def predicted(service: Service, name: str = "") -> httpx.Response:
    return httpx.post(f"{service.url}/predict", json=EVENT, headers={"x-request-id": name}, timeout=60)
