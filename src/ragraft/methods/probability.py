"""From signals to a probability: logistic regression, and its probabilities out of fold. Knows numbers and clusters.

Logistic rather than isotonic: it takes many signals at once, isotonic regression one; a hundred rows are enough for it;
and its probabilities are calibrated in the large by construction (Platt 1999; Niculescu-Mizil and Caruana 2005).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ragraft.methods.lots import lot
from ragraft.methods.signals import Signals
from ragraft.methods.stats import Floats

STRENGTH = 1.0
"""Inverse of the ridge penalty on standardised signals; scikit-learn's own default."""
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


def fit(rows: Sequence[Seen]) -> Calibrator:
    """Fit to these rows: signals that all of them have and that vary.

    Without a row it says even chances; where all are right or all wrong, one probability for everything (Jeffreys').
    """
    if not rows:
        return EVEN_CHANCES
    right = sum(row.right for row in rows)
    names = [name for name in rows[0].signals if all(name in row.signals for row in rows)]
    table: Floats = np.array([[row.signals[name] for name in names] for row in rows], float).reshape(len(rows), -1)
    varying = np.ptp(table, axis=0) > ROUNDING * (1 + np.abs(table).max(axis=0))
    if right in (0, len(rows)) or not varying.any():
        return Calibrator(math.log((right + EVEN) / (len(rows) - right + EVEN)))
    return _fitted([name for name, one in zip(names, varying, strict=True) if one], table[:, varying], rows)


def _fitted(names: Sequence[str], table: Floats, rows: Sequence[Seen]) -> Calibrator:
    from sklearn.linear_model import LogisticRegression  # late: it takes a second to import

    mean, scale = table.mean(axis=0), table.std(axis=0)
    found = LogisticRegression(C=STRENGTH, max_iter=1000, tol=1e-8)
    found.fit((table - mean) / scale, [row.right for row in rows])
    columns = zip(names, mean, scale, found.coef_[0], strict=True)
    weights = tuple(Weight(name, float(a), float(b), float(c)) for name, a, b, c in columns)
    return replace(Calibrator(float(found.intercept_[0])), weights=weights)


def out_of_fold(rows: Sequence[Seen], *, folds: int, seed: int) -> list[float]:
    """Each row's probability by a fit to the other folds, which hold whole clusters; one cluster gets even chances."""
    clusters = sorted({row.cluster for row in rows}, key=lambda name: lot(f"{seed}:{name}"))
    fold = {name: place % folds for place, name in enumerate(clusters)}
    fits = {
        number: fit([row for row in rows if fold[row.cluster] != number]) for number in range(min(folds, len(clusters)))
    }
    return [fits[fold[row.cluster]].probability(row.signals) for row in rows]
