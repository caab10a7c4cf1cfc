"""Rerank by the share of the question's words that a passage holds. A fake that is fit for tests; knows no model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ragraft.records import Passage

_WORD = re.compile(r"\w+")


class OverlapReranker:
    """Share of question terms found in title and text, 0 to 1; ties keep the order in which they came."""

    def rerank(self, question: str, passages: Sequence[Passage]) -> list[Passage]:
        terms = _terms(question)
        scored = [
            replace(passage, score=len(terms & _terms(f"{passage.title}\n{passage.text}")) / max(len(terms), 1))
            for passage in passages
        ]
        return sorted(scored, key=lambda passage: -passage.score)


def _terms(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.casefold()))
