"""The pause of the collector: as long as a large request, and no longer, whatever happens in it."""

from __future__ import annotations

import gc

import pytest

from riskscore.scoring.gc_pause import Paused
from tests.scoring_examples import EVENT, engine


@pytest.mark.parametrize(("large", "within"), [(True, False), (False, True)])
def test_only_a_large_request_pauses_it(large: bool, within: bool) -> None:
    with Paused(large):
        assert gc.isenabled() == within
    assert gc.isenabled()


def test_a_pause_within_a_pause_ends_with_the_outer_one() -> None:
    with Paused(True):
        with Paused(True):
            pass
        assert not gc.isenabled()


def test_an_error_ends_it() -> None:
    with pytest.raises(ZeroDivisionError), Paused(True):
        _ = 1 / 0
    assert gc.isenabled()


def test_a_list_of_many_rows_leaves_it_running() -> None:
    assert len(engine().answer([EVENT] * 1_001)) == 1_001
    assert gc.isenabled()
