"""A sweep's YAML: a run's YAML, and the values to try of some of its settings. Knows no run."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator

from ragraft.config.evaluating import ContextArm
from ragraft.config.sections import Section
from ragraft.config.whole import describe_faults
from ragraft.errors import ConfigError
from ragraft.yaml_file import read_yaml

Values = Annotated[list[Any], Field(min_length=1)]


class SweepConfig(Section):
    base: Path = Path("ragraft.yaml")
    """The run's YAML; each cell is a sibling run of it."""
    grid: Annotated[dict[str, Values], Field(min_length=1)]
    """Setting, as in `train.learning_rate`, → the values to try; every combination is a cell."""
    side: Literal["validation", "exam"] = "validation"
    """Where the cells are scored. Choices belong on the validation side: the exam is read for the final table."""
    context: ContextArm = "retrieved"
    """What the tuned model is shown."""
    metric: str = "f1"
    """The scorecard's figure by which the table is sorted."""
    max_questions: int | None = Field(None, ge=1)
    """Ask at most this many questions of the side (of each cluster in turn, seeded)."""

    @field_validator("grid")
    @classmethod
    def _varies_settings(cls, value: dict[str, list[Any]]) -> dict[str, list[Any]]:
        if "name" in value:
            raise ValueError("cells get their own names; leave name out")
        for key, values in value.items():
            if len({json.dumps(one, sort_keys=True, default=str) for one in values}) < len(values):
                raise ValueError(f"{key}: a value stands twice")
        return value

    def cells(self) -> list[dict[str, Any]]:
        """Every combination, the last setting varying fastest."""
        return [dict(zip(self.grid, values, strict=True)) for values in itertools.product(*self.grid.values())]


def load_sweep(path: Path) -> SweepConfig:
    """Read a sweep's YAML; its base is found beside it. Raises ConfigError with all faults at once."""
    if not path.exists():
        raise ConfigError(f"No {path}; a sweep is a YAML with base: and grid:")
    try:
        found = SweepConfig.model_validate(read_yaml(path))
    except ValidationError as error:
        raise ConfigError(describe_faults(path, error, SweepConfig)) from None
    return found.model_copy(update={"base": path.resolve().parent / found.base.expanduser()})
