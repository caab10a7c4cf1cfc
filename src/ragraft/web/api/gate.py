"""How many requests are under way: a bounded queue that says when to come back. Knows counts and a clock."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ragraft.web.api.faults import UNAVAILABLE, Refusal

SMOOTH = 0.1
"""Weight of the last request in the mean time that one takes."""
LONGEST_WAIT = 120


class Gate:
    """Lets in so many at a time."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = most, clock
        self._seconds = 1.0
        """That a request takes, about."""
        self.inside = 0
        self.closed = False

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Be counted; raises Refusal where there is no room, with the seconds after which there may be."""
        if self.closed:
            raise Refusal(UNAVAILABLE, "The server is being stopped", retry_after=LONGEST_WAIT)
        if self.inside >= self._most:
            message = f"{self.inside} requests are under way, which is all that this server takes at a time"
            raise Refusal(UNAVAILABLE, message, code="overloaded", retry_after=self.wait)
        self.inside += 1
        began = self._clock()
        try:
            yield
        finally:
            self.inside -= 1
            self._seconds += SMOOTH * (self._clock() - began - self._seconds)

    @property
    def wait(self) -> int:
        """Seconds after which a place is likely free: about one leaves in this time."""
        return min(max(1, math.ceil(self._seconds / max(self.inside, 1))), LONGEST_WAIT)
