"""A generator without a model: it quotes the first document's first sentence, or abstains. For tests and dry runs.

As a scorer it finds words likelier that it has just read.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import AsyncGenerator, Sequence

from ragraft.records import Completion, Delta, LogProbs, Prompt, Sampling

_FIRST = re.compile(r"\[1\] [^\n]*\n(.+?(?:[.!?](?=\s)|$))", re.DOTALL)


class EchoGenerator:
    """Answers with what stands first in the prompt, in the wanted form."""

    def __init__(self, model: str) -> None:
        self.model = model

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        """One completion a prompt, in order."""
        return [self._answer(prompt, sampling) for prompt in prompts]

    async def stream(self, prompt: Prompt, sampling: Sampling) -> AsyncGenerator[Delta]:
        """Word by word."""
        whole = self._answer(prompt, sampling)
        for place, word in enumerate(whole.text.split(" ")):
            yield Delta(f" {word}" if place else word)
        yield Delta("", whole)

    def score(self, prompts: Sequence[Prompt | None], texts: Sequence[str]) -> list[LogProbs]:
        """One row a text, in order; a word is a token."""
        return [self._score(prompt, text) for prompt, text in zip(prompts, texts, strict=True)]

    def _score(self, prompt: Prompt | None, text: str) -> LogProbs:
        read = {word for message in (prompt.messages if prompt else ()) for word in message.content.split()}
        words = [*text.split(), *([""] if prompt else [])]
        values = []
        for word in words:
            values.append(-1.0 if word in read else -2.0 - math.log1p(len(word)))
            read.add(word)
        return LogProbs(tuple(zlib.crc32(word.encode()) for word in words), tuple(values))

    def _answer(self, prompt: Prompt, sampling: Sampling) -> Completion:
        turn = prompt.messages[-1].content
        found = _FIRST.search(turn[: prompt.cut])
        sentence = " ".join(found[1].split()) if found else ""
        words = f'Answer: {sentence}\n"{sentence}" [1]'.split(" ") if sentence else ["Answer:", "nothing"]
        kept = words[: sampling.max_tokens]
        return Completion(
            " ".join(kept),
            tuple(range(len(kept))),
            finish_reason="stop" if len(kept) == len(words) else "length",
            prompt_tokens=sum(len(message.content.split()) for message in prompt.messages),
        )
