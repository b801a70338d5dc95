"""The table [search] of model.toml: what it may say, and the parameters that it has tried, in their order."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from riskscore.errors import InvalidFile

if TYPE_CHECKING:
    from collections.abc import Mapping

    Table = dict[str, Any]

METHODS = ("grid", "random")
BETTER = {"auc": 1, "pr_auc": 1, "brier": -1, "log_loss": -1}  # 1 where more is better
SCALES = ("linear", "log")
LARGEST = 10_000  # trials; a grid of more is a slip of the pen
HUGE = 1e100
DIGITS = 6  # of a drawn value; more only make a card hard to read
RANGE_KEYS = {"low", "high", "scale"}


def check_search(file: str, search: Table) -> Table:
    """The table, its keys known and of their types, once its values make sense too; InvalidFile names the key."""
    _require(search["method"] in METHODS, file, f"search.method must be one of {', '.join(METHODS)}", "method")
    _require(search["metric"] in BETTER, file, f"search.metric must be one of {', '.join(BETTER)}", "metric")
    _require(search["folds"] >= 2, file, "search.folds must be at least 2", "folds")
    _require(search["parameters"], file, "search.parameters names nothing to try", "parameters")
    for name, values in search["parameters"].items():
        _check_values(file, name, values, search["method"])
    _require(0 < search["trials"] <= LARGEST, file, f"search.trials must lie between 1 and {LARGEST}", "trials")
    if search["method"] == "grid":
        size = math.prod(len(values) for values in search["parameters"].values())
        _require(size <= LARGEST, file, f"search.parameters span {size} trials; {LARGEST} are the most", "parameters")
    return search


def _check_values(file: str, name: str, values: object, method: str) -> None:
    where = f"search.parameters.{name}"
    if isinstance(values, dict):
        _require(method == "random", file, f"{where} is a range, and only search.method random draws from one", name)
        _check_range(file, where, name, values)
        return
    _require(isinstance(values, list) and values, file, f"{where} must be a list of values, or a range", name)
    sound = isinstance(values, list) and all(_is_number(value) or isinstance(value, (str, bool)) for value in values)
    _require(sound, file, f"{where} must have finite numbers, texts or booleans", name)


def _check_range(file: str, where: str, name: str, values: Table) -> None:
    _require(
        {"low", "high"} <= set(values) <= RANGE_KEYS, file, f"{where} must have low and high, and perhaps scale", name
    )
    low, high, scale = values["low"], values["high"], values.get("scale", "linear")
    _require(_is_number(low) and _is_number(high), file, f"{where}: low and high must be finite numbers", name)
    _require(low < high, file, f"{where}: low must be below high", name)
    _require(scale in SCALES, file, f"{where}.scale must be one of {', '.join(SCALES)}", name)
    _require(scale != "log" or low > 0, file, f"{where}: low must be above 0 where the scale is log", name)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -HUGE < value < HUGE


def _require(truth: object, file: str, sentence: str, field: str) -> None:
    if not truth:
        raise InvalidFile(f"{file}: {sentence}", field)


def trials_of(search: Table, seed: int) -> list[Table]:
    """Every trial's parameters, none twice; a grid in the order of its lists, random ones as the seed draws them."""
    from sklearn.model_selection import ParameterGrid, ParameterSampler

    parameters = search["parameters"]
    if search["method"] == "grid":
        drawn = list(ParameterGrid(parameters))
    else:
        spaces = {name: _space(values) for name, values in parameters.items()}
        drawn = list(ParameterSampler(spaces, _draws(search), random_state=seed))
    trials = [{name: _value(trial[name], parameters[name]) for name in parameters} for trial in drawn]
    return list({key_of(trial): trial for trial in trials}.values())


def _draws(search: Table) -> int:
    """How many trials there can be: lists alone are drawn from without replacement, and may hold fewer than asked."""
    lists = search["parameters"].values()
    whole = math.prod(map(len, lists)) if all(isinstance(values, list) for values in lists) else LARGEST
    return min(int(search["trials"]), whole)


def _space(values: Any) -> Any:
    """What scikit-learn draws from: a list as it is, a range as a distribution; one of whole numbers holds its end."""
    from scipy.stats import loguniform, uniform

    if isinstance(values, list):
        return values
    low, high = values["low"], values["high"] + int(_is_whole(values))
    return loguniform(low, high) if values.get("scale") == "log" else uniform(low, high - low)


def _value(drawn: Any, values: Any) -> Any:
    """A drawn value as model.toml would hold it: whole where the range's ends are, with few digits where not."""
    if isinstance(values, list):
        return drawn
    kept = math.floor(drawn) if _is_whole(values) else float(f"{drawn:.{DIGITS}g}")
    return min(max(kept, values["low"]), values["high"])


def _is_whole(values: Mapping[str, Any]) -> bool:
    return isinstance(values["low"], int) and isinstance(values["high"], int)


def key_of(parameters: Mapping[str, Any]) -> str:
    """Equal for equal parameters alone: 1, 1.0 and true are three."""
    return json.dumps(parameters, sort_keys=True)
