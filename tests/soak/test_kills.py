"""The service killed under load, a few times on each database; tests/soak/kills.py does it 40 times."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tests.soak.kills import DATABASES, soak

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", DATABASES)
def test_every_answered_request_outlives_a_kill_whole(name: str, tmp_path: Path, request) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db" if name == "sqlite" else request.getfixturevalue("database")
    seen = soak(tmp_path, url, 2, random.Random(7))
    assert (seen.lost, seen.halves, seen.findings) == ([], [], [])
    assert seen.answered >= 2
