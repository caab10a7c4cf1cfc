"""The gate of `ragraft promote`: what a tuned model must have shown. Knows no scores."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ragraft.config.sections import Section

Margin = Annotated[float, Field(ge=0, lt=1)]


class PromoteConfig(Section):
    metric: Literal["f1", "em", "f1_evidence_shown", "f1_all"] = "f1"
    """What must have risen: with retrieved passages, tuned minus the better of base and few-shot base."""
    least: Margin = 0.0
    """The lower end of its 95 % interval must lie above this share of 1; 0.02 is two points of 100."""
    closed_book: Margin | None = None
    """Most that the score without documents may have fallen, against the base; null asks nothing: who always retrieves
    never answers so, and RAFT teaches to abstain there."""
    formats: Margin | None = 0.10
    """Most that the share of general format instructions kept may have fallen; null asks nothing. Of the
    144, twelve lost and twelve gained leave 7 points open: a narrower margin refuses models that forgot nothing."""
    abstention: Margin | None = 0.05
    """Most that abstentions on unanswerable questions may have fallen, where the exam has any; null asks nothing."""
    over_refusal: Margin | None = None
    """Most that refusals of questions whose evidence was shown may have risen; the score counts each as 0 already."""
    in_service: Margin | None = 0.03
    """Most that the score may have fallen against the model in service where nothing changed; where something did, it
    must not be lower. Asked where `ragraft refresh` compared the two; null asks nothing."""
