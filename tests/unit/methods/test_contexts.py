"""Which passages a condition shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from ragraft.methods.contexts import Context, Shown, show
from ragraft.methods.finders import Asking
from ragraft.records import ExamQuestion, Passage, Question

CHUNKS = {name: Passage(name, name[0], "", f"text of {name}") for name in ("a0", "a1", "b0", "b1", "c0")}


class Backwards:
    """Finds the last chunks first."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def retrieve(self, questions: Sequence[str], k: int) -> list[list[Passage]]:
        self.asked.append(list(questions))
        return [list(CHUNKS.values())[::-1][:k] for _ in questions]


def placed(name: str, *oracle: str, parts: Any = (), **values: Any) -> ExamQuestion:
    answers = ("text of b0",) if oracle else ()
    question = Question(name, f"{name}?", answers, **values)
    return ExamQuestion(question, "exam", name, oracle, parts=parts)


QUESTIONS = [placed("one", "a0"), placed("two", "a1", "b0"), placed("none")]


def names(shown: Shown) -> dict[str, list[str]]:
    return {question.id: [passage.id for passage in passages] for question, passages in shown}


def shown(context: Context, questions: Sequence[ExamQuestion] = QUESTIONS, k: int = 2) -> dict[str, list[str]]:
    return names(show(context, questions, finder=Asking(Backwards()), chunks=CHUNKS, k=k))


def test_nothing_is_shown_without_a_context() -> None:
    assert shown("none") == {"one": [], "two": [], "none": []}


def test_the_retriever_is_asked_once_for_all() -> None:
    retriever = Backwards()
    found = show("retrieved", QUESTIONS, finder=Asking(retriever), chunks=CHUNKS, k=2)
    assert names(found) == {"one": ["c0", "b1"], "two": ["c0", "b1"], "none": ["c0", "b1"]}
    assert retriever.asked == [["one?", "two?", "none?"]]


def test_the_oracle_is_shown_where_there_is_one() -> None:
    assert shown("oracle") == {"one": ["a0"], "two": ["b0"]}, "of copies the one that can be quoted"
    both = placed("both", "a0", "b0", "b1", parts=(("a0",), ("b1", "b0")))
    assert shown("oracle", [both], k=1) == {"both": ["a0", "b0"]}, "all evidence, whatever k"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (["b"], ["b0", "b1"]),
        (["c", "a"], ["a0", "a1"]),
        ("b", ["b0", "b1"]),
        (["gone"], None),
        ([], None),
        (None, None),
    ],
)
def test_an_unanswerable_question_shows_what_its_set_gives(given: Any, wanted: list[str] | None) -> None:
    question = placed("none", metadata={"context_ids": given})
    assert shown("oracle", [question]) == ({} if wanted is None else {"none": wanted})


def test_ids_that_are_numbers_are_found() -> None:
    chunks = {"7#0": Passage("7#0", "7", "", "text")}
    question = placed("none", metadata={"context_ids": [7]})
    assert names(show("oracle", [question], finder=Asking(Backwards()), chunks=chunks, k=2)) == {"none": ["7#0"]}


def test_contexts_of_an_unanswerable_question_count_as_given_too() -> None:
    question = placed("none", contexts=("b", "a0", "a text"), metadata={"context_ids": ["c"]})
    assert shown("oracle", [question], k=9) == {"none": ["a0", "b0", "b1", "c0"]}


@pytest.mark.parametrize("context", ["none", "retrieved", "oracle"])
def test_questions_keep_their_order(context: Context) -> None:
    found = list(shown(context, QUESTIONS[::-1]))
    assert found == [name for name in ("none", "two", "one") if name in found]
    assert shown(context, []) == {}


def test_an_answer_that_rests_on_silence_has_no_oracle_but_what_its_set_gives() -> None:
    silent = ExamQuestion(Question("no", "?", ("no",), options=("yes", "no")), "exam", "no")
    assert shown("oracle", [silent]) == {}
    assert shown("retrieved", [silent]) == {"no": ["c0", "b1"]}


def test_the_oracle_stands_among_others_that_hold_no_answer() -> None:
    found = shown("oracle+N", k=3)
    assert set(found) == {"one", "two"}, "what the documents don't answer has no oracle to show"
    assert sorted(found["one"]) == ["a0", "b1", "c0"], "k passages in all, the oracle's among them"
    assert sorted(found["two"]) == ["b0", "b1", "c0"]
    assert "b0" not in shown("oracle+N", [QUESTIONS[0]], k=9)["one"], "it holds the answer, and is no distractor"
    assert found == shown("oracle+N", k=3), "the place is the question's own"


def test_with_the_evidence_taken_out_nothing_holds_the_answer() -> None:
    found = shown("unanswerable", k=2)
    assert found == {"one": ["c0", "b1"], "two": ["c0", "b1"]}
    assert shown("unanswerable", [QUESTIONS[2]]) == {}
