from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ragraft.errors import TrainingError
from ragraft.training.progress import BY_AT_LEAST, DIVERGED, SMOOTH, Progress, Watch


def control() -> SimpleNamespace:
    return SimpleNamespace(should_training_stop=False, should_save=True)


def at(step: int) -> SimpleNamespace:
    return SimpleNamespace(global_step=step, max_steps=99)


def begun(folder: Path, watch: Watch | None = None, resume_step: int = 0) -> Progress:
    progress = Progress(folder, resume_step=resume_step)
    progress.watch = watch or Watch(())
    progress.on_train_begin(None, at(resume_step), control())
    progress.on_train_end(None, at(resume_step), control())
    return progress


def log(progress: Progress, step: int, loss: float, grad_norm: float = 1.0) -> SimpleNamespace:
    found = control()
    progress.on_log(None, at(step), found, logs={"loss": loss, "grad_norm": grad_norm, "learning_rate": 1e-3})
    return found


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_the_job(tmp_path: Path, loss: float) -> None:
    sentence = rf"^The loss became {loss} at step 3; lower train.learning_rate, or set train.precision=fp32, and run"
    with pytest.raises(TrainingError, match=sentence):
        log(begun(tmp_path), 3, loss)


@pytest.mark.parametrize("norm", [float("nan"), float("inf")])
def test_a_gradient_that_is_no_number_stops_before_its_weights_are_kept(tmp_path: Path, norm: float) -> None:
    with pytest.raises(TrainingError, match=rf"^The gradient became {norm} at step 3; lower train.learning_rate"):
        log(begun(tmp_path), 3, 1.5, norm)


def learn(progress: Progress, losses: Sequence[float], after: int = 0) -> None:
    for step, loss in enumerate(losses, after + 1):
        log(progress, step, loss)


def test_a_diverging_loss_stops_the_job(tmp_path: Path) -> None:
    fall = [2.0 - 0.1 * step for step in range(SMOOTH)]
    lowest = sum(fall) / SMOOTH
    limit = max(DIVERGED * lowest, lowest + BY_AT_LEAST)
    learn(begun(tmp_path), [*fall, *[limit * 0.99] * 3 * SMOOTH])
    sentence = rf"^The loss diverges: .* over the last {SMOOTH} steps at step \d+, {lowest:.2f} at its best; lower"
    with pytest.raises(TrainingError, match=sentence):
        learn(begun(tmp_path), [*fall, *[limit * 1.01] * SMOOTH])


def test_one_wild_step_and_small_losses_are_no_divergence(tmp_path: Path) -> None:
    learn(begun(tmp_path), [*[1.0] * SMOOTH, 11.0, *[1.0] * SMOOTH])
    learn(begun(tmp_path), [*[0.01] * SMOOTH, *[0.5] * SMOOTH])


def test_divergence_is_seen_across_a_kill(tmp_path: Path) -> None:
    learn(begun(tmp_path), [1.0] * SMOOTH)
    again = begun(tmp_path, resume_step=SMOOTH)
    with pytest.raises(TrainingError, match=r"^The loss diverges"):
        learn(again, [9.0] * SMOOTH, after=SMOOTH)


class Exam:
    """Validation losses, one after another, and what was kept as the best."""

    def __init__(self, *losses: float) -> None:
        self.losses, self.kept, self.place = list(losses), list[float](), 0

    def validate(self) -> float:
        self.place += 1
        return self.losses[self.place - 1]

    def keep(self) -> None:
        self.kept.append(self.losses[self.place - 1])

    def watch(self, patience: int | None) -> Watch:
        return Watch((2, 4, 6, 8), self.validate, self.keep, patience)


def run_epochs(progress: Progress, steps: Sequence[int]) -> int | None:
    """Log the steps until one asks to stop; that one."""
    for step in steps:
        asked = log(progress, step, 1.0)
        assert asked.should_save != asked.should_training_stop, "a job resumed there would train on"
        if asked.should_training_stop:
            return step
    return None


@pytest.mark.parametrize(
    ("patience", "losses", "stopped", "best"),
    [
        (1, [3.0, 2.0, 2.5], 4, (2.0, 2)),
        (2, [3.0, 2.0, 2.5, 2.0], 6, (2.0, 2)),
        (2, [3.0, 2.0, 2.5, 1.5, 1.6], None, (1.5, 6)),
        (1, [3.0, 3.5], 2, (3.0, 0)),
        (None, [3.0, 3.5, 4.0, 5.0, 6.0], None, (3.0, 0)),
    ],
)
def test_patience(
    tmp_path: Path, patience: int | None, losses: list[float], *, stopped: int | None, best: tuple[float, int]
) -> None:
    exam = Exam(*losses)
    progress = begun(tmp_path, exam.watch(patience))
    assert run_epochs(progress, range(1, 9)) == stopped
    assert progress.best == best
    assert exam.kept[-1] == best[0]
    assert exam.kept == [loss for at, loss in enumerate(losses) if loss < min([9.9, *losses[:at]])]


def test_patience_remembers_across_a_kill(tmp_path: Path) -> None:
    exam = Exam(3.0, 2.0, 2.5, 2.6)
    run_epochs(begun(tmp_path, exam.watch(2)), range(1, 6))
    again = begun(tmp_path, exam.watch(2), resume_step=4)
    assert again.best == (2.0, 2)
    assert run_epochs(again, range(5, 9)) == 6
    assert exam.kept == [3.0, 2.0]


def rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text("utf-8").splitlines()]


def test_epochs_are_told_by_the_plan(tmp_path: Path) -> None:
    progress = begun(tmp_path, Watch((2, 5)))
    learn(progress, [1.0] * 5)
    assert [row["epoch"] for row in rows(tmp_path)] == [0.5, 1.0, 1.3333, 1.6667, 2.0]
