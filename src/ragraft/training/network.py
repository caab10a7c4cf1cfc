"""Open a base model for tuning, and let it tell the loss of a pack. Knows models; nothing of RAG."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from ragraft.errors import TrainingError
from ragraft.models.attention import use_cpu_attention
from ragraft.models.load import load_network, pick_dtype
from ragraft.training.fused import fuse_layers
from ragraft.training.job import Job
from ragraft.training.layout import Pack
from ragraft.training.objective import logits_loss, weighted_loss
from ragraft.training.reading import Reading, choose_reading

# Networks whose logits are more than their head's product: the head can't be taken apart from them.
SCALED = ("final_logit_softcapping", "logit_scale", "logits_scaling")


@dataclass(frozen=True, slots=True)
class Opened:
    """A network ready to be tuned: its forward takes a Pack and returns the pack's loss."""

    network: Any
    reading: Reading
    bf16: bool
    """Whether it computes in bf16."""


def open_for_tuning(job: Job, start: Path, device: str, deepest: int) -> Opened:
    """Open the model in `start` on the device for rows of up to `deepest` tokens."""
    bf16 = pick_dtype(job.precision, device) is torch.bfloat16
    # Full parameters keep float32 master weights; autocast computes in bf16.
    narrow = bf16 and job.tuning != "full"
    quantized = four_bits(device) if job.tuning == "qlora" else None
    network = load_network(start, torch.bfloat16 if narrow else torch.float32, quantized)
    if not quantized:  # bitsandbytes has put it in its place
        network = network.to(device)
    if device == "cuda" and getattr(network, "_supports_flex_attn", False):
        network.set_attn_implementation("flex_attention")
    use_cpu_attention(network)
    reading = choose_reading(network, deepest)  # before adapters, whose own precision needs the loop's autocast
    if job.checkpointing:
        network.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    tuned = network if job.tuning == "full" else _with_adapter(network, job)
    fuse_layers(tuned)
    tell_loss(tuned, reading)
    return Opened(tuned, reading, bf16)


def _with_adapter(network: Any, job: Job) -> Any:
    from peft import get_peft_model, prepare_model_for_kbit_training

    if job.tuning == "qlora":
        network = prepare_model_for_kbit_training(network, use_gradient_checkpointing=job.checkpointing)
    elif job.checkpointing:
        network.enable_input_require_grads()
    # The adapter's own weights stay float32 (PEFT's default): a small learning rate would vanish in bf16.
    tuned = get_peft_model(network, adapter_of(job))
    for module in tuned.modules():
        if hasattr(module, "cast_input_dtype_enabled"):
            module.cast_input_dtype_enabled = False  # autocast casts; PEFT's own detour through float32 costs a tenth
    return tuned


def adapter_of(job: Job) -> Any:
    """The adapter that the job tunes, as PEFT describes one."""
    from peft import LoraConfig, TaskType

    return LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=job.rank,
        lora_alpha=job.alpha,
        lora_dropout=job.dropout,
        target_modules="all-linear",
        use_rslora=job.tuning == "rslora",
        use_dora=job.tuning == "dora",
    )


def four_bits(device: str) -> Any:
    if find_spec("bitsandbytes") is None:
        raise TrainingError("train.tuning: qlora needs bitsandbytes; install it, or choose lora")
    if device == "mps":
        raise TrainingError("train.tuning: qlora does not run on Apple's GPUs; choose lora")
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )


def tell_loss(network: Any, reading: Reading) -> None:
    """Let the network's forward take a Pack and return its weighted loss.

    The forward itself, so that what wraps it (DDP, FSDP) sees every parameter used.
    """
    inner = network.get_base_model() if hasattr(network, "get_base_model") else network
    whole, decoder, head = inner.forward, inner.get_decoder(), inner.get_output_embeddings()
    config = inner.config.get_text_config()
    scaled = decoder is None or any(getattr(config, name, None) not in (None, 1, 1.0) for name in SCALED)

    def forward(pack: Pack) -> Any:
        device = inner.device
        kept, wanted = pack.kept.to(device), pack.wanted.to(device)
        # Apple's GPUs have no float64.
        weights = pack.weights.to(torch.float64 if inner.dtype is torch.float64 else torch.float32).to(device)
        given = reading.inputs(inner, pack.ids.to(device), pack.places.to(device), pack.spans)
        if scaled:
            return logits_loss(whole(**given, logits_to_keep=kept).logits[0], wanted, weights)
        return weighted_loss(decoder(**given).last_hidden_state[0, kept], head, wanted, weights)

    network.forward = forward
