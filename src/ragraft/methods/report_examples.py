"""Choose questions on which two models differ or the second abstains. Knows answers; knows nothing of pages."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ragraft.records import Answer, ExamQuestion

Passages = Mapping[str, Mapping[str, Any]]
"""Chunk id → at least its title and text."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A question with both answers; `gain` is the second's F1 minus the first's, in -1..1."""

    question: ExamQuestion
    before: Answer
    after: Answer
    gain: float


def pair_answers(questions: Sequence[ExamQuestion], before: Sequence[Answer], after: Sequence[Answer]) -> list[Pair]:
    """Every question that both models answered and that both could be scored on, in the questions' order."""
    first = {answer.question_id: answer for answer in before}
    second = {answer.question_id: answer for answer in after}
    pairs = []
    for question in questions:
        if question.id not in first or question.id not in second:
            continue
        scores = (score(question, first[question.id]), score(question, second[question.id]))
        if scores[0] is not None and scores[1] is not None:
            pairs.append(Pair(question, first[question.id], second[question.id], scores[1] - scores[0]))
    return pairs


def score(question: ExamQuestion, answer: Answer) -> float | None:
    """Token F1; where the documents hold no answer, 1 for abstaining and 0 for answering. None: unscored."""
    if not question.question.answerable:
        return 1.0 if answer.abstained else 0.0
    return answer.scores.get("f1")


def choose_examples(pairs: Sequence[Pair], number: int) -> tuple[list[Pair], list[Pair]]:
    """Up to `number` wins and losses, half each; where one kind runs short the other fills up.

    The largest differences come first; among equals each cluster gives one before any gives a second.
    """
    wins = _spread([pair for pair in pairs if pair.gain > 0])
    losses = _spread([pair for pair in pairs if pair.gain < 0])
    half = number // 2
    won = min(len(wins), max(number - half, number - len(losses)))
    return wins[:won], losses[: number - won]


def choose_abstentions(pairs: Sequence[Pair], number: int) -> list[Pair]:
    """Up to `number` of questions on which the second model abstained: wrongly and rightly in turn, by cluster."""
    kinds = [
        _spread([pair for pair in pairs if pair.question.question.answerable == answerable])
        for answerable in (True, False)
    ]
    turns = itertools.chain.from_iterable(itertools.zip_longest(*kinds))
    return [pair for pair in turns if pair is not None][:number]


def example_data(pair: Pair, passages: Passages | None) -> dict[str, Any]:
    """A pair as plain data: question, gold answers, evidence, both answers and the passages that they were shown."""
    question = pair.question.question
    return {
        "question_id": question.id,
        "cluster": pair.question.cluster,
        "question": question.question,
        "gold": list(question.answers),
        "evidence": list(question.evidence),
        "gain": pair.gain,
        "answers": [_answer_data(pair.question, answer) for answer in (pair.before, pair.after)],
        "passages": _passages(pair, passages),
    }


def _spread(pairs: Sequence[Pair]) -> list[Pair]:
    ordered = sorted(pairs, key=lambda pair: (-round(abs(pair.gain), 3), pair.question.id))
    seen: Counter[str] = Counter()
    ranked = []
    for pair in ordered:
        ranked.append((-round(abs(pair.gain), 3), seen[pair.question.cluster], pair.question.id, pair))
        seen[pair.question.cluster] += 1
    return [row[-1] for row in sorted(ranked, key=lambda row: row[:3])]


def _answer_data(question: ExamQuestion, answer: Answer) -> dict[str, Any]:
    return {
        "model": answer.model,
        "answer": answer.answer,
        "text": answer.text,
        "quotes": list(answer.quotes),
        "citations": list(answer.citations),
        "abstained": answer.abstained,
        "evidence_shown": answer.evidence_shown,
        "from_memory": bool(answer.scores.get("from_memory")),
        "truncated": answer.finish_reason == "length",
        "f1": score(question, answer),
    }


def _passages(pair: Pair, passages: Passages | None) -> list[dict[str, Any]]:
    shown = dict.fromkeys((*pair.after.passages, *pair.before.passages))
    return [
        {
            "id": place,
            "title": (passages or {}).get(place, {}).get("title"),
            "text": (passages or {}).get(place, {}).get("text"),
            "oracle": place in pair.question.oracle or pair.question.id in _shown_for(passages, place),
            "numbers": {answer.model: _number(answer, place) for answer in (pair.before, pair.after)},
        }
        for place in shown
    ]


def _shown_for(passages: Passages | None, place: str) -> Sequence[str]:
    """Questions whose evidence a passage from outside our index shows."""
    found: Sequence[str] = (passages or {}).get(place, {}).get("evidence_of", ())
    return found


def _number(answer: Answer, place: str) -> int | None:
    return answer.passages.index(place) + 1 if place in answer.passages else None
