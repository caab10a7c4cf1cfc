"""Pairs of a wanted and an unwanted answer, from lessons and what the tuned model answers to them.

The quadrants of DTA (Sun et al. 2025, 2505.20871): where the documents shown hold the answer, that answer is wanted and
the model's own is not, be it a wrong one or an abstention; where they don't, the abstention is wanted and the model's
own invention is not. An answer of the model's that is not wrong gives way to the abstention as the unwanted one, so
that learning to refuse costs none of them. Knows lessons and completions; knows no model and no folder.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ragraft.methods.answer import parse
from ragraft.methods.balance import most_beside
from ragraft.methods.grade import token_f1
from ragraft.methods.lots import lot
from ragraft.methods.target import abstain
from ragraft.ports import Generator
from ragraft.records import Completion, Lesson, Prompt, Rejected, Sampling

WRONG = 0.3
"""Token F1 with the wanted answer below which an answer is a wrong one."""
WRONG_ANSWER = "answer over a wrong one"
ABSTENTION = "answer over the model's abstention"
STANDING_IN = "answer over an abstention, the model's own not being wrong"
INVENTION = "abstention over an invention"
KINDS = (WRONG_ANSWER, ABSTENTION, STANDING_IN, INVENTION)


@dataclass(frozen=True, slots=True)
class Pair:
    """A prompt, the answer that is wanted and one that is not."""

    id: str
    question_id: str
    kind: str
    prompt: Prompt
    chosen: str
    rejected: str
    cut: bool
    """Whether the unwanted answer broke off, and nothing ends it."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """What lessons and answers gave."""

    made: Sequence[Pair]
    rejected: Sequence[Rejected]


def counts(pairs: Sequence[Pair], rejected: Sequence[Rejected]) -> dict[str, Any]:
    """Pairs by kind, and what was left out by reason."""
    kinds, reasons = Counter(pair.kind for pair in pairs), Counter(row.reason for row in rejected)
    return {
        "pairs": len(pairs),
        **{f"pairs, {kind}": kinds[kind] for kind in KINDS if kinds[kind]},
        "rejected": len(rejected),
        **{f"rejected: {reason}": count for reason, count in sorted(reasons.items())},
    }


def asked_lessons(
    lessons: Sequence[Lesson], abstention: str, *, most: int, seed: int
) -> tuple[list[Lesson], list[Rejected]]:
    """Lessons whose target says whether the documents shown hold the answer, one a question; and those left out."""
    shown = [one for one in lessons if one.copy == 0 and one.question_id and not one.part and one.passages]
    telling = [one for one in shown if one.oracle or parse(one.target, abstention).abstained]
    kept = {one.id for one in sorted(telling, key=lambda one: lot(f"{seed}:{one.id}"))[:most]}
    told = {one.id for one in telling}
    silent = "nothing tells whether its documents hold the answer"
    left = [Rejected(one.id, silent) for one in shown if one.id not in told]
    left += [Rejected(one.id, "over train.dpo.max_pairs") for one in telling if one.id not in kept]
    return [one for one in telling if one.id in kept], left


def own_answers(prompts: Sequence[Prompt], generator: Generator, *, tokens: int, batch: int) -> list[Completion]:
    """What the model answers by itself, greedily, in the order of the prompts; those of like length go together."""
    order = sorted(range(len(prompts)), key=lambda place: (_characters(prompts[place]), place))
    found: dict[int, Completion] = {}
    for start in range(0, len(order), batch):
        part = order[start : start + batch]
        found.update(zip(part, generator.generate([prompts[at] for at in part], Sampling(tokens)), strict=True))
    return [found[place] for place in range(len(prompts))]


def make_pairs(
    lessons: Sequence[Lesson], answers: Sequence[Completion], *, abstention: str, abstaining: float, seed: int
) -> Pairs:
    """A pair a lesson where its answer gives one; of those for the abstention at most the share `abstaining` of all."""
    rows = [_pair(lesson, answer, abstention) for lesson, answer in zip(lessons, answers, strict=True)]
    made = [row for row in rows if isinstance(row, Pair)]
    rejected = [row for row in rows if isinstance(row, Rejected)]
    inventions = [pair for pair in made if pair.kind == INVENTION]
    room = len(inventions)
    if abstaining < 1:
        room = most_beside(len(made) - len(inventions), abstaining)
    over = {pair.id for pair in sorted(inventions, key=lambda pair: lot(f"{seed}:{pair.id}"))[room:]}
    reason = "over train.dpo.abstaining"
    return Pairs(
        [pair for pair in made if pair.id not in over],
        [*rejected, *(Rejected(pair.id, reason) for pair in inventions if pair.id in over)],
    )


def _pair(lesson: Lesson, answer: Completion, abstention: str) -> Pair | Rejected:
    wanted, own = parse(lesson.target, abstention), parse(answer.text, abstention)
    if wanted.abstained:
        if own.abstained:
            return Rejected(lesson.id, "the model abstains here by itself")
        return _made(lesson, answer, INVENTION)
    if own.abstained:
        return _made(lesson, answer, ABSTENTION)
    if token_f1(own.answer, [wanted.answer]) < WRONG:
        return _made(lesson, answer, WRONG_ANSWER)
    return _made(lesson, Completion(abstain(abstention)), STANDING_IN)


def _made(lesson: Lesson, unwanted: Completion, kind: str) -> Pair:
    cut = unwanted.finish_reason == "length"
    return Pair(lesson.id, lesson.question_id, kind, lesson.prompt, lesson.target, unwanted.text, cut)


def _characters(prompt: Prompt) -> int:
    return sum(len(message.content) for message in prompt.messages)
