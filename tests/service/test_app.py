"""The HTTP service: its routes, its limits, its keys, its log, its counters; in process, and as a process."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import re
import signal
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings

from riskscore.errors import NotConfigured
from riskscore.service.app import from_environment
from riskscore.service.settings import BODY_BYTES, ServiceSettings, holder, keys_of
from riskscore.serving.http_routes import encode
from tests.model_examples import events as model_events
from tests.running_service import Service, assert_ledger, running_service, stored
from tests.scoring_examples import EVENT, FEATURES, IDS, ROOT, answer, event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KEYS = "north:aaaaaaaaaaaaaaaa1,south:bbbbbbbbbbbbbbbb2"
NORTH, SOUTH = "aaaaaaaaaaaaaaaa1", "bbbbbbbbbbbbbbbb2"
TABLE_HEADER = ",".join([*IDS, *FEATURES])
TABLE_ROW = ",".join(map(str, [*IDS.values(), *FEATURES.values()]))
LONG_TABLE = f"{TABLE_HEADER}\n" + f"{TABLE_ROW}\n" * 10_001
PLAIN_TEXT = {"content-type": "text/plain"}
EXAMPLES = 15  # per operation and mode
CSV = {"content-type": "text/csv"}
HEAD = "host: localhost\r\ncontent-type: application/json"
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture(scope="module")
def request_of() -> Callable[..., httpx.Response]:
    return in_process({"RISKSCORE_LEDGER": ""})


def table_of(rows: list[dict[str, Any]]) -> str:
    """Rows as a CSV."""
    out = io.StringIO()
    writer = csv.DictWriter(out, [*rows[0]])
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def in_process(environ: dict[str, str]) -> Callable[..., httpx.Response]:
    """Requests to a service in this process: (method, path, ...) as httpx takes them."""
    import asyncio

    application = from_environment(environ, str(ROOT))

    async def send(method: str, path: str, **given: Any) -> httpx.Response:
        transport = httpx.ASGITransport(application, raise_app_exceptions=True)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path, **given)

    return lambda method, path, **given: asyncio.run(send(method, path, **given))


@pytest.mark.parametrize("path", ["/predict", "/models/credit_risk/predict"])
@pytest.mark.parametrize("given", [EVENT, [EVENT, event(late_fee_count_90d=None)], event(income_inflow_30d=4e5)])
def test_the_answer_is_that_of_the_engine_to_the_byte(request_of, path, given):
    found = request_of("POST", path, json=given)
    assert (found.status_code, found.content) == (200, encode(answer(given)))


@pytest.mark.parametrize(
    ("method", "path", "given", "status", "type"),
    [
        ("POST", "/predict", {"content": b"{", "headers": JSON}, 400, "broken_json"),
        ("POST", "/predict", {"content": b"\xff\xfe{}", "headers": JSON}, 400, "broken_json"),
        ("POST", "/predict", {"content": b"[" * 100_000, "headers": JSON}, 400, "broken_json"),
        ("POST", "/predict", {"json": []}, 400, "invalid_event"),
        ("POST", "/predict", {"json": EVENT, "headers": {"x-request-id": "two words"}}, 400, "invalid_event"),
        ("POST", "/predict", {"json": EVENT | {"model": "nonsense"}}, 404, "unknown_model"),
        ("POST", "/models/nonsense/predict", {"json": EVENT}, 404, "unknown_model"),
        ("POST", "/models/nonsense/predict", {"content": TABLE_HEADER, "headers": CSV}, 404, "unknown_model"),
        ("GET", "/models/nonsense", {}, 404, "unknown_model"),
        ("GET", "/nonsense", {}, 404, "unknown_path"),
        ("GET", "/predict", {}, 405, "method_not_allowed"),
        ("DELETE", "/", {}, 405, "method_not_allowed"),
        ("POST", "/predict", {"json": [EVENT] * 10_001}, 413, "too_many_rows"),
        ("POST", "/predict", {"content": b" " * 68_000_000, "headers": JSON}, 413, "body_too_large"),
        ("POST", "/predict", {"content": LONG_TABLE, "headers": CSV}, 413, "too_many_rows"),
        ("POST", "/predict", {"content": b"a=1", "headers": PLAIN_TEXT}, 415, "unsupported_media_type"),
        ("POST", "/predict", {"json": event(late_fee_count_90d="two")}, 422, "wrong_type"),
        ("POST", "/predict", {"content": "a,b\n1,2\n", "headers": CSV}, 422, "invalid_file"),
        ("POST", "/predict", {"json": IDS}, 503, "not_configured"),
        ("POST", "/", {"data": {}, "headers": {"sec-fetch-site": "cross-site"}}, 403, "cross_site"),
    ],
)  # fmt: skip
def test_what_is_refused_has_its_status_and_says_why(request_of, method, path, given, status, type):
    found = request_of(method, path, **given)
    assert (found.status_code, found.json()["error"]["type"]) == (status, type)


@pytest.mark.parametrize("rows", [1, 3])
def test_a_row_is_for_the_model_whose_fields_it_has_as_json_and_in_a_table(request_of, rows):
    texts = {name: str(value) for name, value in model_events("x100")["ordinary"]["features"].items()}
    said = request_of("POST", "/predict", json=[texts] * rows if rows > 1 else texts)
    assert (said.status_code, [list(row) for row in said.json()]) == (200, [["class", "probability"]] * rows)
    found = request_of("POST", "/predict", content=table_of([texts] * rows), headers=CSV)
    assert (found.status_code, found.text.splitlines()[0]) == (200, "id,class,probability,error")


@pytest.mark.parametrize("fewer", [(), ("apr",)])
def test_fields_of_two_models_are_refused_by_naming_both(request_of, fewer):
    row = {name: value for name, value in model_events("offer_click")["zero-income-flat"].items() if name != "model"}
    row = {name: row[name] for name in row if name not in fewer}
    sent = ({"json": row}, {"content": table_of([row]), "headers": CSV})
    for found in (request_of("POST", "/predict", **body) for body in sent):
        assert (found.status_code, found.json()["error"]["type"]) == (422, "ambiguous_model")
        assert "offer_click and offer_click_balanced" in found.json()["error"]["message"]
    assert request_of("POST", "/predict", json=[row]).status_code == 200


def test_the_request_id_comes_back_or_is_made(request_of):
    assert request_of("POST", "/predict", json=EVENT, headers={"x-request-id": "r-1"}).headers["x-request-id"] == "r-1"
    assert re.fullmatch(r"[0-9a-f]{32}", request_of("GET", "/health").headers["x-request-id"])


def test_a_table_comes_back_as_a_table_in_the_same_order(request_of):
    broken = TABLE_ROW.replace(str(FEATURES["days_since_last_salary"]), "never", 1)
    found = request_of("POST", "/predict", content=f"{TABLE_HEADER}\n{TABLE_ROW}\n{broken}\n{TABLE_ROW}\n", headers=CSV)
    assert (found.status_code, found.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    rows = list(csv.DictReader(io.StringIO(found.text)))
    expected = answer(EVENT)
    assert [row["outcome"] for row in rows] == ["scored", "invalid", "scored"]
    assert (float(rows[0]["probability"]), int(rows[2]["points"])) == (expected["probability"], expected["points"])
    assert rows[0]["reasons"] == "; ".join(reason["text"] for reason in expected["reasons"])
    assert rows[1]["error"].endswith("line 3, column days_since_last_salary: expected a number")


def test_a_table_answers_in_json_where_the_client_takes_that_alone(request_of):
    sent = {"content": f"{TABLE_HEADER}\n{TABLE_ROW}\n", "headers": {**CSV, "accept": "application/json"}}
    scored = answer(EVENT)
    assert request_of("POST", "/models/credit_risk/predict", **sent).content == encode([scored])


def test_an_id_that_a_spreadsheet_would_run_comes_back_as_text(request_of):
    row = TABLE_ROW.replace(IDS["customer_id"], "=1+1")
    found = request_of("POST", "/predict", content=f"{TABLE_HEADER}\n{row}\n", headers=CSV)
    assert next(csv.DictReader(io.StringIO(found.text)))["customer_id"] == "'=1+1"


def test_ready_names_the_models_and_metrics_count_the_rows(request_of):
    version = answer(EVENT)["model_version"]
    ready = request_of("GET", "/ready").json()
    assert (ready["status"], ready["models"]["credit_risk"]) == ("ready", version)
    labels = f'engine="twin",model="credit_risk",outcome="refer",version="{version}"'
    before = counted(request_of("GET", "/metrics").text, f"riskscore_rows_total{{{labels}}}")
    request_of("POST", "/predict", json=[event(income_inflow_30d=4e5)] * 3)
    assert counted(request_of("GET", "/metrics").text, f"riskscore_rows_total{{{labels}}}") == before + 3


def counted(page: str, name: str) -> float:
    return next((float(line.removeprefix(name)) for line in page.splitlines() if line.startswith(name)), 0.0)


@pytest.mark.parametrize(
    "headers",
    [
        {"x-api-key": NORTH},
        {"authorization": f"Bearer {SOUTH}"},
        {"authorization": "Basic " + base64.b64encode(f"anyone:{SOUTH}".encode()).decode()},
    ],
    ids=["own header", "bearer", "browser"],
)
def test_a_known_key_opens_every_route(headers):
    keyed = in_process({"RISKSCORE_LEDGER": "", "RISKSCORE_API_KEYS": KEYS})
    assert [keyed("GET", path, headers=headers).status_code for path in ("/", "/docs", "/models")] == [200, 200, 200]
    assert keyed("POST", "/predict", json=EVENT, headers=headers).status_code == 200


def test_the_page_shows_the_recent_scores_of_its_readers_key_alone(tmp_path):
    keyed = in_process({"RISKSCORE_LEDGER": f"sqlite:///{tmp_path}/ledger.db", "RISKSCORE_API_KEYS": KEYS})
    form = {**IDS, **{name: str(value) for name, value in FEATURES.items()}, "customer_id": "of the south"}
    keyed("POST", "/predict", json=EVENT | {"customer_id": "of the north"}, headers={"x-api-key": NORTH})
    answered = keyed("POST", "/", data=form, headers={"x-api-key": SOUTH}).text
    refused = keyed("POST", "/upload", files={"file": ("a.csv", "hello\n")}, headers={"x-api-key": SOUTH}).text
    again = keyed("GET", "/", headers={"x-api-key": SOUTH}).text
    assert ["of the north" in page for page in (answered, refused, again)] == [False] * 3
    assert ["<td>of the south, 2025-09-01</td>" in page for page in (answered, refused, again)] == [True] * 3
    assert "<td>of the north, 2025-09-01</td>" in keyed("GET", "/", headers={"x-api-key": NORTH}).text


@pytest.mark.parametrize(
    "headers", [{}, {"x-api-key": "c" * 17}, {"x-api-key": NORTH + "x"}, {"authorization": "Basic ?"}]
)
def test_without_a_known_key_only_health_and_readiness_answer(headers):  # fmt: skip
    keyed = in_process({"RISKSCORE_LEDGER": "", "RISKSCORE_API_KEYS": KEYS})
    found = keyed("POST", "/predict", json=EVENT, headers=headers)
    assert (found.status_code, found.json()["error"]["type"]) == (401, "key_needed")
    assert found.headers["www-authenticate"].startswith("Basic")
    paths = ["/", "/docs", "/openapi.json", "/metrics", "/models", "/health", "/ready"]
    assert [keyed("GET", path, headers=headers).status_code for path in paths] == [401] * 5 + [200] * 2


def test_keys_are_kept_as_hashes_and_name_their_holders():
    keys = keys_of(KEYS)
    assert [holder(keys, {"x-api-key": key}) for key in (NORTH, SOUTH, "", NORTH[:-1])] == [
        "north",
        "south",
        None,
        None,
    ]
    assert NORTH not in repr(ServiceSettings.from_environ({"RISKSCORE_API_KEYS": KEYS}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RISKSCORE_API_KEYS", "north:short"),
        ("RISKSCORE_API_KEYS", NORTH),
        ("PORT", "http"),
        ("RISKSCORE_TIMEOUT", "-7"),
        ("RISKSCORE_WORKERS", "many"),
        ("RISKSCORE_CONNECTIONS", "some"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named_without_its_value(name, value):
    with pytest.raises(NotConfigured, match=name) as raised:
        ServiceSettings.from_environ({name: value})
    assert value not in raised.value.message.replace("name:key,name:key", "")


def test_a_request_that_takes_too_long_is_given_up():
    patient = in_process({"RISKSCORE_LEDGER": "", "RISKSCORE_TIMEOUT": "0.001"})
    found = patient("POST", "/predict", json=[EVENT] * 2_000)
    assert (found.status_code, found.json()["error"]["type"]) == (503, "took_too_long")
    assert patient("GET", "/health").status_code == 200


def test_what_is_loaded_at_the_start_is_not_looked_through_for_garbage(request):
    import asyncio
    import gc

    request.addfinalizer(gc.unfreeze)
    application = from_environment({"RISKSCORE_LEDGER": ""}, str(ROOT))
    heard = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    said: list[Any] = []

    async def receive() -> Any:
        return next(heard)

    async def send(message: Any) -> None:
        said.append((message["type"], gc.get_freeze_count() > 10_000))

    asyncio.run(application({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send))
    assert said == [("lifespan.startup.complete", True), ("lifespan.shutdown.complete", True)]


# -- as a process ------------------------------------------------------------------------------------------------------


def test_the_log_is_json_and_holds_neither_values_nor_keys_nor_paths(tmp_path):
    with running_service(tmp_path, RISKSCORE_API_KEYS=KEYS) as service, httpx.Client(base_url=service.url) as client:
        headers = {"x-api-key": NORTH, "x-request-id": "r-7"}
        assert client.post("/predict", json=event(income_inflow_30d=31415.93), headers=headers).status_code == 200
        assert client.get("/models/Jane%20Doe", headers={"x-api-key": NORTH}).status_code == 404
        assert client.post("/predict", json=EVENT, headers={"x-api-key": "d" * 20}).status_code == 401
    text = service.log.read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert {"request_id": "r-7", "caller": "north", "route": "/predict", "status": 200}.items() <= next(
        line for line in lines if line.get("request_id") == "r-7"
    ).items()
    for secret in ("31415.93", "S0001", "Jane", NORTH, "d" * 20):
        assert secret not in text


def test_a_client_that_hangs_up_in_the_middle_is_no_fault_of_ours(service):
    before = service.log.read_text()
    place = service.url.removeprefix("http://").split(":")
    with socket.create_connection((place[0], int(place[1]))) as client:
        client.sendall(f"POST /predict HTTP/1.1\r\n{HEAD}\r\ncontent-length: 500\r\n\r\n{{".encode())
        time.sleep(0.2)
    assert httpx.get(f"{service.url}/health").status_code == 200
    time.sleep(0.2)
    lines = [json.loads(line) for line in service.log.read_text().removeprefix(before).splitlines()]
    assert {line.get("route") for line in lines} - {"/ready"} == {"/health"}


def test_a_large_body_is_refused_and_not_kept(service):
    def chunks() -> Iterator[bytes]:
        yield from (b" " * 1_000_000 for _ in range(100))

    httpx.post(f"{service.url}/predict", json=EVENT)
    before = peak(service.process.pid)
    for sent in ({"content": chunks()}, {"content": b" " * 100_000_000}):
        found = httpx.post(f"{service.url}/predict", headers={"content-type": "application/json"}, **sent, timeout=60)
        assert (found.status_code, found.json()["error"]["type"]) == (413, "body_too_large")
    assert peak(service.process.pid) - before < BODY_BYTES + 40_000_000  # what came undeclared, up to the limit
    assert httpx.get(f"{service.url}/health").status_code == 200


def peak(pid: int) -> int:
    """Bytes of memory that a process held at its fullest."""
    status = Path(f"/proc/{pid}/status").read_text()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


def test_a_stop_loses_no_request_under_way(tmp_path):
    rows = [EVENT] * 5_000
    with running_service(tmp_path, RISKSCORE_WORKERS="2") as service:
        found: list[int] = []

        def send() -> None:
            found.append(len(httpx.post(f"{service.url}/predict", json=rows, timeout=60).json()))

        threads = [threading.Thread(target=send) for _ in range(4)]
        for thread in threads:
            thread.start()
        wait_for_log(service, threads)
        service.process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join()
        service.process.wait(40)
    assert found == [5_000] * 4
    assert stored(service) == [(20_000,)]


def wait_for_log(service: Service, threads: list[threading.Thread]) -> None:
    """Until every connection of the threads is accepted, and none is answered yet: they are under way."""
    limit = time.monotonic() + 20
    while time.monotonic() < limit and connections(service) < len(threads):
        time.sleep(0.005)
    time.sleep(0.3)  # the bodies, of megabytes, are on their way
    assert all(thread.is_alive() for thread in threads)


def connections(service: Service) -> int:
    """Connections to the service's port that are established, as the kernel lists them."""
    port = f":{int(service.url.rpartition(':')[2]):04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(1 for row in rows if row[1].endswith(port) and row[3] == "01")


@pytest.mark.parametrize("named", [True, False], ids=["named", "unnamed"])
def test_a_kill_in_the_middle_of_load_loses_no_answered_row(tmp_path, named):
    answered: dict[str, bytes] = {}
    with running_service(tmp_path) as service:

        def send(worker: int) -> None:
            with httpx.Client(base_url=service.url) as client:
                for k in range(10_000):
                    try:
                        headers = {"x-request-id": f"{worker}-{k}"} if named else {}
                        found = client.post("/predict", json=EVENT, headers=headers)
                        answered[found.headers["x-request-id"]] = found.raise_for_status().content
                    except httpx.TransportError:
                        return

        threads = [threading.Thread(target=send, args=(worker,)) for worker in range(3)]
        for thread in threads:
            thread.start()
        while len(answered) < 200:
            time.sleep(0.01)
        os.killpg(service.process.pid, signal.SIGKILL)
        for thread in threads:
            thread.join()
    kept = {name: encode(json.loads(said)) for name, said in stored(service, "request_id, answer")}
    assert {name: kept.get(name) for name in answered} == answered
    restart_and_replay(tmp_path, answered)


def restart_and_replay(folder: Path, answered: dict[str, bytes]) -> None:
    """Started again on its ledger, the service answers from it and goes on; every row comes out the same to the bit."""
    with running_service(folder) as service:
        for name in [*answered][:2]:
            again = httpx.post(f"{service.url}/predict", json=EVENT, headers={"x-request-id": name})
            assert again.content == answered[name]
        assert httpx.post(f"{service.url}/predict", json=[EVENT] * 5).status_code == 200
    rows = f"{stored(service)[0][0]:,} rows"
    assert_ledger(service, f"{rows}, 0 purged, 0 findings; ", "verify")
    assert_ledger(service, f"{rows}: {rows.removesuffix(' rows')} with the same bits, 0 different, ", "replay", "--all")


def test_the_ledger_names_the_holder_and_answers_a_known_request_again(tmp_path):
    with running_service(tmp_path, RISKSCORE_API_KEYS=KEYS) as service, httpx.Client(base_url=service.url) as client:
        for name, given in (("r-1", EVENT), ("r-2", [EVENT] * 20), ("r-3", event(late_fee_count_90d=0.5))):
            headers = {"x-api-key": SOUTH, "x-request-id": name}
            first, again = (client.post("/predict", json=given, headers=headers) for _ in range(2))
            other = client.post("/predict", json=event(late_fee_count_90d=3), headers=headers)
            assert (again.status_code, again.content) == (first.status_code, first.content)
            assert (other.status_code, other.json()["outcome"], other.json()["error"]["type"]) == (
                409,
                "invalid",
                "conflict",
            )
    assert stored(service, "DISTINCT caller, request_id") == [("south", "r-1"), ("south", "r-2"), ("south", "r-3")]


def test_a_service_whose_model_or_ledger_is_broken_does_not_start(tmp_path):
    for environ in ({"RISKSCORE_MODEL": "nonsense"}, {"RISKSCORE_LEDGER": "sqlite:////proc/nowhere/ledger.db"}):
        with pytest.raises(AssertionError, match="did not start"), running_service(tmp_path, **environ):
            pass


@pytest.mark.parametrize("mode", schemathesis.GenerationMode)
def test_every_answer_is_a_documented_one_and_none_is_500(service, mode):
    document = schemathesis.openapi.from_url(f"{service.url}/openapi.json")
    for found in document.get_all_operations():
        operation = found.ok()
        if mode is schemathesis.GenerationMode.NEGATIVE and operation.method == "get":
            continue  # there is nothing in it that could be wrong
        documented = {int(code) for code in operation.definition.raw["responses"]}

        @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(generation_mode=mode))
        def call(case: Any) -> None:
            answered = case.call()
            assert answered.status_code in documented - {500}, (case.method, case.path)  # noqa: B023 - called at once

        call()
