"""Weights put aside: what the checkpoint holds is the best epoch, or the average over steps, also after a kill."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from ragraft.errors import TrainingError
from ragraft.training.keeping import Average, put_aside, put_back_from, trainable
from ragraft.training.progress import Progress
from ragraft.training.run import run_job

MakeJob = Callable[..., Path]
WEIGHTS = "adapter_model.safetensors"


class StoppedError(Exception):
    """The test's own end of a process."""


def run_until(folder: Path, event: str, step: int) -> None:
    handler = getattr(Progress, event)

    def stopping(self: Progress, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        handler(self, args, state, control, **kwargs)
        if state.global_step == step:
            raise StoppedError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Progress, event, stopping)
        with pytest.raises(StoppedError):
            run_job(folder)


def card(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "checkpoint.json").read_text(encoding="utf-8"))
    return found


def validations(folder: Path) -> dict[int, float]:
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return {row["step"]: row["validation_loss"] for row in rows if "validation_loss" in row}


def trajectory(folder: Path) -> list[dict[str, torch.Tensor]]:
    """Run the job; the trainable weights at the start and after each step, under their names in the checkpoint."""
    found: list[dict[str, torch.Tensor]] = []
    begin, end = Progress.on_train_begin, Progress.on_step_end

    def keep(model: Any) -> None:
        names = {name: name.replace(".default", "") for name in trainable(model)}
        found.append({names[name]: tensor.detach().clone() for name, tensor in trainable(model).items()})

    def on_train_begin(self: Progress, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        keep(kwargs["model"])
        begin(self, args, state, control, **kwargs)

    def on_step_end(self: Progress, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        keep(kwargs["model"])
        end(self, args, state, control, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ragraft.training.run.pick_device", lambda: "cpu")
        patch.setattr(Progress, "on_train_begin", on_train_begin)
        patch.setattr(Progress, "on_step_end", on_step_end)
        run_job(folder)
    return found


def check_weights(folder: Path, wanted: dict[str, torch.Tensor], **tolerance: float) -> None:
    found = load_file(folder / WEIGHTS)
    assert set(found) == set(wanted)
    for name, tensor in wanted.items():
        torch.testing.assert_close(found[name], tensor, **(tolerance or {"rtol": 0.0, "atol": 0.0}))


# Steps of this size lead somewhere good first and astray later.
WILD = {"learning_rate": 0.15, "epochs": 6.0, "dropout": 0.0, "patience": 2}


@pytest.fixture(scope="module")
def wild(make_job: MakeJob) -> tuple[Path, list[dict[str, torch.Tensor]]]:
    folder = make_job(**WILD)
    return folder, trajectory(folder)


def test_the_best_epochs_weights_are_saved(wild: tuple[Path, list[dict[str, torch.Tensor]]]) -> None:
    folder, weights = wild
    losses = validations(folder)
    best = min(losses, key=lambda step: losses[step])
    assert 0 < best < max(losses), "the best epoch is neither the start nor the last"
    check_weights(folder, weights[best])
    assert (card(folder)["best_step"], card(folder)["validation_loss"]) == (best, losses[best])


def test_patience_ends_training(wild: tuple[Path, list[dict[str, torch.Tensor]]]) -> None:
    folder, weights = wild
    losses = validations(folder)
    assert sorted(losses) == [0, 3, 6, 9, 12, 15, 18][: len(losses)]
    best = min(losses, key=lambda step: losses[step])
    assert card(folder)["steps"] == len(weights) - 1 == max(losses) == best + 2 * 3 < 18
    assert not (folder / "steps").exists()


@pytest.mark.parametrize("save_every", [2, 3])
@pytest.mark.parametrize(("event", "at"), [("on_log", "best"), ("on_log", "last"), ("on_step_end", "between")])
def test_the_best_epoch_survives_a_kill(
    make_job: MakeJob, wild: tuple[Path, list[dict[str, torch.Tensor]]], save_every: int, *, event: str, at: str
) -> None:
    whole, weights = wild
    best, last = card(whole)["best_step"], card(whole)["steps"]
    folder = make_job(**WILD, save_every=save_every)
    run_until(folder, event, {"best": best, "last": last, "between": best + 2}[at])
    run_job(folder)
    assert validations(folder) == validations(whole)
    assert card(folder)["best_step"] == best
    check_weights(folder, weights[best])


def test_patience_needs_something_to_measure(make_job: MakeJob) -> None:
    with pytest.raises(TrainingError, match=r"^train\.patience needs validation lessons, and there are none; give"):
        run_job(make_job(patience=1, validation=0))


# --- averages

DECAY = 0.6
AVERAGED = {"average": DECAY, "dropout": 0.0, "epochs": 2.0}


@pytest.fixture(scope="module")
def averaged(make_job: MakeJob) -> tuple[Path, list[dict[str, torch.Tensor]]]:
    folder = make_job(**AVERAGED)
    return folder, trajectory(folder)


def test_the_average_is_that_of_hand(averaged: tuple[Path, list[dict[str, torch.Tensor]]]) -> None:
    folder, (start, *later) = averaged
    mean = {name: tensor.double() for name, tensor in start.items()}
    for step, weights in enumerate(later, 1):
        decay = min(DECAY, (1 + step) / (10 + step))
        mean = {name: decay * tensor + (1 - decay) * weights[name].double() for name, tensor in mean.items()}
    assert len(later) == 6
    check_weights(folder, {name: tensor.float() for name, tensor in mean.items()}, rtol=1e-5, atol=1e-7)
    last = load_file(folder / WEIGHTS)
    assert any(not torch.allclose(last[name], tensor, atol=1e-3) for name, tensor in later[-1].items())


def test_the_loss_told_is_that_of_the_average(averaged: tuple[Path, list[dict[str, torch.Tensor]]]) -> None:
    folder, _ = averaged
    assert card(folder)["validation_loss"] not in validations(folder).values()
    assert card(folder)["validation_loss"] < validations(folder)[0]


@pytest.mark.parametrize("step", [1, 3, 5])
def test_the_average_survives_a_kill(
    make_job: MakeJob, averaged: tuple[Path, list[dict[str, torch.Tensor]]], step: int
) -> None:
    folder = make_job(**AVERAGED)
    run_until(folder, "on_log", step)
    run_job(folder)
    assert (folder / WEIGHTS).read_bytes() == (averaged[0] / WEIGHTS).read_bytes()


def test_what_is_put_aside_comes_back(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = torch.nn.Linear(3, 2)
    network.bias.requires_grad_(False)
    before = network.weight.detach().clone()
    put_aside(network, tmp_path / "new" / "best.safetensors")
    with torch.no_grad():
        network.weight.zero_()
        network.bias.zero_()
    put_back_from(network, tmp_path / "new" / "best.safetensors")
    assert torch.equal(network.weight, before)
    assert not network.bias.any(), "what isn't learned isn't kept"
    assert [place.name for place in (tmp_path / "new").iterdir()] == ["best.safetensors"]


def test_an_average_has_weights_of_its_own(tmp_path: Path) -> None:
    network = torch.nn.Linear(3, 2)
    average = Average(network, tmp_path, 0.9, None)
    with torch.no_grad():
        network.weight.add_(1.0)
    assert not torch.equal(average.weights["weight"], network.weight)
