"""TRL's SFTTrainer over a benchmark's rows, in TRL's own environment."""

from __future__ import annotations

import importlib.util
import tempfile
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer, set_seed
from trl import SFTConfig, SFTTrainer

from benchmarks.engines.clock import ENDLESS, Clock, labelled, read_job, read_rows, tell


def main() -> None:
    job = read_job()
    rows = read_rows(job)
    set_seed(0)
    attention = _attention(job)
    model = AutoModelForCausalLM.from_pretrained(
        job["model"], dtype=torch.bfloat16, attn_implementation=attention, local_files_only=True
    )
    clock = Clock(job)
    with tempfile.TemporaryDirectory() as folder:
        trainer = SFTTrainer(
            model=model,
            args=SFTConfig(output_dir=folder, **_settings(job, longest=max(len(row["ids"]) for row in rows))),
            train_dataset=Dataset.from_list(labelled(rows)),
            processing_class=AutoTokenizer.from_pretrained(job["model"], local_files_only=True),
            peft_config=LoraConfig(
                task_type="CAUSAL_LM",
                r=job["rank"],
                lora_alpha=2 * job["rank"],
                lora_dropout=0.0,
                target_modules="all-linear",
            ),
            callbacks=[clock],
        )
        trainer.train()
    tell(job, clock, questions=job["questions"], attention=attention)


def _settings(job: dict[str, Any], longest: int) -> dict[str, Any]:
    """How a step's questions are put into forward passes, and what all ways have in common."""
    together = job["together"]
    ways: dict[str, dict[str, Any]] = {
        "rows": {"per_device_train_batch_size": together, "max_length": longest},
        # Rows are equally long, so packing fills a sequence without a rest.
        "packing": {"per_device_train_batch_size": 1, "packing": True, "max_length": together * longest},
        "padding-free": {"per_device_train_batch_size": together, "padding_free": True, "max_length": None},
    }
    return {
        **ways[job["way"]],
        "gradient_accumulation_steps": job["questions"] // together,
        "max_steps": ENDLESS,
        "learning_rate": job["learning_rate"],
        "lr_scheduler_type": "cosine",
        "bf16": True,
        # Off for speed, as in ragraft: computing activations again costs a third.
        "gradient_checkpointing": False,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": job["device"] == "cpu",
        "dataloader_pin_memory": job["device"] == "cuda",
    }


def _attention(job: dict[str, Any]) -> str:
    """The fastest that this environment has: TRL itself recommends FlashAttention for packed rows."""
    if job["attention"]:
        return str(job["attention"])
    flash = job["device"] == "cuda" and importlib.util.find_spec("flash_attn") is not None
    return "flash_attention_2" if flash else "sdpa"


if __name__ == "__main__":
    main()
