"""Times a Trainer's optimizer steps and tells what the process held. Runs in every engine's own environment."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

GIB = 2**30
ENDLESS = 100_000
"""Steps asked of an engine: the clock stops it."""
LIBRARIES = ("torch", "transformers", "peft", "accelerate", "trl", "llamafactory", "ragraft")


class Clock(TrainerCallback):
    """Leaves out the first steps, times those after, and stops the Trainer when its time is over."""

    def __init__(self, job: dict[str, Any]) -> None:
        self._cuda = job["device"] == "cuda"
        self._warm_up, self._least, self._seconds = job["warm_up"], job["least_steps"], job["seconds"]
        self._last = 0.0
        self.steps: list[float] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self._cuda:
            torch.cuda.synchronize()
        now = time.perf_counter()
        if state.global_step > self._warm_up:
            self.steps.append(now - self._last)
        self._last = now
        if len(self.steps) >= self._least and sum(self.steps) >= self._seconds:
            control.should_training_stop = True


def tell(job: dict[str, Any], clock: Clock, *, questions: int, **more: Any) -> None:
    """Print the result as one line of JSON: `questions` is how many a step holds."""
    made = {
        "seconds": clock.steps,
        "questions": questions,
        "peak_gib": peak_bytes(job["device"]) / GIB,
        "versions": _versions(),
        "gpu": torch.cuda.get_device_name() if job["device"] == "cuda" else None,
        **more,
    }
    print(json.dumps(made), flush=True)


def peak_bytes(device: str) -> int:
    """The most that was held: on the accelerator where there is one, else by this process."""
    if device == "cuda":
        return int(torch.cuda.max_memory_allocated())
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count what the launching process held before it started this one
        kilobytes = next(line for line in status.read_text("utf-8").splitlines() if line.startswith("VmHWM"))
        return int(kilobytes.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS counts bytes


def read_job() -> dict[str, Any]:
    """The job whose file the command line names, and this process set up for it."""
    job: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    torch.set_num_threads(job["threads"])
    if job["device"] == "cuda" and not torch.cuda.is_available():
        raise SystemExit("no GPU: torch.cuda.is_available() is false in this environment")
    return job


def read_rows(job: dict[str, Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(Path(job["rows"]).read_text("utf-8"))
    return rows


def labelled(rows: list[dict[str, Any]]) -> list[dict[str, list[int]]]:
    """Rows as trainers of rows want them: -100 where nothing is learned."""
    return [
        {
            "input_ids": row["ids"],
            "attention_mask": [1] * len(row["ids"]),
            "labels": [-100] * row["answer_from"] + row["ids"][row["answer_from"] :],
        }
        for row in rows
    ]


def _versions() -> dict[str, str]:
    found = {"python": sys.version.split()[0], "threads": os.environ.get("OMP_NUM_THREADS", "")}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except ModuleNotFoundError:
            continue
    return found
