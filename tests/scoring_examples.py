"""What the tests of scoring score: a sound credit_risk row, the trained model, and a small linear one."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riskscore.artefact.artefact import Artefact, open_artefact, save_artefact
from riskscore.errors import CallerFault, UnknownCustomer, UnknownModel
from riskscore.scoring.engine import Engine
from riskscore.scoring.model import Model
from riskscore.training.contribution_tables import prepare
from riskscore.twin import trees

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from riskscore.database.features import FeatureRow

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "model" / "credit_risk"

IDS = {"customer_id": "S0001", "snapshot_date": "2025-09-01"}
FEATURES: dict[str, Any] = {
    "income_inflow_30d": 30000.0,
    "spend_outflow_30d": 21000.0,
    "pct_gambling_spend_90d": 0.05,
    "merchant_diversity_90d": 24,
    "avg_debit_amt_30d": 500.0,
    "num_big_txn_30d": 5,
    "days_since_last_salary": 27,
    "debit_credit_ratio_90d": 0.8,
    "late_fee_count_90d": 1,
    "debit_txn_count_30d": 42,
    "credit_txn_count_30d": 2,
    "net_cash_flow_30d": 9000.0,
    "cash_withdrawal_90d": 1500.0,
}
EVENT = {**IDS, "features": FEATURES}

LINEAR = {"format": trees.LINEAR_FORMAT, "intercept": -1.0, "coefficients": [0.001, 0.02, -1.5]}
SMALL: dict[str, Any] = {
    "model": "small_loans",
    "version": "1",
    "ids": ["loan_id"],
    "features": [
        {"name": "amount", "minimum": 0, "support": {"minimum": 500, "maximum": 9e3, "quantiles": {"0.5": 2e3}}},
        {"name": "term", "type": "integer", "minimum": 1, "maximum": 600},
        {"name": "secured", "type": "boolean"},
    ],
    "threshold": 0.5,
    "engines": ["twin"],
    "estimator": {"family": "logistic", "class": "sklearn.linear_model._logistic.LogisticRegression"},
    "versions": {"python": "3"},
    "source": {},
    "points": {"base": 600, "odds": 30, "pdo": 20, "minimum": 300, "maximum": 850},
    "identities": [{"name": "short", "text": "a large loan is a long one", "terms": [[1, "amount"], [-100, "term"]]}],
    "limits": [{"name": "too_long", "text": "the loan is too long", "feature": "term", "maximum": 120}],
    "observations": {"late": "a payment was late"},
    "refer": ["late"],
    "reasons": {name: {"high": f"{name} is high", "low": f"{name} is low"} for name in ("amount", "term", "secured")},
    "response": {},
    "calibration": {},
    "golden": [{"vector": [1000.0, 12.0, 1.0], "margin": trees.load(LINEAR).margin([1000.0, 12.0, 1.0])}],
}


def features(**changes: Any) -> dict[str, Any]:
    """The sound row with some values changed."""
    return FEATURES | changes


def event(**changes: Any) -> dict[str, Any]:
    """The sound event with some feature values changed."""
    return {**IDS, "features": features(**changes)}


@cache
def artefact() -> Artefact:
    """The trained credit_risk."""
    return open_artefact(str(FOLDER))


@cache
def model(choice: str = "auto") -> Model:
    """The trained credit_risk behind one of its engines."""
    return Model(artefact(), choice)


def write_small(folder: Path, **changes: Any) -> Path:
    """Write the small model, its manifest changed, as a folder of that name; returns it."""
    manifest = SMALL | {"model": folder.name} | changes
    contents = {"model.joblib": b"never read", "model.json": json.dumps(LINEAR).encode()}
    save_artefact(str(folder), contents | {"contributions.bin": prepare(LINEAR)}, manifest)
    return folder


def nobody(_: Model, keys: Sequence[Mapping[str, str]]) -> list[FeatureRow | CallerFault]:
    """A look-up in a database that knows no customer."""
    return [UnknownCustomer("no such customer", "customer_id") for _ in keys]


def engine(
    choice: str = "auto",
    look_up: Callable[[Model, Sequence[Mapping[str, str]]], Sequence[FeatureRow | CallerFault]] = nobody,
    **others: Model,
) -> Engine:
    """An engine that serves credit_risk and whatever other models it is given."""
    models = {"credit_risk": model(choice), **others}

    def find(name: str) -> Model:
        if name not in models:
            raise UnknownModel("unknown model", "model")
        return models[name]

    return Engine(find, "credit_risk", look_up)


def answer(given: Any) -> Any:
    """What the engine answers to an event."""
    return engine().answer(given)
