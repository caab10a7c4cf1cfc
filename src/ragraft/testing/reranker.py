"""The contract of a Reranker. Subclass RerankerContract and give it a `reranker` fixture; knows no adapter."""

from __future__ import annotations

from dataclasses import replace

from ragraft.ports import Reranker
from ragraft.records import Passage

QUESTION = "Where does the walrus rest?"
PASSAGES = (
    Passage("a#0", "a", "desk", "A stapler binds paper.", 0.5),
    Passage("b#0", "b", "sea", "The walrus rests on the ice.", 0.4),
    Passage("c#0", "c", "", "", 0.3),
    Passage("d#0", "d", "שלום", "🚀 " * 50, 0.2),
    Passage("e#0", "e", "sea", "The penguin swims under the ice. " * 20, 0.1),
)


class RerankerContract:
    """What every Reranker does. `reranker` is the one fixture that a subclass provides."""

    def test_the_same_passages_come_back(self, reranker: Reranker) -> None:
        found = reranker.rerank(QUESTION, PASSAGES)
        plain = sorted((replace(passage, score=0.0) for passage in found), key=lambda passage: passage.id)
        assert plain == [replace(passage, score=0.0) for passage in PASSAGES]

    def test_best_first(self, reranker: Reranker) -> None:
        scores = [passage.score for passage in reranker.rerank(QUESTION, PASSAGES)]
        assert scores == sorted(scores, reverse=True)

    def test_a_score_does_not_depend_on_the_others(self, reranker: Reranker) -> None:
        together = {passage.id: passage.score for passage in reranker.rerank(QUESTION, PASSAGES[::-1])}
        alone = {passage.id: reranker.rerank(QUESTION, [passage])[0].score for passage in PASSAGES}
        assert all(abs(together[name] - alone[name]) < 1e-4 for name in alone)

    def test_ties_keep_their_order(self, reranker: Reranker) -> None:
        copies = [replace(PASSAGES[1], id=name) for name in ("z", "a", "m")]
        assert [passage.id for passage in reranker.rerank(QUESTION, copies)] == ["z", "a", "m"]

    def test_nothing_in_nothing_out(self, reranker: Reranker) -> None:
        assert reranker.rerank(QUESTION, []) == []

    def test_any_question_is_data(self, reranker: Reranker) -> None:
        for question in ("", '"', "🚀", "שלום", "x" * 3000):
            assert len(reranker.rerank(question, PASSAGES)) == len(PASSAGES)
