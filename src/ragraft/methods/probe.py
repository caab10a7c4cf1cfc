"""What does the base model know by itself? Questions of the train side, asked without documents, before lessons.

A sample is asked first: where hardly any of it is known, all count as unknown and no more are asked. A question is
known when at least one of the model's answers, after a few solved examples, is a right one or holds it word for word
(SliCK, Gekhman et al. 2024, 2405.05904; DTA, 2505.20871). Half of the right words, as token F1 counts them, are no
knowledge: “the 19th century” is not the 20th. Nor is a label such as yes, which can be guessed (such questions are not
asked), or an answer that its question names.

Knows questions, prompts and a generator as a port; knows no lesson and no folder.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from ragraft.methods.answer import parse
from ragraft.methods.calls import same_call
from ragraft.methods.containment import holds, is_telling
from ragraft.methods.grade import exact_match, measure_of
from ragraft.methods.lots import lot
from ragraft.methods.prompt import PromptBuilder, Shot
from ragraft.methods.target import wanted_line
from ragraft.ports import Generator
from ragraft.records import ExamQuestion, Question, Sampling

WORTH_ASKING = 0.05
"""Share of the sample that must be known for all others to be asked."""
SHOTS = 3
ANSWER_TOKENS = 32
"""Room for an answer, and the longest one that an example gives: more than a name or a number is seldom known."""
BATCH = 16
HEAT = 0.7
"""Temperature of the answers after the first one, which is greedy."""


@dataclass(frozen=True, slots=True)
class Probed:
    """A question that was asked without documents."""

    question_id: str
    known: bool
    answers: tuple[str, ...]
    """What the model answered, up to the first right answer."""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What came of asking."""

    rows: tuple[Probed, ...] = ()
    sample: int = 0
    """How many were asked at first."""
    skipped: int = 0
    """Questions with an answer that can't be asked so."""
    known: frozenset[str] = field(default=frozenset())
    """Ids of the questions that count as known."""

    @property
    def right(self) -> int:
        """Questions answered right, whether they count or not."""
        return sum(row.known for row in self.rows)

    def __str__(self) -> str:
        right = f"{self.right:,} of {len(self.rows):,} asked without documents"
        if self.right and not self.known:
            return f"{right}; under {100 * WORTH_ASKING:g} %, so that all count as unknown"
        return right


def probe(
    questions: Sequence[ExamQuestion],
    *,
    beside: Sequence[ExamQuestion] = (),
    base: Generator,
    builder: PromptBuilder,
    sample: int,
    answers: int = 1,
    seed: int,
) -> Knowledge:
    """Ask `sample` of the questions and, where enough of them are known, the others and those of `beside` too."""
    short = replace(builder, answer_tokens=min(builder.answer_tokens, ANSWER_TOKENS))
    able = sorted(_able(questions, short), key=lambda question: lot(f"{seed}|probe|{question.id}"))
    skipped = sum(question.question.answerable for question in questions) - len(able)
    ask = _Asking(base, short, _examples(able, short, seed), answers=answers, seed=seed)
    rows = ask(able[:sample])
    first = len(rows)
    if sum(row.known for row in rows) < WORTH_ASKING * first or not rows:
        return Knowledge(tuple(rows), first, skipped)
    rows += ask([*able[sample:], *_able(beside, short)])
    return Knowledge(tuple(rows), first, skipped, frozenset(row.question_id for row in rows if row.known))


def _able(questions: Sequence[ExamQuestion], builder: PromptBuilder) -> Iterator[ExamQuestion]:
    for question in questions:
        asked = question.question
        if asked.answerable and measure_of(asked) != "label" and builder.fits(asked.question, ()):
            yield question


def _examples(questions: Sequence[ExamQuestion], builder: PromptBuilder, seed: int) -> list[Shot]:
    """One more than a question is shown, so that none is shown its own answer."""
    brief = [
        Shot(question.question.question, (), line)
        for question in questions
        if builder.tokenizer.count(line := wanted_line(question.question)) <= ANSWER_TOKENS
    ]
    return random.Random(f"{seed}|probe").sample(brief, min(len(brief), SHOTS + 1))


@dataclass(frozen=True, slots=True)
class _Asking:
    """Asks in batches, each a resume point where answers are kept; examples are alike within a batch."""

    base: Generator
    builder: PromptBuilder
    examples: Sequence[Shot]
    answers: int
    seed: int

    def __call__(self, questions: Sequence[ExamQuestion]) -> list[Probed]:
        alike: dict[tuple[Shot, ...], list[ExamQuestion]] = {}
        for question in questions:
            alike.setdefault(self._shots(question), []).append(question)
        found = {
            row.question_id: row
            for shots, rows in alike.items()
            for start in range(0, len(rows), BATCH)
            for row in self._batch(rows[start : start + BATCH], shots)
        }
        return [found[question.id] for question in questions]

    def _shots(self, question: ExamQuestion) -> tuple[Shot, ...]:
        others = (shot for shot in self.examples if shot.question != question.question.question)
        return tuple(others)[:SHOTS]

    def _batch(self, questions: Sequence[ExamQuestion], shots: Sequence[Shot]) -> list[Probed]:
        """Up to so many answers to each; those that were right are asked no more."""
        said: dict[str, list[str]] = {question.id: [] for question in questions}
        known: set[str] = set()
        open_ones = list(questions)
        for turn in range(self.answers):
            sampling = Sampling(self.builder.answer_tokens, HEAT if turn else 0.0, self.seed + turn)
            prompts = [self.builder.build(one.question.question, (), shots) for one in open_ones]
            for one, completion in zip(open_ones, self.base.generate(prompts, sampling), strict=True):
                # One line is asked for: what a small model goes on with says nothing of the answer.
                said[one.id].append(completion.text.strip().partition("\n")[0])
                if _is_right(one.question, said[one.id][-1], self.builder.abstention):
                    known.add(one.id)
            open_ones = [one for one in open_ones if one.id not in known]
            if not open_ones:
                break
        return [Probed(name, name in known, tuple(said[name])) for name in said]


def _is_right(question: Question, text: str, abstention: str) -> bool:
    said = parse(text, abstention)
    golds = [answer for answer in question.answers if answer.strip() and not holds(question.question, answer)]
    if said.abstained or not golds:
        return False
    if measure_of(question) == "call":
        return any(same_call(said.answer, gold) for gold in golds)
    # “In 1747” says 1747; that a sentence holds a “no” or a “2” says nothing.
    within = any(is_telling(gold) and holds(said.answer, gold) for gold in golds)
    return within or exact_match(said.answer, golds) == 1
