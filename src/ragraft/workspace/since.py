"""What a refreshed run goes on from: `since.json` in its folder, written before anything of the run. Knows names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ragraft.errors import WorkspaceError
from ragraft.workspace.folder import Folder
from ragraft.workspace.run import Place, Run

SINCE = "since.json"


@dataclass(frozen=True, slots=True)
class Since:
    """The model that was in service when a refresh began, and the documents that it brings a new model up to."""

    home: str
    """The run that is synced and served, whose index this one follows."""
    run: str
    """The run of the model in service: home, or an earlier refresh."""
    model: str | None
    """Its name in the registry; None where it was never promoted."""
    before: Mapping[str, str]
    """Fingerprints, by stage, of that model and of all that it was taught and examined by."""
    now: Mapping[str, str]
    """Fingerprints of the corpus and the index that this run is of."""

    def folder(self, run: Run, place: Place, stage: str) -> Folder:
        """A result of before; raises WorkspaceError where nobody has it any more."""
        found = Run(run.runs, self.run).find(place, self.before[stage])
        if found is None:
            raise WorkspaceError(
                f"{run.path} goes on from the {stage} results {self.before[stage][:12]} of {run.runs / self.run}, and "
                "they are gone. Run: ragraft run --from ingest"
            )
        return found[0]


def read_since(run: Run) -> Since | None:
    """What this run goes on from; None where it is no refresh."""
    folder = Folder(run.path)
    if not folder.has(SINCE):
        return None
    try:
        found: dict[str, Any] = folder.read_json(SINCE)
        return Since(**found)
    except TypeError as error:
        raise folder.damaged(SINCE, error) from None


def write_since(run: Run, since: Since) -> None:
    """Say what this run goes on from."""
    Folder(run.path).write_json(SINCE, asdict(since))
