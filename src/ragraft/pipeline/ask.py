"""One question to a finished run: its index, its prompt, its model."""

from __future__ import annotations

from dataclasses import dataclass

from ragraft.config import CONTEXTS
from ragraft.errors import ConfigError, WorkspaceError
from ragraft.methods.answer import Reply, answer_from_index
from ragraft.pipeline.runner import Session
from ragraft.pipeline.table import builder, retriever
from ragraft.workspace import Checkpoint


@dataclass(frozen=True, slots=True)
class Asked:
    """A reply and the version of the index that it rests on."""

    reply: Reply
    model: str
    index_version: str
    note: str = ""
    """What the user should know of where the passages came from."""


def ask(session: Session, question: str, *, model: str | None = None) -> Asked:
    """Answer with `tuned` (default where there is a checkpoint) or `base`, from the passages of the run's retriever."""
    at = session.at()
    for stage in ("ingest", "index"):
        if stage not in at.made:
            raise WorkspaceError(f"No index in {session.run.path}. Run: ragraft run --until index")
    name = model or ("tuned" if "train" in at.made else "base")
    if name not in ("base", "tuned"):
        raise ConfigError(f"--model {name}: give base or tuned")
    if name == "tuned" and "train" not in at.made:
        raise WorkspaceError(f"No tuned model in {session.run.path}. Run: ragraft run")
    source = str(Checkpoint(at.made["train"]).final()) if name == "tuned" else session.config.model
    reply = answer_from_index(
        question,
        retriever=session.backends.retriever or retriever(at),
        k=session.config.retrieve.k,
        builder=builder(at),
        generator=session.backends.generator(source),
    )
    carried = session.config.retrieve.retriever == CONTEXTS
    note = "a question asked here carries no contexts: its passages are from ragraft's own index" if carried else ""
    return Asked(reply, name, at.made["index"].path.name, note)
