"""Staying current: the settings of `ragraft sync`, `watch` and `refresh`. Knows no method and no file."""

from __future__ import annotations

from pydantic import Field, model_validator

from ragraft.config.sections import Section


class SyncConfig(Section):
    keep: int | None = Field(None, ge=1)
    """Newest versions of corpus and index that stay beside those that something needs; all when left out."""
    days: int = Field(90, ge=0)
    """Days that `ragraft ask --as-of` reaches back all the same: what was current within them stays."""


class RefreshConfig(Section):
    replay: float = Field(1.0, ge=0, le=1)
    """Share of the untouched questions that are learned again, by cluster; the new model starts from the base, so of
    the others it learns nothing."""
    seed: int = 0
    """Seed of those that are replayed."""


class WatchConfig(Section):
    questions_a_day: float | None = Field(None, ge=0)
    """Questions asked a day; counted in the served traffic when left out."""
    value: float | None = Field(None, ge=0)
    """What a right answer is worth more than a wrong one, in your currency."""
    budget: float | None = Field(None, gt=0)
    """Or, in place of value: what tuning again may cost a year."""
    tuning: float | None = Field(None, gt=0)
    """What tuning again costs once: machine, and the time of people."""
    churn: float = Field(0.0, ge=0)
    """What any exchange of the model costs beside that: looking it over, answers that change for no reason."""
    decay: float = Field(0.0004, ge=0, le=1)
    """Right answers a question that a model loses a day, as far as you know; what is measured takes its place."""
    false_alarms: float = Field(0.05, gt=0, lt=1)
    """Chance that quiet traffic ever raises an alarm, all its figures together; and, apart from it, that answers to
    facts ever do."""
    facts: int = Field(120, ge=1)
    """Facts that --ask asks of each model at the most: of the exam's and the lessons' questions, and fresh ones."""
    fresh: int = Field(40, ge=0)
    """Of them, those that are mined anew from changed documents."""
    seed: int = 0
    """Seed of what is drawn."""

    @model_validator(mode="after")
    def _value_or_budget(self) -> WatchConfig:
        if self.value is not None and self.budget is not None:
            raise ValueError("value and budget both say how often tuning pays; set one of them")
        if (self.value is not None or self.budget is not None) and self.tuning is None:
            raise ValueError("tuning is needed beside value or budget: what tuning again costs once")
        return self
