"""Write the lessons that would teach the train side, without leaking the exam. Reads Corpus, Index and Exam.

A folder a method of the chain. Knows settings and the table of methods; knows no tokenizer's or model's kind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from ragraft.config import PromptConfig, RetrieveConfig, Section, SynthesizeConfig
from ragraft.errors import InputError
from ragraft.methods.balance import cap_unanswerable
from ragraft.methods.exam_facts import making, making_sentence
from ragraft.methods.finders import Finder
from ragraft.methods.instructions import Instruction
from ragraft.methods.limit import limit_questions, spread_questions
from ragraft.methods.probe import Knowledge, probe
from ragraft.methods.prompt import PromptBuilder
from ragraft.methods.raft import Made, Recipe
from ragraft.methods.reasoning import Teacher
from ragraft.methods.teaching.materials import Lot, Materials, Plan
from ragraft.methods.teaching.table import METHODS, Method, probe_size
from ragraft.ports import Generator
from ragraft.records import ExamQuestion, Lesson, Rejected, Side, lesson_to_row, to_json
from ragraft.workspace import Corpus, Exam, Folder, Index, Lessons, step_folder

UNANSWERABLE = "over synthesize.max_unanswerable"
NOT_REPLAYED = "nothing of it changed, and it is not among those replayed (refresh.replay)"
SUMMED = ("lessons", "validation lessons", "tokens")


@dataclass(frozen=True, slots=True)
class Finders:
    """Where questions get their passages."""

    candidates: Finder
    """To the depth at which distractors are looked for."""
    shown: Finder
    """As the exam's retrieved arm shows them."""


def synthesize(
    corpus: Corpus,
    index: Index,
    exam: Exam,
    *,
    methods: Mapping[str, Section | None],
    settings: SynthesizeConfig,
    prompt: PromptConfig,
    retrieve: RetrieveConfig,
    finders: Finders,
    builder: PromptBuilder,
    instructions: Sequence[Instruction] = (),
    base: Generator | None = None,
    teacher: Teacher | None = None,
    out: Folder,
    made: Sequence[ExamQuestion] = (),
    only: Collection[str] | None = None,
) -> Lessons:
    """Lessons of the train side, and of the validation side for the validation loss, by each of `methods` in order.

    `methods` holds the section of the YAML that is a method's own, where it has one; `base` is the model that some ask,
    `teacher` who writes reasonings, and `made` are the questions that a machine made for lessons, on their sides.
    `only` these questions of the train side are learned from, where a refresh leaves others out.
    """
    materials = Materials(
        chunks=index.passages(),
        documents=corpus.documents,
        finder=finders.candidates,
        shown=finders.shown,
        builder=builder,
        plan=_plan(settings, prompt, retrieve),
        instructions=instructions,
        base=base,
        teacher=teacher,
        own={name: section.model_dump() for name, section in methods.items() if section is not None},
    )
    sides = _Sides(exam, settings, made, materials, only=only)
    asked = probe_size(settings.probe, grounded_only=prompt.grounded_only, methods=methods)
    knowledge = _probe(sides, materials, settings, sample=asked) if asked else Knowledge()
    if asked:
        out.write_jsonl("probe.jsonl", map(to_json, knowledge.rows))
    materials = replace(materials, knowledge=knowledge)
    counts = [
        _teach(METHODS[name], materials, sides, out.folder(step_folder(number, name)))
        for number, name in enumerate(methods, start=1)
    ]
    summary = {"method": "+".join(methods), **{key: sum(one[key] for one in counts) for key in SUMMED}}
    warnings = [one["warning"] for one in counts if "warning" in one]
    told = {"warning": "; ".join(warnings)} if warnings else {}
    knows = {"knows": str(knowledge)} if asked else {}
    out.write_json("summary.json", {**summary, **told, **knows, **sides.facts(), **sides.labels()})
    return Lessons(out)


def _plan(settings: SynthesizeConfig, prompt: PromptConfig, retrieve: RetrieveConfig) -> Plan:
    return Plan(
        Recipe.of(settings, prompt.abstention),
        settings.oracle_share,
        settings.group,
        k=retrieve.k,
        pool=retrieve.pool,
        seed=settings.seed,
        memory_share=0.0 if prompt.grounded_only else settings.memory_share,
    )


def _probe(sides: _Sides, materials: Materials, settings: SynthesizeConfig, *, sample: int) -> Knowledge:
    """What the base model knows of the questions that lessons ask."""
    if materials.base is None:
        raise ValueError("the base model is to be asked what it knows, and was not given")
    return probe(
        sides.train,
        beside=sides.validation,
        base=materials.base,
        builder=materials.builder,
        sample=sample,
        answers=settings.probe_answers,
        seed=settings.seed,
    )


class _Sides:
    """The questions that lessons are made from, and those left out."""

    def __init__(
        self,
        exam: Exam,
        settings: SynthesizeConfig,
        made: Sequence[ExamQuestion],
        materials: Materials,
        *,
        only: Collection[str] | None,
    ) -> None:
        self.copies, self._settings, self._materials = settings.copies, settings, materials
        self.left_out: list[Rejected] = []
        self._unanswerable = 0
        given, used = exam.questions("train"), "given" in settings.questions
        self._leave_out(() if used else given, "given, but synthesize.questions asks made ones")
        written: dict[Side, list[ExamQuestion]] = {
            side: [one for one in made if one.side == side] for side in ("train", "validation")
        }
        asked, beside = (self._only(only, rows) for rows in (given if used else (), written["train"]))
        self.train = self._take(asked, "max_questions", beside=beside)
        self.validation = self._take([*exam.questions("validation"), *written["validation"]], "max_validation")

    def _only(self, only: Collection[str] | None, questions: Sequence[ExamQuestion]) -> Sequence[ExamQuestion]:
        """Those of a refresh's lessons."""
        if only is None:
            return questions
        self._leave_out([one for one in questions if one.id not in only], NOT_REPLAYED)
        return [one for one in questions if one.id in only]

    def _take(
        self,
        asked: Sequence[ExamQuestion],
        limit: Literal["max_questions", "max_validation"],
        *,
        beside: Sequence[ExamQuestion] = (),
    ) -> list[ExamQuestion]:
        """As many of the asked questions as the limit allows, few of them unanswerable, and those made beside them."""
        self._unanswerable += sum(not one.question.answerable for one in asked)
        # Before the limit, so that others take their room; and after it, since it takes whole clusters.
        few = self._capped(asked, beside=len(beside))
        spread = limit == "max_questions" and self._settings.limit_by == "question"
        choose = spread_questions if spread else limit_questions
        kept, over = choose(few, getattr(self._settings, limit), seed=self._settings.seed)
        self._leave_out(over, f"over synthesize.{limit}")
        return [*self._capped(kept, beside=len(beside), teachable=self._materials.teachable), *beside]

    def _capped(
        self,
        questions: Sequence[ExamQuestion],
        *,
        beside: int,
        teachable: Callable[[ExamQuestion], bool] = lambda question: True,
    ) -> list[ExamQuestion]:
        share, seed = self._settings.max_unanswerable, self._settings.seed
        kept, over = cap_unanswerable(questions, share, seed=seed, beside=beside, teachable=teachable)
        self._leave_out(over, UNANSWERABLE)
        return kept

    def _leave_out(self, questions: Sequence[ExamQuestion], reason: str) -> None:
        self.left_out += [Rejected(question.id, reason) for question in questions]

    def facts(self) -> dict[str, str]:
        """How many unanswerable questions were too many, in words."""
        over = sum(row.reason == UNANSWERABLE for row in self.left_out)
        told = f"{over} of {self._unanswerable} (synthesize.max_unanswerable)"
        return {"unanswerable left out": told} if over else {}

    def labels(self) -> dict[str, str]:
        """What a machine made, in words, by side."""
        sides = {"train": self.train, "validation": self.validation}
        found = {side: making_sentence(making(one.question for one in rows), side) for side, rows in sides.items()}
        return {f"{side} label": sentence for side, sentence in found.items() if sentence}


def _teach(method: Method, materials: Materials, sides: _Sides, out: Folder) -> dict[str, Any]:
    """Write one method's lessons; returns their counts."""
    train = method.make(materials, sides.train, side="train", copies=sides.copies)
    validation = method.make(materials, sides.validation, side="validation", copies=1)
    rejected = [*train.rejected, *validation.rejected, *(sides.left_out if method.from_questions else ())]
    out.write_jsonl("rejected.jsonl", map(to_json, rejected))
    if written := [*train.reasonings, *validation.reasonings]:
        out.write_jsonl("reasonings.jsonl", written)
    if not train.made:
        raise _nothing_made(sides.train, train.rejected or sides.left_out, out)
    out.write_jsonl("lessons.jsonl", (lesson_to_row(made.lesson) for made in train.made))
    out.write_jsonl("validation.jsonl", (lesson_to_row(made.lesson) for made in validation.made))
    counts = _counts(train, validation, rejected, materials.builder)
    if method.designed and materials.knowledge.rows:
        counts |= _known(train.made, materials.knowledge)
    out.write_json("counts.json", counts)
    return counts


def _nothing_made(asked: Sequence[ExamQuestion], rejected: Sequence[Rejected], out: Folder) -> InputError:
    reasons = Counter(row.reason for row in rejected)
    [(reason, times)] = reasons.most_common(1) or [("there were none", 0)]
    return InputError(
        f"No lesson could be made from {len(asked)} questions (commonest reason, {times} times: {reason}); "
        f"all reasons: {out.file('rejected.jsonl')}"
    )


def _counts(train: Lot, validation: Lot, rejected: Sequence[Rejected], builder: PromptBuilder) -> dict[str, Any]:
    """What the report tells about the lessons."""
    lessons = train.made
    kinds = Counter(made.lesson.kind for made in lessons)
    origins = Counter(kind for made in lessons for kind in made.kinds)
    groups = Counter((made.lesson.copy, made.lesson.group or made.lesson.id) for made in lessons)
    places = Counter(made.lesson.passages.index(made.lesson.oracle[0]) + 1 for made in lessons if made.lesson.oracle)
    return {
        "lessons": len(lessons),
        "validation lessons": len(validation.made),
        "rejected": len(rejected),
        "document sets": len({(made.lesson.copy, made.lesson.passages) for made in lessons if made.lesson.passages}),
        "largest group": max(groups.values()),
        **{f"rejected: {reason}": n for reason, n in sorted(Counter(row.reason for row in rejected).items())},
        **{f"lessons, {kind}": n for kind, n in sorted(kinds.items())},
        "quoting lessons": sum('\n"' in made.lesson.target for made in lessons if made.lesson.question_id),
        **{f"distractors, {kind}": n for kind, n in sorted(origins.items())},
        **_dropped(lessons),
        **{f"oracle at place {place}": n for place, n in sorted(places.items())},
        "tokens": sum(_tokens(made.lesson, builder) for made in lessons),
        "tokens to compute": _computed([made.lesson for made in lessons], builder),
        "validation tokens to compute": _computed([made.lesson for made in validation.made], builder),
        "copies": len({made.lesson.copy for made in lessons}),
        **train.facts,
        **({"validation reasonings": found} if (found := validation.facts.get("reasonings")) else {}),
    }


def _known(lessons: Sequence[Made], knowledge: Knowledge) -> dict[str, Any]:
    """What the base model knows, and how many lessons stand in each quadrant: known or not, evidence shown or not."""
    quadrants = Counter(
        f"quadrant: {'known' if lesson.question_id in knowledge.known else 'not known'}, "
        f"evidence {'shown' if lesson.oracle else 'not shown'}"
        for lesson in (made.lesson for made in lessons)
        if lesson.passages
    )
    asked = {"asked": len(knowledge.rows), "answered right": knowledge.right, "counted as known": len(knowledge.known)}
    skipped = {"not asked (a label, or too long)": knowledge.skipped} if knowledge.skipped else {}
    return {"knows": {**asked, **skipped}, **dict(sorted(quadrants.items()))}


def _dropped(lessons: Sequence[Made]) -> dict[str, int]:
    dropped = sum(made.distractors_dropped for made in lessons)
    designed = any(made.kinds for made in lessons)
    return {f"{'distractors' if designed else 'passages'} dropped for the budget": dropped}


def _tokens(lesson: Lesson, builder: PromptBuilder) -> int:
    closing = 1 if lesson.prompt.messages else 0
    return builder.tokenizer.count_prompt(lesson.prompt) + builder.tokenizer.count(lesson.target) + closing


def _computed(lessons: Sequence[Lesson], builder: PromptBuilder) -> int:
    """Tokens that training computes for all copies: what a group begins with alike once, its own parts one by one."""
    read = set()
    total = 0
    for lesson in lessons:
        if not (lesson.group and lesson.prompt.messages):
            total += _tokens(lesson, builder)
            continue
        *before, last = lesson.prompt.messages
        trunk = (lesson.copy, lesson.group, *before, last.content[: lesson.prompt.cut])
        if trunk in read:
            own = last.content[lesson.prompt.cut :]
            total += builder.tokenizer.count(own) + builder.tokenizer.count(lesson.target) + 1
        else:
            total += _tokens(lesson, builder)
        read.add(trunk)
    return total
