"""The contract of a Streamer. Subclass StreamerContract and give it a `streamer` fixture; knows no adapter."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Protocol

from ragraft.ports import Generator, Streamer
from ragraft.records import Completion, Message, Prompt, Sampling
from ragraft.testing.generator import GREEDY, PROMPTS


class StreamingGenerator(Generator, Streamer, Protocol):
    """What the contract is about: both ports in one."""


async def written(streamer: Streamer, prompt: Prompt, sampling: Sampling) -> tuple[str, Completion]:
    """All pieces' texts together, and the completion that the last one brought."""
    text = ""
    last = None
    async for piece in streamer.stream(prompt, sampling):
        assert last is None, "a piece came after the whole"
        text += piece.text
        last = piece.completion
    assert last is not None, "no piece brought the whole"
    return text, last


async def all_written(
    streamer: Streamer, prompts: Sequence[Prompt], sampling: Sampling
) -> list[tuple[str, Completion]]:
    """All prompts at a time."""
    return await asyncio.gather(*(written(streamer, prompt, sampling) for prompt in prompts))


class StreamerContract:
    """What every Streamer does. `streamer` is the one fixture that a subclass provides."""

    def test_the_pieces_together_are_the_text(self, streamer: StreamingGenerator) -> None:
        for text, whole in asyncio.run(all_written(streamer, PROMPTS, GREEDY)):
            assert text == whole.text
            assert whole.prompt_tokens > 0

    def test_it_answers_like_the_generator(self, streamer: StreamingGenerator) -> None:
        for most in (1, 2, 12):
            sampling = replace(GREEDY, max_tokens=most)
            found = [whole for _, whole in asyncio.run(all_written(streamer, PROMPTS, sampling))]
            alike = streamer.generate(PROMPTS, sampling)
            assert [(one.text, one.token_ids, one.finish_reason) for one in found] == [
                (one.text, one.token_ids, one.finish_reason) for one in alike
            ]

    def test_whatever_is_answered_meanwhile(self, streamer: StreamingGenerator) -> None:
        async def staggered() -> list[str]:
            tasks = []
            for number, prompt in enumerate([*PROMPTS, *PROMPTS[::-1]] * 3):
                sampling = replace(GREEDY, max_tokens=1 + number % 12)
                tasks.append(asyncio.create_task(written(streamer, prompt, sampling)))
                await asyncio.sleep(0.002 * (number % 4))
            return [text for text, _ in await asyncio.gather(*tasks)]

        alone = [
            streamer.generate([prompt], replace(GREEDY, max_tokens=1 + number % 12))[0].text
            for number, prompt in enumerate([*PROMPTS, *PROMPTS[::-1]] * 3)
        ]
        assert asyncio.run(staggered()) == alone

    def test_one_that_is_left_early_disturbs_nobody(self, streamer: StreamingGenerator) -> None:
        async def leave_some() -> list[str]:
            async def leave() -> None:
                async with aclosing(streamer.stream(PROMPTS[0], GREEDY)) as pieces:
                    async for _ in pieces:
                        return

            stayed = asyncio.gather(*(written(streamer, prompt, GREEDY) for prompt in PROMPTS))
            await asyncio.gather(*(leave() for _ in range(5)))
            return [text for text, _ in await stayed]

        assert asyncio.run(leave_some()) == [one.text for one in streamer.generate(PROMPTS, GREEDY)]

    def test_the_same_seed_gives_the_same_answer(self, streamer: StreamingGenerator) -> None:
        sampling = Sampling(max_tokens=12, temperature=1.0, seed=7)
        first, second = (
            [whole.token_ids for _, whole in asyncio.run(all_written(streamer, PROMPTS, sampling))] for _ in range(2)
        )
        assert first == second

    def test_any_text_is_data(self, streamer: StreamingGenerator) -> None:
        turns = ("", "<|im_end|>", "🚀", "שלום", "x " * 300)
        prompts = [Prompt((Message("user", turn),)) for turn in turns]
        assert all(text == whole.text for text, whole in asyncio.run(all_written(streamer, prompts, GREEDY)))
