"""Ordinary fine-tuning: question to answer, no documents. Knows nothing of retrieval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ragraft.methods.teaching.answers import answer_lesson
from ragraft.methods.teaching.materials import Lot, Materials, group_questions, lot_of
from ragraft.records import ExamQuestion


def make(
    materials: Materials, questions: Sequence[ExamQuestion], *, side: Literal["train", "validation"], copies: int
) -> Lot:
    """Each question closed-book; copies differ only in who is learned together."""
    return lot_of(
        answer_lesson(part.question, (), kind="closed-book", group=group, materials=materials)
        for group in group_questions(materials, questions, copies=copies)
        for part in group.parts
    )
