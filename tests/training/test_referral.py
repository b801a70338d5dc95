"""The share of training rows that [refer] sends to manual review."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from riskscore.model_toml.settings import read_settings
from riskscore.training.referral import referral
from riskscore.training.training_data import from_source
from tests.training_examples import COLUMNS, MODEL_TOML, rows, write_csv, write_model

if TYPE_CHECKING:
    from pathlib import Path

RULES = """
[[limits]]
name = "many_late"
feature = "late"
maximum = 2
text = "late often"
[[limits]]
name = "many_strange"
feature = "strange"
maximum = 5
text = "strange payments"
[observations]
strange = "strange payments: {count}"
future = "payments to come: {count}"
[refer]
warnings = """
SEEN = [(k % 7, int(k % 10 == 0)) for k in range(80)]  # strange, future


@pytest.mark.parametrize(
    ("refer", "expected"),
    [
        ([], {}),
        (["outside_support"], {}),
        (["many_late"], {"many_late": lambda late, _, __: late > 2}),
        (["many_strange"], {"many_strange": lambda _, strange, __: strange > 5}),
        (["future"], {"future": lambda _, __, future: future > 0}),
        (
            ["many_late", "future"],
            {"many_late": lambda late, _, __: late > 2, "future": lambda _, __, future: future > 0},
        ),
    ],
    ids=lambda value: ",".join(value) or "none",
)
def test_a_row_is_referred_that_gives_a_warning_named_there(tmp_path: Path, refer: list[str], expected) -> None:
    rules = f"{RULES}{refer}\n[[features]]".replace("'", '"')
    settings = read_settings(write_model(tmp_path, toml=MODEL_TOML.replace("[[features]]", rules, 1)))
    lines = [[*row, *seen] for row, seen in zip(rows(80), SEEN, strict=True)]
    found = referral(
        settings, from_source(settings, write_csv(tmp_path / "r.csv", lines, (*COLUMNS, "strange", "future")))
    )
    flags = [[rule(line[2], line[5], line[6]) for rule in expected.values()] for line in lines]
    assert found["rows"] == sum(map(any, flags))
    assert found["rate"] == pytest.approx(found["rows"] / 80)
    assert found["by"] == {name: sum(row[k] for row in flags) for k, name in enumerate(expected)}
