"""A part of the questions: whole clusters, the same ones every time, more of them as more are asked for."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ragraft.methods.limit import limit_questions, spread_questions
from ragraft.records import ExamQuestion, Question


def asked_in(clusters: list[int]) -> list[ExamQuestion]:
    return [ExamQuestion(Question(f"q{row}", "?"), "train", f"c{cluster}") for row, cluster in enumerate(clusters)]


questions = st.lists(st.integers(0, 4), min_size=4, max_size=16).map(asked_in)
shares = st.floats(0, 1.1)
seeds = st.integers(0, 3)


def part(asked: list[ExamQuestion], share: float, seed: int) -> tuple[list[ExamQuestion], list[ExamQuestion]]:
    return limit_questions(asked, round(share * len(asked)), seed=seed)


@given(questions, shares, seeds)
def test_kept_and_left_out_are_all_in_their_order(asked: list[ExamQuestion], share: float, seed: int) -> None:
    kept, left = part(asked, share, seed)
    assert len(kept) == min(round(share * len(asked)), len(asked))
    assert sorted(kept + left, key=asked.index) == asked
    assert kept == [question for question in asked if question in kept]
    assert left == [question for question in asked if question not in kept]


@given(questions, shares, seeds)
def test_at_most_one_cluster_is_cut(asked: list[ExamQuestion], share: float, seed: int) -> None:
    kept, left = part(asked, share, seed)
    cut = {question.cluster for question in kept} & {question.cluster for question in left}
    assert len(cut) <= 1


@given(questions, shares, shares, seeds)
def test_more_holds_less(asked: list[ExamQuestion], one: float, other: float, seed: int) -> None:
    small, large = (part(asked, share, seed)[0] for share in sorted((one, other)))
    assert {question.id for question in small} <= {question.id for question in large}


@given(st.data(), questions, shares, seeds)
def test_the_order_of_the_file_does_not_matter(
    data: st.DataObject, asked: list[ExamQuestion], share: float, seed: int
) -> None:
    other = data.draw(st.permutations(asked))
    assert {q.id for q in part(asked, share, seed)[0]} == {q.id for q in part(other, share, seed)[0]}


@given(questions)
def test_no_limit_keeps_all(asked: list[ExamQuestion]) -> None:
    assert limit_questions(asked, None, seed=0) == (asked, [])


def test_another_seed_takes_other_clusters() -> None:
    asked = asked_in([row // 2 for row in range(40)])
    parts = [tuple(question.id for question in limit_questions(asked, 10, seed=seed)[0]) for seed in range(20)]
    assert len(set(parts)) == 20
    taken = Counter(name for part in parts for name in part)
    assert len(taken) == 40, "every question is taken sometimes"


def test_few_questions_are_all_kept() -> None:
    assert limit_questions([], 3, seed=0) == ([], [])
    assert limit_questions(asked_in([0, 1]), 2, seed=0) == (asked_in([0, 1]), [])
    assert limit_questions(asked_in([0, 1]), 0, seed=0) == ([], asked_in([0, 1]))


kinds = st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=4, max_size=24)


def asked_of(rows: list[tuple[int, bool]]) -> list[ExamQuestion]:
    return [
        ExamQuestion(Question(f"q{row}", "?", answers=("yes",) if answerable else ()), "train", f"c{cluster}")
        for row, (cluster, answerable) in enumerate(rows)
    ]


@given(kinds, shares, seeds)
def test_a_spread_takes_of_each_cluster_in_turn(rows: list[tuple[int, bool]], share: float, seed: int) -> None:
    asked = asked_of(rows)
    most = round(share * len(asked))
    kept, left = spread_questions(asked, most, seed=seed)
    assert len(kept) == min(most, len(asked))
    assert sorted(kept + left, key=asked.index) == asked
    for answerable in (True, False):
        taken = Counter(q.cluster for q in kept if q.question.answerable is answerable)
        rest = Counter(q.cluster for q in left if q.question.answerable is answerable)
        # No cluster has two more than one that still has some left.
        assert all(taken[full] <= taken[open_] + 1 for full in taken for open_ in rest)
    assert {q.id for q in kept} == {q.id for q in spread_questions(asked[::-1], most, seed=seed)[0]}


@given(kinds, shares, seeds)
def test_a_spread_keeps_the_share_of_unanswerable_questions(
    rows: list[tuple[int, bool]], share: float, seed: int
) -> None:
    asked = asked_of(rows)
    kept, _ = spread_questions(asked, round(share * len(asked)), seed=seed)
    wanted = len(kept) * sum(not answerable for _, answerable in rows) / len(rows)
    assert abs(sum(not q.question.answerable for q in kept) - wanted) <= 0.5


@given(kinds, st.integers(1, 24), seeds)
def test_a_smaller_spread_is_part_of_a_larger(rows: list[tuple[int, bool]], most: int, seed: int) -> None:
    asked = asked_of(rows)
    fewer = {q.id for q in spread_questions(asked, most - 1, seed=seed)[0]}
    assert fewer <= {q.id for q in spread_questions(asked, most, seed=seed)[0]}
