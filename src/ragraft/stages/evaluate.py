"""Ask the exam under every condition and score the answers. Reads Index, Exam and Checkpoint; writes Scorecard.

Knows conditions and settings; how a question is answered is `methods.answer`, how it is graded `methods.grade`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from ragraft.config import EvaluateConfig, PromptConfig, RetrieveConfig, SynthesizeConfig
from ragraft.errors import InputError
from ragraft.methods.answer import Reply, answer
from ragraft.methods.contexts import Context, Shown, show
from ragraft.methods.exam_facts import making
from ragraft.methods.finders import Finder
from ragraft.methods.forgetting import Model, measure_forgetting
from ragraft.methods.grade import grade
from ragraft.methods.limit import limit_questions
from ragraft.methods.prompt import PromptBuilder, Shot
from ragraft.methods.raft import Recipe
from ragraft.methods.scorecard import build_scorecard
from ragraft.methods.shots import choose_shots
from ragraft.methods.text_fit import TextFit, measure_texts
from ragraft.ports import Generator, Scorer
from ragraft.records import Answer, ExamQuestion, Passage, to_json
from ragraft.workspace import FORGETTING, Exam, Folder, Index, Scorecard

Generators = Mapping[str, Generator]


def evaluate(
    index: Index,
    exam: Exam,
    generators: Generators,
    *,
    settings: EvaluateConfig,
    prompt: PromptConfig,
    retrieve: RetrieveConfig,
    synthesize: SynthesizeConfig,
    finder: Finder,
    builder: PromptBuilder,
    scorers: Mapping[str, Scorer] | None = None,
    texts: TextFit | None = None,
    out: Folder,
    side: Literal["exam", "validation"] = "exam",
    made: Sequence[ExamQuestion] = (),
) -> Scorecard:
    """The grid {base, base-fewshot, tuned} × {none, retrieved, oracle}; `generators` holds `base` and `tuned`.

    The validation side is asked where settings are chosen. `scorers` of both, where given, also tell what the tuned
    model has forgotten. `made` are the questions that a machine made for lessons: where none are given, examples and
    the validation side come from them.
    """
    sides = _Sides(exam, made)
    asked = sides.validation if side == "validation" else exam.questions("exam")
    questions, left_out = limit_questions(asked, settings.max_questions, seed=settings.seed)
    if not questions:
        raise InputError(f"The {side} side holds no question; give more questions or a larger examine.shares.{side}")
    chunks = index.passages()
    with _progress() as bar:
        room = _Room(settings, retrieve, finder=finder, builder=builder, chunks=chunks, bar=bar)
        cells = {context: room.show(context, questions) for context in settings.contexts}
        shots = NO_SHOTS
        if "base-fewshot" in settings.models:
            abstaining = any(not question.question.answerable for question in questions)
            shots, facts = _choose_shots(
                sides, room, generators["base"], _recipe(synthesize, prompt), abstaining=abstaining
            )
            out.write_json("fewshot.json", facts)
        room.plan(sum(len(shown) for shown in cells.values()) * len(settings.models))
        answers = [
            row
            for model in settings.models
            for context, shown in cells.items()
            for row in room.cell(model, context, shown, generators=generators, shots=shots)
        ]
        if scorers and "tuned" in settings.models:
            bar.add_task("general instructions", total=None)
            base, tuned = (Model(generators[name], scorers[name]) for name in ("base", "tuned"))
            figures, rows = measure_forgetting(base, tuned, resamples=settings.resamples, seed=settings.seed)
            out.write_jsonl("forgetting.jsonl", rows)
            out.write_json(FORGETTING, figures)
    out.write_jsonl("answers.jsonl", map(to_json, answers))
    card = build_scorecard(answers, questions, resamples=settings.resamples, seed=settings.seed)
    card["made_by"] = making(question.question for question in questions)
    card["budget"] = {
        "passages dropped to fit": room.dropped,
        "questions left out": len(left_out),
        "questions whose oracle passages do not fit": room.too_long,
    }
    card["texts"] = measure_texts(texts, resamples=settings.resamples, seed=settings.seed) if texts else {}
    out.write_json("scorecard.json", card)
    out.write_json("summary.json", {"questions": len(questions), "answers": len(answers)})
    return Scorecard(out)


class _Sides:
    """The questions that examples are drawn from and tried on: the given ones, else those made by a machine."""

    def __init__(self, exam: Exam, made: Sequence[ExamQuestion]) -> None:
        self.train, self.validation = (
            exam.questions(side) or [one for one in made if one.side == side] for side in ("train", "validation")
        )


@dataclass(frozen=True, slots=True)
class _Shots:
    """Solved examples for the few-shot base."""

    with_documents: Sequence[Shot] = ()
    closed: Sequence[Shot] = ()


NO_SHOTS = _Shots()


class _Room:
    """Where questions are asked: batch by batch, in an order that wastes little and never changes."""

    def __init__(
        self,
        settings: EvaluateConfig,
        retrieve: RetrieveConfig,
        *,
        finder: Finder,
        builder: PromptBuilder,
        chunks: Mapping[str, Passage],
        bar: Progress,
    ) -> None:
        self.settings, self.retrieve, self.finder, self.builder = settings, retrieve, finder, builder
        self.chunks, self.dropped, self.too_long = chunks, 0, 0
        self._bar = bar
        self._task: TaskID | None = None

    def plan(self, answers: int) -> None:
        self._task = self._bar.add_task("answering", total=answers)

    def show(self, context: Context, questions: Sequence[ExamQuestion]) -> Shown:
        """Each question with its passages; a question whose oracle passages don't fit together is counted instead."""
        shown = show(context, questions, finder=self.finder, chunks=self.chunks, k=self.retrieve.k)
        if context != "oracle":
            return shown
        fitting = [(one, passages) for one, passages in shown if self._fits(one, passages)]
        self.too_long += len(shown) - len(fitting)
        return fitting

    def _fits(self, question: ExamQuestion, passages: Sequence[Passage]) -> bool:
        kept = [passage for passage in passages if passage.id in question.oracle]
        return self.builder.fits(question.question.question, kept)

    def cell(
        self, model: str, context: Context, shown: Shown, *, generators: Generators, shots: _Shots
    ) -> list[Answer]:
        """One condition's rows, in the order of the questions."""
        examples = shots.closed if context == "none" else shots.with_documents
        replies = self.replies(
            shown,
            generators["tuned" if model == "tuned" else "base"],
            examples if model == "base-fewshot" else (),
            keep_oracle=context == "oracle",
        )
        return [_row(model, context, question, reply) for (question, _), reply in zip(shown, replies, strict=True)]

    def replies(
        self, shown: Shown, generator: Generator, shots: Sequence[Shot], *, keep_oracle: bool = False
    ) -> list[Reply]:
        """Answers in the order of `shown`. Batches hold prompts of like length; a batch is a resume point."""
        size = [sum(len(passage.text) for passage in passages) for _, passages in shown]
        order = sorted(range(len(shown)), key=lambda place: (size[place], shown[place][0].id))
        done: dict[int, Reply] = {}
        for start in range(0, len(order), self.settings.batch):
            batch = order[start : start + self.settings.batch]
            replies = answer(
                [shown[place][0].question.question for place in batch],
                [shown[place][1] for place in batch],
                builder=self.builder,
                generator=generator,
                shots=shots,
                # Retrieved passages go by rank alone: keeping the oracle there would tell what the user can't know.
                keep=[shown[place][0].oracle if keep_oracle else () for place in batch],
            )
            done.update(zip(batch, replies, strict=True))
            self.dropped += sum(len(reply.fitted.dropped) for reply in replies)
            if self._task is not None:
                self._bar.advance(self._task, len(batch))
        return [done[place] for place in range(len(shown))]


def _row(model: str, context: str, question: ExamQuestion, reply: Reply) -> Answer:
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
        scores=grade(question, reply.parsed, passages=shown, evidence_shown=evidence_shown),
        finish_reason=reply.completion.finish_reason,
    )


def _choose_shots(
    sides: _Sides, room: _Room, base: Generator, recipe: Recipe, *, abstaining: bool
) -> tuple[_Shots, dict[str, Any]]:
    """Examples from the train side, in the better of two orders on the validation side, and how that was found."""
    settings = room.settings
    drawn, closed = choose_shots(
        sides.train,
        settings.shots,
        abstaining=abstaining,
        finder=room.finder,
        pool=room.retrieve.pool,
        chunks=room.chunks,
        recipe=recipe,
        builder=room.builder,
        seed=settings.seed,
    )
    orders = {"drawn": drawn, "reversed": drawn[::-1]}
    trial, _ = limit_questions(sides.validation, settings.shot_questions, seed=settings.seed)
    shown = room.show("retrieved", trial)
    scores = {name: _mean_f1(shown, room.replies(shown, base, shots)) for name, shots in orders.items() if shown}
    best = max(orders, key=lambda name: scores.get(name, 0.0))
    facts = {
        "validation_questions": len(shown),
        "made_by_a_machine": making([*(one.question for one in trial)])["made"],
        "f1_all_by_order": scores,
        "order": best,
        "examples": [to_json(shot) for shot in orders[best]],
    }
    return _Shots(orders[best], closed if best == "drawn" else closed[::-1]), facts


def _mean_f1(shown: Shown, replies: Sequence[Reply]) -> float:
    rows = [_row("", "", question, reply) for (question, _), reply in zip(shown, replies, strict=True)]
    return sum(row.scores["f1_all"] or 0.0 for row in rows) / len(rows)


def _recipe(settings: SynthesizeConfig, prompt: PromptConfig) -> Recipe:
    return Recipe(
        distractors=settings.distractors,
        hard=settings.hard,
        low=settings.low,
        quote_words=settings.quote_words,
        abstention=prompt.abstention,
    )


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
        transient=True,
    )
