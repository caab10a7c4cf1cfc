"""The version of the index that a server answers from, and how a newer one takes its place between two questions.

Knows how a version is opened and when it is let go; knows no question and no HTTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol

from ragraft.errors import ConfigError, RagraftError, WorkspaceError
from ragraft.methods.routing import Router
from ragraft.pipeline.calibrated import ROUTED, open_router
from ragraft.pipeline.runner import Session, changes_told, made_otherwise
from ragraft.pipeline.table import ROWS
from ragraft.pipeline.wiring import At, retriever
from ragraft.ports import Retriever

NO_CALIBRATION = "This server has no calibration, which retrieval auto needs"


@dataclass(slots=True)
class Opened:
    """A version of the index, open."""

    version: str
    retriever: Retriever
    router: Router | str = NO_CALIBRATION
    """Decides on retrieval from this version; or why there is none."""
    held: ExitStack = field(default_factory=ExitStack)
    """Closed when nobody reads it any more: from then on the version may be removed."""
    readers: int = 0
    """Questions that are looking up, or will."""


class Newer(Protocol):
    """Where newer versions come from."""

    def look(self) -> str | None:
        """The name of another version than at the last look; None where it is still that one."""
        ...

    def open(self, version: str) -> Opened:
        """Open it; raises RagraftError where it cannot answer here."""
        ...


class Shelf:
    """One version at a time; a question goes on with the one that it began with."""

    def __init__(self, first: Opened, newer: Newer | None = None) -> None:
        self._now, self._newer = first, newer

    @property
    def now(self) -> Opened:
        """What the next question is answered from."""
        return self._now

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Opened]:
        """The version as it is now, open as long as this lasts."""
        opened = self._now
        opened.readers += 1
        try:
            yield opened
        finally:
            opened.readers -= 1
            self._let_go(opened)

    async def follow(self, attempt: Callable[[Retriever], Awaitable[object]]) -> tuple[str, ...]:
        """Take over a newer version once it is open and `attempt` at it has succeeded; what is to be told of it.

        No question waits for that. Where it cannot answer, the one before goes on.
        """
        if self._newer is None:
            return ()
        before = self._now
        try:
            version = await asyncio.to_thread(self._newer.look)
            if version is None or version == before.version:
                return ()
            opened = await asyncio.to_thread(self._newer.open, version)
            try:
                await attempt(opened.retriever)
            except BaseException:
                opened.held.close()
                raise
        except RagraftError as error:
            return (f"{error}; index {before.version} goes on",)
        self._now = opened
        self._let_go(before)
        return (f"index {opened.version} answers now; before: {before.version}", *_lost(before, opened))

    def close(self) -> None:
        """Let it go."""
        self._now.held.close()

    def _let_go(self, opened: Opened) -> None:
        if opened is not self._now and not opened.readers:
            opened.held.close()


class Versions:
    """The versions of a run's index, as `ragraft sync` and `ragraft run` make them; looks at one small file."""

    def __init__(self, session: Session, at: At) -> None:
        """`at` is the run as the server has it; its models and settings stay, whatever the index."""
        self._session, self._at, self._place = session, at, ROWS["index"].place
        self._seen: str | None = at.made["index"].path.name
        self._trained = _trained(at)

    def look(self) -> str | None:
        """The version that is current, where it is another one than at the last look."""
        version = self._session.run.version(self._place)
        if version == self._seen:
            return None
        self._seen = version
        return version

    def open(self, version: str) -> Opened:
        """Open a version of the settings and models that this server has, and hold it."""
        with ExitStack() as held:
            folder = held.enter_context(self._session.run.held(self._place, version))
            if made_otherwise(self._session, "index", folder):
                raise WorkspaceError(
                    f"The index {version} was made under other settings or models than this server's"
                    f"{changes_told(self._session)}, and cannot answer here before a restart"
                )
            at = replace(self._at, made={**self._at.made, "index": folder})
            found = self._session.backends.retriever or retriever(at)
            return Opened(version, found, self._router(at), held.pop_all())

    def _router(self, at: At) -> Router | str:
        """The router that was calibrated for this index and the model that this server has, or why there is none."""
        tuned = self._session.config.serve.tuned
        if tuned:
            return f"serve.tuned {tuned} answers elsewhere, and retrieval auto is not calibrated for it"
        if _trained(at) != self._trained:
            return "The run's model was trained anew since this server was started; start it again for retrieval auto"
        try:
            return open_router(self._session, at, ROUTED)
        except RagraftError as error:
            return str(error)


def open_shelf(session: Session, at: At) -> Shelf:
    """The run's index, as it stands, for a server. Raises what opening it raises.

    Where requests are routed by default, raises for want of a router too.
    """
    versions = Versions(session, at)
    first = versions.open(at.made["index"].path.name)
    if isinstance(first.router, str) and session.config.serve.retrieval == "auto":
        first.held.close()
        raise (ConfigError if session.config.serve.tuned else WorkspaceError)(first.router)
    return Shelf(first, versions)


def _trained(at: At) -> str | None:
    manifest = at.made["train"].manifest() if "train" in at.made else None
    return manifest.fingerprint if manifest else None


def _lost(before: Opened, after: Opened) -> tuple[str, ...]:
    """A note where the calibration was of the index before."""
    if isinstance(before.router, str) or not isinstance(after.router, str):
        return ()
    return (f"retrieval auto looks everything up from now on: {after.router}",)
