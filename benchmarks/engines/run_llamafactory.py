"""LLaMA-Factory's own training command over a benchmark's rows, in LLaMA-Factory's own environment."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from datasets import Dataset, DatasetDict

from benchmarks.engines.clock import ENDLESS, Clock, labelled, read_job, read_rows, tell


def main() -> None:
    job = read_job()
    rows = read_rows(job)
    _stand_in("torchaudio")
    from llamafactory.train.tuner import run_exp

    clock = Clock(job)
    with tempfile.TemporaryDirectory() as folder:
        tokenized = Path(folder) / "rows"
        DatasetDict({"train": Dataset.from_list(labelled(rows))}).save_to_disk(str(tokenized))
        run_exp(_settings(job, tokenized, Path(folder) / "out"), callbacks=[clock])
    tell(job, clock, questions=job["questions"], attention="sdpa")


def _settings(job: dict[str, Any], tokenized: Path, out: Path) -> dict[str, Any]:
    return {
        "stage": "sft",
        "do_train": True,
        "model_name_or_path": job["model"],
        "dataset": "rows",  # must be named; the tokenized rows are taken instead
        "tokenized_path": str(tokenized),
        "template": "empty",
        "cutoff_len": 1 << 16,
        "finetuning_type": "lora",
        "lora_rank": job["rank"],
        "lora_alpha": 2 * job["rank"],
        "lora_dropout": 0.0,
        "lora_target": "all",
        "flash_attn": "sdpa",
        "disable_gradient_checkpointing": True,
        "output_dir": str(out),
        "per_device_train_batch_size": job["together"],
        "gradient_accumulation_steps": job["questions"] // job["together"],
        "max_steps": ENDLESS,
        "learning_rate": job["learning_rate"],
        "lr_scheduler_type": "cosine",
        "bf16": True,
        "use_cpu": job["device"] == "cpu",
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
    }


def _stand_in(name: str) -> None:
    """An empty module in the place of one that LLaMA-Factory imports for sound and never calls for text."""
    if importlib.util.find_spec(name) is None:
        module = ModuleType(name)
        module.__spec__ = ModuleSpec(name, None)
        sys.modules[name] = module


if __name__ == "__main__":
    main()
