from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragraft.methods.retrieve import IndexRetriever, Ranking, fuse, open_retriever
from ragraft.ports import Matrix, Reranker
from ragraft.records import Chunk, Hit, Passage

CHUNKS = [Chunk(name, f"doc-{name}", f"title {name}", f"text {name}", 0, 6, 2) for name in "abcdef"]


@dataclass
class Rankings:
    """A store with fixed rankings that notes what it was asked; also the embedder."""

    dense_ids: str = "abcd"
    lexical_ids: str = "dcef"
    asked: list[str] = field(default_factory=list)

    def embed(self, texts: Sequence[str]) -> Matrix:
        self.asked.append("embed")
        return np.ones((len(texts), 2), dtype=np.float32)

    def dense(self, vectors: Matrix, k: int) -> list[list[Hit]]:
        self.asked.append(f"dense {k}")
        return [[Hit(name, 1.0) for name in self.dense_ids[:k]] for _ in vectors]

    def lexical(self, texts: Sequence[str], k: int) -> list[list[Hit]]:
        self.asked.append(f"lexical {k}")
        return [[Hit(name, 1.0) for name in self.lexical_ids[:k]] for _ in texts]

    def vectors(self) -> Iterator[tuple[list[str], Matrix]]:
        yield list(self.dense_ids), self.embed(self.dense_ids)


class Backwards:
    def rerank(self, question: str, passages: Sequence[Passage]) -> list[Passage]:
        return [replace(passage, score=float(at)) for at, passage in enumerate(passages)][::-1]


def retriever(
    store: Rankings, *, dense: float = 1.0, lexical: float = 1.0, pool: int = 4, reranker: Reranker | None = None
) -> IndexRetriever:
    return open_retriever(
        {chunk.id: chunk for chunk in CHUNKS},
        store,
        embedder=store,
        reranker=reranker,
        pool=pool,
        rrf_k=60,
        dense_weight=dense,
        lexical_weight=lexical,
    )


def names(hits: Sequence[Hit | Passage]) -> str:
    return "".join(hit.id for hit in hits)


def test_fusion_by_hand() -> None:
    found = fuse([[Hit("a", 9), Hit("b", 8)], [Hit("b", 7), Hit("c", 6)]], weights=[1, 2], rrf_k=60, k=10)
    assert found == [Hit("b", 1 / 62 + 2 / 61), Hit("c", 2 / 62), Hit("a", 1 / 61)]


rankings = st.lists(st.lists(st.sampled_from("abcdefgh"), unique=True).map(lambda ids: [Hit(i, 0.0) for i in ids]))


@given(rankings, st.integers(0, 10))
def test_fusion_laws(lists: list[list[Hit]], k: int) -> None:
    found = fuse(lists, weights=[1.0] * len(lists), rrf_k=60, k=k)
    everything = fuse(lists, weights=[1.0] * len(lists), rrf_k=60, k=100)
    assert found == everything[:k] == sorted(found, key=lambda hit: (-hit.score, hit.id))
    assert {hit.id for hit in everything} == {hit.id for hits in lists for hit in hits}
    for hits in lists[:1]:
        assert names(fuse([hits], weights=[0.5], rrf_k=1, k=100)) == names(hits)


def test_rank_gives_each_ranking_as_the_store_does() -> None:
    store = Rankings()
    assert [names(hits) for hits in retriever(store).rank(["q", "r"], 3, "dense")] == ["abc", "abc"]
    assert [names(hits) for hits in retriever(store).rank(["q"], 3, "lexical")] == ["dce"]
    assert store.asked == ["embed", "dense 3", "lexical 3"]


def test_hybrid_brings_a_pool_of_each_to_the_fusion() -> None:
    store = Rankings()
    # d is fourth and first, c third and second: 1/64 + 1/61 > 1/63 + 1/62.
    assert names(retriever(store).rank(["q"], 2, "hybrid")[0]) == "dc"
    assert store.asked == ["embed", "dense 4", "lexical 4"]
    assert names(retriever(store, pool=1).rank(["q"], 6, "hybrid")[0]) == "dcabef"
    assert store.asked[-1] == "lexical 6"


@given(st.integers(1, 8), st.integers(1, 8), st.sampled_from([(1.0, 1.0), (0.0, 1.0), (2.0, 0.0)]))
def test_all_rankings_at_once_are_each_by_itself(k: int, pool: int, weights: tuple[float, float]) -> None:
    store = Rankings()
    index = retriever(store, pool=pool, dense=weights[0], lexical=weights[1])
    found = index.rankings(["q", "r"], k)
    assert store.asked == ["embed", f"dense {max(k, pool)}", f"lexical {max(k, pool)}"]
    names_of: tuple[Ranking, ...] = ("dense", "lexical", "hybrid")
    assert found == {ranking: index.rank(["q", "r"], k, ranking) for ranking in names_of}


@pytest.mark.parametrize(("dense", "lexical", "asked"), [(0, 1, ["lexical 4"]), (1, 0, ["embed", "dense 4"])])
def test_a_weight_of_zero_is_not_computed(dense: float, lexical: float, asked: list[str]) -> None:
    store = Rankings()
    found = retriever(store, dense=dense, lexical=lexical).rank(["q"], 4, "hybrid")
    assert names(found[0]) == ("abcd" if dense else "dcef")
    assert store.asked == asked


def test_retrieve_gives_passages_of_the_chunks() -> None:
    [found] = retriever(Rankings()).retrieve(["q"], 1)
    assert found == [Passage("d", "doc-d", "title d", "text d", 1 / 64 + 1 / 61)]


def test_the_reranker_sees_the_pool_and_k_comes_after() -> None:
    plain = retriever(Rankings(), pool=4).rank(["q"], 4, "hybrid")[0]
    [found] = retriever(Rankings(), pool=4, reranker=Backwards()).retrieve(["q"], 2)
    assert names(found) == names(plain)[::-1][:2]
    assert [passage.score for passage in found] == [3.0, 2.0]


def test_k_beyond_the_corpus() -> None:
    assert len(retriever(Rankings()).retrieve(["q"], 1000)[0]) == 6


def test_no_question_asks_nothing() -> None:
    store = Rankings()
    assert retriever(store).retrieve([], 3) == retriever(store, reranker=Backwards()).retrieve([], 3) == []
    assert store.asked == []
