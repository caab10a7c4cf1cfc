"""What clients send: OpenAI's request bodies, as far as they mean something here, and ragraft's own.

A key that would change the answer and cannot be honoured is refused by name; those that only accompany a request are
taken and change nothing. Knows JSON; knows no run.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ragraft.errors import InputError
from ragraft.pipeline import Enquiry, Retrieval
from ragraft.records import Message

IDLE = {
    "n": 1,
    "best_of": 1,
    "top_p": 1,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "logprobs": False,
    "echo": False,
}
"""Keys that are taken with the value under which they change nothing."""
ROLES: dict[str, Literal["system", "user", "assistant"]] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
}
MOST_PROMPTS = 20
COLDEST = 0.01
"""A temperature below it is 0."""
Text = Annotated[str, Field(max_length=1_000_000)]
Seed = Annotated[int, Field(ge=-(2**63), lt=2**63)]


class Body(BaseModel):
    """A request body: unknown keys are faults, and text must be text that can be written."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, strict=True)


class Options(Body):
    """ragraft's own wishes, under the key `ragraft`."""

    retrieval: Retrieval | None = None
    """always; never: answer from memory, in the closed-book form; auto: decide. Left out: serve.retrieval."""
    k: int | None = Field(None, ge=1)
    """Passages looked up."""
    text: bool = False
    """The answer's text holds quotes and citations, and the sources below, beside the field that always holds them."""


class StreamOptions(Body):
    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class Common(Body):
    """What chat and text completions share."""

    model: str = Field("", max_length=200)
    """base, tuned, a promoted model, or default; left out, the one in service."""
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0, le=2)
    """Left out: 0, so that equal questions get equal answers."""
    seed: Seed | None = None
    ragraft: Options = Options()
    n: int | None = None
    top_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    # These accompany a request and change nothing.
    user: str | None = None
    metadata: dict[str, Any] | None = None
    store: bool | None = None
    service_tier: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None

    @model_validator(mode="after")
    def _nothing_unheard(self) -> Common:
        for name, idle in IDLE.items():
            value = getattr(self, name, None)
            if value is not None and value != idle:
                raise ValueError(f"{name} is not supported; leave it out")
        return self

    @property
    def wants_usage(self) -> bool:
        return bool(self.stream_options and self.stream_options.include_usage)

    def enquiry(self, messages: tuple[Message, ...], asker: str, default: str) -> Enquiry:
        """What is asked, of the default model where none is named."""
        return Enquiry(
            messages,
            self.model or default,
            retrieval=self.ragraft.retrieval,
            k=self.ragraft.k,
            max_tokens=self.max_tokens,
            # What is nearly greedy is meant so, and a softmax that hot would overflow.
            temperature=0.0 if (self.temperature or 0.0) < COLDEST else float(self.temperature or 0.0),
            seed=(self.seed or 0) % 2**63,
            asker=asker,
        )


class Part(Body):
    """A piece of a message's content; text alone is understood."""

    type: Literal["text"]
    text: Text


class Turn(Body):
    role: Literal["system", "developer", "user", "assistant"]
    content: Text | list[Part] | None = None
    name: str | None = None
    refusal: str | None = None

    def message(self) -> Message:
        """As a record; parts are lines."""
        parts = self.content if isinstance(self.content, list) else None
        text = "\n".join(part.text for part in parts) if parts is not None else self.content
        return Message(ROLES[self.role], str(text or ""))


class ChatBody(Common):
    """POST /v1/chat/completions"""

    messages: list[Turn] = Field(min_length=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    logprobs: bool | None = None
    response_format: dict[Literal["type"], Literal["text"]] | None = None

    @model_validator(mode="after")
    def _one_limit(self) -> ChatBody:
        if self.max_completion_tokens is not None:
            self.max_tokens = self.max_completion_tokens
        return self

    def conversation(self, most: int) -> tuple[Message, ...]:
        """The messages; raises InputError for more than `most`."""
        if len(self.messages) > most:
            raise InputError(f"The conversation has {len(self.messages)} messages; send the last {most} at most")
        return tuple(turn.message() for turn in self.messages)


class CompletionBody(Common):
    """POST /v1/completions: each prompt is a question by itself."""

    prompt: Text | list[Text]
    best_of: int | None = None
    echo: bool | None = None

    @property
    def prompts(self) -> list[str]:
        """The questions; raises InputError for none or too many."""
        found = [self.prompt] if isinstance(self.prompt, str) else self.prompt
        if not 1 <= len(found) <= MOST_PROMPTS:
            raise InputError(f"The request has {len(found)} prompts; send 1 to {MOST_PROMPTS}")
        if self.stream and len(found) > 1:
            raise InputError("A stream answers one prompt; send one, or leave stream out")
        return found


class RetrieveBody(Body):
    """POST /v1/retrieve"""

    query: str = Field(max_length=10_000)
    k: int | None = Field(None, ge=1)


class FeedbackBody(Body):
    """POST /v1/feedback"""

    id: str = Field(pattern=r"^chatcmpl-[0-9a-f]{32}$")
    """The answer's id, as in choices[0].ragraft.id."""
    rating: Literal["up", "down"] | None = None
    comment: str | None = Field(None, max_length=4000)
    answer: str | None = Field(None, max_length=4000)
    """What would have been right."""

    @model_validator(mode="after")
    def _says_something(self) -> FeedbackBody:
        if self.rating is None and not self.comment and self.answer is None:
            raise ValueError("give a rating, a comment or the right answer")
        return self
