"""Worlds that the rule of `ragraft.methods.upkeep.stopping` was not made on: drawn after it was frozen.

Declines here change their pace as a random walk and may pause, jumps come in bursts or as one large one, seasons are no
cosine and come with another of their own length, and what is at stake, how well a new model does and how much is asked
at a look are drawn by other laws. Knows numbers alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ragraft.methods.stats import Floats
from ragraft.methods.upkeep.cadence import YEAR, Stakes
from ragraft.methods.upkeep.worlds import DAYS, KINDS, Kind, World

WEEK = 7
PAUSING, LARGE = 0.4, 0.5
"""Shares of declines that pause, and of jumps that are one large one."""


def held_out_worlds(number: int, *, seed: int) -> Sequence[World]:
    """So many worlds, kinds in turn."""
    rng = np.random.default_rng([seed, 7])
    return [_draw(rng, KINDS[place % len(KINDS)]) for place in range(number)]


def _draw(rng: np.random.Generator, kind: Kind) -> World:
    # A re-tune costs as much as half a day to a month of nothing but wrong answers.
    worth = float(1 / (0.5 * 60 ** rng.beta(1.2, 1.2)))
    churn = float(rng.uniform(0, 0.6))
    return World(
        kind,
        _PATHS[kind](rng),
        Stakes(questions=100.0, value=worth / 100, tuning=1 - churn, churn=churn),
        fresh=float(rng.beta(8, 3)),
        asked=int(rng.choice([60, 100, 200, 500])),
        asked_new=int(rng.choice([150, 300, 1000])),
    )


def _gradual(rng: np.random.Generator) -> Floats:
    """A decline whose pace is a random walk from week to week, with pauses of months in some worlds."""
    weeks = DAYS // WEEK + 1
    pace = 0.0001 * 20 ** rng.beta(1.5, 1.5) * np.exp(np.cumsum(rng.normal(0, 0.12, size=weeks)))
    if rng.random() < PAUSING:
        begin = int(rng.integers(weeks - 20))
        pace[begin : begin + int(rng.integers(8, 20))] = 0.0
    return np.asarray(np.cumsum(np.repeat(np.minimum(pace, 0.005), WEEK)[:DAYS]))


def _abrupt(rng: np.random.Generator) -> Floats:
    """One large jump a year, or bursts of several smaller ones within two weeks."""
    path = np.zeros(DAYS)
    for _ in range(1 + rng.poisson(2.5)):
        day = int(rng.integers(DAYS))
        if rng.random() < LARGE:
            path[day:] += rng.gamma(4.0, 0.04)
        else:
            for later in rng.integers(0, 14, size=int(rng.integers(2, 5))).tolist():
                path[min(day + later, DAYS - 1) :] += rng.uniform(0.01, 0.06)
    return path


def _seasonal(rng: np.random.Generator) -> Floats:
    """A flat-topped season a year, with a smaller one of a length of its own on top."""
    days = np.arange(DAYS)
    wave = np.sin(2 * np.pi * (days / YEAR + rng.random()))
    other = np.sin(2 * np.pi * (days / rng.uniform(50, 150) + rng.random()))
    return np.asarray(rng.uniform(0.02, 0.12) * np.tanh(rng.uniform(1, 4) * wave) + rng.uniform(0, 0.03) * other)


def _none(rng: np.random.Generator) -> Floats:
    return np.zeros(DAYS)


_PATHS: Mapping[Kind, Callable[[np.random.Generator], Floats]] = {
    "gradual": _gradual,
    "abrupt": _abrupt,
    "seasonal": _seasonal,
    "none": _none,
}
