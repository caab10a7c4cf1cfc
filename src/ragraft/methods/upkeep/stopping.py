"""Whether to tune again today: what has been lost, what is being lost, and what tuning costs.

A model is looked at now and then: its score on fresh questions, beside its score when it was new. Between two looks its
loss may stay, jump, go back, decline or recover steadily, each with a probability that is the same in every world; what
the looks say of it is computed by the forward filter of a hidden Markov model on a grid of losses and slopes (Rabiner
1989). The score of the new model was measured, too: its error counts once for all looks.

Two things end a model's time, whichever comes first.

- Its loss a day, v Q l, reaches what the best schedule costs a day in the long run, c* = sqrt(2 C v Q g). Where losses
  only grow, no other rule costs less in the long run (Aven and Bergman 1986, “Optimal replacement times”); under a
  steady decline this is the day T* of `cadence`. g is the decline so far, over all models since the first.
- What has been lost since it was tuned adds up to C, the cost of tuning. Under a steady decline this is T* again; after
  a jump it bounds what waiting costs by twice the best that hindsight could do (as for renting or buying skis).

Neither counts before it is clear that something is lost today, and a loss that would not pay tuning back within a year
is left. Knows scores by day and money; knows no question and no model.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ragraft.methods.stats import Floats
from ragraft.methods.upkeep.cadence import YEAR, Stakes, best_interval, least_cost

LEVELS = np.linspace(0, 0.6, 61)
"""Losses that a model may have, in right answers a question."""
SLOPES = np.array([0.0, 0.0002, 0.0005, 0.001, 0.002, 0.004, -0.0005, -0.002])
"""What it may lose more with every day."""
NODES = np.linspace(-3, 3, 13)
"""Errors of the new model's score that are thought of, in standard errors."""

Reason = Literal["dear today", "lost enough", "not clear", "too little", "would not pay"]


@dataclass(frozen=True, slots=True)
class Look:
    """A score on a day, counted from the day of tuning."""

    day: float
    score: float
    error: float
    """Its standard error."""


@dataclass(frozen=True, slots=True)
class Past:
    """A model whose time is over."""

    days: float
    loss: float
    """A question, in the end."""
    won: float
    """By the model after it: its score when it was new, less this one's in the end."""

    @property
    def vain(self) -> bool:
        """Whether tuning again brought back less than half of what was lost."""
        return self.won < self.loss / 2


@dataclass(frozen=True, slots=True)
class Rule:
    """What is taken for granted before anything is seen, and how sure the rule must be."""

    jumps: float = 1.0
    """A year, on average."""
    returns: float = 0.5
    """Jumps back, a year."""
    size: float = 0.1
    """Of a jump, on average."""
    sloping: float = 0.3
    """Probability that a new model declines or recovers steadily."""
    turns: float = 1.0
    """Changes of the slope, a year."""
    decay: float = 0.0004
    """Right answers lost a question and day, as if seen for `days`."""
    days: float = 90.0
    sure: float = 0.8
    """Probability that today's loss is half as large as it must be to count."""
    sure_again: float = 0.99
    """The same within a year of a re-tune that brought nothing."""
    pays_within: float = YEAR


@dataclass(frozen=True, slots=True)
class Belief:
    """What the looks since tuning say: a probability for each level, slope and error of the first score."""

    new: Look
    chance: Floats
    """Shape (levels, slopes, nodes)."""
    day: float = 0.0
    total: float = 0.0
    """The losses of all days so far, in right answers a question, each as it was believed when it was looked at."""

    @property
    def loss(self) -> float:
        """Expected today."""
        return float(self.chance.sum(axis=(1, 2)) @ LEVELS)

    @property
    def score(self) -> float:
        """Expected today."""
        return self.new.score + self.new.error * float(self.chance.sum(axis=(0, 1)) @ NODES) - self.loss

    def above(self, loss: float) -> float:
        """The probability that today's loss is as large as this."""
        return float(self.chance[loss - 1e-9 <= LEVELS].sum())

    def after(self, look: Look, rule: Rule) -> Belief:
        """What is believed after another look."""
        days = look.day - self.day
        chance = _moved(self.chance, days, rule)
        wanted = self.new.score + self.new.error * NODES[None, :] - LEVELS[:, None]
        fit = -0.5 * ((look.score - wanted) / look.error) ** 2
        chance = chance * np.exp(fit - fit.max())[:, None, :]
        chance = chance / chance.sum()
        now = float(chance.sum(axis=(1, 2)) @ LEVELS)
        return Belief(self.new, chance, look.day, self.total + days * (self.loss + now) / 2)


def begin(new: Look, rule: Rule) -> Belief:
    """What is believed of a new model: it loses nothing yet, and where it was examined its score has an error."""
    weight = np.exp(-0.5 * NODES**2)
    chance = np.zeros((len(LEVELS), len(SLOPES), len(NODES)))
    chance[0] = _slopes(rule)[:, None] * (weight / weight.sum())[None, :]
    return Belief(new, chance)


@dataclass(frozen=True, slots=True)
class Decision:
    """Today's."""

    tune: bool
    reason: Reason
    loss: float
    """Expected today, in right answers a question."""
    clear: float
    """The probability that it is half as large as it must be to count."""
    needed: float
    """The loss from which tuning pays at once."""
    lost: float
    """Since tuning, in money."""
    cost: float
    decay: float
    """In the long run, a day."""
    interval: float
    """T* for that decay."""
    wait: float
    """Days until the loss would count, if it goes on like that; 0 today, infinite where it never would."""


def decide(stakes: Stakes, belief: Belief, past: Sequence[Past], rule: Rule) -> Decision:
    """Whether to tune again, on the day of the last look."""
    loss, rate = belief.loss, stakes.lost(1.0)
    decay = _decay(loss, belief.day, past, rule)
    needed = least_cost(stakes, decay) / rate if rate else math.inf
    lost = stakes.lost(belief.total)
    clear = belief.above(min(needed / 2, float(LEVELS[-1])))
    # Where tuning brought nothing lately it is done again only on better evidence.
    sure = rule.sure_again if past and past[-1].vain and belief.day < YEAR else rule.sure
    dear = loss >= needed
    reason: Reason
    if not (dear or lost >= stakes.cost):
        reason = "too little"
    elif clear < sure:
        reason = "not clear"
    elif stakes.lost(loss) * rule.pays_within < stakes.cost:
        reason = "would not pay"
    else:
        reason = "dear today" if dear else "lost enough"
    tune = reason in ("dear today", "lost enough")
    return Decision(
        tune,
        reason,
        loss=loss,
        clear=clear,
        needed=needed,
        lost=lost,
        cost=stakes.cost,
        decay=decay,
        interval=best_interval(stakes, decay),
        wait=0.0 if tune else _wait(needed - loss, decay),
    )


def _decay(loss: float, days: float, past: Sequence[Past], rule: Rule) -> float:
    """Right answers lost a question and day over all models, with what was taken for granted before the first."""
    lost = rule.decay * rule.days + loss + sum(one.loss for one in past)
    return lost / (rule.days + days + sum(one.days for one in past))


def _wait(short: float, decay: float) -> float:
    return max(1.0, short / decay) if decay > 0 and short < math.inf else math.inf


def _slopes(rule: Rule) -> Floats:
    """How likely each slope is for a new model, and after each turn."""
    sloping = SLOPES != 0
    return np.asarray(np.where(sloping, rule.sloping / sloping.sum(), 1 - rule.sloping))


def _moved(chance: Floats, days: float, rule: Rule) -> Floats:
    """What becomes of levels and slopes within so many days."""
    turned = 1 - math.exp(-rule.turns * days / YEAR)
    by_slope = chance.sum(axis=1, keepdims=True) * _slopes(rule)[None, :, None]
    chance = (1 - turned) * chance + turned * by_slope
    moved = np.empty_like(chance)
    for place, shift in enumerate(_shifts(days)):
        moved[:, place] = shift @ chance[:, place]
    return np.asarray(np.einsum("ab,bcd->acd", _jumps(days, rule), moved))


@functools.lru_cache(maxsize=64)
def _shifts(days: float) -> tuple[Floats, ...]:
    """For each slope, where each level goes: shape (to, from); what lies between two levels is shared by both."""
    step, found = LEVELS[1] - LEVELS[0], []
    for slope in SLOPES:
        aim = np.clip(LEVELS + slope * days, LEVELS[0], LEVELS[-1]) / step
        low = np.minimum(aim.astype(int), len(LEVELS) - 2)
        matrix = np.zeros((len(LEVELS), len(LEVELS)))
        matrix[low, np.arange(len(LEVELS))] += 1 - (aim - low)
        matrix[low + 1, np.arange(len(LEVELS))] += aim - low
        found.append(matrix)
    return tuple(found)


@functools.lru_cache(maxsize=64)
def _jumps(days: float, rule: Rule) -> Floats:
    """Where each level jumps to: up by an exponential size, or back by any; shape (to, from)."""
    up = np.exp(-(LEVELS[:, None] - LEVELS[None, :]) / rule.size) * (LEVELS[:, None] > LEVELS[None, :])
    up[-1, -1] = 1.0
    back = (LEVELS[:, None] < LEVELS[None, :]).astype(float)
    back[0, 0] = 1.0
    chances = [1 - math.exp(-often * days / YEAR) for often in (rule.jumps, rule.returns)]
    still = (1 - chances[0]) * (1 - chances[1]) * np.eye(len(LEVELS))
    moving = chances[0] * up / up.sum(axis=0) + (1 - chances[0]) * chances[1] * back / back.sum(axis=0)
    return np.asarray(still + moving)
