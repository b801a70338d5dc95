"""Same bytes: one result object for one event, whichever interface it went through.

Models x events x interfaces. An interface takes a model's events and gives the result of each in the bytes of
riskscore/serving/http_routes.py; one that answers HTTP gives the very bytes of its body. Another interface is another
function with @interface.

By either engine the results are the same to the last byte. `auto`, the default, chooses by the number of rows and by
what is loaded, and a result names the engine that computed it: there every byte but that word is the same.
"""

from __future__ import annotations

import asyncio
import csv
import importlib.util
import json
import re
from functools import cached_property
from io import BytesIO
from typing import TYPE_CHECKING, Any

import httpx
import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from riskscore.artefact.artefact import list_models, save_artefact
from riskscore.local.emulator import FUNCTION_ENVIRONMENT, running_emulator
from riskscore.scoring.engine import Engine
from riskscore.service.app import from_environment
from riskscore.serving.aws_envelopes import function_of, handler_of
from riskscore.serving.deployment import Deployment
from riskscore.serving.http_routes import encode
from riskscore.training.contribution_tables import prepare
from tests.conftest import without_database
from tests.envelope_examples import SAMPLES, asking
from tests.programs import run
from tests.scoring_examples import EVENT, FEATURES, LINEAR, ROOT, SMALL, event, features

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    Events = Sequence[dict[str, Any]]
    Interface = Callable[["World", str, Events], list[bytes]]

NAMED_ENGINE = re.compile(rb'"engine":"(twin|joblib)"')

SHIPPED = list_models(str(ROOT / "model"))


def examples(model: str) -> dict[str, dict[str, Any]]:
    """A shipped model's event files, and one that lacks a feature."""
    files = sorted((ROOT / "events" / model).glob("*.json"))
    found = {path.stem: json.loads(path.read_bytes()) for path in files}
    features = next(given["features"] for given in found.values() if "features" in given)
    return {**found, "invalid: missing": {"features": dict(list(features.items())[1:])}}


RISKY = event(late_fee_count_90d=5, cash_withdrawal_90d=9000.0, pct_gambling_spend_90d=0.2)
LOAN = {"loan_id": "L1", "features": {"amount": 1000, "term": 12, "secured": True}}

EVENTS: dict[str, dict[str, dict[str, Any]]] = {
    "credit_risk": {
        **{path.stem: json.loads(path.read_bytes()) for path in sorted((ROOT / "events/credit_risk").glob("*.json"))},
        "no ids": {"features": FEATURES},
        "another alphabet": {**EVENT, "customer_id": "Zoë 李 \U0001f600"},
        "tiny and large": event(net_cash_flow_30d=-1e-7, income_inflow_30d=1e15, avg_debit_amt_30d=0.1 + 0.2),
        "minus zero": event(net_cash_flow_30d=-0.0, pct_gambling_spend_90d=0),
        "transactions after": {**EVENT, "transactions_after_snapshot": 3},
        "flat": {"customer_id": "S0001", **FEATURES},
        "no reasons": {**EVENT, "reasons": 0},
        "every reason": {**EVENT, "reasons": 13},
        "codes": {**RISKY, "reason_codes": True},
        "change": {**RISKY, "change": True, "reason_codes": True, "reasons": 2},
        "invalid: null": event(late_fee_count_90d=None),
        "invalid: out of range": event(pct_gambling_spend_90d=1.5),
        "invalid: misspelt": {**EVENT, "features": {**features(), "income_inflow30d": 1}},
        "invalid: empty": {},
    },
    "small_loans": {
        "scored": LOAN,
        "refer": {**LOAN, "features": {"amount": 1000, "term": 240, "secured": False}},
        "observed": {**LOAN, "late": 2},
        "another alphabet": {**LOAN, "loan_id": "Ωμέγα"},
        "no reasons": {**LOAN, "reasons": 0},
        "invalid: missing": {**LOAN, "features": {"amount": 1000}},
    },
    **{name: examples(name) for name in SHIPPED if name != "credit_risk"},
}


class World:
    """What the interfaces serve: one folder with the shipped models and a small one."""

    def __init__(self, folder: Path, engine: str, emulator: Any) -> None:
        self.folder = folder
        self.engine = engine
        self.emulator = emulator
        self.environ = environment(folder, engine)
        self.deployment = Deployment(self.environ, str(ROOT))
        self._through: dict[tuple[str, str], dict[str, bytes]] = {}

    @cached_property
    def service(self) -> Any:
        """The service, as its server runs it."""
        return from_environment(self.environ | {"RISKSCORE_LEDGER": f"sqlite:///{self.folder}/ledger.db"}, str(ROOT))

    def compared(self, result: bytes) -> bytes:
        """A result as it is compared: as it is, but under `auto` without the word that names its engine."""
        return NAMED_ENGINE.sub(b'"engine":"auto"', result) if self.engine == "auto" else result

    def through(self, name: str, model: str) -> dict[str, bytes]:
        """The results of a model's events that an interface can take, by the events' names."""
        if (name, model) not in self._through:
            events = {key: given for key, given in EVENTS[model].items() if fits(name, key, given)}
            results = INTERFACES[name](self, model, list(events.values()))
            self._through[name, model] = dict(zip(events, results, strict=True))
        return self._through[name, model]


def environment(folder: Path, engine: str) -> dict[str, str]:
    """Of the function, the service and the programs."""
    ours = {"RISKSCORE_MODEL_URI": str(folder), "RISKSCORE_ENGINE": engine}
    return {**without_database(), **FUNCTION_ENVIRONMENT, **ours}


def write_loans(folder: Path) -> None:
    """The small model with an estimator that can be loaded, as the service loads every one ahead."""
    estimator = LogisticRegression()
    estimator.classes_ = np.array([0, 1])
    estimator.coef_ = np.array([LINEAR["coefficients"]])
    estimator.intercept_ = np.array([LINEAR["intercept"]])
    joblib.dump(estimator, pickled := BytesIO())
    contents = {"model.joblib": pickled.getvalue(), "model.json": json.dumps(LINEAR).encode()}
    save_artefact(str(folder), contents | {"contributions.bin": prepare(LINEAR)}, SMALL)


@pytest.fixture(scope="module", params=["twin", "joblib", "auto"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("models")
    write_loans(folder / "small_loans")
    for name in SHIPPED:
        (folder / name).symlink_to(ROOT / "model" / name)
    with running_emulator(environ=environment(folder, request.param)) as emulator:
        yield World(folder, request.param, emulator)


INTERFACES: dict[str, Interface] = {}


def interface(name: str) -> Callable[[Interface], Interface]:
    def added(function: Interface) -> Interface:
        INTERFACES[name] = function
        return function

    return added


def fits(interface: str, name: str, given: dict[str, Any]) -> bool:
    """A table has a column for each id, feature and observation, and no other way to say what is wrong with a row.

    Of a file with labels, score.py takes the rows that have none.
    """
    if interface == "score.py, csv" and name.startswith("label"):
        return False
    asks = any(control in given for control in ("reasons", "reason_codes", "change"))
    return "csv" not in interface or ("features" in given and not asks and not name.startswith("invalid"))


def named(model: str, events: Events) -> list[dict[str, Any]]:
    """The events, each saying its model."""
    return [{**given, "model": model} for given in events]


def one(body: bytes) -> bytes:
    """The result of one event; a model's clients may get theirs always in a list."""
    return apart(body)[0] if body.startswith(b"[") else body


def apart(body: bytes) -> list[bytes]:
    """The results in the bytes of a list, which is nothing but these."""
    results = [encode(result) for result in json.loads(body)]
    assert body == b"[" + b",".join(results) + b"]"
    return results


@interface("direct")
def direct(world: World, model: str, events: Events) -> list[bytes]:
    spec = importlib.util.spec_from_file_location("function_of_both_models", ROOT / "lambda_function.py")
    assert spec
    assert spec.loader
    function = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("RISKSCORE_MODEL_URI", "RISKSCORE_ENGINE"):
            patch.setenv(name, world.environ[name])
        spec.loader.exec_module(function)
        return [one(encode(function.lambda_handler(given, None))) for given in named(model, events)]


@interface("direct, many")
def direct_many(world: World, model: str, events: Events) -> list[bytes]:
    engine = world.deployment.engine()
    return [encode(result) for result in engine.answer({"instances": list(events), "model": model})]


@interface("emulator")
def emulator(world: World, model: str, events: Events) -> list[bytes]:
    return [one(encode(world.emulator.invoke(given))) for given in named(model, events)]


@interface("python-lambda-local")
def python_lambda_local(world: World, model: str, events: Events) -> list[bytes]:
    from tests.conftest import _run_locally

    code, file = world.folder / "handler.py", world.folder / "events.json"
    ours = {name: value for name, value in world.environ.items() if name.startswith("RISKSCORE_")}
    setting = f"os.environ.update({ours!r})"
    code.write_text(f"import os, sys\n{setting}\nsys.path.insert(0, {str(ROOT)!r})\nfrom lambda_function import *\n")
    file.write_text(json.dumps(named(model, events)))
    found = _run_locally(file, code)
    assert isinstance(found, list)
    return [encode(result) for result in found]


def http_interface(name: str, path: str, many: bool) -> None:
    """An interface on a path with {model} in it, or on /predict where the event says its model."""

    def send(world: World, model: str, body: Any) -> bytes:
        found = world.emulator.invoke(asking(name, "POST", path.format(model=model), json.dumps(body)))
        body = found["body"].encode()
        assert found["statusCode"] == 200 or json.loads(one(body))["outcome"] == "invalid"
        return bytes(body)

    @interface(f"{name}, many" if many else name)
    def results(world: World, model: str, events: Events) -> list[bytes]:
        said = named(model, events) if "{model}" not in path else list(events)
        return apart(send(world, model, said)) if many else [one(send(world, model, given)) for given in said]


for envelope in ("api-gateway-v1", "api-gateway-v2", "function-url", "load-balancer", "load-balancer-multi-value"):
    http_interface(envelope, "/models/{model}/predict", many=False)
    http_interface(envelope, "/predict", many=True)


@interface("queue")
def queue(world: World, model: str, events: Events) -> list[bytes]:
    """A queue answers nobody: its results are what the ledger is given."""
    kept: list[Any] = []
    deployment = world.deployment
    engine = Engine(deployment.find, deployment.default_model, deployment.look_up, record=kept.extend)
    record = SAMPLES["sqs"]["Records"][0]
    bodies = map(json.dumps, named(model, events))
    batch = {"Records": [record | {"messageId": str(k), "body": body} for k, body in enumerate(bodies)]}
    handle = handler_of(batch)
    assert handle
    assert handle(batch, function_of(deployment, engine, str(ROOT)), None) == {"batchItemFailures": []}
    return [encode(json.loads(entry.personal["answer"])) for entry in kept]


@interface("step functions")
def step_functions(world: World, model: str, events: Events) -> list[bytes]:
    found = world.emulator.invoke({"BatchInput": {"model": model}, "Items": list(events)})
    return [encode(result) for result in found]


def scored_file(world: World, model: str, given: Path) -> list[bytes]:
    output = given.with_suffix(".scores.jsonl")
    run("score.py", model, "--input", given, "--output", output, environ=world.environ)  # 3 where rows can't be scored
    return output.read_bytes().splitlines()


@interface("score.py, jsonl")
def score_jsonl(world: World, model: str, events: Events) -> list[bytes]:
    given = world.folder / f"{model}.events.jsonl"
    given.write_text("".join(json.dumps(event) + "\n" for event in events))
    return scored_file(world, model, given)


def write_table(given: Path, events: Events) -> None:
    rows = [{**{key: row[key] for key in row if key != "features"}, **row["features"]} for row in events]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with given.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


@interface("score.py, csv")
def score_csv(world: World, model: str, events: Events) -> list[bytes]:
    given = world.folder / f"{model}.csv"
    write_table(given, events)
    return scored_file(world, model, given)


JSON_BODY = {"content-type": "application/json"}


def ask_service(world: World, path: str, bodies: list[bytes], **headers: str) -> list[bytes]:
    async def ask() -> list[bytes]:
        transport = httpx.ASGITransport(app=world.service)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return [(await client.post(path, content=body, headers=JSON_BODY | headers)).content for body in bodies]

    return asyncio.run(ask())


@interface("service")
def service(world: World, model: str, events: Events) -> list[bytes]:
    return list(map(one, ask_service(world, f"/models/{model}/predict", [encode(given) for given in events])))


@interface("service, many")
def service_many(world: World, model: str, events: Events) -> list[bytes]:
    return apart(ask_service(world, "/predict", [encode(named(model, events))])[0])


@interface("service, csv")
def service_csv(world: World, model: str, events: Events) -> list[bytes]:
    given = world.folder / f"{model}.service.csv"
    write_table(given, events)
    headers = {"content-type": "text/csv", "accept": "application/json"}
    return apart(ask_service(world, f"/models/{model}/predict", [given.read_bytes()], **headers)[0])


CASES = [
    pytest.param(model, name, sent_by, id=f"{model}-{name}-{sent_by}")
    for model, events in EVENTS.items()
    for name, given in events.items()
    for sent_by in INTERFACES
    if fits(sent_by, name, given)
]


@pytest.mark.parametrize(("model", "name", "sent_by"), CASES)
def test_the_result_is_the_same_bytes_by_every_interface(world: World, model: str, name: str, sent_by: str) -> None:
    given = {**EVENTS[model][name], "model": model}
    engine = world.deployment.engine()
    # a file of scores is for whoever made it, in our fields; every other interface answers a model's clients in theirs
    expected = encode(engine.score([given])[0]) if "score.py" in sent_by else one(encode(engine.answer(given)))
    assert world.compared(world.through(sent_by, model)[name]) == world.compared(expected)


def test_the_results_name_the_engines_that_computed_them(world: World) -> None:
    found = {
        name
        for sent_by in INTERFACES
        for result in world.through(sent_by, "credit_risk").values()
        for name in engines(result)
    }
    assert found == ({"twin", "joblib"} if world.engine == "auto" else {world.engine})


def engines(result: bytes) -> list[str]:
    return [name.decode() for name in NAMED_ENGINE.findall(result)]


@pytest.mark.parametrize("model", ["credit_risk", "small_loans"])
def test_the_events_show_every_outcome(world: World, model: str) -> None:
    outcomes = {json.loads(result)["outcome"] for result in world.through("emulator", model).values()}
    assert outcomes == {"scored", "refer", "invalid"}
