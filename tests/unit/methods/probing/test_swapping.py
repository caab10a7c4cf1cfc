"""Answers that give way to others of their kind."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragraft.methods.containment import holds
from ragraft.methods.probing.swapping import Kind, kind_of, swap_answers
from ragraft.records import ExamQuestion, Passage, Question
from tests.unit.methods.probing.towns import CHUNKS, QUESTIONS


def placed(name: str, *answers: str) -> ExamQuestion:
    return ExamQuestion(Question(name, "?", answers), "exam", name)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("1747", "date"),
        ("the 3rd of May", "date"),
        ("1,024", "number"),
        ("3.5", "number"),
        ("$ 20", "number"),
        ("7 years", "figure"),
        ("Ada Lovelace", "name"),
        ("the Bay of Biscay", "name"),
        ("on foot", "words"),
        ("—", "words"),
    ],
)
def test_kinds(answer: str, kind: Kind) -> None:
    assert kind_of(answer) == kind


@given(st.integers(0, 10**6))
def test_a_swapped_passage_tells_the_other_answer_alone(seed: int) -> None:
    shown = {one.id: [CHUNKS[one.oracle[0]]] for one in QUESTIONS}
    found = swap_answers(QUESTIONS, shown, seed=seed)
    assert set(found) == set(shown)
    for question in QUESTIONS:
        swapped = found[question.id]
        (passage,) = swapped.passages
        (right,) = question.question.answers
        assert swapped.fake != right
        assert holds(passage.text, swapped.fake)
        assert not holds(passage.text, right)
        assert passage.text.replace(swapped.fake, right) == CHUNKS[question.oracle[0]].text
        assert (passage.id, passage.document_id) == (question.oracle[0], CHUNKS[question.oracle[0]].document_id)


def test_the_same_seed_gives_the_same_swaps() -> None:
    shown = {one.id: [CHUNKS[one.oracle[0]]] for one in QUESTIONS}
    assert swap_answers(QUESTIONS, shown, seed=3) == swap_answers(QUESTIONS, shown, seed=3)
    assert swap_answers(QUESTIONS, shown, seed=3) != swap_answers(QUESTIONS, shown, seed=4)


def test_every_mention_goes_in_any_case_and_over_line_ends() -> None:
    texts = ("ADA  Lovelace came.", "Then Ada\nLovelace left; Adam stayed.")
    passages = [Passage(str(n), "d", "Ada Lovelace", text) for n, text in enumerate(texts)]
    found = swap_answers([placed("a", "Ada Lovelace"), placed("b", "Grace Hopper")], {"a": passages}, seed=0)
    assert [one.text for one in found["a"].passages] == ["Grace Hopper came.", "Then Grace Hopper left; Adam stayed."]
    assert found["a"].passages[0].title == "Grace Hopper"


@pytest.mark.parametrize(
    ("question", "text", "others"),
    [
        (placed("a", "Ada"), "Nobody came.", ["Bruno"]),
        (placed("a", "Ada"), "Ada came with Bruno.", ["Bruno"]),
        (placed("a", "Ada"), "Ada came.", ["on foot", "1747"]),
        (placed("a", "Ada"), "Ada came.", ["Ada Lovelace"]),
        (placed("a", "a b c d e f g h i"), "a b c d e f g h i", ["j k l m n o p q r"]),
        (ExamQuestion(Question("a", "Is it?", ("yes",), type="yes/no"), "exam", "a"), "yes", ["no"]),
        (placed("a"), "Ada came.", ["Bruno"]),
    ],
)
def test_what_cannot_be_exchanged_is_left_out(question: ExamQuestion, text: str, others: list[str]) -> None:
    asked = [question, *(placed(f"o{n}", other) for n, other in enumerate(others))]
    assert swap_answers(asked, {"a": [Passage("p", "d", "", text)]}, seed=0) == {}


def test_other_questions_of_the_exam_lend_their_answers() -> None:
    asked, shown = [placed("a", "Ada")], {"a": [Passage("p", "d", "", "Ada came.")]}
    assert swap_answers(asked, shown, seed=0) == {}
    assert swap_answers(asked, shown, seed=0, others=[placed("b", "Bruno")])["a"].fake == "Bruno"


def test_of_others_of_its_kind_one_of_its_length_is_taken() -> None:
    asked = [
        placed("a", "Ada Lovelace"),
        placed("b", "Bruno"),
        placed("c", "Grace Brewster Murray Hopper"),
        placed("d", "Alan Turing"),
    ]
    found = swap_answers(asked, {"a": [Passage("p", "d", "", "Ada Lovelace came.")]}, seed=0)
    assert found["a"].fake == "Alan Turing"
