"""What the environment variables of a deployment decide: the model, its engine, its hash, its database."""

from __future__ import annotations

import hashlib
import shutil
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from riskscore.errors import ArtefactRefused, DatabaseUnavailable, NotConfigured, UnknownModel
from riskscore.scoring.engine import Engine
from riskscore.serving.deployment import Deployment, engine_from
from tests.scoring_examples import EVENT, FOLDER, IDS, ROOT, answer, write_small

if TYPE_CHECKING:
    from pathlib import Path

LOAN = {"amount": 2000, "term": 24, "secured": False}
LEDGER = """[
  {"ts": "2025-08-25T09:00:00Z", "amount": 2500, "type": "credit", "category": "salary", "merchant": "Employer"},
  {"ts": "2025-08-26T10:00:00Z", "amount": 80.5, "type": "debit", "category": "groceries", "merchant": "Shop"}
]"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with model/ and sql/: credit_risk, and a small model beside it."""
    shutil.copytree(FOLDER, tmp_path / "model" / "credit_risk")
    shutil.copytree(ROOT / "sql", tmp_path / "sql")
    write_small(tmp_path / "model" / "small_loans")
    return tmp_path


def test_without_variables_credit_risk_is_served_by_whichever_engine_is_quicker() -> None:
    assert engine_from({}, str(ROOT)).answer(EVENT) == answer(EVENT)


@pytest.mark.parametrize(
    ("environ", "given", "by"),
    [
        ({}, EVENT, ("credit_risk", "twin")),
        ({"RISKSCORE_ENGINE": "joblib"}, EVENT, ("credit_risk", "joblib")),
        ({"RISKSCORE_ENGINE": "", "RISKSCORE_MODEL": ""}, EVENT, ("credit_risk", "twin")),
        ({"RISKSCORE_MODEL": "small_loans"}, {"features": LOAN}, ("small_loans", "twin")),
        ({"RISKSCORE_MODEL": "small_loans"}, EVENT | {"model": "credit_risk"}, ("credit_risk", "twin")),
        ({}, {"features": LOAN, "model": "small_loans"}, ("small_loans", "twin")),
    ],
)
def test_a_deployment_says_which_model_and_engine_answer(
    root: Path, environ: dict[str, str], given: dict[str, Any], by: tuple[str, str]
) -> None:
    found = engine_from(environ, str(root)).answer(given)
    assert (found["model"], found["engine"]) == by


def test_a_model_is_opened_once_and_kept(root: Path) -> None:
    deployment = Deployment({}, str(root))
    found = deployment.find("small_loans")
    shutil.rmtree(root / "model")
    assert deployment.find("small_loans") is found


def test_an_unknown_model_is_the_events_fault_unless_the_deployment_named_it(root: Path) -> None:
    with pytest.raises(UnknownModel, match=r"^unknown model; this function serves credit_risk, small_loans$"):
        Deployment({}, str(root)).find("mortgages")
    with pytest.raises(
        NotConfigured, match=r"^RISKSCORE_MODEL: unknown model; this function serves credit_risk, small"
    ):
        engine_from({"RISKSCORE_MODEL": "mortgages"}, str(root))


def test_the_configured_hash_is_the_default_models(root: Path) -> None:
    expected = hashlib.sha256((root / "model" / "credit_risk" / "manifest.json").read_bytes()).hexdigest()
    served = engine_from({"RISKSCORE_MANIFEST_SHA256": expected}, str(root))
    assert served.answer(EVENT)["outcome"] == "scored"
    with pytest.raises(ArtefactRefused, match=rf"^small_loans/manifest.json has SHA-256 .* but {expected} was config"):
        engine_from({"RISKSCORE_MANIFEST_SHA256": expected, "RISKSCORE_MODEL": "small_loans"}, str(root))


def test_a_broken_model_stops_the_start_where_no_other_is_served(root: Path) -> None:
    (root / "model" / "small_loans" / "model.json").write_text("{}")
    with pytest.raises(ArtefactRefused):
        engine_from({"RISKSCORE_MODELS": "small_loans"}, str(root))


@pytest.mark.parametrize("default", ["small_loans", "credit_risk"])
def test_a_broken_model_takes_down_its_own_events_alone(
    root: Path, default: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "model" / "small_loans" / "model.json").write_text("{}")
    served = engine_from({"RISKSCORE_MODEL": default}, str(root))
    told = "the other models are served" in capsys.readouterr().err
    assert told == (default == "small_loans")
    assert served.answer({**EVENT, "model": "credit_risk"})["outcome"] == "scored"
    with pytest.raises(ArtefactRefused):
        served.answer({"features": LOAN, "model": "small_loans"})


def test_only_the_models_of_the_list_are_served(root: Path) -> None:
    deployment = Deployment({"RISKSCORE_MODELS": " small_loans,"}, str(root))
    assert deployment.names() == ["small_loans"]
    assert deployment.default_model == "small_loans"
    answer = deployment.engine().answer({**EVENT, "model": "credit_risk"})
    assert answer["error"]["message"] == "unknown model; this function serves small_loans"


def test_a_misspelt_model_of_the_list_stops_the_start(root: Path) -> None:
    with pytest.raises(NotConfigured, match=r"^RISKSCORE_MODELS: there is no model small_loan$"):
        engine_from({"RISKSCORE_MODELS": "credit_risk,small_loan"}, str(root))


@pytest.mark.parametrize("variable", ["DATABASE_URL", "PGURL"])
def test_a_database_that_is_down_is_our_fault_and_keeps_its_secrets(variable: str) -> None:
    url = "postgresql://someone:hunter2@127.0.0.1:1/ledgers"
    with pytest.raises(DatabaseUnavailable) as raised:
        engine_from({variable: url}, str(ROOT)).answer(IDS)
    shown = f"{raised.value!r} {raised.value.message} {raised.value.__cause__!r}"
    assert not [secret for secret in ("hunter2", "someone", "127.0.0.1", "ledgers") if secret in shown]


def test_no_database_is_our_fault_when_keys_need_one() -> None:
    with pytest.raises(NotConfigured, match=r"^no database is configured"):
        engine_from({}, str(ROOT)).answer([EVENT, IDS])


def test_a_query_that_the_model_was_not_trained_with_is_refused(root: Path) -> None:
    query = root / "sql" / "credit_risk" / "features.sql"
    query.write_text(query.read_text(encoding="utf-8") + "\n-- changed", encoding="utf-8")
    with pytest.raises(
        ArtefactRefused, match=r"^sql/credit_risk/features.sql has SHA-256 .* but the model was trained"
    ):
        engine_from({"DATABASE_URL": "postgresql:///nowhere"}, str(root)).answer(IDS)


def test_keys_are_looked_up_by_the_models_own_query(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute(
            "CREATE TABLE bank_transactions_scoring (customer_id text, snapshot_date date, transactions jsonb)"
        )
        connection.execute("INSERT INTO bank_transactions_scoring VALUES ('S1', '2025-09-01', %s)", (LEDGER,))
    deployment = Deployment({"DATABASE_URL": database}, str(ROOT))
    served = Engine(deployment.find, deployment.default_model, deployment.look_up)
    found, unknown, brought = served.answer([{"customer_id": "S1"}, {"customer_id": "S2"}, EVENT])
    assert deployment._database is not None
    deployment._database.close()  # a function never does: it is frozen, and thrown away
    assert (found["customer_id"], found["snapshot_date"]) == ("S1", "2025-09-01")
    assert 0 < found["probability"] < 1
    assert unknown["error"]["type"] == "unknown_customer"
    assert brought == answer(EVENT)


def test_a_pinned_function_serves_no_model_that_nothing_vouches_for(root: Path) -> None:
    expected = hashlib.sha256((root / "model" / "credit_risk" / "manifest.json").read_bytes()).hexdigest()
    pinned = engine_from({"RISKSCORE_MANIFEST_SHA256": expected}, str(root))
    assert pinned.answer(EVENT)["outcome"] == "scored"
    error = pinned.answer({"features": LOAN, "model": "small_loans"})["error"]
    assert (error["type"], error["message"]) == (
        "unknown_model",
        "unknown model; this function is pinned to credit_risk",
    )
