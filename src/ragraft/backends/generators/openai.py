"""Ask a model behind an OpenAI-compatible endpoint. Knows one JSON shape; knows nothing of files and questions.

    POST URL/chat/completions   {"model", "messages", "max_tokens", "temperature", "seed"}
    answers                     {"choices": [{"message": {"content"}, "finish_reason"}],
                                 "usage": {"prompt_tokens", "completion_tokens"}}

Hosted services and local servers (vLLM, llama.cpp, Ollama …) share it. Prompts are asked one after the other; who wants
several at a time calls from several threads.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import httpx2
import stamina

from ragraft.backends.asking import BROKEN, bearer, hush_retries, may_pass, writable
from ragraft.errors import BackendError
from ragraft.records import Completion, Prompt, Sampling

KEY = "RAGRAFT_ENDPOINT_KEY"
"""Not OPENAI_API_KEY: that one belongs to one service, and the URL may name any."""
ATTEMPTS = 6
LONGEST_WAIT = 60.0
TIMEOUT = httpx2.Timeout(300.0, connect=10.0)
FORBIDDEN = (401, 403)
TOLD = 200
"""Characters of the endpoint's own reason that are repeated."""


class OpenAiGenerator:
    """A Generator behind a URL; asks again where nothing answers or the answer is 429 or 5xx."""

    def __init__(
        self,
        model: str,
        url: str | None = None,
        body: Mapping[str, Any] | None = None,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        if not url:
            raise BackendError(f"openai:{model} needs endpoint.url in the YAML; nothing is sent anywhere without it")
        self._model, self._body, self._transport = model, dict(body or {}), transport
        self._url = f"{url.rstrip('/').removesuffix('/chat/completions')}/chat/completions"
        hush_retries()

    @cached_property
    def _client(self) -> httpx2.Client:
        return httpx2.Client(timeout=TIMEOUT, transport=self._transport)

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        """One completion a prompt, in order."""
        return [self._completion(self._ask(self._request(prompt, sampling))) for prompt in prompts]

    def _request(self, prompt: Prompt, sampling: Sampling) -> dict[str, Any]:
        asked = {
            "model": self._model,
            "messages": [{"role": turn.role, "content": turn.content} for turn in prompt.messages],
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "seed": sampling.seed,
            **self._body,
        }
        return {key: value for key, value in asked.items() if value is not None}

    def _ask(self, asked: dict[str, Any]) -> Any:
        try:
            for attempt in stamina.retry_context(
                on=_wait, attempts=ATTEMPTS, timeout=None, wait_initial=1.0, wait_max=LONGEST_WAIT
            ):
                with attempt:
                    answer = self._client.post(self._url, json=asked, headers=bearer(KEY))
                    answer.raise_for_status()
        except httpx2.HTTPStatusError as error:
            answered = error.response
            told = f"{self._url} answered {answered.status_code} {answered.reason_phrase}"
            raise BackendError(f"{told}{_reason(answered)}{_hint(answered.status_code)}") from None
        except httpx2.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise BackendError(
                f"No answer from {self._url} ({reason}); start the endpoint or correct endpoint.url, then run again"
            ) from None
        try:
            return answer.json()
        except ValueError:
            raise self._wrong(f"is no JSON (it begins “{_line(answer.text, 60)}”)") from None

    def _completion(self, data: Any) -> Completion:
        choices = data.get("choices") if isinstance(data, dict) else None
        choice = choices[0] if isinstance(choices, list) and choices else None
        message = choice.get("message") if isinstance(choice, dict) else None
        if not isinstance(choice, dict) or not isinstance(message, dict):
            raise self._wrong("holds no message under choices")
        text = message.get("content")
        if text is not None and not (isinstance(text, str) and writable(text)):
            raise self._wrong("holds a message whose content is no text")
        usage = data.get("usage")
        read, written = (_count(usage, key) for key in ("prompt_tokens", "completion_tokens"))
        return Completion(
            text=(text or "").strip(),
            token_ids=tuple(range(written)),  # how many they were is told, not which
            finish_reason="length" if choice.get("finish_reason") == "length" else "stop",
            prompt_tokens=read,
        )

    def _wrong(self, what: str) -> BackendError:
        return BackendError(f"The answer of {self._url} {what}; it must speak OpenAI's chat completions")


def _wait(error: Exception) -> bool | float:
    """Whether asking again may help; the seconds, where the endpoint says when."""
    if not may_pass(error):
        return False
    wished = error.response.headers.get("Retry-After", "") if isinstance(error, httpx2.HTTPStatusError) else ""
    return min(float(wished), LONGEST_WAIT) if wished.isdecimal() else True


def _reason(answer: httpx2.Response) -> str:
    """What the endpoint says itself; of a refused key it may repeat the key."""
    if answer.status_code in FORBIDDEN:
        return ""
    try:
        data = answer.json()
    except ValueError:
        return ""
    error = data.get("error") if isinstance(data, dict) else None
    told = error.get("message") if isinstance(error, dict) else error
    return f" ({_line(told, TOLD)})" if isinstance(told, str) and told.strip() else ""


def _hint(status: int) -> str:
    hints = {
        400: "; endpoint.body changes what is sent, a null leaves a key out",
        401: f"; put its key into {KEY}",
        403: f"; put a key that may ask this model into {KEY}",
        404: "; correct endpoint.url (it mostly ends in /v1) or the model's name",
        429: "; lower endpoint.concurrency or wait, then run again",
    }
    return hints.get(status, "; see its own log, then run again" if status >= BROKEN else "; see its own log")


def _line(text: str, longest: int) -> str:
    key = os.environ.get(KEY, "").strip()
    told = " ".join((text.replace(key, "…") if key else text).split())
    return told if len(told) <= longest else f"{told[: longest - 1]}…"


def _count(usage: Any, key: str) -> int:
    """Tokens that the endpoint counted; nothing where it counts none."""
    value = usage.get(key) if isinstance(usage, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
