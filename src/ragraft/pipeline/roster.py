"""The models of a server: who answers what, what is in memory, and what the registry puts into service meanwhile.

Knows names and how models are opened; knows no question and no HTTP.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager

from ragraft.errors import ConfigError, RagraftError, or_meant
from ragraft.methods.manner import UNSAID, Manner
from ragraft.pipeline.engines import Engines, Open
from ragraft.pipeline.promotions import Promotions
from ragraft.pipeline.traffic_split import Assignment, Shares, TrafficSplit
from ragraft.ports import Streamer
from ragraft.records import Message


class Roster:
    """The run's own models, and those that were promoted."""

    def __init__(
        self, opens: Mapping[str, Open], *, most: int, shares: Shares, promotions: Promotions | None = None
    ) -> None:
        self._engines, self._split, self._promotions = (
            Engines(opens, most),
            TrafficSplit(tuple(opens), shares),
            promotions,
        )
        self._shares = shares

    @property
    def models(self) -> tuple[str, ...]:
        """Names, the one in service first."""
        return self._split.models

    def assign(self, model: str, asker: str, messages: Sequence[Message]) -> Assignment:
        """Who answers this conversation. Raises InputError for a model that is not here."""
        return self._split.assign(model, asker, messages)

    def is_own(self, model: str) -> bool:
        """Whether this is the run's own model, also where it is promoted and has another name."""
        return self._split.is_own(model)

    def manner(self, model: str) -> Manner:
        """How a promoted model is asked, by its own exam, as far as that is said of it."""
        return self._promotions.manner(model) if self._promotions else UNSAID

    def held(self, name: str) -> AbstractAsyncContextManager[Streamer]:
        """A model, open as long as this lasts."""
        return self._engines.held(name)

    async def open(self) -> tuple[str, ...]:
        """Open the model in service and the candidate; what is to be told. Raises what opening them raises."""
        standing = await asyncio.to_thread(self._promotions.look) if self._promotions else None
        if standing is not None:
            self._know(standing.models)
            self._split.follow(standing.models, standing.current, standing.twin)
        for name in filter(None, (self._split.candidate, self._split.default)):
            await self._engines.open(name)
        return (*(standing.notes if standing is not None else ()), *self._idle_shares())

    def _idle_shares(self) -> tuple[str, ...]:
        """A note where the candidate answers by default. Raises ConfigError for a candidate that is not here."""
        candidate = self._shares.candidate
        if not self._shares.any or self._split.candidate:
            return ()
        if candidate not in self.models:
            raise ConfigError(f"serve.candidate: {candidate} is no model here{or_meant(candidate, self.models)}")
        return (f"serve.canary and serve.shadow do nothing while the candidate, {candidate}, is in service itself",)

    async def follow(self) -> tuple[str, ...]:
        """Take over what the registry says by now; what is to be told of it.

        The new model is open before it answers, and the old one goes when its answers have ended: no question waits
        for the change or is lost by it. Where the new one cannot answer, the old one goes on.
        """
        before = self._split.default
        try:
            standing = await asyncio.to_thread(self._promotions.look) if self._promotions else None
            if standing is None:
                return ()
            self._know(standing.models)
            if standing.notes:
                return tuple(f"{note}; {before} goes on" for note in standing.notes)
            wanted = standing.current or self._split.own
            await self._engines.open(wanted)
        except RagraftError as error:
            return (f"{error}; {before} goes on",)
        self._split.follow(standing.models, standing.current, standing.twin)
        if wanted == before:
            return ()
        if before != self._split.candidate:
            self._engines.retire(before)
        return (f"{wanted} is in service now; before: {before}",)

    def load(self) -> dict[str, tuple[int, int]]:
        """For each opened model that tells: answers being written, and those that wait."""
        opened = {name: getattr(streamer, "load", None) for name, streamer in self._engines.opened.items()}
        return {name: load for name, load in opened.items() if isinstance(load, tuple)}

    def close(self) -> None:
        """Let all models go."""
        self._engines.close()

    def _know(self, models: Sequence[str]) -> None:
        for model in models:
            assert self._promotions is not None
            self._engines.know(model, functools.partial(self._promotions.open, model))
