"""The settings of `ragraft calibrate`. Knows no stage's code and no file."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ragraft.config.sections import Section


class CalibrateConfig(Section):
    max_loss: float = Field(0.01, gt=0, lt=1)
    """Score (F1, of 1) that retrieval: auto may lose a question, in the mean, where it skips retrieval."""
    max_wrong: float | None = Field(None, gt=0, lt=1)
    """Share of questions that retrieval: auto may answer wrongly, or it abstains; null: only as the model does."""
    saves: Literal["tokens", "retrievals"] = "tokens"
    """What skipping is for: tokens skips nothing where the drafts cost more than it saves; retrievals does."""
    max_questions: int | None = Field(None, ge=1)
    """Ask at most this many calibration questions (of each cluster in turn, seeded)."""
    exam: bool = True
    """Also ask the exam what evaluate asks of the tuned model, and see whether the bounds hold there."""
    folds: int = Field(5, ge=2, le=100)
    """Parts of the calibration side, by cluster: each gets its probabilities from a fit to the others."""
    resamples: int = Field(2000, ge=100)
    """Bootstrap resamples of clusters."""
    seed: int = 0
