"""The training engine of this package as a Trainer: a process that runs `python -m ragraft.training`."""

from __future__ import annotations

import sys

from ragraft.ports import Command, TrainJob


class TransformersTrainer:
    """Says what a training process runs; importing it loads nothing heavy."""

    def command(self, job: TrainJob) -> Command:
        """The command that carries out, or goes on with, the job in its folder."""
        environment = {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_DISABLE_TELEMETRY": "1"}
        return Command((sys.executable, "-m", "ragraft.training", str(job.folder)), environment)
