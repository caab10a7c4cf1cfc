"""What a training job tells while it runs: metrics.jsonl, a live bar, validation, when to stop. Knows no network."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from transformers import TrainerCallback

from ragraft.errors import TrainingError
from ragraft.training.job import COMPLETE, STEPS
from ragraft.training.processes import is_first, wait

METRICS = "metrics.jsonl"
# A loss diverges when the mean of the last steps exceeds the best such mean by this factor, and by this much.
SMOOTH, DIVERGED, BY_AT_LEAST = 10, 2.0, 1.0


@dataclass(frozen=True, slots=True)
class Watch:
    """What to do at the end of an epoch."""

    ends: Sequence[int]
    """Steps after which an epoch is over."""
    validate: Callable[[], float] | None = None
    keep_best: Callable[[], None] | None = None
    """Called where the validation loss is the lowest so far."""
    patience: int | None = None
    """Epochs without a lower validation loss after which training stops; None: never."""


class Progress(TrainerCallback):
    """Writes metrics.jsonl as training goes, shows the bar, validates, marks resume points as whole."""

    def __init__(self, folder: Path, *, resume_step: int, more: Mapping[str, str] | None = None) -> None:
        """`more`: further figures that the trainer logs, and the names under which they are written."""
        self.folder = folder
        self._more = dict(more or {})
        self.tokens = 0
        self.seconds_before = 0.0
        self.validation_loss: float | None = None
        self.best: tuple[float, int] | None = None
        """The lowest validation loss and its step."""
        self.watch = Watch(())
        self._step_tokens = self._step_questions = 0
        self._measured: set[int] = set()
        self._worse = 0
        self._recent: list[float] = []
        self._lowest = math.inf
        self._go_on(resume_step)
        self._bar = Bar(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[facts]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not (is_first() and sys.stderr.isatty()),
        )

    def saw(self, step: dict[str, Any]) -> None:
        """Count a step's tokens and questions."""
        self.count(sum(pack.tokens for pack in step["packs"]), step["questions"])

    def count(self, tokens: int, questions: int) -> None:
        """Count what a step computes."""
        self._step_tokens += tokens
        self._step_questions += questions

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._bar.start()
        self._task = self._bar.add_task("train", total=state.max_steps, completed=state.global_step, facts="")
        self._clock = self._began = time.monotonic()
        if state.global_step == 0:
            self._validate(state, control)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == state.max_steps:
            control.should_save = False  # the checkpoint itself follows

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        if not logs or "loss" not in logs:
            return
        self._refuse_diverging(logs["loss"], state.global_step, logs.get("grad_norm"))
        now = time.monotonic()
        seconds = max(now - self._clock, 1e-9)
        self.tokens += self._step_tokens
        self._write(
            {
                "step": state.global_step,
                "epoch": self._epoch(state.global_step),
                "loss": logs["loss"],
                "learning_rate": logs["learning_rate"],
                "grad_norm": logs.get("grad_norm"),
                "questions": self._step_questions,
                "tokens": self.tokens,
                "tokens_per_second": round(self._step_tokens / seconds, 1),
                "seconds": round(self.seconds_before + now - self._began, 2),
                **{name: logs[key] for key, name in self._more.items() if key in logs},
            }
        )
        facts = f"loss {logs['loss']:.3f} · {self._step_tokens / seconds:,.0f} tokens/s ·"
        self._bar.update(self._task, completed=state.global_step, facts=facts)
        self._step_tokens = self._step_questions = 0
        if state.global_step in self.watch.ends:
            self._validate(state, control)
        self._clock = time.monotonic()

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        wait()  # each process writes a part
        if is_first():
            (self.folder / STEPS / f"checkpoint-{state.global_step}" / COMPLETE).touch()

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._bar.stop()

    def _validate(self, state: Any, control: Any) -> None:
        step = state.global_step
        if self.watch.validate is None or step in self._measured:
            return
        loss = self.watch.validate()
        self._note_validation(loss, step)
        if self.watch.keep_best and self.best == (loss, step):
            self.watch.keep_best()
        self._write({"step": step, "epoch": self._epoch(step), "validation_loss": loss})
        if self.watch.patience is not None and self._worse >= self.watch.patience:
            control.should_training_stop = True
            control.should_save = False  # a job resumed there would train on

    def _note_validation(self, loss: float, step: int) -> None:
        self.validation_loss = loss
        self._measured.add(step)
        better = self.best is None or loss < self.best[0]
        self._worse = 0 if better else self._worse + 1
        if better:
            self.best = (loss, step)

    def _refuse_diverging(self, loss: float, step: int, grad_norm: float | None) -> None:
        advice = "lower train.learning_rate, or set train.precision=fp32, and run again"
        kept = f"the last good resume point is kept in {self.folder / STEPS}"
        if not math.isfinite(loss):
            raise TrainingError(f"The loss became {loss} at step {step}; {advice} ({kept})")
        if grad_norm is not None and not math.isfinite(grad_norm):  # the weights are spoilt, and would be kept
            raise TrainingError(f"The gradient became {grad_norm} at step {step}; {advice} ({kept})")
        self._recent = [*self._recent[1 - SMOOTH :], loss]
        mean = sum(self._recent) / len(self._recent)
        if len(self._recent) < SMOOTH:
            return
        if mean > DIVERGED * self._lowest and mean > self._lowest + BY_AT_LEAST:
            raise TrainingError(
                f"The loss diverges: {mean:.2f} over the last {SMOOTH} steps at step {step}, "
                f"{self._lowest:.2f} at its best; {advice} ({kept})"
            )
        self._lowest = min(self._lowest, mean)

    def _epoch(self, step: int) -> float:
        """How many epochs are over after this step."""
        before = 0
        for number, end in enumerate(self.watch.ends):
            if step <= end:
                return round(number + (step - before) / (end - before), 4)
            before = end
        return float(len(self.watch.ends))

    def _write(self, row: dict[str, Any]) -> None:
        if is_first():
            with (self.folder / METRICS).open("a", encoding="utf-8") as out:
                out.write(json.dumps(row) + "\n")

    def _go_on(self, resume_step: int) -> None:
        """Forget what a killed process wrote after the resume point: those steps are done again."""
        place = self.folder / METRICS
        lines = place.read_text("utf-8").splitlines() if place.exists() else []
        rows = [json.loads(line) for line in lines if line.endswith("}")]  # the last one may be half-written
        kept = [row for row in rows if row["step"] <= resume_step] if resume_step else []
        if is_first():
            place.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")
        for row in kept:
            self.tokens = row.get("tokens", self.tokens)
            self.seconds_before = row.get("seconds", self.seconds_before)
            if "validation_loss" in row:
                self._note_validation(row["validation_loss"], row["step"])
            else:
                self._refuse_diverging(row["loss"], row["step"], row["grad_norm"])
