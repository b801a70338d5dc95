"""What `make soak` does for hours, for seconds: the programs run, find nothing here, and would tell."""

from __future__ import annotations

import random

import pytest

from riskscore.scoring.model import Model
from tests.soak import events, extremes, programs


def test_random_events_answer_alike_by_each_engine_and_in_each_envelope(capsys):
    assert events.main(["--events", "150"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("150 events, ")
    assert "; 0 faults" in said


def test_another_margin_by_an_engine_is_told(monkeypatch, capsys):
    margins = Model.margins

    def moved(self, vectors, engine):
        return [margin + 1e-15 if engine == "twin" else margin for margin in margins(self, vectors, engine)]

    monkeypatch.setattr(Model, "margins", moved)
    assert events.main(["--events", "30"]) == 1
    assert "has another margin by joblib than by the twin" in capsys.readouterr().out


def test_a_model_that_is_swapped_while_it_loads_is_one_version():
    seen, faults = extremes.swapped_while_loading(10)
    assert (seen["loaded"] + seen["refused"], faults) == (10, [])


@pytest.mark.parametrize("name", ["score"])
def test_a_program_that_is_killed_leaves_nothing_half_written(tmp_path, name):
    seen = programs.soak(programs.JOBS[name], tmp_path, programs.without_database(), 1, random.Random(1))
    assert (seen.kills, seen.faults) == (1, [])


def test_another_output_and_a_file_left_behind_are_told(tmp_path):
    faults = []
    programs.place_is_clean(_Done(), lambda: "old", "new", [], tmp_path, faults)
    (tmp_path / ".left").write_text("")
    programs.place_is_clean(_Done(), lambda: "new", "new", [], tmp_path, faults)
    assert faults == ["a run after others ends otherwise: ", "left behind: .left"]


class _Done:
    returncode = 0

    def communicate(self):
        return None, ""
