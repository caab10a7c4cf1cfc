"""Write a run's tuned model in a form that other programs load."""

from __future__ import annotations

from pathlib import Path

from ragraft.disk import disk_faults_told
from ragraft.errors import ConfigError, WorkspaceError
from ragraft.pipeline.runner import Session
from ragraft.workspace import Checkpoint

KINDS = ("merged",)


def export(session: Session, kind: str, target: Path) -> Path:
    """`merged`: base and adapter as one plain model folder for transformers."""
    if kind not in KINDS:
        raise ConfigError(f"--to {kind}: known: {', '.join(KINDS)}")
    made = session.at().made
    if "train" not in made:
        raise WorkspaceError(f"No tuned model in {session.run.path}. Run: ragraft run")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ConfigError(f"{target} is not empty; give a new folder")
    from ragraft.models.load import save_merged

    with disk_faults_told(target):
        save_merged(str(Checkpoint(made["train"]).final()), target)
    return target
