"""How well rankings find oracle chunks. Knows ids and ranks; knows no retriever.

A rank is the ids of the chunks that stand there: one for our own chunks, perhaps several for a passage from elsewhere.

`recall@k` is open-domain question answering's: 1 when any oracle chunk stands among the first k, else 0 (also called
success@k or R@k). `full_recall@k` is 1 only when each piece of the evidence is covered by one of its chunks. `mrr@k`
is the mean of 1 / rank of the first oracle chunk, 0 when it comes after k.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

Ranked = Sequence[tuple[str, ...]]


def recall(ranked: Ranked, oracle: Collection[str], k: int) -> float:
    """1.0 when one of the oracle's ids is among the first k ranks, else 0.0."""
    return float(any(_has(rank, oracle) for rank in ranked[:k]))


def full_recall(ranked: Ranked, parts: Sequence[Collection[str]], k: int) -> float:
    """1.0 when each part has one of its ids among the first k ranks, else 0.0."""
    return float(all(recall(ranked, part, k) for part in parts))


def reciprocal_rank(ranked: Ranked, oracle: Collection[str], k: int) -> float:
    """1 / rank of the first of the oracle's ids, 0.0 when none is among the first k."""
    return next((1 / place for place, rank in enumerate(ranked[:k], start=1) if _has(rank, oracle)), 0.0)


def _has(rank: tuple[str, ...], oracle: Collection[str]) -> bool:
    return any(name in oracle for name in rank)
