"""Bets on a bound: false alarms are as rare as promised however often one looks, and what is above is found."""

from __future__ import annotations

import numpy as np
import pytest

from ragraft.methods.upkeep.bounds import capital, is_above


@pytest.mark.parametrize("bound", [0.05, 0.5])
def test_at_the_bound_hardly_any_of_many_runs_ever_cries_wolf(bound: float) -> None:
    rng = np.random.default_rng(0)
    raised = [is_above([*map(float, rng.random(400) < bound)], bound, false_alarms=0.05) for _ in range(300)]
    assert np.mean(raised) <= 0.05


def test_what_is_far_above_is_found_soon_and_what_is_below_never() -> None:
    rng = np.random.default_rng(1)
    found = [is_above([*map(float, rng.random(60) < 0.25)], 0.05, false_alarms=0.025) for _ in range(100)]
    assert np.mean(found) > 0.8
    assert not is_above([0.0] * 1000, 0.05, false_alarms=0.5)
    assert capital([], 0.05) == capital([0.0], 0.05) == 1.0


def test_the_most_is_kept_when_luck_turns() -> None:
    assert capital([1.0, 1.0, 0.0, 0.0], 0.05) == capital([1.0, 1.0], 0.05)
