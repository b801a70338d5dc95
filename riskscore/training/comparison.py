"""What every model has to equal: a logistic regression as a credit department would fit it, on the same folds.

Numbers as signed logarithms, an indicator for what is missing, a column for each category, and a light L2 penalty.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from riskscore.contract.contract import Contract
from riskscore.contract.encoding import linear
from riskscore.training.fitting import encoded, predictor
from riskscore.training.validation import cross_validate, difference

if TYPE_CHECKING:
    from collections.abc import Mapping

    from riskscore.model_toml.settings import Settings
    from riskscore.training.training_data import TrainingData
    from riskscore.training.validation import Validation

PARAMETERS = {"C": 0.1, "max_iter": 1000}
NAME = "logistic regression on signed logarithms"
VERDICTS = {
    -1: "worse, beyond the intervals",
    0: "at least equal, within the intervals",
    1: "better, beyond the intervals",
}


def beside_logistic(settings: Settings, data: TrainingData, validation: Validation) -> dict[str, Any]:
    """The regression's metrics, and the model's less them with the interval of their difference, fold by fold.

    Also the log loss of the base rate, which a model with weighted classes can't be held to.
    """
    contract = Contract(map(linear, settings.contract.features))
    parameters = PARAMETERS | _weights(settings)
    plain = replace(settings, family="logistic", parameters=parameters, directions={}, contract=contract)
    found = cross_validate(encoded(plain, data), predictor(plain), settings.folds, settings.repeats, settings.seed)
    beside = {"logistic_regression": found.metrics, "beside_logistic": difference(validation, found)}
    return beside if _weights(settings) else beside | {"base_rate_log_loss": _entropy(float(np.mean(data.labels)))}


def _entropy(rate: float) -> float:
    """The log loss of one probability for all, the base rate."""
    return -rate * math.log(rate) - (1 - rate) * math.log(1 - rate)


def _weights(settings: Settings) -> dict[str, Any]:
    """The weights that the model gives its classes: without them its log loss would be of another kind."""
    given = settings.parameters
    if "scale_pos_weight" in given:
        return {"class_weight": {0: 1.0, 1: float(given["scale_pos_weight"])}}
    return {"class_weight": given["class_weight"]} if "class_weight" in given else {}


def verdict(metrics: Mapping[str, Any]) -> int:
    """Of the model beside the regression: 1 better, -1 worse, 0 neither is shown. metrics: the manifest's."""
    auc, loss = metrics["beside_logistic"]["auc"], metrics["beside_logistic"]["log_loss"]
    if auc["high"] < 0 or loss["low"] > 0:
        return -1
    return int(auc["low"] > 0 and loss["high"] < 0)


def sentence(metrics: Mapping[str, Any]) -> str:
    """One sentence of both figures that matter, and the verdict."""
    auc, loss = (_signed(metrics["beside_logistic"][name]) for name in ("auc", "log_loss"))
    return f"AUC {auc} and log loss {loss} beside the {NAME}: {VERDICTS[verdict(metrics)]}"


def chosen(found: Mapping[str, Any]) -> list[str]:
    """What `family = "auto"` chose, and all candidates on the same folds. found: the manifest's `search`."""
    late = f"; left out for want of time: {', '.join(found['left_out'])}" if found["left_out"] else ""
    return [
        f"chosen     {found['chosen']}: the simplest within one standard error of the lowest log loss{late}",
        *(
            f"  log loss {loss['mean']:.4f}, AUC {auc['mean']:.3f}  {row['name']}"
            for row in found["candidates"]
            for loss, auc in [(row["metrics"]["log_loss"], row["metrics"]["auc"])]
        ),
    ]


def _signed(found: Mapping[str, float]) -> str:
    return f"{found['mean']:+.3f} ({found['low']:+.3f} to {found['high']:+.3f})"
