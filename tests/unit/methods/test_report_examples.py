"""Which questions the report shows."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ragraft.methods.report_examples import Pair, choose_abstentions, choose_examples, example_data, pair_answers
from ragraft.records import Answer, ExamQuestion, Question


def question(name: str, cluster: str = "c", *, answerable: bool = True) -> ExamQuestion:
    return ExamQuestion(Question(name, f"{name}?", ("gold",) if answerable else ()), "exam", cluster, ("o",))


def answer(
    name: str, model: str, f1: float | None, *, abstained: bool = False, passages: tuple[str, ...] = ("o", "p")
) -> Answer:
    return Answer(name, model, "retrieved", "x", "Answer: x", (), (), abstained, passages, True, 9, 3, {"f1": f1})


def pair(name: str, cluster: str, gain: float) -> Pair:
    return Pair(question(name, cluster), answer(name, "base", 0.0), answer(name, "tuned", 0.0), gain)


gains = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([-1.0, -0.5, 0.0, 0.25, 0.5, 1.0])), max_size=20)


@given(gains, st.integers(0, 12))
def test_choice_is_balanced_bounded_and_blind_to_order(rows: list[tuple[str, float]], number: int) -> None:
    pairs = [pair(f"q{place:02}", cluster, gain) for place, (cluster, gain) in enumerate(rows)]
    wins, losses = choose_examples(pairs, number)
    better, worse = sum(gain > 0 for _, gain in rows), sum(gain < 0 for _, gain in rows)
    assert len(wins) + len(losses) == min(number, better + worse)
    assert len(losses) >= min(worse, number // 2)
    assert len(wins) >= min(better, number // 2)
    assert all(row.gain > 0 for row in wins)
    assert all(row.gain < 0 for row in losses)
    assert choose_examples(pairs[::-1], number) == (wins, losses)


def test_largest_come_first_and_equals_are_spread_over_clusters() -> None:
    pairs = [pair("a", "one", 1.0), pair("b", "one", 1.0), pair("c", "two", 1.0), pair("d", "three", 0.5)]
    wins, _ = choose_examples(pairs, 4)
    assert [row.question.id for row in wins] == ["a", "c", "b", "d"]


def test_abstentions_are_wrong_and_right_in_turn_and_spread_over_clusters() -> None:
    def silent(name: str, cluster: str, *, answerable: bool) -> Pair:
        asked = question(name, cluster, answerable=answerable)
        return Pair(asked, answer(name, "base", 0.0), answer(name, "tuned", 0.0, abstained=True), 0.0)

    pairs = [
        silent("a", "one", answerable=True),
        silent("b", "one", answerable=True),
        silent("c", "two", answerable=True),
        silent("d", "one", answerable=False),
    ]
    assert [row.question.id for row in choose_abstentions(pairs, 3)] == ["a", "d", "c"]
    assert [row.question.id for row in choose_abstentions(pairs[::-1], 9)] == ["a", "d", "c", "b"]
    assert choose_abstentions(pairs[:1], 0) == []


def test_pairs_need_a_score_on_both_sides() -> None:
    questions = [question("both"), question("one"), question("unscored"), question("none", answerable=False)]
    before = [answer("both", "base", 0.25), answer("one", "base", 1.0), answer("unscored", "base", None),
              answer("none", "base", None)]  # fmt: skip
    after = [answer("both", "tuned", 1.0), answer("unscored", "tuned", 1.0),
             answer("none", "tuned", None, abstained=True)]  # fmt: skip
    found = pair_answers(questions, before, after)
    assert [(row.question.id, row.gain) for row in found] == [("both", 0.75), ("none", 1.0)]


def test_passages_keep_the_number_that_each_model_saw() -> None:
    shown = Pair(
        question("q"), answer("q", "base", 0.0, passages=("p",)), answer("q", "tuned", 1.0, passages=("o", "p")), 1.0
    )
    data = example_data(shown, {"p": {"title": "P", "text": "text of p"}})
    assert data["passages"] == [
        {"id": "o", "title": None, "text": None, "oracle": True, "numbers": {"base": None, "tuned": 1}},
        {"id": "p", "title": "P", "text": "text of p", "oracle": False, "numbers": {"base": 1, "tuned": 2}},
    ]
