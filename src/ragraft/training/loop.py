"""The optimizer loop: transformers.Trainer over planned steps of packed trees. Knows packs, not lessons."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset
from transformers import Trainer, TrainingArguments

from ragraft.training.job import STEPS, Job
from ragraft.training.keeping import Average
from ragraft.training.layout import Mean, Pack, lay_out_step
from ragraft.training.network import Opened
from ragraft.training.packing import Step
from ragraft.training.processes import backend
from ragraft.training.progress import Progress


class Steps(Dataset):
    """The planned steps, laid out when they are asked for."""

    def __init__(self, steps: Sequence[Step], mean: Mean) -> None:
        self._steps, self._mean = steps, mean

    def __len__(self) -> int:
        return len(self._steps)

    def __getitem__(self, place: int) -> dict[str, Any]:
        step = self._steps[place]
        packs = lay_out_step(step, self._mean)
        return {"packs": packs, "questions": step.questions}


class TreeTrainer(Trainer):
    """Trainer whose batch is a whole optimizer step: its packs are computed one by one, their losses adding up.

    Every process holds the same plan and takes its share of a step's packs, so the step's loss and gradient don't
    depend on the number of processes.
    """

    def __init__(self, *args: Any, saw: Callable[[dict[str, Any]], None], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._saw = saw

    def get_train_dataloader(self) -> Any:
        # Not through accelerate, which would give each process other steps.
        return DataLoader(self.train_dataset, batch_size=1, shuffle=False, collate_fn=_first)

    def floating_point_ops(self, inputs: Any) -> int:
        return 0  # an estimate by padded batches would be wrong for trees

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> Any:
        """Loss and gradient of one planned step."""
        model.train()
        # Counted here, not where steps are laid out: those are fetched ahead.
        self._saw(inputs)
        world, rank = self.accelerator.num_processes, self.accelerator.process_index
        mine = inputs["packs"][rank::world]
        if not mine:  # fewer packs than processes: join the others' reduction with nothing
            mine = [_weightless(inputs["packs"][0])]
        total = torch.zeros((), device=self.args.device)
        for number, pack in enumerate(mine):
            last = number + 1 == len(mine)
            with contextlib.nullcontext() if last else self.accelerator.no_sync(model):
                with self.compute_loss_context_manager():
                    loss = model(pack)
                # Gradients are averaged over processes; the plan's weights already add up to 1 over all of them.
                self.accelerator.backward(loss * world)
            total += loss.detach().to(total.dtype)
        return self.accelerator.reduce(total, "sum") if world > 1 else total

    @torch.no_grad()
    def mean_loss(self, packs: Sequence[Pack]) -> float:
        """Mean negative log-likelihood of all learned tokens of packs whose weights add up to 1, in nats."""
        world, rank = self.accelerator.num_processes, self.accelerator.process_index
        self.model.eval()
        with self.compute_loss_context_manager():
            total = sum(float(self.model(pack)) for pack in packs[rank::world])
        self.model.train()
        if world == 1:
            return total
        return float(self.accelerator.reduce(torch.tensor(total, dtype=torch.float64, device=self.args.device), "sum"))


def _first(batch: list[Any]) -> Any:
    return batch[0]


def _weightless(pack: Pack) -> Pack:
    return Pack(pack.ids, pack.places, pack.spans, pack.kept, pack.wanted, torch.zeros_like(pack.weights))


def make_trainer(
    opened: Opened, job: Job, steps: Sequence[Step], *, device: str, progress: Progress, average: Average | None
) -> TreeTrainer:
    """The Trainer of a job, ready to train or to resume."""
    arguments = TrainingArguments(
        per_device_train_batch_size=1,
        gradient_accumulation_steps=1,
        ddp_backend=backend(device),
        ddp_find_unused_parameters=False,
        **arguments_of(job, progress.folder, bf16=opened.bf16, device=device),
    )
    trainer = TreeTrainer(
        model=opened.network,
        args=arguments,
        train_dataset=Steps(steps, job.mean),
        callbacks=[*([average] if average else []), progress],  # in this order
        saw=progress.saw,
    )
    silence(trainer)
    return trainer


def arguments_of(job: Job, folder: Path, *, bf16: bool, device: str) -> dict[str, Any]:
    """What every loop of ours asks of transformers' Trainer."""
    return {
        "output_dir": str(folder / STEPS),
        # The plan holds all epochs: for Trainer they are one, so that a resume point is a place in the plan.
        "num_train_epochs": 1,
        "learning_rate": job.learning_rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": job.warmup,
        "weight_decay": job.weight_decay,
        "max_grad_norm": job.max_grad_norm,
        "bf16": bf16,
        "use_cpu": device == "cpu",
        "seed": job.seed,
        "data_seed": job.seed,
        "save_strategy": "steps",
        "save_steps": job.save_every,
        "save_total_limit": 2,
        "eval_strategy": "no",
        "logging_steps": 1,
        "logging_first_step": True,
        # Off: it would hide a loss that is no number.
        "logging_nan_inf_filter": False,
        "disable_tqdm": True,
        "report_to": "none",
        "remove_unused_columns": False,
    }


def silence(trainer: Trainer) -> None:
    """Leave the telling to Progress."""
    for noisy in ("PrinterCallback", "ProgressCallback"):
        for callback in [c for c in trainer.callback_handler.callbacks if type(c).__name__ == noisy]:
            trainer.remove_callback(callback)
