"""What small runs foretell, over gains whose curve is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragraft.errors import InputError
from ragraft.methods.learning_curve import Curve, Foretold, foretell, sizes_of

WHOLE, SIZES = 800, (100, 200, 400)


def gained(level: float, scale: float, size: int) -> float:
    return level * (1 - math.exp(-size / scale))


def told(curve: Curve, *, at_most: float = 1.0, clusters: list[str] | None = None, resamples: int = 100) -> Foretold:
    rows = len(curve.gains[0])
    names = clusters or [f"c{n}" for n in range(rows)]
    return foretell(curve, names, [at_most] * rows, resamples=resamples, seed=0)


def alike(level: float, scale: float, rows: int = 40) -> Curve:
    return Curve("raft", WHOLE, SIZES, tuple((gained(level, scale, size),) * rows for size in SIZES))


@settings(max_examples=30)
@given(st.floats(-0.5, 0.5), st.floats(50, 5000))
def test_a_curve_without_noise_is_found_again(level: float, scale: float) -> None:
    found = told(alike(level, scale))
    assert found.interval.value == pytest.approx(gained(level, scale, WHOLE), abs=0.01)
    assert found.fitted == pytest.approx([gained(level, scale, size) for size in SIZES], abs=0.01)
    if abs(level) > 0.05 and 100 < scale < 2000:
        assert found.half == pytest.approx(scale * math.log(2), rel=0.1)
    assert not found.bounded


def test_the_gain_stands_question_by_question_and_their_mean_is_the_value() -> None:
    winners = [1.0] * 20 + [0.0] * 20
    curve = Curve("raft", WHOLE, SIZES, tuple(tuple(gained(0.6, 200, size) * w for w in winners) for size in SIZES))
    found = told(curve)
    assert sum(found.gains) / 40 == pytest.approx(found.interval.value, abs=1e-12)
    assert found.gains[0] == pytest.approx(gained(0.6, 200, WHOLE), abs=0.01)
    assert found.gains[-1] == pytest.approx(0.0, abs=1e-12)


def test_no_gain_is_more_than_the_oracle_arms_allow() -> None:
    found = told(alike(0.5, 300), at_most=0.2)
    assert found.interval.value == pytest.approx(0.2)
    assert found.interval.high == pytest.approx(0.2)
    assert found.bounded
    assert sum(found.gains) / 40 == pytest.approx(0.2)


def test_nothing_gained_foretells_nothing() -> None:
    found = told(alike(0.0, 300))
    assert (found.interval.value, set(found.gains), found.fitted) == (0.0, {0.0}, (0.0, 0.0, 0.0))


def test_the_interval_covers_what_a_whole_run_would_gain() -> None:
    """Simulated: questions in clusters whose gain has a spread, three runs with luck of their own at each question."""
    draw = np.random.default_rng(0)
    truth, covered, number = gained(0.3, 250, WHOLE), 0, 200
    clusters = [f"c{n // 2}" for n in range(60)]
    for _ in range(number):
        level = 0.3 + np.repeat(draw.normal(0, 0.3, 30), 2) + draw.normal(0, 0.3, 60)
        rows = [gained(1, 250, size) * level + draw.normal(0, 0.25, 60) for size in SIZES]
        curve = Curve("raft", WHOLE, SIZES, tuple(tuple(row.tolist()) for row in rows))
        found = told(curve, clusters=clusters, resamples=200).interval
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= truth <= found.high
    assert covered / number > 0.88


def test_sizes_are_nested_and_told_apart() -> None:
    assert sizes_of((0.5, 0.125, 0.25), 96) == (12, 24, 48)
    assert sizes_of((0.01, 0.5), 8) == (1, 4)
    with pytest.raises(
        InputError, match=r"^diagnose\.curve: the shares 0\.125, 0\.25 of 4 questions to learn from are"
    ):
        sizes_of((0.125, 0.25), 4)
