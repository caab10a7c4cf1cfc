"""A server's opened models: each opened when it is first asked, and let go when it is replaced or its room is needed.

Never more of them are in memory than were agreed; one that is being asked is never let go. What is opened is opened on
a thread of its own, so that answers go on meanwhile. Knows streamers; knows no run and no question.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress

from ragraft.errors import BackendError
from ragraft.ports import Streamer

Open = Callable[[], Streamer]


class Engines:
    """Models by name, each with how it is opened."""

    def __init__(self, opens: Mapping[str, Open], most: int) -> None:
        self._opens, self._most = dict(opens), most
        self._opened: dict[str, Streamer] = {}
        """The one that was asked longest ago first."""
        self._asked: Counter[str] = Counter()
        """Answers under way, by model."""
        self._retired: set[str] = set()
        self._leaving: list[Streamer] = []
        self._changed = threading.Condition()
        self._closed = False
        self._opener = ThreadPoolExecutor(1, thread_name_prefix="ragraft-opener")

    def know(self, name: str, opens: Open) -> None:
        """Learn how a further model is opened."""
        self._opens.setdefault(name, opens)

    @asynccontextmanager
    async def held(self, name: str) -> AsyncIterator[Streamer]:
        """The model, open and not let go while this lasts; where all room is in use, this waits."""
        while (streamer := self._begin(name)) is None:
            await self.open(name)
        try:
            yield streamer
        finally:
            self._end(name)

    async def open(self, name: str) -> None:
        """Open a model that is not open yet. Raises what its opening raises."""
        await asyncio.get_running_loop().run_in_executor(self._opener, self._open, name)

    def retire(self, name: str) -> None:
        """Let a model go as soon as its answers have ended; who asks it again has it opened again."""
        with self._changed:
            if name in self._opened:
                self._retired.add(name)
        self._submit_retired()

    @property
    def opened(self) -> dict[str, Streamer]:
        """Those in memory now."""
        with self._changed:
            return dict(self._opened)

    def close(self) -> None:
        """Let all go; answers under way are not waited for."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._opener.shutdown(wait=True)
        for name in list(self._opened):
            _close(self._opened.pop(name))

    def _begin(self, name: str) -> Streamer | None:
        with self._changed:
            streamer = self._opened.pop(name, None)
            if streamer is not None:
                self._opened[name] = streamer
                self._asked[name] += 1
            return streamer

    def _end(self, name: str) -> None:
        with self._changed:
            self._asked[name] -= 1
            self._changed.notify_all()
            drained = name in self._retired and not self._asked[name]
        if drained:
            self._submit_retired()

    def _submit_retired(self) -> None:
        with suppress(RuntimeError):  # the server is being stopped, and lets all go by itself
            self._opener.submit(self._drop_retired)

    # On the opener's thread.

    def _open(self, name: str) -> None:
        with self._changed:
            self._retired.discard(name)
            if name in self._opened:
                return
        while self._displaces_one():
            self._let_go()
        streamer = self._opens[name]()
        with self._changed:
            self._opened[name] = streamer

    def _displaces_one(self) -> bool:
        """Whether there was no room; the model that was asked longest ago is then on its way out."""
        with self._changed:
            while len(self._opened) >= self._most:
                idle = next((name for name in self._opened if not self._asked[name]), None)
                if idle is not None:
                    self._take_out(idle)
                    return True
                if self._closed:
                    raise BackendError("The server is being stopped; ask again when it is back")
                self._changed.wait()
        return False

    def _drop_retired(self) -> None:
        with self._changed:
            for name in [name for name in self._retired if not self._asked[name]]:
                self._take_out(name)
        self._let_go()

    def _take_out(self, name: str) -> None:
        self._retired.discard(name)
        if name in self._opened:
            self._leaving.append(self._opened.pop(name))

    def _let_go(self) -> None:
        """Close what is on its way out, and give its memory back; nobody waits for this under the lock."""
        from ragraft.models.load import free_memory

        while self._leaving:
            _close(self._leaving[-1])
            self._leaving.pop()
            free_memory()


def _close(streamer: Streamer) -> None:
    close = getattr(streamer, "close", None)
    if close is not None:
        close()
