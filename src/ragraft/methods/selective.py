"""What is gained by answering only where the model is sure: risk by coverage. Knows graded answers only.

Of all questions asked, the surest answers first (`confidence`; abstentions are no answers): coverage is the share that
is answered, risk the mean loss, 1 minus the score as SQuAD 2 counts it, of what is answered. The area under that curve
(AURC; Geifman and El-Yaniv 2017, 1705.08500) is the mean of its risks, each answer's turn weighing alike: lower is
better, and where confidence says nothing it is about the risk of answering everything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ragraft.methods.stats import Floats, mean_interval, statistic_interval
from ragraft.records import Answer, to_json

CONFIDENCE = "confidence"
"""Its place among an answer's scores."""
POINTS = 20
FEWEST = 2
"""Answers, that there be a curve."""


def risk_coverage(
    rows: Sequence[Answer], clusters: Mapping[str, str], *, resamples: int, seed: int
) -> dict[str, Any] | None:
    """The curve of one condition's rows with its area, each with intervals; None where confidence is not told.

    `clusters` are those of the questions, by id. `answered` is the highest coverage.
    """
    told = [(row.scores.get(CONFIDENCE), row.question_id, row.scores["f1_all"]) for row in rows if not row.abstained]
    sure = sorted((-value, name, 1 - (score or 0.0)) for value, name, score in told if value is not None)
    if len(sure) < FEWEST:
        return None
    losses, of = np.array([loss for _, _, loss in sure]), [clusters[name] for _, name, _ in sure]
    sampling = {"resamples": resamples, "seed": seed}

    def area(weights: Floats) -> float:
        taken = np.cumsum(weights)
        risks = np.cumsum(weights * losses) / np.maximum(taken, 1e-12)
        return float(weights @ risks / weights.sum())

    return {
        "answered": len(sure) / len(rows),
        "risk": to_json(mean_interval(losses.tolist(), of, share=True, **sampling)),
        "aurc": to_json(statistic_interval(area, of, share=True, **sampling)),
        "points": [
            {"coverage": int(end) / len(rows)} | _risk(losses[:end].tolist(), of[:end], sampling)
            for end in _ends(len(sure))
        ],
    }


def _ends(number: int) -> list[int]:
    """Up to how many answers each point reaches; the surest alone would tell nothing."""
    return sorted({int(end) for end in np.linspace(max(FEWEST, number // POINTS), number, min(POINTS, number)).round()})


def _risk(losses: Sequence[float], clusters: Sequence[str], sampling: Mapping[str, int]) -> dict[str, Any]:
    found = mean_interval(losses, clusters, share=True, **sampling)
    return {"risk": found.value, "low": found.low, "high": found.high}
