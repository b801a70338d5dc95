"""The table [change] of model.toml: what it may say, and the sentence that refuses the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from riskscore.errors import InvalidFile
from riskscore.model_toml.changes import check_steps
from riskscore.model_toml.settings import read_settings
from tests.training_examples import MODEL_TOML, write_model

if TYPE_CHECKING:
    from pathlib import Path

IDENTITY = """
[[identities]]
name = "tie"
text = "inflow is share times a hundred and late"
terms = [[1, "inflow"], [-100, "share"], [1, "late"]]
"""
STEP = 'direction = "down"\nstep = 100\n'


def changes(root: Path, text: str) -> dict[str, Any]:
    """What a model.toml with these tables says of change."""
    return read_settings(write_model(root, toml=MODEL_TOML.replace("[[features]]", f"{text}\n[[features]]", 1))).changes


def test_a_whole_number_changes_by_ones(tmp_path: Path) -> None:
    found = changes(tmp_path, f'[change.late]\ndirection = "down"\n[change.inflow]\n{STEP}minimum = 5\n')
    assert found == {
        "late": {"direction": "down", "step": 1},
        "inflow": {"direction": "down", "step": 100, "minimum": 5},
    }


def test_a_feature_may_follow_an_identity(tmp_path: Path) -> None:
    found = changes(tmp_path, f'[change.late]\ndirection = "down"\n[change.inflow]\nfollows = "tie"\n{IDENTITY}')
    assert found["inflow"] == {"follows": "tie"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[change.lat]\ndirection = "up"', "did you mean 'late'?"),
        ("[change.late]\nstep = 1", "change.late.direction must be one of 'up', 'down', 'either'"),
        ('[change.late]\ndirection = "lower"', "change.late.direction must be one of 'up', 'down', 'either'"),
        ('[change.late]\ndirection = "up"\nsteps = 1', "unknown key change.late.steps"),
        ('[change.inflow]\ndirection = "up"', "change.inflow.step is missing: by how much"),
        ('[change.inflow]\ndirection = "up"\nstep = 0', "change.inflow.step must be above 0"),
        ('[change.inflow]\ndirection = "up"\nstep = nan', "change.inflow.step must be above 0"),
        ('[change.late]\ndirection = "up"\nstep = 0.5', "change.late.step must be a whole number"),
        (f"[change.inflow]\n{STEP}minimum = inf", "change.inflow: minimum and maximum must be finite"),
        (f"[change.inflow]\n{STEP}minimum = 5\nmaximum = 4", "change.inflow.minimum must not be above its maximum"),
        ('[change.inflow]\nfollows = "tie"', "change.inflow.follows: there is no identity 'tie'"),
        (
            f'[change.inflow]\nfollows = "tie"\nstep = 1\n{IDENTITY}',
            "change.inflow: what follows an identity has no other key",
        ),
        (
            f'[change.late]\nfollows = "tie"\n{IDENTITY}',
            "change.late: only a feature of type number can follow an identity",
        ),
        (
            f"[change.inflow]\n{STEP}{IDENTITY}",
            "change.inflow would break the identity tie: let one of its features follow it",
        ),
        (
            f'[change.inflow]\nfollows = "tie"\n{IDENTITY}',
            "change.inflow: nothing that may change is in the identity that it follows",
        ),
        ('[change]\nlate = "down"', "change.late must be a table"),
    ],
)
def test_a_change_that_makes_no_sense_is_refused_in_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(InvalidFile) as refused:
        changes(tmp_path, text)
    assert refused.value.message.startswith("small/model.toml: ")
    assert sentence in refused.value.message


@pytest.mark.parametrize(
    ("support", "sentence"),
    [
        ({"inflow": {"minimum": 0.0, "maximum": 1000.0}}, None),
        ({"inflow": {"minimum": 0.0, "maximum": 1001.0}}, "change.inflow.step makes 1,001 steps of the training range"),
        ({}, "change.inflow: the feature has no training range to stay in"),
    ],
)
def test_steps_are_held_to_the_training_range(support: dict[str, Any], sentence: str | None) -> None:
    given = {"inflow": {"direction": "up", "step": 1}}
    if sentence is None:
        check_steps("m/model.toml", given, support)
    else:
        with pytest.raises(InvalidFile, match=sentence):
            check_steps("m/model.toml", given, support)
