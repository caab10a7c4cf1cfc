"""RAFT: oracle and mined distractors, quotes, abstention without the oracle. How one is made is `methods.raft`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ragraft.methods.raft import make_group
from ragraft.methods.teaching.materials import Lot, Materials, group_questions, lot_of
from ragraft.records import ExamQuestion


def make(
    materials: Materials, questions: Sequence[ExamQuestion], *, side: Literal["train", "validation"], copies: int
) -> Lot:
    """Each question once a copy, with other distractors and another order; a group shows one set of documents."""
    elsewhere = materials.finder.elsewhere(questions, materials.chunks)
    lot = lot_of(
        row
        for group in group_questions(materials, questions, copies=copies)
        for row in make_group(
            group.parts,
            chunks=materials.chunks,
            elsewhere=elsewhere,
            recipe=materials.plan.recipe,
            builder=materials.builder,
            seed=group.seed,
            copy=group.copy,
        )
    )
    found = sum(any(name not in materials.chunks for name in made.lesson.oracle) for made in lot.made)
    return Lot(lot.made, lot.rejected, {"oracles as your retriever found them": found} if found else {})
