from __future__ import annotations

import sys
from pathlib import Path

from ragraft.backends.trainers.transformers import TransformersTrainer
from ragraft.ports import TrainJob


def test_a_job_is_a_process_of_this_python(tmp_path: Path) -> None:
    command = TransformersTrainer().command(TrainJob(tmp_path))
    assert command.arguments == (sys.executable, "-m", "ragraft.training", str(tmp_path))
    assert command.environment["HF_HUB_DISABLE_TELEMETRY"] == "1"
