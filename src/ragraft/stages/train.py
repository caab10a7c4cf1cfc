"""Tune the base model on the lessons. Reads Lessons; writes Checkpoint.

Knows settings and a job's form; the training itself is a process behind the Trainer and Launcher ports.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ragraft.config import PromptConfig, TrainConfig
from ragraft.errors import TrainingError
from ragraft.ports import Backends, TrainJob
from ragraft.workspace import Checkpoint, Folder, Lessons, hash_file

METHOD = "raft"
JOB = "job.json"
CARD = "checkpoint.json"
# LoRA's best rate is about ten times that of all parameters (Biderman et al. 2024; Schulman 2025).
ADAPTER_RATE, FULL_RATE = 5e-4, 5e-5
AS_SET = (
    *("tuning", "rank", "dropout", "epochs", "batch", "share", "mean", "warmup", "weight_decay", "max_grad_norm"),
    *("checkpointing", "patience", "average", "precision", "save_every", "seed", "processes"),
)
# Enough to fill the processor; more only takes memory.
CPU_PACK, PACK = 2048, 8192


def train(
    lessons: Lessons, *, settings: TrainConfig, prompt: PromptConfig, backends: Backends, out: Folder
) -> Checkpoint:
    """Run the training process, or let it go on after a kill. Raises TrainingError when it leaves no checkpoint."""
    work = out.folder(f"01-{METHOD}")
    if not work.has(JOB):
        work.write_json(JOB, _job(lessons, settings, prompt, {**backends.model_facts(), **backends.machine_facts()}))
    if not work.has(CARD):
        outcome = backends.launcher.launch(backends.trainer.command(TrainJob(work.path, settings.processes)))
        if outcome.returncode or not work.has(CARD):
            raise TrainingError(
                f"Training stopped before its end ({outcome.message or 'no checkpoint was written'}); "
                "the same command goes on from the last resume point"
            )
    card = work.read_json(CARD)
    loss = card["validation_loss"]
    out.write_json(
        "summary.json",
        {
            "steps": card["steps"],
            "tokens": card["tokens"],
            "sharing": card["sharing"],
            "minutes": round(card["seconds"] / 60, 1),
            "validation loss": None if loss is None else round(loss, 3),
        },
    )
    return Checkpoint(out)


def _job(lessons: Lessons, settings: TrainConfig, prompt: PromptConfig, base: Mapping[str, Any]) -> dict[str, Any]:
    """All that decides the weights, settled now: a resumed job must not see other defaults."""
    return {
        "base": base["source"],
        "base_identity": base["identity"],
        "base_folder": base["path"],
        "method": METHOD,
        "lessons": str(lessons.folder.file("lessons.jsonl")),
        "validation": str(lessons.folder.file("validation.jsonl")),
        "data": hash_file(lessons.folder.file("lessons.jsonl")),
        **{key: getattr(settings, key) for key in AS_SET},
        "alpha": settings.alpha or 2.0 * settings.rank,
        "learning_rate": settings.learning_rate or (FULL_RATE if settings.tuning == "full" else ADAPTER_RATE),
        "pack_tokens": settings.pack_tokens or (CPU_PACK if base["device"] == "cpu" else PACK),
        "threads": base["threads"],
        "max_tokens": min(prompt.max_tokens, base["window"]),
    }
