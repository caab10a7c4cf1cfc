"""What probes find, as figures: a value a question, averaged with intervals over clusters, models paired by question.

Knows values by question; knows no answers, prompts or models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ragraft.methods.stats import mean_interval, paired_difference
from ragraft.records import Answer, to_json


@dataclass(frozen=True, slots=True)
class Reading:
    """One figure of one model."""

    figure: str
    model: str
    values: Mapping[str, float | None]
    """Question id → a value within 0..1; None where the question was asked and can't be judged."""


@dataclass(frozen=True, slots=True)
class Probed:
    """What one probe found."""

    readings: tuple[Reading, ...]
    answers: tuple[Answer, ...]
    """What was asked for it."""
    notes: tuple[str, ...] = field(default=())
    """What it could not ask, and why."""


def probe_figures(
    probe: str,
    found: Probed,
    clusters: Mapping[str, str],
    *,
    pairs: Sequence[tuple[str, str]],
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    """The probe's figures as plain data; one without a scored question has the value None and says how many it asked.

    `clusters` are those of the questions, by id. `differences` are a - b on the questions that both were asked.
    """
    sampling = {"resamples": resamples, "seed": seed}

    def mean(reading: Reading) -> dict[str, Any]:
        values = list(reading.values.values())
        if all(value is None for value in values):
            return {"value": None, "low": None, "high": None, "n": 0, "unscored": len(values), "clusters": 0}
        return to_json(mean_interval(values, [clusters[one] for one in reading.values], share=True, **sampling))

    table = {(reading.figure, reading.model): reading.values for reading in found.readings}
    return {
        "probe": probe,
        "figures": [{"figure": one.figure, "model": one.model, **mean(one)} for one in found.readings],
        "differences": [
            {"figure": figure, "a": a, "b": b, **difference}
            for figure in dict.fromkeys(reading.figure for reading in found.readings)
            for a, b in pairs
            if (figure, a) in table and (figure, b) in table
            if (difference := _difference(table[figure, a], table[figure, b], clusters, sampling))
        ],
        "notes": list(found.notes),
    }


def _difference(
    a: Mapping[str, float | None],
    b: Mapping[str, float | None],
    clusters: Mapping[str, str],
    sampling: Mapping[str, int],
) -> dict[str, Any] | None:
    """None where no question is scored on both sides; one asked of one model alone is unscored."""
    asked = sorted({*a, *b})
    first, second = [a.get(one) for one in asked], [b.get(one) for one in asked]
    if not any(x is not None and y is not None for x, y in zip(first, second, strict=True)):
        return None
    return to_json(paired_difference(first, second, [clusters[one] for one in asked], **sampling))
