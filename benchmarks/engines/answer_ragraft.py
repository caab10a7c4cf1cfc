"""ragraft's own engine, as `ragraft serve` has it: several prompts by its continuous batching."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import torch

from benchmarks.engines.answering import Ids, main
from ragraft.backends.generators.engine import Engine
from ragraft.models.chat import ChatTokenizer
from ragraft.models.load import open_model
from ragraft.records import Message, Prompt, Sampling


@dataclass(frozen=True, slots=True)
class GivenTokenizer(ChatTokenizer):
    """A prompt's one message holds its token ids."""

    def render(self, prompt: Prompt) -> Ids:
        return list(json.loads(prompt.messages[0].content))


class Ragraft:
    """The engine over the model."""

    def __init__(self, job: dict[str, Any]) -> None:
        torch.set_num_threads(job["threads"])
        network, tokenizer = open_model(job["model"], precision=job["way"], device="cpu")
        given = GivenTokenizer(tokenizer.tokenizer)
        self._engine = Engine(network, given, set(), plain_cache=True)

    def one(self, prompt: Ids, tokens: int) -> Ids:
        return self.many([prompt], tokens)[0]

    def many(self, prompts: Sequence[Ids], tokens: int) -> list[Ids]:
        async def answer(ids: Ids) -> Ids:
            prompt = Prompt((Message("user", json.dumps(ids)),))
            async with aclosing(self._engine.stream(prompt, Sampling(max_tokens=tokens))) as deltas:
                async for delta in deltas:
                    if delta.completion is not None:
                        return list(delta.completion.token_ids)
            raise AssertionError("a stream that ends without its completion")

        async def answers() -> list[Ids]:
            return await asyncio.gather(*map(answer, prompts))

        return asyncio.run(answers())


if __name__ == "__main__":
    main(Ragraft, "ragraft", "torch", "transformers")
