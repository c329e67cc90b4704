"""Crowds in the suite: small ones; `scripts/simulate --crowd 1000` plays large ones."""

from __future__ import annotations

import pytest

from tests.simulation.crowd import crowd
from tests.simulation.patches import simulated


@pytest.mark.parametrize("same", [False, True], ids=["by shards", "the same sheet"])
def test_a_crowd_that_shares_a_quota_and_dies_makes_each_read_set_once(same: bool) -> None:
    with simulated():
        faults, happened = crowd(20, 60, same=same)
    assert faults == [], happened
    assert "killed" in happened
    assert " no share " in happened
