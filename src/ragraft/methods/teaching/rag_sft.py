"""Fine-tuning on what retrieval finds, as it is done by hand: the passages of the exam's retrieved arm, and the answer.

No designed distractors, no quotes; the answer is wanted even where the passages don't hold it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ragraft.methods.contexts import show
from ragraft.methods.teaching.answers import answer_lesson
from ragraft.methods.teaching.materials import Lot, Materials, group_questions, lot_of
from ragraft.records import ExamQuestion


def make(
    materials: Materials, questions: Sequence[ExamQuestion], *, side: Literal["train", "validation"], copies: int
) -> Lot:
    """Each question on its own top passages; copies differ only in who is learned together."""
    shown = show("retrieved", questions, finder=materials.shown, chunks=materials.chunks, k=materials.plan.k)
    passages = {question.id: found for question, found in shown}
    return lot_of(
        answer_lesson(part.question, passages[part.question.id], kind="retrieved", group=group, materials=materials)
        for group in group_questions(materials, questions, copies=copies)
        for part in group.parts
    )
