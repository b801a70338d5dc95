"""The table [search]: the trials it means, and the sentence that refuses what it can't mean."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from riskscore.errors import InvalidFile
from riskscore.model_toml.search_space import BETTER, check_search, trials_of
from riskscore.training.validation import METRICS


def search_of(**changes: Any) -> dict[str, Any]:
    """A sound table of a random search, with changes; of a grid, where changes say so."""
    grid = changes.get("method") == "grid"
    parameters = {"C": [0.1, 1.0]} if grid else {"C": {"low": 0.1, "high": 1.0}}
    return {
        "method": "random",
        "trials": 20,
        "folds": 5,
        "metric": "auc",
        "parameters": parameters,
        **changes,
    }


def drawn(name: str, values: Any, trials: int = 50, seed: int = 7) -> list[Any]:
    return [trial[name] for trial in trials_of(search_of(parameters={name: values}, trials=trials), seed)]


def test_a_grid_is_every_combination_in_the_order_of_its_lists() -> None:
    search = search_of(method="grid", parameters={"C": [0.1, 1.0], "l1_ratio": [0.0, 1.0]})
    assert trials_of(search, seed=7) == [
        {"C": c, "l1_ratio": ratio} for c, ratio in itertools.product([0.1, 1.0], [0.0, 1.0])
    ]


def test_a_grid_tries_nothing_twice_and_takes_a_truth_for_no_number() -> None:
    found = trials_of(search_of(method="grid", parameters={"x": [1, 1, True, 1.0]}), seed=7)
    assert [repr(trial["x"]) for trial in found] == ["1", "True", "1.0"]


def test_random_trials_are_those_of_the_seed() -> None:
    ratio = {"low": 0.1, "high": 1.0}
    assert drawn("C", ratio, seed=7) == drawn("C", ratio, seed=7)
    assert drawn("C", ratio, seed=7) != drawn("C", ratio, seed=8)


def test_more_trials_begin_with_the_fewer_ones() -> None:
    ratio = {"low": 0.1, "high": 1.0}
    assert drawn("C", ratio, trials=20)[:5] == drawn("C", ratio, trials=5)


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_whole_numbers_stay_whole_and_reach_both_ends(scale: str) -> None:
    found = drawn("max_depth", {"low": 2, "high": 4, "scale": scale}, trials=500)
    assert set(found) == {2, 3, 4}
    assert {type(value) for value in found} == {int}


def test_a_range_is_kept_to_and_its_values_are_short() -> None:
    found = drawn("C", {"low": 0.1, "high": 0.3}, trials=200)
    assert {type(value) for value in found} == {float}
    assert all(0.1 <= value <= 0.3 and len(repr(value)) <= 8 for value in found)


def test_a_log_scale_spends_as_many_trials_on_each_power_of_ten() -> None:
    found = drawn("C", {"low": 0.001, "high": 10.0, "scale": "log"}, trials=400)
    shares = [sum(low <= value < 10 * low for value in found) / 400 for low in (0.001, 0.01, 0.1, 1.0)]
    assert shares == pytest.approx([0.25] * 4, abs=0.06)


def test_a_random_search_over_lists_asks_for_no_more_than_they_hold() -> None:
    parameters = {"C": [0.1, 1.0], "l1_ratio": [0.0, 0.5, 1.0]}
    found = trials_of(search_of(parameters=parameters, trials=20), seed=7)
    assert sorted(found, key=str) == sorted(trials_of(search_of(method="grid", parameters=parameters), 7), key=str)


def test_a_metric_has_its_direction() -> None:
    assert sorted(BETTER) == sorted(METRICS)


RANGE = {"low": 0.1, "high": 1.0}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"method": "bayes"}, "search.method must be one of grid, random"),
        ({"metric": "accuracy"}, "search.metric must be one of auc, pr_auc, brier, log_loss"),
        ({"folds": 1}, "search.folds must be at least 2"),
        ({"trials": 0}, "search.trials must lie between 1 and 10000"),
        ({"trials": 10_001}, "search.trials must lie between 1 and 10000"),
        ({"parameters": {}}, "search.parameters names nothing to try"),
        ({"parameters": {"C": 1.0}}, "search.parameters.C must be a list of values, or a range"),
        ({"parameters": {"C": []}}, "search.parameters.C must be a list of values, or a range"),
        ({"parameters": {"C": [[1.0]]}}, "search.parameters.C must have finite numbers, texts or booleans"),
        ({"parameters": {"C": [float("inf")]}}, "search.parameters.C must have finite numbers, texts or booleans"),
        ({"parameters": {"C": [float("nan")]}}, "search.parameters.C must have finite numbers, texts or booleans"),
        ({"parameters": {"C": [10**400]}}, "search.parameters.C must have finite numbers, texts or booleans"),
        ({"parameters": {"C": {"low": 1}}}, "search.parameters.C must have low and high, and perhaps scale"),
        ({"parameters": {"C": {**RANGE, "step": 1}}}, "search.parameters.C must have low and high, and perhaps scale"),
        ({"parameters": {"C": {**RANGE, "low": "0"}}}, "search.parameters.C: low and high must be finite numbers"),
        ({"parameters": {"C": {**RANGE, "high": True}}}, "search.parameters.C: low and high must be finite numbers"),
        ({"parameters": {"C": {**RANGE, "low": 1.0}}}, "search.parameters.C: low must be below high"),
        ({"parameters": {"C": {**RANGE, "scale": "lg"}}}, "search.parameters.C.scale must be one of linear, log"),
        (
            {"parameters": {"C": {"low": 0, "high": 1, "scale": "log"}}},
            "search.parameters.C: low must be above 0 where the scale is log",
        ),
        (
            {"method": "grid", "parameters": {"C": RANGE}},
            "search.parameters.C is a range, and only search.method random draws from one",
        ),
        (
            {"method": "grid", "parameters": {name: list(range(10)) for name in "abcde"}},
            "search.parameters span 100000 trials; 10000 are the most",
        ),
    ],
)
def test_a_table_that_makes_no_sense_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidFile) as refused:
        check_search("small/model.toml", search_of(**changes))
    assert refused.value.message == f"small/model.toml: {sentence}"


@pytest.mark.parametrize("method", ["grid", "random"])
def test_a_sound_table_is_kept_as_it_is(method: str) -> None:
    assert check_search("small/model.toml", search_of(method=method)) == search_of(method=method)
