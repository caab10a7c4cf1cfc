from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ragraft.training.job import read_job
from ragraft.training.network import open_for_tuning

MakeJob = Callable[..., Path]


def test_lora_tunes_every_linear_layer_but_the_head(make_job: MakeJob) -> None:
    network, bf16 = open_for_tuning(read_job(make_job(rank=3)), "cpu")
    tuned = {name.split(".lora_")[0].rpartition(".")[2] for name, p in network.named_parameters() if p.requires_grad}
    assert tuned == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    assert network.peft_config["default"].r == 3
    assert not bf16


@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_what_is_tuned_stays_float32_in_bf16(make_job: MakeJob, tuning: str) -> None:
    network, bf16 = open_for_tuning(read_job(make_job(tuning=tuning, precision="bf16")), "cpu")
    assert bf16
    kinds = {(parameter.requires_grad, parameter.dtype) for parameter in network.parameters()}
    lora = {(True, torch.float32), (False, torch.bfloat16)}
    assert kinds == (lora if tuning == "lora" else {(True, torch.float32)})
