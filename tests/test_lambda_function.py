"""The function itself: whatever JSON comes in, an answer of the documented shape goes out through Lambda's encoder."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from awslambdaric.lambda_runtime_marshaller import LambdaMarshaller
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lambda_function import lambda_handler
from riskscore.errors import NotConfigured
from riskscore.scoring import events
from riskscore.scoring.model import LOADING_ROWS
from riskscore.serving import aws_envelopes
from tests.envelope_examples import asking
from tests.scoring_examples import EVENT, FEATURES, IDS, ROOT, answer, artefact, event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from riskscore.ledger.ledger import Ledger

AFTER = "transactions_after_snapshot"
TYPES = {
    "outcome": str,
    "probability": float,
    "prediction": int,
    "points": int,
    "reasons": list,
    "warnings": list,
    "model": str,
    "model_version": str,
    "engine": str,
}
ERRORS = {
    "invalid_event",
    "too_many_rows",
    "unknown_model",
    "missing_feature",
    "unknown_field",
    "wrong_type",
    "null_feature",
    "not_finite",
    "out_of_range",
    "answer_too_large",
}


@pytest.fixture(autouse=True, scope="module")
def no_database() -> Iterator[None]:
    """An environment that names no database."""
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith(("PG", "DATABASE_URL")):
                patch.delenv(name)
        yield


@pytest.fixture(params=["AWS_Lambda_python3.13", ""], ids=["on Lambda", "elsewhere"])
def marshaller(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> LambdaMarshaller:
    """Lambda's own encoder, which leaves characters as they are on newer runtimes and escapes them elsewhere."""
    monkeypatch.setenv("AWS_EXECUTION_ENV", request.param)
    return LambdaMarshaller()


def encoded(marshaller: LambdaMarshaller, value: Any) -> Any:
    """What a client decodes, who takes JSON at its word."""
    text, content_type = marshaller.marshal_response(value)
    assert content_type == "application/json"

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text.encode("utf-8"), parse_constant=refuse)


def assert_built_in(value: Any) -> None:
    assert type(value) in (dict, list, str, int, float, bool, type(None))
    for inner in [*value, *value.values()] if type(value) is dict else value if type(value) is list else ():
        assert_built_in(inner)


def assert_documented(found: Any) -> None:
    """One row's answer has the keys and types of the documentation."""
    ids = {key: found[key] for key in artefact().manifest["ids"] if key in found}
    rest = {key: value for key, value in found.items() if key not in ids}
    assert all(type(value) is str and value for value in ids.values())
    if found["outcome"] == "invalid":
        assert set(rest) - {"model"} == {"outcome", "error"}
        assert set(rest["error"]) == {"type", "message", "field"}
        assert rest["error"]["type"] in ERRORS
        assert rest["error"]["message"].isprintable()
    else:
        assert {key: type(value) for key, value in rest.items()} == TYPES
        assert rest["outcome"] in ("scored", "refer")
        assert 0 <= rest["probability"] <= 1
        assert 300 <= rest["points"] <= 850


NAMES = st.sampled_from(
    [*FEATURES, *IDS, AFTER, "features", "instances", "model", "reasons", "late_fees_count_90d", "\ud800", "\x00"]
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=5)
    | st.sampled_from(["credit_risk", "2025-09-01", "\udfff", 10**400, -0.0, 1e39])
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES | st.text(max_size=5), inner, max_size=6),
    max_leaves=12,
)
NEARLY = st.dictionaries(NAMES, JSON, max_size=3).map(lambda changes: EVENT | changes)
NEARLY_FEATURES = st.dictionaries(NAMES, LEAVES, max_size=3).map(lambda changes: event(**changes))
ROWS = NEARLY | NEARLY_FEATURES | JSON
EVENTS = ROWS | st.lists(ROWS, max_size=6) | st.fixed_dictionaries({"instances": st.lists(ROWS, max_size=4)})


def names_keys_only(row: Any) -> bool:
    return isinstance(row, dict) and "customer_id" in row and not {"features", *FEATURES} & set(row)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given=EVENTS)
@example(given=EVENT | {"model": "\ud800"})
@example(given={"instances": [], "\ud800": 1})
@example(given=event(**{"\ud800": 1}))
def test_whatever_comes_in_a_documented_answer_goes_out(marshaller: LambdaMarshaller, given: Any) -> None:
    rows = given["instances"] if isinstance(given, dict) and "instances" in given else given
    try:
        found = lambda_handler(given, None)
    except NotConfigured:  # keys only, and no database to look them up in: a fault of ours
        assert any(map(names_keys_only, rows if isinstance(rows, list) else [rows]))
        return
    if isinstance(found, list):
        assert isinstance(rows, list)
        assert len(found) == len(rows)
    for one in found if isinstance(found, list) else [found]:
        assert_documented(one)
    assert_built_in(found)
    assert encoded(marshaller, found) == found
    assert json.loads(json.dumps(found, allow_nan=False)) == found


@pytest.mark.parametrize("rows", [1, 2, LOADING_ROWS])
def test_an_answer_is_made_of_built_in_types_whichever_engine_gave_it(marshaller: LambdaMarshaller, rows: int) -> None:
    given = [event(late_fee_count_90d=k % 7) | {"reasons": 13 if rows < LOADING_ROWS else 1} for k in range(rows)]
    found = lambda_handler(given, None)
    assert {row["engine"] for row in found} == {"joblib" if rows == LOADING_ROWS else "twin"}
    assert_built_in(found)
    assert encoded(marshaller, found) == found


BEYOND = {"merchant_diversity_90d": 1, "num_big_txn_30d": 900, "debit_credit_ratio_90d": 2e3, "avg_debit_amt_30d": 9e4}
WORDY = event(
    late_fee_count_90d=9, pct_gambling_spend_90d=0.9, cash_withdrawal_90d=6e5, net_cash_flow_30d=-9e5, **BEYOND
)
WORDY |= {"reasons": 13, "reason_codes": True}  # many reasons and warnings


def test_an_answer_beyond_what_lambda_returns_is_an_error_in_its_place() -> None:
    found = lambda_handler([WORDY] * 10_000, None)
    assert found["error"]["type"] == "answer_too_large"
    assert_documented(found)


def test_the_handler_only_translates() -> None:
    assert lambda_handler(EVENT, None) == answer(EVENT)


def test_a_fault_of_ours_is_raised_so_that_lambda_counts_it() -> None:
    with pytest.raises(NotConfigured, match=r"^no database is configured; set DATABASE_URL, PGURL or the PG\* variab"):
        lambda_handler(IDS, None)


START = """
import importlib.util, os, sys
spec = importlib.util.spec_from_file_location("handler_file", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
print(module.lambda_handler({"model": "nobody"}, None)["error"]["type"], os.environ["JOBLIB_MULTIPROCESSING"])
"""


def start(**environ: str) -> subprocess.CompletedProcess[str]:
    """The function loaded by its path, from another folder, by an interpreter that knows nothing of this project."""
    command = [sys.executable, "-c", START, str(ROOT / "lambda_function.py")]
    return subprocess.run(command, cwd="/", env=environ, capture_output=True, text=True, check=False)


def test_the_function_starts_wherever_it_lies() -> None:
    assert start().stdout.split() == ["unknown_model", "0"]
    assert start(JOBLIB_MULTIPROCESSING="1").stdout.split() == ["unknown_model", "1"]


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("RISKSCORE_ENGINE", "fast", "the engine must be one of auto, joblib, twin"),
        ("RISKSCORE_MODEL", "mortgages", "RISKSCORE_MODEL: unknown model; this function serves credit_risk"),
        ("RISKSCORE_MANIFEST_SHA256", "0" * 64, f"but {'0' * 64} was configured"),
    ],
)
def test_a_deployment_that_cannot_score_does_not_start(name: str, value: str, sentence: str) -> None:
    failed = start(**{name: value})
    assert failed.returncode != 0
    assert sentence in failed.stderr


@pytest.fixture
def keeping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Callable[[Any, Any], Any], Ledger]]:
    """The function of an environment with a SQLite ledger, and the ledger."""
    assert aws_envelopes.LAMBDA_BYTES == events.LAMBDA_BYTES  # loaded, before a test makes that limit smaller
    monkeypatch.setenv("RISKSCORE_LEDGER", f"sqlite:///{tmp_path}/ledger.db")
    spec = importlib.util.spec_from_file_location("function_with_ledger", ROOT / "lambda_function.py")
    assert spec
    assert spec.loader
    function = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(function)
    ledger = function.DEPLOYMENT.ledger()
    yield function.lambda_handler, ledger
    ledger.store.close()


def balanced(rows: int) -> dict[str, Any]:
    """A load balancer's request of so many wordy rows."""
    return asking("load-balancer", "POST", "/predict", json.dumps({"instances": [WORDY] * rows}))


@pytest.mark.parametrize("door", ["an event", "Step Functions", "a load balancer"])
def test_an_answer_that_nobody_can_get_is_not_in_the_ledger(keeping, door, monkeypatch) -> None:
    monkeypatch.setattr(events, "LAMBDA_BYTES", 300_000)  # quicker than thousands of rows
    handle, ledger = keeping
    rows = {"instances": [WORDY] * 1_000}
    given = {
        "an event": rows,
        "Step Functions": {"Items": rows["instances"], "BatchInput": {}},
        "a load balancer": balanced(1_000),
    }[door]
    for _ in range(2):  # a retry finds no score either
        found = handle(given, SimpleNamespace(aws_request_id="r1"))
        error = (json.loads(found["body"]) if "body" in found else found)["error"]
        assert error["type"] == "answer_too_large"
        assert ledger.recent(1) == []
    assert handle(EVENT, SimpleNamespace(aws_request_id="r2"))["outcome"] == "scored"
    assert len(ledger.recent(2)) == 1


def test_an_answer_kept_through_a_wide_door_is_refused_at_a_narrow_one(keeping) -> None:
    handle, ledger = keeping
    narrow = balanced(1_000)
    narrow["headers"]["x-request-id"] = "r1"
    kept = handle(json.loads(narrow["body"]), SimpleNamespace(aws_request_id="r1"))
    assert len(kept) == 1_000
    found = handle(narrow, None)
    assert (found["statusCode"], json.loads(found["body"])["error"]["type"]) == (413, "answer_too_large")
    assert len(ledger.recent(2_000)) == 1_000
