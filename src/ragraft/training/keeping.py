"""Weights put aside while training goes on: the best epoch's, and their exponential average. Knows parameters only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import TrainerCallback

from ragraft.training.job import STEPS
from ragraft.training.processes import is_first

# Among the resume points, which go when the checkpoint is there.
BEST = f"{STEPS}/best.safetensors"
AVERAGE = "average.safetensors"


def trainable(network: Any) -> dict[str, torch.Tensor]:
    """The parameters that training changes, by name."""
    return {name: tensor for name, tensor in network.named_parameters() if tensor.requires_grad}


def put_aside(network: Any, place: Path) -> None:
    """Write the trainable parameters, by rename; of several processes, the first does."""
    if not is_first():
        return
    place.parent.mkdir(exist_ok=True)
    part = place.with_name(f".{place.name}.part")
    save_file({name: tensor.detach().contiguous() for name, tensor in trainable(network).items()}, part)
    part.replace(place)


def put_back(network: Any, weights: dict[str, torch.Tensor]) -> None:
    """Give the network the parameters that were put aside."""
    with torch.no_grad():
        for name, tensor in trainable(network).items():
            tensor.copy_(weights[name])


def put_back_from(network: Any, place: Path) -> None:
    """Give the network the parameters that `put_aside` wrote."""
    put_back(network, load_file(place))


class Average(TrainerCallback):
    """The exponential average of the trainable weights over steps, kept with every resume point.

    decay d: average ← d · average + (1 - d) · weights, with d no larger than (1 + step) / (10 + step), so that the
    first steps are not dominated by the untrained weights (as in TensorFlow's ExponentialMovingAverage).
    """

    def __init__(self, network: Any, folder: Path, decay: float, resume: Path | None) -> None:
        self._network, self._folder, self._decay = network, folder, decay
        kept = load_file(resume / AVERAGE) if resume else {}
        self.weights = {
            name: kept.get(name, tensor.detach()).to(tensor.device, copy=True)
            for name, tensor in trainable(network).items()
        }

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        decay = min(self._decay, (1 + state.global_step) / (10 + state.global_step))
        for name, tensor in trainable(self._network).items():
            self.weights[name].lerp_(tensor.detach(), 1 - decay)

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        # Before Progress marks the resume point as whole: callbacks run in the order given.
        if is_first():
            save_file(self.weights, self._folder / STEPS / f"checkpoint-{state.global_step}" / AVERAGE)
