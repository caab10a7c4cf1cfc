"""The endpoint's generator: what it sends, what it takes, and one sentence for everything that can go wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
import stamina

from ragraft.backends.generators.openai import ATTEMPTS, KEY, LONGEST_WAIT, OpenAiGenerator, _wait
from ragraft.errors import BackendError
from ragraft.records import Completion, Message, Prompt, Sampling

URL = "http://endpoint.test/v1"
FULL = f"{URL}/chat/completions"
Handler = Callable[[httpx2.Request], httpx2.Response]
PROMPT = Prompt((Message("system", "Be brief."), Message("user", "Where?")))


@pytest.fixture(autouse=True)
def without_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=ATTEMPTS, cap=True):
        yield


def over(handler: Handler, **given: Any) -> OpenAiGenerator:
    return OpenAiGenerator("small", URL, transport=httpx2.MockTransport(handler), **given)


def reply(text: str | None = "On ice.", **changed: Any) -> dict[str, Any]:
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return {"choices": [choice], "usage": {"prompt_tokens": 7, "completion_tokens": 3}, **changed}


def answering(data: Any) -> OpenAiGenerator:
    return over(lambda request: httpx2.Response(200, json=data))


def sentence(generator: OpenAiGenerator) -> str:
    with pytest.raises(BackendError) as caught:
        generator.generate([PROMPT], Sampling())
    return str(caught.value)


def test_the_json_that_goes_and_comes() -> None:
    asked: list[Any] = []

    def serve(request: httpx2.Request) -> httpx2.Response:
        asked.append((request.method, str(request.url), json.loads(request.content)))
        return httpx2.Response(200, json=reply(" On ice.\n"))

    found = over(serve).generate([PROMPT], Sampling(9, temperature=0.5, seed=4))
    assert found == [Completion("On ice.", (0, 1, 2), finish_reason="stop", prompt_tokens=7)]
    sent = {
        "model": "small",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Where?"}],
        "max_tokens": 9,
        "temperature": 0.5,
        "seed": 4,
    }
    assert asked == [("POST", FULL, sent)]


@pytest.mark.parametrize("url", [URL, f"{URL}/", FULL])
def test_the_url_may_be_whole_or_not(url: str) -> None:
    seen = []

    def serve(request: httpx2.Request) -> httpx2.Response:
        seen.append(str(request.url))
        return httpx2.Response(200, json=reply())

    OpenAiGenerator("small", url, transport=httpx2.MockTransport(serve)).generate([PROMPT], Sampling())
    assert seen == [FULL]


def test_the_users_keys_stand_over_ours_and_null_leaves_out() -> None:
    asked: list[dict[str, Any]] = []

    def serve(request: httpx2.Request) -> httpx2.Response:
        asked.append(json.loads(request.content))
        return httpx2.Response(200, json=reply())

    body = {"max_tokens": None, "temperature": None, "max_completion_tokens": 500}
    over(serve, body=body).generate([PROMPT], Sampling(9))
    assert set(asked[0]) == {"model", "messages", "seed", "max_completion_tokens"}
    assert asked[0]["max_completion_tokens"] == 500


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (reply(None), Completion("", (0, 1, 2), prompt_tokens=7)),
        (reply("x", usage=None), Completion("x")),
        (reply("x", usage={"prompt_tokens": "7", "completion_tokens": -1}), Completion("x")),
        (
            reply("x", choices=[{"message": {"content": "x"}, "finish_reason": "length"}]),
            Completion("x", (0, 1, 2), finish_reason="length", prompt_tokens=7),
        ),
        (
            reply("x", choices=[{"message": {"content": "x"}, "finish_reason": "content_filter"}]),
            Completion("x", (0, 1, 2), prompt_tokens=7),
        ),
    ],
)
def test_what_servers_leave_out(data: dict[str, Any], wanted: Completion) -> None:
    assert answering(data).generate([PROMPT], Sampling()) == [wanted]


def test_without_a_url_nothing_is_sent() -> None:
    with pytest.raises(BackendError, match=r"^openai:small needs endpoint.url in the YAML; nothing is sent anywhere"):
        OpenAiGenerator("small")


def test_a_key_that_the_endpoint_repeats_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, "s3cret-key")
    told = sentence(over(lambda request: httpx2.Response(500, json={"error": "the key s3cret-key is overworked"})))
    assert "(the key … is overworked)" in told


@pytest.mark.parametrize(
    ("status", "headers", "wait"),
    [
        (429, {"Retry-After": "7"}, 7.0),
        (503, {"Retry-After": "9999"}, LONGEST_WAIT),
        (429, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, True),
        (500, {}, True),
        (400, {"Retry-After": "7"}, False),
        (401, {}, False),
    ],
)
def test_it_waits_as_long_as_the_endpoint_wishes(status: int, headers: dict[str, str], wait: float | bool) -> None:
    answer = httpx2.Response(status, headers=headers, request=httpx2.Request("POST", FULL))
    with pytest.raises(httpx2.HTTPStatusError) as caught:
        answer.raise_for_status()
    found = _wait(caught.value)
    assert found == wait
    assert type(found) is type(wait)


@pytest.mark.parametrize(
    ("status", "body", "times", "told"),
    [
        (429, {"error": {"message": "slow\n down"}}, ATTEMPTS,
         "answered 429 Too Many Requests (slow down); lower endpoint.concurrency or wait, then run again"),
        (400, {"error": {"message": "Unsupported parameter: 'max_tokens'"}}, 1,
         "answered 400 Bad Request (Unsupported parameter: 'max_tokens'); endpoint.body changes what is sent, "
         "a null leaves a key out"),
        (401, {"error": {"message": "bad key s3cret"}}, 1,
         "answered 401 Unauthorized; put its key into RAGRAFT_ENDPOINT_KEY"),
        (403, {"error": "s3cret"}, 1,
         "answered 403 Forbidden; put a key that may ask this model into RAGRAFT_ENDPOINT_KEY"),
        (404, {"error": "no such model"}, 1,
         "answered 404 Not Found (no such model); correct endpoint.url (it mostly ends in /v1) or the model's name"),
    ],
)  # fmt: skip
def test_a_bad_status_is_one_sentence(status: int, body: Any, times: int, told: str) -> None:
    asked = []

    def serve(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return httpx2.Response(status, json=body)

    assert sentence(over(serve)) == f"{FULL} {told}"
    assert len(asked) == times


END = "; it must speak OpenAI's chat completions"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ([], "holds no message under choices"),
        ({"choices": []}, "holds no message under choices"),
        ({"choices": {"message": {}}}, "holds no message under choices"),
        ({"choices": ["text"]}, "holds no message under choices"),
        ({"choices": [{"text": "On ice."}]}, "holds no message under choices"),
        ({"choices": [{"message": {"content": 3}}]}, "holds a message whose content is no text"),
        ({"choices": [{"message": {"content": ["On ice."]}}]}, "holds a message whose content is no text"),
    ],
)
def test_a_wrong_shape_is_one_sentence(data: Any, told: str) -> None:
    assert sentence(answering(data)) == f"The answer of {FULL} {told}{END}"


def test_half_a_character_is_one_sentence() -> None:
    half = over(lambda request: httpx2.Response(200, text='{"choices": [{"message": {"content": "\\ud800"}}]}'))
    assert sentence(half) == f"The answer of {FULL} holds a message whose content is no text{END}"
