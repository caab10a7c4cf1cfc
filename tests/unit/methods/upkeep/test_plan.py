"""The plan: by the interval without looks, by the stopping rule with them, by the budget where that is set."""

from __future__ import annotations

import json
import math

import pytest

from ragraft.methods.upkeep.cadence import Stakes, best_interval
from ragraft.methods.upkeep.plan import History, make_plan
from ragraft.methods.upkeep.stopping import Look, Rule
from ragraft.methods.upkeep.tables import plan_table

STAKES = Stakes(questions=100, value=0.1, tuning=80, churn=20)
RULE = Rule(decay=0.001)
INTERVAL = best_interval(STAKES, 0.001)  # 141 days


@pytest.mark.parametrize(("age", "tune"), [(0, False), (141, False), (142, True), (300, True)])
def test_without_looks_the_interval_decides(age: float, *, tune: bool) -> None:
    plan = make_plan(STAKES, History(age), budget=None, rule=RULE)
    assert (plan.tune, plan.measured, plan.basis) == (tune, False, "value")
    assert plan.interval == INTERVAL
    assert plan.wait == (0 if tune else pytest.approx(INTERVAL - age))
    assert plan.cost_a_year == pytest.approx(2 * 100 * 365 / INTERVAL)
    assert len(plan.sensitivity) == 4


def test_with_looks_the_stopping_rule_decides() -> None:
    looks = [Look(day, 0.8 - 0.004 * day, 0.005) for day in range(7, 85, 7)]
    plan = make_plan(STAKES, History(84, Look(0, 0.8, 0.01), looks), budget=None, rule=RULE)
    assert plan.tune
    assert plan.measured
    assert plan.decision is not None
    assert plan.decay == plan.decision.decay > 0.002
    steady = [Look(day, 0.8, 0.005) for day in range(7, 85, 7)]
    calm = make_plan(STAKES, History(84, Look(0, 0.8, 0.01), steady), budget=None, rule=RULE)
    assert not calm.tune
    assert calm.interval > plan.interval


def test_a_budget_decides_by_itself() -> None:
    plan = make_plan(STAKES, History(100), budget=730, rule=RULE)
    assert (plan.basis, plan.interval, plan.tune) == ("budget", 50, True)
    assert plan.value == pytest.approx(2 * 100 / (100 * 0.001 * 50**2))
    assert plan.sensitivity == ()
    later = make_plan(STAKES, History(10), budget=730, rule=RULE)
    assert (later.tune, later.wait) == (False, 40)


def test_what_is_infinite_is_null_in_json() -> None:
    plan = make_plan(STAKES, History(10), budget=None, rule=Rule(decay=0))
    assert (plan.tune, plan.interval, plan.wait) == (False, math.inf, math.inf)
    data = json.loads(json.dumps(plan.data(), allow_nan=False))
    assert (data["interval"], data["wait"], data["cost_a_year"]) == (None, None, 0)
    free = make_plan(STAKES, History(10), budget=10, rule=Rule(decay=0))
    json.dumps(free.data(), allow_nan=False)


def test_the_table_says_what_and_why() -> None:
    wait = plan_table(make_plan(STAKES, History(41), budget=None, rule=RULE), "2026-03-10")
    assert wait.rows[0] == ("questions a day", "200 days", "100 days")
    said = " ".join(wait.notes)
    assert "Leave it: its age has not reached the interval." in said
    assert "The model is 41 days old; the interval that costs least is 141 days." in said
    assert "Where one of these is wrong by two, this interval costs 6 % more than the best." in said
    assert wait.notes[-1] == "Next: 2026-03-10."
    never = plan_table(make_plan(STAKES, History(41), budget=None, rule=Rule(decay=0)), "")
    assert never.rows == ()
    assert never.notes[-1] == "Next: not in sight; look again."
    tune = plan_table(make_plan(STAKES, History(400), budget=730, rule=RULE), "")
    assert tune.notes[0] == "Tune again: the budget pays for it."
    assert "the budget pays for one re-tune in 50 days, which is right if an answer is worth 0.8." in tune.notes[1]
