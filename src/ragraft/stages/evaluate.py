"""Ask the exam under every condition and score the answers. Reads Index, Exam and Checkpoint; writes Scorecard.

Knows conditions and settings; how a question is answered is `methods.answer`, how it is graded `methods.grade`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

from ragraft.config import EvaluateConfig, PromptConfig, RetrieveConfig, SynthesizeConfig
from ragraft.errors import InputError
from ragraft.methods.agreement import Labelled, agreement
from ragraft.methods.answer import Reply
from ragraft.methods.asking import NO_SHOTS, Arm, Room, Shots, answer_row
from ragraft.methods.confidence import confidence
from ragraft.methods.contexts import Context, Shown
from ragraft.methods.exam_facts import making
from ragraft.methods.finders import Finder
from ragraft.methods.forgetting import Model, measure_forgetting
from ragraft.methods.judging import claim_of, judge, judged, judgement_row, judging_facts, with_judgements
from ragraft.methods.limit import spread_questions
from ragraft.methods.manner import UNSAID, Manner
from ragraft.methods.passage_sweeps import ask_sweep, lay_out, sweep_figures
from ragraft.methods.probing.asked import RETRIEVED, Desk
from ragraft.methods.probing.figures import probe_figures
from ragraft.methods.probing.table import PROBES
from ragraft.methods.progress_bar import progress_bar
from ragraft.methods.prompt import PromptBuilder
from ragraft.methods.raft import Recipe
from ragraft.methods.scorecard import PAIRS, build_scorecard
from ragraft.methods.second_reading import Found, find_manner
from ragraft.methods.selective import CONFIDENCE, risk_coverage
from ragraft.methods.text_fit import TextFit, measure_texts
from ragraft.ports import Generator, Grader, Scorer
from ragraft.records import Answer, ExamQuestion, to_json
from ragraft.workspace import FORGETTING, TIMING, Exam, Folder, Index, Scorecard

Generators = Mapping[str, Generator]
Spent = Callable[[], tuple[int, float]]


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
    grader: Grader | None = None,
    labelled: Sequence[Labelled] = (),
    spent: Spent | None = None,
) -> Scorecard:
    """The grid of models and contexts, sweeps and probes, as `settings` say; `generators` holds `base` and `tuned`.

    The validation side is asked where settings are chosen. `scorers` of both, where given, also tell what the tuned
    model has forgotten. `made` are the questions that a machine made for lessons: where none are given, examples and
    the validation side come from them. A `grader` judges what was answered with retrieved passages, and is itself
    measured on `labelled` claims. `spent` tells how many answers were computed so far, and in how many seconds.
    """
    sides = _Sides(exam, made)
    asked = sides.validation if side == "validation" else exam.questions("exam")
    questions, left_out = spread_questions(asked, settings.max_questions, seed=settings.seed)
    if not questions:
        raise InputError(f"The {side} side holds no question; give more questions or a larger examine.shares.{side}")
    room = Room(finder, builder, index.passages(), k=retrieve.k, batch=settings.batch)
    with progress_bar() as bar:
        cells: dict[Context, Shown] = {context: room.show(context, questions) for context in settings.contexts}
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
        found = _tuned_manner(sides, room, generators, settings=settings, prompt=prompt)
        arms = [_arm(model, generators, shots, found.manner if found else UNSAID) for model in settings.models]
        task = bar.add_task("answering", total=sum(len(shown) for shown in cells.values()) * len(arms))
        room.tick = partial(bar.advance, task)
        answers, took = _ask_grid(room, arms, cells, spent)
        budget = {
            "passages dropped to fit": room.dropped,
            "questions left out": len(left_out),
            "questions whose oracle passages do not fit": room.too_long,
        }
        beside = _Beside(questions, room, arms, settings, bar)
        sweeps = beside.sweep(out)
        probes = beside.probe(out, answers, cells.get(RETRIEVED, []))
        judging: dict[str, Any] = {}
        if grader:
            answers, judging = beside.judge(out, answers, cells.get(RETRIEVED, []), grader=grader, labelled=labelled)
        if scorers and "tuned" in settings.models:
            bar.add_task("general instructions", total=None)
            _measure_forgetting(generators, scorers, settings=settings, out=out)
    out.write_jsonl("answers.jsonl", map(to_json, answers))
    if took:
        out.write_json(TIMING, took)
    card = build_scorecard(answers, questions, resamples=settings.resamples, seed=settings.seed)
    card |= {"sweeps": sweeps, "probes": probes, "grader": judging, "selective": beside.select(answers)}
    card |= {"made_by": making(question.question for question in questions), "budget": budget}
    card["manner"] = to_json(found) if found else {}
    card["texts"] = measure_texts(texts, resamples=settings.resamples, seed=settings.seed) if texts else {}
    out.write_json("scorecard.json", card)
    out.write_json("summary.json", {"questions": len(questions), "answers": len(answers)})
    return Scorecard(out)


def _measure_forgetting(
    generators: Generators, scorers: Mapping[str, Scorer], *, settings: EvaluateConfig, out: Folder
) -> None:
    base, tuned = (Model(generators[name], scorers[name]) for name in ("base", "tuned"))
    figures, rows = measure_forgetting(base, tuned, resamples=settings.resamples, seed=settings.seed)
    out.write_jsonl("forgetting.jsonl", rows)
    out.write_json(FORGETTING, figures)


def _tuned_manner(
    sides: _Sides,
    room: Room,
    generators: Generators,
    *,
    settings: EvaluateConfig,
    prompt: PromptConfig,
) -> Found | None:
    """When the tuned model abstains, and whether it rereads its quotes: as is set, else as the validation side says."""
    if "tuned" not in settings.models:
        return None
    return find_manner(
        room,
        generators["tuned"],
        sides.validation,
        given=Manner.given(prompt),
        number=settings.threshold_questions,
        most=prompt.over_refusal,
        resamples=settings.resamples,
        seed=settings.seed,
    )


def _arm(model: str, generators: Generators, shots: Shots, manner: Manner) -> Arm:
    if model == "tuned":
        return Arm(model, generators["tuned"], manner=manner)
    return Arm(model, generators["base"], shots if model == "base-fewshot" else NO_SHOTS)


def _ask_grid(
    room: Room, arms: Sequence[Arm], cells: Mapping[Context, Shown], spent: Spent | None
) -> tuple[list[Answer], list[dict[str, Any]]]:
    """Every condition's rows with the confidence of each, and how long it took, where that is told.

    Answers that were kept from before took no time, so only those computed now are measured.
    """
    answers: list[Answer] = []
    took = []
    for arm in arms:
        for context, shown in cells.items():
            before = spent() if spent else (0, 0.0)
            for row, reply in room.cell(arm, context, shown):
                sure = confidence(reply, room.builder.tokenizer.count)
                answers.append(replace(row, scores={**row.scores, CONFIDENCE: sure}))
            number, seconds = (now - then for now, then in zip(spent() if spent else before, before, strict=True))
            if number:
                timed = {"answers": int(number), "batch": room.batch, "seconds": seconds / number}
                took.append({"model": arm.name, "context": context, **timed})
    return answers, took


@dataclass(frozen=True, slots=True)
class _Beside:
    """What is asked beside the grid, of the same arms."""

    questions: Sequence[ExamQuestion]
    room: Room
    arms: Sequence[Arm]
    settings: EvaluateConfig
    bar: Any

    def sweep(self, out: Folder) -> list[dict[str, Any]]:
        """The figures of each sweep that is wished for; sweeps.jsonl gets the rows behind them."""
        settings = self.settings
        figures: list[dict[str, Any]] = []
        answers: list[Answer] = []
        asked, _ = spread_questions(self.questions, settings.sweep_questions, seed=settings.seed)
        for name in settings.sweeps:
            layout = lay_out(name, asked, self.room)
            self._count(f"sweep over {name}", sum(len(shown) for shown in layout.points.values()) * len(self.arms))
            rows = ask_sweep(name, layout, self.room, self.arms)
            sampling = {"resamples": settings.resamples, "seed": settings.seed}
            figures.append(sweep_figures(name, layout, rows, pairs=PAIRS, **sampling))
            answers += [row for cell in rows.values() for row in cell.values()]
        if settings.sweeps:
            out.write_jsonl("sweeps.jsonl", map(to_json, answers))
        return figures

    def probe(self, out: Folder, answers: Sequence[Answer], shown: Shown) -> list[dict[str, Any]]:
        """The figures of each probe that is wished for; probes.jsonl gets what was asked for them.

        `answers` are the grid's, `shown` is what it retrieved.
        """
        settings = self.settings
        asked, _ = spread_questions(self.questions, settings.probe_questions, seed=settings.seed)
        grid: dict[str, list[Answer]] = {}
        for row in answers:
            if row.context == RETRIEVED:
                grid.setdefault(row.model, []).append(row)
        passages = {one.id: found for one, found in shown}
        desk = Desk(asked, self.room, self.arms, settings.seed, exam=self.questions, grid=grid, passages=passages)
        clusters = {one.id: one.cluster for one in asked}
        sampling = {"resamples": settings.resamples, "seed": settings.seed}
        figures: list[dict[str, Any]] = []
        rows: list[Answer] = []
        for name in settings.probes:
            self._count(f"probe {name}", PROBES[name].cells * len(asked) * len(self.arms))
            found = PROBES[name].ask(desk)
            figures.append(probe_figures(name, found, clusters, pairs=PAIRS, **sampling))
            rows += found.answers
        if settings.probes:
            out.write_jsonl("probes.jsonl", map(to_json, rows))
        return figures

    def judge(
        self,
        out: Folder,
        answers: Sequence[Answer],
        shown: Shown,
        *,
        grader: Grader,
        labelled: Sequence[Labelled],
    ) -> tuple[list[Answer], dict[str, Any]]:
        """The grid's answers, those with retrieved passages with their verdicts, and the facts of the judging.

        judgements.jsonl gets every verdict, and the reason where there is none.
        """
        passages = {passage.id: passage for _, found in shown for passage in found}
        questions = {one.id: one for one in self.questions}
        rows = judged([row for row in answers if row.context == RETRIEVED])
        claims = [claim_of(row, questions[row.question_id], passages) for row in rows]
        task = self.bar.add_task("judging", total=len(claims) + len(labelled))
        tick = partial(self.bar.advance, task)
        verdicts = judge(claims, grader, tick)
        out.write_jsonl("judgements.jsonl", map(judgement_row, rows, claims, verdicts))
        name, settings = self.settings.grader or "", self.settings
        facts = judging_facts(name, verdicts)
        if labelled:
            tried = judge([one.claim for one in labelled], grader, tick)
            facts["agreement"] = agreement(labelled, tried, resamples=settings.resamples, seed=settings.seed)
        keys = [(row.model, row.context, row.question_id) for row in rows]
        return with_judgements(answers, dict(zip(keys, verdicts, strict=True))), facts

    def select(self, answers: Sequence[Answer]) -> list[dict[str, Any]]:
        """Risk by coverage of each model with retrieved passages, where its generator tells how sure it is."""
        clusters = {one.id: one.cluster for one in self.questions}
        sampling = {"resamples": self.settings.resamples, "seed": self.settings.seed}
        found = []
        for arm in self.arms:
            rows = [row for row in answers if (row.model, row.context) == (arm.name, RETRIEVED)]
            curve = risk_coverage(rows, clusters, **sampling) if rows else None
            if curve:
                found.append({"model": arm.name, "context": RETRIEVED, **curve})
        return found

    def _count(self, what: str, total: int) -> None:
        self.room.tick = partial(self.bar.advance, self.bar.add_task(what, total=total))


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
    trial, _ = spread_questions(sides.validation, settings.shot_questions, seed=settings.seed)
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
