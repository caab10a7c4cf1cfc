"""A Streamer over a Generator that only answers whole: each answer comes in one piece. Knows no model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor

from ragraft.ports import Generator
from ragraft.records import Completion, Delta, Prompt, Sampling


class Whole:
    """Asks the generator prompt by prompt, as many at a time as there are workers.

    An answer that nobody waits for any more is not begun; one under way comes to its end.
    """

    def __init__(self, generator: Generator, workers: int) -> None:
        self._generator = generator
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="ragraft-whole")

    async def stream(self, prompt: Prompt, sampling: Sampling) -> AsyncGenerator[Delta]:
        """The completion, as one piece."""
        loop = asyncio.get_running_loop()
        completion = await loop.run_in_executor(self._pool, self._ask, prompt, sampling)
        yield Delta(completion.text, completion)

    def close(self) -> None:
        """Begin no further answer."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _ask(self, prompt: Prompt, sampling: Sampling) -> Completion:
        return self._generator.generate([prompt], sampling)[0]
