"""How large a model is, by its config and its files. Opens no weights and loads no heavy library."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BYTES = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2}
WEIGHTS = ("*.safetensors", "*.bin")


@dataclass(frozen=True, slots=True)
class ModelSize:
    """Enough to plan with; what the files don't tell is 0."""

    parameters: int
    width: int
    adapter: int
    """Parameters of a LoRA adapter of rank 1 on all linear layers."""


NOTHING = ModelSize(0, 0, 0)


def model_size(folder: Path) -> ModelSize:
    """The size of the model in a folder of transformers or sentence-transformers."""
    config = _config(folder)
    weights = next((found for pattern in WEIGHTS if (found := list(folder.rglob(pattern)))), [])
    per_number = BYTES.get(str(config.get("dtype") or config.get("torch_dtype") or "float32"), BYTES["float32"])
    parameters = sum(file.stat().st_size for file in weights) // per_number
    return ModelSize(parameters, _number(config, "hidden_size", "dim", "d_model"), _adapter(config))


def _config(folder: Path) -> dict[str, Any]:
    for place in (folder / "config.json", folder / "0_Transformer" / "config.json"):
        if place.exists():
            data = json.loads(place.read_text(encoding="utf-8"))
            found: dict[str, Any] = data.get("text_config", data)
            return found
    return {}


def _adapter(config: dict[str, Any]) -> int:
    width, inner = _number(config, "hidden_size"), _number(config, "intermediate_size")
    heads = _number(config, "num_attention_heads") or 1
    head = _number(config, "head_dim") or width // heads
    queries, keys = heads * head, (_number(config, "num_key_value_heads") or heads) * head
    attention = 2 * (width + queries) + 2 * (width + keys)
    return _number(config, "num_hidden_layers") * (attention + 3 * (width + inner))


def _number(config: dict[str, Any], *names: str) -> int:
    return next((int(config[name]) for name in names if config.get(name)), 0)
