from __future__ import annotations

import json
from pathlib import Path

import httpx2
import pytest
import torch

from ragraft.backends.generators.echo import EchoGenerator
from ragraft.backends.generators.openai import OpenAiGenerator
from ragraft.backends.generators.transformers import TransformersGenerator
from ragraft.models import load
from ragraft.pipeline.answers import Concurrently, KeptAnswers
from ragraft.ports import Generator
from ragraft.testing.generator import GeneratorContract


class TestEchoGenerator(GeneratorContract):
    @pytest.fixture
    def generator(self) -> Generator:
        return EchoGenerator("any")


class TestOpenAiGenerator(GeneratorContract):
    @pytest.fixture
    def generator(self) -> Generator:
        return OpenAiGenerator("small", URL, transport=httpx2.MockTransport(serve))


class TestKeptEndpoint(GeneratorContract):
    @pytest.fixture
    def generator(self, tmp_path: Path) -> Generator:
        made = OpenAiGenerator("small", URL, transport=httpx2.MockTransport(serve))
        return Concurrently(KeptAnswers(tmp_path, "small", lambda: made), 3)


URL = "http://endpoint.test/v1"


def serve(request: httpx2.Request) -> httpx2.Response:
    """An endpoint whose model says the prompt's first words backwards."""
    asked = json.loads(request.content)
    words = [*asked["messages"][-1]["content"].replace("Question:", "").split()[8::-1], "end"]
    kept = words[: asked["max_tokens"]]
    return httpx2.Response(
        200,
        json={
            "choices": [
                {
                    "message": {"role": "assistant", "content": " ".join(kept)},
                    "finish_reason": "stop" if kept == words else "length",
                }
            ],
            "usage": {"prompt_tokens": 5, "completion_tokens": len(kept)},
        },
    )


class TestTransformersGenerator(GeneratorContract):
    @pytest.fixture
    def generator(self, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Generator:
        # In bf16 a row's last digits, and so a tie, depend on its neighbours; processors differ in having it.
        monkeypatch.setattr(load, "pick_dtype", lambda precision, device: torch.float32)
        monkeypatch.setattr(load, "pick_device", lambda: "cpu")
        return TransformersGenerator(str(tiny_model))
