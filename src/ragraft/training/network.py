"""Open a base model for tuning: LoRA on all linear layers, or all parameters. Knows models; nothing of RAG."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ragraft.models.load import load_network, pick_dtype
from ragraft.training.job import Job


def open_for_tuning(job: Job, device: str) -> tuple[Any, bool]:
    """The network to train, and whether it computes in bf16."""
    import torch

    from ragraft.models.attention import use_cpu_attention

    bf16 = pick_dtype(job.precision, device) is torch.bfloat16
    if job.tuning == "full":
        # Full parameters keep float32 master weights; autocast computes in bf16.
        network = load_network(Path(job.base_folder), torch.float32)
        use_cpu_attention(network)
        return network, bf16
    from peft import LoraConfig, TaskType, get_peft_model

    network = load_network(Path(job.base_folder), torch.bfloat16 if bf16 else torch.float32)
    use_cpu_attention(network)
    adapter = LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=job.rank,
        lora_alpha=job.alpha,
        lora_dropout=job.dropout,
        target_modules="all-linear",
    )
    # The adapter's own weights stay float32 (PEFT's default): a small learning rate would vanish in bf16.
    tuned = get_peft_model(network, adapter)
    for module in tuned.modules():
        if hasattr(module, "cast_input_dtype_enabled"):
            module.cast_input_dtype_enabled = False  # autocast casts; PEFT's own detour through float32 costs a tenth
    return tuned, bf16
