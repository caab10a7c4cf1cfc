"""Laws of the share of unanswerable questions: never above it, never fewer than it allows, nothing lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ragraft.methods.balance import cap_unanswerable
from ragraft.records import ExamQuestion, Question

Kinds = st.lists(st.booleans(), max_size=60)


def asked(kinds: list[bool]) -> list[ExamQuestion]:
    """A question a place, answerable or not."""
    return [
        ExamQuestion(Question(f"q{row}", "What?", ("so",) if kind else ()), "train", f"c{row % 7}")
        for row, kind in enumerate(kinds)
    ]


def unanswerable(questions: list[ExamQuestion]) -> int:
    return sum(not question.question.answerable for question in questions)


@given(Kinds, st.floats(0, 1), st.integers(0, 9), st.integers(0, 5))
def test_the_share_holds_and_is_used_and_every_question_is_somewhere(
    kinds: list[bool], share: float, beside: int, seed: int
) -> None:
    questions = asked(kinds)
    kept, over = cap_unanswerable(questions, share, seed=seed, beside=beside)
    assert sorted(kept + over, key=questions.index) == questions
    assert [one for one in questions if one in kept] == kept, "in their order"
    assert all(not one.question.answerable for one in over)
    refusing, lessons = unanswerable(kept), len(kept) + beside
    assert refusing <= share * lessons + 1e-6
    assert not over or refusing + 1 > share * (lessons + 1) - 1e-6, "one more would be too many"


@given(Kinds, st.floats(0, 0.9), st.integers(0, 5))
def test_only_questions_that_make_lessons_count(kinds: list[bool], share: float, seed: int) -> None:
    questions = asked(kinds)
    kept, _ = cap_unanswerable(questions, share, seed=seed, teachable=lambda one: int(one.id[1:]) % 3 > 0)
    lessons = [one for one in kept if not one.question.answerable or int(one.id[1:]) % 3 > 0]
    assert unanswerable(kept) <= share * len(lessons) + 1e-6
    assert sum(one.question.answerable for one in kept) == sum(kinds), "answerable ones stay, to be rejected with reason"


def test_a_fifth_of_a_hundred_and_twenty_five_is_twenty_five() -> None:
    kept, over = cap_unanswerable(asked([True] * 100 + [False] * 80), 0.2, seed=0)
    assert (len(kept), len(over)) == (125, 55)


def test_who_stays_is_drawn_by_the_seed() -> None:
    questions = asked([True] * 40 + [False] * 40)
    drawn = [cap_unanswerable(questions, 0.2, seed=seed)[0] for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert cap_unanswerable(questions[::-1], 0.2, seed=0)[0] == drawn[0][::-1], "whatever their order"


def test_nothing_is_asked_where_nothing_can_be_too_much() -> None:
    def never(question: ExamQuestion) -> bool:
        raise AssertionError(question.id)

    questions = asked([True] * 3)
    assert cap_unanswerable(questions, 0.0, seed=0, teachable=never) == (questions, [])
    assert cap_unanswerable(asked([False] * 3), 1.0, seed=0, teachable=never)[1] == []
