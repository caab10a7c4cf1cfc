"""Take a part of the questions, by cluster, the same part every time. Knows placed questions only."""

from __future__ import annotations

from collections.abc import Sequence

from ragraft.methods.lots import lot
from ragraft.records import ExamQuestion


def limit_questions(
    questions: Sequence[ExamQuestion], most: int | None, *, seed: int
) -> tuple[list[ExamQuestion], list[ExamQuestion]]:
    """At most `most` questions, cluster after cluster in seeded order (the last one in part), and those left out.

    Both lists keep the order of `questions`.
    """
    if most is None or len(questions) <= most:
        return list(questions), []

    def key(question: ExamQuestion) -> tuple[bytes, str, bytes]:
        return lot(f"{seed}:{question.cluster}"), question.cluster, lot(f"{seed}:{question.id}")

    kept = {question.id for question in sorted(questions, key=key)[:most]}
    return [q for q in questions if q.id in kept], [q for q in questions if q.id not in kept]


def spread_questions(
    questions: Sequence[ExamQuestion], most: int | None, *, seed: int
) -> tuple[list[ExamQuestion], list[ExamQuestion]]:
    """At most `most` questions, one of each cluster in turn, and those left out; both keep the order of `questions`.

    Of as many questions these tell the most: clusters, not questions, are the sample. Answerable and unanswerable
    questions are drawn apart, each to their share: figures over both depend on it, and an unanswerable question
    without a document is a cluster of its own, which would always have its turn. Fewer are a part of more.
    """
    if most is None or len(questions) <= most:
        return list(questions), []
    turns = {kind: _in_turn([q for q in questions if q.question.answerable is kind], seed) for kind in (True, False)}
    unanswerable = (2 * most * len(turns[False]) + len(questions)) // (2 * len(questions))
    kept = {*turns[False][:unanswerable], *turns[True][: most - unanswerable]}
    return [q for q in questions if q.id in kept], [q for q in questions if q.id not in kept]


def _in_turn(questions: Sequence[ExamQuestion], seed: int) -> list[str]:
    """The questions' ids, one of each cluster in turn."""
    by_cluster: dict[str, list[str]] = {}
    for question in sorted(questions, key=lambda one: lot(f"{seed}:{one.id}")):
        by_cluster.setdefault(question.cluster, []).append(question.id)
    turns = [
        (turn, lot(f"{seed}:{cluster}"), name)
        for cluster, names in by_cluster.items()
        for turn, name in enumerate(names)
    ]
    return [name for _, _, name in sorted(turns)]
