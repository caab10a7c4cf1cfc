"""The stopping rule: it waits where nothing is lost, tunes when waiting is dearer, and agrees with the closed form."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragraft.methods.upkeep.cadence import Stakes, best_interval
from ragraft.methods.upkeep.stopping import LEVELS, Belief, Decision, Look, Past, Rule, begin, decide

RULE = Rule()
STAKES = Stakes(questions=100, value=0.1, tuning=80, churn=20)
NEW = Look(0, 0.8, 0.01)
Course = Callable[[float], float]


def looks(course: Course, days: int, *, error: float = 0.005) -> list[Look]:
    return [Look(day, 0.8 - course(day), error) for day in range(7, days + 1, 7)]


def believed(seen: Sequence[Look], new: Look = NEW) -> Belief:
    belief = begin(new, RULE)
    for look in seen:
        belief = belief.after(look, RULE)
    return belief


def decided(seen: Sequence[Look], new: Look = NEW, stakes: Stakes = STAKES, past: Sequence[Past] = ()) -> Decision:
    return decide(stakes, believed(seen, new), past, RULE)


def first_day(stakes: Stakes, course: Course, rule: Rule = RULE) -> int | None:
    """When the rule would tune within two years, looked at every week."""
    belief = begin(NEW, rule)
    for look in looks(course, 730):
        belief = belief.after(look, rule)
        if decide(stakes, belief, (), rule).tune:
            return int(look.day)
    return None


@pytest.mark.parametrize("decay", [0.0003, 0.001, 0.003])
def test_under_a_steady_decline_it_is_the_day_of_the_closed_form(decay: float) -> None:
    known = replace(RULE, decay=decay, days=1e6)  # the long-run decline is known
    found = first_day(STAKES, lambda day: decay * day, known)
    assert found == pytest.approx(best_interval(STAKES, decay), abs=14, rel=0.15)


@pytest.mark.parametrize("seed", range(4))
def test_chance_alone_is_no_loss(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for worth in (1, 10, 100):
        belief = begin(Look(0, 0.8, 0.02), RULE)
        for day in range(7, 365, 7):
            belief = belief.after(Look(day, 0.8 + rng.normal() * 0.02, 0.02), RULE)
            assert not decide(replace(STAKES, questions=worth), belief, (), RULE).tune


def test_a_dear_jump_is_repaired_at_once_and_a_cheap_one_left() -> None:
    def jump(day: float) -> float:
        return 0.2 * (day >= 100)

    assert first_day(replace(STAKES, questions=1000), jump) in (105, 112)
    assert first_day(replace(STAKES, questions=1), jump) is None, "not even a year would pay tuning back"


@pytest.mark.parametrize("size", [0.05, 0.15, 0.3])
@pytest.mark.parametrize("day", [10, 100, 300])
def test_a_jump_is_not_waited_out_beyond_the_cost_of_tuning(size: float, day: int) -> None:
    found = first_day(STAKES, lambda now: size * (now >= day))
    assert found is not None
    assert found >= day
    assert STAKES.lost(size) * (found - day) <= STAKES.cost + STAKES.lost(size) * 14, "two looks, to be sure"


@given(st.floats(0.0001, 0.003), st.integers(4, 30))
def test_the_belief_is_near_the_truth(decay: float, number: int) -> None:
    days = 7 * number
    belief = believed(looks(lambda day: decay * day, days))
    assert float(belief.chance.sum()) == pytest.approx(1)
    lost = min(decay * days, float(LEVELS[-1]))  # more than the highest level can't be believed
    assert belief.loss == pytest.approx(lost, abs=0.025)
    assert belief.score == pytest.approx(0.8 - decay * days, abs=0.015)
    assert belief.total == pytest.approx(decay * days**2 / 2, rel=0.25, abs=0.025 * days)
    assert belief.above(0) == pytest.approx(1)
    assert belief.above(float(LEVELS[-1]) + 0.01) == 0


def test_how_sure_a_score_is_counts() -> None:
    seen = looks(lambda day: 0.1 * (day > 50), 100)
    sure, unsure = (
        decided([replace(look, error=error) for look in seen], replace(NEW, error=error)) for error in (0.005, 0.2)
    )
    assert sure.clear > 0.95 > unsure.clear
    assert not unsure.tune


def test_an_uncertain_beginning_is_no_loss_however_often_it_is_looked_at() -> None:
    """All looks stand against one score of the new model: its error must not be taken for many."""
    seen = [Look(day, 0.76, 0.005) for day in range(7, 365, 7)]
    vague, exact = decided(seen, Look(0, 0.8, 0.04)), decided(seen, Look(0, 0.8, 0.004))
    assert vague.loss < 0.015
    assert not vague.tune
    assert exact.loss == pytest.approx(0.04, abs=0.01)


def test_reasons_and_waiting() -> None:
    calm = decided(looks(lambda day: 0.0, 70))
    assert (calm.tune, calm.reason) == (False, "too little")
    assert 1 <= calm.wait < math.inf
    late = decided(looks(lambda day: 0.002 * day, 140))
    assert (late.tune, late.wait) == (True, 0)
    assert late.reason in ("dear today", "lost enough")
    assert late.lost == pytest.approx(STAKES.lost(0.002 * 140**2 / 2), rel=0.2)
    assert late.interval == best_interval(STAKES, late.decay)
    free = decided(looks(lambda day: 0.3, 70), stakes=replace(STAKES, value=0))
    assert (free.tune, free.wait, free.needed, free.interval) == (False, math.inf, math.inf, math.inf)


def test_models_that_are_over_say_what_decline_is_usual() -> None:
    seen = looks(lambda day: 0.0, 28)
    lively = decided(seen, past=[Past(30, 0.1, 0.1)] * 10)
    calm = decided(seen, past=[Past(300, 0.0, 0.0)] * 10)
    assert lively.decay == pytest.approx(0.1 / 30, rel=0.3)
    assert calm.decay < 0.00005
    assert lively.interval < calm.interval
    assert lively.needed > calm.needed


@pytest.mark.parametrize(("won", "days", "tune"), [(0.1, 77, True), (0.0, 77, False), (0.0, 400, True)])
def test_what_brought_nothing_lately_is_done_again_only_on_better_evidence(
    won: float, days: float, *, tune: bool
) -> None:
    chance = np.zeros_like(begin(NEW, RULE).chance)
    chance[20, 0, 0], chance[0, 0, 0] = 0.9, 0.1  # a loss of 20 points, nine times as likely as none
    found = decide(STAKES, Belief(NEW, chance, days), [Past(200, 0.1, won)], RULE)
    assert RULE.sure < found.clear < RULE.sure_again
    assert (found.tune, found.reason) == ((True, "dear today") if tune else (False, "not clear"))


def test_the_loss_is_that_of_the_day_and_not_of_the_past() -> None:
    """What came back needs no tuning, however much it cost meanwhile."""
    wave = decided(looks(lambda day: 0.2 * (50 < day < 150), 300))
    assert wave.lost > STAKES.cost
    assert not wave.tune
