"""A training job as a file: everything that decides the resulting weights, fixed when the job is first made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

JOB_FILE = "job.json"
STEPS = "steps"
"""Folder of the resume points."""
COMPLETE = "complete"
"""Marks a resume point that was written to its end."""


@dataclass(frozen=True, slots=True)
class Job:
    """What to train, on what, how."""

    base: str
    """Source of the base model, as the user named it."""
    base_identity: str
    base_folder: str
    after: str | None
    """Name of the folder beside this one whose result is tuned further; None starts from the base itself."""
    after_identity: str | None
    method: str
    lessons: str
    """JSONL of prompts and targets."""
    validation: str
    data: str
    """Digest of the lessons file."""
    tuning: Literal["lora", "rslora", "dora", "qlora", "full"]
    rank: int
    alpha: float
    dropout: float
    learning_rate: float
    epochs: float
    batch: int
    """Questions in an optimizer step."""
    pack_tokens: int
    """Tokens in a forward pass."""
    share: bool
    """Whether rows of a group share their trunk."""
    mean: Literal["token", "row"]
    warmup: float
    weight_decay: float
    max_grad_norm: float
    checkpointing: bool
    patience: int | None
    average: float | None
    precision: Literal["auto", "bf16", "fp32"]
    save_every: int
    seed: int
    threads: int
    processes: int
    max_tokens: int
    validation_data: str = ""
    """Digest of the validation file."""
    trainer: str = "transformers"
    """Backend that carries it out."""
    preference: Mapping[str, float] | None = None
    """`beta` and `sft` where the rows are pairs of a wanted and an unwanted answer."""


def read_job(folder: Path) -> Job:
    return Job(**json.loads((folder / JOB_FILE).read_text(encoding="utf-8")))


def job_data(job: Job) -> dict[str, object]:
    """The job as plain data; one without preference says nothing of it."""
    return {key: value for key, value in asdict(job).items() if key != "preference" or value}
