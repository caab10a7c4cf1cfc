"""Find passages: lexical and dense rankings of one store, fused, then perhaps reranked.

Knows ports and nouns; knows no library, no folder and no settings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ragraft.ports import Embedder, OpenStore, Reranker
from ragraft.records import Chunk, Hit, Passage

Ranking = Literal["lexical", "dense", "hybrid"]


@dataclass(frozen=True, slots=True)
class IndexRetriever:
    """ragraft's own index as a Retriever; made by `open_retriever`."""

    chunks: Mapping[str, Chunk]
    store: OpenStore
    embedder: Embedder
    reranker: Reranker | None
    pool: int
    rrf_k: float
    dense_weight: float
    lexical_weight: float

    def rank(self, questions: Sequence[str], k: int, ranking: Ranking) -> list[list[Hit]]:
        """The best `k` chunk ids of each question by one ranking; hybrid is the fusion, before any reranker."""
        if not questions:
            return []
        if ranking == "lexical":
            return self.store.lexical(questions, k)
        if ranking == "dense":
            return self.store.dense(self.embedder.embed(questions), k)
        depth = max(self.pool, k)
        return self._fused({name: self.rank(questions, depth, name) for name in self._weights}, k)

    def rankings(self, questions: Sequence[str], k: int) -> dict[Ranking, list[list[Hit]]]:
        """What `rank` gives for each ranking, lexical and dense searched once for both themselves and their fusion."""
        depth = max(self.pool, k)
        found: dict[Ranking, list[list[Hit]]] = {
            "dense": self.rank(questions, depth, "dense"),
            "lexical": self.rank(questions, depth, "lexical"),
        }
        cut = {name: [hits[:k] for hits in rows] for name, rows in found.items()}
        return cut | {"hybrid": self._fused(found, k)}

    @property
    def _weights(self) -> dict[Ranking, float]:
        """Of the rankings that count in the fusion, in the order in which they are searched."""
        weights: dict[Ranking, float] = {"dense": self.dense_weight, "lexical": self.lexical_weight}
        return {name: weight for name, weight in weights.items() if weight > 0}

    def _fused(self, found: Mapping[Ranking, list[list[Hit]]], k: int) -> list[list[Hit]]:
        weights = self._weights
        return [
            fuse(rankings, weights=list(weights.values()), rrf_k=self.rrf_k, k=k)
            for rankings in zip(*(found[name] for name in weights), strict=True)
        ]

    def retrieve(self, questions: Sequence[str], k: int) -> list[list[Passage]]:
        """The best `k` passages of each question: hybrid, its pool reordered by the reranker where there is one."""
        depth = k if self.reranker is None else max(self.pool, k)
        found = [[self._passage(hit) for hit in hits] for hits in self.rank(questions, depth, "hybrid")]
        if self.reranker is None:
            return found
        return [
            self.reranker.rerank(question, passages)[:k] for question, passages in zip(questions, found, strict=True)
        ]

    def _passage(self, hit: Hit) -> Passage:
        chunk = self.chunks[hit.id]
        return Passage(chunk.id, chunk.document_id, chunk.title, chunk.text, hit.score)


def open_retriever(
    chunks: Mapping[str, Chunk],
    opened_store: OpenStore,
    *,
    embedder: Embedder,
    reranker: Reranker | None,
    pool: int,
    rrf_k: float,
    dense_weight: float,
    lexical_weight: float,
) -> IndexRetriever:
    """A retriever over `chunks` as they stand in the opened store.

    Each ranking brings `pool` candidates to the fusion; a weight of 0 leaves its ranking out and uncomputed.
    """
    return IndexRetriever(chunks, opened_store, embedder, reranker, pool, rrf_k, dense_weight, lexical_weight)


def fuse(rankings: Sequence[Sequence[Hit]], *, weights: Sequence[float], rrf_k: float, k: int) -> list[Hit]:
    """The best `k` of several rankings of one question; ties by id.

    Reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009): a hit's score is the sum over rankings of
    weight / (rrf_k + rank), ranks from 1.
    """
    scores: dict[str, float] = {}
    for hits, weight in zip(rankings, weights, strict=True):
        for rank, hit in enumerate(hits, start=1):
            scores[hit.id] = scores.get(hit.id, 0.0) + weight / (rrf_k + rank)
    best = sorted(scores, key=lambda name: (-scores[name], name))[:k]
    return [Hit(name, scores[name]) for name in best]
