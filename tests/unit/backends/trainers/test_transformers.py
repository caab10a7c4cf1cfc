from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ragraft.backends.trainers.transformers import TransformersTrainer
from ragraft.ports import TrainJob


def test_a_job_is_a_process_of_this_python(tmp_path: Path) -> None:
    command = TransformersTrainer().command(TrainJob(tmp_path))
    assert command.arguments == (sys.executable, "-m", "ragraft.training", str(tmp_path))
    assert command.environment["HF_HUB_DISABLE_TELEMETRY"] == "1"
    assert "OMP_NUM_THREADS" not in command.environment


def test_several_processes_are_torchruns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    command = TransformersTrainer().command(TrainJob(tmp_path, processes=3))
    several = ("-m", "ragraft.training.together", "--standalone", "--nproc_per_node", "3")
    assert command.arguments == (sys.executable, *several, "-m", "ragraft.training", str(tmp_path))
    assert command.environment["OMP_NUM_THREADS"] == "1"
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert TransformersTrainer().command(TrainJob(tmp_path, processes=3)).environment["OMP_NUM_THREADS"] == "4"
