"""The training engine of this package as a Trainer: a process that runs `python -m ragraft.training`, or several."""

from __future__ import annotations

import os
import sys

from ragraft.ports import Command, TrainJob


class TransformersTrainer:
    """Says what a training process runs; importing it loads nothing heavy."""

    def command(self, job: TrainJob) -> Command:
        """The command that carries out, or goes on with, the job in its folder; torchrun starts several processes."""
        environment = {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_DISABLE_TELEMETRY": "1"}
        several: tuple[str, ...] = ()
        if job.processes > 1:
            several = ("-m", "ragraft.training.together", "--standalone", "--nproc_per_node", str(job.processes))
            # torchrun would set it, and say so at length; the job itself settles its threads.
            environment["OMP_NUM_THREADS"] = os.environ.get("OMP_NUM_THREADS", "1")
        return Command((sys.executable, *several, "-m", "ragraft.training", str(job.folder)), environment)
