"""The interval's laws: what it grows and shrinks with, by which root, and that no other interval costs less."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragraft.methods.upkeep.cadence import (
    INPUTS,
    Stakes,
    best_interval,
    budget_interval,
    cost_a_day,
    implied_value,
    least_cost,
    sensitivity,
)

some = st.floats(1e-3, 1e3)
stakes_ = st.builds(Stakes, questions=some, value=some, tuning=some, churn=some)
decays = st.floats(1e-6, 0.1)


@given(stakes_, decays, st.floats(1.01, 10))
def test_it_falls_with_decay_volume_and_value_and_grows_with_cost(stakes: Stakes, decay: float, factor: float) -> None:
    days = best_interval(stakes, decay)
    assert best_interval(stakes, decay * factor) < days
    assert best_interval(replace(stakes, questions=stakes.questions * factor), decay) < days
    assert best_interval(replace(stakes, value=stakes.value * factor), decay) < days
    assert best_interval(replace(stakes, tuning=stakes.tuning * factor), decay) > days
    assert best_interval(replace(stakes, churn=stakes.churn * factor), decay) > days


@given(stakes_, decays, st.floats(0.1, 10))
def test_it_scales_with_the_root(stakes: Stakes, decay: float, factor: float) -> None:
    days = best_interval(stakes, decay)
    assert best_interval(stakes, decay * factor) == pytest.approx(days / math.sqrt(factor))
    dearer = replace(stakes, tuning=stakes.tuning * factor, churn=stakes.churn * factor)
    assert best_interval(dearer, decay) == pytest.approx(days * math.sqrt(factor))


@given(stakes_, decays, st.floats(0.01, 100))
def test_no_other_interval_costs_less(stakes: Stakes, decay: float, ratio: float) -> None:
    days, least = best_interval(stakes, decay), least_cost(stakes, decay)
    assert cost_a_day(stakes, decay, days) == pytest.approx(least)
    assert cost_a_day(stakes, decay, ratio * days) == pytest.approx(least * (ratio + 1 / ratio) / 2)


@given(stakes_, decays)
def test_the_mean_decay_is_what_counts(stakes: Stakes, decay: float) -> None:
    days = np.linspace(0.1, 10, 400) * best_interval(stakes, decay)
    unknown = (0.2 * decay, 0.9 * decay, 1.9 * decay)  # their mean is the decay
    costs = [float(np.mean([cost_a_day(stakes, one, float(day)) for one in unknown])) for day in days]
    assert days[int(np.argmin(costs))] == pytest.approx(best_interval(stakes, decay), rel=0.05)


@given(stakes_)
def test_what_does_not_decay_is_never_tuned_again(stakes: Stakes) -> None:
    assert best_interval(stakes, 0.0) == best_interval(stakes, -0.01) == math.inf
    assert best_interval(replace(stakes, questions=0.0), 0.01) == math.inf
    assert cost_a_day(stakes, 0.0, math.inf) == least_cost(stakes, 0.0) == 0
    assert cost_a_day(stakes, 0.01, math.inf) == math.inf
    assert sensitivity(stakes, 0.0) == []


def test_a_simulated_cycle_costs_what_the_formula_says() -> None:
    stakes, decay = Stakes(questions=200, value=0.5, tuning=300, churn=100), 0.0004
    for days in (20, 142, 400):
        lost = sum(stakes.lost(decay * (day + 0.5)) for day in range(days))
        assert (stakes.cost + lost) / days == pytest.approx(cost_a_day(stakes, decay, days))


@given(stakes_, decays, st.floats(1, 1000))
def test_a_budget_says_what_an_answer_is_worth(stakes: Stakes, decay: float, days: float) -> None:
    value = implied_value(stakes, decay, days)
    assert best_interval(replace(stakes, value=value), decay) == pytest.approx(days)
    assert budget_interval(stakes, 365 * stakes.cost / days) == pytest.approx(days)
    assert budget_interval(stakes, 0) == implied_value(stakes, 0, days) == math.inf


@given(stakes_, decays)
def test_an_input_wrong_by_two_costs_six_percent(stakes: Stakes, decay: float) -> None:
    days = best_interval(stakes, decay)
    rows = {row.input: row for row in sensitivity(stakes, decay)}
    assert tuple(rows) == INPUTS
    for name, row in rows.items():
        root = math.sqrt(2) if name == "cost" else 1 / math.sqrt(2)
        assert (row.half, row.twice) == pytest.approx((days / root, days * root))
        assert row.dearer == pytest.approx((math.sqrt(2) + 1 / math.sqrt(2)) / 2 - 1)


@pytest.mark.parametrize(
    "numbers", [(-1, 1, 1, 0), (1, math.nan, 1, 0), (1, 1, 0, 0), (1, 1, math.inf, 0), (1, 1, 2, -1)]
)
def test_stakes_that_are_none_are_refused(numbers: tuple[float, ...]) -> None:
    questions, value, tuning, churn = numbers
    with pytest.raises(ValueError, match="must cost something"):
        Stakes(questions, value, tuning, churn)
