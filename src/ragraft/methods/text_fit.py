"""How well each model of a chain predicts texts of the field that none has learned, and general text: one small table.

Knows samples and scorers; knows nothing of training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ragraft.methods.bits_per_byte import Predicted, Sample, bits_per_byte, predict, relative_change
from ragraft.ports import Scorer
from ragraft.records import to_json

HELD_OUT, GENERAL = "held-out documents", "general text"
BASE = "base"


@dataclass(frozen=True, slots=True)
class TextFit:
    """What is to be predicted, and by whom."""

    samples: Mapping[str, Sequence[Sample]]
    """Name of a text → its pieces."""
    scorers: Mapping[str, Scorer]
    """Model → its scorer; the base first, then the chain's models in their order."""


def measure_texts(fit: TextFit, *, resamples: int, seed: int) -> dict[str, Any]:
    """Bits per byte of each text under each model, and the change against the base; a text without pieces is left out.

    `{text: {"pieces", "bytes", "bits_per_byte": {model: figure}, "change": {model: figure}}}`; a change of -0.1 is a
    tenth fewer bits.
    """
    given = {name: samples for name, samples in fit.samples.items() if samples}
    # Model by model, so that none is opened twice.
    found = {
        model: {name: predict(samples, scorer) for name, samples in given.items()}
        for model, scorer in fit.scorers.items()
    }
    return {
        name: _told({model: rows[name] for model, rows in found.items()}, resamples=resamples, seed=seed)
        for name in given
    }


def _told(rows: Mapping[str, Sequence[Predicted]], *, resamples: int, seed: int) -> dict[str, Any]:
    base = rows[BASE]
    return {
        "pieces": len(base),
        "bytes": sum(row.bytes for row in base),
        "bits_per_byte": {
            model: to_json(bits_per_byte(found, resamples=resamples, seed=seed)) for model, found in rows.items()
        },
        "change": {
            model: to_json(relative_change(found, base, resamples=resamples, seed=seed))
            for model, found in rows.items()
            if model != BASE
        },
    }


def texts_sentences(texts: Mapping[str, Any]) -> list[str]:
    """The table as a sentence a text: `Bits per byte on held-out documents: base 1.021, 01-dap 0.934 (-8.5 % …)`."""
    sentences = []
    for name, row in texts.items():
        parts = []
        for model, figure in row["bits_per_byte"].items():
            change = row["change"].get(model)
            parts.append(f"{model} {figure['value']:.3f}{f' ({_percent(change)})' if change else ''}")
        sentences.append(f"Bits per byte on {name} (fewer is better): {', '.join(parts)}.")
    return sentences


def _percent(change: Mapping[str, Any]) -> str:
    value = f"{100 * change['value']:+.1f} %"
    if change["low"] is None:
        return value
    return f"{value} [{100 * change['low']:.1f}, {100 * change['high']:.1f}]"
