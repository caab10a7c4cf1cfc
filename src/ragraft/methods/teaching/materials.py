"""What every training method makes its lessons from, and the form in which it hands them over.

A method is a function `make(materials, questions, *, side, copies) -> Lot`, registered in `table.py` under the name
that `train.method` has. Its lessons are chat rows (a prompt of the one prompt builder, and the wanted answer) or plain
texts: `plain_text` makes a row without any chat form whose tokens are all learned, as continued pretraining needs.
Knows questions, passages and prompts; knows no folder, no setting's name and no model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, Protocol

from ragraft.methods.balance import plan_kinds
from ragraft.methods.containment import Containment, holds
from ragraft.methods.finders import Finder
from ragraft.methods.grouping import group_parts
from ragraft.methods.instructions import Instruction
from ragraft.methods.probe import Knowledge
from ragraft.methods.prompt import PromptBuilder
from ragraft.methods.raft import Made, Part, Recipe, is_teachable, make_part
from ragraft.methods.reasoning import Teacher
from ragraft.methods.seeds import asks_held_out
from ragraft.ports import Generator
from ragraft.records import Document, ExamQuestion, Lesson, Passage, Prompt, Rejected

BATCH = 64
"""Questions whose passages are looked for at a time."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How lessons are drawn: numbers alone."""

    recipe: Recipe
    oracle_share: float
    group: int
    """Most questions that are learned together."""
    k: int
    """Passages that the reader will see."""
    pool: int
    """Depth to which distractors are looked for."""
    seed: int
    memory_share: float = 0.0
    """Share of lessons that want an answer from memory; 0 where only documents may be answered from."""


@dataclass(frozen=True)
class Materials:
    """The index, the corpus, and how both are searched and shown; alike for every method of a chain."""

    chunks: Mapping[str, Passage]
    documents: Callable[[], Iterable[Document]]
    """The corpus, read anew at each call: it may be larger than the memory."""
    finder: Finder
    """Finds candidates for distractors, to the depth of `plan.pool`."""
    shown: Finder
    """Finds what the exam's retrieved arm and the served system show, to the depth of `plan.k`."""
    builder: PromptBuilder
    plan: Plan
    instructions: Sequence[Instruction] = ()
    """General chats, where the chain uses any and the user named some."""
    base: Generator | None = None
    """The base model, opened when it is first asked; there where a method asks it."""
    knowledge: Knowledge = field(default_factory=Knowledge)
    """What the base model answers without documents; nothing where it was not asked."""
    teacher: Teacher | None = None
    """Who writes reasonings for lessons, where anybody does."""
    own: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Method → the settings of its own section of the YAML, where it has one."""

    def ranked(self, questions: Sequence[ExamQuestion]) -> list[list[Passage]]:
        """Candidates of each question; those that are chunks of ours share one text, or they would fill the memory."""
        batches = (questions[start : start + BATCH] for start in range(0, len(questions), BATCH))
        found = (row for batch in batches for row in self.finder.find(batch, self.plan.pool))
        return [[self.chunks.get(one.id, one) if not one.shows else one for one in passages] for passages in found]

    def answering(self, question: ExamQuestion) -> Callable[[Passage], bool]:
        """Whether a passage holds an answer distinctive enough to mean something (a bare “no” stands everywhere)."""
        look = self._containment
        telling = [answer for answer in question.question.answers if look.counts(answer)]
        holding = {self._ids[row] for answer in telling for row in look.holding(answer)}

        def answers(passage: Passage) -> bool:
            if passage.id in self.chunks:
                return passage.id in holding
            return any(holds(passage.text, answer) for answer in telling)

        return answers

    def teachable(self, question: ExamQuestion) -> bool:
        """Whether a designed lesson can ask it; many a long answer is too long to be written with its quote."""
        if question.id not in self._teachable:
            self._teachable[question.id] = is_teachable(
                question, chunks=self.chunks, recipe=self.plan.recipe, builder=self.builder
            )
        return self._teachable[question.id]

    @cached_property
    def _teachable(self) -> dict[str, bool]:
        return {}

    @cached_property
    def _ids(self) -> list[str]:
        return list(self.chunks)

    @cached_property
    def _containment(self) -> Containment:
        return Containment([passage.text for passage in self.chunks.values()])


@dataclass(frozen=True, slots=True)
class Group:
    """Questions that are learned in one step, and may share a set of documents."""

    parts: Sequence[Part]
    seed: str
    copy: int

    @property
    def name(self) -> str:
        """What its lessons carry as `group`; a question of its own needs none."""
        return self.parts[0].question.id if len(self.parts) > 1 else ""


@dataclass(frozen=True, slots=True)
class Lot:
    """What a method made for one side: lessons, what it could not use, and facts worth counting."""

    made: Sequence[Made]
    rejected: Sequence[Rejected] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    reasonings: Sequence[dict[str, str]] = ()
    """What a teacher wrote for it, question by question, used or not."""


class Make(Protocol):
    """Makes a method's lessons."""

    def __call__(
        self,
        materials: Materials,
        questions: Sequence[ExamQuestion],
        *,
        side: Literal["train", "validation"],
        copies: int,
    ) -> Lot:
        """`copies` lessons from each question, or as many rounds of texts; epochs take the copies in turn."""
        ...


def group_questions(materials: Materials, questions: Sequence[ExamQuestion], *, copies: int) -> Iterator[Group]:
    """Each question once a copy, in the groups that RAFT shows one set of documents.

    Other methods keep to the same groups, so that their optimizer steps hold the same questions, and are as many.
    """
    plan = materials.plan
    known = materials.knowledge.known
    # What can't be taught with its document isn't taught to abstain without it either: that would shift the shares.
    able = [one for one in questions if not one.question.answerable or materials.teachable(one)]
    ranked = materials.ranked(questions)
    answering = [materials.answering(question) for question in questions]
    for copy in range(copies):
        kinds = plan_kinds(able, plan.oracle_share, plan.seed + copy, known=known, memory_share=plan.memory_share)
        parts = [
            make_part(
                question,
                with_oracle=kinds.get(question.id, bool(question.oracle)),
                chunks=materials.chunks,
                ranked=found,
                builder=materials.builder,
                answers_it=answers,
                from_memory=plan.memory_share > 0 and question.id in known,
            )
            for question, found, answers in zip(questions, ranked, answering, strict=True)
        ]
        seed = f"{plan.seed}.{copy}"
        most = 1 + plan.recipe.distractors[1]
        for group in group_parts(parts, chunks=materials.chunks, size=plan.group, documents=most, seed=seed):
            yield Group(group, seed, copy)


def lot_of(rows: Iterable[Made | Rejected], facts: Mapping[str, Any] | None = None) -> Lot:
    """A lot of lessons and rejections as they come."""
    found = list(rows)
    made = [row for row in found if isinstance(row, Made)]
    return Lot(made, [row for row in found if isinstance(row, Rejected)], facts or {})


def plain_text(name: str, text: str, *, copy: int = 0, group: str = "") -> Made:
    """A lesson without any chat form, learned whole: no token closes it, and the one that opens texts stands before.

    Nothing is cut later: `builder.tokenizer.count(text) + 1` must be at most `builder.max_tokens`. An optimizer step
    holds `train.batch` such rows.
    """
    return Made(Lesson(name, "", "text", Prompt(()), text, group=group, copy=copy), (), 0, ())


def in_copy(made: Made, copy: int, *, part: str = "") -> Made:
    """A lesson that was drawn for a copy, and perhaps is of a named part."""
    return replace(made, lesson=replace(made.lesson, id=f"{made.lesson.id}.{copy}", copy=copy, part=part))


def general(instruction: Instruction, builder: PromptBuilder) -> Made | Rejected:
    """A lesson of a general instruction, whole or not at all: only its answer is learned.

    What forgetting is measured on is never learned.
    """
    if asks_held_out(instruction.prompt):
        return Rejected(instruction.id, "forgetting is measured on this instruction, so that it is never learned")
    tokens = builder.tokenizer.count_prompt(instruction.prompt) + builder.tokenizer.count(instruction.answer) + 1
    if tokens > builder.max_tokens:
        return Rejected(instruction.id, "the instruction doesn't fit into prompt.max_tokens", f"{tokens} tokens")
    return Made(Lesson(f"{instruction.id}~0", "", "general", instruction.prompt, instruction.answer), (), 0, ())
