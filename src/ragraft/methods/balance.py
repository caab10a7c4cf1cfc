"""How many lessons abstain: too many, and a small model learns to refuse everything; none, and it never abstains.

Knows placed questions only; what else can make a question unfit for a lesson is the caller's to say.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Collection, Sequence
from itertools import islice

from ragraft.methods.lots import lot
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
    answered = (question for question in questions if question.question.answerable and teachable(question))
    # Telling who is teachable costs much: no more are looked at than carry all unanswerable ones.
    wanted = len(unanswerable) * (1 - share) / share if share else math.inf
    enough = math.ceil(wanted) if wanted < len(questions) else len(questions)
    most = most_beside(beside + sum(1 for _ in islice(answered, enough)), share)
    # A salt of its own: drawn like the questions within a limit, all that stay would stand among those.
    drawn = sorted(unanswerable, key=lambda question: lot(f"{seed}|unanswerable|{question.id}"))
    over = {question.id for question in drawn[most:]}
    return [q for q in questions if q.id not in over], [q for q in questions if q.id in over]


def most_beside(others: int, share: float) -> int:
    """How many rows of a kind may stand beside so many others to be at most `share` of all, in 0..1 without 1."""
    return int(others * share / (1 - share) + ROUNDING)


def plan_kinds(
    questions: Sequence[ExamQuestion],
    oracle_share: float,
    seed: int,
    *,
    known: Collection[str] = (),
    memory_share: float = 0.0,
) -> dict[str, bool]:
    """Which questions show their oracle: `oracle_share` of all, as far as the answerable ones allow.

    Unanswerable questions are lessons without an oracle already, so they count towards the rest: a small model that
    sees a third of its lessons abstain learns to refuse everything. With a `memory_share`, so many of all are known
    ones without their oracle, to be answered from memory, as far as there are any; the rest of those without are then
    questions that the model doesn't know.
    """
    answerable = sorted(question.id for question in questions if question.oracle)
    hidden = round((1 - oracle_share) * len(questions)) - (len(questions) - len(answerable))
    order = random.Random(f"{seed}|oracle")
    recalled = [name for name in answerable if memory_share and name in known]
    spare = max(len(answerable) - 1, 0)
    without = set(order.sample(recalled, min(round(memory_share * len(questions)), len(recalled), spare)))
    others = sorted(set(answerable).difference(recalled))
    wanted = min(max(hidden - len(without), 0), len(others), spare - len(without))
    without.update(order.sample(others, wanted))
    return {question.id: bool(question.oracle) and question.id not in without for question in questions}
