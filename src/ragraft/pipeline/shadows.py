"""Questions that are asked of the candidate a second time, while nobody waits for an answer.

At most a few wait, one is asked at a time, and it is left at once when a user's question comes: what it may cost a user
is the step that the candidate is just taking. Knows when to ask; knows nothing of questions or models.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

MOST = 16
"""Questions that wait; more are not asked."""
TRIES = 3
"""Times that a question is begun; one that users' questions broke off so often is not asked again."""
log = logging.getLogger("ragraft.serve")
T = TypeVar("T")
R = TypeVar("R")


@dataclass(slots=True)
class _Job(Generic[T]):
    question: T
    tries: int = 0


class Shadows(Generic[T, R]):
    """Asks what waits, one by one, while at most `beside` users' answers are under way; what is answered is kept."""

    def __init__(self, ask: Callable[[T], Awaitable[R]], keep: Callable[[R], Awaitable[None]], *, beside: int) -> None:
        self._ask, self._keep, self._beside = ask, keep, beside
        self._waiting: deque[_Job[T]] = deque()
        self._users = 0
        self._changed: asyncio.Event | None = None
        self.counts: Counter[str] = Counter(answered=0, left_out=0, given_up=0, failed=0)

    def add(self, question: T) -> None:
        """Ask this when there is time; where too many wait already, never."""
        if len(self._waiting) >= MOST:
            self.counts["left_out"] += 1
            return
        self._waiting.append(_Job(question))
        self._tell()

    @contextmanager
    def user(self) -> Iterator[None]:
        """While a user's answer is under way."""
        self._users += 1
        self._tell()
        try:
            yield
        finally:
            self._users -= 1
            self._tell()

    async def run(self) -> None:
        """Ask until cancelled."""
        self._changed = changed = asyncio.Event()
        while True:
            if self._waiting and self._may:
                await self._try(self._waiting.popleft(), changed)
            else:
                changed.clear()
                await changed.wait()

    @property
    def _may(self) -> bool:
        return self._users <= self._beside

    def _tell(self) -> None:
        if self._changed is not None:
            self._changed.set()

    async def _try(self, job: _Job[T], changed: asyncio.Event) -> None:
        job.tries += 1
        asking = asyncio.ensure_future(self._ask(job.question))
        try:
            while not asking.done() and self._may:
                changed.clear()
                told = asyncio.ensure_future(changed.wait())
                await asyncio.wait({asking, told}, return_when=asyncio.FIRST_COMPLETED)
                told.cancel()
        finally:
            asking.cancel()
            (outcome,) = await asyncio.gather(asking, return_exceptions=True)
        if isinstance(outcome, asyncio.CancelledError):
            if job.tries < TRIES:
                self._waiting.appendleft(job)
            else:
                self.counts["given_up"] += 1
        elif isinstance(outcome, BaseException):
            log.warning("A question asked of the candidate too: %s", outcome)
            self.counts["failed"] += 1
        else:
            await self._keep(outcome)
            self.counts["answered"] += 1
