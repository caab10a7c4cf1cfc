"""Ask the exam under every condition and score the answers. Reads Index, Exam and Checkpoint; writes Scorecard.

Knows conditions and settings; how a question is answered is `methods.answer`, how it is graded `methods.grade`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from ragraft.config import EvaluateConfig, PromptConfig, RetrieveConfig, SynthesizeConfig
from ragraft.errors import InputError
from ragraft.methods.answer import Reply, answer
from ragraft.methods.contexts import Shown, show
from ragraft.methods.grade import grade
from ragraft.methods.limit import limit_questions
from ragraft.methods.prompt import PromptBuilder, Shot
from ragraft.methods.raft import Recipe
from ragraft.methods.scorecard import build_scorecard
from ragraft.methods.shots import choose_shots
from ragraft.ports import Generator, Retriever
from ragraft.records import Answer, ExamQuestion, Passage, to_json
from ragraft.workspace import Exam, Folder, Index, Scorecard

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
    retriever: Retriever,
    builder: PromptBuilder,
    out: Folder,
) -> Scorecard:
    """The grid {base, base-fewshot, tuned} × {none, retrieved, oracle}; `generators` holds `base` and `tuned`."""
    questions, left_out = limit_questions(exam.questions("exam"), settings.max_questions, seed=settings.seed)
    if not questions:
        raise InputError("The exam side holds no question; give more questions or a larger examine.shares.exam")
    chunks = {c.id: Passage(c.id, c.document_id, c.title, c.text) for c in index.chunks()}
    cells = {
        context: show(context, questions, retriever=retriever, chunks=chunks, k=retrieve.k)
        for context in settings.contexts
    }
    with _progress() as bar:
        asking = _Asking(builder, settings.batch, bar)
        shots: dict[bool, Sequence[Shot]] = {}
        if "base-fewshot" in settings.models:
            recipe = _recipe(synthesize, prompt)
            shots, facts = _choose_order(
                exam, questions, asking, generators["base"], settings, retrieve, retriever, chunks, recipe
            )
            out.write_json("fewshot.json", facts)
        asking.plan(sum(len(shown) for shown in cells.values()) * len(settings.models))
        answers = [
            row
            for model in settings.models
            for context, shown in cells.items()
            for row in asking.cell(model, context, shown, generators, shots.get(context != "none", ()))
        ]
    out.write_jsonl("answers.jsonl", map(to_json, answers))
    card = build_scorecard(answers, questions, resamples=settings.resamples, seed=settings.seed)
    card["budget"] = {"passages dropped to fit": asking.dropped, "questions left out": len(left_out)}
    out.write_json("scorecard.json", card)
    out.write_json("summary.json", {"questions": len(questions), "answers": len(answers)})
    return Scorecard(out)


class _Asking:
    """Asks cells batch by batch, in an order that wastes little padding and never changes."""

    def __init__(self, builder: PromptBuilder, batch: int, bar: Progress) -> None:
        self._builder, self._batch, self._bar = builder, batch, bar
        self._task: TaskID | None = None
        self.dropped = 0

    def plan(self, answers: int) -> None:
        self._task = self._bar.add_task("answering", total=answers)

    def cell(
        self, model: str, context: str, shown: Shown, generators: Generators, shots: Sequence[Shot]
    ) -> list[Answer]:
        """One condition's rows, in the order of the questions."""
        generator = generators["tuned" if model == "tuned" else "base"]
        replies = self.replies(shown, generator, shots if model == "base-fewshot" else ())
        return [_row(model, context, question, reply) for (question, _), reply in zip(shown, replies, strict=True)]

    def replies(self, shown: Shown, generator: Generator, shots: Sequence[Shot]) -> list[Reply]:
        """Answers in the order of `shown`. Batches hold prompts of like length; a batch is a resume point."""
        size = [sum(len(passage.text) for passage in passages) for _, passages in shown]
        order = sorted(range(len(shown)), key=lambda place: (size[place], shown[place][0].id))
        done: dict[int, Reply] = {}
        for start in range(0, len(order), self._batch):
            batch = order[start : start + self._batch]
            replies = answer(
                [shown[place][0].question.question for place in batch],
                [shown[place][1] for place in batch],
                builder=self._builder,
                generator=generator,
                shots=shots,
                keep=[shown[place][0].oracle for place in batch],
            )
            done.update(zip(batch, replies, strict=True))
            self.dropped += sum(len(reply.fitted.dropped) for reply in replies)
            if self._task is not None:
                self._bar.advance(self._task, len(batch))
        return [done[place] for place in range(len(shown))]


def _row(model: str, context: str, question: ExamQuestion, reply: Reply) -> Answer:
    shown = reply.fitted.passages
    evidence_shown = question.shown_by({passage.id for passage in shown})
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


def _choose_order(
    exam: Exam,
    questions: Sequence[ExamQuestion],
    asking: _Asking,
    base: Generator,
    settings: EvaluateConfig,
    retrieve: RetrieveConfig,
    retriever: Retriever,
    chunks: Mapping[str, Passage],
    recipe: Recipe,
) -> tuple[dict[bool, Sequence[Shot]], dict[str, Any]]:
    """Examples with documents (True) and without (False), in the better of two orders on the validation side."""
    with_documents, closed = choose_shots(
        exam.questions("train"),
        settings.shots,
        abstaining=any(not question.question.answerable for question in questions),
        retriever=retriever,
        pool=retrieve.pool,
        chunks=chunks,
        recipe=recipe,
        builder=asking._builder,
        seed=settings.seed,
    )
    trial, _ = limit_questions(exam.questions("validation"), settings.shot_questions, seed=settings.seed)
    shown = show("retrieved", trial, retriever=retriever, chunks=chunks, k=retrieve.k)
    scores = []
    for order in (with_documents, with_documents[::-1]) if shown else ():
        rows = [_row("", "", q, r) for (q, _), r in zip(shown, asking.replies(shown, base, order), strict=True)]
        scores.append(sum(row.scores["f1_all"] or 0.0 for row in rows) / len(rows))
    reverse = len(scores) == 2 and scores[1] > scores[0]
    facts = {
        "validation_questions": len(shown),
        "f1_all_by_order": scores,
        "order": "reversed" if reverse else "drawn",
        "examples": [to_json(shot) for shot in (with_documents[::-1] if reverse else with_documents)],
    }
    step = -1 if reverse else 1
    return {True: with_documents[::step], False: closed[::step]}, facts


def _recipe(settings: SynthesizeConfig, prompt: PromptConfig) -> Recipe:
    return Recipe(
        oracle_share=settings.oracle_share,
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
