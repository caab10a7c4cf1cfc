"""The model that answers: the one in service, or the run's own where none was promoted; and what it was made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ragraft.errors import WorkspaceError
from ragraft.pipeline.promote import registry_of
from ragraft.pipeline.runner import Session
from ragraft.pipeline.table import ROWS
from ragraft.workspace import Folder, Run

OF_LESSONS = ("ingest", "index", "examine")


@dataclass(frozen=True, slots=True)
class Standing:
    """A tuned model with all that it was taught by."""

    run: Run
    model: str | None
    """Its name in the registry; None where it is the run's own."""
    folders: Mapping[str, Folder]
    """Of train, synthesize, ingest, index and examine, as far as they are there: its own, not the current ones."""
    fingerprints: Mapping[str, str]

    @property
    def complete(self) -> bool:
        """Whether all that it was made from is there."""
        return set(self.folders) == {"train", "synthesize", *OF_LESSONS}

    def whole(self) -> Standing:
        """Itself; raises WorkspaceError where something that it was made from is gone."""
        for stage in ("train", "synthesize", *OF_LESSONS):
            if stage not in self.folders:
                raise WorkspaceError(
                    f"The {stage} results of {self.run.path} are gone, from which the model that answers was made, so "
                    "nobody can tell what changed since. Run: ragraft run --from ingest, and promote that"
                )
        return self


def standing(session: Session) -> Standing | None:
    """The model that answers in this workspace; None where none was tuned."""
    registry, place = registry_of(session), ROWS["train"].place
    model = registry.state().current
    if model is None:
        run, train = session.run, session.run.current(place)
        if train is None:
            return None
    else:
        facts = registry.facts(model)
        run = Run(session.run.runs, facts["run"])
        found = run.find(place, facts["train"])
        train = found[0] if found else None
    folders = {"train": train, "synthesize": _input(run, "synthesize", train)}
    folders |= {name: _input(run, name, folders["synthesize"]) for name in OF_LESSONS}
    there = {name: folder for name, folder in folders.items() if folder is not None}
    marks = {name: manifest.fingerprint for name, folder in there.items() if (manifest := folder.manifest())}
    return Standing(run, model, there, marks)


def _input(run: Run, stage: str, of: Folder | None) -> Folder | None:
    """What these results were made from."""
    manifest = of.manifest() if of else None
    found = run.find(ROWS[stage].place, manifest.inputs[stage]) if manifest else None
    return found[0] if found else None
