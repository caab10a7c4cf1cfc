"""RAFT: oracle and mined distractors, quotes or a teacher's reasoning, abstention without the oracle.

How a lesson is made is `methods.raft`, what a teacher writes `methods.reasoning`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

from ragraft.methods.raft import Part, fault_of, make_group
from ragraft.methods.reasoning import Reasonings, write_reasonings
from ragraft.methods.teaching.materials import Group, Lot, Materials, group_questions, lot_of
from ragraft.records import ExamQuestion


def make(
    materials: Materials, questions: Sequence[ExamQuestion], *, side: Literal["train", "validation"], copies: int
) -> Lot:
    """Each question once a copy, with other distractors and another order; a group shows one set of documents."""
    elsewhere = materials.finder.elsewhere(questions, materials.chunks)
    groups = list(group_questions(materials, questions, copies=copies))
    reasonings = _taught(groups, materials)
    lot = lot_of(
        row
        for group in groups
        for row in make_group(
            [_with(part, reasonings) for part in group.parts],
            chunks=materials.chunks,
            elsewhere=elsewhere,
            recipe=materials.plan.recipe,
            builder=materials.builder,
            seed=group.seed,
            copy=group.copy,
        )
    )
    found = sum(any(name not in materials.chunks for name in made.lesson.oracle) for made in lot.made)
    facts: dict[str, Any] = {"oracles as your retriever found them": found} if found else {}
    if materials.teacher:
        facts |= reasonings.facts(materials.teacher)
    return Lot(lot.made, lot.rejected, facts, reasonings.rows)


def _taught(groups: Sequence[Group], materials: Materials) -> Reasonings:
    """What the teacher writes on each question that shows its oracle in any copy; nothing without a teacher."""
    if materials.teacher is None:
        return Reasonings()
    recipe, builder = materials.plan.recipe, materials.builder
    showing = {part.question.id: part for group in groups for part in group.parts if part.oracle}
    # By id, so that another seed or more copies ask nearly the same batches, whose answers are kept.
    able = [part for _, part in sorted(showing.items()) if fault_of(part, recipe, builder) is None]
    return write_reasonings([(part.question, part.oracle) for part in able], materials.teacher, builder=builder)


def _with(part: Part, reasonings: Reasonings) -> Part:
    return replace(part, reasoning=reasonings.kept.get(part.question.id)) if part.oracle else part
