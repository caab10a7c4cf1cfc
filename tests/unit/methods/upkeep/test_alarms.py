"""Alarms: quiet days hardly ever raise one, changed days soon do, and nothing but the order of figures counts."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragraft.methods.upkeep.alarms import Alarm, Figure, alarms, bet, rank


def days(number: int, value: Callable[[int, np.random.Generator], float], seed: int) -> list[Figure]:
    rng = np.random.default_rng(seed)
    return [Figure(day, value(day, rng)) for day in range(number)]


def quiet(day: int, rng: np.random.Generator) -> float:
    """Weekends are otherwise, and rates have few values."""
    return float(rng.binomial(40, 0.1 + 0.2 * (day % 7 > 4)) / 40)


def test_quiet_years_raise_an_alarm_in_one_of_twenty_at_the_most() -> None:
    # Twice as many as wanted would be found in 99 of 100 runs of this test.
    raised = [bool(alarms({"a": days(365, quiet, seed), "b": days(365, quiet, 1000 + seed)})) for seed in range(60)]
    assert sum(raised) <= 6


@pytest.mark.parametrize(("rate", "turn"), [(0.35, "rose"), (0.0, "fell")])
def test_a_change_is_found_within_weeks_and_dated(rate: float, turn: str) -> None:
    def changed(day: int, rng: np.random.Generator) -> float:
        return quiet(day, rng) if day < 120 else float(rng.binomial(40, rate) / 40)

    for seed in range(5):
        streams = {"quiet": days(240, quiet, seed + 50), "changed": days(240, changed, seed)}
        (found,) = alarms(streams)
        assert (found.stream, found.turn) == ("changed", turn)
        assert 120 <= found.day < 150
        assert abs(found.since - 120) <= 14
        assert (found.after > found.before) == (turn == "rose")
        assert found.capital >= 2 / 0.05


def test_a_slow_change_is_found_too() -> None:
    slow = days(365, lambda day, rng: quiet(day, rng) + 0.002 * max(0, day - 60), 0)
    assert [found.turn for found in alarms({"slow": slow})] == ["rose"]


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=60), st.integers(0, 5))
def test_only_the_order_of_figures_counts(values: list[float], seed: int) -> None:
    figures = [Figure(day, value) for day, value in enumerate(values)]
    squeezed = [Figure(figure.day, math.atan(figure.value / 1e3) * 5 + 7) for figure in figures]
    order = sorted(set(values))
    kept = sorted({figure.value for figure in squeezed})
    if len(kept) == len(order):  # no two figures fell together
        assert bet(squeezed, seed=seed) == bet(figures, seed=seed)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=12), st.floats(0, 1))
def test_the_rank_of_the_last_is_uniform_whichever_it_is(values: list[int], bound: float) -> None:
    draws = (np.arange(200) + 0.5) / 200
    below = 0
    for place, last in enumerate(values):
        others = sorted([*values[:place], *values[place + 1 :]])
        below += sum(rank([*map(float, others)], last, float(draw)) <= bound for draw in draws)
    assert below / (200 * len(values)) == pytest.approx(bound, abs=0.006)


def test_streams_share_the_chance_of_a_false_alarm() -> None:
    one = days(140, lambda day, rng: float(rng.normal()) + 3 * (day > 60), 3)
    (alone,) = alarms({"a": one})
    crowd = {f"z{number}": days(140, quiet, number) for number in range(50)}
    among = next(found for found in alarms({"a": one, **crowd}) if found.stream == "a")
    assert among.day > alone.day, "more streams ask for more"
    assert alarms({"a": one}, false_alarms=1e-6)[0].day > alone.day


def test_nothing_is_no_alarm() -> None:
    assert alarms({}) == alarms({"empty": []}) == alarms({"one": [Figure(0, 1.0)]}) == []
    assert alarms({"still": [Figure(day, 0.5) for day in range(365)]}) == []


def test_an_alarm_says_what_it_saw() -> None:
    figures = [Figure(day, float(day >= 70)) for day in range(140)]
    (found,) = alarms({"steps": figures})
    assert found == Alarm("steps", found.day, found.since, "rose", found.before, found.after, found.capital)
    assert found.since in range(63, 78)
    assert found.before < 0.2
    assert found.after > 0.6
