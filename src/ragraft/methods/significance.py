"""Beside intervals: p-values, Holm's correction, non-inferiority, and the difference that an exam can show.

Knows numbers and clusters; knows nothing of questions or models. All are of paired rows: the same questions, twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ragraft.methods.stats import paired_spread
from ragraft.records import Interval

POWER = 0.8
_TAIL = 0.025


@dataclass(frozen=True, slots=True)
class Discordant:
    """Questions on which only one of two is right, and how likely so uneven a split would be by chance."""

    first: int
    second: int
    p: float


def mcnemar(a: Sequence[float | None], b: Sequence[float | None]) -> Discordant:
    """The exact test of McNemar (1947): of the questions on which two differ, each is as likely to be right by chance.

    A score of 1 is right, any other wrong; a row that either side lacks is left out. Clusters are not regarded, so
    where questions share documents the p-value is a lower bound.
    """
    from scipy.special import bdtr

    pairs = [(x == 1.0, y == 1.0) for x, y in zip(a, b, strict=True) if x is not None and y is not None]
    first = sum(x and not y for x, y in pairs)
    second = sum(y and not x for x, y in pairs)
    number = first + second
    p = min(1.0, 2 * float(bdtr(min(first, second), number, 0.5))) if number else 1.0
    return Discordant(first, second, p)


def difference_p(a: Sequence[float | None], b: Sequence[float | None], clusters: Sequence[str]) -> float | None:
    """The two-sided p-value of the mean of a - b, by a t test over clusters; None with fewer than two of them.

    The variance is the jackknife's, the degrees of freedom those of `stats`; with a row a cluster it is the paired t
    test.
    """
    from scipy.special import stdtr

    spread = paired_spread(a, b, clusters)
    if spread is None:
        return None
    centre, error, freedom = spread
    if error == 0:
        return 1.0 if centre == 0 else 0.0
    return 2 * float(stdtr(freedom, -abs(centre) / error))


def holm(values: Mapping[str, float]) -> dict[str, float]:
    """P-values of several metrics, raised so that 0.05 errs on any of them once in twenty exams at most (Holm 1979)."""
    found: dict[str, float] = {}
    highest = 0.0
    ordered = sorted(values, key=lambda name: values[name])
    for place, name in enumerate(ordered):
        highest = max(highest, min(1.0, (len(ordered) - place) * values[name]))
        found[name] = highest
    return {name: found[name] for name in values}


def non_inferior(difference: Interval, margin: float) -> bool | None:
    """Whether a loss of more than `margin` is ruled out by the 95 % interval; None where there is none."""
    return None if difference.low is None else difference.low > -margin


def fall(figure: Mapping[str, Any], margin: float) -> Literal["ruled out", "open", "seen"] | None:
    """What a difference, as the scorecard keeps it, says of a loss of more than `margin`; None without an interval."""
    held = non_inferior(Interval(figure["value"], figure["low"], figure["high"], n=figure["n"]), margin)
    if held is None:
        return None
    return "ruled out" if held else "seen" if figure["high"] < -margin else "open"


def detectable(a: Sequence[float | None], b: Sequence[float | None], clusters: Sequence[str]) -> float | None:
    """The smallest true difference that would be found at 95 % in four of five exams like this one; None if unknown."""
    from scipy.special import stdtrit

    spread = paired_spread(a, b, clusters)
    if spread is None:
        return None
    _, error, freedom = spread
    return float(stdtrit(freedom, 1 - _TAIL) + stdtrit(freedom, POWER)) * error
