"""The API on a real socket: clients that leave, and the official client."""

from __future__ import annotations

import json
import socket
import time
from typing import TYPE_CHECKING, Any

import openai
import pytest

if TYPE_CHECKING:
    from tests.unit.web.api.conftest import Served

pytestmark = pytest.mark.enable_socket
QUESTION: Any = [{"role": "user", "content": "What is Boskar made of?"}]
ANSWER = "The tower of Boskar is made of slate."
PATIENCE = 30.0


@pytest.fixture
def client(port: int) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none", max_retries=0)


def extra(choice: Any) -> Any:
    """The field that the client's own types don't know."""
    return choice.model_extra["ragraft"]


@pytest.mark.parametrize("stream", [False, True])
def test_work_for_a_client_that_left_is_ended_and_its_row_says_so(served: Served, port: int, stream: bool) -> None:
    body = json.dumps({"model": "base", "messages": QUESTION, "stream": stream}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", port)) as caller:
        caller.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        assert served.held.begun.acquire(timeout=PATIENCE)
        assert not served.held.left.is_set()
    assert served.held.left.wait(PATIENCE)
    deadline = time.monotonic() + PATIENCE
    while not served.rows and time.monotonic() < deadline:
        time.sleep(0.01)
    (row,) = served.rows
    assert (row["finish_reason"], row["question"]) == ("cancelled", QUESTION[0]["content"])


def test_the_official_client_works_unchanged(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["tuned", "base", "broken"]
    whole = client.chat.completions.create(model="tuned", messages=QUESTION, temperature=0, max_completion_tokens=64)
    assert whole.choices[0].message.content == ANSWER
    assert extra(whole.choices[0])["citations"][0]["passage"] == "boskar#0"
    assert whole.usage is not None
    assert whole.usage.completion_tokens > 0
    text = client.completions.create(model="tuned", prompt=QUESTION[0]["content"])
    assert text.choices[0].text == ANSWER


def test_the_official_client_streams(client: openai.OpenAI) -> None:
    options: Any = {"include_usage": True}
    chunks = list(client.chat.completions.create(model="tuned", messages=QUESTION, stream=True, stream_options=options))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == ANSWER
    assert chunks[-1].usage is not None
    assert extra(chunks[-2].choices[0])["answer"] == ANSWER


def test_the_official_client_knows_our_errors(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="There is no such model here"):
        client.chat.completions.create(model="gpt-4", messages=QUESTION)
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model="tuned", messages=QUESTION, stop=["x"])
    assert refused.value.param == "stop"
    with pytest.raises(openai.InternalServerError):
        client.chat.completions.create(model="broken", messages=QUESTION)
    with pytest.raises(openai.APIError, match="The server failed on this request"):
        list(client.chat.completions.create(model="broken", messages=QUESTION, stream=True))
