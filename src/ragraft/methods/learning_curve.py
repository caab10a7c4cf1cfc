"""What tuning on more questions would gain, foretold from small runs. Knows gains by question; knows no model.

A run that learned n questions is taken to gain A (1 - exp(-n / t)): nothing without lessons, A with ever more of them,
two thirds of it after t. For a given t the best A is a weighted sum of the runs' gains (least squares), so only t is
searched, on a grid that reaches from "all was learned in the first run" to "every question brings as much as the one
before". What is foretold for all questions is then a weighted sum of gains, too: so it has a value for every question,
as other expected gains have. Its interval is found by fitting anew to each resample of clusters, t and all. It tells
of other questions, not of another seed of training: each point is one run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ragraft.errors import InputError
from ragraft.methods.stats import Floats, statistic_interval
from ragraft.ports import Generator
from ragraft.records import Interval

FEWEST = 2
"""Runs of different sizes, without which there is nothing to fit."""
FASTEST, SLOWEST, STEPS = 1 / 64, 8.0, 91
"""The grid of t, in multiples of all questions."""


@dataclass(frozen=True, slots=True)
class SmallRuns:
    """What a learning curve is measured on."""

    whole: int
    """Questions that tuning itself would learn."""
    sizes: tuple[int, ...]
    """Of these, as many as each small run learns; nested, the smallest first."""
    tuned: Callable[[str, int], Generator]
    """The model that an action made of so many questions; trains it where it is not there yet."""


@dataclass(frozen=True, slots=True)
class Curve:
    """What small runs of one action gained."""

    action: str
    whole: int
    sizes: tuple[int, ...]
    gains: tuple[tuple[float, ...], ...]
    """Of each run, each question's gain, in the order in which they were asked."""


@dataclass(frozen=True, slots=True)
class Foretold:
    """What all questions are expected to gain."""

    gains: tuple[float, ...]
    """Question by question; their mean is the interval's value."""
    interval: Interval
    fitted: tuple[float, ...]
    """What the curve says of the runs that it was fitted to."""
    half: float
    """Questions after which half of all that can be gained is."""
    bounded: bool
    """Whether the curve went beyond what the oracle arms allow."""


def sizes_of(shares: Sequence[float], whole: int) -> tuple[int, ...]:
    """How many questions each small run learns. Raises InputError where there are too few to tell sizes apart."""
    found = sorted({max(round(share * whole), 1) for share in shares})
    if len(found) < FEWEST:
        told = ", ".join(f"{share:g}" for share in shares)
        raise InputError(
            f"diagnose.curve: the shares {told} of {whole} questions to learn from are one size, and a curve needs "
            f"{FEWEST}; give more questions, other shares, or leave diagnose.curve out"
        )
    return tuple(found)


def foretell(curve: Curve, clusters: Sequence[str], at_most: Sequence[float], *, resamples: int, seed: int) -> Foretold:
    """The gain of learning all questions, never more than the mean of `at_most`, which the oracle arms allow."""
    gains, most = np.array(curve.gains, float), np.array(at_most, float)
    shapes = _shapes(curve)

    def foretold(weights: Floats) -> float:
        share = weights / weights.sum()
        means = gains @ share
        return float(min(shapes.best(means).weights @ means, most @ share))

    interval = statistic_interval(foretold, clusters, resamples=resamples, seed=seed)
    means = gains.mean(axis=1)
    best = shapes.best(means)
    each = best.weights @ gains
    # Where the bound holds, all questions give way alike.
    each = each + (interval.value - each.mean())
    return Foretold(
        tuple(each.tolist()),
        interval,
        tuple((best.level * best.rise).tolist()),
        half=float(best.scale * np.log(2)),
        bounded=bool(best.weights @ means > most.mean()),
    )


@dataclass(frozen=True, slots=True)
class _Fit:
    scale: float
    """t."""
    level: float
    """A."""
    rise: Floats
    """1 - exp(-n / t) at each run's size."""
    weights: Floats
    """Of the runs' gains: their weighted sum is what is foretold for all questions."""


@dataclass(frozen=True, slots=True)
class _Shapes:
    """Every curve of the grid, at the sizes of the runs and at all questions."""

    scales: Floats
    rises: Floats
    """Shape (grid, runs)."""
    ends: Floats
    """Shape (grid,)."""

    def best(self, means: Floats) -> _Fit:
        """The curve nearest to these mean gains; of equals the one that rises first."""
        squares = (self.rises**2).sum(axis=1)
        onto = self.rises @ means
        place = int(np.argmax(onto**2 / squares))  # what is left of the squares is least where this is most
        rise = self.rises[place]
        return _Fit(
            float(self.scales[place]),
            float(onto[place] / squares[place]),
            rise,
            self.ends[place] * rise / squares[place],
        )


def _shapes(curve: Curve) -> _Shapes:
    scales = np.geomspace(FASTEST, SLOWEST, STEPS) * curve.whole
    sizes = np.array(curve.sizes, float)
    return _Shapes(scales, -np.expm1(-sizes / scales[:, None]), -np.expm1(-curve.whole / scales))
