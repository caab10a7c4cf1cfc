"""Write the lessons that would teach the train side, without leaking the exam. Reads Corpus, Index and Exam.

Knows methods and settings; knows no tokenizer's or model's kind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ragraft.config import PromptConfig, RetrieveConfig, SynthesizeConfig
from ragraft.errors import InputError
from ragraft.methods.containment import Containment, holds
from ragraft.methods.finders import Finder
from ragraft.methods.grouping import group_parts
from ragraft.methods.limit import limit_questions
from ragraft.methods.prompt import PromptBuilder
from ragraft.methods.raft import Made, Part, Recipe, make_group, make_part, plan_kinds
from ragraft.records import ExamQuestion, Lesson, Passage, Rejected, to_json
from ragraft.workspace import Exam, Folder, Index, Lessons

BATCH = 64
"""Questions whose passages are looked for at a time."""


def synthesize(
    index: Index,
    exam: Exam,
    *,
    settings: SynthesizeConfig,
    prompt: PromptConfig,
    retrieve: RetrieveConfig,
    finder: Finder,
    builder: PromptBuilder,
    out: Folder,
) -> Lessons:
    """RAFT lessons of the train side, and of the validation side for the validation loss."""
    workshop = _Workshop(index, settings=settings, prompt=prompt, pool=retrieve.pool, finder=finder, builder=builder)
    train, left_out = limit_questions(exam.questions("train"), settings.max_questions, seed=settings.seed)
    lessons, rejected = workshop.make(train, copies=settings.copies)
    held_out, spared = limit_questions(exam.questions("validation"), settings.max_validation, seed=settings.seed)
    validation, unusable = workshop.make(held_out, copies=1)
    rejected += unusable
    rejected += [Rejected(question.id, "over synthesize.max_questions") for question in left_out]
    rejected += [Rejected(question.id, "over synthesize.max_validation") for question in spared]
    out.write_jsonl("rejected.jsonl", map(to_json, rejected))
    if not lessons:
        asked = {question.id for question in train}
        reasons = Counter(row.reason for row in rejected if row.id in asked)
        [(reason, times)] = reasons.most_common(1) or [("there were none", 0)]
        raise InputError(
            f"No lesson could be made from {len(train)} questions (commonest reason, {times} times: {reason}); "
            f"all reasons: {out.file('rejected.jsonl')}"
        )
    out.write_jsonl("lessons.jsonl", (to_json(made.lesson) for made in lessons))
    out.write_jsonl("validation.jsonl", (to_json(made.lesson) for made in validation))
    counts = _counts(lessons, validation, rejected, builder) | workshop.found_oracles(lessons)
    out.write_json("counts.json", counts)
    out.write_json("summary.json", {key: counts[key] for key in ("lessons", "validation lessons", "tokens")})
    return Lessons(out)


class _Workshop:
    """What every lesson is made with."""

    def __init__(
        self,
        index: Index,
        *,
        settings: SynthesizeConfig,
        prompt: PromptConfig,
        pool: int,
        finder: Finder,
        builder: PromptBuilder,
    ) -> None:
        self._settings, self._builder, self._pool, self._finder = settings, builder, pool, finder
        chunks = index.chunks()
        self._chunks = {c.id: Passage(c.id, c.document_id, c.title, c.text) for c in chunks}
        self._ids = [chunk.id for chunk in chunks]
        self._containment = Containment([chunk.text for chunk in chunks])
        self._recipe = Recipe(
            distractors=settings.distractors,
            hard=settings.hard,
            low=settings.low,
            quote_words=settings.quote_words,
            abstention=prompt.abstention,
        )

    def make(self, questions: Sequence[ExamQuestion], *, copies: int) -> tuple[list[Made], list[Rejected]]:
        """Lessons of all questions, a round for each copy; those on the same documents stand together."""
        if not questions:
            return [], []
        ranked = [
            row for start in range(0, len(questions), BATCH) for row in self._find(questions[start : start + BATCH])
        ]
        elsewhere = self._finder.elsewhere(questions, self._chunks)
        answering = [self._answering(question) for question in questions]
        made: list[Made] = []
        rejected: list[Rejected] = []
        for copy in range(copies):
            kinds = plan_kinds(questions, self._settings.oracle_share, self._settings.seed + copy)
            parts = [
                make_part(
                    question,
                    with_oracle=kinds[question.id],
                    chunks=self._chunks,
                    ranked=found,
                    builder=self._builder,
                    answers_it=answers,
                )
                for question, found, answers in zip(questions, ranked, answering, strict=True)
            ]
            lessons = list(self._lessons(parts, elsewhere, copy))
            made += [lesson for lesson in lessons if isinstance(lesson, Made)]
            rejected += [lesson for lesson in lessons if isinstance(lesson, Rejected)]
        return made, rejected

    def _lessons(self, parts: Sequence[Part], elsewhere: Mapping[str, Passage], copy: int) -> Iterator[Made | Rejected]:
        seed = f"{self._settings.seed}.{copy}"
        most = 1 + self._settings.distractors[1]
        groups = group_parts(parts, chunks=self._chunks, size=self._settings.group, documents=most, seed=seed)
        for group in groups:
            yield from make_group(
                group,
                chunks=self._chunks,
                elsewhere=elsewhere,
                recipe=self._recipe,
                builder=self._builder,
                seed=seed,
                copy=copy,
            )

    def _find(self, questions: Sequence[ExamQuestion]) -> list[list[Passage]]:
        """Ranked passages; those that are chunks of ours share one text, or a large exam's would fill the memory."""
        found = self._finder.find(questions, self._pool)
        return [[self._chunks.get(one.id, one) if not one.shows else one for one in passages] for passages in found]

    def _answering(self, question: ExamQuestion) -> Callable[[Passage], bool]:
        """Whether a passage holds an answer distinctive enough to mean something (a bare “no” stands everywhere)."""
        look = self._containment
        telling = [answer for answer in question.question.answers if look.counts(answer)]
        holding = {self._ids[row] for answer in telling for row in look.holding(answer)}

        def answers(passage: Passage) -> bool:
            if passage.id in self._chunks:
                return passage.id in holding
            return any(holds(passage.text, answer) for answer in telling)

        return answers

    def found_oracles(self, lessons: Sequence[Made]) -> dict[str, int]:
        """How many lessons show the oracle as the user's retriever found it."""
        found = sum(any(name not in self._chunks for name in made.lesson.oracle) for made in lessons)
        return {"oracles as your retriever found them": found} if found else {}


def _counts(
    lessons: Sequence[Made], validation: Sequence[Made], rejected: Sequence[Rejected], builder: PromptBuilder
) -> dict[str, Any]:
    """What the report tells about the lessons."""
    kinds = Counter(made.lesson.kind for made in lessons)
    origins = Counter(kind for made in lessons for kind in made.kinds)
    groups = Counter((made.lesson.copy, made.lesson.group or made.lesson.id) for made in lessons)
    places = Counter(made.lesson.passages.index(made.lesson.oracle[0]) + 1 for made in lessons if made.lesson.oracle)
    return {
        "lessons": len(lessons),
        "validation lessons": len(validation),
        "rejected": len(rejected),
        "document sets": len({(made.lesson.copy, made.lesson.passages) for made in lessons}),
        "largest group": max(groups.values()),
        **{f"rejected: {reason}": n for reason, n in sorted(Counter(row.reason for row in rejected).items())},
        **{f"lessons, {kind}": n for kind, n in sorted(kinds.items())},
        "quoting lessons": sum(made.lesson.target.startswith('"') for made in lessons),
        **{f"distractors, {kind}": n for kind, n in sorted(origins.items())},
        "distractors dropped for the budget": sum(made.distractors_dropped for made in lessons),
        **{f"oracle at place {place}": n for place, n in sorted(places.items())},
        "tokens": sum(_tokens(made.lesson, builder) for made in lessons),
        "tokens to compute": _computed([made.lesson for made in lessons], builder),
    }


def _tokens(lesson: Lesson, builder: PromptBuilder) -> int:
    return builder.tokenizer.count_prompt(lesson.prompt) + builder.tokenizer.count(lesson.target) + 1


def _computed(lessons: Sequence[Lesson], builder: PromptBuilder) -> int:
    """Tokens that training computes for all copies: a group's documents once, its questions and answers one by one."""
    read: set[tuple[int, str]] = set()
    total = 0
    for lesson in lessons:
        trunk = (lesson.copy, lesson.group)
        if lesson.group and trunk in read:
            last = lesson.prompt.messages[-1].content[lesson.prompt.cut :]
            total += builder.tokenizer.count(last) + builder.tokenizer.count(lesson.target) + 1
        else:
            total += _tokens(lesson, builder)
        read.add(trunk)
    return total
