"""Calibrate, wired: the tuned model, asked as evaluate asks it."""

from __future__ import annotations

from typing import Any

from ragraft.config import Config
from ragraft.pipeline.wiring import At, builder, finder
from ragraft.workspace import Calibration, Checkpoint, Exam, Folder, Index


def run_calibration(at: At, out: Folder) -> Calibration:
    """Ask the tuned model, and fit the router."""
    from ragraft.stages.calibrate import calibrate

    config = at.config
    return calibrate(
        Index(at.made["index"]),
        Exam(at.made["examine"]),
        at.backends.generator(str(Checkpoint(at.made["train"]).final())),
        settings=config.calibrate,
        asking=config.evaluate,
        retrieve=config.retrieve,
        finder=finder(at),
        builder=builder(at),
        out=out,
    )


def calibration_settings(config: Config) -> list[Any]:
    """What decides answers and thresholds; of evaluate's own settings those by which the exam is asked."""
    asking = config.evaluate.model_dump(mode="json", include={"batch", "generator", "max_questions", "seed"})
    return [config.calibrate, config.prompt, config.retrieve, asking]
