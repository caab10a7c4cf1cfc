"""Carry out one job: trees, steps, network, loop, checkpoint. The loop itself is transformers.Trainer."""

from __future__ import annotations

import contextlib
import math
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from ragraft.errors import TrainingError
from ragraft.models.chat import ChatTokenizer, load_tokenizer
from ragraft.models.load import CHECKPOINT_FILE, pick_device
from ragraft.training.checkpoint import last_whole, save, starting_folder, step_of, write_card
from ragraft.training.job import Job, read_job
from ragraft.training.packing import Step, pack_step, plan_epochs
from ragraft.training.processes import is_first, join, wait
from ragraft.training.trees import Tree, grow_trees, read_rows, unshared

if TYPE_CHECKING:
    from ragraft.training.keeping import Average
    from ragraft.training.progress import Progress
    from ragraft.training.reading import Reading


def run_job(folder: Path) -> None:
    """Train, or go on from the last whole resume point, and write the checkpoint; does nothing when it is there."""
    job = read_job(folder)
    device = pick_device()
    join(job.processes, device)
    with _alone(folder), _told_of_memory():
        if not (folder / CHECKPOINT_FILE).exists():
            _carry_out(folder, job, device)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One job at a time in a folder: its first process holds the lock for all."""
    lock = FileLock(folder / ".lock", timeout=30) if is_first() else contextlib.nullcontext()
    try:
        with lock:
            wait()
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


def _carry_out(folder: Path, job: Job, device: str) -> None:
    if job.preference is None:
        _train(folder, job, device)
        return
    _settle_chance(job)
    try:
        from ragraft.training.preference import train_pairs
    except ImportError as error:
        raise TrainingError(f"train.preference: dpo needs {error.name}; install ragraft[preference]") from None
    train_pairs(folder, job, device)


def _train(folder: Path, job: Job, device: str) -> None:
    from ragraft.training.keeping import Average
    from ragraft.training.loop import make_trainer
    from ragraft.training.network import open_for_tuning
    from ragraft.training.progress import Progress

    _settle_chance(job)
    tokenizer = load_tokenizer(Path(job.base_folder))
    trees, held = (_read_trees(Path(place), tokenizer, job) for place in (job.lessons, job.validation))
    opened = open_for_tuning(job, starting_folder(folder, job), device, max(tree.depth for tree in [*trees, *held]))
    epochs, exam = _plan(trees, held, job, opened.reading)
    notes = [note for note in (opened.reading.note, _unread(trees, job.epochs)) if note]
    if is_first():
        for note in notes:
            print(f"ragraft: {note}", file=sys.stderr)
    steps = [step for epoch in epochs for step in epoch]
    resume = last_whole(folder)
    progress = Progress(folder, resume_step=step_of(resume))
    average = Average(opened.network, folder, job.average, resume) if job.average is not None else None
    trainer = make_trainer(opened, job, steps, device=device, progress=progress, average=average)
    validate = partial(trainer.mean_loss, exam) if exam else None
    _watch(progress, opened.network, job, epochs, validate=validate)
    began = time.monotonic()
    trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    kept = _choose_weights(opened.network, job, progress, average, validate=validate)
    if is_first():
        facts = {
            **_facts(trees, held, steps[: trainer.state.global_step]),
            **kept,
            "trainable_parameters": sum(p.numel() for p in opened.network.parameters() if p.requires_grad),
            "reading": opened.reading.kind,
            "note": "; ".join(notes),
            "steps": trainer.state.global_step,
            "tokens": progress.tokens,
            "seconds": round(progress.seconds_before + time.monotonic() - began, 1),
            "device": device,
            "dtype": "bfloat16" if opened.bf16 else "float32",
        }
        save(folder, opened.network, tokenizer, write_card(job, facts))


def _settle_chance(job: Job) -> None:
    """What the last bits depend on: the threads that compute, and the seed that draws an adapter's first weights."""
    import torch
    from transformers import set_seed

    # transformers warns of its own calls to its own old names
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    torch.set_num_threads(max(1, job.threads // job.processes))
    set_seed(job.seed)


def _read_trees(path: Path, tokenizer: ChatTokenizer, job: Job) -> list[Tree]:
    return grow_trees(read_rows(path, tokenizer, job.max_tokens))


def _plan(
    trees: Sequence[Tree], held: Sequence[Tree], job: Job, reading: Reading
) -> tuple[list[list[Step]], list[Any]]:
    """The steps of each epoch, as the network can read them, and the packs of the validation."""
    from ragraft.training.layout import lay_out_step

    if job.patience is not None and not held:
        raise TrainingError(
            "train.patience needs validation lessons, and there are none; give examine.shares.validation or "
            "synthesize.max_validation more, or leave train.patience out"
        )
    pack = partial(
        pack_step,
        budget=job.pack_tokens if reading.packs else 1,
        # Only here, so that a step asks the same questions either way.
        reshape=(lambda tree: [tree]) if reading.shares and job.share else unshared,
        processes=job.processes,
    )
    epochs = plan_epochs(trees, batch=job.batch, epochs=job.epochs, seed=job.seed)
    return [[pack(step) for step in epoch] for epoch in epochs], lay_out_step(pack(held), "token") if held else []


def _unread(trees: Sequence[Tree], epochs: float) -> str:
    """What is to be said of copies of the lessons that no epoch reads."""
    copies = len({tree.copy for tree in trees})
    left = copies - math.ceil(epochs)
    if left <= 0:
        return ""
    return (
        f"{left} of {copies} copies of the lessons are never read, since an epoch reads one; raise train.epochs, or "
        "lower synthesize.copies"
    )


def _watch(progress: Progress, network: Any, job: Job, epochs: Sequence[Sequence[Step]], *, validate: Any) -> None:
    """Tell progress what to do when an epoch is over."""
    from ragraft.training.keeping import BEST, put_aside
    from ragraft.training.progress import Watch

    progress.watch = Watch(
        ends=list(accumulate(len(epoch) for epoch in epochs)),
        validate=validate,
        keep_best=partial(put_aside, network, progress.folder / BEST) if job.patience is not None else None,
        patience=job.patience,
    )


def _choose_weights(
    network: Any, job: Job, progress: Progress, average: Average | None, *, validate: Any
) -> dict[str, Any]:
    """Give the network the weights that the checkpoint is to hold; says how well they do on the validation lessons."""
    from ragraft.training.keeping import BEST, put_back, put_back_from

    if job.patience is not None and progress.best:
        if is_first():
            put_back_from(network, progress.folder / BEST)
        return {"validation_loss": progress.best[0], "best_step": progress.best[1]}
    if average:
        put_back(network, average.weights)
        return {"validation_loss": validate() if validate else None, "best_step": None}
    return {"validation_loss": progress.validation_loss, "best_step": None}


def _facts(trees: Sequence[Tree], held: Sequence[Tree], steps: Sequence[Step]) -> dict[str, Any]:
    """What was learned from, and how much of it was shared."""
    done = [tree for step in steps for tree in step.trees]
    return {
        "rows": sum(len(tree.branches) for tree in trees),
        "validation_rows": sum(len(tree.branches) for tree in held),
        "trees": len(trees),
        "copies": len({tree.copy for tree in trees}),
        "questions_seen": sum(step.questions for step in steps),
        "learned_tokens": sum(step.learned for step in steps),
        "forward_passes": sum(len(step.packs) for step in steps),
        # 1: nothing is shared; 3: its rows would have been three times as many tokens, each by itself.
        "sharing": round(sum(tree.row_tokens for tree in done) / max(1, sum(tree.tokens for tree in done)), 3),
    }
