"""Which passages a question is shown under each condition. Knows placed questions and a finder; no model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from ragraft.methods.finders import Finder
from ragraft.methods.outside import context_ids
from ragraft.methods.raft import choose_oracle
from ragraft.records import ExamQuestion, Passage

Context = Literal["none", "retrieved", "oracle"]
Shown = list[tuple[ExamQuestion, tuple[Passage, ...]]]


def show(
    context: Context, questions: Sequence[ExamQuestion], *, finder: Finder, chunks: Mapping[str, Passage], k: int
) -> Shown:
    """Each question with its passages; questions that have no such context are left out.

    For a question without evidence the oracle context is the one that its set gives, if any.
    """
    if context == "none":
        return [(question, ()) for question in questions]
    if context == "retrieved":
        found = finder.find(questions, k)
        return [(question, tuple(passages)) for question, passages in zip(questions, found, strict=True)]
    shown = [(question, _oracle(question, chunks, k)) for question in questions]
    return [(question, passages) for question, passages in shown if passages]


def _oracle(question: ExamQuestion, chunks: Mapping[str, Passage], k: int) -> tuple[Passage, ...]:
    if question.oracle:
        return tuple(choose_oracle(question, chunks))
    given = set(context_ids(question.question))
    return tuple(p for p in chunks.values() if p.document_id in given or p.id in given)[:k] if given else ()
