from __future__ import annotations

from pathlib import Path

import pytest

from ragraft.backends.rerankers.cross_encoder import CrossEncoderReranker
from ragraft.backends.rerankers.overlap import OverlapReranker
from ragraft.ports import Reranker
from ragraft.testing.reranker import RerankerContract


class TestOverlapReranker(RerankerContract):
    @pytest.fixture
    def reranker(self) -> Reranker:
        return OverlapReranker()


class TestCrossEncoderReranker(RerankerContract):
    @pytest.fixture
    def reranker(self, tiny_cross_encoder: Path) -> Reranker:
        return CrossEncoderReranker(tiny_cross_encoder)
