"""The usual service once more, as BentoML's own documentation has it."""

from pathlib import Path

import bentoml
import joblib
import numpy as np
from pydantic import BaseModel


class Event(BaseModel):
    customer_id: str
    snapshot_date: str
    features: dict[str, float]


@bentoml.service(workers=1)
class Scoring:
    def __init__(self) -> None:
        self.model = joblib.load(Path(__file__).resolve().parent.parent / "model" / "credit_risk" / "model.joblib")

    @bentoml.api
    def predict(self, event: Event) -> dict:
        row = np.array([list(event.features.values())])
        probability = float(self.model.predict_proba(row)[0, 1])
        return {"customer_id": event.customer_id, "probability": probability, "prediction": int(probability >= 0.5)}
