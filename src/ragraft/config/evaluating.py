"""What the exam asks: the grid of models and contexts, and what is asked beside it. Knows no stage's code."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from ragraft.config.sections import Section, each_once

ModelArm = Literal["base", "base-fewshot", "tuned"]
ContextArm = Literal["none", "retrieved", "oracle", "oracle+N"]
PassageSweep = Literal["distractors", "position", "k"]
ProbeName = Literal["rgb", "removal", "replacement", "coherence"]


class EvaluateConfig(Section):
    models: tuple[ModelArm, ...] = ("base", "base-fewshot", "tuned")
    contexts: tuple[ContextArm, ...] = ("none", "retrieved", "oracle")
    """What is shown: nothing, what search finds, the oracle alone, or the oracle among others (oracle+N)."""
    max_questions: int | None = Field(None, ge=1)
    """Ask at most this many exam questions (of each cluster in turn, seeded)."""
    sweeps: tuple[PassageSweep, ...] = ()
    """Curves of F1 beside the grid: over passages around the oracle, over its position, over retrieve.k."""
    sweep_questions: int = Field(48, ge=1)
    """Ask each point of a sweep at most this many exam questions (of each cluster in turn, seeded)."""
    probes: tuple[ProbeName, ...] = ()
    """Habits tried on the exam's own questions: RGB's abilities, documents taken away or changed, coherence."""
    probe_questions: int = Field(48, ge=1)
    """Ask for each probe at most this many exam questions (of each cluster in turn, seeded)."""
    grader: str | None = None
    """Who judges whether answers are supported by the passages shown: entailment@SOURCE, judge@MODEL, or a plugin."""
    grader_labels: Path | None = None
    """A file of claims that people have judged, on which the grader's agreement with them is measured."""
    batch: int = Field(32, ge=1)
    """Prompts generated at a time; also the unit of resuming."""
    shots: int = Field(3, ge=1)
    """Examples shown to base-fewshot."""
    shot_questions: int = Field(16, ge=0)
    """Validation questions on which the order of the examples is chosen; with 0 they stay as drawn."""
    threshold_questions: int = Field(64, ge=1)
    """Validation questions on which it is chosen when the tuned model abstains (prompt.abstain_above: null), and
    whether it reads its quotes once more (prompt.reread: null)."""
    resamples: int = Field(2000, ge=100)
    """Bootstrap resamples of clusters."""
    generator: str = "transformers"
    """Backend that generates answers."""
    forgetting: bool = True
    """Measure on built-in general instructions what tuning made the model forget."""
    general_text: Path | None = None
    """A file of general text on which dap's bits per byte are measured too; ragraft's own sample when left out."""
    seed: int = 0

    @field_validator("models", "contexts")
    @classmethod
    def _some_each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return each_once(value)

    @field_validator("sweeps", "probes")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return each_once(value) if value else value

    @model_validator(mode="after")
    def _somebody_to_agree(self) -> EvaluateConfig:
        if self.grader_labels is not None and self.grader is None:
            raise ValueError("grader_labels: there is no grader to measure by them; set grader, or leave them out")
        return self
