"""Intervals: laws, references, and whether 95 % means 95 %."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu
from scipy.stats import t as student
from sklearn.metrics import roc_auc_score

from ragraft.methods.stats import Floats, auroc_interval, mean_interval, paired_difference, statistic_interval
from ragraft.records import Interval

values = st.one_of(st.none(), st.floats(0, 1), st.sampled_from([0.0, 1.0]))
columns = st.lists(st.tuples(values, st.integers(0, 45)), min_size=1, max_size=80).filter(
    lambda rows: any(value is not None for value, _ in rows)
)


def _split(rows: list[tuple[float | None, int]]) -> tuple[list[float | None], list[str]]:
    return [value for value, _ in rows], [f"c{cluster}" for _, cluster in rows]


def _ends(interval: Interval) -> tuple[float, float]:
    assert interval.low is not None
    assert interval.high is not None
    return interval.low, interval.high


def _clusters(number: int, rows: int = 1) -> list[str]:
    return [f"c{cluster}" for cluster in range(number) for _ in range(rows)]


@given(columns, st.booleans())
def test_mean_interval_laws(rows: list[tuple[float | None, int]], share: bool) -> None:
    column, clusters = _split(rows)
    found = mean_interval(column, clusters, share=share, resamples=100)
    scored = [value for value in column if value is not None]
    assert found.value == pytest.approx(sum(scored) / len(scored))
    assert found.n + found.unscored == len(rows)
    assert found.n == len(scored)
    assert found.clusters == len(
        {cluster for value, cluster in zip(column, clusters, strict=True) if value is not None}
    )
    if found.clusters == 1:
        assert found.low is found.high is None
    else:
        low, high = _ends(found)
        assert low <= found.value <= high
        assert not share or 0 <= low <= high <= 1


@given(columns, st.data())
def test_the_order_of_rows_changes_no_bit(rows: list[tuple[float | None, int]], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(rows))
    assert mean_interval(*_split(rows), resamples=100) == mean_interval(*_split(shuffled), resamples=100)


def test_sums_of_awkward_numbers_come_out_the_same_in_any_order() -> None:
    rng = np.random.default_rng(2)
    column, clusters = rng.random(200), np.array(_clusters(8, 25))
    first = mean_interval(column.tolist(), clusters.tolist())
    for _ in range(20):
        order = rng.permutation(200)
        assert mean_interval(column[order].tolist(), clusters[order].tolist()) == first


@given(columns)
def test_a_column_equals_itself_exactly(rows: list[tuple[float | None, int]]) -> None:
    column, clusters = _split(rows)
    found = paired_difference(column, column, clusters, resamples=100)
    assert found.value == 0
    if found.clusters > 1:
        assert _ends(found) == (0, 0)


@given(st.lists(st.tuples(values, values, st.integers(0, 40)), min_size=1, max_size=60))
def test_a_difference_turns_its_sign_with_its_sides(rows: list[tuple[float | None, float | None, int]]) -> None:
    a, b, clusters = [row[0] for row in rows], [row[1] for row in rows], [f"c{row[2]}" for row in rows]
    both = [(x, y) for x, y in zip(a, b, strict=True) if x is not None and y is not None]
    if not both:
        with pytest.raises(ValueError, match="no scored row"):
            paired_difference(a, b, clusters)
        return
    forth, back = (paired_difference(*sides, clusters, resamples=100) for sides in ((a, b), (b, a)))
    assert forth.value == pytest.approx(-back.value)
    assert (forth.n, forth.unscored) == (len(both), len(rows) - len(both))
    if forth.clusters > 1:
        low, high = _ends(back)
        assert _ends(forth) == pytest.approx((-high, -low))


@pytest.mark.parametrize("number", [12, 60])
def test_the_same_seed_gives_the_same_interval(number: int) -> None:
    column = np.random.default_rng(0).random(number * 3).tolist()
    one, again, other = (mean_interval(column, _clusters(number, 3), seed=seed) for seed in (1, 1, 2))
    assert one == again
    assert (one == other) == (number < 30)


def test_few_equal_clusters_get_the_t_interval_of_their_means() -> None:
    means = np.random.default_rng(0).random(9)
    found = mean_interval(np.repeat(means, 4).tolist(), _clusters(9, 4))
    half = student.ppf(0.975, 8) * means.std(ddof=1) / 3
    assert _ends(found) == pytest.approx((means.mean() - half, means.mean() + half))


def test_many_clusters_get_the_percentile_bootstrap() -> None:
    rng = np.random.default_rng(3)
    sizes = rng.integers(1, 4, 80)
    column = rng.random(int(sizes.sum()))
    place = np.repeat(np.arange(80), sizes)
    found = mean_interval(column.tolist(), [f"c{one:02}" for one in place], resamples=4000)
    means = [np.concatenate([column[place == one] for one in rng.integers(80, size=80)]).mean() for _ in range(2000)]
    assert _ends(found) == pytest.approx(np.quantile(means, [0.025, 0.975]), abs=0.01)


def test_rows_of_one_cluster_add_little() -> None:
    """Ten copies of each row don't narrow the interval, as they would if rows counted as independent."""
    column = np.random.default_rng(1).random(50).tolist()
    single, copied = (
        mean_interval([value for value in column for _ in range(times)], _clusters(50, times)) for times in (1, 10)
    )
    assert _ends(single) == pytest.approx(_ends(copied))


def test_few_uneven_clusters_have_fewer_degrees_of_freedom() -> None:
    sizes = np.array([1, 2, 3, 10])
    place = np.repeat(np.arange(4), sizes)
    column = np.random.default_rng(6).random(16)
    found = mean_interval(column.tolist(), [f"c{one}" for one in place])
    without = np.array([column[place != one].mean() for one in range(4)])
    error = np.sqrt(3 / 4 * ((without - column.mean()) ** 2).sum())
    half = student.ppf(0.975, 16**2 / (1 + 4 + 9 + 100) - 1) * error
    assert _ends(found) == pytest.approx((column.mean() - half, column.mean() + half))


def test_uneven_clusters_count_for_less() -> None:
    """One cluster of 300 rows beside 59 of one row: the bootstrap would see 60, the interval sees about one."""
    clusters = [*_clusters(59), *["big"] * 300]
    low, high = _ends(mean_interval([1.0] * 59 + [0.0] * 300, clusters, share=True))
    assert low < 0.01
    assert high > 0.9


@pytest.mark.parametrize(("number", "most"), [(2, 0.99), (20, 0.18), (100, 0.04)])
def test_a_share_of_none_or_all_is_not_certain(number: int, most: float) -> None:
    low, high = _ends(mean_interval([0.0] * number, _clusters(number), share=True))
    assert low == 0
    assert high == pytest.approx(most, abs=0.005)
    assert _ends(mean_interval([1.0] * number, _clusters(number), share=True)) == pytest.approx((1 - high, 1))


@pytest.mark.parametrize(
    ("column", "share", "message"),
    [
        ([], False, "no scored row"),
        ([None], False, "no scored row"),
        ([math.nan], False, "must be finite"),
        ([math.inf], False, "must be finite"),
        ([1.5], True, "must be finite, and within 0..1"),
    ],
)
def test_what_has_no_mean_is_an_error(column: list[float | None], share: bool, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mean_interval(column, ["c"] * len(column), share=share)


def test_unequal_lengths_are_an_error() -> None:
    with pytest.raises(ValueError, match="argument 2"):
        mean_interval([1.0, 0.0], ["c"])


@pytest.mark.parametrize("number", [15, 50])
def test_a_weighted_mean_as_statistic_agrees_with_mean_interval(number: int) -> None:
    column = np.random.default_rng(5).random(number * 3)
    clusters = _clusters(number, 3)

    def mean(weights: Floats) -> float:
        return float(weights @ column / weights.sum())

    for share in (True, False):
        plain = mean_interval(column.tolist(), clusters, share=share, resamples=300, seed=4)
        general = statistic_interval(mean, clusters, share=share, resamples=300, seed=4)
        assert (general.n, general.clusters) == (plain.n, plain.clusters)
        assert (general.value, *_ends(general)) == pytest.approx((plain.value, *_ends(plain)))


@pytest.mark.parametrize(
    ("statistic", "clusters", "message"),
    [
        (lambda weights: math.nan, ["a"], "not defined"),
        (lambda weights: 0.0 if weights.all() else math.inf, ["a", "b"], "not defined"),
        (lambda weights: 0.0, [], "no row"),
    ],
)
def test_an_undefined_statistic_is_an_error(
    statistic: Callable[[Floats], float], clusters: list[str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        statistic_interval(statistic, clusters)


def test_one_cluster_has_no_interval() -> None:
    assert statistic_interval(lambda weights: 0.5, ["a", "a"]) == Interval(0.5, None, None, n=2, clusters=1)
    assert mean_interval([0.5, None], ["a", "b"]) == Interval(0.5, None, None, n=1, unscored=1, clusters=1)


@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=40))
def test_auroc_agrees_with_scipy_and_sklearn(rows: list[tuple[int, bool]]) -> None:
    scores, labels = np.array([row[0] for row in rows], float), np.array([row[1] for row in rows])
    if labels.all() or not labels.any():
        with pytest.raises(ValueError, match="both kinds"):
            area(scores, labels)
        return
    expected = mannwhitneyu(scores[labels], scores[~labels]).statistic / (labels.sum() * (~labels).sum())
    assert area(scores, labels) == pytest.approx(expected)
    assert area(scores, labels) == pytest.approx(roc_auc_score(labels, scores))
    assert area(-scores, labels) == pytest.approx(1 - area(scores, labels))


def area(scores: Floats, labels: Any) -> float:
    return auroc_interval(scores, labels, [str(row) for row in range(len(scores))], resamples=1, seed=0).value


@pytest.mark.parametrize("number", [10, 60])
@pytest.mark.parametrize("kind", ["share", "difference"])
def test_coverage(number: int, kind: str) -> None:
    """Of 300 intervals about 285 hold the truth; the bound allows four standard errors of 0.93 on either side."""
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(300):
        sizes = 1 + rng.poisson(2, number)
        level = np.repeat(rng.beta(2, 2, number), sizes)
        first = (rng.random(len(level)) < level).astype(float)
        second = (rng.random(len(level)) < 0.8 * level).astype(float)
        clusters = [f"c{one}" for one in np.repeat(np.arange(number), sizes)]
        if kind == "share":
            low, high = _ends(mean_interval(first.tolist(), clusters, share=True, resamples=300))
        else:
            low, high = _ends(paired_difference(first.tolist(), second.tolist(), clusters, resamples=300))
        held += low <= (0.5 if kind == "share" else 0.1) <= high
    assert 0.87 <= held / 300 <= 0.995


def test_two_thousand_resamples_of_five_hundred_rows_are_quick() -> None:
    column = np.random.default_rng(0).random(500).tolist()
    started = time.perf_counter()
    mean_interval(column, _clusters(500))
    assert time.perf_counter() - started < 1
