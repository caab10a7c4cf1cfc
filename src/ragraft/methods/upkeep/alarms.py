"""Whether daily figures are still what they were: tests that may be looked at every day and rarely cry wolf.

Each day's figure is ranked among all days so far of the same weekday. As long as days of a weekday are exchangeable
these ranks, ties broken by chance, are independent and uniform (Vovk, Nouretdinov and Gammerman 2003), so that nobody
can win by betting against it: the capital of a gambler who starts with 1 reaches 1/a with probability a at the most,
whenever and however often it is looked at (Ville 1939). The gambler is the Simple Jumper of “Retrain or not retrain”
(Vovk et al. 2021, 2102.10439): it bets on high ranks, on low ones, on extreme ones or on nothing, and changes its mind
now and then. With s streams each alarm needs a capital of s/a, so that a is the chance of any false alarm at all.

A day is one figure, however many answers are in it: people ask several questions in a row, and weekdays differ. Slow
waves from day to day, without a change, are not quiet by this definition; `python -m benchmarks.alarms` shows what they
do. Knows figures by day; knows no traffic.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

WEEK = 7
BETS = (-2.0, -1.0, 0.0, 1.0, 2.0)
"""Slopes of the bets 1 + slope (rank - 1/2); a positive one wins where figures fall."""
JUMP = 0.01
"""Share of the capital that is dealt out anew every day."""
FALSE_ALARMS = 0.05
"""Chance of any false alarm, over all streams and all days to come."""

Turn = Literal["rose", "fell"]


@dataclass(frozen=True, slots=True)
class Figure:
    """A day's mean of something."""

    day: int
    """Counted from any Monday."""
    value: float


@dataclass(frozen=True, slots=True)
class Alarm:
    """A stream that is not what it was."""

    stream: str
    day: int
    """The first on which it was clear."""
    since: int
    """When it seems to have begun."""
    turn: Turn
    before: float
    after: float
    """The means until then, and from then to the day of the alarm."""
    capital: float


def alarms(
    streams: Mapping[str, Sequence[Figure]], *, false_alarms: float = FALSE_ALARMS, seed: int = 0
) -> list[Alarm]:
    """The streams that raise an alarm, in order of their days. Figures stand in order of their days."""
    needed = len(streams) / false_alarms
    found = []
    for number, (name, figures) in enumerate(sorted(streams.items())):
        capital, leaning = bet(figures, seed=seed + number)
        at = next((place for place, held in enumerate(capital) if held >= math.log(needed)), None)
        if at is not None:
            found.append(_alarm(name, figures, capital[: at + 1], leaning[at]))
    return sorted(found, key=lambda one: (one.day, one.stream))


def bet(figures: Sequence[Figure], *, seed: int) -> tuple[list[float], list[float]]:
    """The logarithm of the capital after each day, and to which side the bets then lean (above 0: figures fall)."""
    chance = np.random.default_rng(seed)
    seen: dict[int, list[float]] = {}
    held, bets = np.full(len(BETS), 1 / len(BETS)), np.array(BETS)
    whole, capital, leaning = 0.0, [], []
    for figure in figures:
        place = rank(seen.setdefault(figure.day % WEEK, []), figure.value, float(chance.random()))
        held = ((1 - JUMP) * held + JUMP / len(BETS)) * (1 + bets * (place - 0.5))
        total = float(held.sum())
        # Kept as shares and a logarithm: a capital has no bounds, a number has.
        held, whole = held / total, whole + math.log(total)
        capital.append(whole)
        leaning.append(float(held @ bets))
    return capital, leaning


def rank(earlier: list[float], value: float, chance: float) -> float:
    """The share of figures above this one, itself and its equals counted by chance; puts it among them.

    `earlier` is in order. Uniform on 0..1 for a uniform `chance`, where each of the figures may as well be the last.
    """
    insort(earlier, value)
    above = len(earlier) - bisect_right(earlier, value)
    equal = bisect_right(earlier, value) - bisect_left(earlier, value)
    return (above + chance * equal) / len(earlier)


def _alarm(name: str, figures: Sequence[Figure], capital: Sequence[float], leaning: float) -> Alarm:
    known = figures[: len(capital)]
    begin = _change(known)
    values = [figure.value for figure in known]
    return Alarm(
        stream=name,
        day=known[-1].day,
        since=known[begin].day,
        turn="fell" if leaning > 0 else "rose",
        before=math.fsum(values[:begin]) / begin,
        after=math.fsum(values[begin:]) / (len(values) - begin),
        capital=math.exp(min(capital[-1], 700.0)),
    )


def _change(figures: Sequence[Figure]) -> int:
    """The place that parts the figures best: where the means before and after differ most for their numbers."""
    by_day = np.array([figure.day % WEEK for figure in figures])
    values = np.array([figure.value for figure in figures])
    for weekday in range(WEEK):
        values[by_day == weekday] -= values[by_day == weekday].mean() if (by_day == weekday).any() else 0.0
    before = np.arange(1, len(values))
    sums = np.cumsum(values)[:-1]
    return int(np.argmax(np.abs(sums) / np.sqrt(before * (len(values) - before)))) + 1
