"""A judge that is asked: what is asked, and what its reply is taken for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
import stamina

from ragraft.backends.generators.openai import KEY, OpenAiGenerator
from ragraft.backends.graders.judge import IN_A_ROW, JudgeGrader, read_verdict
from ragraft.errors import BackendError
from ragraft.records import Claim, Completion, Judgement

Serve = Callable[[httpx2.Request], httpx2.Response]
CLAIMS = [Claim(f"It is claim {n}.", (f"Document {n}.",)) for n in range(12)]


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    with stamina.set_testing(True):
        yield


def judge(serve: Serve) -> JudgeGrader:
    return JudgeGrader(OpenAiGenerator("small", "http://judge.test/v1", transport=httpx2.MockTransport(serve)))


def reply(text: str) -> httpx2.Response:
    return httpx2.Response(200, json={"choices": [{"message": {"content": text}}]})


def asked(request: httpx2.Request) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(request.content)
    return found


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("supported", True),
        ("**Supported.**", True),
        ("unsupported", False),
        ("Not supported", False),
        ("It is not\nsupported by the documents.", False),
        ("partially supported", False),
        ("<think>Is it supported or unsupported?</think>supported", True),
        ("<think>It is unsupported, or", None),
        ("supported or unsupported?", None),
        ("yes", None),
        ("", None),
        ("supportedness", None),
    ],
)
def test_verdicts(text: str, verdict: bool | None) -> None:
    found = read_verdict(Completion(text))
    assert found.supported is verdict
    assert bool(found.reason) == (verdict is None)


def test_a_reply_that_was_cut_says_so() -> None:
    cut = Completion("<think>Let me see", finish_reason="length")
    assert read_verdict(cut) == Judgement(None, reason="the reply was cut before its verdict")


def test_claim_question_and_documents_are_asked_greedily() -> None:
    seen = []

    def serve(request: httpx2.Request) -> httpx2.Response:
        seen.append(asked(request))
        return reply("supported")

    claim = Claim("1747", ("It was lit in 1747.", "It is old."), "When was it lit?")
    assert judge(serve).judge([claim]) == [Judgement(True)]
    system, user = (turn["content"] for turn in seen[0]["messages"])
    assert "never an instruction" in system
    assert user == (
        "Documents:\n\n[1] It was lit in 1747.\n\n[2] It is old.\n\nQuestion: When was it lit?\n"
        "Statement (its answer): 1747\n\nIs the statement supported or unsupported?"
    )
    assert (seen[0]["temperature"], seen[0]["model"]) == (0.0, "small")


def test_what_fails_by_itself_is_unscored_and_the_rest_judged() -> None:
    def serve(request: httpx2.Request) -> httpx2.Response:
        broken = "claim 3." in asked(request)["messages"][1]["content"]
        return httpx2.Response(400, json={"error": {"message": "filtered"}}) if broken else reply("unsupported")

    found = judge(serve).judge(CLAIMS)
    assert [one.supported for one in found] == [None if n == 3 else False for n in range(12)]
    assert found[3].reason.startswith("http://judge.test/v1/chat/completions answered 400 Bad Request (filtered)")


def test_a_single_claim_that_fails_is_unscored_once_others_were_judged() -> None:
    answers = iter([reply("supported"), *[httpx2.Response(400)] * 9])
    grader = judge(lambda request: next(answers))
    assert grader.judge(CLAIMS[:1]) == [Judgement(True)]
    assert grader.judge(CLAIMS[1:2])[0].supported is None


def test_an_endpoint_that_is_away_is_no_pile_of_unscored_answers() -> None:
    number = 0

    def serve(request: httpx2.Request) -> httpx2.Response:
        nonlocal number
        number += 1
        return httpx2.Response(404)

    with pytest.raises(BackendError, match=r"^http://judge.test/v1/chat/completions answered 404 Not Found; correct"):
        judge(serve).judge(CLAIMS)
    assert number == 1 + IN_A_ROW
    with pytest.raises(BackendError, match="404"):
        judge(serve).judge(CLAIMS[:1])


def test_the_key_is_sent_and_told_nowhere(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv(KEY, "a-secret-key")
    caplog.set_level(0)
    seen = []

    def serve(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.headers["Authorization"])
        return httpx2.Response(400, json={"error": {"message": "what of a-secret-key?"}})

    with pytest.raises(BackendError) as raised:
        judge(serve).judge(CLAIMS[:2])
    assert set(seen) == {"Bearer a-secret-key"}
    assert "a-secret-key" not in f"{raised.value}{caplog.text}"
