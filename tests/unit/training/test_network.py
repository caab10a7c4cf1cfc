from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ragraft.errors import TrainingError
from ragraft.models.chat import load_tokenizer
from ragraft.training import network as module
from ragraft.training.job import read_job
from ragraft.training.layout import Pack, lay_out_step
from ragraft.training.network import Opened, open_for_tuning
from ragraft.training.objective import weighted_loss
from ragraft.training.packing import pack_step
from ragraft.training.trees import grow_trees, read_rows

MakeJob = Callable[..., Path]


def opened(folder: Path) -> Opened:
    torch.manual_seed(0)
    return open_for_tuning(read_job(folder), Path(read_job(folder).base_folder), "cpu", 400)


def first_pack(folder: Path, model: Path) -> Pack:
    trees = grow_trees(read_rows(folder.parent / "lessons.jsonl", load_tokenizer(model), 512))
    return lay_out_step(pack_step(trees, 10_000, lambda tree: [tree]), "token")[0]


def test_lora_tunes_every_linear_layer_but_the_head(make_job: MakeJob) -> None:
    found = opened(make_job(rank=3))
    learning = [name for name, tensor in found.network.named_parameters() if tensor.requires_grad]
    tuned = {name.split(".lora_")[0].rpartition(".")[2] for name in learning}
    assert tuned == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    assert found.network.peft_config["default"].r == 3
    assert not found.bf16


@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_what_is_tuned_stays_float32_in_bf16(make_job: MakeJob, tuning: str) -> None:
    found = opened(make_job(tuning=tuning, precision="bf16"))
    assert found.bf16
    kinds = {(parameter.requires_grad, parameter.dtype) for parameter in found.network.parameters()}
    lora = {(True, torch.float32), (False, torch.bfloat16)}
    assert kinds == (lora if tuning == "lora" else {(True, torch.float32)})


@pytest.mark.parametrize("tuning", ["lora", "rslora", "dora", "full"])
def test_checkpointing_gives_the_same_loss_and_gradient(make_job: MakeJob, tiny_model: Path, tuning: str) -> None:
    results = []
    for checkpointing in (False, True):
        folder = make_job(tuning=tuning, checkpointing=checkpointing, dropout=0.0, group=5)
        found = opened(folder).network.train()
        runs: list[int] = []
        inner = found if tuning == "full" else found.get_base_model()
        inner.model.layers[0].self_attn.register_forward_pre_hook(lambda *_, runs=runs: runs.append(1))
        loss = found(first_pack(folder, tiny_model))
        loss.backward()
        assert len(runs) == 1 + checkpointing, "a layer is computed again where activations aren't kept"
        gradients = [tensor.grad for tensor in found.parameters() if tensor.requires_grad]
        assert all(gradient is not None for gradient in gradients)
        results.append((loss.detach(), gradients))
    torch.testing.assert_close(results[0], results[1], rtol=1e-5, atol=1e-7)


def test_the_head_is_computed_where_something_is_learned(make_job: MakeJob, tiny_model: Path) -> None:
    folder = make_job(tuning="full")
    network, pack = opened(folder).network, first_pack(folder, tiny_model)
    seen: list[int] = []

    def watched(hidden: Any, *rest: Any) -> Any:
        seen.append(len(hidden))
        return weighted_loss(hidden, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "weighted_loss", watched)
        network(pack)
    assert seen == [len(pack.wanted)]
    assert len(pack.wanted) < pack.tokens / 2


def test_four_bits_need_their_library(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(TrainingError, match=r"^train\.tuning: qlora needs bitsandbytes; install it, or choose lora$"):
        opened(make_job(tuning="qlora"))
