"""Whom a request is for and whose page sent it: hosts, origins, content types, and what answers carry."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from riskscore.errors import CrossSite, NotConfigured
from riskscore.service.origins import authority, require_own_origin
from riskscore.service.settings import ServiceSettings
from tests.scoring_examples import EVENT, FEATURES, IDS
from tests.service.test_csv_tables import HEADER, ROW, serving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx

KEY = "aaaaaaaaaaaaaaaa1"
BASIC = {"authorization": "Basic " + base64.b64encode(f"anyone:{KEY}".encode()).decode()}
JSON = {"content-type": "application/json"}
CSV = {"content-type": "text/csv"}
FORM = {name: str(value) for name, value in {**IDS, **FEATURES}.items()}
TABLE = f"{HEADER}\n{ROW}\n"
# every path that scores, as its own page or a program would send it
WRITING: list[tuple[str, dict[str, Any]]] = [
    ("/predict", {"json": EVENT}),
    ("/models/credit_risk/predict", {"json": EVENT}),
    ("/predict", {"content": TABLE, "headers": CSV}),
    ("/", {"data": FORM}),
    ("/upload", {"files": {"file": ("rows.csv", TABLE)}}),
    ("/upload", {"files": {"file": ("rows.csv", TABLE)}, "data": {"show": "yes"}}),
    ("/download", {"files": {"scores0": (None, "")}}),
    ("/decide", {"data": {"request": "r"}}),
    ("/docs?path=/predict", {"data": {"body": "{}"}}),
]
FOREIGN: list[dict[str, str]] = [
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "cross-site", "origin": "http://localhost"},
    {"sec-fetch-site": "sideways"},
    {"sec-fetch-site": "none", "origin": "https://elsewhere.example"},
    {"origin": "https://elsewhere.example"},
    {"origin": "http://localhost.elsewhere.example"},
    {"origin": "http://localhost:8000"},
    {"origin": "https://localhost:80"},
    {"origin": "ftp://localhost"},
    {"origin": "http://elsewhere.example@localhost"},
    {"origin": "http://localhost, http://elsewhere.example"},
    {"origin": "null"},
    {"origin": ""},
]
OWN: list[dict[str, str]] = [
    {},
    {"sec-fetch-site": "same-origin"},
    {"sec-fetch-site": "same-origin", "origin": "null"},
    {"sec-fetch-site": "none"},
    {"origin": "http://localhost"},
    {"origin": "http://localhost:80"},
    {"origin": "https://localhost"},
    {"origin": "HTTP://LocalHost"},
]


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("origin") / "ledger.db"


@pytest.fixture(scope="module")
def send(ledger: Path) -> Callable[..., httpx.Response]:
    return serving(RISKSCORE_LEDGER=f"sqlite:///{ledger}", RISKSCORE_API_KEYS=f"victim:{KEY}")


def sent(
    send: Callable[..., httpx.Response], path: str, given: dict[str, Any], headers: dict[str, str]
) -> httpx.Response:
    return send("POST", path, **{**given, "headers": {**BASIC, **given.get("headers", {}), **headers}})


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
@pytest.mark.parametrize(("path", "given"), WRITING, ids=[f"{path} {next(iter(given))}" for path, given in WRITING])
def test_another_sites_page_scores_nothing_in_anybodys_name(send, ledger, path, given, headers) -> None:
    found = sent(send, path, given, headers)
    assert (found.status_code, found.json()["error"]["type"]) == (403, "cross_site")
    assert b"victim" not in b"".join(file.read_bytes() for file in ledger.parent.iterdir())


@pytest.mark.parametrize("headers", OWN, ids=str)
def test_our_own_page_and_programs_are_answered(headers) -> None:
    require_own_origin({"host": "localhost", **headers})


def test_an_origin_with_a_port_is_ours_with_that_port_alone() -> None:
    require_own_origin({"host": "[::1]:5001", "origin": "http://[0:0::1]:5001"})
    require_own_origin({"host": "score.example:443", "origin": "https://score.example"})
    with pytest.raises(CrossSite):
        require_own_origin({"host": "localhost:5001", "origin": "http://localhost"})


@pytest.mark.parametrize(
    ("path", "given", "says"),
    [
        ("/predict", {"content": b"{}"}, "content-type application/json or text/csv"),
        ("/models/credit_risk/predict", {"content": b"{}", "headers": {"content-type": " "}}, "application/json"),
        ("/predict", {"data": {"a": "1"}}, "curl: -H 'content-type: application/json'"),
        ("/predict", {"content": b"{}", "headers": {"content-type": "text/plain; application/json"}}, "must be JSON"),
        ("/predict", {"files": {"a": ("b.json", b"{}")}}, "must be JSON"),
        ("/", {"content": b"a=1"}, "multipart/form-data"),
        ("/", {"content": b"a=1", "headers": {"content-type": "text/plain"}}, "application/x-www-form-urlencoded"),
        ("/upload", {"content": TABLE, "headers": CSV}, "multipart/form-data"),
        ("/docs?path=/predict", {"json": {}}, "multipart/form-data"),
    ],
)
def test_a_body_says_what_it_is(send, path, given, says) -> None:
    found = sent(send, path, given, {})
    assert (found.status_code, found.json()["error"]["type"]) == (415, "unsupported_media_type")
    assert says in found.json()["error"]["message"]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:5001", "localhost.", "127.0.0.1", "[::1]:80", "[0:0::1]"])
def test_this_machines_own_names_are_known(send, host) -> None:
    assert send("GET", "/models", headers={"host": host, **BASIC}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["elsewhere.example", "localhost.elsewhere.example", "127.0.0.1.nip.example", "127.0.0.1:5001@elsewhere.example",
     "192.168.1.7", "[::2]", "[::1", "[localhost]", "localhost:80:80", "localhost/x", "localhost,elsewhere.example",
     "127.1", "0.0.0.0", "", ":80", "."],
)  # fmt: skip
@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("POST", "/predict"), ("GET", "/nowhere")])
def test_a_host_that_is_not_ours_is_refused_on_every_path_but_those_for_machines_that_watch(
    send, method, path, host
) -> None:
    found = send(method, path, headers={"host": host, **BASIC, **JSON})
    assert (found.status_code, found.json()["error"]["type"]) == (421, "unknown_host")
    assert host not in found.json()["error"]["message"] or len(host) < 2
    assert [send("GET", watched, headers={"host": host}).status_code for watched in ("/health", "/ready")] == [200] * 2


@pytest.mark.parametrize("name", ["host", "content-type", "origin", "authorization", "x-request-id"])
def test_a_header_with_one_meaning_comes_once(send, name) -> None:
    found = send("POST", "/predict", content=b"{}", headers=[(name, "localhost"), (name, "localhost")])
    assert (found.status_code, found.json()["error"]["message"]) == (400, f"the header {name} must come once")


def test_the_hosts_are_those_that_are_set() -> None:
    def hosts(**environ: str) -> frozenset[str]:
        return ServiceSettings.from_environ({f"RISKSCORE_{name}": value for name, value in environ.items()}).hosts

    assert hosts() == {"localhost", "127.0.0.1", "::1"}
    assert hosts(HOST="192.168.1.7") == hosts() | {"192.168.1.7"}
    assert hosts(HOSTS="Score.Example, localhost:5001,::1,[fe80::1]") == {
        "score.example",
        "localhost",
        "::1",
        "fe80::1",
    }
    with pytest.raises(NotConfigured, match="RISKSCORE_HOSTS"):
        hosts(HOSTS="http://score.example")


def test_any_host_is_taken_where_that_is_said() -> None:
    anywhere = serving(RISKSCORE_LEDGER="", RISKSCORE_HOSTS="*")
    assert anywhere("GET", "/models", headers={"host": "elsewhere.example"}).status_code == 200


def test_a_host_is_read_as_it_is_written() -> None:
    read = {text: authority(text) for text in ("A.example:80", "[::1]:5001", "[0:0::1]", "x:", "x y", "[1.2.3.4]:1")}
    assert read == {
        "A.example:80": ("a.example", "80"),
        "[::1]:5001": ("::1", "5001"),
        "[0:0::1]": ("::1", ""),
        "x:": ("x", ""),
        "x y": None,
        "[1.2.3.4]:1": ("1.2.3.4", "1"),
    }


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/predict"), ("GET", "/models"), ("GET", "/health"), ("GET", "/ready"), ("GET", "/openapi.json"),
     ("GET", "/nowhere"), ("GET", "/metrics"), ("GET", "/docs")],
)  # fmt: skip
def test_answers_are_neither_kept_nor_guessed_at(send, method, path) -> None:
    found = send(method, path, headers=BASIC)
    assert (found.headers["cache-control"], found.headers["x-content-type-options"]) == ("no-store", "nosniff")


@pytest.mark.parametrize(
    ("method", "path", "status", "kind", "field"),
    [
        ("POST", "/docs", 400, "invalid_event", "path"),
        ("POST", "/docs?path", 404, "unknown_path", None),
        ("PUT", "/docs", 405, "method_not_allowed", None),
        ("DELETE", "/", 405, "method_not_allowed", None),
        ("POST", "/ready", 405, "method_not_allowed", None),
        ("GET", "/docs/", 404, "unknown_path", None),
        ("GET", "/upload", 405, "method_not_allowed", None),
    ],
)
def test_what_the_framework_refuses_is_answered_like_the_rest(send, method, path, status, kind, field) -> None:
    found = send(method, path, data={"body": "{}"}, headers=BASIC)
    if found.headers["content-type"].startswith("text/html"):
        assert f'"type": "{kind}"' in found.text.replace("&#34;", '"')  # the page shows what was answered
        return
    assert found.status_code == status
    error = found.json()["error"]
    assert (found.json().keys(), error.keys()) == ({"error"}, {"type", "message", "field"})
    assert (error["type"], error["field"]) == (kind, field)
    assert ("allow" in found.headers) == (status == 405)


@pytest.mark.parametrize(
    "given",
    [
        {"content": b"nonsense", "headers": {"content-type": "multipart/form-data; boundary=x"}},
        {"content": b"x", "headers": {"content-type": "multipart/form-data"}},
        {"files": {f"f{k}": ("a", b"1") for k in range(1_001)}},
        {"data": {f"f{k}": "1" for k in range(1_001)}},
        {"data": {"a": "x" * 2_000_000}},
    ],
    ids=["broken", "no boundary", "many files", "many fields", "a long field"],
)
@pytest.mark.parametrize("path", ["/", "/upload", "/docs?path=/predict"])
def test_a_form_that_cannot_be_read_says_so(send, path, given) -> None:
    found = sent(send, path, given, {})
    assert (found.status_code, found.json()["error"]["type"]) == (400, "invalid_event")
