"""What a refreshed run goes on from: `since.json` in its folder, written before anything of the run. Knows names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ragraft.errors import WorkspaceError
from ragraft.workspace.folder import Folder
from ragraft.workspace.run import Place, Run

SINCE = "since.json"


@dataclass(frozen=True, slots=True)
class Since:
    """The model that was in service when a refresh began, and the documents that it brings a new model up to."""

    runs: Path
    """The folder of all runs; not kept."""
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

    def folder(self, place: Place, stage: str) -> Folder:
        """A result of before; raises WorkspaceError where nobody has it any more."""
        found = Run(self.runs, self.run).find(place, self.before[stage])
        if found is None:
            raise WorkspaceError(
                f"The {stage} results {self.before[stage][:12]} of {self.runs / self.run} are gone, and a refresh goes "
                "on from them; take them back, or begin anew: ragraft run --from ingest"
            )
        return found[0]


def read_since(run: Run) -> Since | None:
    """What this run goes on from; None where it is no refresh."""
    folder = Folder(run.path)
    if not folder.has(SINCE):
        return None
    try:
        found: dict[str, Any] = json.loads(folder.file(SINCE).read_text("utf-8"))
        return Since(run.runs, **found)
    except (ValueError, TypeError):
        raise WorkspaceError(f"{folder.file(SINCE)} is damaged; remove {run.path}, and run: ragraft refresh") from None


def write_since(run: Run, since: Since) -> None:
    """Say what this run goes on from."""
    data = asdict(since)
    del data["runs"]
    Folder(run.path).write_json(SINCE, data)
