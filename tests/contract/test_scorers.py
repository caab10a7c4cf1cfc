from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ragraft.backends.generators.echo import EchoGenerator
from ragraft.backends.generators.transformers import TransformersGenerator
from ragraft.models import load
from ragraft.ports import Scorer
from ragraft.testing.scorer import ScorerContract


class TestEchoScorer(ScorerContract):
    @pytest.fixture
    def scorer(self) -> Scorer:
        return EchoGenerator("any")


class TestTransformersScorer(ScorerContract):
    @pytest.fixture
    def scorer(self, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Scorer:
        monkeypatch.setattr(load, "pick_dtype", lambda precision, device: torch.float32)
        monkeypatch.setattr(load, "pick_device", lambda: "cpu")
        return TransformersGenerator(str(tiny_model))
