"""What a chain with dap is measured on beside the exam: documents that it never saw, and general text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ragraft.config import Config
from ragraft.errors import InputError
from ragraft.methods.bits_per_byte import Sample
from ragraft.methods.general_text import general_samples
from ragraft.methods.hold_out import hold_out
from ragraft.methods.text_fit import BASE, GENERAL, HELD_OUT, TextFit
from ragraft.pipeline.backends import ConfiguredBackends
from ragraft.pipeline.general import existing
from ragraft.workspace import Checkpoint, Corpus, Folder, hash_file

PIECE = 2000
"""Characters, about, of a piece of the user's general text that counts as one observation."""


def text_fit(config: Config, made: Mapping[str, Folder], backends: ConfiguredBackends) -> TextFit | None:
    """The texts, and the base and each model of the chain to predict them; None for a chain without dap."""
    if "dap" not in config.train.method:
        return None
    documents = list(Corpus(made["ingest"]).documents())
    held = hold_out(documents, config.dap.held_out, seed=config.dap.seed)
    unseen = [Sample(one.id, one.text, held[one.id]) for one in documents if one.id in held]
    models = {BASE: config.model} | {name: str(step.path) for name, step in Checkpoint(made["train"]).steps().items()}
    return TextFit(
        {HELD_OUT: unseen, GENERAL: read_general_text(config)},
        {name: backends.scorer(model) for name, model in models.items()},
    )


def text_settings(config: Config) -> list[Any]:
    """What decides which texts they are."""
    return [config.dap.held_out, config.dap.seed] if "dap" in config.train.method else []


def read_general_text(config: Config) -> list[Sample]:
    """The text on which it is measured what a model still predicts beside its field."""
    file = config.evaluate.general_text
    if file is None:
        return general_samples()
    try:
        text = existing(file, "evaluate.general_text").read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputError(f"evaluate.general_text: {file} is no UTF-8 text; save it as plain text") from None
    pieces: list[str] = []
    for paragraph in filter(str.strip, text.split("\n\n")):
        if pieces and len(pieces[-1]) + len(paragraph) < PIECE:
            pieces[-1] += f"\n\n{paragraph}"
        else:
            pieces.append(paragraph)
    if not pieces:
        raise InputError(f"evaluate.general_text: {file} is empty; name a file with some pages of general text")
    return [Sample(f"{file.name} {number}", piece, str(number)) for number, piece in enumerate(pieces, 1)]


def general_text_identity(config: Config) -> str | None:
    """Changes when the user's own general text does."""
    file = config.evaluate.general_text
    return hash_file(existing(file, "evaluate.general_text")) if file else None
