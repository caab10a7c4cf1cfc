from __future__ import annotations

import math
from collections.abc import Sequence

from ragraft.methods.bits_per_byte import Sample
from ragraft.methods.text_fit import TextFit, measure_texts, texts_sentences
from ragraft.records import LogProbs, Prompt


class Bits:
    """So many bits for each byte."""

    def __init__(self, bits: float) -> None:
        self.bits = bits

    def score(self, prompts: Sequence[Prompt | None], texts: Sequence[str]) -> list[LogProbs]:
        return [LogProbs((0,), (-self.bits * math.log(2) * len(text.encode()),)) for text in texts]


def samples(*clusters: str) -> list[Sample]:
    return [Sample(f"s{n}", "x" * (10 + n), cluster) for n, cluster in enumerate(clusters)]


FIT = TextFit(
    {"held-out documents": samples(*map(str, range(40))), "general text": samples("a", "a"), "nothing": []},
    {"base": Bits(2), "01-dap": Bits(1.5), "02-raft": Bits(1.6)},
)


def test_every_model_is_measured_on_every_text_against_the_base() -> None:
    found = measure_texts(FIT, resamples=100, seed=0)
    assert list(found) == ["held-out documents", "general text"]
    row = found["held-out documents"]
    assert (row["pieces"], row["bytes"]) == (40, sum(range(10, 50)))
    assert {model: round(figure["value"], 6) for model, figure in row["bits_per_byte"].items()} == {
        "base": 2,
        "01-dap": 1.5,
        "02-raft": 1.6,
    }
    assert {model: round(figure["value"], 6) for model, figure in row["change"].items()} == {
        "01-dap": -0.25,
        "02-raft": -0.2,
    }


def test_it_is_told_in_a_sentence_a_text() -> None:
    first, second = texts_sentences(measure_texts(FIT, resamples=100, seed=0))
    assert first == (
        "Bits per byte on held-out documents (fewer is better): base 2.000, 01-dap 1.500 (-25.0 % [-25.0, -25.0]), "
        "02-raft 1.600 (-20.0 % [-20.0, -20.0])."
    )
    # One cluster has no interval.
    assert second.endswith("base 2.000, 01-dap 1.500 (-25.0 %), 02-raft 1.600 (-20.0 %).")
