"""Carry out one job: rows, network, loop, checkpoint. The loop itself is transformers.Trainer."""

from __future__ import annotations

import contextlib
import json
import platform
import shutil
import time
import warnings
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ragraft.errors import TrainingError
from ragraft.models.chat import load_tokenizer
from ragraft.models.load import CHECKPOINT_FILE, pick_device
from ragraft.training.job import COMPLETE, STEPS, Job, job_data, read_job
from ragraft.training.rows import read_rows

LIBRARIES = ("torch", "transformers", "peft", "accelerate", "ragraft")


def run_job(folder: Path) -> None:
    """Train, or go on from the last whole resume point, and write the checkpoint; does nothing when it is there."""
    with _alone(folder):
        if not (folder / CHECKPOINT_FILE).exists():
            _train(folder, read_job(folder))


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    try:
        with FileLock(folder / ".lock", timeout=30):
            yield
    except Timeout:
        raise TrainingError(f"Another process is training in {folder}; wait for it to end or stop it") from None


def _train(folder: Path, job: Job) -> None:
    import torch
    from transformers import set_seed

    from ragraft.training.loop import Progress, make_trainer
    from ragraft.training.network import open_for_tuning

    # transformers warns of its own calls to its own old names
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    torch.set_num_threads(job.threads)
    set_seed(job.seed)  # the adapter's first weights are drawn
    device = pick_device()
    tokenizer = load_tokenizer(Path(job.base_folder))
    rows = read_rows(Path(job.lessons), tokenizer, job.max_tokens)
    validation = read_rows(Path(job.validation), tokenizer, job.max_tokens)
    network, bf16 = open_for_tuning(job, device)
    resume = _last_whole(folder / STEPS)
    progress = Progress(folder, resume_step=_step_of(resume))
    trainer = make_trainer(
        network, job, rows, validation, tokenizer=tokenizer, device=device, bf16=bf16, progress=progress
    )
    began = time.monotonic()
    trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    card = {
        **{key: value for key, value in job_data(job).items() if key not in ("base_folder", "lessons", "validation")},
        "rows": len(rows),
        "validation_rows": len(validation),
        "trainable_parameters": sum(p.numel() for p in network.parameters() if p.requires_grad),
        "steps": trainer.state.global_step,
        "tokens": progress.tokens,
        "seconds": round(progress.seconds_before + time.monotonic() - began, 1),
        "validation_loss": progress.validation_loss,
        "device": device,
        "dtype": "bfloat16" if bf16 else "float32",
        "machine": platform.machine(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in LIBRARIES},
    }
    _save(folder, network, tokenizer, card)


def _save(folder: Path, network: Any, tokenizer: Any, card: dict[str, Any]) -> None:
    """Weights first, the card last by rename: it exists, or there is no checkpoint."""
    network.save_pretrained(folder)
    tokenizer.tokenizer.save_pretrained(folder)
    part = folder / f".{CHECKPOINT_FILE}.part"
    part.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    part.replace(folder / CHECKPOINT_FILE)
    shutil.rmtree(folder / STEPS, ignore_errors=True)


def _last_whole(steps: Path) -> Path | None:
    """The newest resume point that was written to its end; half-written ones are removed."""
    whole = []
    for place in steps.glob("checkpoint-*") if steps.exists() else []:
        if (place / COMPLETE).exists():
            whole.append(place)
        else:
            shutil.rmtree(place)
    return max(whole, key=_step_of, default=None)


def _step_of(place: Path | None) -> int:
    return int(place.name.rpartition("-")[2]) if place else 0


def _version(name: str) -> str:
    try:
        return version(name)
    except Exception:  # not installed, or run from a source tree
        return "unknown"
