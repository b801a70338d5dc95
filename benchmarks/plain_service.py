"""The usual service, as tutorials have it: a pydantic model, joblib.load, predict_proba."""

from pathlib import Path

import joblib
import numpy as np
from fastapi import FastAPI
from pydantic import BaseModel

MODEL = joblib.load(Path(__file__).resolve().parent.parent / "model" / "credit_risk" / "model.joblib")


class Features(BaseModel):
    income_inflow_30d: float
    spend_outflow_30d: float
    pct_gambling_spend_90d: float
    merchant_diversity_90d: int
    avg_debit_amt_30d: float
    num_big_txn_30d: int
    days_since_last_salary: int
    debit_credit_ratio_90d: float
    late_fee_count_90d: int
    debit_txn_count_30d: int
    credit_txn_count_30d: int
    net_cash_flow_30d: float
    cash_withdrawal_90d: float


class Event(BaseModel):
    customer_id: str
    snapshot_date: str
    features: Features


app = FastAPI()


@app.post("/predict")
def predict(event: Event):
    row = np.array([list(event.features.model_dump().values())])
    probability = float(MODEL.predict_proba(row)[0, 1])
    return {"customer_id": event.customer_id, "probability": probability, "prediction": int(probability >= 0.5)}
