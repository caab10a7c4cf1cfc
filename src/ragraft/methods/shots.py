"""Solved examples for the few-shot base, from the train side. Knows lessons and prompts; knows no model.

Each shows its oracle and one distractor, in the target format; one abstains if the exam holds unanswerable questions.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from ragraft.methods.containment import holds, is_telling
from ragraft.methods.finders import Finder
from ragraft.methods.prompt import PromptBuilder, Shot
from ragraft.methods.raft import Made, Recipe, make_lesson
from ragraft.methods.target import wanted_line
from ragraft.records import ExamQuestion, Passage

# An example must teach the form without filling the window.
LONGEST_TARGET = 80


def choose_shots(
    train: Sequence[ExamQuestion],
    count: int,
    *,
    abstaining: bool,
    finder: Finder,
    pool: int,
    chunks: Mapping[str, Passage],
    recipe: Recipe,
    builder: PromptBuilder,
    seed: int,
) -> tuple[list[Shot], list[Shot]]:
    """`count` examples with documents and as many closed-book ones, in a seeded order; fewer where too few fit."""
    order = random.Random(f"{seed}|shots")
    elsewhere = finder.elsewhere(train, chunks)
    questions = order.sample(list(train), len(train))
    one_distractor = replace(recipe, distractors=(1, 1))

    def lessons(with_oracle: bool, among: Sequence[ExamQuestion]) -> Iterator[tuple[ExamQuestion, Shot]]:
        for question in among:
            ranked = finder.find([question], pool)[0]
            made = make_lesson(
                question,
                with_oracle=with_oracle,
                chunks=chunks,
                ranked=ranked,
                elsewhere=elsewhere,
                recipe=one_distractor,
                builder=builder,
                answers_it=lambda passage, q=question: _holds_answer(q, passage.text),  # type: ignore[misc]
                seed=f"{seed}.shot",
            )
            if isinstance(made, Made) and builder.tokenizer.count(made.lesson.target) <= LONGEST_TARGET:
                yield question, Shot(question.question.question, made.shown, made.lesson.target)

    refused = [q for q in questions if not q.question.answerable] or questions[::-1]
    refusing = next(lessons(False, refused), None) if abstaining else None
    answered = [q for q in questions if q.oracle and not q.weak and not (refusing and q.id == refusing[0].id)]
    solved = [pair for _, pair in zip(range(count), lessons(True, answered), strict=False)]
    closed = [Shot(q.question.question, (), wanted_line(q.question)) for q, _ in solved]
    open_book = [shot for _, shot in solved]
    if refusing:
        open_book = [*open_book[: count - 1], refusing[1]]
        order.shuffle(open_book)
    return open_book, closed


def _holds_answer(question: ExamQuestion, text: str) -> bool:
    """Whether a text holds an answer that means something there; a bare “no” stands everywhere."""
    return any(holds(text, answer) for answer in question.question.answers if is_telling(answer))
