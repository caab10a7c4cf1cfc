"""How often to tune again: the interval at which what staleness loses and what tuning costs come to least.

Let a model lose g more right answers a question with every day of its age, Q questions be asked a day, a right answer
be worth v, and tuning again cost C. A cycle of T days then costs C + v Q (g T^2 / 2). Each re-tune begins the same
cycle anew, so that by the renewal-reward theorem (Ross, Stochastic Processes, 1996, theorem 3.6.1) the long-run cost a
day is

    c(T) = C / T + v Q g T / 2,   least where C / T = v Q g T / 2:   T* = sqrt(2 C / (v Q g)),   c(T*) = sqrt(2 C v Q g)

which is the square root of Harris (1913) for lots in stock. Where g is known only by a distribution, c(T) is linear in
it, so that its mean belongs into the formula. c(r T*) = c(T*) (r + 1/r) / 2: an input that is wrong by a factor of two
costs 6 %.

Knows rates and money; knows no document, no model and no date.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

YEAR = 365.0

Input = Literal["questions", "value", "cost", "decay"]
INPUTS: tuple[Input, ...] = ("questions", "value", "cost", "decay")


@dataclass(frozen=True, slots=True)
class Stakes:
    """What is at stake, in one currency."""

    questions: float
    """Asked a day."""
    value: float
    """What a right answer is worth more than a wrong one."""
    tuning: float
    """What tuning again costs, machine and people."""
    churn: float = 0.0
    """What any exchange of the model costs beside that: looking it over, answers that change for no reason."""

    def __post_init__(self) -> None:
        numbers = (self.questions, self.value, self.tuning, self.churn)
        if not all(math.isfinite(number) and number >= 0 for number in numbers) or self.cost <= 0:
            raise ValueError("stakes must be finite and not negative, and tuning must cost something")

    @property
    def cost(self) -> float:
        """Of one re-tune, all told."""
        return self.tuning + self.churn

    def lost(self, loss: float) -> float:
        """What is lost a day where each question loses so much of a right answer."""
        return self.questions * self.value * loss


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """How the interval would be with one input at half and at twice what it is taken for."""

    input: Input
    half: float
    twice: float
    dearer: float
    """What keeping to today's interval would then cost more than the best one, as a share; the worse of the two."""


def best_interval(stakes: Stakes, decay: float) -> float:
    """T*, in days; infinite where nothing decays or nothing is lost by it.

    >>> round(best_interval(Stakes(questions=500, value=0.1, tuning=40), decay=0.001), 1)
    40.0
    """
    lost = stakes.lost(decay)
    return math.sqrt(2 * stakes.cost / lost) if lost > 0 else math.inf


def least_cost(stakes: Stakes, decay: float) -> float:
    """c(T*), a day."""
    return math.sqrt(2 * stakes.cost * max(0.0, stakes.lost(decay)))


def cost_a_day(stakes: Stakes, decay: float, days: float) -> float:
    """c(T): what tuning every so many days costs in the long run, tuning and staleness together."""
    return (stakes.cost / days if days < math.inf else 0.0) + _stale(stakes.lost(decay), days)


def budget_interval(stakes: Stakes, budget: float) -> float:
    """The days between re-tunes that a yearly budget pays for; infinite where it pays for none."""
    return YEAR * stakes.cost / budget if budget > 0 else math.inf


def implied_value(stakes: Stakes, decay: float, days: float) -> float:
    """What a right answer must be worth for `days` to be the best interval: what a budget says of it."""
    lost = stakes.questions * decay * days**2
    return 2 * stakes.cost / lost if lost > 0 else math.inf


def sensitivity(stakes: Stakes, decay: float) -> Sequence[Sensitivity]:
    """The interval with each input at half and at twice its value; nothing where the interval is infinite."""
    kept = best_interval(stakes, decay)
    if kept == math.inf:
        return []
    found = []
    for name in INPUTS:
        worlds = [_scaled(stakes, decay, name, factor) for factor in (0.5, 2.0)]
        half, twice = (best_interval(*world) for world in worlds)
        dearer = max(cost_a_day(*world, kept) / least_cost(*world) - 1 for world in worlds)
        found.append(Sensitivity(name, half, twice, dearer))
    return found


def _scaled(stakes: Stakes, decay: float, name: Input, factor: float) -> tuple[Stakes, float]:
    if name == "decay":
        return stakes, decay * factor
    if name == "cost":
        return replace(stakes, tuning=stakes.tuning * factor, churn=stakes.churn * factor), decay
    if name == "value":
        return replace(stakes, value=stakes.value * factor), decay
    return replace(stakes, questions=stakes.questions * factor), decay


def _stale(lost: float, days: float) -> float:
    return lost * days / 2 if lost > 0 else 0.0
