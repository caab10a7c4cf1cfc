from __future__ import annotations

from pathlib import Path

import pytest

from ragraft.backends.embedders.hashing import HashingEmbedder
from ragraft.backends.embedders.sentence_transformers import SentenceTransformersEmbedder
from ragraft.ports import Embedder
from ragraft.testing.embedder import EmbedderContract


class TestHashingEmbedder(EmbedderContract):
    @pytest.fixture
    def embedder(self) -> Embedder:
        return HashingEmbedder()


class TestSentenceTransformersEmbedder(EmbedderContract):
    @pytest.fixture
    def embedder(self, tiny_embedder: Path) -> Embedder:
        return SentenceTransformersEmbedder(tiny_embedder)
