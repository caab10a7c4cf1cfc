"""Conformal risk control: the lowest threshold whose expected loss stays within a bound. Knows numbers only.

A rule takes what scores above a threshold t, and taking a row costs its loss, within 0..B. Rows of one cluster share
their documents, so clusters, not rows, are what is exchangeable (as the groups of Dunn, Wasserman and Ramdas 2022,
1809.07441): L_i(t) is the mean, over the rows of cluster i, of loss where score > t, else 0. L_i falls as t rises, is
continuous from the right, and nothing is taken at t = 1. What is promised is of a question on new documents.

Theorem (Angelopoulos, Bates, Fisch, Lei and Schuster 2022, 2208.02814, Theorem 1): let L_1 … L_n, L_n+1 be
exchangeable random functions of t, each falling in t, continuous from the right, never above B, and within the wanted
bound a where t is largest. With R(t) the mean of L_1 … L_n, and

    T = inf { t : n / (n + 1) R(t) + B / (n + 1) <= a }    (the largest t where no t is in the set),

the expected loss of the next one, E[L_n+1(T)], is at most a. The mean is over all n as well as the next one: it
bounds what such choices lose on average, not what each single choice does.

B / (n + 1) is the correction for a finite sample: it takes the cluster that is still to come for the worst. So no bound
a can be promised on fewer than B / a - 1 clusters, whatever they say: 99 for one point of 100. Counting rows instead
promised too much: 150 questions on two articles bounded a loss at 1 point that was 6.4 on six other articles.

What is lost by skipping may be negative, where memory knows better. The theorem wants losses that fall in t, so such
rows count as 0: the mean of what is lost is then at most what is bounded.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

NOTHING = 1.0
"""The largest threshold: no probability is above it."""
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Control:
    """A threshold, and what it rests on."""

    threshold: float
    """What scores above it is taken; 1: nothing."""
    promised: bool
    """Whether the bound holds by the theorem; else nothing is taken but what always is."""
    most: float
    """The bound."""
    n: int
    """Clusters."""
    needed: int
    """Clusters without which no such bound can be promised."""
    loss: float
    """Mean loss of the clusters at this threshold."""
    taken: int
    """Rows above the threshold."""

    @property
    def too_few(self) -> bool:
        return self.n < self.needed


def control_risk(
    scores: Sequence[float],
    losses: Sequence[float],
    clusters: Sequence[str],
    *,
    most: float,
    always: Sequence[bool] = (),
    bound: float = 1.0,
) -> Control:
    """The lowest threshold that keeps the expected loss at most `most`.

    Each row has a score within 0..1, a loss within 0..`bound` and its cluster; `always` marks those that are taken
    whatever the threshold is. Raises ValueError for other numbers and for unequal lengths.
    """
    if len({len(scores), len(losses), len(clusters), len(always) or len(scores)}) > 1:
        raise ValueError("every row has a score, a loss and a cluster")
    if not all(0 <= one <= bound for one in losses) or not all(0 <= one <= 1 for one in scores):
        raise ValueError(f"scores lie within 0..1 and losses within 0..{bound:g}")
    sizes = Counter(clusters)
    weighed = np.array([loss / sizes[cluster] for loss, cluster in zip(losses, clusters, strict=True)], float)
    settled = np.array(always or [False] * len(scores), bool)
    kept, score, weighed = math.fsum(weighed[settled]), np.array(scores, float)[~settled], weighed[~settled]
    n, needed = len(sizes), math.ceil(bound / most - 1 - 1e-9)
    # The set is closed and L constant between scores: its least element is 0 or one of them.
    tried = np.unique(np.concatenate([[0.0], score, [NOTHING]]))
    order = np.argsort(-score, kind="stable")
    summed = np.concatenate([[0.0], np.cumsum(weighed[order])])
    above = len(score) - np.searchsorted(np.sort(score), tried, side="right")
    within = (kept + summed[above] + bound) / (n + 1) <= most + _ROUNDING
    place = int(np.argmax(within)) if within.any() else len(tried) - 1
    mean = float(kept + summed[above[place]]) / n if n else 0.0
    return Control(float(tried[place]), bool(within.any()), most, n, needed, mean, int(above[place]))
