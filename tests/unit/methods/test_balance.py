"""Laws of how many lessons abstain: shares hold and are used, the known are told from the unknown, nothing is lost."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ragraft.methods.balance import cap_unanswerable, plan_kinds
from ragraft.methods.limit import limit_questions
from ragraft.records import ExamQuestion, Question

Kinds = st.lists(st.booleans(), max_size=60)


def asked(kinds: list[bool]) -> list[ExamQuestion]:
    """A question a place, answerable or not."""
    return [
        ExamQuestion(
            Question(f"q{row}", "What?", ("so",) if kind else ()), "train", f"c{row % 7}", (f"t{row}",) if kind else ()
        )
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
    assert sum(one.question.answerable for one in kept) == sum(kinds), "answerable ones are left to be rejected"


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


def test_a_single_unanswerable_question_needs_only_a_few_others_looked_at() -> None:
    looked: list[str] = []

    def looks(question: ExamQuestion) -> bool:
        looked.append(question.id)
        return True

    questions = asked([False] + [True] * 100)
    assert cap_unanswerable(questions, 0.2, seed=0, teachable=looks) == (questions, [])
    assert len(looked) == 4


def test_a_limit_afterwards_finds_no_more_unanswerable_ones_than_the_share() -> None:
    """One cluster, so that the limit takes a part of it by seed too."""
    alone = [replace(one, cluster="c") for one in asked([True, False] * 500)]
    kept, _ = cap_unanswerable(alone, 0.2, seed=0)
    taken, _ = limit_questions(kept, 200, seed=0)
    assert 0.1 * 200 < unanswerable(taken) < 0.3 * 200


# --- which questions show their oracle


@given(st.integers(1, 60), st.integers(0, 40), st.floats(0.05, 1), st.integers(0, 5))
def test_the_share_of_oracle_lessons_is_as_asked(answerable: int, unanswerable: int, share: float, seed: int) -> None:
    questions = asked([True] * answerable + [False] * unanswerable)
    plan = plan_kinds(questions, share, seed)
    assert set(plan) == {question.id for question in questions}
    assert not any(plan[question.id] for question in questions if not question.question.answerable)
    wanted = len(questions) - round((1 - share) * len(questions))
    assert sum(plan.values()) == max(1, min(wanted, answerable))
    assert plan == plan_kinds(questions[::-1], share, seed)


Known = st.sets(st.integers(0, 59))


@given(Kinds.filter(any), Known, st.tuples(st.floats(0.05, 1), st.floats(0.01, 1)), st.integers(0, 5))
def test_so_many_known_questions_are_recalled_and_the_rest_without_oracle_is_unknown(
    kinds: list[bool], known: set[int], shares: tuple[float, float], seed: int
) -> None:
    questions, (share, recalled) = asked(kinds), shares
    names = {f"q{row}" for row in known}
    plan = plan_kinds(questions, share, seed, known=names, memory_share=recalled)
    assert set(plan) == {question.id for question in questions}
    hidden = {question.id for question in questions if question.oracle and not plan[question.id]}
    able, count = sum(kinds), len(questions)
    answerable = {question.id for question in questions if question.oracle}
    from_memory = len(hidden & names)
    assert from_memory == min(round(recalled * count), len(names & answerable), able - 1)
    abstaining = len(hidden - names) + count - able
    room = round((1 - share) * count) - from_memory
    assert len(hidden - names) == min(max(room - (count - able), 0), len(answerable - names), able - 1 - from_memory)
    assert abstaining <= max(room, count - able), "what is recalled is taken from those that abstain"
    assert sum(plan.values()) >= 1


@given(Kinds, Known, st.floats(0.05, 1), st.integers(0, 5))
def test_where_memory_is_not_wanted_what_is_known_changes_nothing(
    kinds: list[bool], known: set[int], share: float, seed: int
) -> None:
    questions = asked(kinds)
    assert plan_kinds(questions, share, seed, known={f"q{row}" for row in known}) == plan_kinds(questions, share, seed)


def test_another_seed_hides_other_oracles() -> None:
    questions = asked([True] * 60)
    plans = [plan_kinds(questions, 0.8, seed) for seed in range(3)]
    assert plans[0] != plans[1] != plans[2]
    assert [sum(plan.values()) for plan in plans] == [48, 48, 48]


def test_no_questions_no_plan() -> None:
    assert plan_kinds([], 0.8, 0) == {}
    assert plan_kinds(asked([False]), 1.0, 0) == {"q0": False}
