"""A model that was found to read its quotes again does so when it is served."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from ragraft.backends.generators.echo import EchoGenerator
from ragraft.methods.manner import Manner
from ragraft.methods.routing import Router
from tests.unit.web.api.test_app import ANSWER, auto, chat, events

if TYPE_CHECKING:
    from ragraft.records import Completion, Prompt, Sampling
    from tests.unit.web.api.conftest import Serves


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Echoes the wrong words while it sees more than its quote."""
    plain = EchoGenerator._answer

    def hasty(self: EchoGenerator, prompt: Prompt, sampling: Sampling) -> Completion:
        found = plain(self, prompt, sampling)
        seen = "[2]" in prompt.messages[-1].content
        return replace(found, text=f"Answer: clay\n{found.text.partition(chr(10))[2]}") if seen else found

    monkeypatch.setattr(EchoGenerator, "_answer", hasty)


@pytest.mark.parametrize("stream", [False, True])
def test_the_answer_is_that_of_the_second_reading_and_both_are_paid_for(serves: Serves, stream: bool) -> None:
    once, served = serves(manner=Manner(0.7, rereads=False)), serves(manner=Manner(0.7, rereads=True))
    hasty = chat(once.client()).json()
    assert hasty["choices"][0]["message"]["content"] == "clay"
    text, extra, usage = told(served.client(), stream=stream)
    assert text == ANSWER
    assert "clay" not in str(served.rows[0])
    assert [extra[key] for key in ("citations", "quotes")] == [
        hasty["choices"][0]["ragraft"][key] for key in ("citations", "quotes")
    ]
    assert usage["prompt_tokens"] > hasty["usage"]["prompt_tokens"]
    assert served.rows[0]["prompt_tokens"] == usage["prompt_tokens"]


def told(client: Any, *, stream: bool) -> tuple[str, dict[str, Any], dict[str, int]]:
    if not stream:
        data = chat(client).json()
        return data["choices"][0]["message"]["content"], data["choices"][0]["ragraft"], data["usage"]
    parts = events(chat(client, stream=True, stream_options={"include_usage": True}).text)
    text = "".join(part["choices"][0]["delta"].get("content", "") for part in parts[:-1])
    return text, parts[-2]["choices"][0]["ragraft"], parts[-1]["usage"]


@pytest.mark.parametrize("stream", [False, True])
def test_as_text_nothing_of_the_first_reading_is_told(serves: Serves, stream: bool) -> None:
    client = serves(manner=Manner(0.7, rereads=True)).client()
    asked = {"ragraft": {"text": True}, "stream": stream}
    if stream:
        _, piece, _ = events(chat(client, **asked).text)
        text = piece["choices"][0]["delta"]["content"]
    else:
        text = chat(client, **asked).json()["choices"][0]["message"]["content"]
    assert text.startswith(f'Answer: {ANSWER}\n"{ANSWER}" [1]')


def test_with_retrieval_auto_what_is_judged_is_what_is_told(serves: Serves) -> None:
    served = serves(manner=Manner(0.7, rereads=True), router=Router(skip_above=0.6))
    text, extra, _ = auto(served.client(), stream=False)
    assert (text, extra["retrieval"]["decision"]) == (ANSWER, "retrieve")
