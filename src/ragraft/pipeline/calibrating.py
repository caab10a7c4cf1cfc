"""Calibrate, wired: the tuned model, asked as evaluate asks it."""

from __future__ import annotations

from typing import Any

from ragraft.config import Config
from ragraft.pipeline.wiring import At, builder, finder
from ragraft.records import ExamQuestion
from ragraft.workspace import Calibration, Checkpoint, Exam, Folder, Index, MadeQuestions

ASKED_ALIKE = ("batch", "generator", "max_questions", "resamples", "seed", "threshold_questions")


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
        prompt=config.prompt,
        validation=_validation(at),
        retrieve=config.retrieve,
        finder=finder(at),
        builder=builder(at),
        out=out,
    )


def _validation(at: At) -> list[ExamQuestion]:
    """The validation side; where none was given, that of the questions made for lessons."""
    made = MadeQuestions(Folder(at.made["synthesize"].file("made")))
    return Exam(at.made["examine"]).questions("validation") or made.questions("validation")


def calibration_settings(config: Config) -> list[Any]:
    """What decides answers and thresholds; of evaluate's own settings those by which the exam is asked."""
    asking = config.evaluate.model_dump(mode="json", include={*ASKED_ALIKE})
    return [config.calibrate, config.prompt, config.retrieve, asking]
