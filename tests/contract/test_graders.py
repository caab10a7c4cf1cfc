from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from ragraft.backends.generators.echo import EchoGenerator
from ragraft.backends.generators.openai import OpenAiGenerator
from ragraft.backends.graders.entailment import EntailmentGrader
from ragraft.backends.graders.judge import JudgeGrader
from ragraft.ports import Grader
from ragraft.testing.grader import GraderContract


class TestEntailmentGrader(GraderContract):
    @pytest.fixture
    def grader(self, save_cross_encoder: Callable[[int], Path]) -> Grader:
        return EntailmentGrader(save_cross_encoder(2))


class TestCheckerOfOneLabel(GraderContract):
    @pytest.fixture
    def grader(self, tiny_cross_encoder: Path) -> Grader:
        return EntailmentGrader(tiny_cross_encoder)


class TestJudgeGrader(GraderContract):
    @pytest.fixture
    def grader(self) -> Grader:
        def serve(request: httpx2.Request) -> httpx2.Response:
            verdict = "unsupported" if b"stapler" in request.content else "Supported."
            return httpx2.Response(200, json={"choices": [{"message": {"content": verdict}}]})

        return JudgeGrader(OpenAiGenerator("small", "http://judge.test", transport=httpx2.MockTransport(serve)))


class TestJudgeThatNamesNoVerdict(GraderContract):
    @pytest.fixture
    def grader(self) -> Grader:
        return JudgeGrader(EchoGenerator("any"))
