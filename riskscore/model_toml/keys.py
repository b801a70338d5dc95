"""The keys of model.toml's tables, with their types and defaults."""

from __future__ import annotations

from riskscore.model_toml.schema import DAY, REAL, REQUIRED

# key: (type, default). REQUIRED where there is no default; every other key is refused by name.
MODEL = {
    "description": (str, ""),
    "ids": (list, REQUIRED),
    "threshold": (REAL, REQUIRED),
    "seed": (int, REQUIRED),
    "source": (dict, REQUIRED),
    "estimator": (dict, REQUIRED),
    "features": (list, REQUIRED),
    "parse": (str, "strict"),
    "validation": (dict, {}),
    "search": (dict, {}),
    "constraints": (dict, {}),
    "identities": (list, []),
    "limits": (list, []),
    "observations": (dict, {}),
    "refer": (dict, {}),
    "points": (dict, {}),
    "response": (dict, {}),
    "page": (dict, {}),
    "calibration": (dict, {}),
    "reasons": (dict, {}),
    "change": (dict, {}),
    "card": (dict, {}),
    "governance": (dict, {}),
    "protected": (dict, {}),
}
SOURCE = {
    "target": (str, REQUIRED),
    "sql": (str, ""),
    "labels": (str, ""),
    "views": (list, []),
    "counts": (str, ""),
    "tolerance": (REAL, 0),
    "dialect": (str, ""),
    "table": (str, ""),
    "training_table": (str, ""),
    "aliases": (dict, {}),
    "positive": (list, []),
    "negative": (list, []),
    "unlabelled": (list, []),
}
DIALECTS = ("postgresql", "sqlite", "duckdb")
ESTIMATOR = {"family": (str, REQUIRED), "parameters": (dict, {}), "minutes": (REAL, None)}
AUTO = "auto"  # the family that training chooses by itself
MINUTES = 15.0  # that the choice may take
VALIDATION = {
    "folds": (int, 5),
    "repeats": (int, 5),
    "group": (str, ""),
    "time": (str, ""),
    "periods": (int, None),
    "matures_days": (int, None),
    "as_of": (DAY, ""),
}
SEARCH = {
    "method": (str, REQUIRED),
    "trials": (int, 20),
    "folds": (int, 5),
    "metric": (str, "auc"),
    "parameters": (dict, REQUIRED),
}
POINTS = {"base": (int, 600), "odds": (REAL, 30), "pdo": (REAL, 20), "minimum": (int, 300), "maximum": (int, 850)}
CALIBRATION = {"method": (str, REQUIRED)}
RESPONSE = {"fields": (dict, {}), "always_list": (bool, False), "constants": (dict, {}), "columns": (dict, {})}
PAGE = {"points": (bool, True), "assumed": (dict, {})}
CARD = {
    "purpose": (str, ""),
    "choice": (str, ""),
    "limits": (list, []),
    "reproduce": (list, []),
    "segments": (list, []),
    "cost_ratio": (REAL, None),
}
GOVERNANCE = {"owner": (str, ""), "reviewer": (str, ""), "review_date": (DAY, ""), "materiality": (str, "")}
FEATURE = {
    "name": (str, REQUIRED),
    "type": (str, "number"),
    "nullable": (bool, False),
    "optional": (bool, False),
    "minimum": (REAL, None),
    "maximum": (REAL, None),
    "unit": (str, ""),
    "description": (str, ""),
    "missing": (list, []),
    "values": (list, []),
    "aliases": (dict, {}),
    "unknown": (str, "refuse"),
    "encoding": (str, ""),
    "indicator": (bool, None),
}
# The fields of an answer, beside the ids, that [response] may give other names.
ANSWER = ("outcome", "probability", "prediction", "points", "reasons", "warnings", "model", "model_version", "engine")
