"""ragraft's own training engine over a benchmark's rows: the calls of ragraft.training.run, without its files."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from transformers import set_seed

from benchmarks.engines.clock import ENDLESS, Clock, read_job, read_rows, tell
from ragraft.training.job import Job
from ragraft.training.loop import make_trainer
from ragraft.training.network import open_for_tuning
from ragraft.training.packing import pack_step, plan_epochs
from ragraft.training.progress import Progress
from ragraft.training.trees import Row, grow_trees, unshared


def main() -> None:
    given = read_job()
    rows = [Row(tuple(row["ids"]), row["answer_from"], row["group"]) for row in read_rows(given)]
    with tempfile.TemporaryDirectory() as folder:
        job = _job(given, deepest=max(len(row.ids) for row in rows))
        set_seed(job.seed)
        trees = grow_trees(rows)
        opened = open_for_tuning(job, Path(given["model"]), given["device"], job.max_tokens)
        reshape = (lambda tree: [tree]) if opened.reading.shares else unshared
        pack = partial(pack_step, budget=job.pack_tokens if opened.reading.packs else 1, reshape=reshape)
        epoch = [pack(chosen) for chosen in plan_epochs(trees, batch=job.batch, epochs=1, seed=job.seed)[0]]
        steps = epoch * (ENDLESS // len(epoch))
        progress = Progress(Path(folder), resume_step=0)
        trainer = make_trainer(opened, job, steps, device=given["device"], progress=progress, average=None)
        clock = Clock(given)
        trainer.add_callback(clock)
        trainer.train()
        sizes = {step.questions for step in epoch}
        if len(sizes) > 1:
            raise SystemExit(f"steps hold different numbers of questions: {sorted(sizes)}")
        tell(
            given,
            clock,
            questions=sizes.pop(),
            computed_tokens=sum(tree.tokens for step in epoch for tree in step.trees) / len(rows),
            attention=opened.reading.kind,
        )


def _job(given: dict[str, Any], deepest: int) -> Job:
    """The job that `ragraft train` would write, with the benchmark's rank and without resume points."""
    return Job(
        base=given["model"],
        base_identity="",
        base_folder=given["model"],
        after=None,
        after_identity=None,
        method="benchmark",
        lessons="",
        validation="",
        data="",
        tuning="lora",
        rank=given["rank"],
        alpha=2.0 * given["rank"],
        dropout=0.0,
        learning_rate=given["learning_rate"],
        epochs=1,
        batch=given["questions"],
        pack_tokens=given["pack_tokens"],
        share=True,
        mean="token",
        warmup=0.0,
        weight_decay=0.0,
        max_grad_norm=1.0,
        checkpointing=False,
        patience=None,
        average=None,
        precision="bf16",
        save_every=ENDLESS,
        seed=0,
        threads=given["threads"],
        processes=1,
        max_tokens=deepest,
    )


if __name__ == "__main__":
    main()
