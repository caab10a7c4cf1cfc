"""Ask the exam under every condition and score the answers. Reads Index, Exam and Checkpoint; writes Scorecard.

Knows conditions and settings; how a question is answered is `methods.answer`, how it is graded `methods.grade`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal

from ragraft.config import EvaluateConfig, PromptConfig, RetrieveConfig, SynthesizeConfig
from ragraft.errors import InputError
from ragraft.methods.answer import Reply
from ragraft.methods.asking import NO_SHOTS, Room, Shots, answer_row
from ragraft.methods.contexts import Shown
from ragraft.methods.exam_facts import making
from ragraft.methods.finders import Finder
from ragraft.methods.forgetting import Model, measure_forgetting
from ragraft.methods.limit import limit_questions
from ragraft.methods.progress_bar import progress_bar
from ragraft.methods.prompt import PromptBuilder
from ragraft.methods.raft import Recipe
from ragraft.methods.scorecard import build_scorecard
from ragraft.methods.text_fit import TextFit, measure_texts
from ragraft.ports import Generator, Scorer
from ragraft.records import ExamQuestion, to_json
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
    room = Room(finder, builder, index.passages(), k=retrieve.k, batch=settings.batch)
    with progress_bar() as bar:
        cells = {context: room.show(context, questions) for context in settings.contexts}
        shots = NO_SHOTS
        if "base-fewshot" in settings.models:
            abstaining = any(not question.question.answerable for question in questions)
            shots, facts = _choose_shots(
                sides,
                room,
                generators["base"],
                settings=settings,
                pool=retrieve.pool,
                recipe=Recipe.of(synthesize, prompt.abstention),
                abstaining=abstaining,
            )
            out.write_json("fewshot.json", facts)
        task = bar.add_task("answering", total=sum(len(shown) for shown in cells.values()) * len(settings.models))
        room.tick = partial(bar.advance, task)
        answers = [
            row
            for model in settings.models
            for context, shown in cells.items()
            for row, _ in room.cell(
                model,
                context,
                shown,
                generator=generators["tuned" if model == "tuned" else "base"],
                shots=shots.of(context) if model == "base-fewshot" else (),
            )
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


def _choose_shots(
    sides: _Sides,
    room: Room,
    base: Generator,
    *,
    settings: EvaluateConfig,
    pool: int,
    recipe: Recipe,
    abstaining: bool,
) -> tuple[Shots, dict[str, Any]]:
    """Examples from the train side, in the better of two orders on the validation side, and how that was found."""
    examples = room.draw_shots(
        sides.train, settings.shots, abstaining=abstaining, pool=pool, recipe=recipe, seed=settings.seed
    )
    drawn, closed = examples.with_documents, examples.closed
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
    return Shots(orders[best], closed if best == "drawn" else closed[::-1]), facts


def _mean_f1(shown: Shown, replies: Sequence[Reply]) -> float:
    rows = [answer_row("", "", question, reply) for (question, _), reply in zip(shown, replies, strict=True)]
    return sum(row.scores["f1_all"] or 0.0 for row in rows) / len(rows)
