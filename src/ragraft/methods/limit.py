"""Take a part of the questions, by cluster, the same part every time. Knows placed questions only."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

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
        return _digest(f"{seed}:{question.cluster}"), question.cluster, _digest(f"{seed}:{question.id}")

    kept = {question.id for question in sorted(questions, key=key)[:most]}
    return [q for q in questions if q.id in kept], [q for q in questions if q.id not in kept]


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8"), digest_size=16).digest()
