"""One question to a finished run: its index, its prompt, its model."""

from __future__ import annotations

from dataclasses import dataclass

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


def ask(session: Session, question: str, *, model: str | None = None) -> Asked:
    """Answer from the run's index with `tuned` (default where there is a checkpoint) or `base`."""
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
        retriever=retriever(at),
        k=session.config.retrieve.k,
        builder=builder(at),
        generator=session.backends.generator(source),
    )
    return Asked(reply, name, at.made["index"].path.name)
