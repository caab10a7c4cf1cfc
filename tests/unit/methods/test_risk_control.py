"""Conformal risk control: its definition by brute force, its laws, and the promise itself on simulated draws."""

from __future__ import annotations

from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragraft.methods.risk_control import NOTHING, Control, control_risk

SCORE = st.integers(0, 20).map(lambda number: number / 20)
ROWS = st.lists(st.tuples(SCORE, st.sampled_from([0.0, 0.0, 0.0, 0.25, 1.0])), min_size=1, max_size=60)
MOST = st.sampled_from([0.01, 0.05, 0.1, 0.3, 0.6])


def alone(number: int) -> list[str]:
    """Every row in a cluster of its own."""
    return [f"c{place}" for place in range(number)]


def risk_at(rows: list[tuple[float, float]], clusters: list[str], threshold: float) -> float:
    """The mean over clusters of the mean loss in each."""
    by_cluster: dict[str, list[float]] = {}
    for (score, loss), cluster in zip(rows, clusters, strict=True):
        by_cluster.setdefault(cluster, []).append(loss if score > threshold else 0.0)
    return fmean(map(fmean, by_cluster.values()))


def bound_at(rows: list[tuple[float, float]], clusters: list[str], threshold: float) -> float:
    n = len(set(clusters))
    return n / (n + 1) * risk_at(rows, clusters, threshold) + 1 / (n + 1)


@given(ROWS, MOST, st.integers(1, 4))
def test_it_is_the_lowest_threshold_within_the_bound(rows: list[tuple[float, float]], most: float, size: int) -> None:
    clusters = [f"c{place // size}" for place in range(len(rows))]
    found = control_risk([score for score, _ in rows], [loss for _, loss in rows], clusters, most=most)
    within = [t / 40 for t in range(41) if bound_at(rows, clusters, t / 40) <= most + 1e-12]
    assert found.promised == bool(within)
    assert found.threshold == (min(within) if within else NOTHING)
    assert found.taken == sum(score > found.threshold for score, _ in rows)
    assert found.loss == pytest.approx(risk_at(rows, clusters, found.threshold))


@given(ROWS, MOST)
def test_questions_on_the_same_documents_promise_no_more(rows: list[tuple[float, float]], most: float) -> None:
    scores, losses = [score for score, _ in rows], [loss for _, loss in rows]
    once = control_risk(scores, losses, alone(len(rows)), most=most)
    thrice = control_risk(scores * 3, losses * 3, alone(len(rows)) * 3, most=most)
    assert (thrice.threshold, thrice.n, thrice.too_few) == (once.threshold, once.n, once.too_few)


@given(ROWS, MOST, MOST)
def test_a_looser_bound_takes_no_less(rows: list[tuple[float, float]], one: float, two: float) -> None:
    scores, losses = [score for score, _ in rows], [loss for _, loss in rows]
    tight, loose = (control_risk(scores, losses, alone(len(rows)), most=most) for most in sorted((one, two)))
    assert loose.threshold <= tight.threshold
    assert loose.taken >= tight.taken


@given(ROWS, MOST)
def test_a_row_that_costs_less_never_raises_the_threshold(rows: list[tuple[float, float]], most: float) -> None:
    scores, losses = [score for score, _ in rows], [loss for _, loss in rows]
    free = control_risk(scores, [0.0, *losses[1:]], alone(len(rows)), most=most)
    assert free.threshold <= control_risk(scores, losses, alone(len(rows)), most=most).threshold


@pytest.mark.parametrize(("n", "promised"), [(98, False), (99, True), (300, True)])
def test_one_point_cannot_be_promised_on_fewer_than_99_clusters(n: int, promised: bool) -> None:
    found = control_risk([0.9] * n, [0.0] * n, alone(n), most=0.01)
    assert (found.promised, found.too_few, found.needed) == (promised, not promised, 99)
    assert found.threshold == (0.0 if promised else NOTHING)
    assert found.taken == (n if promised else 0)


def test_what_is_always_taken_counts() -> None:
    scores, losses = [0.2, 0.6, 0.9] * 30, [1.0, 1.0, 0.0] * 30
    assert control_risk(scores, losses, alone(90), most=0.4).threshold == 0.2

    def beside(always: list[float], most: float) -> Control:
        number = 90 + len(always)
        marked = [False] * 90 + [True] * len(always)
        return control_risk(scores + [0.0] * len(always), losses + always, alone(number), most=most, always=marked)

    assert beside([1.0] * 20 + [0.0] * 10, 0.4).threshold == 0.6
    hopeless = beside([1.0] * 20, 0.1)
    assert (hopeless.promised, hopeless.too_few, hopeless.taken) == (False, False, 0)


def test_other_numbers_are_refused() -> None:
    for scores, losses in (([1.2], [0.0]), ([0.5], [-0.1]), ([0.5], [1.5])):
        with pytest.raises(ValueError, match=r"scores lie within 0\.\.1 and losses within 0\.\.1"):
            control_risk(scores, losses, ["c"], most=0.1)
    with pytest.raises(ValueError, match="every row has a score, a loss and a cluster"):
        control_risk([0.5, 0.5], [0.0], ["c"], most=0.1)


@pytest.mark.parametrize(("n", "most", "honest"), [(150, 0.05, True), (300, 0.02, True), (150, 0.1, False)])
def test_the_promise_holds_on_average_over_exchangeable_draws(n: int, most: float, honest: bool) -> None:
    """Also where scores say the opposite of the truth: the promise is not of the scores."""
    draws, fresh = 3000, 40
    random = np.random.default_rng(n)
    lost = []
    for _ in range(draws):
        truth = random.beta(1.0, 1.5, n + fresh)
        score = truth if honest else 1 - truth
        loss = (random.random(n + fresh) > truth) * random.random(n + fresh)
        found = control_risk(score[:n].tolist(), loss[:n].tolist(), alone(n), most=most)
        lost.append(float((loss[n:] * (score[n:] > found.threshold)).mean()))
    mean, error = float(np.mean(lost)), float(np.std(lost)) / draws**0.5
    assert mean <= most + 3 * error
    # Theorem 2 of the same paper: where losses have no jumps it is not conservative by more than 2 B / (n + 1).
    assert mean >= most - 2 / (n + 1) - 3 * error
