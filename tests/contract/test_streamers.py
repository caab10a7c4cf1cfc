from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import pytest
import torch

from ragraft.backends.generators.echo import EchoGenerator
from ragraft.backends.generators.transformers import TransformersGenerator
from ragraft.models import load
from ragraft.pipeline.streaming import Whole
from ragraft.records import Completion, Delta, Prompt, Sampling
from ragraft.testing.streamer import StreamerContract, StreamingGenerator


class TestEchoGenerator(StreamerContract):
    @pytest.fixture
    def streamer(self) -> StreamingGenerator:
        return EchoGenerator("any")


class InOnePiece:
    """A generator that cannot stream, made a streamer by the pipeline."""

    def __init__(self) -> None:
        self._echo = EchoGenerator("any")
        self._whole = Whole(self._echo, 2)

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        return self._echo.generate(prompts, sampling)

    def stream(self, prompt: Prompt, sampling: Sampling) -> AsyncGenerator[Delta]:
        return self._whole.stream(prompt, sampling)


class TestWhole(StreamerContract):
    @pytest.fixture
    def streamer(self) -> StreamingGenerator:
        return InOnePiece()


class TestTransformersGenerator(StreamerContract):
    @pytest.fixture
    def streamer(self, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> StreamingGenerator:
        # In bf16 a row's last digits, and so a tie, depend on its neighbours; processors differ in having it.
        monkeypatch.setattr(load, "pick_dtype", lambda precision, device: torch.float32)
        monkeypatch.setattr(load, "pick_device", lambda: "cpu")
        return TransformersGenerator(str(tiny_model))
