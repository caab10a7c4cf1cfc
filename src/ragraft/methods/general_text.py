"""A small sample of general text, written for ragraft: whether a tuned model still predicts what it was not tuned on.

Short pieces in many registers, from weather to grammar; none is taken from anywhere, so none was learned before. Knows
its data file.
"""

from __future__ import annotations

import json
from importlib import resources

from ragraft.methods.bits_per_byte import Sample


def general_samples(language: str = "en") -> list[Sample]:
    """The pieces, each by itself."""
    file = resources.files("ragraft.methods").joinpath("general", f"{language}.jsonl")
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return [Sample(row["id"], row["text"], row["id"]) for row in rows]
