"""Where placed questions get their passages."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ragraft.methods.finders import Asking, Kept
from ragraft.records import ExamQuestion, Passage, Question


def passage(name: str) -> Passage:
    return Passage(name, "", "", f"text of {name}")


def placed(name: str, text: str) -> ExamQuestion:
    return ExamQuestion(Question(name, text), "exam", "c")


class Echo:
    def retrieve(self, questions: Sequence[str], k: int) -> list[list[Passage]]:
        return [[passage(question)] * k for question in questions]


def test_asking_gives_the_questions_words_to_the_retriever() -> None:
    found = Asking(Echo()).find([placed("q1", "who?"), placed("q2", "when?")], 2)
    assert found == [[passage("who?")] * 2, [passage("when?")] * 2]


def test_kept_passages_belong_to_the_question_not_to_its_words() -> None:
    kept = Kept({"q1": [passage("a"), passage("b"), passage("c")], "q2": [passage("d")], "q3": []})
    same = [placed(name, "How much was it in 2019?") for name in ("q2", "q1", "q3")]
    assert kept.find(same, 2) == [[passage("d")], [passage("a"), passage("b")], []]
    assert kept.find(same[1:2], 9) == [[passage("a"), passage("b"), passage("c")]]


def test_a_question_that_was_never_asked_is_a_fault_of_ours() -> None:
    with pytest.raises(KeyError):
        Kept({}).find([placed("q1", "who?")], 2)


def test_random_passages_are_of_the_form_in_which_they_are_found() -> None:
    chunks = {"c": passage("c")}
    questions = [placed("q1", "who?"), placed("q2", "when?")]
    assert Asking(Echo()).elsewhere(questions, chunks) == chunks
    kept = Kept({"q1": [passage("a"), passage("b")], "q2": [passage("b")], "exam": [passage("x")]})
    assert kept.elsewhere(questions, chunks) == {"a": passage("a"), "b": passage("b")}
