"""How well a model predicts texts, in bits per byte: alike for every tokenizer, and lower is better.

bits per byte = -Σ ln p(token | what stands before it) / (ln 2 · Σ UTF-8 bytes), over all texts together (Gao et al.
2020, 2101.00027, section 3.1). A text's first token follows what the model opens texts with. Knows texts and a Scorer.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ragraft.methods.stats import Floats, statistic_interval
from ragraft.ports import Scorer
from ragraft.records import Interval

BATCH = 16
"""Texts that are scored at a time; also the unit in which scores are kept."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A text to be predicted; texts of one cluster count as one observation."""

    id: str
    text: str
    cluster: str


@dataclass(frozen=True, slots=True)
class Predicted:
    """What a model made of a sample."""

    sample: Sample
    bits: float

    @property
    def bytes(self) -> int:
        return len(self.sample.text.encode("utf-8"))


def predict(samples: Iterable[Sample], scorer: Scorer) -> list[Predicted]:
    """Each text's bits, in order; texts of like length are scored together."""
    given = [sample for sample in samples if sample.text]
    order = sorted(range(len(given)), key=lambda place: (len(given[place].text), given[place].id))
    found: dict[int, Predicted] = {}
    for start in range(0, len(order), BATCH):
        batch = order[start : start + BATCH]
        rows = scorer.score([None] * len(batch), [given[place].text for place in batch])
        for place, row in zip(batch, rows, strict=True):
            found[place] = Predicted(given[place], -row.total / math.log(2))
    return [found[place] for place in range(len(given))]


def bits_per_byte(rows: Sequence[Predicted], *, resamples: int = 2000, seed: int = 0) -> Interval:
    """Bits per byte over all rows. Raises ValueError without any."""
    bits, sizes = _bits(rows), np.array([row.bytes for row in rows], float)

    def ratio(weights: Floats) -> float:
        return float((weights * bits).sum() / (weights * sizes).sum())

    return statistic_interval(ratio, [row.sample.cluster for row in rows], resamples=resamples, seed=seed)


def relative_change(
    after: Sequence[Predicted], before: Sequence[Predicted], *, resamples: int = 2000, seed: int = 0
) -> Interval:
    """By what share the bits of the same texts went up; -0.1 is a tenth less. Paired by text."""
    if [row.sample.id for row in after] != [row.sample.id for row in before]:
        raise ValueError("only the same texts can be compared")
    new, old = _bits(after), _bits(before)

    def change(weights: Floats) -> float:
        return float((weights * new).sum() / (weights * old).sum() - 1)

    return statistic_interval(change, [row.sample.cluster for row in after], resamples=resamples, seed=seed)


def _bits(rows: Sequence[Predicted]) -> Floats:
    return np.array([row.bits for row in rows], float)
