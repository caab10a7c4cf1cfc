"""Carry out one job: rows, network, loop, checkpoint. The loop itself is transformers.Trainer."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ragraft.errors import TrainingError
from ragraft.models.chat import ChatTokenizer, load_tokenizer
from ragraft.models.load import CHECKPOINT_FILE, pick_device
from ragraft.training.job import COMPLETE, STEPS, Job, job_data, read_job
from ragraft.training.packing import Step, count_epoch, pack_step, plan_steps
from ragraft.training.trees import Tree, grow_trees, read_rows, unshared

LIBRARIES = ("torch", "transformers", "peft", "accelerate", "ragraft")


def run_job(folder: Path) -> None:
    """Train, or go on from the last whole resume point, and write the checkpoint; does nothing when it is there."""
    with _alone(folder):
        if not (folder / CHECKPOINT_FILE).exists():
            with _told_of_memory():
                _train(folder, read_job(folder))


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    if _rank():  # the first process holds the lock for all
        yield
        return
    try:
        with FileLock(folder / ".lock", timeout=30):
            yield
    except Timeout:
        raise TrainingError(f"Another process is training in {folder}; wait for it to end or stop it") from None


@contextlib.contextmanager
def _told_of_memory() -> Iterator[None]:
    """Out of memory is a sentence that names what to lower."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        told = str(error).lower()
        short = any(sign in told for sign in ("out of memory", "not enough memory", "allocate memory"))
        if not short and not isinstance(error, MemoryError):
            raise
        raise TrainingError(
            "Training ran out of memory; lower train.pack_tokens, or set train.checkpointing=true, or lower "
            "prompt.max_tokens and make the lessons again; train.tuning=lora needs less than full"
        ) from error


def _train(folder: Path, job: Job) -> None:
    import torch
    from transformers import set_seed

    from ragraft.training.keeping import BEST, Average, put_aside, put_back, put_back_from
    from ragraft.training.loop import make_trainer
    from ragraft.training.network import open_for_tuning
    from ragraft.training.progress import Progress, Watch

    # transformers warns of its own calls to its own old names
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    torch.set_num_threads(job.threads)
    set_seed(job.seed)  # the adapter's first weights are drawn
    device = pick_device()
    tokenizer = load_tokenizer(Path(job.base_folder))
    trees, held = (_read_trees(Path(place), tokenizer, job) for place in (job.lessons, job.validation))
    opened = open_for_tuning(job, device, max(tree.depth for tree in [*trees, *held]))
    network, reading = opened.network, opened.reading
    if reading.note:
        print(f"ragraft: {reading.note}", file=sys.stderr)
    budget = job.pack_tokens if reading.packs else 1
    pack = partial(pack_step, budget=budget, reshape=(lambda tree: [tree]) if reading.shares else unshared)
    plan = {"batch": job.batch, "epochs": job.epochs, "seed": job.seed}
    steps = [pack(chosen) for chosen in plan_steps(trees, **plan)]
    resume = _last_whole(folder / STEPS)
    progress = Progress(folder, resume_step=_step_of(resume), writes=not _rank())
    trainer = make_trainer(network, job, steps, device=device, bf16=opened.bf16, progress=progress)
    best = folder / BEST
    progress.watch = Watch(
        ends=count_epoch(trees, **plan),
        validate=partial(trainer.mean_loss, _laid_out(pack(held))) if held else None,
        keep_best=partial(put_aside, network, best) if job.patience is not None and not _rank() else None,
        patience=job.patience,
    )
    average = Average(network, folder, job.average, resume) if job.average is not None else None
    if average:
        trainer.callback_handler.callbacks.insert(0, average)
    began = time.monotonic()
    trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    if job.patience is not None and best.exists():
        put_back_from(network, best)
    elif average:
        put_back(network, average.weights)
    card = {
        **{key: value for key, value in job_data(job).items() if key not in ("base_folder", "lessons", "validation")},
        **_facts(trees, held, steps[: trainer.state.global_step]),
        "trainable_parameters": sum(p.numel() for p in network.parameters() if p.requires_grad),
        "reading": reading.kind,
        "note": reading.note,
        "steps": trainer.state.global_step,
        "best_step": progress.best[1] if progress.best and job.patience is not None else None,
        "tokens": progress.tokens,
        "seconds": round(progress.seconds_before + time.monotonic() - began, 1),
        "validation_loss": progress.best[0] if progress.best and job.patience is not None else progress.validation_loss,
        "device": device,
        "dtype": "bfloat16" if opened.bf16 else "float32",
        "machine": platform.machine(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in LIBRARIES},
    }
    if not _rank():
        _save(folder, network, tokenizer, card)


def _read_trees(path: Path, tokenizer: ChatTokenizer, job: Job) -> list[Tree]:
    return grow_trees(read_rows(path, tokenizer, job.max_tokens), share=job.share)


def _laid_out(step: Step) -> list[Any]:
    from ragraft.training.layout import lay_out_step

    return lay_out_step(step, "token")


def _facts(trees: Sequence[Tree], held: Sequence[Tree], steps: Sequence[Step]) -> dict[str, Any]:
    """What was learned from, and how much of it was shared."""
    done = [tree for step in steps for tree in step.trees]
    computed, alone = sum(tree.tokens for tree in done), sum(tree.row_tokens for tree in done)
    return {
        "rows": sum(len(tree.branches) for tree in trees),
        "validation_rows": sum(len(tree.branches) for tree in held),
        "trees": len(trees),
        "copies": len({tree.copy for tree in trees}),
        "questions_seen": sum(step.questions for step in steps),
        "learned_tokens": sum(step.learned for step in steps),
        "forward_passes": sum(len(step.packs) for step in steps),
        # 1: nothing is shared; 3: its rows would have been three times as many tokens, each by itself.
        "sharing": round(alone / computed, 3) if computed else None,
    }


def _rank() -> int:
    """Which of the job's processes this is; torchrun says so."""
    return int(os.environ.get("RANK", "0"))


def _save(folder: Path, network: Any, tokenizer: Any, card: dict[str, Any]) -> None:
    """Weights first, the card last by rename: it exists, or there is no checkpoint."""
    network.save_pretrained(folder)
    tokenizer.tokenizer.save_pretrained(folder)
    part = folder / f".{CHECKPOINT_FILE}.part"
    part.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    part.replace(folder / CHECKPOINT_FILE)
    shutil.rmtree(folder / STEPS, ignore_errors=True)
    for left in folder.glob("best.safetensors"):
        left.unlink()


def _last_whole(steps: Path) -> Path | None:
    """The newest resume point that was written to its end; half-written ones are removed."""
    whole = []
    for place in steps.glob("checkpoint-*") if steps.exists() else []:
        if (place / COMPLETE).exists():
            whole.append(place)
        elif not _rank():
            shutil.rmtree(place)
    return max(whole, key=_step_of, default=None)


def _step_of(place: Path | None) -> int:
    return int(place.name.rpartition("-")[2]) if place else 0


def _version(name: str) -> str:
    try:
        return version(name)
    except Exception:  # not installed, or run from a source tree
        return "unknown"
