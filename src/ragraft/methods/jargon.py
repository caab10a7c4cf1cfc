"""How foreign the documents' language is to a model: bits per byte and tokens a word, against general text.

Knows texts, a Scorer and a count of tokens; knows nothing of training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ragraft.methods.bits_per_byte import Sample, bits_per_byte, predict
from ragraft.methods.lots import lot
from ragraft.methods.stats import Floats, statistic_interval
from ragraft.ports import Scorer
from ragraft.records import Chunk, Interval, to_json


def sample_chunks(chunks: Iterable[Chunk], pieces: int, *, seed: int) -> list[Sample]:
    """At most so many chunks, drawn by hash; those of one document are one cluster."""

    def order(chunk: Chunk) -> tuple[bytes, str]:
        return lot(f"{seed}:{chunk.id}"), chunk.id

    drawn = sorted((chunk for chunk in chunks if chunk.text.strip()), key=order)[:pieces]
    return [Sample(chunk.id, chunk.text, chunk.document_id) for chunk in drawn]


def measure_jargon(
    domain: Sequence[Sample],
    general: Sequence[Sample],
    *,
    scorer: Scorer | None,
    count: Callable[[str], int],
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    """Bits per byte (none without a scorer) and tokens a word of both texts, and the ratio of the documents' to theirs.

    A ratio's interval runs from the lower end over the upper one to the upper over the lower: wider than it need be,
    since the two are measured on different texts.
    """
    texts = {"documents": domain, "general text": general}
    found: dict[str, Any] = {"pieces": {name: len(samples) for name, samples in texts.items()}}
    if not domain:
        return found
    measures: dict[str, dict[str, Interval]] = {
        "tokens a word": {
            name: _fertility(samples, count, resamples=resamples, seed=seed) for name, samples in texts.items()
        }
    }
    if scorer:
        measures["bits per byte"] = {
            name: bits_per_byte(predict(samples, scorer), resamples=resamples, seed=seed)
            for name, samples in texts.items()
        }
    for measure, figures in measures.items():
        found[measure] = {
            **{name: to_json(figure) for name, figure in figures.items()},
            "ratio": _ratio(figures["documents"], figures["general text"]),
        }
    return found


def _fertility(samples: Sequence[Sample], count: Callable[[str], int], *, resamples: int, seed: int) -> Interval:
    tokens = np.array([count(sample.text) for sample in samples], float)
    spoken = np.array([max(len(sample.text.split()), 1) for sample in samples], float)

    def ratio(weights: Floats) -> float:
        return float((weights * tokens).sum() / (weights * spoken).sum())

    return statistic_interval(ratio, [sample.cluster for sample in samples], resamples=resamples, seed=seed)


def _ratio(domain: Interval, general: Interval) -> dict[str, Any]:
    low = domain.low / general.high if domain.low is not None and general.high else None
    high = domain.high / general.low if domain.high is not None and general.low else None
    return {"value": domain.value / general.value, "low": low, "high": high, "n": domain.n}
