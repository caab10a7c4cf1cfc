"""Whether a model is likelier to be right where it is surer: calibration of its answers. Knows log-probabilities only.

Confidence is the geometric mean of the probabilities of the answer's own tokens, without the quotes below it, which are
copied. The expected calibration error is the mean distance between confidence and share of right answers in ten bins of
equal width, weighted by their rows (Guo et al. 2017, 1706.04599); AUROC is the chance that a right answer is surer than
a wrong one (0.5: confidence says nothing).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ragraft.methods.answer import Reply, answer_part
from ragraft.methods.stats import Floats, auroc_interval, statistic_interval
from ragraft.records import to_json

BINS = 10
RIGHT = 0.5
"""Score from which an answer counts as right."""


@dataclass(frozen=True, slots=True)
class Sure:
    """An answer's confidence, and whether it is right."""

    confidence: float
    right: bool
    cluster: str


def confidence(reply: Reply, count: Callable[[str], int]) -> float | None:
    """How sure the model was of its answer; None where its generator tells no probabilities. `count` counts tokens."""
    own = own_logprobs(reply, count)
    return math.exp(min(math.fsum(own) / len(own), 0.0)) if own else None


def own_logprobs(reply: Reply, count: Callable[[str], int]) -> tuple[float, ...] | None:
    """The log-probabilities of the answer's own tokens; None where its generator tells none."""
    values = reply.completion.logprobs
    return None if values is None else values[: max(count(answer_part(reply.completion.text)), 1)]


def calibration(rows: Sequence[Sure], *, resamples: int, seed: int) -> dict[str, Any]:
    """ECE and AUROC with intervals, and the bins; nothing without rows, no AUROC where all are right or all wrong."""
    if not rows:
        return {}
    sure = np.array([row.confidence for row in rows])
    right = np.array([float(row.right) for row in rows])
    clusters = [row.cluster for row in rows]
    place = np.minimum((sure * BINS).astype(int), BINS - 1)

    def error(weights: Floats) -> float:
        gaps = np.bincount(place, weights * (sure - right), minlength=BINS)
        return float(np.abs(gaps).sum() / weights.sum())

    figures: dict[str, Any] = {
        "n": len(rows),
        "ece": to_json(statistic_interval(error, clusters, share=True, resamples=resamples, seed=seed)),
        "auroc": None
        if right.min() == right.max()
        else to_json(auroc_interval(sure, right, clusters, resamples=resamples, seed=seed)),
    }
    figures["bins"] = [
        {"confidence": float(sure[chosen].mean()), "right": float(right[chosen].mean()), "n": int(chosen.sum())}
        for chosen in (place == number for number in range(BINS))
        if chosen.any()
    ]
    return figures
