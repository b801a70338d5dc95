"""Rows in time: their days, and those left out because their outcome couldn't be known yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from riskscore.errors import InvalidFile
from riskscore.model_toml.settings import read_settings
from riskscore.training.training_data import TrainingData, from_source
from tests.programs import run
from tests.training_examples import COLUMNS, MODEL_TOML, rows, write_csv, write_model

if TYPE_CHECKING:
    from pathlib import Path

WRITTEN = {  # as a file may hold it: the day that it is
    "2025-03-01": "2025-03-01",
    "2025-03-01T10:15:00": "2025-03-01",
    "2025-03-01 23:30:00-02:00": "2025-03-02",
    "20250301": "2025-03-01",
}


def read(root: Path, dates: list[str], rules: str = "", segments: str = "") -> TrainingData:
    """The small model's rows with a column `day`, read by a [validation] with these rules."""
    toml = MODEL_TOML.replace("repeats = 2\n", f'repeats = 2\ntime = "day"\n{rules}\n{segments}\n')
    settings = read_settings(write_model(root, toml=toml))
    lines = [[*row, date] for row, date in zip(rows(len(dates)), dates, strict=True)]
    return from_source(settings, write_csv(root / "rows.csv", lines, (*COLUMNS, "day")))


@pytest.mark.parametrize("written", WRITTEN)
def test_a_day_is_read_as_a_file_holds_it(tmp_path: Path, written: str) -> None:
    data = read(tmp_path, ["2025-01-01"] * 40 + [written] * 40)
    assert data.days is not None
    assert sorted({*map(str, data.days)}) == ["2025-01-01", WRITTEN[written]]


@pytest.mark.parametrize("written", ["", "01/03/2025", "2025-13-01", "yesterday", "45000"])
def test_a_date_that_is_none_names_its_row_and_not_its_value(tmp_path: Path, written: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        read(tmp_path, ["2025-01-01"] * 40 + [written] + ["2025-01-02"] * 39)
    assert caught.value.message == "rows.csv, line 42: day must be a date, as 2025-09-01"


@pytest.mark.parametrize(
    ("rules", "kept", "note"),
    [
        ("", 80, ""),
        ("matures_days = 30", 60, "20 rows left out: day is less than 30 days before 2025-04-01, the last day,"),
        ("matures_days = 30\nas_of = 2025-04-30", 60, "20 rows left out: day is less than 30 days before 2025-04-30,"),
        ('matures_days = 30\nas_of = "2025-05-01"', 80, ""),
        ("as_of = 2025-02-01", 40, "40 rows left out: day is less than 0 days before 2025-02-01,"),
    ],
)
def test_rows_whose_outcome_is_not_known_yet_are_left_out_and_counted(
    tmp_path: Path, rules: str, kept: int, note: str
) -> None:
    data = read(tmp_path, [f"2025-0{month}-01" for month in (1, 2, 3, 4) for _ in range(20)], rules)
    assert len(data.labels) == len(data.days) == kept
    assert [*data.notes] == [f"{note} so the outcome couldn't be known yet"][: bool(note)]


def test_no_row_that_is_mature_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match=r"rows\.csv has no rows to train on: 80 rows left out"):
        read(tmp_path, ["2025-01-01"] * 80, "matures_days = 90")


def test_a_segment_is_read_beside_the_features_in_the_order_of_the_rows(tmp_path: Path) -> None:
    data = read(tmp_path, ["2025-01-01", "2025-01-02"] * 40, segments='[card]\nsegments = ["day"]')
    assert data.others["day"] == [str(day) for day in data.days]


@pytest.mark.parametrize(
    ("dates", "proposed"),
    [
        ([f"2025-0{1 + k % 9}-01" for k in range(80)], True),
        ([f"2025-0{1 + k % 5}-01" for k in range(80)], False),  # five days give no five periods
        ([f"0{1 + k % 9}/03/2025" for k in range(80)], False),  # which is the month?
        ([f"2025-0{1 + k % 9}-01" if k else "" for k in range(80)], False),
    ],
)
def test_a_draft_proposes_a_column_of_dates_that_could_order_the_rows(
    tmp_path: Path, dates: list[str], proposed: bool
) -> None:
    lines = [[*row, date] for row, date in zip(rows(80), dates, strict=True)]
    data = write_csv(tmp_path / "rows.csv", lines, (*COLUMNS, "day"))
    where = ("--models", tmp_path / "model", "--events", tmp_path / "events", "--draft-only")
    done = run("new", "mine", "--data", data, "--target", "label", *where)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "model" / "mine"
    toml = (folder / "model.toml").read_text()
    assert ("note       day holds dates" in done.stdout) == ('# time = "day"' in toml) == proposed
    (folder / "model.toml").write_text(toml.replace('# time = "day"', 'time = "day"'))
    assert (read_settings(folder).over_time is not None) == proposed


@pytest.mark.parametrize(
    ("rules", "sentence"),
    [
        ('time = "late"', "validation.time: late is a feature; the time of a row can't be one"),
        ('time = "label"', "validation.time: label is the target"),
        ("matures_days = 3", "validation.matures_days is for validation.time, which is missing"),
        ('time = "day"\nmatures_days = -1', "validation.matures_days must lie between 0 and 36500"),
        ('time = "day"\nas_of = "May"', "validation.as_of must be a date, as 2025-09-01"),
        ('time = "day"\nperiods = 0', "validation.periods must be at least 1"),
        ('[card]\nsegments = ["label"]', "card.segments: label is the target"),
        ("[card]\ncost_ratio = 0", "card.cost_ratio must be above 0"),
        ('[governance]\nreview_date = "soon"', "governance.review_date must be a date, as 2025-09-01"),
    ],
)
def test_settings_that_say_nothing_are_refused(tmp_path: Path, rules: str, sentence: str) -> None:
    folder = write_model(tmp_path, toml=MODEL_TOML.replace("repeats = 2\n", f"repeats = 2\n{rules}\n"))
    with pytest.raises(InvalidFile) as caught:
        read_settings(folder)
    assert caught.value.message == f"small/model.toml: {sentence}"
