from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ragraft.backends.generators.echo import EchoGenerator
from ragraft.backends.generators.transformers import TransformersGenerator
from ragraft.models import load
from ragraft.ports import Generator
from ragraft.testing.generator import GeneratorContract


class TestEchoGenerator(GeneratorContract):
    @pytest.fixture
    def generator(self) -> Generator:
        return EchoGenerator("any")


class TestTransformersGenerator(GeneratorContract):
    @pytest.fixture
    def generator(self, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Generator:
        # In bf16 a row's last digits, and so a tie, depend on its neighbours; processors differ in having it.
        monkeypatch.setattr(load, "pick_dtype", lambda precision, device: torch.float32)
        monkeypatch.setattr(load, "pick_device", lambda: "cpu")
        return TransformersGenerator(str(tiny_model))
