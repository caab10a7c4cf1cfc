"""A generator without a model: it quotes the first document's first sentence, or abstains. For tests and dry runs."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ragraft.records import Completion, Prompt, Sampling

_FIRST = re.compile(r"\[1\] [^\n]*\n(.+?(?:[.!?](?=\s)|$))", re.DOTALL)


class EchoGenerator:
    """Answers with what stands first in the prompt, in the wanted form."""

    def __init__(self, model: str) -> None:
        self.model = model

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        """One completion a prompt, in order."""
        return [self._answer(prompt, sampling) for prompt in prompts]

    def _answer(self, prompt: Prompt, sampling: Sampling) -> Completion:
        turn = prompt.messages[-1].content
        found = _FIRST.search(turn[: prompt.cut])
        sentence = " ".join(found[1].split()) if found else ""
        words = f'"{sentence}" [1]\nAnswer: {sentence}'.split(" ") if sentence else ["Answer:", "nothing"]
        kept = words[: sampling.max_tokens]
        return Completion(
            " ".join(kept),
            tuple(range(len(kept))),
            finish_reason="stop" if len(kept) == len(words) else "length",
            prompt_tokens=sum(len(message.content.split()) for message in prompt.messages),
        )
