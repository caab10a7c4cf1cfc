"""How far questions and documents have moved from the words of before. Knows words; opens no model.

A question's distance is 1 less the cosine to the most alike question of the exam or of lessons, words weighing by how
few of those questions have them; a word that none of them has weighs most. An exam is no sample of what is asked, so
distances tell nothing by themselves: only whether their daily mean changes is watched (see `alarms`).
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ragraft.methods.containment import content_words
from ragraft.methods.lots import lot
from ragraft.methods.stats import Floats, statistic_interval
from ragraft.records import Chunk, Interval, to_json

PIECES = 400
"""Chunks of either kind that are measured, drawn by seed."""
NAMED = 20
"""New words that are told."""
TWICE = 2
"""Times that a new word was met before it is told."""


class Questions:
    """The questions that are known; tells how far another one is from them."""

    def __init__(self, questions: Iterable[str]) -> None:
        bags = [Counter(content_words(question)) for question in questions]
        spread = Counter(word for bag in bags for word in bag)
        self._unseen = math.log(1 + len(bags))
        self._weights = {word: math.log(1 + len(bags) / number) for word, number in spread.items()}
        self._rows: Mapping[str, list[tuple[int, float]]] = defaultdict(list)
        for row, bag in enumerate(bags):
            weights = {word: number * self._weights[word] for word, number in bag.items()}
            length = math.hypot(*weights.values())
            for word, weight in weights.items():
                self._rows[word].append((row, weight / length))

    def distance(self, question: str) -> float:
        """Within 0..1; 1 for a question that shares no word with any of them."""
        bag = Counter(content_words(question))
        weights = {word: number * self._weights.get(word, self._unseen) for word, number in bag.items()}
        length = math.hypot(*weights.values())
        near: dict[int, float] = defaultdict(float)
        for word, weight in weights.items():
            for row, share in self._rows[word] if word in self._weights else ():
                near[row] += weight * share
        return 1 - min(max(near.values(), default=0.0) / length, 1.0) if length else 1.0

    def new_words(self, questions: Iterable[str]) -> list[tuple[str, int]]:
        """Words that no known question has, with the number of questions that have them, the commonest first."""
        seen = Counter(word for question in questions for word in set(content_words(question)))
        return _common(seen, self._weights)


def measure_words(came: Sequence[Chunk], before: Sequence[Chunk], *, resamples: int, seed: int) -> dict[str, Any]:
    """The share of words that no document had before: of new chunks, and of documents of before beside each other.

    `{"pieces", "new": figure, "usual": figure, "words": [[word, times]]}`; a figure is None where nothing is measured.
    """
    known: dict[str, set[str]] = defaultdict(set)
    for chunk in before:
        for word in content_words(chunk.text):
            known[word].add(chunk.document_id)
    drawn = {kind: _drawn(chunks, seed) for kind, chunks in (("usual", before), ("new", came))}
    # A word of one document alone was new when that document came.
    usual, new = (
        _share([(chunk, _unseen(chunk, known, alone=alone)) for chunk in drawn[kind]], resamples=resamples, seed=seed)
        for kind, alone in (("usual", True), ("new", False))
    )
    seen = Counter(word for chunk in came for word in content_words(chunk.text))
    return {
        "pieces": len(came),
        "new": to_json(new) if new else None,
        "usual": to_json(usual) if usual else None,
        "words": [list(row) for row in _common(seen, known)],
    }


def _drawn(chunks: Sequence[Chunk], seed: int) -> list[Chunk]:
    return sorted(chunks, key=lambda chunk: lot(f"{seed}:{chunk.id}"))[:PIECES]


@dataclass(frozen=True, slots=True)
class _Words:
    unseen: int
    all: int


def _unseen(chunk: Chunk, known: Mapping[str, set[str]], *, alone: bool) -> _Words:
    own = {chunk.document_id}
    found = content_words(chunk.text)
    return _Words(sum(known.get(word) == own if alone else word not in known for word in found), len(found))


def _share(rows: Sequence[tuple[Chunk, _Words]], *, resamples: int, seed: int) -> Interval | None:
    told = [(chunk, words) for chunk, words in rows if words.all]
    if not told:
        return None
    unseen, all_ = (np.array([getattr(words, name) for _, words in told], float) for name in ("unseen", "all"))

    def share(weights: Floats) -> float:
        return float((weights * unseen).sum() / (weights * all_).sum())

    return statistic_interval(
        share, [chunk.document_id for chunk, _ in told], share=True, resamples=resamples, seed=seed
    )


def _common(seen: Mapping[str, int], known: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Words that are not known and were met more than once, the commonest first; numbers tell nothing."""
    new = [(word, times) for word, times in seen.items() if times >= TWICE and word not in known]
    return sorted((row for row in new if not row[0].isdigit()), key=lambda row: (-row[1], row[0]))[:NAMED]
