"""What a job leaves in its folder: resume points while it runs, weights and their card at its end. Knows no steps."""

from __future__ import annotations

import json
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ragraft.models.chat import ChatTokenizer
from ragraft.models.load import ADAPTER_FILE, CHECKPOINT_FILE, base_of, load_merged
from ragraft.training.job import COMPLETE, STEPS, Job, job_data
from ragraft.training.processes import is_first, wait

LIBRARIES = ("torch", "transformers", "peft", "accelerate", "ragraft")
# Places on this machine are no facts of a checkpoint.
PLACES = ("base_folder", "lessons", "validation")


def last_whole(folder: Path) -> Path | None:
    """The newest resume point that was written to its end; half-written ones are removed."""
    whole = []
    for place in (folder / STEPS).glob("checkpoint-*"):
        if (place / COMPLETE).exists():
            whole.append(place)
        elif is_first():
            shutil.rmtree(place)
    return max(whole, key=step_of, default=None)


def step_of(resume: Path | None) -> int:
    """The step after which a resume point was written; 0 for none."""
    return int(resume.name.rpartition("-")[2]) if resume else 0


def starting_folder(folder: Path, job: Job) -> Path:
    """A plain model folder with what is to be tuned: the base, or what the method before made, its adapters merged.

    A merged model is written once, among the resume points, which go when the checkpoint is there.
    """
    if job.after is None:
        return Path(job.base_folder)
    before = folder.parent / job.after
    if not (before / ADAPTER_FILE).exists():
        return before
    merged = folder / STEPS / "start"
    if is_first() and not merged.exists():
        part = merged.with_name(".start.part")
        shutil.rmtree(part, ignore_errors=True)
        load_merged(Path(job.base_folder), base_of(str(before))[1]).save_pretrained(part)
        part.replace(merged)
    wait()  # the others begin when it is there
    return merged


def write_card(job: Job, facts: dict[str, Any]) -> dict[str, Any]:
    """What a checkpoint says of itself: the job, what came of it, and what it was made with."""
    return {
        **{key: value for key, value in job_data(job).items() if key not in PLACES},
        **facts,
        "machine": platform.machine(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in LIBRARIES},
    }


def save(folder: Path, network: Any, tokenizer: ChatTokenizer, card: dict[str, Any]) -> None:
    """Weights first, the card last by rename: it exists, or there is no checkpoint."""
    network.save_pretrained(folder)
    _put_in_order(folder / ADAPTER_FILE)
    tokenizer.tokenizer.save_pretrained(folder)
    part = folder / f".{CHECKPOINT_FILE}.part"
    part.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    part.replace(folder / CHECKPOINT_FILE)
    shutil.rmtree(folder / STEPS, ignore_errors=True)


def _put_in_order(config: Path) -> None:
    """PEFT keeps names of modules as sets, whose order is another in each process; a job leaves one file."""
    if config.exists():
        facts = json.loads(config.read_text(encoding="utf-8"))
        named = {key: sorted(value) for key, value in facts.items() if _are_names(value)}
        config.write_text(json.dumps({**facts, **named}, indent=2) + "\n", encoding="utf-8")


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:  # run from a source tree
        return "unknown"
