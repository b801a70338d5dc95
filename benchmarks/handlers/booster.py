"""The usual function made lean: no scikit-learn, no joblib, a Booster that predicts in place."""

import json
from pathlib import Path

import numpy as np
import xgboost

FOLDER = Path(__file__).parent / "model" / "credit_risk"
MODEL = xgboost.Booster(model_file=FOLDER / "model.json")
FEATURES = MODEL.feature_names


def lambda_handler(event, _context):
    row = np.array([[event["features"][name] for name in FEATURES]], dtype=np.float32)
    probability = float(MODEL.inplace_predict(row)[0])
    return {"statusCode": 200, "body": json.dumps({"probability": probability, "prediction": int(probability >= 0.5)})}
