from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from ragraft.backends.embedders.hashing import HashingEmbedder
from ragraft.backends.retrievers.http import HttpRetriever
from ragraft.backends.stores.memory import MemoryStore
from ragraft.methods.finders import Kept
from ragraft.methods.oracle import Places
from ragraft.methods.outside import given
from ragraft.methods.retrieve import open_retriever
from ragraft.pipeline.passages import CheckedRetriever, KeptPassages
from ragraft.ports import Retriever
from ragraft.records import Chunk, Document, ExamQuestion, Passage, Question, to_json
from ragraft.testing.retriever import LIBRARY, ODD_QUESTIONS, QUESTIONS, RetrieverContract
from ragraft.workspace import Folder


class SharedWords:
    """A retriever as a user may write it: passages by the number of words shared with the question."""

    def retrieve(self, questions: Sequence[str], k: int) -> list[list[Passage]]:
        return [self._best(set(question.lower().strip("?").split()))[:k] for question in questions]

    def _best(self, wanted: set[str]) -> list[Passage]:
        scored = [
            replace(passage, score=float(len(wanted & set(passage.text.lower().strip(".").split()))))
            for passage in LIBRARY
        ]
        return sorted((passage for passage in scored if passage.score), key=lambda passage: -passage.score)


class TestPythonRetriever(RetrieverContract):
    @pytest.fixture
    def retriever(self) -> Retriever:
        return SharedWords()


class TestCheckedAndKeptRetriever(RetrieverContract):
    @pytest.fixture
    def retriever(self, tmp_path: Path) -> Retriever:
        return KeptPassages(Folder(tmp_path / "asked"), CheckedRetriever("words", SharedWords()))


class TestHttpRetriever(RetrieverContract):
    @pytest.fixture
    def retriever(self) -> Retriever:
        def serve(request: httpx2.Request) -> httpx2.Response:
            asked = json.loads(request.content)
            found = SharedWords().retrieve(asked["questions"], asked["k"])
            rows = [
                [{key: value for key, value in to_json(one).items() if key != "shows"} for one in passages]
                for passages in found
            ]
            return httpx2.Response(200, json={"passages": rows})

        return HttpRetriever("http://retriever.test/find", httpx2.MockTransport(serve))


class TestIndexRetriever(RetrieverContract):
    @pytest.fixture
    def retriever(self, tmp_path: Path) -> Retriever:
        chunks = [Chunk(one.id, one.document_id, one.title, one.text, 0, len(one.text), 9) for one in LIBRARY]
        embedder = HashingEmbedder()
        MemoryStore().write(tmp_path, [(chunks, embedder.embed([chunk.text for chunk in chunks]))])
        return open_retriever(
            {chunk.id: chunk for chunk in chunks},
            MemoryStore().open(tmp_path),
            embedder=embedder,
            reranker=None,
            pool=10,
            rrf_k=60,
            dense_weight=1,
            lexical_weight=1,
        )


class ByText:
    """The passages that questions carry, asked for by their words."""

    def __init__(self, questions: Sequence[Question]) -> None:
        documents = [Document(passage.id, passage.title, passage.text) for passage in LIBRARY]
        found, faults = given(questions, documents, Places(documents, [], {}))
        assert faults == []
        self._placed = {question.question: ExamQuestion(question, "exam", "") for question in questions}
        self._kept = Kept({question.id: passages for question, passages in zip(questions, found, strict=True)})

    def retrieve(self, questions: Sequence[str], k: int) -> list[list[Passage]]:
        return self._kept.find([self._placed[question] for question in questions], k)


class TestGivenContexts(RetrieverContract):
    @pytest.fixture
    def retriever(self) -> Retriever:
        ids = [passage.id for passage in LIBRARY]
        asked = [Question(f"q{row}", text, contexts=(*ids[row:], *ids[:row])) for row, text in enumerate(QUESTIONS)]
        return ByText([*asked, *(Question(f"odd{row}", text) for row, text in enumerate(ODD_QUESTIONS))])


def test_the_obvious_passage_comes_first_wherever_it_comes_from() -> None:
    found = SharedWords().retrieve(QUESTIONS, 1)
    assert [passages[0].id for passages in found] == ["walrus", "stapler", "penguin"]
