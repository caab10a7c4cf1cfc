"""The contract of a Retriever. Subclass RetrieverContract and give it a `retriever` fixture; knows no adapter.

The fixture's retriever must be filled: it finds passages for `questions`, which a subclass may replace by its own.
"""

from __future__ import annotations

import json
import math

import pytest

from ragraft.ports import Retriever
from ragraft.records import Passage, to_json

LIBRARY = (
    Passage("walrus", "sea.md", "sea", "The walrus rests on the ice and eats clams."),
    Passage("penguin", "sea.md", "sea", "The penguin swims under the ice, far from any walrus."),
    Passage("stapler", "desk.md", "desk", "A stapler binds paper, paper and more paper."),
    Passage("lamp", "desk.md", "desk", "The lamp on the paper is bright."),
    Passage("greeting", "odd.md", "שלום", "שלום עולם is a greeting to the ice and the paper."),
)
QUESTIONS = ("Where does the walrus rest on the ice?", "What binds paper?", "Who swims under the ice?")
ODD_QUESTIONS = ("", "  \n", '"', "' OR 1=1; --", "walrus^2 AND -x:y [a TO b]", "🚀", "שלום", "\x00", "x " * 3000)


class RetrieverContract:
    """What every Retriever does. `retriever` is the one fixture that a subclass provides."""

    @pytest.fixture
    def questions(self) -> tuple[str, ...]:
        """Questions of which each has a passage or more."""
        return QUESTIONS

    def test_one_list_a_question_in_order(self, retriever: Retriever, questions: tuple[str, ...]) -> None:
        together = retriever.retrieve(questions, 3)
        backwards = retriever.retrieve(questions[::-1], 3)
        alone = [retriever.retrieve([question], 3)[0] for question in questions]
        assert together == backwards[::-1] == alone
        assert all(together)
        assert len({tuple(passage.id for passage in passages) for passages in together}) > 1

    def test_many_questions_are_as_good_as_few(self, retriever: Retriever, questions: tuple[str, ...]) -> None:
        found = retriever.retrieve(questions * 20, 2)
        assert found == retriever.retrieve(questions, 2) * 20

    def test_at_most_k_and_a_smaller_k_is_the_beginning(self, retriever: Retriever, questions: tuple[str, ...]) -> None:
        deep = retriever.retrieve(questions, 10)
        for k in (1, 2, 5):
            assert retriever.retrieve(questions, k) == [passages[:k] for passages in deep]

    def test_best_first(self, retriever: Retriever, questions: tuple[str, ...]) -> None:
        for passages in retriever.retrieve(questions, 10):
            scores = [passage.score for passage in passages]
            assert scores == sorted(scores, reverse=True)
            assert all(map(math.isfinite, scores))

    def test_passages_have_an_id_and_a_text_of_their_own(
        self, retriever: Retriever, questions: tuple[str, ...]
    ) -> None:
        texts: dict[str, str] = {}
        for passages in retriever.retrieve(questions, 10):
            assert len({passage.id for passage in passages}) == len(passages)
            for passage in passages:
                assert isinstance(passage, Passage)
                assert passage.id
                assert passage.text.strip()
                assert texts.setdefault(passage.id, passage.text) == passage.text

    def test_passages_can_be_written(self, retriever: Retriever, questions: tuple[str, ...]) -> None:
        for passages in retriever.retrieve(questions, 10):
            for passage in passages:
                json.dumps(to_json(passage), ensure_ascii=False, allow_nan=False).encode("utf-8")

    def test_the_same_questions_find_the_same(self, retriever: Retriever, questions: tuple[str, ...]) -> None:
        assert retriever.retrieve(questions, 5) == retriever.retrieve(questions, 5)

    def test_no_question_no_list(self, retriever: Retriever) -> None:
        assert retriever.retrieve([], 3) == []

    @pytest.mark.parametrize("question", ODD_QUESTIONS)
    def test_any_question_is_data(self, retriever: Retriever, questions: tuple[str, ...], question: str) -> None:
        odd, plain = retriever.retrieve([question, questions[0]], 3)
        assert len(odd) <= 3
        assert plain == retriever.retrieve([questions[0]], 3)[0]
