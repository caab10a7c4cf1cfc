"""Decide whether tuning would help this RAG, and which kind. Reads Index and Exam; writes Diagnosis.

Asks the base model the validation side under the conditions of `methods.ladder`, which finds what is lost where; what
would pay is found by `methods.verdict`. Small runs, where they are wished for, are asked the same questions. Knows
neither models nor prices.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ragraft.config import DiagnoseConfig, PromptConfig, RetrieveConfig, SynthesizeConfig
from ragraft.errors import InputError
from ragraft.methods.answer import Reply
from ragraft.methods.asking import NO_SHOTS, Arm, Room, Shots
from ragraft.methods.bits_per_byte import Sample
from ragraft.methods.confidence import RIGHT, Sure, calibration, confidence
from ragraft.methods.containment import holds
from ragraft.methods.contexts import Context, Shown
from ragraft.methods.costs import Cost, Machines
from ragraft.methods.exam_facts import making
from ragraft.methods.finders import Finder
from ragraft.methods.form import form_validity
from ragraft.methods.grade import measure_of
from ragraft.methods.jargon import measure_jargon, sample_chunks
from ragraft.methods.ladder import Climbed, Rungs, climb
from ragraft.methods.learning_curve import Curve, SmallRuns
from ragraft.methods.limit import spread_questions
from ragraft.methods.progress_bar import progress_bar
from ragraft.methods.prompt import PromptBuilder
from ragraft.methods.raft import Recipe
from ragraft.methods.rules import load_rules
from ragraft.methods.scorecard import build_scorecard
from ragraft.methods.search_trial import (
    OtherIndex,
    Setting,
    best_setting,
    by_depth,
    settings_told,
    try_indexes,
    try_settings,
)
from ragraft.methods.stats import mean_interval
from ragraft.methods.verdict import Adviser, Evidence
from ragraft.ports import Generator, Scorer
from ragraft.records import Answer, ExamQuestion, to_json
from ragraft.workspace import DIAGNOSIS, Diagnosis, Exam, Folder, Index

PLAIN, FEWSHOT = "base", "base-fewshot"
CONTEXTS: tuple[Context, ...] = ("none", "retrieved", "oracle", "oracle+N", "unanswerable")
WIDEST = 0.98
"""Half of a 95 % interval of one share that is as uncertain as can be."""
Cells = Mapping[tuple[str, str], Mapping[str, tuple[Answer, Reply]]]
"""(model, context) → question id → row and reply."""


def diagnose(
    index: Index,
    exam: Exam,
    generator: Generator,
    *,
    settings: DiagnoseConfig,
    prompt: PromptConfig,
    retrieve: RetrieveConfig,
    synthesize: SynthesizeConfig,
    finders: Mapping[str, Finder],
    indexes: Sequence[OtherIndex] = (),
    learning: SmallRuns | None = None,
    builder: PromptBuilder,
    scorer: Scorer | None,
    general: Sequence[Sample],
    costs: Mapping[str, Cost],
    machines: Machines,
    out: Folder,
) -> Diagnosis:
    """Write diagnosis.json, answers.jsonl, fewshot.json and summary.json.

    `finders` are ways to search, the one in use first; the others are only tried for what they find. `costs` are those
    of the actions that need a machine. `indexes` are others that search is tried in, `learning` are the small runs of a
    learning curve, where one is wished for. Without a `scorer`, the documents' language is compared with `general` text
    by tokens a word alone.
    """
    questions, left_out = _sized(exam, settings)
    found = next(iter(finders.values()))
    room = Room(found, builder, index.passages(), k=retrieve.k, batch=settings.batch)
    shots = _shots(exam, room, settings=settings, pool=retrieve.pool, recipe=Recipe.of(synthesize, prompt.abstention))
    cells = _ask(room, questions, generator, shots)
    out.write_jsonl("answers.jsonl", (to_json(row) for rows in cells.values() for row, _ in rows.values()))
    out.write_json("fewshot.json", {"examples": [to_json(shot) for shot in shots.with_documents]})
    sampling = _Sampling(settings.resamples, settings.seed)
    climbed = _climb(questions, cells, room)
    tried = try_settings(questions, finders, builder=builder, k=retrieve.k, pool=retrieve.pool)
    tried += try_indexes(questions, indexes, builder=builder, k=retrieve.k, pool=retrieve.pool)
    chunks = index.chunks()
    language = measure_jargon(
        sample_chunks(chunks, settings.texts, seed=settings.seed),
        general,
        scorer=scorer,
        count=builder.tokenizer.count,
        **sampling.named,
    )
    measured = _measured(language, sum(chunk.tokens for chunk in chunks))
    evidence = Evidence(climbed, tried, measured, {**costs, **_answer_costs(cells, climbed, tried)})
    adviser = Adviser(evidence, load_rules(), **sampling.named)
    learned = _learn(adviser.to_measure(), room, questions, learning) if learning else None
    if learned:
        out.write_jsonl("curve.jsonl", (to_json(row) for rows in learned.rows for row in rows))
        adviser = Adviser(replace(evidence, learned=learned.curve(cells)), load_rules(), **sampling.named)
    advice = adviser.advise(machines, price_here=settings.price_per_hour)
    loss = adviser.figures["loss"]
    data = {
        "side": "validation",
        "questions": len(questions),
        "clusters": len({question.cluster for question in questions}),
        "unanswerable": sum(not question.question.answerable for question in questions),
        "without_evidence": sum(one.question.answerable and not one.oracle for one in questions),
        "made_by": making(question.question for question in questions),
        "examples": len(shots.with_documents),
        "k": retrieve.k,
        "precision": _precision(loss, settings.precision),
        "total_loss": loss,
        "loss": {name.partition(".")[2]: one for name, one in adviser.figures.items() if name.startswith("loss.")},
        "conditions": _conditions(cells, questions, sampling),
        "retrieval": {
            "by_depth": by_depth(questions, found, pool=retrieve.pool, k=retrieve.k, **sampling.named),
            "settings": settings_told(climbed, tried, **sampling.named),
        },
        "curve": _curve_told(adviser, learned, cells, sampling) if learning else {},
        "language": language,
        "form": _forms(cells, questions, sampling),
        "calibration": _calibration(cells, questions, builder, sampling),
        "figures": adviser.figures,
        **advice,
        "budget": {
            "passages dropped to fit": room.dropped,
            "questions left out": len(left_out),
            "questions whose oracle passages do not fit": room.too_long,
        },
    }
    out.write_json(DIAGNOSIS, data)
    out.write_json("summary.json", _summary(data))
    return Diagnosis(out)


@dataclass(frozen=True, slots=True)
class _Sampling:
    resamples: int
    seed: int

    @property
    def named(self) -> dict[str, int]:
        return {"resamples": self.resamples, "seed": self.seed}


def _sized(exam: Exam, settings: DiagnoseConfig) -> tuple[list[ExamQuestion], list[ExamQuestion]]:
    """As many validation questions as the wanted precision may need, and max_questions allows."""
    enough = math.ceil((WIDEST / settings.precision) ** 2)
    asked = exam.questions("validation")
    if not asked:
        raise InputError(
            "The validation side holds no question, and diagnose asks no other; give questions to learn from, or a "
            "larger examine.shares.validation"
        )
    return spread_questions(asked, min(enough, settings.max_questions), seed=settings.seed)


def _shots(exam: Exam, room: Room, *, settings: DiagnoseConfig, pool: int, recipe: Recipe) -> Shots:
    """Examples from the train side, as drawn: to try orders on the questions that are asked would flatter them."""
    train = exam.questions("train")
    if not train:
        return NO_SHOTS
    abstaining = any(not question.question.answerable for question in train)
    return room.draw_shots(train, settings.shots, abstaining=abstaining, pool=pool, recipe=recipe, seed=settings.seed)


def _ask(room: Room, questions: Sequence[ExamQuestion], generator: Generator, shots: Shots) -> Cells:
    """The plain prompt with retrieved passages, and every context with examples; without any, plainly."""
    arm = FEWSHOT if shots.with_documents else PLAIN
    asked: list[tuple[str, Context]] = [(PLAIN, "retrieved")]
    asked += [(arm, context) for context in CONTEXTS if (arm, context) != (PLAIN, "retrieved")]
    shown: dict[Context, Shown] = {context: room.show(context, questions) for context in CONTEXTS}
    arms = {PLAIN: Arm(PLAIN, generator), FEWSHOT: Arm(FEWSHOT, generator, shots)}
    with progress_bar() as bar:
        task = bar.add_task("answering", total=sum(len(shown[context]) for _, context in asked))
        room.tick = partial(bar.advance, task)
        return {
            (model, context): {
                row.question_id: (row, reply) for row, reply in room.cell(arms[model], context, shown[context])
            }
            for model, context in asked
        }


@dataclass(frozen=True, slots=True)
class _Learned:
    """What small runs of an action answered."""

    action: str
    runs: SmallRuns
    clusters: tuple[str, ...]
    rows: tuple[tuple[Answer, ...], ...]
    """By run, in the order of the questions."""

    def curve(self, cells: Cells) -> Curve:
        """Their gains over the plain base."""
        plain = cells[PLAIN, "retrieved"]
        gains = tuple(tuple(_f1(row) - _f1(plain[row.question_id][0]) for row in rows) for rows in self.rows)
        return Curve(self.action, self.runs.whole, self.runs.sizes, gains)


def _learn(action: str | None, room: Room, questions: Sequence[ExamQuestion], runs: SmallRuns) -> _Learned | None:
    """Ask every small run as the plain base was asked; None where no rule wants a model to be tuned."""
    if action is None:
        return None
    shown = room.show("retrieved", questions)
    rows = []
    for size in runs.sizes:
        arm = Arm(f"{action} on {size}", runs.tuned(action, size))
        with progress_bar() as bar:
            room.tick = partial(bar.advance, bar.add_task("answering", total=len(shown)))
            rows.append(tuple(row for row, _ in room.cell(arm, "retrieved", shown)))
    return _Learned(action, runs, tuple(question.cluster for question in questions), tuple(rows))


def _curve_told(adviser: Adviser, learned: _Learned | None, cells: Cells, sampling: _Sampling) -> dict[str, Any]:
    """Each run's gain, and what all questions are expected to gain by them."""
    foretold = adviser.foretold
    if learned is None or foretold is None:
        return {"action": None}
    curve = learned.curve(cells)
    points = [
        {
            "questions": size,
            "gain": to_json(mean_interval(gains, learned.clusters, resamples=sampling.resamples, seed=sampling.seed)),
            "fitted": fitted,
        }
        for size, gains, fitted in zip(curve.sizes, curve.gains, foretold.fitted, strict=True)
    ]
    told = {"foretold": to_json(foretold.interval), "half": foretold.half, "bounded": foretold.bounded}
    return {"action": curve.action, "questions": curve.whole, "points": points, **told}


def _f1(row: Answer) -> float:
    return row.scores["f1_all"] or 0.0


def _arm(cells: Cells) -> str:
    """The model of the ladder above its first rung."""
    return FEWSHOT if (FEWSHOT, "retrieved") in cells else PLAIN


def _climb(questions: Sequence[ExamQuestion], cells: Cells, room: Room) -> list[Climbed]:
    """Every question has its two rows with retrieved passages, be there none; those of the oracle may be missing."""
    arm = _arm(cells)
    plain, examples, among, alone = (
        {name: row for name, (row, _) in cells[condition].items()}
        for condition in ((PLAIN, "retrieved"), (arm, "retrieved"), (arm, "oracle+N"), (arm, "oracle"))
    )
    return [
        climb(
            Rungs(
                question,
                plain[question.id],
                examples[question.id],
                among.get(question.id),
                alone.get(question.id),
                held=_held(question, alone.get(question.id), room),
            )
        )
        for question in questions
    ]


def _held(question: ExamQuestion, alone: Answer | None, room: Room) -> bool:
    """Whether the oracle holds a right answer word for word; a label or a call is never said in its words."""
    if alone is None or measure_of(question.question) != "text":
        return alone is not None
    texts = [room.chunks[name].text for name in alone.passages]
    return any(holds(text, answer) for text in texts for answer in question.question.answers)


def _measured(language: Mapping[str, Any], tokens: int) -> dict[str, Mapping[str, Any]]:
    """The figures that rules may ask for beside those of the ladder."""
    found: dict[str, Mapping[str, Any]] = {"corpus_tokens": {"value": tokens}}
    for name, measure in (("jargon", "bits per byte"), ("fertility", "tokens a word")):
        if measure in language:
            found[name] = language[measure]["ratio"]
    return found


def _answer_costs(cells: Cells, climbed: Sequence[Climbed], tried: Sequence[Setting]) -> dict[str, Cost]:
    """What every later answer costs more with examples, and with the best search setting, and its index once."""
    plain, examples = cells[PLAIN, "retrieved"], cells[_arm(cells), "retrieved"]
    longer = sum(examples[name][0].prompt_tokens - row.prompt_tokens for name, (row, _) in plain.items()) / len(plain)
    best = best_setting(climbed, tried)
    searched = replace(best.cost, tokens_an_answer=best.tokens - tried[0].tokens) if best else Cost()
    return {"examples": Cost(tokens_an_answer=longer), "settings": searched}


def _conditions(cells: Cells, questions: Sequence[ExamQuestion], sampling: _Sampling) -> list[dict[str, Any]]:
    """The scores of every condition; with the evidence taken out only what was refused means anything."""
    answers = [row for rows in cells.values() for row, _ in rows.values()]
    card = build_scorecard(answers, questions, resamples=sampling.resamples, seed=sampling.seed, pairs=())
    found: list[dict[str, Any]] = card["conditions"]
    for condition in found:
        if condition["context"] == "unanswerable":
            kept = ("refusal_without_evidence", "prompt_tokens", "answer_tokens")
            condition["metrics"] = {name: condition["metrics"][name] for name in kept if name in condition["metrics"]}
    return found


def _forms(cells: Cells, questions: Sequence[ExamQuestion], sampling: _Sampling) -> dict[str, Any]:
    clusters = {question.id: question.cluster for question in questions}
    return {
        model: form_validity([row for row, _ in rows.values()], clusters, **sampling.named)
        for (model, context), rows in cells.items()
        if context == "retrieved"
    }


def _calibration(
    cells: Cells, questions: Sequence[ExamQuestion], builder: PromptBuilder, sampling: _Sampling
) -> dict[str, Any]:
    """Of the answers with examples and retrieved passages; to abstain is no answer."""
    clusters = {question.id: question.cluster for question in questions}
    sure = []
    for name, (row, reply) in cells[_arm(cells), "retrieved"].items():
        value = None if row.abstained else confidence(reply, builder.tokenizer.count)
        if value is not None:
            sure.append(Sure(value, _f1(row) >= RIGHT, clusters[name]))
    return calibration(sure, **sampling.named)


def _precision(loss: Mapping[str, Any], wanted: float) -> dict[str, Any]:
    """Half the interval of the loss, and about how many questions would bring it to what is wanted."""
    if loss["low"] is None:
        return {"wanted": wanted, "reached": None, "questions_needed": None}
    reached = (loss["high"] - loss["low"]) / 2
    return {"wanted": wanted, "reached": reached, "questions_needed": math.ceil(loss["n"] * (reached / wanted) ** 2)}


def _summary(data: Mapping[str, Any]) -> dict[str, Any]:
    largest = max(data["loss"], key=lambda part: data["loss"][part]["value"])
    return {
        "verdict": data["decision"]["does"],
        "questions": data["questions"],
        "lost of 100": round(100 * data["total_loss"]["value"], 1),
        "most to": largest,
    }
