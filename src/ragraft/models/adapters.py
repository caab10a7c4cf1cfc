"""Write a checkpoint's adapter so that PEFT opens it over the base model by itself. Knows adapters; nothing of RAG."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ragraft.errors import SourceError
from ragraft.models.load import ADAPTER_FILE, base_of, load_network
from ragraft.models.sources import resolve

WEIGHTS = "adapter_model.safetensors"
BESIDE = ("*.jinja", "tokenizer*", "special_tokens_map.json", "vocab.*", "merges.txt", "added_tokens.json")
TOGETHER = "together"


def save_adapter(model: str, target: Path) -> list[str]:
    """Write the adapters that were tuned on a base, as one; notes. Raises SourceError where no adapter is all of it."""
    source, chain = base_of(model)
    _refuse(chain)
    if len(chain) == 1:
        for name in (ADAPTER_FILE, WEIGHTS):
            shutil.copy2(chain[0] / name, target / name)
    else:
        _save_together(resolve(source).path, chain, target)
    for file in (file for pattern in BESIDE for file in chain[-1].glob(pattern)):
        shutil.copy2(file, target / file.name)
    _name_base(target / ADAPTER_FILE, source)
    if source.startswith("hf:"):
        return []
    return [f"its base is {Path(source).name}, which PEFT cannot fetch by this name: open that model, then the adapter"]


def _refuse(chain: Sequence[Path]) -> None:
    whole = [folder.name for folder in chain if not (folder / ADAPTER_FILE).exists()]
    if whole:
        raise SourceError(
            f"{', '.join(whole)} tuned all parameters, so that no adapter over the base is all of it; export it merged "
            "(--to merged), or train with train.tuning=lora"
        )
    if len(chain) > 1 and any(_config(folder).get("use_dora") for folder in chain):
        raise SourceError(
            "Adapters that were tuned one after another with DoRA cannot be written as one; export it merged "
            "(--to merged), or train with train.tuning=lora"
        )


def _save_together(base: Path, chain: Sequence[Path], target: Path) -> None:
    """What adapters add one after another is what they add together: their factors side by side are one adapter."""
    import torch
    from peft import PeftModel

    names = [f"step{place}" for place, _ in enumerate(chain)]
    network = PeftModel.from_pretrained(load_network(base, torch.float32), chain[0], adapter_name=names[0])
    for name, folder in zip(names[1:], chain[1:], strict=True):
        network.load_adapter(folder, adapter_name=name)
    network.add_weighted_adapter(names, [1.0] * len(names), TOGETHER, combination_type="cat")
    with tempfile.TemporaryDirectory(prefix="ragraft-") as scratch:
        network.save_pretrained(scratch, selected_adapters=[TOGETHER])
        for name in (ADAPTER_FILE, WEIGHTS):
            shutil.copy2(Path(scratch) / TOGETHER / name, target / name)


def _name_base(file: Path, source: str) -> None:
    """Have the adapter name its base as others can find it; no place in a cache of this machine."""
    config = json.loads(file.read_text(encoding="utf-8"))
    hub, _, revision = source.removeprefix("hf:").partition("@")
    config["base_model_name_or_path"] = hub
    config["revision"] = revision or None
    file.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _config(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / ADAPTER_FILE).read_text(encoding="utf-8"))
    return found
