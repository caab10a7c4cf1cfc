"""Which passages a question is shown under each condition. Knows placed questions and a finder; no model."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Literal

from ragraft.methods.containment import holds, is_telling
from ragraft.methods.finders import Finder
from ragraft.methods.outside import context_ids
from ragraft.methods.raft import choose_oracle
from ragraft.records import ExamQuestion, Passage

Context = Literal["none", "retrieved", "oracle", "oracle+N", "unanswerable"]
Shown = list[tuple[ExamQuestion, tuple[Passage, ...]]]
DEEPER = 4
"""To find k passages without the evidence, so many times k are looked at."""


def show(
    context: Context, questions: Sequence[ExamQuestion], *, finder: Finder, chunks: Mapping[str, Passage], k: int
) -> Shown:
    """Each question with its passages; questions that have no such context are left out.

    For a question without evidence the oracle context is the one that its set gives, if any. `oracle+N` shows the
    oracle among what was found for the question but holds nothing of its answer, `k` passages in all, the oracle where
    the question's own hash puts it. `unanswerable` shows `k` such passages and no oracle; only questions that the
    documents answer have these two.
    """
    if context == "none":
        return [(question, ()) for question in questions]
    if context == "retrieved":
        found = finder.find(questions, k)
        return [(question, tuple(passages)) for question, passages in zip(questions, found, strict=True)]
    if context == "oracle":
        shown = [(question, oracle_of(question, chunks, k)) for question in questions]
        return [(question, passages) for question, passages in shown if passages]
    answerable = [question for question in questions if question.oracle and question.question.answerable]
    others = others_of(answerable, finder=finder, deep=DEEPER * k)
    if context == "unanswerable":
        return [(one, tuple(beside[:k])) for one, beside in zip(answerable, others, strict=True) if beside]
    return [
        (one, among(one, oracle, beside[: max(k - len(oracle), 0)]))
        for one, beside in zip(answerable, others, strict=True)
        if (oracle := oracle_of(one, chunks, k))
    ]


def others_of(questions: Sequence[ExamQuestion], *, finder: Finder, deep: int) -> list[list[Passage]]:
    """Of the first `deep` passages found for each question, in their order, those that tell nothing of its answer."""
    ranked = finder.find(questions, deep) if questions else []
    return [_beside(question, found) for question, found in zip(questions, ranked, strict=True)]


def oracle_of(question: ExamQuestion, chunks: Mapping[str, Passage], k: int) -> tuple[Passage, ...]:
    """A passage for each piece of evidence; for a question without any, at most `k` of those that its set gives."""
    if question.oracle:
        return tuple(choose_oracle(question, chunks))
    given = set(context_ids(question.question))
    return tuple(p for p in chunks.values() if p.document_id in given or p.id in given)[:k] if given else ()


def _beside(question: ExamQuestion, found: Sequence[Passage]) -> list[Passage]:
    """Of what was found, in its order, what shows nothing of the evidence and holds no answer."""
    telling = [answer for answer in question.question.answers if is_telling(answer)]
    return [
        passage
        for passage in found
        if set(question.oracle).isdisjoint(passage.chunks)
        and not any(holds(passage.text, answer) for answer in telling)
    ]


def among(question: ExamQuestion, oracle: Sequence[Passage], others: Sequence[Passage]) -> tuple[Passage, ...]:
    """The oracle among the others, which keep their order, where the question's own hash puts it."""
    shown = list(others)
    order = random.Random(f"{question.id}|oracle+N")
    for passage in oracle:
        shown.insert(order.randint(0, len(shown)), passage)
    return tuple(shown)
