"""Where placed questions get their passages: asked now, or kept when the exam was made. Knows ports; knows no index.

Passages of the user's own retriever are kept with the exam, question by question: the same lists then make lessons and
scores, whatever the retriever would answer tomorrow, and questions of one wording may carry passages of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ragraft.ports import Retriever
from ragraft.records import ExamQuestion, Passage


class Finder(Protocol):
    """Finds the passages of placed questions."""

    def find(self, questions: Sequence[ExamQuestion], k: int) -> list[list[Passage]]:
        """At most `k` passages of each question, best first."""
        ...

    def elsewhere(self, questions: Sequence[ExamQuestion], chunks: Mapping[str, Passage]) -> Mapping[str, Passage]:
        """Passages for random distractors, cut and titled like those that `find` gives."""
        ...


@dataclass(frozen=True, slots=True)
class Asking:
    """Asks a retriever with the questions' words."""

    retriever: Retriever

    def find(self, questions: Sequence[ExamQuestion], k: int) -> list[list[Passage]]:
        return self.retriever.retrieve([question.question.question for question in questions], k)

    def elsewhere(self, questions: Sequence[ExamQuestion], chunks: Mapping[str, Passage]) -> Mapping[str, Passage]:
        """All chunks: what the index finds is one of them."""
        return chunks


@dataclass(frozen=True, slots=True)
class Kept:
    """Passages by question id, as they were found once."""

    passages: Mapping[str, Sequence[Passage]]

    def find(self, questions: Sequence[ExamQuestion], k: int) -> list[list[Passage]]:
        return [list(self.passages[question.id][:k]) for question in questions]

    def elsewhere(self, questions: Sequence[ExamQuestion], chunks: Mapping[str, Passage]) -> Mapping[str, Passage]:
        """What was found for any of these questions."""
        return {passage.id: passage for question in questions for passage in self.passages[question.id]}
