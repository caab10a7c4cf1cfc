"""Ask many questions under one condition, batch by batch, and grade each answer. Diagnose and evaluate share it.

Knows placed questions, passages and a generator; knows nothing of settings, figures or files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ragraft.methods.answer import Reply, answer
from ragraft.methods.contexts import Context, Shown, show
from ragraft.methods.finders import Finder
from ragraft.methods.grade import grade
from ragraft.methods.manner import UNSAID, Manner
from ragraft.methods.prompt import PromptBuilder, Shot
from ragraft.methods.raft import Recipe
from ragraft.methods.shots import choose_shots
from ragraft.ports import Generator
from ragraft.records import Answer, ExamQuestion, Passage

KEEPING = ("oracle", "oracle+N")
"""Contexts whose oracle passages stay whatever has to go. Retrieved ones go by rank alone: keeping the oracle there
would tell what the user can't know."""


@dataclass(frozen=True, slots=True)
class Shots:
    """Solved examples for the few-shot base."""

    with_documents: Sequence[Shot] = ()
    closed: Sequence[Shot] = ()

    def of(self, context: str) -> Sequence[Shot]:
        """Those of this context's form."""
        return self.closed if context == "none" else self.with_documents


NO_SHOTS = Shots()
ABSTENTION_PROBABILITY = "abstention_probability"
"""Its place among an answer's scores."""


@dataclass(frozen=True, slots=True)
class Arm:
    """A model as it is asked."""

    name: str
    generator: Generator
    shots: Shots = NO_SHOTS
    manner: Manner = UNSAID
    """What it doesn't say is as the prompt's builder has it."""


@dataclass(slots=True)
class Room:
    """Where questions are asked: in an order that wastes little and never changes."""

    finder: Finder
    builder: PromptBuilder
    chunks: Mapping[str, Passage]
    k: int
    batch: int
    tick: Callable[[int], object] = lambda number: None
    """Told after each batch how many answers it gave."""
    dropped: int = 0
    too_long: int = 0

    def show(self, context: Context, questions: Sequence[ExamQuestion]) -> Shown:
        """Each question with its passages; a question whose oracle passages don't fit together is counted instead."""
        shown = show(context, questions, finder=self.finder, chunks=self.chunks, k=self.k)
        if context not in KEEPING:
            return shown
        fitting = [(one, passages) for one, passages in shown if self._fits(one, passages)]
        self.too_long += len(shown) - len(fitting)
        return fitting

    def _fits(self, question: ExamQuestion, passages: Sequence[Passage]) -> bool:
        kept = [passage for passage in passages if passage.id in question.oracle]
        return self.builder.fits(question.question.question, kept)

    def draw_shots(
        self,
        questions: Sequence[ExamQuestion],
        number: int,
        *,
        abstaining: bool,
        pool: int,
        recipe: Recipe,
        seed: int,
    ) -> Shots:
        """Solved examples of these questions, with documents and without, in the order in which they were drawn."""
        drawn, closed = choose_shots(
            questions,
            number,
            abstaining=abstaining,
            finder=self.finder,
            pool=pool,
            chunks=self.chunks,
            recipe=recipe,
            builder=self.builder,
            seed=seed,
        )
        return Shots(drawn, closed)

    def replies(
        self,
        shown: Shown,
        generator: Generator,
        shots: Sequence[Shot] = (),
        *,
        keep_oracle: bool = False,
        manner: Manner = UNSAID,
    ) -> list[Reply]:
        """Answers in the order of `shown`. Batches hold prompts of like length; a batch is a resume point."""
        builder = manner.of(self.builder)
        size = [sum(len(passage.text) for passage in passages) for _, passages in shown]
        order = sorted(range(len(shown)), key=lambda place: (size[place], shown[place][0].id))
        done: dict[int, Reply] = {}
        for start in range(0, len(order), self.batch):
            batch = order[start : start + self.batch]
            replies = answer(
                [shown[place][0].question.question for place in batch],
                [shown[place][1] for place in batch],
                builder=builder,
                generator=generator,
                shots=shots,
                keep=[shown[place][0].oracle if keep_oracle else () for place in batch],
            )
            done.update(zip(batch, replies, strict=True))
            self.dropped += sum(len(reply.fitted.dropped) for reply in replies)
            self.tick(len(batch))
        return [done[place] for place in range(len(shown))]

    def cell(self, arm: Arm, context: Context, shown: Shown) -> list[tuple[Answer, Reply]]:
        """One condition's rows, in the order of the questions, each with the reply that it was read from."""
        replies = self._of(arm, context, shown, keep_oracle=context in KEEPING)
        return [
            (answer_row(arm.name, context, question, reply), reply)
            for (question, _), reply in zip(shown, replies, strict=True)
        ]

    def rows(self, arm: Arm, label: str, shown: Shown, *, keep_oracle: bool = False) -> list[Answer]:
        """Rows of passages that are no context's, under a label of their own."""
        replies = self._of(arm, label, shown, keep_oracle=keep_oracle)
        return [answer_row(arm.name, label, one, reply) for (one, _), reply in zip(shown, replies, strict=True)]

    def _of(self, arm: Arm, label: str, shown: Shown, *, keep_oracle: bool) -> list[Reply]:
        return self.replies(shown, arm.generator, arm.shots.of(label), keep_oracle=keep_oracle, manner=arm.manner)


def answer_row(model: str, context: str, question: ExamQuestion, reply: Reply) -> Answer:
    """A graded row of answers.jsonl."""
    shown = reply.fitted.passages
    evidence_shown = question.shown_by({name for passage in shown for name in passage.chunks})
    return Answer(
        question_id=question.id,
        model=model,
        context=context,
        answer=reply.parsed.answer,
        text=reply.completion.text,
        citations=tuple(passage.id for passage in reply.cited),
        quotes=tuple(text for text, _ in reply.parsed.quotes),
        abstained=reply.parsed.abstained,
        passages=tuple(passage.id for passage in shown),
        evidence_shown=evidence_shown,
        prompt_tokens=reply.completion.prompt_tokens,
        answer_tokens=len(reply.completion.token_ids),
        scores={
            **grade(question, reply.parsed, passages=shown, evidence_shown=evidence_shown),
            ABSTENTION_PROBABILITY: reply.completion.turning,
        },
        finish_reason=reply.completion.finish_reason,
    )
