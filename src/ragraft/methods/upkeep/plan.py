"""Today's decision and the next date, from what is at stake and what was measured. Knows numbers and days alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from ragraft.methods.upkeep.cadence import (
    YEAR,
    Sensitivity,
    Stakes,
    best_interval,
    budget_interval,
    cost_a_day,
    implied_value,
    sensitivity,
)
from ragraft.methods.upkeep.stopping import Decision, Look, Past, Rule, begin, decide

Basis = Literal["value", "budget"]


@dataclass(frozen=True, slots=True)
class Plan:
    """When to tune again, and why then."""

    tune: bool
    because: str
    basis: Basis
    age: float
    """Days since the model was tuned."""
    interval: float
    wait: float
    """Days until the next decision is due; 0: today."""
    decay: float
    measured: bool
    """Whether the decay comes from looks; else it is what the settings take for granted."""
    cost_a_year: float
    """Of tuning at this interval and of what is stale meanwhile."""
    value: float
    """Of a right answer: as given, or what the budget implies."""
    sensitivity: Sequence[Sensitivity] = ()
    decision: Decision | None = None
    """The stopping rule's, where there are looks."""

    def data(self) -> dict[str, Any]:
        """As JSON data: what is infinite is null."""
        found: dict[str, Any] = _finite(asdict(self))
        return found


@dataclass(frozen=True, slots=True)
class History:
    """What was seen of this model and of those before."""

    age: float
    new: Look | None = None
    looks: Sequence[Look] = ()
    past: Sequence[Past] = field(default_factory=tuple)


def make_plan(stakes: Stakes, history: History, *, budget: float | None, rule: Rule) -> Plan:
    """By the stopping rule where the model was looked at since tuning, and by the interval alone else.

    With a budget the interval is what it pays for; value is then what the budget says an answer is worth.
    """
    decision, decay = None, rule.decay
    if history.new is not None and history.looks:
        belief = begin(history.new, rule)
        for look in history.looks:
            belief = belief.after(look, rule)
        decision = decide(stakes, belief, history.past, rule)
        decay = decision.decay
    if budget is not None:
        days = budget_interval(stakes, budget)
        value = implied_value(stakes, decay, days)
        worth = Stakes(stakes.questions, value if value < math.inf else 0.0, stakes.tuning, stakes.churn)
        tune = history.age >= days
        because = "the budget pays for it" if tune else "the budget pays for the next one later"
        wait = max(0.0, days - history.age)
    else:
        days, value, worth = best_interval(stakes, decay), stakes.value, stakes
        if decision is not None:
            tune, wait, because = decision.tune, decision.wait, _WHY[decision.reason]
        else:
            tune, wait = history.age >= days, max(0.0, days - history.age)
            because = "its age has reached the interval" if tune else "its age has not reached the interval"
    return Plan(
        tune=tune,
        because=because,
        basis="value" if budget is None else "budget",
        age=history.age,
        interval=days,
        wait=0.0 if tune else wait,
        decay=decay,
        measured=decision is not None,
        cost_a_year=YEAR * cost_a_day(worth, decay, days),
        value=value,
        sensitivity=() if budget is not None else sensitivity(stakes, decay),
        decision=decision,
    )


_WHY = {
    "dear today": "what it loses a day has reached what tuning at the best interval costs a day",
    "lost enough": "what it has lost since it was tuned has reached what tuning costs",
    "not clear": "what it seems to lose may be chance",
    "too little": "it loses less than tuning would cost",
    "would not pay": "what it loses would not pay tuning back within a year",
}


def _finite(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data
