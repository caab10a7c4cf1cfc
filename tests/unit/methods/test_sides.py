"""The cut into four sides: its laws."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragraft.methods.sides import cut_sides, lesson_shares
from ragraft.records import SIDES, Side

SHARES: dict[Side, float] = {"train": 0.65, "validation": 0.10, "calibration": 0.10, "exam": 0.15}
SIZES = st.lists(st.integers(1, 6), min_size=1, max_size=60)


def questions(sizes: list[int], prefix: str = "") -> dict[str, str]:
    """Question → cluster, for clusters of these sizes."""
    return {f"{prefix}{c}-{q}": f"{prefix}cluster {c}" for c, size in enumerate(sizes) for q in range(size)}


@given(SIZES, st.integers(0, 9))
def test_each_question_has_one_side_and_each_cluster_too(sizes: list[int], seed: int) -> None:
    clusters = questions(sizes)
    sides = cut_sides(clusters, clusters.keys(), SHARES, seed=seed)
    assert sides.keys() == clusters.keys()
    assert set(sides.values()) <= set(SIDES)
    assert len({(clusters[name], side) for name, side in sides.items()}) == len(sizes)


@given(SIZES, st.integers(0, 9))
def test_a_side_misses_its_share_by_at_most_half_the_largest_cluster(sizes: list[int], seed: int) -> None:
    clusters = questions(sizes)
    counts = Counter(cut_sides(clusters, clusters.keys(), SHARES, seed=seed).values())
    for side in ("exam", "calibration", "validation"):
        assert counts[side] <= SHARES[side] * sum(sizes) + max(sizes) / 2


@given(st.integers(20, 300), st.integers(0, 9))
def test_with_single_questions_the_shares_are_met_to_half_a_question(number: int, seed: int) -> None:
    clusters = questions([1] * number)
    counts = Counter(cut_sides(clusters, clusters.keys(), SHARES, seed=seed).values())
    for side in ("exam", "calibration", "validation"):
        assert abs(counts[side] - SHARES[side] * number) <= 0.5


@given(SIZES, st.integers(0, 99))
def test_the_order_of_the_questions_does_not_matter(sizes: list[int], shuffle: int) -> None:
    clusters = questions(sizes)
    names = list(clusters)
    random.Random(shuffle).shuffle(names)
    assert cut_sides({name: clusters[name] for name in names}, names, SHARES, seed=0) == cut_sides(
        clusters, clusters.keys(), SHARES, seed=0
    )


def test_the_seed_changes_the_cut() -> None:
    clusters = questions([1] * 50)
    assert cut_sides(clusters, clusters.keys(), SHARES, seed=0) != cut_sides(clusters, clusters.keys(), SHARES, seed=1)


def test_unanswerable_questions_reach_each_side_by_the_same_shares() -> None:
    answerable = questions([1] * 100)
    clusters = answerable | questions([1] * 20, "u")
    sides = cut_sides(clusters, answerable.keys(), SHARES, seed=3)
    counts = Counter(side for name, side in sides.items() if name.startswith("u"))
    assert counts == {"train": 13, "validation": 2, "calibration": 2, "exam": 3}


def test_a_very_large_cluster_is_trained_on() -> None:
    clusters = questions([60, *[1] * 40])
    for seed in range(5):
        assert cut_sides(clusters, clusters.keys(), SHARES, seed=seed)["0-0"] == "train"


def test_a_share_of_nothing_gets_nothing() -> None:
    shares: dict[Side, float] = {"train": 0.8, "validation": 0.0, "calibration": 0.0, "exam": 0.2}
    clusters = questions([1] * 10)
    assert Counter(cut_sides(clusters, clusters.keys(), shares, seed=0).values()) == {"train": 8, "exam": 2}


def test_lessons_share_what_the_exam_leaves() -> None:
    shares = lesson_shares(SHARES)
    assert shares["exam"] == 0
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["train"] / shares["validation"] == pytest.approx(6.5)


FIXED = st.lists(st.sampled_from([None, *SIDES]), min_size=1, max_size=60)


@given(SIZES, FIXED, st.integers(0, 9))
def test_sides_from_before_stay_and_others_of_their_clusters_join_them(
    sizes: list[int], kept: list[Side | None], seed: int
) -> None:
    clusters = questions(sizes)
    fixed = {name: side for name, side in zip(clusters, kept, strict=False) if side is not None}
    sides = cut_sides(clusters, clusters.keys(), SHARES, seed=seed, fixed=fixed)
    assert sides.keys() == clusters.keys()
    assert {name: sides[name] for name in fixed} == fixed
    apart = ("exam", "calibration", "validation", "train")
    for name, side in sides.items():
        before = [fixed[other] for other in fixed if clusters[other] == clusters[name]]
        if before and name not in fixed:
            assert side == min(before, key=apart.index)


def test_new_questions_fill_up_what_is_missing() -> None:
    clusters = questions([1] * 100)
    fixed: dict[str, Side] = dict.fromkeys(list(clusters)[:80], "train")
    counts = Counter(cut_sides(clusters, clusters.keys(), SHARES, seed=0, fixed=fixed).values())
    assert counts == {"train": 80, "exam": 15, "calibration": 5}
    assert cut_sides(clusters, clusters.keys(), SHARES, seed=0, fixed={"unknown": "exam"}) == cut_sides(
        clusters, clusters.keys(), SHARES, seed=0
    )
