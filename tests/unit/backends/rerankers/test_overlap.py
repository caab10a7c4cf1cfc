from __future__ import annotations

from ragraft.backends.rerankers.overlap import OverlapReranker
from ragraft.records import Passage


def test_score_is_the_share_of_question_terms() -> None:
    passages = [Passage("a", "a", "Walrus", "on ice", 9), Passage("b", "b", "", "The WALRUS rests.", 8)]
    found = OverlapReranker().rerank("the walrus rests", passages)
    assert [(passage.id, passage.score) for passage in found] == [("b", 1.0), ("a", 1 / 3)]
