"""What a rule costs in a world, beside calendars, detectors, never, and one who knows the world. Knows worlds' days.

A policy that looks does so every week, on fresh questions, and pays for them; a re-tune takes effect at once and costs
what the stakes say. Everything is counted in the stakes' currency.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from ragraft.methods.stats import mean_interval, paired_difference
from ragraft.methods.upkeep.cadence import YEAR, Stakes, best_interval
from ragraft.methods.upkeep.detectors import DETECTORS, Detector
from ragraft.methods.upkeep.stopping import Belief, Look, Past, Rule, begin, decide
from ragraft.methods.upkeep.worlds import KINDS, World
from ragraft.records import Interval

EVERY = 7
"""Days between two looks, and between two days on which a model may be exchanged."""
LOOK_COST = 0.005
"""Of one look, as a share of a re-tune's."""
CALENDARS = (7, 14, 30, 60, 90, 180, 365)
RULE, NEVER, KNOWING = "the rule", "never", "knowing all"
KNOWN_DECAY = "knowing the mean decay"


@dataclass(frozen=True, slots=True)
class Seen:
    """A look: the day since tuning, and whether each answer was wrong."""

    day: int
    wrong: tuple[int, ...]

    def look(self) -> Look:
        """The score; two right and two wrong answers more, so that no error is ever 0 (Agresti and Coull 1998)."""
        number = len(self.wrong) + 4
        score = 1 - (sum(self.wrong) + 2) / number
        return Look(self.day, score, (score * (1 - score) / number) ** 0.5)


class Policy(Protocol):
    """Says on which days to tune again; is told when that is done."""

    looks: bool

    def tuned(self, new: Seen) -> None:
        """A new model, as it was examined."""
        ...

    def wants(self, seen: Seen) -> bool:
        """Whether to tune again today; without looks there are no answers in `seen`."""
        ...


@dataclass(slots=True)
class ByRule:
    """The rule of `stopping`."""

    stakes: Stakes
    rule: Rule = field(default_factory=Rule)
    looks: bool = True
    _belief: Belief | None = None
    _past: list[Past] = field(default_factory=list)

    def tuned(self, new: Seen) -> None:
        look, old = new.look(), self._belief
        if old is not None:
            self._past.append(Past(old.day, old.loss, look.score - old.score))
        self._belief = begin(look, self.rule)

    def wants(self, seen: Seen) -> bool:
        assert self._belief is not None, "a policy is told of the first model"
        self._belief = self._belief.after(seen.look(), self.rule)
        return decide(self.stakes, self._belief, self._past, self.rule).tune


@dataclass(slots=True)
class Calendar:
    """Every so many days, whatever happens."""

    days: float
    looks: bool = False

    def tuned(self, new: Seen) -> None:
        pass

    def wants(self, seen: Seen) -> bool:
        # The nearest day on which it may.
        return seen.day + EVERY / 2 > self.days


@dataclass(slots=True)
class ByDetector:
    """Whenever a detector raises its alarm; it begins anew with each model."""

    kind: Callable[[], Detector]
    looks: bool = True
    _detector: Detector | None = None

    def tuned(self, new: Seen) -> None:
        self._detector = self.kind()
        self._detector.drifts(new.wrong)

    def wants(self, seen: Seen) -> bool:
        assert self._detector is not None, "a policy is told of the first model"
        return self._detector.drifts(seen.wrong)


@dataclass(frozen=True, slots=True)
class Lived:
    """What a policy's time in a world came to."""

    cost: float
    tuned: tuple[int, ...] = ()
    """The days of its re-tunes."""

    @property
    def most_in_a_year(self) -> int:
        """Re-tunes within 365 days, where they stand closest."""
        return max((sum(1 for other in self.tuned if 0 <= other - day < YEAR) for day in self.tuned), default=0)


@dataclass(frozen=True, slots=True)
class Compared:
    """A policy over many worlds."""

    policy: str
    cost: Interval
    """Mean total cost, in re-tunes."""
    more: Interval | None
    """Than the rule's, paired by world."""
    tuned: float
    """Re-tunes a year, on average."""
    quiet: int
    """The most re-tunes within a year in any world without drift."""
    by_kind: Mapping[str, Interval]


def live(world: World, policy: Policy, *, seed: int) -> Lived:
    """A policy from the first day to the last."""
    rng = np.random.default_rng(seed)
    losses, born = world.losses(0), 0
    policy.tuned(Seen(0, _wrong(rng, 1 - world.fresh, world.asked_new)))
    lost, tunings, looked = 0.0, list[int](), 0
    for day in range(world.days):
        lost += world.stakes.lost(float(losses[day - born]))
        if day == 0 or day % EVERY or day == world.days - 1:
            continue
        wrong: tuple[int, ...] = ()
        if policy.looks:
            wrong, looked = _wrong(rng, 1 - world.fresh + losses[day - born], world.asked), looked + 1
        if policy.wants(Seen(day - born, wrong)):
            born, losses = day, world.losses(day)
            tunings.append(day)
            policy.tuned(Seen(0, _wrong(rng, 1 - world.fresh, world.asked_new)))
    cost = world.stakes.cost
    return Lived(lost + len(tunings) * cost + looked * LOOK_COST * cost, tuple(tunings))


def know(world: World) -> Lived:
    """The least that any policy can cost, which knows all that is to come: by dynamic programming, from the end."""
    days = [0, *range(EVERY, world.days - 1, EVERY)]
    least: dict[int, Lived] = {}
    for born in reversed(days):
        # The day on which a model is exchanged is still its own.
        sums = np.cumsum(world.stakes.lost(1.0) * world.losses(born))
        found = Lived(float(sums[-1]))
        for day in (later for later in days if later > born):
            cost = float(sums[day - born]) + world.stakes.cost + least[day].cost
            if cost < found.cost:
                found = Lived(cost, (day, *least[day].tuned))
        least[born] = found
    return least[0]


def known_decay(world: World) -> Calendar:
    """The best calendar for the decline that this world has on average: how far it goes, by its days."""
    gone = float(np.abs(np.diff(world.path)).sum())
    return Calendar(best_interval(world.stakes, gone / world.days))


def policies(rule: Rule) -> Mapping[str, Callable[[World], Policy]]:
    """All that are compared, by name; each is made anew for a world."""
    found: dict[str, Callable[[World], Policy]] = {RULE: lambda world: ByRule(world.stakes, rule)}
    found |= {f"every {days} days": _each(Calendar, days) for days in CALENDARS}
    found |= {name: _each(ByDetector, kind) for name, kind in DETECTORS.items()}
    return {**found, NEVER: _each(Calendar, math.inf), KNOWN_DECAY: known_decay}


def _each(kind: Callable[[Any], Policy], given: Any) -> Callable[[World], Policy]:
    """The same policy in every world."""
    return lambda world: kind(given)


def compare(
    worlds: Sequence[World], made: Mapping[str, Callable[[World], Policy]], *, seed: int, resamples: int = 2000
) -> list[Compared]:
    """Every policy in every world, and what knowing all would cost; all see the same luck."""
    lives = {
        name: [live(world, make(world), seed=seed + place) for place, world in enumerate(worlds)]
        for name, make in made.items()
    }
    lives[KNOWING] = [know(world) for world in worlds]
    costs = {
        name: [one.cost / world.stakes.cost for one, world in zip(lived, worlds, strict=True)]
        for name, lived in lives.items()
    }
    names = [f"{place:05d}" for place in range(len(worlds))]
    years = sum(world.days for world in worlds) / YEAR
    quiet = [place for place, world in enumerate(worlds) if world.kind == "none"]
    return [
        Compared(
            policy=name,
            cost=mean_interval(costs[name], names, resamples=resamples, seed=seed),
            more=None if name == RULE else paired_difference(costs[name], costs[RULE], names, resamples=resamples),
            tuned=sum(len(one.tuned) for one in lived) / years,
            quiet=max((lived[place].most_in_a_year for place in quiet), default=0),
            by_kind=_by_kind(costs[name], worlds, resamples),
        )
        for name, lived in lives.items()
    ]


def _by_kind(costs: Sequence[float], worlds: Sequence[World], resamples: int) -> dict[str, Interval]:
    found: dict[str, Interval] = {}
    for kind in KINDS:
        of_kind = [cost for cost, world in zip(costs, worlds, strict=True) if world.kind == kind]
        if of_kind:
            places = [f"{place:05d}" for place in range(len(of_kind))]
            found[kind] = mean_interval(of_kind, places, resamples=resamples)
    return found


def _wrong(rng: np.random.Generator, rate: float, number: int) -> tuple[int, ...]:
    return tuple((rng.random(number) < rate).astype(int).tolist())
