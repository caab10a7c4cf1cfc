"""What the registry says while a server runs: which promoted models it can answer with, and which is in service.

Knows the registry's files and how a model is opened; knows no server.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ragraft.errors import WorkspaceError
from ragraft.methods.manner import UNSAID, Manner, manner_from_json
from ragraft.pipeline.promote import registry_of
from ragraft.pipeline.runner import Session
from ragraft.pipeline.wiring import At
from ragraft.ports import Streamer
from ragraft.workspace import Registry

Look = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Standing:
    """What was read at one look."""

    models: tuple[str, ...]
    """Promoted models that can answer here, the first one first."""
    current: str | None
    """The one of them in service; None where none is."""
    twin: str | None = None
    """The one of them that is the very model of the run that is served."""
    notes: tuple[str, ...] = ()
    """Of those that cannot answer, why not."""


class Promotions:
    """A server's view of the registry; looks at one small file, and reads it only when it has changed."""

    def __init__(
        self,
        registry: Registry,
        opens: Callable[[str], Streamer],
        base_identity: Callable[[], str],
        trained: str | None = None,
        *,
        given: Manner = UNSAID,
    ) -> None:
        """`trained` is the fingerprint of the served run's checkpoint, where it has one; `given` is how the settings
        say that all models are asked, as far as they do."""
        self._registry, self._streamer, self._base_identity = registry, opens, base_identity
        self._trained, self._given = trained, given
        self._seen: Look | None = None
        self._found: dict[str, Manner | None] = {}

    def look(self) -> Standing | None:
        """What holds now; None where nothing has changed since the last look."""
        try:
            stat = self._registry.state_file.stat()
        except FileNotFoundError:
            return None
        seen = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
        if seen == self._seen:
            return None
        self._seen = seen
        state = self._registry.state()
        fits, notes = [], []
        for model in state.models:
            why = self._why_not(model)
            if why is None:
                fits.append(model)
            elif model == state.current:
                notes.append(why)
        twin = next((model for model in fits if self._registry.facts(model).get("train") == self._trained), None)
        return Standing(
            tuple(fits), state.current if state.current in fits else None, twin if self._trained else None, tuple(notes)
        )

    def manner(self, model: str) -> Manner:
        """What the settings say, else what was found when this promoted model was examined."""
        return self._given.otherwise(self._found.get(model))

    def open(self, model: str) -> Streamer:
        """Open a promoted model, when all its files are what was promoted."""
        return self._streamer(str(self._registry.checked(model)))

    def _why_not(self, model: str) -> str | None:
        try:
            facts = self._registry.facts(model)
        except WorkspaceError as error:
            return f"{model} is in service by the registry, and cannot answer: {error}"
        self._found[model] = manner_from_json(facts.get("manner"))
        if facts["base_identity"] != self._base_identity():
            return (
                f"{model} is in service by the registry, and cannot answer here: it was tuned on {facts['base']}, "
                "another model than this run's model:"
            )
        return None


def promotions_of(session: Session, at: At) -> Promotions:
    """Those that a server of this run can follow."""
    manifest = at.made["train"].manifest() if "train" in at.made else None
    return Promotions(
        registry_of(session),
        session.backends.streamer,
        lambda: str(session.backends.model_facts()["identity"]),
        manifest.fingerprint if manifest else None,
        given=Manner.given(session.config.prompt),
    )
