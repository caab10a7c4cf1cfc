"""Drift detectors that others tune again by, to compare with: ADWIN, DDM, Page-Hinkley. Each sees wrong answers as 1.

Knows a stream of zeros and ones; knows neither costs nor values, which is what they are compared for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol


class Detector(Protocol):
    """Sees a batch of outcomes after another, and says whether there are more errors now than there were."""

    def drifts(self, wrong: Sequence[int]) -> bool:
        """Whether it raises its alarm within these outcomes."""
        ...


class Adwin:
    """Bifet and Gavaldà (2007): the longest window no two parts of which have means that differ too much.

    Cut where batches meet, and only for errors that rise.
    """

    def __init__(self, delta: float = 0.002) -> None:
        self._delta = delta
        self._batches: list[tuple[int, int]] = []

    def drifts(self, wrong: Sequence[int]) -> bool:
        self._batches.append((sum(wrong), len(wrong)))
        ones, size = (sum(batch[part] for batch in self._batches) for part in (0, 1))
        mean, found = ones / size, 0
        strict = math.log(2 * math.log(size) / self._delta)
        early, early_size = 0, 0
        for place, (more, number) in enumerate(self._batches[:-1], start=1):
            early, early_size = early + more, early_size + number
            late_size = size - early_size
            inverse = 1 / early_size + 1 / late_size
            bound = math.sqrt(2 * inverse * mean * (1 - mean) * strict) + 2 / 3 * inverse * strict
            if (ones - early) / late_size - early / early_size > bound:
                found = place
        self._batches = self._batches[found:]
        return found > 0


class Ddm:
    """Gama et al. (2004): the error rate is three of its own deviations above the lowest that it ever was."""

    def __init__(self, level: float = 3.0, least: int = 30) -> None:
        self._level, self._least = level, least
        self._ones = self._seen = 0
        self._lowest, self._rate, self._spread = math.inf, 0.0, 0.0

    def drifts(self, wrong: Sequence[int]) -> bool:
        found = False
        for one in wrong:
            self._ones, self._seen = self._ones + one, self._seen + 1
            rate = self._ones / self._seen
            spread = math.sqrt(rate * (1 - rate) / self._seen)
            if self._seen < self._least or not self._ones:
                continue
            if rate + spread < self._lowest:
                self._lowest, self._rate, self._spread = rate + spread, rate, spread
            found = found or rate + spread > self._rate + self._level * self._spread
        return found


class PageHinkley:
    """Page (1954): the sum by which outcomes stay above their mean, and a little more, since it was lowest."""

    def __init__(self, threshold: float = 50.0, delta: float = 0.005, least: int = 30) -> None:
        self._threshold, self._delta, self._least = threshold, delta, least
        self._seen, self._mean, self._sum, self._lowest = 0, 0.0, 0.0, 0.0

    def drifts(self, wrong: Sequence[int]) -> bool:
        found = False
        for one in wrong:
            self._seen += 1
            self._mean += (one - self._mean) / self._seen
            self._sum += one - self._mean - self._delta
            self._lowest = min(self._lowest, self._sum)
            found = found or (self._seen >= self._least and self._sum - self._lowest > self._threshold)
        return found


DETECTORS: Mapping[str, Callable[[], Detector]] = {
    "ADWIN": Adwin,
    "ADWIN (delta 0.05)": lambda: Adwin(0.05),
    "DDM": Ddm,
    "DDM (level 2)": lambda: Ddm(2.0),
    "Page-Hinkley": PageHinkley,
    "Page-Hinkley (threshold 15)": lambda: PageHinkley(15.0),
}
"""At the values that their libraries ship, and livelier ones."""
