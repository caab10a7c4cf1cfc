"""The optimizer loop: transformers.Trainer with our rows, our objective, our progress and our resume points."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from transformers import Trainer, TrainerCallback, TrainingArguments

from ragraft.errors import TrainingError
from ragraft.models.chat import ChatTokenizer
from ragraft.training.job import COMPLETE, STEPS, Job
from ragraft.training.objective import completion_loss
from ragraft.training.rows import IGNORED, Row, collate

METRICS = "metrics.jsonl"


class CompletionTrainer(Trainer):
    """Trainer with the completion-only objective, averaged over all answer tokens of an optimizer step."""

    def __init__(self, *args: Any, saw: Callable[[dict[str, Any]], None], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._saw = saw
        # Asks for the step's token count, so that accumulated micro-batches weigh by their tokens.
        self.model_accepts_loss_kwargs = True

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        # Counted here, not where batches are made: those are fetched ahead, and a resumed run would count otherwise.
        self._saw(inputs)
        total = completion_loss(model, inputs)
        count = num_items_in_batch if num_items_in_batch is not None else (inputs["labels"] != IGNORED).sum()
        loss = total / count
        if self.args.average_tokens_across_devices and num_items_in_batch is not None:
            loss = loss * self.accelerator.num_processes
        return (loss, None) if return_outputs else loss

    @torch.no_grad()
    def validation_loss(self, rows: list[Row], batch: int, pad: int) -> float:
        """Mean negative log-likelihood of the validation answers' tokens, in nats."""
        self.model.eval()
        total, count = 0.0, 0
        for start in range(0, len(rows), batch):
            inputs = self._prepare_inputs(collate(rows[start : start + batch], pad))
            with self.compute_loss_context_manager():
                total += float(completion_loss(self.model, inputs))
            count += int((inputs["labels"] != IGNORED).sum())
        self.model.train()
        return total / count


class Progress(TrainerCallback):
    """Writes metrics.jsonl as training goes, shows the bar, measures validation loss, marks resume points as whole."""

    def __init__(self, folder: Path, *, resume_step: int) -> None:
        self.folder = folder
        self.tokens = 0
        self.seconds_before = 0.0
        self.validation_loss: float | None = None
        self.validate: Any = None
        self._step_tokens = 0
        self._measured = -1
        self._go_on(resume_step)
        self._bar = Bar(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[facts]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
        )

    def saw(self, batch: dict[str, Any]) -> None:
        """Count a micro-batch's tokens."""
        self._step_tokens += int(batch["input_ids"].numel())

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._bar.start()
        self._task = self._bar.add_task("train", total=state.max_steps, completed=state.global_step, facts="")
        self._clock = self._began = time.monotonic()
        # At the start, and after a stop between an epoch's last save and its end.
        if float(state.epoch or 0.0).is_integer():
            self._measure(state)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == state.max_steps:
            control.should_save = False  # the checkpoint itself follows

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        if not logs or "loss" not in logs:
            return
        if not math.isfinite(logs["loss"]):
            raise TrainingError(
                f"The loss became {logs['loss']} at step {state.global_step}; lower train.learning_rate, "
                "or set train.precision=fp32, and run again"
            )
        now = time.monotonic()
        speed = self._step_tokens / max(now - self._clock, 1e-9)
        self.tokens += self._step_tokens
        self._write(
            {
                "step": state.global_step,
                "epoch": round(state.epoch or 0.0, 4),
                "loss": logs["loss"],
                "learning_rate": logs["learning_rate"],
                "grad_norm": logs.get("grad_norm"),
                "tokens": self.tokens,
                "tokens_per_second": round(speed, 1),
                "seconds": round(self.seconds_before + now - self._began, 2),
            }
        )
        facts = f"loss {logs['loss']:.3f} · {speed:,.0f} tokens/s ·"
        self._bar.update(self._task, completed=state.global_step, facts=facts)
        self._clock, self._step_tokens = now, 0

    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._measure(state)
        self._clock = time.monotonic()

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        (self.folder / STEPS / f"checkpoint-{state.global_step}" / COMPLETE).touch()

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._measure(state)
        self._bar.stop()

    def _measure(self, state: Any) -> None:
        if self.validate is None or self._measured == state.global_step:
            return
        self._measured = state.global_step
        self.validation_loss = self.validate()
        epoch = round(state.epoch or 0.0, 4)
        self._write({"step": state.global_step, "epoch": epoch, "validation_loss": self.validation_loss})

    def _write(self, row: dict[str, Any]) -> None:
        with (self.folder / METRICS).open("a", encoding="utf-8") as out:
            out.write(json.dumps(row) + "\n")

    def _go_on(self, resume_step: int) -> None:
        """Forget what a killed process wrote after the resume point: those steps are done again."""
        place = self.folder / METRICS
        lines = place.read_text("utf-8").splitlines() if place.exists() else []
        rows = [json.loads(line) for line in lines if line.endswith("}")]  # the last one may be half-written
        kept = [row for row in rows if row["step"] <= resume_step] if resume_step else []
        place.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")
        for row in kept:
            self.tokens = row.get("tokens", self.tokens)
            self.seconds_before = row.get("seconds", self.seconds_before)
            if "validation_loss" in row:
                self.validation_loss, self._measured = row["validation_loss"], row["step"]


def make_trainer(
    network: Any,
    job: Job,
    rows: list[Row],
    validation: list[Row],
    *,
    tokenizer: ChatTokenizer,
    device: str,
    bf16: bool,
    progress: Progress,
) -> CompletionTrainer:
    """The Trainer of a job, ready to train or to resume."""
    arguments = TrainingArguments(
        output_dir=str(progress.folder / STEPS),
        per_device_train_batch_size=job.micro_batch,
        gradient_accumulation_steps=job.batch // job.micro_batch,
        num_train_epochs=job.epochs,
        learning_rate=job.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=job.warmup,
        weight_decay=job.weight_decay,
        max_grad_norm=job.max_grad_norm,
        bf16=bf16,
        use_cpu=device == "cpu",
        seed=job.seed,
        data_seed=job.seed,
        save_strategy="steps",
        save_steps=job.save_every,
        save_total_limit=2,
        eval_strategy="no",
        logging_steps=1,
        logging_first_step=True,
        disable_tqdm=True,
        report_to="none",
        remove_unused_columns=False,
        dataloader_pin_memory=device == "cuda",
    )
    pad = int(tokenizer.tokenizer.pad_token_id)

    trainer = CompletionTrainer(
        model=network,
        args=arguments,
        train_dataset=rows,
        data_collator=partial(collate, pad=pad),
        callbacks=[progress],
        saw=progress.saw,
    )
    for noisy in ("PrinterCallback", "ProgressCallback"):
        for callback in [c for c in trainer.callback_handler.callbacks if type(c).__name__ == noisy]:
            trainer.remove_callback(callback)
    if validation:
        progress.validate = partial(trainer.validation_loss, validation, job.micro_batch, pad)
    return trainer
