"""Keep unanswerable questions to a share: a small model that abstains too often learns to refuse everything.

Knows placed questions only; what else can make a question unfit for a lesson is the caller's to say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from ragraft.records import ExamQuestion

# What a product such as 10 * 0.2 / 0.8 may lack of a whole number.
ROUNDING = 1e-9


def cap_unanswerable(
    questions: Sequence[ExamQuestion],
    share: float,
    *,
    seed: int,
    beside: int = 0,
    teachable: Callable[[ExamQuestion], bool] = lambda question: True,
) -> tuple[list[ExamQuestion], list[ExamQuestion]]:
    """The questions with at most `share` unanswerable ones among those that make lessons, and those left out.

    Which ones stay is drawn by `seed`. Answerable questions that are not `teachable` don't count, since they make no
    lesson; `beside` so many answerable ones stand elsewhere. Both lists keep the order of `questions`.
    """
    unanswerable = [question for question in questions if not question.question.answerable]
    if not unanswerable or share >= 1:
        return list(questions), []
    answered = beside + sum(question.question.answerable and teachable(question) for question in questions)
    most = int(answered * share / (1 - share) + ROUNDING)
    drawn = sorted(unanswerable, key=lambda question: _digest(f"{seed}:{question.id}"))
    over = {question.id for question in drawn[most:]}
    return [q for q in questions if q.id not in over], [q for q in questions if q.id in over]


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8"), digest_size=16).digest()
