"""From signals to a probability: logistic regression, and its probabilities out of fold. Knows numbers and clusters.

Logistic rather than isotonic: it takes many signals at once, isotonic regression one; a hundred rows are enough for it;
and its probabilities are calibrated in the large by construction (Platt 1999; Niculescu-Mizil and Caruana 2005). How
much the signals may count is chosen by likelihood on clusters that were left out: on 85 questions in 10 clusters of
covid_qa, where nothing tells right answers from wrong ones, the usual penalty gave probabilities that were 25 points of
100 off, the chosen one halves that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ragraft.methods.lots import lot
from ragraft.methods.signals import Signals
from ragraft.methods.stats import Floats

STRENGTHS = (0.01, 0.1, 1.0)
"""Inverse ridge penalties on standardised signals that are tried; the last is scikit-learn's default."""
TRIALS = 3
"""Folds on which they are compared."""
EVEN = 0.5
ROUNDING = 1e-9
"""What varies no more than this doesn't vary."""
SURE = 1e-6
"""Probabilities stay this far from 0 and 1."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A row to learn from: the signals of an answer, and whether it was right."""

    signals: Signals
    right: bool
    cluster: str


@dataclass(frozen=True, slots=True)
class Weight:
    """What one signal counts: `weight` for each `scale` that it stands above `mean`."""

    name: str
    mean: float
    scale: float
    weight: float


@dataclass(frozen=True, slots=True)
class Calibrator:
    """The probability that an answer with these signals is right."""

    bias: float = 0.0
    weights: tuple[Weight, ...] = ()

    def probability(self, signals: Signals) -> float:
        """Within 0..1, neither end reached. Raises KeyError for a signal that is missing."""
        terms = (one.weight * (signals[one.name] - one.mean) / one.scale for one in self.weights)
        value = max(min(self.bias + math.fsum(terms), 50.0), -50.0)
        return min(max(1 / (1 + math.exp(-value)), SURE), 1 - SURE)


EVEN_CHANCES = Calibrator()


def calibrator_from_json(row: Mapping[str, Any]) -> Calibrator:
    """A Calibrator as `to_json` wrote it."""
    return Calibrator(row["bias"], tuple(Weight(**one) for one in row["weights"]))


def fit(rows: Sequence[Seen], *, seed: int = 0) -> Calibrator:
    """Fit to these rows, with the penalty that serves clusters left out best.

    Used are signals that all rows have and that vary. Without a row it says even chances; where all are right or all
    wrong, one probability for everything (Jeffreys').
    """
    shared = _shared(rows)
    strengths = {strength: _loss_outside(shared, strength, seed) for strength in STRENGTHS}
    return _fit(shared, min(STRENGTHS, key=lambda strength: (strengths[strength], strength)))


def _shared(rows: Sequence[Seen]) -> list[Seen]:
    """The rows with those signals alone that all of them have."""
    names = [name for name in rows[0].signals if all(name in row.signals for row in rows)] if rows else []
    return [replace(row, signals={name: row.signals[name] for name in names}) for row in rows]


def _loss_outside(rows: Sequence[Seen], strength: float, seed: int) -> float:
    """Minus the log-likelihood of each row by a fit to the other folds."""
    told = _left_out(rows, lambda others: _fit(others, strength), folds=TRIALS, seed=seed)
    return -math.fsum(math.log(one if row.right else 1 - one) for row, one in zip(rows, told, strict=True))


def _fit(rows: Sequence[Seen], strength: float) -> Calibrator:
    if not rows:
        return EVEN_CHANCES
    right = sum(row.right for row in rows)
    names = list(rows[0].signals)
    table: Floats = np.array([[row.signals[name] for name in names] for row in rows], float).reshape(len(rows), -1)
    varying = np.ptp(table, axis=0) > ROUNDING * (1 + np.abs(table).max(axis=0))
    if right in (0, len(rows)) or not varying.any():
        return Calibrator(math.log((right + EVEN) / (len(rows) - right + EVEN)))
    kept = [name for name, one in zip(names, varying, strict=True) if one]
    return _regression(kept, table[:, varying], [row.right for row in rows], strength)


def _regression(names: Sequence[str], table: Floats, right: Sequence[bool], strength: float) -> Calibrator:
    from sklearn.linear_model import LogisticRegression  # late: it takes a second to import

    mean, scale = table.mean(axis=0), table.std(axis=0)
    found = LogisticRegression(C=strength, max_iter=1000, tol=1e-8, solver="newton-cholesky")
    found.fit((table - mean) / scale, right)
    columns = zip(names, mean, scale, found.coef_[0], strict=True)
    weights = tuple(Weight(name, float(a), float(b), float(c)) for name, a, b, c in columns)
    return Calibrator(float(found.intercept_[0]), weights)


def out_of_fold(rows: Sequence[Seen], *, folds: int, seed: int) -> list[float]:
    """Each row's probability by a fit to the other folds, which hold whole clusters; one cluster gets even chances."""
    return _left_out(_shared(rows), lambda others: fit(others, seed=seed), folds=folds, seed=seed)


def _left_out(
    rows: Sequence[Seen], fits: Callable[[Sequence[Seen]], Calibrator], *, folds: int, seed: int
) -> list[float]:
    clusters = sorted({row.cluster for row in rows}, key=lambda name: lot(f"{seed}:{name}"))
    fold = {name: place % folds for place, name in enumerate(clusters)}
    made = {
        number: fits([row for row in rows if fold[row.cluster] != number])
        for number in range(min(folds, len(clusters)))
    }
    return [made[fold[row.cluster]].probability(row.signals) for row in rows]
