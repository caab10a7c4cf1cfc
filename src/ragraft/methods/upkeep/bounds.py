"""Whether a mean is above a bound, looked at as often as one likes.

A gambler begins with 1 and bets on every value, before it is known, that the mean is above the bound; where it is not,
the capital reaches 1/a with probability a at the most, however often it is looked at (Ville 1939; betting as in Waudby-
Smith and Ramdas 2024, 2010.09686). Stakes are mixed from careful to bold, since nobody knows how far above it is.

Knows numbers in the order in which they became known.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

STAKES = (0.02, 0.05, 0.1, 0.2, 0.4)
"""Shares of the capital that a value of nothing costs."""


def capital(values: Sequence[float], bound: float) -> float:
    """The most that the gambler ever had. Values lie within 0..1, the bound between."""
    held, most = np.full(len(STAKES), 1 / len(STAKES)), 1.0
    for value in values:
        held = held * (1 + np.array(STAKES) * (value - bound) / bound)
        most = max(most, float(held.sum()))
    return most


def is_above(values: Sequence[float], bound: float, *, false_alarms: float) -> bool:
    """Whether the mean is above the bound, wrongly in so many of all cases at the most."""
    return capital(values, bound) >= 1 / false_alarms
