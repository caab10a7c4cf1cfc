"""Tests of differences, against scipy's and worked examples."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as reference

from ragraft.methods.significance import detectable, difference_p, holm, mcnemar, non_inferior
from ragraft.records import Interval

RANDOM = np.random.default_rng(5)
A = RANDOM.random(40).tolist()
B = (np.array(A) - 0.08 + 0.2 * RANDOM.standard_normal(40)).tolist()
ALONE = [f"c{n}" for n in range(40)]


@pytest.mark.parametrize(("first", "second"), [(0, 0), (1, 0), (3, 9), (12, 2), (5, 5), (40, 22)])
def test_mcnemar_is_the_binomial_test_of_those_that_differ(first: int, second: int) -> None:
    a = [1.0] * first + [0.0] * second + [1.0, 0.0, None, 0.5]
    b = [0.0] * first + [1.0] * second + [1.0, 0.0, 1.0, 0.0]
    found = mcnemar(a, b)
    assert (found.first, found.second) == (first, second)
    number = first + second
    assert found.p == pytest.approx(reference.binomtest(first, number).pvalue if number else 1.0)


def test_with_a_row_a_cluster_the_p_value_is_the_paired_t_tests() -> None:
    assert difference_p(A, B, ALONE) == pytest.approx(reference.ttest_rel(A, B).pvalue)
    missing = difference_p([*A, None], [*B, 0.1], [*ALONE, "more"])
    assert missing == difference_p(A, B, ALONE)


def test_rows_of_one_cluster_count_as_one() -> None:
    one = difference_p(A, B, ALONE)
    copies = difference_p(A * 3, B * 3, ALONE * 3)
    assert copies == pytest.approx(one)
    assert difference_p(A, B, ["c"] * 40) is None
    assert difference_p([], [], []) is None
    assert difference_p(A, A, ALONE) == 1.0


def test_holm_by_hand() -> None:
    # Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1, never falling.
    found = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})
    assert found == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02})
    assert list(found) == ["a", "b", "c", "d"]
    assert holm({"a": 0.9, "b": 0.8}) == {"a": 1.0, "b": 1.0}
    assert holm({}) == {}


def test_no_worse_than_the_margin() -> None:
    assert non_inferior(Interval(0.0, -0.01, 0.01, 9), 0.02)
    assert not non_inferior(Interval(0.0, -0.03, 0.03, 9), 0.02)
    assert non_inferior(Interval(0.0, None, None, 9), 0.02) is None


def test_the_detectable_difference_is_found_in_four_of_five_exams() -> None:
    found = detectable(A, B, ALONE)
    assert found is not None
    spread = np.std(np.array(A) - np.array(B), ddof=1) / np.sqrt(40)
    edge = reference.t.ppf(0.975, 39)
    power = 1 - reference.nct.cdf(edge, 39, found / spread) + reference.nct.cdf(-edge, 39, found / spread)
    assert power == pytest.approx(0.8, abs=0.005)
    assert detectable(A, B, ["c"] * 40) is None
