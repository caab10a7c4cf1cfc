"""Learn when retrieval can be skipped and when to abstain. Reads Index, Exam and Checkpoint; writes Calibration.

Asks the tuned model the calibration side closed-book and with retrieved passages; what hints at a right answer is
`methods.signals`, what is made of it `methods.routing`. The train side is never read, and the exam only to see whether
what was promised holds there.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from ragraft.config import CalibrateConfig, EvaluateConfig, PromptConfig, RetrieveConfig
from ragraft.errors import InputError
from ragraft.methods.asking import Room
from ragraft.methods.exam_facts import making
from ragraft.methods.finders import Finder
from ragraft.methods.limit import spread_questions
from ragraft.methods.manner import Manner
from ragraft.methods.progress_bar import progress_bar
from ragraft.methods.prompt import PromptBuilder
from ragraft.methods.report_text import interval
from ragraft.methods.risk_control import Control
from ragraft.methods.routing import Both, Fitted, answered_both_ways, fit_router
from ragraft.methods.routing_figures import Routed, route, routing_figures
from ragraft.methods.routing_table import skip_sentence
from ragraft.methods.second_reading import find_manner
from ragraft.ports import Generator
from ragraft.records import ExamQuestion, to_json
from ragraft.workspace import CALIBRATION, Calibration, Exam, Folder, Index


def calibrate(
    index: Index,
    exam: Exam,
    generator: Generator,
    *,
    settings: CalibrateConfig,
    asking: EvaluateConfig,
    prompt: PromptConfig,
    validation: Sequence[ExamQuestion],
    retrieve: RetrieveConfig,
    finder: Finder,
    builder: PromptBuilder,
    out: Folder,
) -> Calibration:
    """Write calibration.json, answers.jsonl and summary.json. `generator` is the tuned model's.

    `asking` says how evaluate asks the exam, and `validation` are the questions on which it chooses when the model
    abstains: asked alike, kept answers serve both.
    """
    questions, left_out = _sized(exam, settings)
    checked, _ = spread_questions(exam.questions("exam"), asking.max_questions, seed=asking.seed)
    room = Room(finder, builder, index.passages(), k=retrieve.k, batch=asking.batch)
    manner = find_manner(
        room,
        generator,
        validation,
        given=Manner.given(prompt),
        number=asking.threshold_questions,
        most=prompt.over_refusal,
        resamples=asking.resamples,
        seed=asking.seed,
    ).manner
    with progress_bar() as bar:
        task = bar.add_task("answering", total=2 * (len(questions) + len(checked) * settings.exam))
        room.tick = partial(bar.advance, task)
        rows = _ask(room, questions, generator, manner)
        exam_rows = _ask(room, checked, generator, manner) if settings.exam else []
    fitted = fit_router(
        rows,
        max_loss=settings.max_loss,
        max_wrong=settings.max_wrong,
        folds=settings.folds,
        seed=settings.seed,
        saves=settings.saves,
    )
    sides = {
        "calibration": route(rows, fitted.closed_book, fitted.with_passages, fitted.router),
        "exam": _routed(exam_rows, fitted),
    }
    data = {
        "questions": len(questions),
        "clusters": len({question.cluster for question in questions}),
        "unanswerable": sum(not question.question.answerable for question in questions),
        "made_by": making(question.question for question in questions),
        "k": retrieve.k,
        "manner": to_json(manner),
        "router": to_json(fitted.router),
        "skip": {**_promised(fitted.skip), "worth": fitted.worth},
        "answer": _promised(fitted.answer) if fitted.answer else None,
        **{
            side: routing_figures(routed, resamples=settings.resamples, seed=settings.seed)
            for side, routed in sides.items()
        },
        "budget": {"passages dropped to fit": room.dropped, "questions left out": len(left_out)},
    }
    answers = (row for side, routed in sides.items() for one in routed for row in _rows(side, one))
    out.write_jsonl("answers.jsonl", answers)
    out.write_json(CALIBRATION, data)
    out.write_json("summary.json", _summary(data))
    return Calibration(out)


def _sized(exam: Exam, settings: CalibrateConfig) -> tuple[list[ExamQuestion], list[ExamQuestion]]:
    asked = exam.questions("calibration")
    if not asked:
        raise InputError(
            "The calibration side holds no question, and calibrate learns from no other; give more questions, or a "
            "larger examine.shares.calibration"
        )
    return spread_questions(asked, settings.max_questions, seed=settings.seed)


def _ask(room: Room, questions: Sequence[ExamQuestion], generator: Generator, manner: Manner) -> list[Both]:
    drafts, replies = (
        room.replies(room.show(context, questions), generator, manner=manner) for context in ("none", "retrieved")
    )
    count = room.builder.tokenizer.count
    return [
        answered_both_ways(question, draft, reply, count)
        for question, draft, reply in zip(questions, drafts, replies, strict=True)
    ]


def _routed(rows: Sequence[Both], fitted: Fitted) -> list[Routed]:
    """What the router in service does with questions that it has not seen."""
    router = fitted.router
    closed = [router.closed_book.probability(row.draft_signals) for row in rows]
    shown = [router.with_passages.probability(row.reply_signals) for row in rows]
    return route(rows, closed, shown, router)


def _promised(control: Control) -> dict[str, Any]:
    return {**to_json(control), "too_few": control.too_few}


def _rows(side: str, routed: Routed) -> list[dict[str, Any]]:
    """Both answers with their probabilities, and what was decided."""
    both, decision = routed.both, routed.decision.route
    return [
        {"side": side, **to_json(answer), "probability": probability, "decision": decision}
        for answer, probability in ((both.closed, routed.closed_book), (both.shown, routed.with_passages))
    ]


def _summary(data: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"questions": data["questions"], "auto": skip_sentence(data)}
    if data["exam"]:
        figures = data["exam"]["figures"]
        found["saved of 100 on the exam"] = interval(figures["skipped"])
        found["lost"] = interval(figures["lost"], signed=True)
    return found
