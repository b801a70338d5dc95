"""The usual function, as tutorials have it: unpickle the classifier, take the event's word for it, predict."""

import json
from pathlib import Path

import joblib
import numpy as np

FOLDER = Path(__file__).parent / "model" / "credit_risk"
MODEL = joblib.load(FOLDER / "model.joblib")
FEATURES = MODEL.get_booster().feature_names


def lambda_handler(event, _context):
    row = np.array([[event["features"][name] for name in FEATURES]])
    probability = float(MODEL.predict_proba(row)[0, 1])
    return {"statusCode": 200, "body": json.dumps({"probability": probability, "prediction": int(probability >= 0.5)})}
