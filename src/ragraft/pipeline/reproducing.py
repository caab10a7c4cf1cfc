"""What it takes to come to a report's results once more: settings, versions, models, inputs. Knows the run."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ragraft.config import Config
from ragraft.pipeline.wiring import At

DECIDING = ("ragraft", "torch", "transformers", "tokenizers", "peft", "sentence-transformers", "lancedb", "numpy")
"""Packages whose version can move a figure."""
DIGITS = 12


def again(at: At) -> dict[str, Any]:
    """As the report lists it; equal fingerprints say that documents, questions and settings are the same."""
    machine = at.backends.machine_facts()
    return {
        "command": f"ragraft run --run {at.config.name}, on a YAML with the settings below "
        f"(runs/{at.config.name}/config.json holds them)",
        "the same": "machine, versions, inputs and seeds give the same rows, weights and answers",
        "versions": ", ".join([f"python {platform.python_version()}", *_versions()]),
        "machine": f"{platform.machine()}, {machine['device']}, {machine['threads']} threads",
        "base model": f"{at.config.model}, {_short(at.backends.model_facts()['identity'])}",
        "embedder": f"{at.config.embedder}, {_short(at.backends.embedder_identity())}",
        "seeds": ", ".join(f"{name} {seed}" for name, seed in _seeds(at.config).items()),
        "fingerprints": ", ".join(f"{name} {_fingerprint(at, name)}" for name in at.made if _fingerprint(at, name)),
    }


def _versions() -> list[str]:
    found = []
    for name in DECIDING:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:  # an extra that is not installed decided nothing
            continue
    return found


def _seeds(config: Config) -> Mapping[str, int]:
    return {
        "examine": config.examine.seed,
        "synthesize": config.synthesize.seed,
        "train": config.train.seed,
        "evaluate": config.evaluate.seed,
    }


def _fingerprint(at: At, name: str) -> str:
    manifest = at.made[name].manifest()
    return _short(manifest.fingerprint) if manifest else ""


def _short(identity: object) -> str:
    return str(identity)[:DIGITS]
