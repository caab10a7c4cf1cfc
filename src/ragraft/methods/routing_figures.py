"""What a router does to a side of the exam: what it saves, what that costs, and what a perfect one would save.

Knows graded answers and probabilities; computes figures with intervals over clusters; shows nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import fmean
from typing import Any

import numpy as np

from ragraft.methods.confidence import Sure, calibration
from ragraft.methods.routing import Both, Decision, Router, right, score, tokens, wrong
from ragraft.methods.stats import Floats, mean_interval, paired_difference, statistic_interval
from ragraft.records import Interval, to_json

POINTS = 40
"""Steps of a curve."""


@dataclass(frozen=True, slots=True)
class Routed:
    """A question with what the router did."""

    both: Both
    closed_book: float
    with_passages: float
    decision: Decision
    drafts: bool
    """Whether the router asks for a draft."""

    @property
    def skipped(self) -> bool:
        return self.decision.route == "skip"

    @property
    def abstains(self) -> bool:
        return self.decision.route == "abstain"

    @property
    def without_abstaining(self) -> float:
        return score(self.both.closed if self.skipped else self.both.shown)

    @property
    def score(self) -> float:
        """As the router leaves it: to abstain is right where there is no answer."""
        return float(not self.both.question.question.answerable) if self.abstains else self.without_abstaining

    @property
    def wrong(self) -> bool:
        return not self.abstains and wrong(self.both.closed if self.skipped else self.both.shown)

    @property
    def says_nothing(self) -> bool:
        """Abstains, be it the router or the model."""
        return self.abstains or (self.both.closed if self.skipped else self.both.shown).abstained

    @property
    def tokens(self) -> float:
        """Read and written: the draft where the router goes by it, the passages where they were looked up."""
        return self.drafts * tokens(self.both.closed) + (0.0 if self.skipped else tokens(self.both.shown))


def route(
    rows: Sequence[Both], closed_book: Sequence[float], with_passages: Sequence[float], router: Router
) -> list[Routed]:
    """What the router does where these are the probabilities."""
    return [
        Routed(row, one, two, router.decide(one, two), router.drafts)
        for row, one, two in zip(rows, closed_book, with_passages, strict=True)
    ]


def routing_figures(rows: Sequence[Routed], *, resamples: int, seed: int) -> dict[str, Any]:
    """Figures and curves as plain data, shares of 1; nothing without rows."""
    if not rows:
        return {}
    clusters = [row.both.question.cluster for row in rows]
    share = partial(mean_interval, clusters=clusters, share=True, resamples=resamples, seed=seed)
    bounded = partial(_of_clusters, clusters=clusters, resamples=resamples, seed=seed)
    always = [score(row.both.shown) for row in rows]
    difference = partial(paired_difference, clusters=clusters, resamples=resamples, seed=seed)
    figures: dict[str, Interval] = {
        "skipped": share([float(row.skipped) for row in rows]),
        "always": share(always),
        "never": share([score(row.both.closed) for row in rows]),
        "auto": share([row.without_abstaining for row in rows]),
        "auto_abstaining": share([row.score for row in rows]),
        "lost": difference(always, [row.without_abstaining for row in rows]),
        "loss": bounded([max(row.both.gain, 0.0) * row.skipped for row in rows]),
        "wrong_always": share([float(wrong(row.both.shown)) for row in rows]),
        "wrong": share([float(row.wrong) for row in rows]),
        "wrong_bounded": bounded([float(row.wrong) for row in rows]),
        "abstains_always": share([float(row.both.shown.abstained) for row in rows]),
        "abstains": share([float(row.says_nothing) for row in rows]),
        "tokens_always": mean_interval([tokens(row.both.shown) for row in rows], clusters, resamples=resamples),
        "tokens": mean_interval([row.tokens for row in rows], clusters, resamples=resamples),
        "tokens_saved": _saved(rows, clusters, resamples=resamples, seed=seed),
        "oracle_skipped": share([float(row.both.gain <= 0) for row in rows]),
        "oracle": share([max(score(row.both.closed), score(row.both.shown)) for row in rows]),
    }
    return {
        "n": len(rows),
        "clusters": len(set(clusters)),
        "figures": {name: to_json(figure) for name, figure in figures.items()},
        "routing_curve": routing_curve(rows),
        "risk_coverage": risk_coverage(rows),
        "calibration": _calibrations(rows, resamples=resamples, seed=seed),
    }


def _of_clusters(values: Sequence[float], clusters: Sequence[str], *, resamples: int, seed: int) -> Interval:
    """The mean of a share over clusters, each weighing the same: what conformal risk control bounds."""
    of: dict[str, list[float]] = {}
    for value, cluster in zip(values, clusters, strict=True):
        of.setdefault(cluster, []).append(value)
    means = [fmean(inside) for inside in of.values()]
    return replace(mean_interval(means, list(of), share=True, resamples=resamples, seed=seed), n=len(values))


def _saved(rows: Sequence[Routed], clusters: Sequence[str], *, resamples: int, seed: int) -> Interval:
    spent = np.array([row.tokens for row in rows])
    always = np.array([tokens(row.both.shown) for row in rows])

    def saved(weights: Floats) -> float:
        return float(1 - (weights @ spent) / max(float(weights @ always), 1.0))

    return statistic_interval(saved, clusters, resamples=resamples, seed=seed)


def routing_curve(rows: Sequence[Routed]) -> list[dict[str, float]]:
    """The score by the share of retrievals saved: of the router at every threshold, and of one that knew the outcome.

    Where none is saved both retrieve always; where all are, both answer closed-book. Skipping at random would give the
    straight line between.
    """
    n = len(rows)
    gain = np.array([row.both.gain for row in rows])
    start = sum(score(row.both.shown) for row in rows)
    orders = {
        "router": np.argsort([-row.closed_book for row in rows], kind="stable"),
        "oracle": np.argsort(gain, kind="stable"),
    }
    scores = {name: (start - np.concatenate([[0.0], np.cumsum(gain[order])])) / n for name, order in orders.items()}
    return [
        {"saved": int(place) / n, **{name: float(values[place]) for name, values in scores.items()}}
        for place in _places(n)
    ]


def risk_coverage(rows: Sequence[Routed]) -> list[dict[str, float]]:
    """Of the surest answers, by their share of all: how many are not right (the risk of selective answering)."""
    sure = [-(row.closed_book if row.skipped else row.with_passages) for row in rows]
    bad = np.array([not right(row.both.closed if row.skipped else row.both.shown) for row in rows], float)
    counted = np.cumsum(bad[np.argsort(sure, kind="stable")])
    return [
        {"coverage": int(place) / len(rows), "risk": float(counted[place - 1]) / int(place)}
        for place in _places(len(rows))
        if place
    ]


def _places(n: int) -> Floats:
    return np.unique(np.linspace(0, n, min(POINTS, n) + 1).round()).astype(int)


def _calibrations(rows: Sequence[Routed], *, resamples: int, seed: int) -> dict[str, Any]:
    """Of both kinds of answer, the model's own confidence and the calibrated probability; to abstain is no answer."""
    kinds = {
        "closed_book": [(row.both.closed, row.both.closed_confidence, row.closed_book, row) for row in rows],
        "with_passages": [(row.both.shown, row.both.shown_confidence, row.with_passages, row) for row in rows],
    }
    found = {}
    for kind, asked in kinds.items():
        told = [one for one in asked if not one[0].abstained and one[1] is not None]
        raw = [Sure(float(sure or 0.0), right(answer), row.both.question.cluster) for answer, sure, _, row in told]
        after = [Sure(sure, right(answer), row.both.question.cluster) for answer, _, sure, row in told]
        found[kind] = {
            "before": calibration(raw, resamples=resamples, seed=seed),
            "after": calibration(after, resamples=resamples, seed=seed),
        }
    return found
