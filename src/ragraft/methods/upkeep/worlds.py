"""Worlds to try a rule in: how far the facts have moved on each day, what is at stake, how well a new model does.

The rule was made on these; what is claimed of it comes from others (`benchmarks/refresh.py`). Knows numbers alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from ragraft.methods.stats import Floats
from ragraft.methods.upkeep.cadence import YEAR, Stakes

Kind = Literal["gradual", "abrupt", "seasonal", "none"]
KINDS: tuple[Kind, ...] = get_args(Kind)
DAYS = 730
LARGEST = 0.6
"""What a model can lose a question at the most: some answers are right by other means."""


@dataclass(frozen=True, slots=True)
class World:
    """A world in which a model grows old."""

    kind: Kind
    path: Floats
    """Where the facts stand on each day: a model tuned on one day loses, on another, the distance between them."""
    stakes: Stakes
    fresh: float
    """Share of right answers of a model that was tuned today."""
    asked: int
    """Questions at each look."""
    asked_new: int
    """Questions that a new model is examined with."""

    @property
    def days(self) -> int:
        return len(self.path)

    def losses(self, tuned: int) -> Floats:
        """A question's loss on each day from the day of tuning on."""
        return np.asarray(np.minimum(np.abs(self.path[tuned:] - self.path[tuned]), LARGEST))


def draw_worlds(number: int, *, seed: int, stakes: Stakes | None = None) -> Sequence[World]:
    """So many worlds, kinds in turn; `stakes` are drawn too when left out."""
    rng = np.random.default_rng(seed)
    return [_draw(rng, KINDS[place % len(KINDS)], stakes) for place in range(number)]


def _draw(rng: np.random.Generator, kind: Kind, stakes: Stakes | None) -> World:
    return World(
        kind,
        _PATHS[kind](rng),
        # A re-tune is worth as many days of wholly wrong answers as it costs: from a fifth of a day to forty.
        stakes or Stakes(questions=float(np.exp(rng.uniform(-3.7, 1.6))), value=1.0, tuning=0.8, churn=0.2),
        fresh=float(rng.uniform(0.5, 0.9)),
        asked=int(rng.integers(80, 400)),
        asked_new=int(rng.integers(200, 600)),
    )


def _gradual(rng: np.random.Generator) -> Floats:
    """A decline of 0.02 to 0.3 points of 100 a day, livelier in some months than in others."""
    mean = np.exp(rng.uniform(np.log(0.0002), np.log(0.003)))
    months = rng.gamma(2.0, 0.5, size=DAYS // 30 + 1)
    return np.asarray(np.cumsum(mean * np.repeat(months, 30)[:DAYS]))


def _abrupt(rng: np.random.Generator) -> Floats:
    """Jumps of 3 to 25 points, one to six a year."""
    jumps = rng.random(DAYS) < rng.uniform(1, 6) / YEAR
    return np.asarray(np.cumsum(jumps * rng.uniform(0.03, 0.25, size=DAYS)))


def _seasonal(rng: np.random.Generator) -> Floats:
    """A wave over half a year or a year, of 4 to 20 points from end to end."""
    length, begin = YEAR / rng.integers(1, 3), rng.uniform(0, 2 * np.pi)
    return np.asarray(rng.uniform(0.02, 0.1) * np.cos(2 * np.pi * np.arange(DAYS) / length + begin))


def _none(rng: np.random.Generator) -> Floats:
    return np.zeros(DAYS)


_PATHS = {"gradual": _gradual, "abrupt": _abrupt, "seasonal": _seasonal, "none": _none}
