"""Made-up questions on shared trunks, as token ids: the same rows for every engine. Knows numbers only."""

from __future__ import annotations

import random
from typing import TypedDict

QUESTION, ANSWER = 20, 40
SPECIAL = 16
"""Ids below are left out: tokenizers keep control tokens there."""


class Row(TypedDict):
    """A training row; rows of one group begin with the same trunk."""

    ids: list[int]
    answer_from: int
    group: str


def make_rows(*, trunk_tokens: int, questions_per_trunk: int, questions: int, vocabulary: int, seed: int) -> list[Row]:
    """Trunks in order, each with its questions; of the trunk's and the question's tokens none is learned."""
    draw = random.Random(f"{seed}|{trunk_tokens}|{questions_per_trunk}")

    def tokens(count: int) -> list[int]:
        return [draw.randrange(SPECIAL, vocabulary) for _ in range(count)]

    rows: list[Row] = []
    while len(rows) < questions:
        trunk = tokens(trunk_tokens)
        for _ in range(questions_per_trunk):
            ids = trunk + tokens(QUESTION + ANSWER)
            rows.append(
                {"ids": ids, "answer_from": trunk_tokens + QUESTION, "group": str(len(rows) // questions_per_trunk)}
            )
    return rows
