"""Training jobs of a few rows over the tiny model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ragraft.records import Message, Prompt, to_json
from ragraft.training.job import JOB_FILE

QUESTION = "the walrus rests on ice and the penguin swims under the same ice again where"


@pytest.fixture(autouse=True)
def on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bits are compared: no accelerator, in this process or in a child."""
    monkeypatch.setattr("ragraft.training.run.pick_device", lambda: "cpu")
    monkeypatch.setattr("ragraft.models.load.pick_device", lambda: "cpu")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


def lessons(count: int, *, copies: int = 1, group: int = 1) -> list[dict[str, Any]]:
    """Prompts and targets of very different lengths; of a group, all begin with the same documents."""
    words = QUESTION.split()
    rows = []
    for copy in range(copies):
        for number in range(count):
            first = number - number % group
            documents = " ".join((words[first % 7 :] + words) * (2 + copy)) if group > 1 else ""
            question = documents + " ".join(words[number % 5 :] * (1 + number % 3))
            prompt = Prompt((Message("system", "Answer."), Message("user", question)))
            target = "Answer: " + " ".join(words[: 1 + 4 * (number % 3)])
            told = {"group": f"group-{first}" if group > 1 else "", "copy": copy}
            rows.append({"id": f"lesson-{number}", "prompt": to_json(prompt), "target": target, **told})
    return rows


def write_lessons(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="session")
def make_job(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Writes a job of 10 lessons, three steps an epoch, into a new folder; keywords change its settings."""

    def make(*, rows: int = 10, validation: int = 3, copies: int = 1, group: int = 1, **changes: Any) -> Path:
        folder = tmp_path_factory.mktemp("job")
        train = lessons(rows, copies=copies, group=group)
        job: dict[str, Any] = {
            "base": str(tiny_model),
            "base_identity": "tiny",
            "base_folder": str(tiny_model),
            "after": None,
            "after_identity": None,
            "method": "raft",
            "lessons": write_lessons(folder / "lessons.jsonl", train),
            "validation": write_lessons(folder / "validation.jsonl", lessons(validation, group=group)),
            "data": "digest of the lessons",
            "tuning": "lora",
            "rank": 2,
            "alpha": 4.0,
            "dropout": 0.1,
            "learning_rate": 1e-2,
            "epochs": 2.0,
            "batch": 4,
            "pack_tokens": 512,
            "share": True,
            "mean": "token",
            "warmup": 0.1,
            "weight_decay": 0.0,
            "max_grad_norm": 1.0,
            "checkpointing": False,
            "patience": None,
            "average": None,
            "precision": "fp32",
            "save_every": 2,
            "seed": 0,
            "threads": 1,
            "processes": 1,
            "max_tokens": 512,
            **changes,
        }
        work = folder / "work"
        work.mkdir()
        (work / JOB_FILE).write_text(json.dumps(job), encoding="utf-8")
        return work

    return make
