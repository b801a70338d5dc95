"""The model as MLflow's scoring server takes it: `python mlflow_model.py FOLDER`, in MLflow's own environment."""

import shutil
import sys
from pathlib import Path

import joblib
import mlflow.sklearn

folder = Path(sys.argv[1])
shutil.rmtree(folder, ignore_errors=True)
mlflow.sklearn.save_model(
    joblib.load(Path(__file__).resolve().parent.parent / "model" / "credit_risk" / "model.joblib"),
    folder,
    pyfunc_predict_fn="predict_proba",
    serialization_format="cloudpickle",
    pip_requirements=[],
)
