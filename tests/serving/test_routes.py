"""The routes: every path, method and status, without a server; one encoder, and nothing raised."""

from __future__ import annotations

import errno
import json
import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from riskscore.artefact.artefact import open_artefact
from riskscore.errors import ArtefactRefused, DatabaseUnavailable, UnknownModel, status_of
from riskscore.fault_log import fault, report
from riskscore.scoring.engine import Engine
from riskscore.scoring.model import Model
from riskscore.serving.http_routes import Routes, encode, parse
from riskscore.serving.model_info import ModelInfo
from tests.scoring_examples import EVENT, FEATURES, IDS, ROOT, answer, event, model, nobody, write_small

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

JSON_HEADERS = {"content-type": "application/json"}
ONE = "/models/credit_risk/predict"
LOAN = {"loan_id": "L1", "features": {"amount": 1000, "term": 12, "secured": True}}


def served(**others: Model) -> dict[str, Model]:
    return {"credit_risk": model(), **others}


def routes_for(
    models: dict[str, Model],
    look_up: Any = nobody,
    report: Callable[[Exception], None] | None = None,
    limit: int = 10**6,
) -> Routes:
    """Routes over some models; a fault that nobody expects fails the test."""

    def find(name: str) -> Model:
        if name not in models:
            raise UnknownModel("unknown model", "model")
        return models[name]

    def unexpected(error: Exception) -> None:
        raise AssertionError from error

    describe = ModelInfo(find, lambda: sorted(models), "credit_risk", str(ROOT / "events"))
    return Routes(Engine(find, "credit_risk", look_up), describe, limit, report or unexpected)


@pytest.fixture
def routes(small_loans: Model) -> Routes:
    return routes_for(served(small_loans=small_loans))


def strict(document: bytes) -> Any:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(document.decode("utf-8"), parse_constant=refuse)


def asked(
    routes: Routes, method: str, path: str, body: Any = b"", content_type: str = "application/json"
) -> tuple[int, Any]:
    given = body if isinstance(body, bytes) else json.dumps(body).encode()
    found = routes.handle(method, path, {"content-type": content_type}, given)
    assert found.headers["content-type"] == "application/json"
    return found.status, strict(found.body)


def error_of(routes: Routes, method: str, path: str, body: Any = b"", **more: str) -> tuple[int, str]:
    code, found = asked(routes, method, path, body, **more)
    assert set(found["error"]) == {"type", "message", "field"}
    return code, found["error"]["type"]


@pytest.mark.parametrize("path", ["/predict", ONE, "/models/credit%5Frisk/predict"])
@pytest.mark.parametrize("given", [EVENT, [EVENT] * 3, {"instances": [EVENT], "reasons": 0}], ids=["one", "many", "v1"])
def test_a_prediction_is_what_the_function_answers(routes: Routes, path: str, given: Any) -> None:
    assert asked(routes, "POST", path, given) == (200, answer(given))


@pytest.mark.parametrize(
    ("given", "code", "kind"),
    [
        ({}, 400, "invalid_event"),
        ([], 400, "invalid_event"),
        (7, 400, "invalid_event"),
        ({"instances": None}, 400, "invalid_event"),
        (EVENT | {"model": "mortgages"}, 404, "unknown_model"),
        (IDS, 404, "unknown_customer"),
        ([IDS] * 10_001, 413, "too_many_rows"),
        (event(late_fee_count_90d=None), 422, "null_feature"),
        (event(net_cash_flow_30d=math.nan), 422, "not_finite"),
        (event(net_cash_flow_30d="9"), 422, "wrong_type"),
        ({"features": {}}, 422, "missing_feature"),
        (event(age=40), 422, "unknown_field"),
    ],
)
def test_what_cannot_be_scored_has_the_status_of_its_error_and_the_functions_body(
    routes: Routes, given: Any, code: int, kind: str
) -> None:
    assert error_of(routes, "POST", "/predict", given) == (code, kind)
    assert asked(routes, "POST", "/predict", given)[1] == answer(given)


def test_a_list_answers_200_with_its_bad_rows_in_their_places(routes: Routes) -> None:
    given = [EVENT, {}, 7, EVENT]
    for shape in (given, {"instances": given}):
        assert asked(routes, "POST", "/predict", shape) == (200, answer(given))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the body is not JSON: line 1, column 1"),
        (b'{\n "a": }', "the body is not JSON: line 2, column 7"),
        (b"\xff\xfe{\x00}\x00", "the body is not JSON: it is not in UTF-8"),
        (b'{"customer_id": "\xe9"}', "the body is not JSON: it is not in UTF-8"),
        (b"[" * 200_000, "the body is nested too deeply"),
        (b'{"a":' * 200_000, "the body is nested too deeply"),
        (b"9" * 5_000, "the body holds a number that is too long"),
    ],
)
def test_a_body_that_is_no_json_says_where_and_quotes_nothing(routes: Routes, body: bytes, message: str) -> None:
    found = asked(routes, "POST", "/predict", body)
    assert found == (400, {"error": {"type": "broken_json", "message": message, "field": None}})


class Stderr:
    """Collects what is written; full: as a disk is that takes no more."""

    def __init__(self, full: bool) -> None:
        self.full, self.written = full, list[str]()

    def write(self, text: str) -> int:
        if self.full:
            raise OSError(errno.ENOSPC, "no space left on device")
        self.written.append(text)
        return len(text)


def test_a_fault_is_one_line_in_one_piece_and_a_full_disk_takes_no_answer_away(monkeypatch: pytest.MonkeyPatch) -> None:
    for stderr, lines in ((Stderr(full=False), 1), (Stderr(full=True), 0)):
        monkeypatch.setattr("sys.stderr", stderr)
        report(ValueError("a value"))
        assert [text[-1] for text in stderr.written] == ["\n"] * lines
        assert [json.loads(text)["exception"] for text in stderr.written] == ["ValueError"] * lines


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert parse(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


@pytest.mark.parametrize(
    ("content_type", "code"),
    [
        ("", 200),
        ("application/json", 200),
        ("Application/JSON; charset=utf-8", 200),
        ("application/vnd.riskscore+json", 200),
        ("text/csv", 415),
        ("text/json", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/jsonp", 415),
        (";", 415),
    ],
)
def test_the_body_is_json_or_says_nothing(routes: Routes, content_type: str, code: int) -> None:
    assert asked(routes, "POST", "/predict", EVENT, content_type)[0] == code


def test_no_content_type_at_all_is_json(routes: Routes) -> None:
    assert routes.handle("POST", "/predict", {}, json.dumps(EVENT).encode()).status == 200


def test_a_body_beyond_the_limit_is_not_read() -> None:
    small = routes_for(served(), limit=10)
    assert error_of(small, "POST", "/predict", b"[" + b" " * 8 + b"]") == (400, "invalid_event")
    assert error_of(small, "POST", "/predict", b"x" * 11) == (413, "body_too_large")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/predict", "POST, OPTIONS"),
        (ONE, "POST, OPTIONS"),
        ("/models", "GET, HEAD, OPTIONS"),
        ("/models/credit_risk", "GET, HEAD, OPTIONS"),
        ("/health", "GET, HEAD, OPTIONS"),
    ],
)
def test_a_path_says_which_methods_it_takes(routes: Routes, path: str, allowed: str) -> None:
    options = routes.handle("OPTIONS", path, {}, b"")
    assert (options.status, options.headers, options.body) == (204, {"allow": allowed}, b"")
    for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "", "get"} - set(allowed.split(", ")):
        refused = routes.handle(method, path, {}, b"")
        assert (refused.status, refused.headers["allow"]) == (405, allowed)
        assert bool(refused.body) == (method != "HEAD")


@pytest.mark.parametrize("path", ["/health", "/models", "/models/credit_risk", "/models/nobody", "/nowhere"])
def test_head_is_get_without_its_body(routes: Routes, path: str) -> None:
    full, head = (routes.handle(method, path, {}, b"") for method in ("GET", "HEAD"))
    assert (head.status, head.headers, head.body) == (full.status, full.headers, b"")
    assert full.body


@pytest.mark.parametrize(
    "path",
    [
        *("", "/", "predict", "/predict/", "//predict", "/predict/predict", "/model", "/health/x", "/\x00", "/\ud800"),
        *("/models/", "/models//predict", "/models/a/b", "/models/a/predict/", "/models/*/x", "models/credit_risk"),
        *("/models/*/", "/models/a/*", "/models/credit_risk/predict/x"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_any_other_path_is_unknown(routes: Routes, method: str, path: str) -> None:
    assert error_of(routes, method, path) == (404, "unknown_path")


@pytest.mark.parametrize("name", ["*", "..", "nobody", "%2e%2e", "%", "credit_risk%00", "\ud800", "a" * 10_000])
def test_a_model_that_is_not_served_is_unknown(routes: Routes, name: str) -> None:
    assert error_of(routes, "GET", f"/models/{name}") == (404, "unknown_model")
    assert error_of(routes, "POST", f"/models/{name}/predict", [EVENT]) == (404, "unknown_model")


def test_a_path_names_the_model_of_all_its_rows(routes: Routes) -> None:
    for sent in (LOAN, [LOAN, LOAN], {"instances": [LOAN]}, LOAN | {"model": "small_loans"}):
        code, found = asked(routes, "POST", "/models/small_loans/predict", sent)
        assert code == 200
        assert {row["model"] for row in (found if isinstance(found, list) else [found])} == {"small_loans"}


@pytest.mark.parametrize(
    "given",
    [
        LOAN | {"model": "credit_risk"},
        [LOAN, LOAN | {"model": "credit_risk"}],
        {"instances": [LOAN], "model": "credit_risk"},
        {"instances": [LOAN | {"model": None}]},
    ],
)
def test_an_event_names_no_other_model_than_its_path(routes: Routes, given: Any) -> None:
    assert error_of(routes, "POST", "/models/small_loans/predict", given) == (400, "invalid_event")


def test_a_model_that_always_answers_a_list_keeps_its_statuses(tmp_path: Path) -> None:
    folder = write_small(tmp_path / "small_loans", response={"always_list": True})
    routes = routes_for(served(small_loans=Model(open_artefact(str(folder)))))
    path = "/models/small_loans/predict"
    assert [asked(routes, "POST", path, given)[0] for given in (LOAN, {"features": {}}, [{}])] == [200, 422, 200]


def test_the_models_are_listed(routes: Routes) -> None:
    code, found = asked(routes, "GET", "/models")
    assert code == 200
    assert [(entry["name"], entry["default"]) for entry in found["models"]] == [
        ("credit_risk", True),
        ("small_loans", False),
    ]


def test_a_refused_model_is_listed_with_the_reason_and_the_others_are_served() -> None:
    def find(name: str) -> Model:
        if name == "broken":
            raise ArtefactRefused("broken/model.json has SHA-256 1, but its manifest says 2")
        return model()

    found = ModelInfo(find, lambda: ["broken", "credit_risk"], "credit_risk", "nowhere").models()["models"]
    assert found[0]["error"]["type"] == "artefact_refused"
    assert found[1]["version"] == model().artefact.version


@pytest.mark.parametrize("name", ["credit_risk", "small_loans"])
def test_a_contract_says_what_to_send_and_its_examples_are_scored(routes: Routes, name: str) -> None:
    code, found = asked(routes, "GET", f"/models/{name}")
    assert code == 200
    assert found["name"] == name
    for feature in found["features"]:
        assert set(feature) == {
            *("name", "type", "nullable", "unit", "description", "minimum", "maximum", "support"),
            *("missing", "values", "aliases", "unknown", "parse", "optional"),
        }
    assert found["examples"]
    for example_event in found["examples"].values():
        assert asked(routes, "POST", f"/models/{name}/predict", example_event)[0] == 200


def test_the_contract_of_credit_risk(routes: Routes) -> None:
    found = asked(routes, "GET", "/models/credit_risk")[1]
    assert [feature["name"] for feature in found["features"]] == list(FEATURES)
    assert (found["ids"], found["threshold"], found["keys_only"]) == (["customer_id", "snapshot_date"], 0.1667, True)
    assert found["manifest_sha256"] == model().artefact.manifest_sha256
    gambling = found["features"][2]
    assert (gambling["minimum"], gambling["maximum"]) == (0, 1)


def test_health(routes: Routes) -> None:
    assert asked(routes, "GET", "/health") == (200, {"status": "ok"})


def unreachable(*_: Any) -> Any:
    raise DatabaseUnavailable("the database can't be reached")


def unforeseen(*_: Any) -> Any:
    raise ValueError("S0001 has 28862.99")


def test_a_fault_of_ours_is_answered_and_told_of() -> None:
    told: list[Exception] = []
    routes = routes_for(served(), unreachable, told.append)
    error = {"type": "database_unavailable", "message": "the database can't be reached", "field": None}
    assert asked(routes, "POST", "/predict", [EVENT, IDS]) == (503, {"error": error})
    assert [type(error) for error in told] == [DatabaseUnavailable]


def test_an_exception_that_nobody_foresaw_says_nothing_of_its_cause() -> None:
    told: list[Exception] = []
    routes = routes_for(served(), unforeseen, told.append)
    error = {"type": "internal_error", "message": "the request could not be answered", "field": None}
    assert asked(routes, "POST", "/predict", IDS) == (500, {"error": error})
    said = fault(told[0])
    assert (said["type"], said["exception"]) == ("internal_error", "ValueError")
    assert said["where"].endswith(" unforeseen")
    assert "S0001" not in json.dumps(said)


def test_one_line_of_the_log_says_what_and_where(capsys: pytest.CaptureFixture[str]) -> None:
    asked(routes_for(served(), unforeseen, report), "POST", "/predict", IDS)
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["exception"] == "ValueError"


@pytest.mark.parametrize("type_", ["invalid_event", "wrong_type", "conflict", "unheard_of"])
def test_the_status_of_a_type_is_that_of_its_class(type_: str) -> None:
    expected = {"invalid_event": 400, "wrong_type": 422, "conflict": 409, "unheard_of": 500}
    assert status_of(type_) == expected[type_]


def test_bytes_are_strict_json_in_utf8() -> None:
    assert encode({"a": [1.5, "é"]}) == '{"a":[1.5,"é"]}'.encode()
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode(math.nan)


PATHS = st.sampled_from(["/predict", ONE, "/models", "/models/x", "/health"]) | st.text(max_size=20).map("/".__add__)
METHODS = st.sampled_from(["GET", "HEAD", "POST", "OPTIONS", "PUT"]) | st.text(max_size=8)
BODIES = st.binary(max_size=60) | st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["features", "instances", "model"]) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=8,
).map(lambda value: json.dumps(value).encode())
DOCUMENTED = {200, 204, 400, 404, 405, 413, 415, 422}


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(
    method=METHODS, path=PATHS, body=BODIES, headers=st.just({}) | st.dictionaries(st.just("content-type"), st.text())
)
@example(method="POST", path="/predict", body=b'"\\ud800"', headers={})
def test_whatever_is_asked_a_documented_status_and_strict_json_come_back(
    method: str, path: str, body: bytes, headers: dict[str, str]
) -> None:
    found = routes_for(served()).handle(method, path, headers, body)
    assert found.status in DOCUMENTED
    assert all(name == name.lower() for name in found.headers)
    if found.body:
        strict(found.body)
